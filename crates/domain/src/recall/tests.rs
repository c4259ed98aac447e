//! What leaves, what stays, and that both are as good as in memory.

use alloc::vec;

use super::*;
use crate::account::Owner;
use crate::attempt::{FailureClass, Rail};
use crate::book::Subject;
use crate::clearing::{ClearingLine, LineKind, TakeClearingFile};
use crate::event::apply;
use crate::hold::{HoldStatus, PlaceHold};
use crate::ids::AccountId;
use crate::money::Currency;
use crate::order::ItemKind;
use crate::payout::{CreatePayout, PayTo};
use crate::rates::Rates;
use crate::refusal::RefusalCode;
use crate::state::State;
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};

mod cards;

fn books() -> (Kit, AccountId) {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let account = kit.account(Subject::Personal, owner);
    kit.fund(account, 10_000);
    (kit, account)
}

fn place(kit: &mut Kit, account: AccountId) -> HoldId {
    let expires_at = kit.now.plus_ms(60_000);
    let Reply::Hold(id) =
        kit.given(Command::PlaceHold(PlaceHold { account, amount: 100, currency: Currency::Cny, expires_at }))
    else {
        panic!("the reply names the hold")
    };
    id
}

fn in_memory(state: &State) -> Vec<u64> {
    state.holds.iter().map(|(id, _)| id).collect()
}

#[test]
fn closed_holds_leave_at_a_checkpoint_and_open_ones_stay() {
    let (mut kit, account) = books();
    let (first, second) = (place(&mut kit, account), place(&mut kit, account));
    kit.given(Command::CancelHold(first));
    let position = kit.state.position;
    assert!(!kit.state.would_leave(position - 1) && kit.state.would_leave(position));
    assert!(!kit.state.would_leave(position + 1), "no store is ahead of the journal");
    kit.given(Command::Checkpoint { position: position - 1 });
    assert_eq!(in_memory(&kit.state), [1, 2], "the store does not have the cancelling yet");
    assert_eq!(kit.state.position, position, "and what lets nothing go leaves nothing in the journal");
    kit.given(Command::Checkpoint { position });
    assert_eq!(in_memory(&kit.state), [second.0]);
    assert_eq!((kit.state.position, kit.state.checkpointed), (position + 1, position));
    assert_eq!(kit.state.last_ids().get(Kind::Hold), Some(2));
    assert!(kit.state.is_away(first.into()) && !kit.state.is_away(HoldId(3).into()));
    let third = place(&mut kit, account);
    assert_eq!(third, HoldId(3), "its number is not given again");
    assert!(!kit.state.would_leave(kit.state.position), "and nothing is left to leave");
}

/// Each payment of a user without a pay password asks for the row that is not there.
#[test]
fn what_was_not_found_is_forgotten_by_every_table() {
    let mut state = State::default();
    state.pay_passwords.reached(9);
    assert!(state.pay_passwords.get(3).is_none());
    assert_eq!((state.pay_passwords.missed(), state.missed().len()), (vec![3], 0), "nothing of it leaves memory");
    state.forget_missed();
    assert!(state.pay_passwords.missed().is_empty());
}

#[test]
fn a_restored_state_holds_what_is_open_and_gives_no_number_twice() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    kit.restore();
    assert_eq!(in_memory(&kit.state), [1], "no event let it go yet");
    let position = kit.state.position;
    assert!(kit.state.would_leave(position) && !kit.state.would_leave(position - 1));
    kit.let_go();
    kit.restore();
    assert_eq!(in_memory(&kit.state), Vec::<u64>::new());
    assert!(kit.state.is_away(hold.into()));
    assert_eq!(kit.state.left, Left { checkpointed: position, generation: GENERATION }, "as the journal says");
    assert_eq!(place(&mut kit, account), HoldId(2));
}

#[test]
fn what_comes_back_is_answered_as_if_it_had_never_left() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    let row = kit.state.hold(hold).unwrap().clone();
    let refusal = kit.when(Command::CancelHold(hold)).unwrap_err();
    let as_of = kit.state.position;
    kit.given(Command::Checkpoint { position: as_of });
    kit.state.forget_missed();
    assert!(kit.state.hold(hold).is_err());
    assert_eq!(kit.state.missed(), [RowId::from(hold)]);
    let recalled = Recalled { as_of, row: Row::Hold(row.clone()) };
    assert!(kit.state.agrees_with(&recalled));
    apply(&mut kit.state, &Event::Recalled(recalled.clone()));
    assert_eq!(kit.state.take_changes().holds.len(), 1, "the store learns that it is in memory");
    assert_eq!(kit.when(Command::CancelHold(hold)).unwrap_err(), refusal);
    let other = Row::Hold(Hold { status: HoldStatus::Expired, ..row });
    assert!(!kit.state.agrees_with(&Recalled { as_of, row: other }), "a replay finds a row that came back otherwise");
    assert!(kit.state.agrees_with(&recalled));
    let position = kit.state.position;
    assert!(!kit.state.would_leave(position - 1) && kit.state.would_leave(position));
}

