//! The close of a day while the next one posts.

use domain::book::Subject;
use domain::business_day::{CheckResult, DayStatus};
use domain::hold::PlaceHold;
use domain::ids::AccountId;
use domain::money::Currency;
use domain::trial_balance::TrialLine;
use domain::{Command, RefusalCode};
use node::close::{self, DaySnapshot};

use crate::world::{World, day, transfer};

/// Two accounts; 500 moved on the first day and 70 on the second, which takes the postings.
fn two_days() -> (World, AccountId, AccountId) {
    let mut world = World::of("Test Pay");
    let (from, to) = (world.open_account(), world.open_account());
    world.given(transfer(from, to, 500));
    world.given(Command::CutDay { next: None });
    world.given(transfer(from, to, 70));
    world.flush();
    (world, from, to)
}

/// Seals a day and looks at it.
fn seal(world: &mut World, number: i32) -> DaySnapshot {
    world.given(Command::SealDay(day(number)));
    world.flush();
    close::snapshot(world.engine.state(), day(number)).unwrap()
}

/// Closes a day with what was found.
fn close_day(world: &mut World, snapshot: &DaySnapshot, history: CheckResult) -> Result<(), domain::Refusal> {
    let checks = snapshot.checks.iter().cloned().chain([history]).collect();
    let closed = Command::CloseDay { date: snapshot.date, position: snapshot.sealed, checks };
    world.when(closed).map(|_| world.flush())
}

/// The balance of an account in the end-of-day file that counts.
fn filed(world: &World, number: i32, account: AccountId) -> history::DayBalance {
    let rows = world.rows();
    let end = close::end_of_day(&rows, day(number)).expect("the day has its file");
    world.history.day_balance(end, account).unwrap().expect("the account is in the file")
}

#[test]
fn a_day_that_is_not_sealed_is_not_looked_at() {
    let (world, ..) = two_days();
    for number in [0, 1, 9] {
        let refusal = close::snapshot(world.engine.state(), day(number)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::DayState, "{refusal}");
    }
}

#[test]
fn a_cut_day_agrees_with_its_history_while_the_next_one_posts() {
    let (mut world, from, to) = two_days();
    let snapshot = seal(&mut world, 0);
    // Between the look at the state and the look at the files the next day goes on.
    world.given(transfer(from, to, 9));
    world.flush();
    let found = world.projector.close(&snapshot).unwrap();
    assert!(found.holds, "{}", found.detail);
    assert_eq!(found.name, "balances_equal_history");
    assert!(found.detail.ends_with("2 entries on the day"), "{}", found.detail);
    assert!(snapshot.checks.iter().all(|check| check.holds));
    close_day(&mut world, &snapshot, found).unwrap();
    assert_eq!(world.engine.state().days.get(day(0)).unwrap().status, DayStatus::Closed);
    world.checkpoint();
    world.store_equals_state();
}

#[test]
fn the_end_of_a_day_is_right_though_the_next_one_has_moved_on() {
    let (mut world, from, to) = two_days();
    let snapshot = seal(&mut world, 0);
    world.given(transfer(from, to, 9));
    world.flush();
    world.projector.close(&snapshot).unwrap();
    for (account, posted, debit, credit) in [(from, -500, 500, 0), (to, 500, 0, 500)] {
        let balance = filed(&world, 0, account);
        assert_eq!((balance.posted, balance.debit, balance.credit), (posted, debit, credit));
        // Without a date: as of the look at the state, the second day's entry among them.
        assert_eq!(balance.entries, 2);
    }
    let rows = world.rows();
    let trial = close::trial_balance(&world.history, close::end_of_day(&rows, day(0)).unwrap()).unwrap();
    let (subject, currency) = (Subject::CustodySub, Currency::Cny);
    // The two accounts are of one subject.
    assert_eq!(trial.lines, [TrialLine { subject, currency, debit: 500, credit: 500, closing: 0 }]);
    assert_eq!(trial.date, day(0));
    world.statements_equal_postings();
}

#[test]
fn holds_are_as_of_the_look_at_the_state() {
    let (mut world, _, to) = two_days();
    let expires_at = world.engine.state().now.plus_ms(60_000);
    let hold = |amount| Command::PlaceHold(PlaceHold { account: to, amount, currency: Currency::Cny, expires_at });
    world.given(hold(30));
    let snapshot = seal(&mut world, 0);
    world.given(hold(5));
    world.flush();
    world.projector.close(&snapshot).unwrap();
    let balance = filed(&world, 0, to);
    assert_eq!((balance.posted, balance.held_out), (500, 30));
}

