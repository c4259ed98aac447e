//! Arrears: collected at settlement and by command, and refunds that own money covers.

use alloc::string::ToString;

use super::*;
use crate::attempt::{FailureClass, Rail};
use crate::command::Command;
use crate::ids::OrderId;
use crate::refund::RefundStatus;
use crate::restriction::Restriction;
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::{Kit, declined, success};

const DAY: &str = "2026-03-05";

fn collect(merchant: MerchantId) -> Command {
    Command::Arrears(ArrearsCommand::Collect(merchant))
}

fn cover(kit: &Kit, order: OrderId, amount: Minor, return_fee: bool) -> Command {
    Command::Arrears(ArrearsCommand::CoverRefund(kit.create_refund(order, amount, return_fee)))
}

/// A landlord whose rent of 5,000, fee 10, is settled, of whose 4,990 only `left` are still there, and `injected` of own money.
fn world(left: Minor, injected: Minor) -> (Kit, MerchantId, OrderId) {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    let account = kit.state.merchant(merchant).unwrap().available;
    let (to, currency) = (crate::payout::PayTo::Settlement, Currency::Cny);
    let create = crate::payout::CreatePayout {
        account,
        to,
        amount: 4_990 - left,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    kit.given(Command::CreatePayout(create));
    kit.answered(success("2026-03-06"));
    if injected > 0 {
        kit.injected(injected);
    }
    (kit, merchant, order)
}

/// The same with arrears of 4,000 from a covered refund of 5,000 with its fee returned, which arrived.
fn owing() -> (Kit, MerchantId, ArrearsId) {
    let (mut kit, merchant, order) = world(990, 4_000);
    let command = cover(&kit, order, 5_000, true);
    kit.approved(command);
    kit.answered(success("2026-03-06"));
    (kit, merchant, ArrearsId(1))
}

#[test]
fn a_refund_that_the_merchant_cannot_pay_is_refused_unless_two_people_cover_it() {
    let (mut kit, merchant, order) = world(990, 0);
    let plain = Command::CreateRefund(kit.create_refund(order, 5_000, true));
    kit.refused(plain, RefusalCode::InsufficientFunds);
    let covered = cover(&kit, order, 5_000, true);
    kit.refused(covered.clone(), RefusalCode::ApprovalRequired);
    let refusal = kit.when_approved(covered.clone()).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::InsufficientFunds);
    assert!(
        refusal.message.contains("own money must pay 4010") && refusal.message.contains("inject 4000 first"),
        "{refusal}"
    );

    kit.injected(4_000);
    kit.books(&[(1101, 9_000), (1121, -4_000), (2291, 4_010), (1291, 4_010), (5001, 10), (3001, 4_000)]);
    let Reply::Refund(id) = kit.approved(covered) else { panic!("a refund") };
    // Dr 2203 990, Dr 2291 4,010 / Cr 2211 5,000 · OWN Dr 5001 10, Dr 1152 4,000 / Cr 1291 4,010
    kit.books(&[(1101, 9_000), (1121, -4_000), (2211, 5_000), (1152, 4_000), (3001, 4_000)]);
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (0, alloc::vec![(4_000, 4_000)]));
    let part = &kit.state.refund(id).unwrap().parts[0];
    assert_eq!((part.covered, part.fee, part.arrears), (4_000, 10, Some(ArrearsId(1))));
    kit.restore();
    kit.answered(success("2026-03-06"));
    kit.books(&[(1101, 9_000), (1121, -9_000), (1152, 4_000), (3001, 4_000)]);
    assert_eq!(kit.refund_status(id), RefundStatus::Success);
}

#[test]
fn a_covered_refund_that_fails_is_an_exact_contra() {
    let (mut kit, merchant, order) = world(990, 4_000);
    let command = cover(&kit, order, 5_000, false);
    kit.approved(command);
    let started = kit.last_voucher();
    kit.answered(declined(FailureClass::Bank));
    let turned: Vec<_> = started.iter().map(|(account, side, amount)| (*account, side.opposite(), *amount)).collect();
    assert_eq!(kit.last_voucher(), turned);
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (990, alloc::vec![]));
    let arrears = kit.state.arrears(ArrearsId(1)).unwrap();
    assert_eq!((arrears.amount, arrears.undone, arrears.status()), (4_010, 4_010, "settled"));
    kit.restore();
}

#[test]
fn what_was_collected_before_a_covered_refund_failed_goes_back_to_the_merchant() {
    let (mut kit, merchant, order) = world(990, 4_000);
    let command = cover(&kit, order, 5_000, true);
    kit.approved(command);
    kit.fund(kit.state.merchant(merchant).unwrap().available, 1_500);
    kit.given(collect(merchant));
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (0, alloc::vec![(4_000, 2_500)]));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!((kit.available(merchant), kit.owes(merchant)), (2_490, alloc::vec![]));
    kit.books(&[(1101, 9_000), (1121, -2_500), (2291, 4_010), (1291, 4_010), (5001, 10), (3001, 4_000)]);
    kit.restore();
    // Nothing is left of the first refund: the order can be refunded anew, from what is there.
    kit.refund(order, 2_000, true);
}

