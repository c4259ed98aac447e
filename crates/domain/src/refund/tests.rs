//! Refunds: in part, in full, after a split, failed.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attempt::{FailureClass, Outcome, Rail};
use crate::command::Command;
use crate::order::{ItemKind, OrderStatus};
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::orders::card;
use crate::testkit::{Kit, declined, success};

mod late;
mod leg;

const DAY: &str = "2026-03-05";

/// Rent 5,000 with fee 10, paid, cleared and settled.
fn settled(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    (merchant, order)
}

/// Split `amount` to each of `count` agents, in this order.
fn split(kit: &mut Kit, order: OrderId, count: usize, amount: Minor) -> Vec<MerchantId> {
    let agents: Vec<MerchantId> = (0..count).map(|_| kit.landlord()).collect();
    let payee = kit.state.order(order).unwrap().merchant;
    agents.iter().for_each(|agent| kit.receives(payee, *agent));
    let parts = Parts::Amounts(agents.iter().map(|merchant| SplitPart { merchant: *merchant, amount }).collect());
    kit.given(Command::MakeSplit(MakeSplit { order, out_split_no: "s-1".into(), parts, return_order: vec![] }));
    agents
}

#[test]
fn refund_5000_with_the_fee_kept() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    kit.fund(kit.state.merchant(merchant).unwrap().available, 10);
    let refund = kit.refund(order, 5_000, false);
    kit.books(&[(1101, 5_000), (1121, 10), (2211, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.available(merchant), 0);
    assert_eq!(kit.refund_status(refund), RefundStatus::InTransit);
    kit.answered(success("2026-03-06"));
    kit.books(&[(1101, 5_000), (1121, 10 - 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.refund_status(refund), RefundStatus::Success);
    assert_eq!(kit.actions(order), Vec::<&str>::new());
}

#[test]
fn refund_5000_with_the_fee_returned() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let refund = kit.refund(order, 5_000, true);
    kit.books(&[(1101, 5_000), (2211, 5_000)]);
    assert_eq!(kit.available(merchant), 0);
    kit.answered(success("2026-03-06"));
    kit.books(&[(1101, 5_000), (1121, -5_000)]);
    let refund = kit.state.refund(refund).unwrap();
    assert_eq!((refund.fee, refund.succeeded(), refund.status), (10, 5_000, RefundStatus::Success));
    let order = kit.state.order(order).unwrap();
    assert_eq!((order.refunded, order.fee_returned, order.status), (5_000, 10, OrderStatus::Success));
}

#[test]
fn an_unsettled_order_is_refunded_from_2202() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.refund(order, 5_000, true);
    assert_eq!(kit.pending(merchant), 0);
    kit.books(&[(1121, 5_000), (2211, 5_000)]);
    kit.answered(success(DAY));
    kit.books(&[]);
}

#[test]
fn a_refund_is_asked_of_the_payments_own_rail_and_serial() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![crate::testkit::orders::card(5_000)]);
    let paid_by = kit.answered(success(DAY));
    kit.refund(order, 1_000, true);
    let attempt = kit.waiting();
    assert_eq!(attempt.rail, Rail::Epcc);
    let original = paid_by.serial();
    assert_eq!(attempt.operation, Operation::Refund { original, amount: 1_000, currency: Currency::Cny });
}

#[test]
fn a_failed_refund_is_an_exact_contra_and_may_be_tried_anew() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let refund = kit.refund(order, 5_000, true);
    let started = kit.last_voucher();
    kit.answered(declined(FailureClass::Bank));
    let turned: Vec<_> = started.iter().map(|(account, side, amount)| (*account, side.opposite(), *amount)).collect();
    assert_eq!(kit.last_voucher(), turned);
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.available(merchant), 4_990);
    assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
    let row = kit.state.refund(refund).unwrap();
    assert_eq!(row.allowed_actions(&kit.state), ["refund"]);
    let again = kit.refund(order, 5_000, true);
    kit.answered(success("2026-03-06"));
    assert_eq!(kit.refund_status(again), RefundStatus::Success);
    assert!(kit.state.refund(refund).unwrap().allowed_actions(&kit.state).is_empty());
}

