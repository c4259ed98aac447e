//! One instrument: success, refusals, tries, silence, late success. The table of combined payments is in `combined`.

use alloc::vec;

use super::*;
use crate::attempt::Rail;
use crate::command::Command;
use crate::ids::MerchantId;
use crate::money::Minor;
use crate::order::{CreateOrder, ItemKind};
use crate::refund::RefundStatus;
use crate::refusal::RefusalCode;
use crate::restriction::Restriction;
use crate::testkit::orders::{card, fund};
use crate::testkit::{Kit, date, declined, success};

mod balance;
mod combined;
mod part;
mod property;

fn rent(kit: &mut Kit, tries_allowed: u8) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    command.tries_allowed = tries_allowed;
    (merchant, kit.order_of(command))
}

#[test]
fn rent_5000_with_fee_10_by_one_card() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 1);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.waiting();
    assert_eq!(attempt.rail, Rail::Epcc);
    assert_eq!(attempt.operation.money(), (5_000, crate::money::Currency::Cny));
    kit.books(&[]);
    kit.answered(success("2026-03-05"));
    kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.pending(merchant), 4_990);
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.legs(order), [LegStatus::Captured]);
    assert!(kit.outbox().is_empty());
}

#[test]
fn a_unionpay_card_posts_to_1122() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    let mut instrument = card(5_000);
    if let Instrument::Card { rail, .. } = &mut instrument {
        *rail = Rail::UnionPay;
    }
    kit.pay(order, vec![instrument]);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.own(Subject::ClearingUnionPay), 5_000);
    assert_eq!(kit.own(Subject::ClearingEpcc), 0);
}

#[test]
fn a_sub_account_at_a_bank_posts_to_1131_and_back() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 1);
    let mut instrument = card(5_000);
    if let Instrument::Card { rail, .. } = &mut instrument {
        *rail = Rail::PingAn;
    }
    kit.pay(order, vec![instrument]);
    assert_eq!((kit.waiting().rail, Rail::parse("pingan")), (Rail::PingAn, Some(Rail::PingAn)));
    kit.answered(success("2026-03-05"));
    kit.books(&[(1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    kit.clear(Rail::PingAn, "2026-03-05");
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.pending(merchant), 4_990);
    // Nobody is sent to a page of it.
    let merchant = kit.landlord();
    let other = kit.order(merchant, &[(ItemKind::Rent, 1_000)]);
    let instruments = vec![Instrument::Redirect { rail: Rail::PingAn, amount: 1_000, return_url: None, channel: None }];
    kit.refused(Command::PayOrder { order: other, instruments }, RefusalCode::InstrumentNotAllowed);
}

#[test]
fn the_voucher_is_counted_under_merchant_channel_product_and_clearing_date() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 1);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(success("2026-03-06"));
    let voucher = kit.posted().last().unwrap().clone();
    assert_eq!((voucher.event, voucher.date), (EventCode::PaymentCaptured, date("2026-03-05")));
    let dimensions = voucher.dimensions.unwrap();
    assert_eq!(dimensions.merchant, Some(merchant));
    assert_eq!(dimensions.channel.as_deref(), Some("epcc"));
    assert_eq!(dimensions.product.as_deref(), Some("rent"));
    assert_eq!(dimensions.clearing_date, Some(date("2026-03-06")));
}

#[test]
fn instruments_that_do_not_fit_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 2_000)]);
    let mut refused = |instruments, code| kit.refused(Command::PayOrder { order, instruments }, code);
    refused(vec![], RefusalCode::InstrumentNotAllowed);
    refused(vec![card(2_500), card(2_500)], RefusalCode::InstrumentNotAllowed);
    refused(vec![fund(2_000), fund(1_000), card(2_000)], RefusalCode::InstrumentNotAllowed);
    refused(vec![fund(3_001), card(1_999)], RefusalCode::InstrumentNotAllowed);
    refused(vec![card(4_999)], RefusalCode::OrderAmount);
    refused(vec![card(5_001)], RefusalCode::OrderAmount);
    refused(vec![card(5_000), fund(0)], RefusalCode::AmountNotPositive);
    refused(vec![card(-5_000)], RefusalCode::AmountNotPositive);
    let with = |change: fn(&mut alloc::string::String, &mut alloc::string::String, &mut Rail)| {
        let mut instrument = card(5_000);
        if let Instrument::Card { agreement, mask, rail, .. } = &mut instrument {
            change(agreement, mask, rail);
        }
        vec![instrument]
    };
    refused(with(|agreement, _, _| agreement.clear()), RefusalCode::ValueInvalid);
    refused(with(|_, mask, _| *mask = "6222021234567890123".into()), RefusalCode::ValueInvalid);
    refused(with(|_, _, rail| *rail = Rail::Fund), RefusalCode::InstrumentNotAllowed);
    kit.refused(Command::PayOrder { order: OrderId(99), instruments: vec![card(1)] }, RefusalCode::OrderUnknown);
}

