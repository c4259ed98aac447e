//! Accounting days: the cut, the columns, the order of closing.

use alloc::vec;

use super::*;
use crate::account::Owner;
use crate::book::Book;
use crate::checks;
use crate::command::Command;
use crate::testkit::{Kit, date};
use crate::trial_balance::TrialBalance;
use crate::voucher::{BusinessNumber, EventCode, PostVoucher};

const CNY: Currency = Currency::Cny;

struct World {
    kit: Kit,
    payer: AccountId,
    payee: AccountId,
}

/// Thursday 2026-03-05 with 1,000 on one account.
fn world() -> World {
    let mut kit = Kit::new();
    let user = kit.user();
    let [payer, payee] = [(); 2].map(|()| kit.account(Subject::Personal, Owner::User(user)));
    kit.fund(payer, 1_000);
    World { kit, payer, payee }
}

impl World {
    fn transfer(&mut self, amount: Minor) {
        let entries = vec![Entry::debit(self.payer, amount, CNY), Entry::credit(self.payee, amount, CNY)];
        self.kit.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("t".into()),
            event: EventCode::Transfer,
            date: None,
            entries,
            dimensions: None,
        }));
    }

    fn closing(&self, account: AccountId, day: &str) -> Option<Minor> {
        self.kit.state.days.closing(self.kit.state.account(account, "account").unwrap(), date(day))
    }

    fn turnover(&self, account: AccountId, day: &str) -> Option<(Minor, Minor)> {
        self.kit.state.days.turnover(account, date(day)).map(|turnover| (turnover.debit, turnover.credit))
    }

    #[track_caller]
    fn seal(&mut self, day: &str) -> u64 {
        self.kit.given(Command::SealDay(date(day)));
        self.kit.state.days.get(date(day)).unwrap().sealed.unwrap()
    }

    fn close(&self, day: &str, position: u64) -> Command {
        let date = date(day);
        Command::CloseDay { date, position, checks: checks::run(&self.kit.state, date) }
    }
}

const D: &str = "2026-03-05";
const NEXT: &str = "2026-03-06";

#[test]
fn the_day_is_cut_without_a_stop_and_each_day_keeps_its_own_column() {
    let mut world = world();
    world.transfer(300);
    assert_eq!(world.kit.given(Command::CutDay { next: None }), Reply::Day(date(NEXT)));
    world.transfer(500);
    let (payer, payee) = (world.payer, world.payee);
    assert_eq!((world.turnover(payer, D), world.turnover(payer, NEXT)), (Some((300, 1_000)), Some((500, 0))));
    assert_eq!((world.turnover(payee, D), world.turnover(payee, NEXT)), (Some((0, 300)), Some((0, 500))));
    assert_eq!((world.closing(payer, D), world.closing(payer, NEXT)), (Some(700), Some(200)));
    let day = world.kit.state.days.get(date(D)).unwrap();
    assert_eq!((day.status, day.cut_at, day.sealed), (DayStatus::Cutting, Some(world.kit.now), None));

    // The books of D stand still while D+1 goes on posting.
    let trial = TrialBalance::of(&world.kit.state, date(D)).unwrap();
    world.transfer(200);
    assert_eq!(TrialBalance::of(&world.kit.state, date(D)).unwrap(), trial);
    assert_eq!((trial.closing(Subject::Personal, CNY), trial.totals(Book::Reserve, CNY)), (1_000, (1_000, 1_000)));
    assert_eq!(world.closing(payer, D), Some(700));
}

#[test]
fn a_closed_day_gives_its_column_back() {
    let mut world = world();
    world.transfer(300);
    world.kit.given(Command::CutDay { next: None });
    world.transfer(100);
    let position = world.seal(D);
    let close = world.close(D, position);
    world.kit.given(close);
    let day = world.kit.state.days.get(date(D)).unwrap();
    assert_eq!((day.status, day.checks.iter().all(|check| check.holds)), (DayStatus::Closed, true));
    assert_eq!((world.closing(world.payer, D), world.turnover(world.payer, D)), (None, None));
    assert!(TrialBalance::of(&world.kit.state, date(D)).is_none());
    assert!(checks::run(&world.kit.state, date(D)).is_empty());
    // Its column serves another day, empty.
    world.kit.given(Command::CutDay { next: None });
    assert_eq!(
        (world.turnover(world.payer, "2026-03-07"), world.closing(world.payer, NEXT)),
        (Some((0, 0)), Some(600))
    );
    assert_eq!(world.kit.state.days.columns.len(), 2);
}

