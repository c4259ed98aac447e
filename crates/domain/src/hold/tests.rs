//! Holds: confirmed in parts, cancelled, expired.

use super::*;
use crate::account::Owner;
use crate::book::Subject;
use crate::command::Command;
use crate::restriction::Restriction;
use crate::testkit::Kit;

mod directions;
mod sequences;

const CNY: Currency = Currency::Cny;

/// An account with 1,000 of which 600 are held for a minute, and one to pay.
struct World {
    kit: Kit,
    account: AccountId,
    to: AccountId,
    hold: HoldId,
}

fn world() -> World {
    let mut kit = Kit::new();
    let user = kit.user();
    let [account, to] = [(); 2].map(|()| kit.account(Subject::Personal, Owner::User(user)));
    kit.fund(account, 1_000);
    let place = PlaceHold { account, amount: 600, currency: CNY, expires_at: kit.now.plus_ms(60_000) };
    let Reply::Hold(hold) = kit.given(Command::PlaceHold(place)) else { panic!("a hold was placed") };
    World { kit, account, to, hold }
}

impl World {
    fn confirm(&self, amount: Option<Minor>) -> Command {
        Command::ConfirmHold { hold: self.hold, amount, to: self.to }
    }

    /// Balance, held out, available.
    fn money(&self) -> (Minor, Minor, Minor) {
        let account = self.kit.state.account(self.account, "account").unwrap();
        (account.balance, account.held_out, account.available())
    }

    fn status(&self) -> HoldStatus {
        self.kit.state.hold(self.hold).unwrap().status
    }
}

#[test]
fn parts_are_confirmed_until_nothing_is_held() {
    let mut world = world();
    assert_eq!(world.money(), (1_000, 600, 400));
    world.kit.given(world.confirm(Some(250)));
    assert_eq!((world.money(), world.status()), ((750, 350, 400), HoldStatus::Open));
    world.kit.refused(world.confirm(Some(351)), RefusalCode::HoldExceeded);
    world.kit.refused(world.confirm(Some(0)), RefusalCode::AmountNotPositive);
    world.kit.given(world.confirm(None));
    assert_eq!((world.money(), world.status()), ((400, 0, 400), HoldStatus::Confirmed));
    assert_eq!(world.kit.balance(world.to), 600);
    world.kit.refused(world.confirm(None), RefusalCode::HoldState);
    assert!(world.kit.state.timers.is_empty());
}

#[test]
fn a_cancelled_hold_frees_its_rest() {
    let mut world = world();
    world.kit.given(world.confirm(Some(100)));
    world.kit.given(Command::CancelHold(world.hold));
    assert_eq!((world.money(), world.status()), ((900, 0, 900), HoldStatus::Cancelled));
    world.kit.refused(Command::CancelHold(world.hold), RefusalCode::HoldState);
    assert!(world.kit.state.timers.is_empty());
}

#[test]
fn a_hold_expires_at_its_time_and_not_before() {
    let mut world = world();
    world.kit.later(59_999);
    world.kit.given(Command::Tick);
    assert_eq!(world.status(), HoldStatus::Open);
    world.kit.later(1);
    world.kit.refused(world.confirm(None), RefusalCode::HoldExpired);
    world.kit.given(Command::Tick);
    assert_eq!((world.money(), world.status()), ((1_000, 0, 1_000), HoldStatus::Expired));
    for command in [world.confirm(None), Command::CancelHold(world.hold)] {
        world.kit.refused(command, RefusalCode::HoldExpired);
    }
}

#[test]
fn a_tick_carries_out_so_many_timers_and_the_next_the_rest() {
    let mut world = world();
    let (account, expires_at) = (world.account, world.kit.now.plus_ms(1));
    let count = crate::tick::MAX_PER_TICK as u64 + 1;
    let context = crate::Context {
        now: world.kit.now,
        actor: crate::Actor::Timer,
        approval: None,
        origin: crate::Origin::Timer,
        epoch: 1,
    };
    for _ in 0..count {
        world.kit.state.account_row(account).balance += 1;
        let mut draft = Draft::begin(&mut world.kit.state, &context, true);
        decide_place(&mut draft, &PlaceHold { account, amount: 1, currency: CNY, expires_at }).unwrap();
        drop(draft.commit());
    }
    let context = crate::Context { now: expires_at, ..context };
    let left = [count - 1_000 + 1, 1].map(|expected| {
        let mut draft = Draft::begin(&mut world.kit.state, &context, true);
        crate::tick::decide_tick(&mut draft).unwrap();
        drop(draft.commit());
        (world.kit.state.timers.len() as u64, expected)
    });
    assert!(left.iter().all(|(found, expected)| found == expected), "{left:?}");
}

#[test]
fn a_receiver_that_cannot_take_it_leaves_the_hold_as_it_was() {
    let mut world = world();
    let account = world.to;
    let restriction = Restriction { in_barred: true, out_barred: false };
    world.kit.given(Command::RestrictAccount { account, restriction });
    world.kit.refused(world.confirm(Some(100)), RefusalCode::AccountRestricted);
    assert_eq!((world.money(), world.status()), ((1_000, 600, 400), HoldStatus::Open));
    let reserve = world.kit.state.institution(Subject::CentralBank, CNY).unwrap();
    let to_reserve = Command::ConfirmHold { hold: world.hold, amount: None, to: reserve };
    world.kit.refused(to_reserve, RefusalCode::SubjectNotAllowed);
}

#[test]
fn a_hold_on_an_account_that_grows_with_debits_is_confirmed_by_a_credit() {
    let World { mut kit, .. } = world();
    let [clearing, other] =
        [Subject::ClearingEpcc, Subject::ClearingUnionPay].map(|subject| kit.state.institution(subject, CNY).unwrap());
    let place = PlaceHold { account: clearing, amount: 10, currency: CNY, expires_at: kit.now.plus_ms(1) };
    let Reply::Hold(hold) = kit.given(Command::PlaceHold(place)) else { panic!("a hold was placed") };
    kit.given(Command::ConfirmHold { hold, amount: None, to: other });
    assert_eq!((kit.balance(clearing), kit.balance(other)), (990, 10));
}

#[test]
fn bad_input_is_refused() {
    let World { mut kit, account, to, .. } = world();
    let (later, now) = (kit.now.plus_ms(1), kit.now);
    let reserve = kit.state.institution(Subject::CentralBank, CNY).unwrap();
    let good = PlaceHold { account, amount: 10, currency: CNY, expires_at: later };
    let table = [
        (PlaceHold { amount: 0, ..good.clone() }, RefusalCode::AmountNotPositive),
        (PlaceHold { amount: -1, ..good.clone() }, RefusalCode::AmountNotPositive),
        (PlaceHold { amount: 401, ..good.clone() }, RefusalCode::InsufficientFunds),
        (PlaceHold { account: AccountId(999), ..good.clone() }, RefusalCode::AccountUnknown),
        (PlaceHold { account: reserve, ..good.clone() }, RefusalCode::SubjectNotAllowed),
        (PlaceHold { currency: Currency::Eur, ..good.clone() }, RefusalCode::CurrencyMismatch),
        (PlaceHold { expires_at: now, ..good.clone() }, RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        kit.refused(Command::PlaceHold(command), code);
    }
    kit.refused(Command::CancelHold(HoldId(9)), RefusalCode::HoldUnknown);
    kit.refused(Command::ConfirmHold { hold: HoldId(9), amount: None, to }, RefusalCode::HoldUnknown);
    let restriction = Restriction { in_barred: false, out_barred: true };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.refused(Command::PlaceHold(good), RefusalCode::AccountRestricted);
}