#[test]
fn a_break_is_found_and_names_its_account() {
    let (mut world, from, to) = two_days();
    let snapshot = seal(&mut world, 0);
    world.projector.write(&[]).unwrap();
    let planted: [fn(&mut history::DayBalance); 3] =
        [|balance| balance.posted += 1, |balance| balance.debit += 1, |balance| balance.credit -= 1];
    for plant in planted {
        let mut snapshot = snapshot.clone();
        plant(snapshot.balances.iter_mut().find(|balance| balance.account == to).unwrap());
        let found = close::check_history(&world.history, &world.rows(), &snapshot).unwrap();
        assert!(!found.holds);
        assert!(found.detail.starts_with(&format!("{to}: ")), "{}", found.detail);
        assert!(!found.detail.contains(&format!("{from}")), "{}", found.detail);
        let moved = world.posted.iter().filter(|entry| entry.account == to && entry.date == day(0));
        assert_eq!(found.vouchers, moved.map(|entry| entry.voucher).collect::<Vec<_>>());
        assert_eq!(found.vouchers.len(), 1);
    }
    // An account that only history knows.
    let mut without = snapshot.clone();
    without.balances.retain(|balance| balance.account != from);
    let found = close::check_history(&world.history, &world.rows(), &without).unwrap();
    assert!(!found.holds && found.detail.starts_with(&format!("{from}: ")), "{}", found.detail);
}

#[test]
fn a_day_with_a_break_stays_open_and_is_sealed_anew() {
    let (mut world, _, to) = two_days();
    let mut broken = seal(&mut world, 0);
    broken.balances.iter_mut().find(|balance| balance.account == to).unwrap().posted += 1;
    let found = world.projector.close(&broken).unwrap();
    close_day(&mut world, &broken, found).unwrap();
    let still = world.engine.state().days.get(day(0)).unwrap();
    assert_eq!((still.status, still.sealed), (DayStatus::Cutting, None));
    // The file of the new seal is the one that counts.
    let snapshot = seal(&mut world, 0);
    let found = world.projector.close(&snapshot).unwrap();
    assert!(found.holds, "{}", found.detail);
    assert_eq!(filed(&world, 0, to).posted, 500);
    close_day(&mut world, &snapshot, found).unwrap();
}

#[test]
fn the_next_day_begins_where_the_last_one_ended() {
    let (mut world, from, to) = two_days();
    for number in [0, 1, 2] {
        world.given(Command::CutDay { next: None });
        let snapshot = seal(&mut world, number);
        let found = world.projector.close(&snapshot).unwrap();
        assert!(found.holds, "{}", found.detail);
        close_day(&mut world, &snapshot, found).unwrap();
        world.given(transfer(to, from, 3));
    }
    assert_eq!([0, 1, 2].map(|number| filed(&world, number, to).posted), [500, 570, 567]);
    world.flush();
    world.statements_equal_postings();
}

/// A day whose close was refused, or cut short by a crash, is sealed still and is looked at again.
#[test]
fn a_day_closed_before_an_earlier_one_can_be_closed_after_it() {
    let (mut world, _, to) = two_days();
    world.given(Command::CutDay { next: None });
    let second = seal(&mut world, 1);
    let found = world.projector.close(&second).unwrap();
    assert!(found.holds, "entries of the first day count, though it has no file: {}", found.detail);
    let refusal = close_day(&mut world, &second, found).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::DayState);
    let first = seal(&mut world, 0);
    let found = world.projector.close(&first).unwrap();
    close_day(&mut world, &first, found).unwrap();
    let rows = world.rows();
    // A restart between makes no difference.
    let mut world = world.reopened();
    let second = close::snapshot(world.engine.state(), day(1)).unwrap();
    let found = world.projector.close(&second).unwrap();
    assert_eq!(world.rows(), rows, "the file of this seal was committed before and is not written again");
    rows.iter().for_each(|row| world.history.verify(row).unwrap());
    close_day(&mut world, &second, found).unwrap();
    assert_eq!(world.engine.state().days.get(day(1)).unwrap().status, DayStatus::Closed);
    assert_eq!(filed(&world, 1, to).posted, 570);
}