#[test]
fn a_replay_may_keep_what_is_closed() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    kit.given(Command::Checkpoint { position: kit.state.position });
    let mut keeping = State { keep_closed: true, now: kit.now, ..State::default() };
    for event in &kit.events {
        apply(&mut keeping, event);
        drop(keeping.take_changes());
    }
    assert_eq!((in_memory(&keeping), in_memory(&kit.state)), ([1].to_vec(), Vec::new()));
    assert!(keeping.differing(&kit.state).is_empty(), "which closed rows are in memory is no difference");
}

/// Rent that was paid, cleared and settled.
fn settled_rent() -> (Kit, OrderId) {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, "2026-03-05");
    kit.on("2026-03-06");
    kit.settle(merchant);
    (kit, order)
}

fn in_memory_of(kit: &Kit, kind: Kind) -> Option<u64> {
    let (last, rows) = (kit.state.last_ids().get(kind)?, 1..);
    Some(rows.take_while(|id| *id <= last).filter(|id| !kit.state.is_away(RowId { kind, id: *id })).count() as u64)
}

#[test]
fn an_order_leaves_with_its_legs_and_attempts_once_it_is_settled() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.let_go();
    for kind in [Kind::Order, Kind::Leg, Kind::Attempt] {
        assert_eq!(in_memory_of(&kit, kind), Some(1), "{} await their clearing file", kind.name());
    }
    kit.clear(Rail::Epcc, "2026-03-05");
    kit.let_go();
    assert_eq!((in_memory_of(&kit, Kind::Order), in_memory_of(&kit, Kind::Leg)), (Some(1), Some(0)), "not settled yet");
    kit.on("2026-03-06");
    kit.settle(merchant);
    kit.let_go();
    assert!(kit.state.is_away(order.into()));
    assert_eq!(kit.state.open_rows(), PerKind::of(|_| 0));
    assert!(kit.state.orders.is_empty() && kit.state.legs.is_empty() && kit.state.attempts.is_empty());
    kit.restore();
    assert_eq!(kit.order(merchant, &[(ItemKind::Rent, 100)]), OrderId(2), "its number is not given again");
}

#[test]
fn a_refund_of_an_order_that_left_brings_it_back_and_both_leave_again() {
    let (mut kit, order) = settled_rent();
    kit.let_go();
    kit.restore();
    let refund = kit.refund(order, 4_000, false);
    let recalled = kit.events.iter().filter(|event| matches!(event, Event::Recalled(_))).count();
    assert_eq!(recalled, 3, "the order, its leg, and the attempt that paid it");
    kit.let_go();
    assert!(kit.state.is_away(order.into()), "what it is refunded is with the refund");
    assert!(!kit.state.is_away(refund.into()));
    kit.restore();
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.state.order(order).unwrap().refunded, 0, "it came back once more");
    kit.let_go();
    assert!(kit.state.is_away(refund.into()) && kit.state.is_away(order.into()));
    kit.restore();
    kit.refund(order, 4_990, false);
    kit.answered(success("2026-03-06"));
    kit.let_go();
    let more = Command::CreateRefund(kit.create_refund(order, 20, false));
    kit.refused(more, RefusalCode::RefundExceeded);
}

#[test]
fn a_late_success_finds_its_order_wherever_that_is() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(declined(FailureClass::User));
    kit.let_go();
    assert!(kit.state.is_away(order.into()), "its only try failed");
    assert_eq!(kit.state.open_rows(), PerKind::of(|_| 0));
    kit.restore();
    kit.answer(attempt.id, success("2026-03-05"));
    assert_eq!(kit.waiting().purpose, Purpose::Refund(RefundId(1)), "money that no order can use goes back");
    kit.let_go();
    kit.clear(Rail::Epcc, "2026-03-05");
}