#[test]
fn an_unknown_refund_holds_its_money_until_the_answer() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let refund = kit.refund(order, 5_000, true);
    kit.answered(Outcome::Unknown);
    assert_eq!(kit.refund_status(refund), RefundStatus::Unknown);
    assert_eq!(kit.own(Subject::RefundTransit), 5_000);
    let more = Command::CreateRefund(kit.create_refund(order, 1, true));
    kit.refused(more, RefusalCode::RefundExceeded);
    kit.answered(Outcome::NotFound);
    assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
    assert_eq!(kit.available(merchant), 4_990);
}

#[test]
fn part_refunds_return_the_fee_in_proportion_and_never_more_than_it() {
    let mut kit = Kit::new();
    let merchant = kit.merchant(crate::merchant::MerchantKind::Landlord, 7_000);
    let order = kit.paid_rent(merchant, 1_000);
    assert_eq!(kit.own(Subject::DueToOwn), 7);
    // round(7 × 333 / 1,000) = 2, round(7 × 666 / 1,000) = 5, 7
    for (amount, fee) in [(333, 2), (333, 3), (334, 2)] {
        let refund = kit.refund(order, amount, true);
        assert_eq!(kit.state.refund(refund).unwrap().fee, fee);
        kit.answered(success(DAY));
    }
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
    let order_row = kit.state.order(order).unwrap();
    assert_eq!((order_row.refunded, order_row.fee_returned), (1_000, 7));
    let more = Command::CreateRefund(kit.create_refund(order, 1, true));
    kit.refused(more, RefusalCode::RefundExceeded);
}

#[test]
fn a_refund_by_item_gives_back_no_more_of_an_item_than_it_cost() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 2_000)]);
    kit.pay(order, vec![card(5_000)]);
    kit.answered(success(DAY));
    let of = |kit: &Kit, items: &[(u32, Minor)]| {
        let mut command = kit.create_refund(order, items.iter().map(|(_, amount)| *amount).sum(), true);
        command.items = items.iter().map(|(item, amount)| ItemRefund { item: *item, amount: *amount }).collect();
        command
    };
    let refused = |kit: &mut Kit, items: &[(u32, Minor)], code| {
        let command = Command::CreateRefund(of(kit, items));
        kit.refused(command, code);
    };
    refused(&mut kit, &[(1, 2_001)], RefusalCode::RefundExceeded);
    refused(&mut kit, &[(2, 1)], RefusalCode::ValueInvalid);
    refused(&mut kit, &[(1, 1), (1, 1)], RefusalCode::ValueInvalid);
    refused(&mut kit, &[(0, 0), (1, 1)], RefusalCode::AmountNotPositive);
    let mut less = of(&kit, &[(0, 1_000)]);
    less.amount = 999;
    kit.refused(Command::CreateRefund(less), RefusalCode::ValueInvalid);
    for outcome in [declined(FailureClass::Bank), success(DAY)] {
        let command = of(&kit, &[(0, 500), (1, 2_000)]);
        kit.given(Command::CreateRefund(command));
        assert_eq!(kit.state.order(order).unwrap().items_refunded, [500, 2_000]);
        refused(&mut kit, &[(1, 1)], RefusalCode::RefundExceeded);
        let refunded = if matches!(outcome, Outcome::Success { .. }) { [500, 2_000] } else { [0, 0] };
        kit.answered(outcome);
        kit.restore();
        assert_eq!(kit.state.order(order).unwrap().items_refunded, refunded);
    }
    refused(&mut kit, &[(0, 2_501)], RefusalCode::RefundExceeded);
    let rest = of(&kit, &[(0, 2_500)]);
    kit.given(Command::CreateRefund(rest));
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!((kit.pending(merchant), kit.state.order(order).unwrap().refunded), (0, 5_000));
}

#[test]
fn the_fee_of_a_part_that_kept_it_is_not_returned_later() {
    let mut kit = Kit::new();
    let merchant = kit.merchant(crate::merchant::MerchantKind::Landlord, 10_000);
    let order = kit.paid_rent(merchant, 1_000);
    kit.refund(order, 500, false);
    kit.answered(success(DAY));
    let refund = kit.refund(order, 490, true);
    assert_eq!(kit.state.refund(refund).unwrap().fee, 5);
    assert_eq!(kit.own(Subject::DueToOwn), 5);
}

