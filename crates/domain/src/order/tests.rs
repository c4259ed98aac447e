//! Orders: what may be asked of them in which state.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::command::Command;
use crate::testkit::orders::card;
use crate::testkit::{Kit, success};

const RENT: &[(ItemKind, Minor)] = &[(ItemKind::Rent, 5_000)];

#[test]
fn an_order_knows_its_sum_fee_and_net() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let id = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 2_000)]);
    let order = kit.state.order(id).unwrap();
    assert_eq!((order.amount, order.fee, order.net), (5_000, 10, 4_990));
    assert_eq!(order.status, OrderStatus::Created);
    assert_eq!(order.destination, kit.state.merchant(merchant).unwrap().pending);
    assert_eq!(kit.actions(id), ["pay", "close"]);
    kit.books(&[]);
}

#[test]
fn a_wrong_order_is_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let right = kit.create_order(merchant, RENT);
    let mut refused = |change: fn(&mut CreateOrder), code| {
        let mut command = right.clone();
        change(&mut command);
        kit.refused(Command::CreateOrder(command), code);
    };
    refused(|order| order.merchant = MerchantId(99), RefusalCode::MerchantUnknown);
    refused(|order| order.payer = UserId(99), RefusalCode::UserUnknown);
    refused(|order| order.out_trade_no = String::new(), RefusalCode::ValueInvalid);
    refused(|order| order.items.clear(), RefusalCode::ValueInvalid);
    refused(|order| order.items[0].amount = 0, RefusalCode::AmountNotPositive);
    refused(
        |order| order.items = vec![Item { kind: ItemKind::Rent, amount: i64::MAX }; 2],
        RefusalCode::AmountOverflow,
    );
    refused(|order| order.currency = Currency::Usd, RefusalCode::CurrencyMismatch);
    refused(|order| order.destination = Some(AccountId(1)), RefusalCode::SubjectNotAllowed);
    refused(|order| order.destination = Some(AccountId(9_999)), RefusalCode::AccountUnknown);
    refused(|order| order.tries_allowed = 0, RefusalCode::ValueInvalid);
    refused(|order| order.tries_allowed = 10, RefusalCode::ValueInvalid);
}

#[test]
fn an_unpaid_order_closes_and_a_final_one_does_not() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, RENT);
    kit.given(Command::CloseOrder(order));
    assert_eq!(kit.status(order), OrderStatus::Closed);
    assert_eq!(kit.actions(order), Vec::<&str>::new());
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.refused(Command::PayOrder { order, instruments: vec![card(5_000)] }, RefusalCode::OrderState);
    kit.refused(Command::CloseOrder(OrderId(99)), RefusalCode::OrderUnknown);
}

#[test]
fn an_order_with_a_leg_at_a_channel_is_neither_closed_nor_paid_again() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, RENT);
    kit.pay(order, vec![card(5_000)]);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    assert_eq!(kit.actions(order), Vec::<&str>::new());
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.refused(Command::PayOrder { order, instruments: vec![card(5_000)] }, RefusalCode::OrderState);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.actions(order), ["split", "refund"]);
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
}

#[test]
fn earnest_money_goes_to_an_agreement_account_without_fee_or_settlement() {
    let mut kit = Kit::new();
    let agency = kit.landlord();
    let account = kit.agreement_account();
    let mut command = kit.create_order(agency, &[(ItemKind::EarnestMoney, 50_000)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    kit.pay(order, vec![card(50_000)]);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.balance(account), 50_000);
    assert_eq!(kit.pending(agency), 0);
    kit.books(&[(1121, 50_000)]);
    assert_eq!(kit.actions(order), ["refund"]);

    kit.clear(Rail::Epcc, "2026-03-05");
    kit.on("2026-03-06");
    assert!(crate::settlement::merchants_due(&kit.state, "2026-03-06".parse().unwrap()).is_empty());

    let refund = kit.refund(order, 50_000, true);
    assert_eq!(kit.balance(account), 0);
    kit.answered(success("2026-03-06"));
    assert_eq!(kit.refund_status(refund).name(), "success");
}
