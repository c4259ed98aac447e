//! A payer at the channel's page: who pays, who does not, who pays too late, twice or while the order is being closed.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attempt::{FailureClass, Rail};
use crate::book::Subject;
use crate::command::Command;
use crate::ids::MerchantId;
use crate::leg::Instrument;
use crate::order::{ItemKind, OrderStatus};
use crate::rates::Rates;
use crate::testkit::orders::{card, fund, redirect};
use crate::testkit::{Kit, declined, success};

const DAY: &str = "2026-03-05";
const PAID: &[(u16, Minor)] = &[(1122, 5_000), (2291, 10), (1291, 10), (5001, 10)];

fn rent(kit: &mut Kit, tries_allowed: u8) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    command.tries_allowed = tries_allowed;
    (merchant, kit.order_of(command))
}

/// An order whose page the payer has.
fn at_the_page(kit: &mut Kit, tries_allowed: u8) -> (MerchantId, OrderId, AttemptId) {
    let (merchant, order) = rent(kit, tries_allowed);
    kit.pay(order, vec![redirect(5_000)]);
    let page = hand_out(kit, order);
    (merchant, order, page)
}

#[track_caller]
fn hand_out(kit: &mut Kit, order: OrderId) -> AttemptId {
    let Reply::Attempt(page) = kit.given(Command::HandOutPage { of: PageOf::Order(order), site: None }) else {
        panic!("the reply names the attempt")
    };
    page
}

fn leg_of(kit: &Kit, order: OrderId) -> Leg {
    let id = *kit.state.order(order).unwrap().legs.last().unwrap();
    kit.state.leg(id).unwrap().clone()
}

#[test]
fn a_page_is_maybe_sent_once_it_was_handed_out_and_the_same_each_time() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    let return_url = Some(String::from("https://shop.example/orders/7"));
    let url = return_url.clone();
    let instrument = Instrument::Redirect { rail: Rail::UnionPay, amount: 5_000, return_url: url, channel: None };
    kit.pay(order, vec![instrument]);
    let asked = kit.waiting();
    let expires_at = kit.now.plus_ms(PAGE_MS);
    let (amount, currency) = (5_000, Currency::Cny);
    assert_eq!(asked.operation, Operation::Redirect { amount, currency, expires_at, return_url });
    assert_eq!((asked.rail, asked.send_before), (Rail::UnionPay, expires_at));
    assert_eq!((asked.status, kit.legs(order)), (AttemptStatus::Requested, vec![LegStatus::Sent]));
    assert_eq!(kit.actions(order), ["front_page", "close"]);

    let page = hand_out(&mut kit, order);
    let events = kit.events.len();
    assert_eq!(kit.waiting(), Attempt { status: AttemptStatus::Unknown, ..asked });
    assert_eq!(kit.legs(order), [LegStatus::Unknown]);
    kit.later(PAGE_MS - 1);
    assert_eq!((hand_out(&mut kit, order), kit.events.len()), (page, events), "the second time changes nothing");
    kit.books(&[]);
}

#[test]
fn a_page_leads_where_it_led_the_first_time() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    kit.pay(order, vec![redirect(5_000)]);
    for site in ["beijing", "shanghai"] {
        kit.given(Command::HandOutPage {
            of: PageOf::Order(order),
            site: Some((Rail::UnionPay.into(), String::from(site))),
        });
        assert_eq!(kit.waiting().page_site.as_deref(), Some("beijing"));
        kit.restore();
    }
}

#[test]
fn a_page_leads_to_no_site_of_another_channel() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    kit.pay(order, vec![redirect(5_000)]);
    let of = PageOf::Order(order);
    let at = |channel: ChannelName| Command::HandOutPage { of, site: Some((channel, String::from("beijing"))) };
    kit.refused(at(Rail::Epcc.into()), RefusalCode::OrderState);
    kit.refused(at(ChannelName::parse("unionpay_acme").unwrap()), RefusalCode::OrderState);
    assert_eq!((kit.waiting().status, kit.waiting().page_site), (AttemptStatus::Requested, None));
    kit.given(at(Rail::UnionPay.into()));
    // What somebody has leads where it led, whatever was chosen since.
    kit.given(at(Rail::Epcc.into()));
    assert_eq!(kit.waiting().page_site.as_deref(), Some("beijing"));
}

