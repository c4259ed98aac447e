//! What expires when, and what does not; the way of one card and one page is in `testkit/scripts/orders.txt`.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attempt::{FailureClass, Operation, Outcome};
use crate::command::Command;
use crate::fund_batch::{FundRoute, Monthly};
use crate::leg::{Instrument, LegStatus};
use crate::order::{CreateOrder, ItemKind};
use crate::testkit::orders::{card, fund, fund_at_once, redirect};
use crate::testkit::{Kit, declined, success};

const DAY: &str = "2026-03-05";
const MINUTE: i64 = 60_000;

/// An order of rent 3,000 and deposit 3,200 with three tries that can be paid for half an hour.
fn created(kit: &mut Kit) -> OrderId {
    let merchant = kit.landlord();
    let command = kit.create_order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    let expires_at = Some(kit.now.plus_ms(30 * MINUTE));
    kit.order_of(CreateOrder { tries_allowed: 3, expires_at, ..command })
}

fn over(kit: &mut Kit) {
    kit.later(30 * MINUTE);
    kit.given(Command::Tick);
}

fn reason(kit: &Kit, order: OrderId) -> Option<CloseReason> {
    kit.state.order(order).unwrap().close_reason()
}

#[test]
fn an_end_lies_after_now_and_within_31_days() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let right = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    for ms in [-1, 0, MAX_LIFE_MS + 1] {
        let expires_at = Some(kit.now.plus_ms(ms));
        let refusal = kit.when(Command::CreateOrder(CreateOrder { expires_at, ..right.clone() })).unwrap_err();
        assert_eq!((refusal.code, &*refusal.param), (RefusalCode::ValueInvalid, "expires_at"), "{ms}");
    }
    for ms in [1, MAX_LIFE_MS] {
        let order = kit.order_of(CreateOrder { expires_at: Some(kit.now.plus_ms(ms)), ..right.clone() });
        assert_eq!(kit.actions(order), ["pay", "close"]);
    }
    assert_eq!(kit.state.timers.len(), 2);
}

#[test]
fn an_order_without_an_end_waits_for_ever() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    assert!(kit.state.timers.is_empty());
    kit.later(400 * 86_400_000);
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), kit.actions(order)), (OrderStatus::Created, vec!["pay", "close"]));
}

#[test]
fn a_try_that_comes_too_late_is_told_until_when() {
    let mut kit = Kit::new();
    let order = created(&mut kit);
    kit.later(30 * MINUTE - 1);
    kit.given(Command::Tick);
    assert_eq!(kit.status(order), OrderStatus::Created);
    kit.later(1);
    let pay = Command::PayOrder { order, instruments: vec![card(6_200)] };
    let refusal = kit.when(pay).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::OrderExpired);
    assert!(refusal.message.contains("until 2026-03-05T09:30:00+08:00"), "{}", refusal.message);
    assert_eq!(kit.actions(order), ["close"], "the tick has not come yet");
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), kit.actions(order)), (OrderStatus::Closed, Vec::new()));
    let closed = kit.state.order(order).unwrap();
    assert_eq!((closed.ended_at, closed.failure), (Some(kit.now), None));
    assert!(kit.state.timers.is_empty());
    let events = kit.events.len();
    kit.given(Command::Tick);
    assert_eq!(kit.events.len(), events, "once");
}

#[test]
fn a_page_ends_with_its_order_at_the_latest() {
    let mut kit = Kit::new();
    let order = created(&mut kit);
    kit.later(20 * MINUTE);
    kit.pay(order, vec![redirect(6_200)]);
    let page = kit.waiting();
    assert_eq!(page.send_before, kit.now.plus_ms(10 * MINUTE), "and not in a quarter of an hour");
    assert!(matches!(page.operation, Operation::Redirect { expires_at, .. } if expires_at == page.send_before));
    // Both timers are of one moment, and the page's goes with the order.
    assert_eq!(kit.state.timers.len(), 2);
    kit.restore();
    kit.later(10 * MINUTE);
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Closed, vec![LegStatus::Failed]));
    assert_eq!(reason(&kit, order), Some(CloseReason::Expired));
    assert!(kit.state.timers.is_empty() && kit.outbox().is_empty());
}

