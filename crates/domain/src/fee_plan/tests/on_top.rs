//! The fee on top (外扣), to the cent: what the payer pays and by what, what reaches the merchant, what goes back. 0.20 % unless said: 10
//! on top of 5,000, 12 on top of 6,200.

use alloc::string::String;

use super::*;
use crate::account::Owner;
use crate::attempt::{FailureClass, Rail};
use crate::certificate::CertificateAlgorithm;
use crate::chargeback::{ChargebackCommand, ReceiveChargeback};
use crate::fund_batch::{FundBatchCommand, FundResult, FundResultRow, FundRoute, FundRow, Monthly, TakeFundResult};
use crate::ids::{OrderId, RefundId};
use crate::leg::Instrument;
use crate::limit::Factors;
use crate::money::Currency;
use crate::order::{CreateOrder, Order, OrderStatus};
use crate::refund::{CreateRefund, ItemRefund, LegRefund, RefundStatus};
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::declined;
use crate::testkit::orders::{fund, redirect};
use crate::webhook::{Announced, RegisterWebhook, WebhookCommand, WebhookKind};

const DAY: &str = "2026-03-05";
const RENT: &[(ItemKind, Minor)] = &[(ItemKind::Rent, 5_000)];
const BOTH: &[(ItemKind, Minor)] = &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)];

/// A merchant whose payers pay `rate` and `fixed` on top.
fn seller_at(kit: &mut Kit, rate: Minor, fixed: Minor) -> MerchantId {
    let merchant = kit.landlord();
    kit.approved(Command::SetFeePlan(SetFeePlan {
        owner: merchant.into(),
        from: date(DAY),
        tiers: vec![FeeTier { from: 0, rate, fixed }],
        least: None,
        cap: None,
        payer: FeePayer::Payer,
        rounding: Rounding::HalfUp,
        of: FeeOf::Order,
        on_refund: FeeOnRefund::AsAsked,
    }));
    merchant
}

fn seller(kit: &mut Kit) -> MerchantId {
    seller_at(kit, 2_000, 0)
}

/// Rent of 5,000 that a card paid.
fn paid(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = seller(kit);
    let order = kit.order(merchant, RENT);
    kit.pay(order, vec![card(5_010)]);
    kit.answered(success(DAY));
    (merchant, order)
}

/// 6,200 that a card and a fund paid.
fn combined(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = seller(kit);
    let order = kit.order(merchant, BOTH);
    kit.pay(order, vec![card(3_212), fund(3_000)]);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    (merchant, order)
}

fn row(kit: &Kit, order: OrderId) -> Order {
    kit.state.order(order).unwrap().clone()
}

fn pays(order: OrderId, instruments: Vec<Instrument>) -> Command {
    Command::PayOrder { order, instruments }
}

/// A refund that succeeds: what the payer gets, and how much of it is fee.
#[track_caller]
fn refunded(kit: &mut Kit, order: OrderId, amount: Minor, return_fee: bool) -> (Minor, Minor) {
    let id = kit.refund(order, amount, return_fee);
    assert_eq!(kit.waiting().operation.money().0, kit.state.refund(id).unwrap().amount);
    kit.answered(success(DAY));
    let refund = kit.state.refund(id).unwrap();
    assert_eq!(refund.status, RefundStatus::Success);
    (refund.amount, refund.fee)
}

fn too_much(kit: &mut Kit, order: OrderId, amount: Minor, return_fee: bool) {
    let command = kit.create_refund(order, amount, return_fee);
    kit.refused(Command::CreateRefund(command), RefusalCode::RefundExceeded);
}

#[test]
fn rent_5000_with_fee_10_on_top_by_one_card() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let order = kit.order(merchant, RENT);
    let new = row(&kit, order);
    assert_eq!((new.amount, new.fee, new.payable(), new.net), (5_000, 10, 5_010, 5_000));
    assert_eq!((new.fee_payer(), new.on_top(), new.carried()), (FeePayer::Payer, 10, 5_010));
    for amount in [5_000, 5_009, 5_011] {
        kit.refused(pays(order, vec![card(amount)]), RefusalCode::OrderAmount);
    }
    kit.pay(order, vec![card(5_010)]);
    assert_eq!(kit.waiting().operation.money().0, 5_010);
    kit.answered(success(DAY));
    kit.books(&[(1121, 5_010), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 5_000));
    kit.restore();

    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    kit.books(&[(1101, 5_010), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 5_000));
}