#[test]
fn wrong_refunds_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let unpaid = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let command = kit.create_refund(unpaid, 5_000, true);
    kit.refused(Command::CreateRefund(command), RefusalCode::OrderState);
    let order = kit.paid_rent(merchant, 5_000);
    let right = kit.create_refund(order, 5_000, true);
    let mut refused = |change: &dyn Fn(&mut CreateRefund), code| {
        let mut command = right.clone();
        change(&mut command);
        kit.refused(Command::CreateRefund(command), code);
    };
    refused(&|refund| refund.order = OrderId(99), RefusalCode::OrderUnknown);
    refused(&|refund| refund.amount = 0, RefusalCode::AmountNotPositive);
    refused(&|refund| refund.amount = -1, RefusalCode::AmountNotPositive);
    refused(&|refund| refund.amount = 5_001, RefusalCode::RefundExceeded);
    refused(&|refund| refund.out_refund_no.clear(), RefusalCode::ValueInvalid);
    refused(&|refund| refund.return_fee = false, RefusalCode::InsufficientFunds);
    refused(&|refund| refund.take_from = vec![(merchant, 1)], RefusalCode::ReceiverNotAllowed);
    refused(&|refund| refund.take_from = vec![(MerchantId(99), 1)], RefusalCode::ReceiverNotAllowed);
}

#[test]
fn after_a_split_the_last_receiver_returns_first_and_the_payee_bears_the_rest() {
    let mut kit = Kit::new();
    let payee = kit.landlord();
    let order = kit.paid_rent(payee, 5_000);
    let agents = split(&mut kit, order, 3, 1_000);
    assert_eq!(kit.pending(payee), 1_990);
    let refund = kit.refund(order, 1_500, false);
    let pending = |kit: &Kit| agents.iter().map(|agent| kit.pending(*agent)).collect::<Vec<_>>();
    assert_eq!(pending(&kit), [1_000, 500, 0]);
    assert_eq!(kit.pending(payee), 1_990);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(pending(&kit), [1_000, 1_000, 1_000]);
    assert_eq!(kit.pending(payee), 1_990);
    assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
    kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);

    kit.refund(order, 5_000, true);
    kit.answered(success(DAY));
    assert_eq!(pending(&kit), [0, 0, 0]);
    assert_eq!(kit.pending(payee), 0);
    kit.books(&[]);
}

#[test]
fn a_refund_says_who_returns_what() {
    let mut kit = Kit::new();
    let payee = kit.landlord();
    let order = kit.paid_rent(payee, 5_000);
    let agents = split(&mut kit, order, 2, 1_000);
    let mut command = kit.create_refund(order, 2_000, false);
    command.take_from = vec![(agents[0], 300)];
    kit.given(Command::CreateRefund(command.clone()));
    assert_eq!((kit.pending(agents[0]), kit.pending(agents[1]), kit.pending(payee)), (700, 1_000, 1_290));
    command.take_from = vec![(agents[0], 701)];
    kit.refused(Command::CreateRefund(command.clone()), RefusalCode::RefundExceeded);
    command.take_from = vec![(agents[0], 100), (agents[0], 100)];
    kit.refused(Command::CreateRefund(command.clone()), RefusalCode::ReceiverNotAllowed);
    command.take_from = vec![(agents[0], 700), (agents[1], 1_000)];
    command.amount = 1_500;
    kit.refused(Command::CreateRefund(command), RefusalCode::RefundExceeded);
}

#[test]
fn settled_parts_return_from_2203() {
    let mut kit = Kit::new();
    let payee = kit.landlord();
    let order = kit.paid_rent(payee, 5_000);
    let agents = split(&mut kit, order, 2, 1_000);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    // One receiver is settled, the other and the payee are not.
    kit.settle(agents[1]);
    assert_eq!((kit.available(agents[1]), kit.pending(agents[0])), (1_000, 1_000));
    kit.refund(order, 5_000, true);
    assert_eq!((kit.available(agents[1]), kit.pending(agents[0]), kit.pending(payee)), (0, 0, 0));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!((kit.available(agents[1]), kit.pending(agents[0]), kit.pending(payee)), (1_000, 1_000, 2_990));
    kit.settle(payee);
    kit.settle(agents[0]);
    assert!(kit.state.order(order).unwrap().is_settled());
    kit.refund(order, 5_000, true);
    assert_eq!((kit.available(agents[1]), kit.available(agents[0]), kit.available(payee)), (0, 0, 0));
}

