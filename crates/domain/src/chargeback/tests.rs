//! Chargebacks: taken, lacking, won.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::attempt::{FailureClass, Rail};
use crate::command::Command;
use crate::order::ItemKind;
use crate::restriction::Restriction;
use crate::testkit::orders::fund_at_once;
use crate::testkit::own_money::union_card;
use crate::testkit::{Kit, court, declined, success};

const DAY: &str = "2026-03-05";

fn receive(leg: LegId, case: &str, amount: Minor) -> ReceiveChargeback {
    let (case_number, reason) = (case.to_string(), "4837".to_string());
    ReceiveChargeback { leg, case_number, reason, amount, currency: Currency::Cny }
}

#[track_caller]
fn received(kit: &mut Kit, leg: LegId, amount: Minor) -> ChargebackId {
    let case = alloc::format!("case-{}", kit.events.len());
    let command = ChargebackCommand::Receive(receive(leg, &case, amount));
    let Reply::Chargeback(id) = kit.given(Command::Chargeback(command)) else { panic!("a chargeback") };
    id
}

fn book(id: ChargebackId) -> Command {
    Command::Chargeback(ChargebackCommand::Book(id))
}

fn win(id: ChargebackId) -> Command {
    Command::Chargeback(ChargebackCommand::Win(id))
}

/// A merchant without fee whose rent of 10,000 by card is settled and all but 4,000 of it withdrawn.
fn world() -> (Kit, MerchantId, OrderId, LegId) {
    let mut kit = Kit::new();
    let merchant = kit.merchant(crate::merchant::MerchantKind::Landlord, 0);
    let (order, leg) = kit.paid_by_union_card(merchant, 10_000);
    kit.clear(Rail::UnionPay, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    withdraw(&mut kit, merchant, 6_000);
    kit.books(&[(1101, 10_000), (1121, -6_000)]);
    assert_eq!(kit.available(merchant), 4_000);
    (kit, merchant, order, leg)
}

fn withdraw(kit: &mut Kit, merchant: MerchantId, amount: Minor) {
    let account = kit.state.merchant(merchant).unwrap().available;
    let (to, currency) = (crate::payout::PayTo::Settlement, Currency::Cny);
    let create = crate::payout::CreatePayout {
        account,
        to,
        amount,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    kit.given(Command::CreatePayout(create));
    kit.answered(success("2026-03-06"));
}

#[test]
fn chargeback_of_10000_with_4000_on_2203_is_injected_first() {
    let (mut kit, merchant, order, leg) = world();
    let id = received(&mut kit, leg, 10_000);
    kit.books(&[(1101, 10_000), (1121, -6_000)]);
    let refusal = kit.when(book(id)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::InsufficientFunds);
    assert!(refusal.message.contains("inject 6000 first"), "{refusal}");

    kit.injected(6_000);
    kit.books(&[(1101, 16_000), (1121, -6_000), (2291, 6_000), (1291, 6_000), (3001, 6_000)]);
    kit.restore();
    kit.given(book(id));
    // Dr 2203 4,000, Dr 2291 6,000 / Cr 1122 10,000 · OWN Dr 1152 6,000 / Cr 1291 6,000
    kit.books(&[(1101, 16_000), (1121, -6_000), (1122, -10_000), (1152, 6_000), (3001, 6_000)]);
    assert_eq!(kit.available(merchant), 0);
    assert_eq!(kit.last_voucher().len(), 5);
    let row = kit.state.chargeback(id).unwrap();
    assert_eq!((row.status, row.lack, row.taken.len()), (ChargebackStatus::Booked, 6_000, 1));
    assert_eq!(row.booked.as_ref().map(|step| step.operator.as_str()), Some("tester"));
    assert_eq!(kit.owes(merchant), [(6_000, 6_000)]);
    assert_eq!(kit.state.order(order).unwrap().refundable(), 0);
    kit.restore();
    kit.refused(book(id), RefusalCode::ChargebackState);
}

#[test]
fn what_a_merchant_has_covers_it_alone() {
    let (mut kit, merchant, _, leg) = world();
    let id = received(&mut kit, leg, 4_000);
    kit.given(book(id));
    kit.books(&[(1101, 10_000), (1121, -6_000), (1122, -4_000)]);
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (0, vec![]));
    kit.given(win(id));
    kit.books(&[(1101, 10_000), (1121, -6_000)]);
    assert_eq!(kit.available(merchant), 4_000);
}

#[test]
fn the_orders_own_unsettled_money_is_taken_first() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let (order, leg) = kit.paid_by_union_card(merchant, 5_000);
    kit.fund(kit.state.merchant(merchant).unwrap().available, 100);
    let id = received(&mut kit, leg, 5_000);
    kit.given(book(id));
    // 4,990 of 2202 and 10 of 2203: the fee was kept.
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 90));
    kit.books(&[(1121, 100), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.state.order(order).unwrap().share(merchant, false), 0);
    kit.clear(Rail::UnionPay, DAY);
    kit.on("2026-03-06");
    let today = crate::testkit::date("2026-03-06");
    kit.refused(Command::Settle { merchant, today }, RefusalCode::NotCleared);
    kit.given(win(id));
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 5_090));
    // What came back is refunded from where it is.
    kit.refund(order, 5_000, false);
    assert_eq!(kit.available(merchant), 90);
}