#[test]
fn an_order_that_names_what_pays_it_names_the_fee_too() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let create = |kit: &mut Kit, amount| {
        let instruments = vec![redirect(amount)];
        Command::CreateOrder(CreateOrder { instruments, ..kit.create_order(merchant, RENT) })
    };
    let short = create(&mut kit, 5_000);
    kit.refused(short, RefusalCode::OrderAmount);
    assert_eq!(kit.state.orders.iter().count(), 0);
    let whole = create(&mut kit, 5_010);
    kit.given(whole);
    assert_eq!(kit.waiting().operation.money().0, 5_010, "the page asks for it");
}

#[test]
fn the_fee_of_a_combined_payment_falls_to_the_card() {
    let mut kit = Kit::new();
    let (merchant, order) = combined(&mut kit);
    kit.books(&[(1121, 3_212), (1131, 3_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_200));
}

#[test]
fn a_fund_pays_no_fee_and_none_directly() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let order = kit.order(merchant, RENT);
    kit.refused(pays(order, vec![fund(5_000)]), RefusalCode::FeePayerUnsupported);
    kit.refused(pays(order, vec![fund(5_010)]), RefusalCode::FeePayerUnsupported);
    let direct = monthly(3_000, FundRoute::Direct);
    kit.refused(pays(order, vec![direct, card(2_010)]), RefusalCode::FeePayerUnsupported);
    kit.refused(pays(order, vec![fund(5_001), card(9)]), RefusalCode::InstrumentNotAllowed);
    kit.refused(pays(order, vec![monthly(5_000, FundRoute::Reserve), card(0)]), RefusalCode::OrderAmount);
    kit.pay(order, vec![fund(5_000), card(10)]);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    kit.books(&[(1121, 10), (1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.pending(merchant), 5_000);

    // 0.20 % of 200 is 0.4: there is no fee, and the fund may pay alone.
    let small = kit.order(merchant, &[(ItemKind::Rent, 200)]);
    assert_eq!((row(&kit, small).payable(), row(&kit, small).fee_payer()), (200, FeePayer::Payer));
    kit.pay(small, vec![fund(200)]);
}

fn monthly(amount: Minor, route: FundRoute) -> Instrument {
    let monthly = Some(Monthly { period: String::from("2026-03"), route, converts: true, cut_off: None, quota: None });
    Instrument::Fund { contract: String::from("L2026-118"), amount, holds: false, monthly, on_part: None }
}

/// Closes the month's batch of one payment, and takes the centre's file that so much of it is paid.
fn batch_pays(kit: &mut Kit, paid: Minor) {
    let (city, period) = (String::from("310000"), String::from("2026-03"));
    let close = FundBatchCommand::Close { city, period };
    let Reply::FundBatch(id) = kit.given(Command::FundBatch(close)) else { panic!("a batch was closed") };
    let batch = kit.state.fund_batch(id).unwrap().clone();
    let FundRow { serial, contract, applied, .. } = batch.rows[0].clone();
    let class = (paid < applied).then_some(FailureClass::User);
    let (code, reference) = (String::from("00000000"), String::from("F1"));
    let result = FundResult { paid, code, class, reference, date: date(DAY) };
    let rows = vec![FundResultRow { serial, contract, period: batch.period, applied, result }];
    let file = TakeFundResult { batch: id, city: batch.city, number: batch.number, rows };
    kit.given(Command::FundBatch(FundBatchCommand::TakeResult(file)));
}

#[test]
fn a_months_shortfall_falls_to_the_card_beside_the_fee() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let order = kit.order(merchant, BOTH);
    kit.pay(order, vec![card(3_212), monthly(3_000, FundRoute::Reserve)]);
    batch_pays(&mut kit, 2_000);
    assert_eq!(kit.waiting().operation.money().0, 4_212);
    kit.answered(success(DAY));
    kit.books(&[(1121, 4_212), (1131, 2_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_200));
}

#[test]
fn a_balance_pays_the_fee_and_its_limits_count_it() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(100_000), seller(&mut kit));
    let Owner::User(payer) = kit.state.account(wallet, "account").unwrap().owner else { panic!("a user's account") };
    let command = CreateOrder { payer, ..kit.create_order(merchant, &[(ItemKind::Rent, 50_000)]) };
    let order = kit.order_of(command);
    let from = |amount| vec![Instrument::Balance { account: wallet, amount, factors: Factors::Two }];
    kit.refused(pays(order, from(50_000)), RefusalCode::OrderAmount);
    kit.pay(order, from(50_100));
    kit.books(&[(1121, 100_000), (2291, 100), (1291, 100), (5001, 100)]);
    assert_eq!((kit.balance(wallet), kit.pending(merchant)), (49_900, 50_000));
    let used = |kit: &Kit| kit.state.customer_use(kit.holder(wallet), date(DAY)).two_factors;
    assert_eq!(used(&kit), 50_100);
    kit.refund(order, 25_000, true);
    assert_eq!((kit.balance(wallet), kit.pending(merchant), used(&kit)), (74_950, 25_000, 25_050));
    kit.refund(order, 25_000, true);
    assert_eq!((kit.balance(wallet), kit.pending(merchant), used(&kit)), (100_000, 0, 0));
    kit.books(&[(1121, 100_000)]);
}

