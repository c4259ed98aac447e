//! Sums of how tries ended.

use domain::attempt::{FailureClass, Rail};
use domain::channel::ChannelName;
use domain::rates::Rate;
use domain::rates::channel::{Direction, EndedTry, RateKey, TryEnd};
use domain::state::Changes;
use store::Database;
use store::channel_rate::{Ends, between};

use crate::place::{Place, on_both};
use crate::world::{World, date};

on_both! {
    tries_are_summed_by_day_channel_product_and_bank
    channels_of_one_rail_are_summed_apart
    an_answer_that_is_written_again_counts_once
    a_success_after_a_refusal_takes_it_back
}

fn ended(position: u64, day: i8, bank: &str, end: TryEnd, before: Option<TryEnd>) -> EndedTry {
    let (direction, channel, product) = (Direction::In, Rail::Epcc.into(), "rent".to_owned());
    let key = RateKey { date: date(3, day), direction, channel, product, bank: bank.into() };
    EndedTry { position, key, end, before, first: true }
}

fn commit(database: &Database, world: &mut World, ended_tries: Vec<EndedTry>) {
    world.commit(database, &Changes { ended_tries, ..Changes::default() }).unwrap();
}

fn begun(place: &Place) -> (Database, World) {
    let (database, mut world) = (place.open(), World::full());
    // The world's own tries are another test's.
    let changes = Changes { ended_tries: Vec::new(), ..world.state.take_changes() };
    world.commit(&database, &changes).unwrap();
    (database, world)
}

const BANK: TryEnd = TryEnd::Failure(FailureClass::Bank);
const SYSTEM: TryEnd = TryEnd::Failure(FailureClass::System);

fn tries_are_summed_by_day_channel_product_and_bank(place: &Place) {
    let (database, mut world) = begun(place);
    let tries = vec![
        ended(10, 5, "102", TryEnd::Success, None),
        ended(11, 5, "102", BANK, None),
        ended(12, 5, "", SYSTEM, None),
        ended(13, 6, "102", TryEnd::NotFound, None),
    ];
    commit(&database, &mut world, tries);
    commit(&database, &mut world, vec![ended(14, 5, "102", TryEnd::Success, None)]);
    let of = |from, to| between(&database, date(3, from), date(3, to)).unwrap();
    let found: Vec<_> = of(5, 5).into_iter().map(|(key, ends)| (key.bank, ends)).collect();
    let none = Ends::default();
    assert_eq!(
        found,
        [("".to_owned(), Ends { system: 1, ..none }), ("102".to_owned(), Ends { success: 2, bank: 1, ..none })]
    );
    let mut all = none;
    of(1, 31).iter().for_each(|(_, ends)| all.add(ends));
    all.unknown = 1;
    assert_eq!((all.tries(), all.effective()), (6, Rate { numerator: 2, denominator: 5 }));
    assert!(of(7, 31).is_empty());
}

fn channels_of_one_rail_are_summed_apart(place: &Place) {
    let (database, mut world) = begun(place);
    let mut further = ended(11, 5, "102", TryEnd::Success, None);
    further.key.channel = ChannelName::parse("epcc_b").unwrap();
    commit(&database, &mut world, vec![ended(10, 5, "102", BANK, None), further]);
    let sums = between(&database, date(3, 5), date(3, 5)).unwrap();
    let found: Vec<_> = sums.into_iter().map(|(key, ends)| (key.channel.to_string(), ends)).collect();
    let none = Ends::default();
    let expected = [("epcc".to_owned(), Ends { bank: 1, ..none }), ("epcc_b".to_owned(), Ends { success: 1, ..none })];
    assert_eq!(found, expected);
}

fn an_answer_that_is_written_again_counts_once(place: &Place) {
    let (database, mut world) = begun(place);
    let first = ended(10, 5, "102", TryEnd::Success, None);
    commit(&database, &mut world, vec![first.clone()]);
    commit(&database, &mut world, vec![first, ended(11, 5, "102", BANK, None)]);
    let found = between(&database, date(3, 5), date(3, 5)).unwrap();
    assert_eq!(found[0].1, Ends { success: 1, bank: 1, ..Ends::default() });
}

fn a_success_after_a_refusal_takes_it_back(place: &Place) {
    let (database, mut world) = begun(place);
    commit(
        &database,
        &mut world,
        vec![ended(10, 5, "102", BANK, None), ended(11, 5, "102", TryEnd::Success, Some(BANK))],
    );
    // The refusal of this one was answered before anything was counted.
    commit(&database, &mut world, vec![ended(12, 5, "102", TryEnd::Success, Some(SYSTEM))]);
    let found = between(&database, date(3, 5), date(3, 5)).unwrap();
    assert_eq!(found[0].1, Ends { success: 2, ..Ends::default() });
}