#[test]
fn the_channels_word_pays_the_order() {
    let mut kit = Kit::new();
    let (merchant, order, page) = at_the_page(&mut kit, 1);
    kit.refused(Command::PayOrder { order, instruments: vec![card(5_000)] }, RefusalCode::OrderState);
    kit.answer(page, success(DAY));
    kit.books(PAID);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    let again = Command::AnswerAttempt { attempt: page, outcome: success(DAY) };
    kit.refused(again, RefusalCode::AttemptState);
    kit.refused(Command::HandOutPage { of: PageOf::Order(order), site: None }, RefusalCode::OrderState);
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.books(PAID);

    // It clears as any payment of the network does, and goes back by the serial number of the page.
    kit.clear(Rail::UnionPay, DAY);
    assert!(kit.state.order(order).unwrap().due.is_some());
    kit.refund(order, 5_000, true);
    let back = kit.waiting();
    assert!(matches!(&back.operation, Operation::Refund { original, amount: 5_000, .. }
        if *original == kit.state.attempt(page).unwrap().serial()));
    kit.answered(success(DAY));
    kit.books(&[(1101, 5_000), (1122, -5_000)]);
}

#[test]
fn who_never_pays_has_an_order_that_closes_by_the_channels_word() {
    let mut kit = Kit::new();
    let (_, order, page) = at_the_page(&mut kit, 1);
    kit.later(PAGE_MS);
    kit.refused(Command::HandOutPage { of: PageOf::Order(order), site: None }, RefusalCode::OrderState);
    kit.given(Command::Tick);
    assert_eq!(kit.status(order), OrderStatus::Paying, "no clock ends what may have been paid");
    kit.answer(page, Outcome::NotFound);
    assert_eq!(kit.status(order), OrderStatus::Closed);
    let leg = leg_of(&kit, order);
    assert_eq!((leg.status, leg.failure, leg.expired), (LegStatus::Failed, Some(FailureClass::User), true));
    let closed = kit.state.order(order).unwrap();
    assert_eq!((closed.failure, closed.ended_at), (Some(FailureClass::User), Some(kit.now)));
    assert_eq!(Rates::of(&kit.state, crate::calendar::Date::in_shanghai(kit.now)), Rates::default());
    kit.books(&[]);
}

#[test]
fn with_a_try_left_an_expired_page_leaves_the_order_payable() {
    let mut kit = Kit::new();
    let (merchant, order, first) = at_the_page(&mut kit, 2);
    kit.answer(first, Outcome::NotFound);
    assert_eq!((kit.status(order), kit.actions(order)), (OrderStatus::Paying, vec!["pay", "close"]));
    kit.pay(order, vec![redirect(5_000)]);
    let second = hand_out(&mut kit, order);
    assert_ne!(first, second);
    kit.answer(second, success(DAY));
    assert_eq!(kit.pending(merchant), 4_990);

    // The first page was paid too: that payment goes back, the order stays paid.
    kit.answer(first, success(DAY));
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!((kit.own(Subject::ClearingUnionPay), kit.own(Subject::RefundTransit)), (10_000, 5_000));
    kit.answered(success(DAY));
    kit.books(PAID);
}

#[test]
fn a_page_that_nobody_fetched_expires_by_itself() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    kit.pay(order, vec![redirect(5_000)]);
    kit.later(PAGE_MS - 1);
    kit.given(Command::Tick);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    kit.later(1);
    kit.restore();
    kit.given(Command::Tick);
    assert_eq!((kit.status(order), kit.outbox()), (OrderStatus::Closed, Vec::new()));
    assert!(kit.state.timers.is_empty());
}

#[test]
fn a_close_is_the_channels_to_confirm_once_the_page_is_out() {
    let mut kit = Kit::new();
    let (_, order, page) = at_the_page(&mut kit, 3);
    kit.given(Command::CloseOrder(order));
    assert_eq!((kit.status(order), kit.actions(order)), (OrderStatus::Paying, Vec::new()));
    for refused in [
        Command::HandOutPage { of: PageOf::Order(order), site: None },
        Command::CloseOrder(order),
        Command::PayOrder { order, instruments: vec![card(5_000)] },
    ] {
        kit.refused(refused, RefusalCode::OrderState);
    }
    kit.answer(page, Outcome::NotFound);
    assert_eq!(kit.status(order), OrderStatus::Closed, "with tries left");

    // The payer paid after all: no order can use it.
    kit.answer(page, success(DAY));
    assert_eq!(kit.status(order), OrderStatus::Closed);
    let due = kit.posted().find(|voucher| voucher.event == crate::voucher::EventCode::RefundDue).unwrap();
    assert_eq!(due.entries.len(), 2);
    kit.books(&[(1122, 5_000), (2211, 5_000)]);
    kit.answered(success(DAY));
    kit.books(&[]);
}

#[test]
fn a_payment_that_the_channel_tells_of_while_the_order_is_closing_pays_it() {
    let mut kit = Kit::new();
    let (merchant, order, page) = at_the_page(&mut kit, 1);
    kit.given(Command::CloseOrder(order));
    kit.answer(page, success(DAY));
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    kit.books(PAID);
}