#[test]
fn at_most_seven_days_are_open() {
    let mut world = world();
    for _ in 1..MAX_OPEN_DAYS {
        world.kit.given(Command::CutDay { next: None });
        world.transfer(10);
    }
    world.kit.refused(Command::CutDay { next: None }, RefusalCode::TooManyOpenDays);
    let closings: Vec<_> =
        world.kit.state.days.open_days().map(|day| world.closing(world.payee, &alloc::format!("{day}"))).collect();
    assert_eq!(closings, (0..7).map(|day| Some(day * 10)).collect::<Vec<_>>());
    let position = world.seal(D);
    let close = world.close(D, position);
    world.kit.given(close);
    world.kit.given(Command::CutDay { next: None });
}

#[test]
fn days_are_cut_sealed_and_closed_in_order() {
    let mut world = world();
    let never = Command::SealDay(date("2026-03-09"));
    world.kit.refused(never, RefusalCode::DayNotOpen);
    world.kit.refused(Command::SealDay(date(D)), RefusalCode::DayState);
    for next in [D, "2026-03-04"] {
        world.kit.refused(Command::CutDay { next: Some(date(next)) }, RefusalCode::DayState);
    }
    world.kit.given(Command::CutDay { next: None });
    world.kit.refused(world.close(D, 1), RefusalCode::DayState);
    world.kit.given(Command::CutDay { next: None });
    let (first, second) = (world.seal(D), world.seal(NEXT));
    world.kit.refused(world.close(NEXT, second), RefusalCode::DayState);
    world.kit.refused(world.close(D, first + 1), RefusalCode::DayState);
    let unchecked = Command::CloseDay { date: date(D), position: first, checks: Vec::new() };
    world.kit.refused(unchecked, RefusalCode::ChecksFailed);
    let (close, close_next) = (world.close(D, first), world.close(NEXT, second));
    world.kit.given(close.clone());
    world.kit.refused(close, RefusalCode::DayState);
    world.kit.given(close_next);
}

#[test]
fn a_failed_check_blocks_its_day_while_the_next_goes_on_and_a_new_seal_closes_it() {
    let mut world = world();
    world.kit.given(Command::CutDay { next: None });
    let position = world.seal(D);
    let mut checks = checks::run(&world.kit.state, date(D));
    checks[0].holds = false;
    world.kit.given(Command::CloseDay { date: date(D), position, checks });
    let day = world.kit.state.days.get(date(D)).unwrap();
    assert_eq!((day.status, day.sealed, day.checks[0].holds), (DayStatus::Cutting, None, false));

    world.transfer(10);
    world.kit.refused(world.close(D, position), RefusalCode::DayState);
    let position = world.seal(D);
    let close = world.close(D, position);
    world.kit.given(close);
    assert_eq!(world.kit.state.days.get(date(D)).unwrap().status, DayStatus::Closed);
}

#[test]
fn a_refused_command_takes_a_cut_back() {
    let mut world = world();
    let context = crate::Context {
        now: world.kit.now,
        actor: crate::Actor::Timer,
        approval: None,
        origin: crate::Origin::Timer,
        epoch: 1,
    };
    let mut draft = Draft::begin(&mut world.kit.state, &context, true);
    decide_cut(&mut draft, None).unwrap();
    draft.rollback();
    assert_eq!(world.kit.state.days.current(), Some(date(D)));
    assert!(world.kit.state.days.get(date(NEXT)).is_none());
    assert_eq!(world.turnover(world.payer, D), Some((0, 1_000)));
}
