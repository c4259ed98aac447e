//! Success rates with their numerators and denominators.

use alloc::vec;

use super::*;
use crate::attempt::Outcome;
use crate::ids::OrderId;
use crate::order::ItemKind;
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};

fn tried(kit: &mut Kit, outcomes: &[Outcome]) -> OrderId {
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    command.tries_allowed = 3;
    let order = kit.order_of(command);
    for outcome in outcomes {
        kit.pay(order, vec![card(5_000)]);
        let attempt = kit.outbox().pop().unwrap();
        kit.answer(attempt.id, outcome.clone());
    }
    order
}

fn rates(kit: &Kit, today: &str) -> ((u64, u64), (u64, u64)) {
    let Rates { effective, first_try } = Rates::of(&kit.state, date(today));
    ((effective.numerator, effective.denominator), (first_try.numerator, first_try.denominator))
}

#[test]
fn rates_leave_out_what_is_not_the_platforms_fault() {
    let mut kit = Kit::new();
    let day = "2026-03-05";
    assert_eq!(rates(&kit, day), ((0, 0), (0, 0)));
    tried(&mut kit, &[success(day)]);
    assert_eq!(rates(&kit, day), ((1, 1), (1, 1)));
    tried(&mut kit, &[declined(FailureClass::User)]);
    tried(&mut kit, &[declined(FailureClass::Risk)]);
    assert_eq!(rates(&kit, day), ((1, 1), (1, 1)));
    tried(&mut kit, &[declined(FailureClass::Bank)]);
    assert_eq!(rates(&kit, day), ((1, 1), (1, 2)));
    tried(&mut kit, &[Outcome::NotFound]);
    assert_eq!(rates(&kit, day), ((1, 2), (1, 3)));
    // Paid on the second try: after a system's failure it counts against the first try, after the payer's it does not.
    tried(&mut kit, &[Outcome::NotFound, success(day)]);
    assert_eq!(rates(&kit, day), ((2, 3), (1, 4)));
    tried(&mut kit, &[declined(FailureClass::User), success(day)]);
    assert_eq!(rates(&kit, day), ((3, 4), (1, 4)));
}

#[test]
fn an_answer_still_missing_counts_from_the_next_day() {
    let mut kit = Kit::new();
    tried(&mut kit, &[success("2026-03-05")]);
    tried(&mut kit, &[Outcome::Unknown]);
    assert_eq!(rates(&kit, "2026-03-05").0, (1, 1));
    assert_eq!(rates(&kit, "2026-03-06").0, (1, 2));
}

#[test]
fn orders_without_a_try_do_not_count() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    assert_eq!(rates(&kit, "2026-03-06"), ((0, 0), (0, 0)));
}