#[test]
fn an_order_that_names_what_pays_it_is_created_and_tried_in_one_or_not_at_all() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let command = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    let short = CreateOrder { instruments: vec![card(4_999)], ..command.clone() };
    kit.refused(Command::CreateOrder(short), RefusalCode::OrderAmount);
    assert_eq!(kit.state.orders.len(), 0, "the refused try took its order back");
    let order = kit.order_of(CreateOrder { instruments: vec![card(5_000)], ..command });
    assert_eq!((kit.status(order), kit.state.order(order).unwrap().tries), (OrderStatus::Paying, 1));
    kit.answered(success("2026-03-06"));
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::PaymentCaptured);
}

#[test]
fn no_credit_card_pays_a_house() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::HousePrice, 5_000)]);
    let mut credit_card = card(5_000);
    if let Instrument::Card { credit, .. } = &mut credit_card {
        *credit = true;
    }
    let pay = Command::PayOrder { order, instruments: vec![credit_card] };
    kit.refused(pay, RefusalCode::InstrumentNotAllowed);
    kit.pay(order, vec![card(5_000)]);
}

#[test]
fn a_declined_card_fails_the_order_with_its_last_try() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 2);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(declined(FailureClass::User));
    assert_eq!(kit.status(order), OrderStatus::Paying);
    assert_eq!(kit.actions(order), ["pay", "close"]);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Failed]);
    let order = kit.state.order(order).unwrap();
    assert_eq!((order.first_failure, order.failure), (Some(FailureClass::User), Some(FailureClass::Bank)));
    kit.books(&[]);
}

#[test]
fn a_second_try_may_succeed_and_a_try_may_be_given_up() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 2);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(declined(FailureClass::User));
    kit.pay(order, vec![card(5_000)]);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.pending(merchant), 4_990);

    let (_, order) = rent(&mut kit, 2);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(declined(FailureClass::User));
    kit.given(Command::CloseOrder(order));
    assert_eq!(kit.status(order), OrderStatus::Closed);
}

#[test]
fn no_answer_is_unknown_and_only_an_answer_ends_it() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 3);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(Outcome::Unknown);
    kit.answer(attempt.id, Outcome::Unknown);
    assert_eq!(kit.legs(order), [LegStatus::Unknown]);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    kit.refused(Command::PayOrder { order, instruments: vec![card(5_000)] }, RefusalCode::OrderState);
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.answer(attempt.id, success("2026-03-05"));
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.pending(merchant), 4_990);
    let again = Command::AnswerAttempt { attempt: attempt.id, outcome: success("2026-03-05") };
    kit.refused(again, RefusalCode::AttemptState);
    assert_eq!(kit.pending(merchant), 4_990);
}

#[test]
fn an_attempt_that_the_channel_never_saw_fails_by_the_system() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(Outcome::Unknown);
    kit.answered(Outcome::NotFound);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.state.order(order).unwrap().failure, Some(FailureClass::System));
}

#[test]
fn a_late_success_goes_back_to_its_source() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 1);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(declined(FailureClass::Bank));
    kit.answer(attempt.id, success("2026-03-05"));
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.books(&[(1121, 5_000), (2211, 5_000)]);
    let back = kit.waiting();
    let original = attempt.serial();
    assert_eq!(back.operation, Operation::Refund { original, amount: 5_000, currency: crate::money::Currency::Cny });
    kit.answered(success("2026-03-05"));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn money_that_cannot_go_back_stays_due_to_the_payer() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(declined(FailureClass::Bank));
    kit.answer(attempt.id, success("2026-03-05"));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 5_000), (2243, 5_000)]);
    let refund = kit.state.refunds.get(1).unwrap();
    assert_eq!(refund.status, RefundStatus::Failed);
    assert!(refund.allowed_actions(&kit.state).is_empty());
}

#[test]
fn a_second_success_goes_back_and_the_first_stays() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 2);
    kit.pay(order, vec![card(5_000)]);
    let first = kit.answered(Outcome::NotFound);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(success("2026-03-05"));
    kit.answer(first.id, success("2026-03-05"));
    assert_eq!(kit.own(Subject::RefundTransit), 5_000);
    kit.answered(success("2026-03-05"));
    kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.pending(merchant), 4_990);
    assert_eq!(kit.state.order(order).unwrap().refunded, 0);
}

#[test]
fn a_destination_that_takes_nothing_sends_the_money_back() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, 3);
    kit.pay(order, vec![card(5_000)]);
    let account = kit.state.merchant(merchant).unwrap().pending;
    let restriction = Restriction { in_barred: true, ..Restriction::default() };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.books(&[(1121, 5_000), (2211, 5_000)]);
    kit.answered(success("2026-03-05"));
    kit.books(&[]);
}

#[test]
fn an_order_whose_whole_amount_is_fee_posts_no_empty_line() {
    let mut kit = Kit::new();
    let merchant = kit.merchant(crate::merchant::MerchantKind::Agent, 999_999);
    let order = kit.order(merchant, &[(ItemKind::ServiceFee, 1)]);
    kit.pay(order, vec![card(1)]);
    kit.answered(success("2026-03-05"));
    kit.books(&[(1121, 1), (2291, 1), (1291, 1), (5001, 1)]);
    let free = kit.merchant(crate::merchant::MerchantKind::Agent, 0);
    let order = kit.order(free, &[(ItemKind::ServiceFee, 70)]);
    kit.pay(order, vec![card(70)]);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.last_voucher().len(), 2);
    assert_eq!(kit.pending(free), 70 as Minor);
}