#[test]
fn receivers_of_a_split_return_what_they_have_and_the_payee_owes_the_rest() {
    let mut kit = Kit::new();
    let (payee, agent) = (kit.landlord(), kit.landlord());
    let order = kit.paid_rent(payee, 5_000);
    kit.receives(payee, agent);
    let parts = Parts::Amounts(alloc::vec![SplitPart { merchant: agent, amount: 2_000 }]);
    let split = MakeSplit { order, out_split_no: "s-1".to_string(), parts, return_order: alloc::vec![] };
    kit.given(Command::MakeSplit(split));
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(payee);
    kit.settle(agent);
    let account = kit.state.merchant(agent).unwrap().available;
    let (to, currency) = (crate::payout::PayTo::Settlement, Currency::Cny);
    let create = crate::payout::CreatePayout {
        account,
        to,
        amount: 1_600,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    kit.given(Command::CreatePayout(create));
    kit.answered(success("2026-03-06"));
    kit.injected(1_600);
    let plain = Command::CreateRefund(kit.create_refund(order, 5_000, true));
    kit.refused(plain, RefusalCode::InsufficientFunds);
    let command = cover(&kit, order, 5_000, true);
    kit.approved(command);
    // The agent returned 400 of its 2,000, the payee gave those and its 2,990, own money the missing 1,600.
    assert_eq!((kit.available(agent), kit.available(payee)), (0, 0));
    assert_eq!((kit.owes(agent), kit.owes(payee)), (alloc::vec![], alloc::vec![(1_600, 1_600)]));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!((kit.available(agent), kit.available(payee), kit.owes(payee)), (400, 2_990, alloc::vec![]));
}

#[test]
fn a_refund_of_money_on_an_agreement_account_is_not_covered() {
    let mut kit = Kit::new();
    let seller = kit.landlord();
    let account = kit.agreement_account();
    let mut command = kit.create_order(seller, &[(crate::order::ItemKind::EarnestMoney, 900)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    kit.pay(order, alloc::vec![crate::testkit::orders::card(900)]);
    kit.answered(success(DAY));
    let command = cover(&kit, order, 900, true);
    assert_eq!(kit.when_approved(command).unwrap_err().code, RefusalCode::OrderState);
}

#[test]
fn arrears_are_collected_first_from_what_is_settled() {
    let (mut kit, merchant, id) = owing();
    let order = kit.paid_rent(merchant, 1_000);
    kit.clear(Rail::Epcc, "2026-03-06");
    kit.on("2026-03-09");
    let before = kit.own(Subject::DueToOwn);
    kit.settle(merchant);
    // 998 settled and collected at once: Dr 2203 998 / Cr 2291 998 · OWN Dr 1291 998 / Cr 1152 998
    assert_eq!((kit.available(merchant), kit.own(Subject::DueToOwn) - before), (0, 998));
    assert_eq!(kit.own(Subject::Arrears), 3_002);
    assert_eq!(kit.last_voucher().len(), 4);
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.business.to_string().as_str(), voucher.event), ("arr_1/1", EventCode::ArrearsCollected));
    assert!(kit.state.order(order).unwrap().is_settled());
    kit.restore();
    // The next command takes the rest.
    kit.fund(kit.state.merchant(merchant).unwrap().available, 5_000);
    assert_eq!(kit.given(collect(merchant)), Reply::Arrears { arrears: alloc::vec![id], collected: 3_002 });
    assert_eq!((kit.available(merchant), kit.own(Subject::Arrears)), (1_998, 0));
    let row = kit.state.arrears(id).unwrap();
    assert_eq!((row.collections, row.status(), row.settled_at), (2, "settled", Some(kit.now)));
    kit.restore();
    kit.refused(collect(merchant), RefusalCode::ArrearsUnknown);
}

#[test]
fn what_is_barred_or_empty_is_not_collected_and_does_not_stop_a_settlement() {
    let (mut kit, merchant, _) = owing();
    kit.refused(collect(merchant), RefusalCode::InsufficientFunds);
    kit.refused(collect(MerchantId(99)), RefusalCode::MerchantUnknown);
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.given(Command::RestrictAccount {
        account,
        restriction: Restriction { out_barred: true, ..Restriction::default() },
    });
    kit.paid_rent(merchant, 1_000);
    kit.clear(Rail::Epcc, "2026-03-06");
    kit.on("2026-03-09");
    kit.settle(merchant);
    assert_eq!((kit.available(merchant), kit.own(Subject::Arrears)), (998, 4_000));
    kit.refused(collect(merchant), RefusalCode::InsufficientFunds);
    assert_eq!(kit.state.arrears(ArrearsId(9)).unwrap_err().code, RefusalCode::ArrearsUnknown);
}