#[test]
fn a_decline_ends_the_try_and_closes_what_is_being_closed() {
    let mut kit = Kit::new();
    let (_, failed, page) = at_the_page(&mut kit, 1);
    kit.answer(page, declined(FailureClass::Bank));
    assert_eq!(kit.status(failed), OrderStatus::Failed);
    let leg = leg_of(&kit, failed);
    assert_eq!((leg.failure, leg.expired), (Some(FailureClass::Bank), false));

    let (_, closing, page) = at_the_page(&mut kit, 1);
    kit.given(Command::CloseOrder(closing));
    kit.answer(page, declined(FailureClass::Bank));
    assert_eq!(kit.status(closing), OrderStatus::Closed);
}

#[test]
fn an_order_whose_page_nobody_has_closes_at_once() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 3);
    kit.pay(order, vec![redirect(5_000)]);
    kit.given(Command::CloseOrder(order));
    assert_eq!((kit.status(order), kit.outbox()), (OrderStatus::Closed, Vec::new()));
    assert!(kit.state.timers.is_empty());
}

#[test]
fn a_fund_that_holds_waits_for_the_payer_and_is_let_go_if_nobody_pays() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let items = [(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)];
    let begin = |kit: &mut Kit| {
        let order = kit.order(merchant, &items);
        kit.pay(order, vec![redirect(3_200), fund(3_000)]);
        kit.refused(Command::HandOutPage { of: PageOf::Order(order), site: None }, RefusalCode::OrderState);
        kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
        kit.answered(success(DAY));
        assert_eq!(kit.legs(order), [LegStatus::Sent, LegStatus::Held]);
        (order, hand_out(kit, order))
    };
    let (unpaid, page) = begin(&mut kit);
    kit.answer(page, Outcome::NotFound);
    assert!(matches!(kit.waiting().operation, Operation::FundRelease { .. }));
    assert_eq!(kit.status(unpaid), OrderStatus::Paying);
    kit.answered(success(DAY));
    assert_eq!(
        (kit.status(unpaid), kit.legs(unpaid)),
        (OrderStatus::Closed, vec![LegStatus::Failed, LegStatus::Released])
    );

    let (paid, page) = begin(&mut kit);
    kit.answer(page, success(DAY));
    kit.answered(success(DAY));
    assert_eq!((kit.status(paid), kit.pending(merchant)), (OrderStatus::Success, 6_188));

    // What is undone is given back by the channel, and is no page any more.
    let (undone, page) = begin(&mut kit);
    kit.answer(page, success(DAY));
    kit.answered(declined(FailureClass::Bank));
    kit.refused(Command::HandOutPage { of: PageOf::Order(undone), site: None }, RefusalCode::OrderState);
    kit.refused(Command::CloseOrder(undone), RefusalCode::OrderState);
    kit.answered(success(DAY));
    assert_eq!(
        (kit.status(undone), kit.legs(undone)),
        (OrderStatus::Failed, vec![LegStatus::Reversed, LegStatus::Failed])
    );
}

#[test]
fn a_redirect_that_does_not_fit_is_refused() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, 1);
    let with = |rail, url: Option<&str>| {
        let return_url = url.map(String::from);
        vec![Instrument::Redirect { rail, amount: 5_000, return_url, channel: None }]
    };
    let mut refused = |instruments, code| kit.refused(Command::PayOrder { order, instruments }, code);
    refused(with(Rail::Fund, None), RefusalCode::InstrumentNotAllowed);
    refused(with(Rail::OwnBank, None), RefusalCode::InstrumentNotAllowed);
    refused(vec![redirect(2_500), card(2_500)], RefusalCode::InstrumentNotAllowed);
    refused(vec![redirect(4_999)], RefusalCode::OrderAmount);
    let long = alloc::format!("https://{}", "a".repeat(RETURN_URL_MAX - 7));
    for url in ["", "shop.example", "https://", "javascript:alert(1)", "https://a b", "https://商店.example", &long] {
        refused(with(Rail::UnionPay, Some(url)), RefusalCode::ValueInvalid);
    }
    kit.pay(order, with(Rail::UnionPay, Some(&long[..RETURN_URL_MAX])));
    kit.refused(Command::HandOutPage { of: PageOf::Order(OrderId(99)), site: None }, RefusalCode::OrderUnknown);

    let merchant = kit.landlord();
    let house = kit.order(merchant, &[(ItemKind::HousePrice, 5_000)]);
    let pay = Command::PayOrder { order: house, instruments: vec![redirect(5_000)] };
    kit.refused(pay, RefusalCode::InstrumentNotAllowed);
}