#[test]
fn money_refunded_across_a_settlement_comes_back_unsettled() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.refund(order, 2_000, true);
    let waiting = kit.waiting();
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 2_994));
    kit.answer(waiting.id, declined(FailureClass::Bank));
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (1_996, 2_994));
    // The next refund takes the unsettled money first, then the settled.
    kit.refund(order, 3_000, true);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 1_996));
}

#[test]
fn a_combined_order_is_refunded_to_the_card_first_and_the_fund_to_the_fund() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    let hold = kit.answered(success(DAY));
    let debit = kit.answered(success(DAY));
    let capture = kit.answered(success(DAY));
    let _ = hold;
    let first = kit.refund(order, 3_000, true);
    assert_eq!(kit.waiting().rail, Rail::Epcc);
    kit.answered(success(DAY));
    assert_eq!(kit.refund_status(first), RefundStatus::Success);

    let rest = kit.refund(order, 3_200, true);
    let asked: Vec<_> = kit.outbox().iter().map(|attempt| attempt.operation.clone()).collect();
    let back = |original, amount| Operation::Refund { original, amount, currency: Currency::Cny };
    assert_eq!(asked, [back(debit.serial(), 200), back(capture.serial(), 3_000)]);
    kit.books(&[(1121, 200), (1131, 3_000), (2211, 3_200)]);
    let attempts = kit.outbox();
    kit.answer(attempts[0].id, success(DAY));
    assert_eq!(kit.refund_status(rest), RefundStatus::InTransit);
    kit.answer(attempts[1].id, success(DAY));
    assert_eq!(kit.refund_status(rest), RefundStatus::Success);
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn a_refund_of_two_legs_may_reach_one_of_them() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    let refund = kit.refund(order, 6_200, true);
    let attempts = kit.outbox();
    kit.answer(attempts[0].id, success(DAY));
    kit.answer(attempts[1].id, Outcome::Unknown);
    assert_eq!(kit.refund_status(refund), RefundStatus::Unknown);
    kit.answer(attempts[1].id, declined(FailureClass::Bank));
    let row = kit.state.refund(refund).unwrap();
    assert_eq!((row.status, row.succeeded()), (RefundStatus::Failed, 3_200));
    assert_eq!(row.parts.iter().map(|part| part.fee).collect::<Vec<_>>(), [6, 6]);
    kit.books(&[(1131, 3_000), (2291, 6), (1291, 6), (5001, 6)]);
    assert_eq!(kit.pending(merchant), 2_994);
    assert_eq!(kit.state.order(order).unwrap().refundable(), 3_000);
    kit.refund(order, 3_000, true);
    assert_eq!(kit.waiting().rail, Rail::Fund);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn a_refund_keeps_out_of_a_closed_account_and_leaves_the_money_in_suspense() {
    let mut kit = Kit::new();
    let seller = kit.landlord();
    let account = kit.agreement_account();
    let mut command = kit.create_order(seller, &[(ItemKind::EarnestMoney, 900)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    kit.pay(order, vec![crate::testkit::orders::card(900)]);
    kit.answered(success(DAY));
    let refund = kit.refund(order, 900, true);
    let agreement = kit.state.account(account, "account").unwrap().rare.agreement.unwrap();
    kit.given(Command::CloseAgreement(agreement));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 900), (2241, 900)]);
    let row = kit.state.refund(refund).unwrap();
    assert_eq!((row.status, row.suspense), (RefundStatus::Failed, 900));
}

#[test]
fn what_a_refund_says_of_itself() {
    let mut kit = Kit::new();
    let (_, order) = settled(&mut kit);
    let refund = kit.refund(order, 100, true);
    let row = kit.state.refund(refund).unwrap();
    assert!(row.allowed_actions(&kit.state).is_empty());
    assert_eq!(row.ended_at, None);
    kit.later(5_000);
    kit.answered(success("2026-03-06"));
    assert_eq!(kit.state.refund(refund).unwrap().ended_at, Some(kit.now));
    assert_eq!(kit.state.refund(RefundId(99)).unwrap_err().code, RefusalCode::RefundUnknown);
}