#[test]
fn a_won_chargeback_pays_the_arrears_first_and_gives_the_merchant_the_rest() {
    let (mut kit, merchant, _, leg) = world();
    kit.injected(6_000);
    let id = received(&mut kit, leg, 10_000);
    kit.given(book(id));
    // 1,500 of the 6,000 are collected before the bank gives the money back.
    kit.fund(kit.state.merchant(merchant).unwrap().available, 1_500);
    kit.given(Command::Arrears(crate::arrears::ArrearsCommand::Collect(merchant)));
    assert_eq!(kit.owes(merchant), [(6_000, 4_500)]);
    kit.restore();
    kit.given(win(id));
    // Dr 1122 10,000 / Cr 2291 4,500, Cr 2203 5,500 · OWN Dr 1291 4,500 / Cr 1152 4,500
    kit.books(&[(1101, 16_000), (1121, -4_500), (2291, 6_000), (1291, 6_000), (3001, 6_000)]);
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (5_500, vec![]));
    let row = kit.state.chargeback(id).unwrap();
    assert_eq!((row.status, row.allowed_actions().len()), (ChargebackStatus::Won, 0));
    let arrears = kit.state.arrears(row.arrears.unwrap()).unwrap();
    assert_eq!((arrears.collected, arrears.undone, arrears.status()), (1_500, 4_500, "settled"));
    kit.restore();
    kit.refused(win(id), RefusalCode::ChargebackState);
    kit.refused(win(ChargebackId(9)), RefusalCode::ChargebackUnknown);
}

#[test]
fn what_cannot_go_back_to_the_merchant_goes_to_suspense() {
    let (mut kit, merchant, _, leg) = world();
    let id = received(&mut kit, leg, 4_000);
    kit.given(book(id));
    let account = kit.state.merchant(merchant).unwrap().available;
    let restriction = Restriction { in_barred: true, ..Restriction::default() };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.given(win(id));
    kit.books(&[(1101, 10_000), (1121, -6_000), (2241, 4_000)]);
}

#[test]
fn frozen_held_and_barred_money_is_not_taken() {
    let (mut kit, merchant, _, leg) = world();
    let account = kit.state.merchant(merchant).unwrap().available;
    let expires_at = kit.now.plus_ms(1_000);
    kit.given(Command::PlaceHold(crate::hold::PlaceHold {
        account,
        amount: 1_000,
        currency: Currency::Cny,
        expires_at,
    }));
    kit.given(Command::PlaceFreeze(court(account, 2_000)));
    kit.injected(6_000);
    let id = received(&mut kit, leg, 1_500);
    kit.given(book(id));
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (3_000, vec![(500, 500)]));
    kit.given(Command::RestrictAccount {
        account,
        restriction: Restriction { out_barred: true, ..Restriction::default() },
    });
    let id = received(&mut kit, leg, 300);
    kit.given(book(id));
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (3_000, vec![(500, 500), (300, 300)]));
}