#[test]
fn a_refund_that_keeps_the_fee_gives_back_what_was_bought_and_no_more() {
    let mut kit = Kit::new();
    let (merchant, order) = paid(&mut kit);
    assert_eq!(row(&kit, order).refundable(), 5_000);
    too_much(&mut kit, order, 5_001, false);
    too_much(&mut kit, order, 5_001, true);
    assert_eq!(refunded(&mut kit, order, 5_000, false), (5_000, 0));
    kit.books(&[(1121, 10), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.pending(merchant), row(&kit, order).refundable()), (0, 0));
    too_much(&mut kit, order, 1, true);
    assert!(!kit.actions(order).contains(&"refund"));
}

#[test]
fn refunds_that_return_the_fee_give_back_all_that_was_paid() {
    let mut kit = Kit::new();
    let (merchant, order) = paid(&mut kit);
    // round(10 × 1,250 / 5,000) = 3, then 5 − 3, then 10 − 5.
    assert_eq!(refunded(&mut kit, order, 1_250, true), (1_253, 3));
    kit.books(&[(1121, 3_757), (2291, 7), (1291, 7), (5001, 7)]);
    assert_eq!((kit.pending(merchant), row(&kit, order).refundable()), (3_750, 3_750));
    assert_eq!(refunded(&mut kit, order, 1_250, true), (1_252, 2));
    too_much(&mut kit, order, 2_501, true);
    assert_eq!(refunded(&mut kit, order, 2_500, true), (2_505, 5));
    kit.books(&[]);
    let row = row(&kit, order);
    assert_eq!((kit.pending(merchant), row.refunded, row.fee_returned, row.refundable()), (0, 5_010, 10, 0));
}

#[test]
fn a_fee_that_one_refund_kept_no_other_gives_back() {
    let mut kit = Kit::new();
    let (merchant, order) = paid(&mut kit);
    assert_eq!(refunded(&mut kit, order, 2_000, false), (2_000, 0));
    assert_eq!(refunded(&mut kit, order, 3_000, true), (3_006, 6));
    kit.books(&[(1121, 4), (2291, 4), (1291, 4), (5001, 4)]);
    assert_eq!((kit.pending(merchant), row(&kit, order).refundable()), (0, 0));
}

#[test]
fn a_refund_by_item_is_of_the_item_and_the_fee_goes_beside_it() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 2_000)]);
    kit.pay(order, vec![card(5_010)]);
    kit.answered(success(DAY));
    let of_item = |kit: &Kit, amount| {
        let items = vec![ItemRefund { item: 1, amount }];
        Command::CreateRefund(CreateRefund { items, ..kit.create_refund(order, amount, true) })
    };
    let beyond = of_item(&kit, 2_001);
    kit.refused(beyond, RefusalCode::RefundExceeded);
    let whole = of_item(&kit, 2_000);
    kit.given(whole);
    let on_its_way = row(&kit, order);
    assert_eq!((on_its_way.refunded, on_its_way.fee_returned, on_its_way.items_refunded), (2_004, 4, vec![0, 2_000]));
    kit.answered(declined(FailureClass::Bank));
    let back = row(&kit, order);
    assert_eq!((back.refunded, back.fee_returned, back.refunded_with_fee, back.items_refunded), (0, 0, 0, vec![0, 0]));
    kit.books(&[(1121, 5_010), (2291, 10), (1291, 10), (5001, 10)]);
    let again = of_item(&kit, 2_000);
    kit.given(again);
    assert_eq!(kit.waiting().operation.money().0, 2_004);
    kit.answered(success(DAY));
    kit.books(&[(1121, 3_006), (2291, 6), (1291, 6), (5001, 6)]);
    assert_eq!(kit.pending(merchant), 3_000);
}