#[test]
fn a_payout_that_arrived_leaves_and_comes_back_to_be_returned() {
    let (mut kit, order) = settled_rent();
    let merchant = kit.state.order(order).unwrap().merchant;
    let account = kit.state.merchant(merchant).unwrap().available;
    let (to, currency) = (PayTo::Settlement, Currency::Cny);
    let create =
        CreatePayout { account, to, amount: 1_000, fee: 1, currency, send_now: true, bank: None, channel: None };
    let Reply::Payout(id) = kit.given(Command::CreatePayout(create)) else { panic!("the reply names the payout") };
    kit.let_go();
    assert!(!kit.state.is_away(id.into()), "its answer is awaited");
    assert_eq!(in_memory_of(&kit, Kind::Settlement), Some(0), "a settlement is over once it is made");
    let attempt = kit.answered(success("2026-03-06"));
    kit.let_go();
    assert!(kit.state.is_away(id.into()) && !kit.state.is_away(attempt.id.into()), "only its attempt is to be cleared");
    kit.restore();
    let back = Command::ReturnPayout { payout: id, reference: "back".into(), date: date("2026-03-06") };
    kit.given(back.clone());
    kit.let_go();
    kit.restore();
    assert!(!kit.state.is_away(id.into()), "now its return is to be cleared too");
    let line = |kind| ClearingLine { serial: attempt.serial(), kind, amount: 1_000, currency, reference: None };
    kit.take_file(Rail::Epcc, "2026-03-06", vec![line(LineKind::Pay), line(LineKind::Return)]);
    kit.let_go();
    assert!(kit.state.is_away(id.into()));
    kit.refused(back, RefusalCode::PayoutState);
}

#[test]
fn a_clearing_file_waits_once_for_all_attempts_that_it_names_and_that_left() {
    let (mut kit, _) = settled_rent();
    let first = kit.state.attempt(AttemptId(1)).unwrap().clone();
    let (kind, currency, reference) = (LineKind::Debit, Currency::Cny, None);
    let line = ClearingLine { serial: first.serial(), kind, amount: 5_000, currency, reference };
    kit.let_go();
    let file = TakeClearingFile {
        rail: Rail::Epcc,
        date: date("2026-03-07"),
        part: 1,
        last: true,
        lines: vec![line.clone(), line],
        channel: None,
    };
    let command = Command::TakeClearingFile(file);
    assert_eq!(wanted(&kit.state, &command), [RowId::from(AttemptId(1))]);
    let Reply::Clearing(id) = kit.given(command) else { panic!("the reply names the file") };
    let clearing = kit.state.clearing(id).unwrap();
    assert_eq!((clearing.matched, clearing.different), (0, 2), "it was cleared before");
}

#[test]
fn the_rates_count_orders_that_left() {
    let (mut kit, _) = settled_rent();
    let today = date("2026-03-06");
    let before = Rates::of(&kit.state, today);
    assert_eq!((before.effective.numerator, before.effective.denominator), (1, 1));
    kit.let_go();
    assert_eq!(Rates::of(&kit.state, today), before);
    kit.restore();
    assert_eq!(Rates::of(&kit.state, today), before);
}

#[test]
fn what_an_earlier_program_let_go_of_were_holds_only() {
    let (mut kit, order) = settled_rent();
    let position = kit.state.position;
    let event = Event::Checkpointed { position, generation: 0 };
    let bytes = [0x82, 0x18, 171, 0x81, 0x18, u8::try_from(position).unwrap()];
    assert_eq!(minicbor::decode::<Event>(&bytes).unwrap(), event, "as level 6 wrote it");
    apply(&mut kit.state, &event);
    assert!(!kit.state.is_away(order.into()));
    assert_eq!((kit.state.checkpointed, kit.state.left), (position, Left::default()));
}

#[test]
fn rows_that_are_away_can_be_looked_at_as_if_they_were_there() {
    let (mut kit, order) = settled_rent();
    let row = Row::Order(kit.state.order(order).unwrap().clone());
    let as_of = kit.state.position;
    kit.let_go();
    let see = |state: &State| state.orders.get(order.0).map(|order| order.amount);
    assert_eq!(kit.state.with_rows(as_of, core::slice::from_ref(&row), see), Some(5_000));
    assert!(kit.state.is_away(order.into()) && kit.state.take_changes().is_empty(), "and nothing is left of it");
    assert_eq!(kit.state.with_rows(as_of - 1, &[row], see), None, "it may have changed since, and left again");
}