#[test]
fn nothing_more_is_asked_of_a_payer_whose_fund_answers_too_late() {
    for (instrument, undone) in [(fund(3_000), LegStatus::Released), (fund_at_once(3_000), LegStatus::Reversed)] {
        let mut kit = Kit::new();
        let order = created(&mut kit);
        kit.pay(order, vec![card(3_200), instrument]);
        over(&mut kit);
        assert_eq!((kit.status(order), kit.actions(order)), (OrderStatus::Paying, Vec::new()));
        kit.restore();
        kit.answered(success(DAY));
        assert!(matches!(kit.waiting().operation, Operation::FundRelease { .. } | Operation::Refund { .. }));
        kit.answered(success(DAY));
        assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Closed, vec![LegStatus::Failed, undone]));
        assert_eq!(reason(&kit, order), Some(CloseReason::Expired));
        kit.books(&[]);
    }
}

#[test]
fn a_card_and_a_fund_that_succeed_in_time_pay_the_order() {
    let mut kit = Kit::new();
    let order = created(&mut kit);
    kit.pay(order, vec![card(3_200), fund(3_000)]);
    kit.answered(success(DAY));
    over(&mut kit);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Success, None));
    assert_eq!(kit.actions(order), ["split", "refund"]);
}

#[test]
fn a_fund_that_waits_for_its_batch_waits_no_more() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let command = kit.create_order(merchant, &[(ItemKind::Rent, 3_000)]);
    let order = kit.order_of(CreateOrder { expires_at: Some(kit.now.plus_ms(30 * MINUTE)), ..command });
    let (period, route) = (String::from("2026-03"), FundRoute::Reserve);
    let monthly = Some(Monthly { period, route, converts: false, cut_off: None, quota: None });
    let by_batch =
        Instrument::Fund { contract: String::from("lease-1"), amount: 3_000, holds: false, monthly, on_part: None };
    kit.pay(order, vec![by_batch]);
    over(&mut kit);
    assert_eq!((kit.status(order), kit.outbox()), (OrderStatus::Closed, Vec::new()));
    assert_eq!(reason(&kit, order), Some(CloseReason::Expired));
}

#[test]
fn what_a_merchant_closes_before_is_closed_by_request() {
    let mut kit = Kit::new();
    let order = created(&mut kit);
    kit.pay(order, vec![redirect(6_200)]);
    let page = kit.waiting().id;
    kit.given(Command::HandOutPage { of: front_page::PageOf::Order(order), site: None });
    kit.given(Command::CloseOrder(order));
    assert!(kit.state.timers.is_empty(), "the channel has the last word already");
    let events = kit.events.len();
    over(&mut kit);
    assert_eq!((kit.events.len(), kit.status(order)), (events, OrderStatus::Paying));
    kit.answer(page, Outcome::NotFound);
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Closed, Some(CloseReason::Requested)));
}

#[test]
fn a_page_that_expires_before_its_order_is_another_reason() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![redirect(5_000)]);
    kit.later(front_page::PAGE_MS);
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Closed, Some(CloseReason::PageExpired)));

    // With a try left it waits until its own time is over.
    let order = created(&mut kit);
    kit.pay(order, vec![redirect(6_200)]);
    kit.later(front_page::PAGE_MS);
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Paying, None));
    kit.restore();
    over(&mut kit);
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Closed, Some(CloseReason::Expired)));
}

#[test]
fn an_expired_order_leaves_memory_and_late_money_goes_back() {
    let mut kit = Kit::new();
    let order = created(&mut kit);
    kit.pay(order, vec![card(6_200)]);
    let attempt = kit.answered(declined(FailureClass::User)).id;
    over(&mut kit);
    assert_eq!((kit.status(order), reason(&kit, order)), (OrderStatus::Closed, Some(CloseReason::Expired)));
    kit.let_go();
    kit.restore();
    assert!(kit.state.is_away(order.into()) && kit.state.is_away(attempt.into()));
    kit.answer(attempt, success(DAY));
    kit.books(&[(1121, 6_200), (2211, 6_200)]);
    let back = kit.answered(success(DAY));
    assert!(matches!(back.operation, Operation::Refund { amount: 6_200, .. }));
    kit.books(&[]);
    assert_eq!(kit.status(order), OrderStatus::Closed);
}