#[test]
fn a_returned_fee_comes_before_the_items_where_the_card_has_no_room_for_both() {
    let mut kit = Kit::new();
    let merchant = seller_at(&mut kit, 0, 100);
    let order = kit.order(merchant, BOTH);
    kit.pay(order, vec![card(3_300), fund(3_000)]);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    assert_eq!(refunded(&mut kit, order, 3_100, false), (3_100, 0));
    // round(100 × 200 / 6,200) = 3, and 200 of the card are left.
    let of_item = |amount| vec![ItemRefund { item: 1, amount }];
    let command = CreateRefund { items: of_item(200), ..kit.create_refund(order, 200, true) };
    let Reply::Refund(id) = kit.given(Command::CreateRefund(command)) else { panic!("a refund was made") };
    let parts = &kit.state.refund(id).unwrap().parts;
    let parts: Vec<_> = parts.iter().map(|part| (part.amount, part.fee, part.items.clone())).collect();
    assert_eq!(parts, [(200, 3, of_item(197)), (3, 0, of_item(3))]);
    let attempts = kit.outbox();
    for (at, left) in [(1, 197), (0, 0)] {
        kit.answer(attempts[at].id, declined(FailureClass::Bank));
        assert_eq!(row(&kit, order).items_refunded, [0, left]);
    }
    let back = row(&kit, order);
    assert_eq!((back.refunded, back.fee_returned, back.refundable()), (3_100, 0, 3_100));
}

/// A full refund of a combined payment, of which only one leg's part reaches the payer; what is refunded anew then.
fn half_reached(first: usize) -> (Kit, MerchantId, OrderId, RefundId) {
    let mut kit = Kit::new();
    let (merchant, order) = combined(&mut kit);
    let refund = kit.refund(order, 6_200, true);
    let parts: Vec<_> = kit.state.refund(refund).unwrap().parts.iter().map(|part| (part.amount, part.fee)).collect();
    assert_eq!(parts, [(3_212, 12), (3_000, 0)], "the card paid the fee");
    let attempts = kit.outbox();
    kit.answer(attempts[first].id, success(DAY));
    kit.answer(attempts[1 - first].id, declined(FailureClass::Bank));
    (kit, merchant, order, refund)
}