#[test]
fn a_case_dropped_before_it_was_booked_books_nothing() {
    let (mut kit, _, order, leg) = world();
    let id = received(&mut kit, leg, 10_000);
    kit.restore();
    let refund = kit.create_refund(order, 1, false);
    kit.refused(Command::CreateRefund(refund.clone()), RefusalCode::RefundExceeded);
    let vouchers = kit.posted().count();
    kit.given(win(id));
    assert_eq!(kit.posted().count(), vouchers);
    kit.given(Command::CreateRefund(refund));
    kit.refused(book(id), RefusalCode::ChargebackState);
}

#[test]
fn no_more_is_charged_back_than_what_was_captured_and_not_refunded() {
    let (mut kit, _, order, leg) = world();
    kit.refund(order, 1_000, false);
    let too_much = ChargebackCommand::Receive(receive(leg, "case", 9_001));
    kit.refused(Command::Chargeback(too_much), RefusalCode::RefundExceeded);
    received(&mut kit, leg, 8_000);
    let too_much = ChargebackCommand::Receive(receive(leg, "case", 1_001));
    kit.refused(Command::Chargeback(too_much), RefusalCode::RefundExceeded);
    received(&mut kit, leg, 1_000);
    // The refund fails: what it had taken can be charged back.
    kit.answered(declined(FailureClass::Bank));
    received(&mut kit, leg, 1_000);
    assert_eq!(kit.actions(order), Vec::<&str>::new());
}

#[test]
fn wrong_chargebacks_are_refused() {
    let (mut kit, merchant, _, leg) = world();
    let right = receive(leg, "case-1", 100);
    let unpaid = kit.order(merchant, &[(ItemKind::Rent, 100)]);
    kit.pay(unpaid, vec![union_card(100)]);
    let sent = kit.state.order(unpaid).unwrap().legs[0];
    kit.given(Command::Chargeback(ChargebackCommand::Receive(right.clone())));
    let table = [
        (right.clone(), RefusalCode::AlreadyExists),
        (ReceiveChargeback { leg: LegId(99), ..receive(leg, "c", 1) }, RefusalCode::LegUnknown),
        (receive(sent, "c", 1), RefusalCode::LegState),
        (receive(leg, "", 1), RefusalCode::ValueInvalid),
        (ReceiveChargeback { reason: "x".repeat(65), ..receive(leg, "c", 1) }, RefusalCode::ValueInvalid),
        (receive(leg, "c", 0), RefusalCode::AmountNotPositive),
        (ReceiveChargeback { currency: Currency::Usd, ..receive(leg, "c", 1) }, RefusalCode::CurrencyMismatch),
    ];
    for (command, code) in table {
        kit.refused(Command::Chargeback(ChargebackCommand::Receive(command)), code);
    }
    kit.refused(book(ChargebackId(9)), RefusalCode::ChargebackUnknown);
}

#[test]
fn fund_money_and_a_late_success_are_not_charged_back() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000)]);
    kit.pay(order, vec![fund_at_once(3_000)]);
    kit.answered(success(DAY));
    let fund = kit.state.order(order).unwrap().legs[0];
    let command = ChargebackCommand::Receive(receive(fund, "c", 1));
    kit.refused(Command::Chargeback(command), RefusalCode::InstrumentNotAllowed);

    // A card that paid after its order had failed goes back as money no order can use.
    let order = kit.order(merchant, &[(ItemKind::Rent, 100)]);
    kit.pay(order, vec![union_card(100)]);
    let late = kit.answered(declined(FailureClass::Bank));
    kit.answer(late.id, success(DAY));
    let leg = kit.state.order(order).unwrap().legs[0];
    let refusal = kit.when(Command::Chargeback(ChargebackCommand::Receive(receive(leg, "c", 1)))).unwrap_err();
    assert!(matches!(refusal.code, RefusalCode::OrderState | RefusalCode::LegState), "{refusal}");
}