#[test]
fn the_fee_goes_back_with_the_cards_part() {
    let (mut kit, merchant, order, refund) = half_reached(0);
    kit.books(&[(1131, 3_000)]);
    assert_eq!((kit.pending(merchant), kit.state.refund(refund).unwrap().succeeded()), (3_000, 3_212));
    assert_eq!((row(&kit, order).refundable(), row(&kit, order).fee_returned), (3_000, 12));
    assert_eq!(refunded(&mut kit, order, 3_000, true), (3_000, 0));
    kit.books(&[]);

    let (mut kit, merchant, order, _) = half_reached(1);
    kit.books(&[(1121, 3_212), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.pending(merchant), row(&kit, order).refundable()), (3_200, 3_200));
    assert_eq!(refunded(&mut kit, order, 3_200, true), (3_212, 12));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn legs_that_are_named_add_up_to_the_amount_and_the_fee_goes_beside_it_with_the_card() {
    let mut kit = Kit::new();
    let (merchant, order) = combined(&mut kit);
    let legs = row(&kit, order).legs;
    // round(12 × 3,000 / 6,200) = 6, and the other 6 with the rest.
    let refunds = [
        (legs[1], 3_000, vec![(Some(Rail::Epcc), 6, 6), (Some(Rail::Fund), 3_000, 0)]),
        (legs[0], 3_200, vec![(Some(Rail::Epcc), 3_206, 6)]),
    ];
    for (leg, amount, expected) in refunds {
        let plain = kit.create_refund(order, amount, true);
        // What the legs get does not have the fee in it, which the merchant need not know.
        let wrong = vec![LegRefund { leg, amount: amount + 6 }];
        let refused = Command::CreateRefund(CreateRefund { legs: wrong, ..plain.clone() });
        let code = if leg == legs[1] { RefusalCode::RefundExceeded } else { RefusalCode::ValueInvalid };
        kit.refused(refused, code);
        let legs = vec![LegRefund { leg, amount }];
        let Reply::Refund(id) = kit.given(Command::CreateRefund(CreateRefund { legs, ..plain })) else {
            panic!("a refund")
        };
        let refund = kit.state.refund(id).unwrap();
        let parts: Vec<_> = refund.parts.iter().map(|part| (part.rail, part.amount, part.fee)).collect();
        assert_eq!((parts, refund.amount, refund.fee), (expected, amount + 6, 6));
        kit.answers_all(&success(DAY));
    }
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn all_that_the_merchant_has_is_split_and_returned() {
    let mut kit = Kit::new();
    let (merchant, order) = paid(&mut kit);
    let agent = kit.landlord();
    kit.receives(merchant, agent);
    let split = |amount| {
        let parts = Parts::Amounts(vec![SplitPart { merchant: agent, amount }]);
        Command::MakeSplit(MakeSplit { order, out_split_no: "s-1".into(), parts, return_order: vec![] })
    };
    kit.refused(split(5_001), RefusalCode::SplitAmount);
    kit.given(split(5_000));
    assert_eq!((kit.pending(merchant), kit.pending(agent)), (0, 5_000));
    assert_eq!(refunded(&mut kit, order, 5_000, true), (5_010, 10));
    kit.books(&[]);
    assert_eq!((kit.pending(merchant), kit.pending(agent)), (0, 0));
}

#[test]
fn what_the_bank_charges_back_is_not_refunded_again() {
    let mut kit = Kit::new();
    let (_, order) = paid(&mut kit);
    let leg = row(&kit, order).legs[0];
    let (case_number, reason) = (String::from("case-1"), String::from("4837"));
    let receive = ReceiveChargeback { leg, case_number, reason, amount: 2_000, currency: Currency::Cny };
    kit.given(Command::Chargeback(ChargebackCommand::Receive(receive)));
    assert_eq!(row(&kit, order).refundable(), 3_010);
    // 3,010 and a fee of 6 are more than the 3,010 that are left.
    too_much(&mut kit, order, 3_010, true);
    assert_eq!(refunded(&mut kit, order, 3_004, true), (3_010, 6));
    assert_eq!(row(&kit, order).refundable(), 0);
}

#[test]
fn a_fee_on_top_may_be_above_the_amount_and_both_fit() {
    let mut kit = Kit::new();
    let merchant = seller_at(&mut kit, 0, 100);
    let order = kit.order(merchant, &[(ItemKind::Rent, 50)]);
    assert_eq!((row(&kit, order).payable(), row(&kit, order).net), (150, 50));
    kit.pay(order, vec![card(150)]);
    kit.answered(success(DAY));
    kit.books(&[(1121, 150), (2291, 100), (1291, 100), (5001, 100)]);
    assert_eq!(kit.pending(merchant), 50);
    assert_eq!(refunded(&mut kit, order, 50, true), (150, 100));
    kit.books(&[]);

    let dear = seller_at(&mut kit, 0, Minor::MAX);
    let order = kit.create_order(dear, &[(ItemKind::Rent, 1)]);
    kit.refused(Command::CreateOrder(order), RefusalCode::AmountOverflow);
}

#[test]
fn an_agreement_account_and_a_merchant_without_a_plan_know_no_fee_on_top() {
    let mut kit = Kit::new();
    let (account, merchant) = (kit.agreement_account(), seller(&mut kit));
    let mut command = kit.create_order(merchant, RENT);
    command.destination = Some(account);
    let order = kit.order_of(command);
    let agreed = row(&kit, order);
    assert_eq!((agreed.fee, agreed.payable(), agreed.fee_on_top), (0, 5_000, None));

    let other = kit.landlord();
    let order = kit.order(other, RENT);
    let inside = row(&kit, order);
    assert_eq!((inside.fee, inside.payable(), inside.net, inside.fee_on_top), (10, 5_000, 4_990, None));
    let bytes = minicbor::to_vec(&inside).unwrap();
    assert_eq!(bytes[..2], [0x98, 35], "35 fields, as before there was a plan");
    assert_eq!(minicbor::decode::<Order>(&bytes).unwrap(), inside);
    let order = kit.order(merchant, RENT);
    let on_top = row(&kit, order);
    let bytes = minicbor::to_vec(&on_top).unwrap();
    assert_eq!((&bytes[..2], minicbor::decode::<Order>(&bytes).unwrap()), (&[0x98, 37][..], on_top));
}

#[test]
fn a_webhook_is_told_of_the_fee_beside_the_amount() {
    let mut kit = Kit::new();
    let merchant = seller(&mut kit);
    let (url, algorithm) = (String::from("https://shop.example/hooks"), CertificateAlgorithm::Sm2WithSm3);
    let register = RegisterWebhook { merchant, url, kinds: WebhookKind::ALL.to_vec(), algorithm };
    kit.given(Command::Webhook(WebhookCommand::Register(register)));
    let order = kit.order(merchant, RENT);
    kit.pay(order, vec![card(5_010)]);
    kit.answered(success(DAY));
    let told = kit.announced.pop().expect("an order was paid").object;
    let Announced::Order { amount, fee, fee_on_top, .. } = told else { panic!("an order was paid") };
    assert_eq!((amount, fee, fee_on_top), (5_000, 10, Some(10)));
    refunded(&mut kit, order, 5_000, true);
    let told = kit.announced.pop().expect("it was refunded").object;
    assert!(matches!(told, Announced::Refund { amount: 5_010, refunded: 5_010, .. }), "{told:?}");
}
