//! Advances: who may have one, what is booked, what comes back.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::attempt::AttemptStatus;
use crate::command::Command;
use crate::own_transfer::{OwnTransferCommand, OwnTransferStatus};
use crate::reserve_line::LineDirection;
use crate::restriction::Restriction;
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::{Kit, court, date, declined, success};

mod due;
mod fees;
mod late;

const DAY: &str = "2026-03-05";

fn request(merchant: MerchantId, orders: &[OrderId]) -> Command {
    Command::Advance(AdvanceCommand::Request(RequestAdvance { merchant, orders: orders.to_vec() }))
}

fn repay(id: AdvanceId) -> Command {
    Command::Advance(AdvanceCommand::Repay(id))
}

fn came_back(id: AdvanceId) -> Command {
    let (reference, date) = ("back-1".to_string(), date("2026-03-06"));
    Command::Advance(AdvanceCommand::Return(ReturnAdvance { advance: id, reference, date }))
}

/// That world's advance, which arrived, was cleared and was paid back.
fn repaid() -> (Kit, MerchantId, OrderId, AdvanceId) {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    kit.given(repay(id));
    // The repayment may be under way: whose money came back is not known yet.
    kit.refused(came_back(id), RefusalCode::AdvanceState);
    let line = kit.line("out-1", LineDirection::Out, 4_990);
    kit.take_line(line);
    kit.books(&[(1101, 10), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
    (kit, merchant, order, id)
}

/// A landlord whose rent of 5,000, fee 10, is paid and not cleared, rules that it meets, and own money of 4,990.
fn world() -> (Kit, MerchantId, OrderId) {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.capital(4_990);
    kit.open_policy();
    kit.books(&[(1121, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
    (kit, merchant, order)
}

#[test]
fn an_advance_of_4990_is_sent_arrives_and_is_paid_back_when_cleared() {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    // OWN Dr 1151 4,990 / Cr 1103 4,990 · Dr 2202 4,990 / Cr 2292 4,990
    let sent = [(1121, 5_000), (2291, 10), (2292, 4_990), (1151, 4_990), (1291, 10), (5001, 10), (3001, 4_990)];
    kit.books(&sent);
    assert_eq!((kit.last_voucher().len(), kit.pending(merchant)), (4, 0));
    let attempt = kit.waiting();
    assert_eq!(
        (attempt.rail, attempt.purpose, attempt.operation.money()),
        (Rail::OwnBank, Purpose::Advance(id), (4_990, Currency::Cny))
    );
    kit.restore();
    kit.refused(repay(id), RefusalCode::AdvanceState);
    kit.answered(success(DAY));
    kit.books(&sent);
    let row = kit.state.advance(id).unwrap();
    assert_eq!(
        (row.status, row.reference.as_deref(), row.operator.as_str()),
        (AdvanceStatus::Success, Some("ref"), "tester")
    );
    assert!(
        kit.state.uncleared.iter().all(|((channel, ..), ())| channel.rail != Rail::OwnBank),
        "no network clears it"
    );
    kit.refused(repay(id), RefusalCode::NotCleared);

    kit.clear(Rail::Epcc, DAY);
    assert_eq!(kit.state.advance(id).unwrap().allowed_actions(&kit.state), ["repay", "return"]);
    let Reply::OwnTransfer(transfer) = kit.given(repay(id)) else { panic!("a transfer") };
    kit.restore();
    kit.refused(repay(id), RefusalCode::AdvanceState);
    let line = kit.line("out-1", LineDirection::Out, 4_990);
    kit.take_line(line);
    // Dr 2292 4,990 / Cr 1101 4,990 · OWN Dr 1103 4,990 / Cr 1151 4,990
    kit.books(&[(1101, 10), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
    let row = kit.state.advance(id).unwrap();
    assert_eq!((row.status, row.repayment, row.ended_at), (AdvanceStatus::Repaid, Some(transfer), Some(kit.now)));
    kit.restore();
    kit.refused(repay(id), RefusalCode::AdvanceState);
}

#[test]
fn an_advanced_share_is_not_settled_split_or_advanced_again() {
    let (mut kit, merchant, order) = world();
    kit.capital(10_000);
    kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    let agent = kit.landlord();
    let parts = Parts::Amounts(vec![SplitPart { merchant: agent, amount: 1 }]);
    let split = MakeSplit { order, out_split_no: "s-1".to_string(), parts, return_order: vec![] };
    kit.refused(Command::MakeSplit(split), RefusalCode::SplitState);
    kit.refused(request(merchant, &[order]), RefusalCode::AdvanceBarred);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.refused(Command::Settle { merchant, today: date("2026-03-06") }, RefusalCode::NotCleared);
    assert!(kit.state.order(order).unwrap().is_settled());
    assert!(crate::settlement::merchants_due(&kit.state, date("2026-03-06")).is_empty());
}

#[test]
fn a_failed_advance_is_an_exact_contra_and_its_orders_are_settled_as_ever() {
    for outcome in [declined(FailureClass::Bank), Outcome::NotFound] {
        let (mut kit, merchant, order) = world();
        let id = kit.advance(merchant, &[order]);
        let started = kit.last_voucher();
        kit.clear(Rail::Epcc, DAY);
        kit.answered(outcome);
        let turned: Vec<_> =
            started.iter().map(|(account, side, amount)| (*account, side.opposite(), *amount)).collect();
        assert_eq!(kit.last_voucher(), turned);
        kit.books(&[(1101, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
        let row = kit.state.advance(id).unwrap();
        assert_eq!((row.status, row.failure.is_some(), row.outstanding()), (AdvanceStatus::Failed, true, 0));
        kit.restore();
        kit.refused(repay(id), RefusalCode::AdvanceState);
        kit.on("2026-03-06");
        kit.settle(merchant);
        assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
    }
}

#[test]
fn an_advance_that_comes_back_is_a_contra_and_its_orders_are_settled_as_ever() {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    let started = kit.last_voucher();
    kit.refused(came_back(id), RefusalCode::AdvanceState);
    kit.answered(success(DAY));
    let blank = ReturnAdvance { advance: id, reference: " ".to_string(), date: date(DAY) };
    kit.refused(Command::Advance(AdvanceCommand::Return(blank)), RefusalCode::ValueInvalid);
    kit.given(came_back(id));
    let turned: Vec<_> = started.iter().map(|(account, side, amount)| (*account, side.opposite(), *amount)).collect();
    assert_eq!(kit.last_voucher(), turned);
    kit.books(&[(1121, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
    let row = kit.state.advance(id).unwrap();
    assert_eq!((row.status, row.outstanding(), row.ended_at), (AdvanceStatus::Returned, 0, Some(kit.now)));
    assert_eq!((row.return_reference.as_deref(), row.return_date), (Some("back-1"), Some(date("2026-03-06"))));
    assert!(row.allowed_actions(&kit.state).is_empty());
    assert_eq!(kit.state.advanced(merchant, date(DAY)), 0, "it used no quota");
    kit.restore();
    for command in [came_back(id), repay(id)] {
        kit.refused(command, RefusalCode::AdvanceState);
    }
    // Nothing goes to that settlement account until it is verified.
    kit.refused(request(merchant, &[order]), RefusalCode::SettlementSuspended);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
}

#[test]
fn an_advance_that_comes_back_after_its_repayment_is_the_merchants_from_what_the_reserve_owes() {
    let (mut kit, merchant, order, id) = repaid();
    kit.refused(came_back(id), RefusalCode::InsufficientFunds);
    kit.injected(4_990);
    kit.given(came_back(id));
    // OWN Dr 1103 4,990 / Cr 1291 4,990 · Dr 2291 4,990 / Cr 2203 4,990, after an injection of as much new capital
    kit.books(&[(1101, 5_000), (2291, 10), (1103, 9_980), (1291, 10), (5001, 10), (3001, 9_980)]);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
    assert!(kit.state.order(order).unwrap().is_settled());
    assert_eq!(kit.state.advance(id).unwrap().status, AdvanceStatus::Returned);
    kit.restore();
    kit.refused(came_back(id), RefusalCode::AdvanceState);
}

#[test]
fn an_account_that_takes_no_money_leaves_a_return_in_suspense() {
    let (mut kit, merchant, order, id) = repaid();
    kit.injected(4_990);
    let available = kit.state.merchant(merchant).unwrap().available;
    let restriction = Restriction { in_barred: true, ..Restriction::default() };
    kit.given(Command::RestrictAccount { account: available, restriction });
    kit.given(came_back(id));
    kit.books(&[(1101, 5_000), (2291, 10), (2241, 4_990), (1103, 9_980), (1291, 10), (5001, 10), (3001, 9_980)]);
    assert_eq!(kit.available(merchant), 0);
    assert!(kit.state.order(order).unwrap().is_settled());
    kit.restore();
}

#[test]
fn an_unknown_advance_stays_out_until_the_bank_answers() {
    for (answer, status) in [(success(DAY), AdvanceStatus::Success), (Outcome::NotFound, AdvanceStatus::Failed)] {
        let (mut kit, merchant, order) = world();
        let id = kit.advance(merchant, &[order]);
        kit.answered(Outcome::Unknown);
        assert_eq!(kit.state.advance(id).unwrap().status, AdvanceStatus::Unknown);
        assert_eq!((kit.own(Subject::Advances), kit.pending(merchant)), (4_990, 0));
        kit.refused(request(merchant, &[order]), RefusalCode::AdvanceBarred);
        // Its 2202 may get the money back, so it stays open.
        let account = kit.state.merchant(merchant).unwrap().pending;
        kit.refused(Command::CloseAccount(account), RefusalCode::AccountNotEmpty);
        kit.restore();
        let attempt = kit.answered(answer);
        assert_eq!(kit.state.advance(id).unwrap().status, status);
        assert!(matches!(kit.state.attempt(attempt.id).unwrap().status, AttemptStatus::Settled(_)));
        assert!(!kit.state.has_uncertain_advances(merchant));
    }
}

#[test]
fn a_refund_of_an_advanced_order_takes_from_2203_or_becomes_arrears() {
    let (mut kit, merchant, order) = world();
    kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    // Another order's unsettled money is not touched.
    let other = kit.paid_rent(merchant, 5_000);
    let refund = kit.create_refund(order, 5_000, true);
    kit.refused(Command::CreateRefund(refund.clone()), RefusalCode::InsufficientFunds);
    kit.injected(4_990);
    kit.approved(Command::Arrears(crate::arrears::ArrearsCommand::CoverRefund(refund)));
    assert_eq!((kit.pending(merchant), kit.owes(merchant)), (4_990, vec![(4_990, 4_990)]));
    assert_eq!(kit.state.order(other).unwrap().share(merchant, false), 4_990);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.owes(merchant), []);
    kit.fund(kit.state.merchant(merchant).unwrap().available, 4_990);
    kit.refund(order, 5_000, true);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (4_990, 0));
}

#[test]
fn a_refund_between_sending_and_failing_leaves_2202_right() {
    let (mut kit, merchant, order) = world();
    kit.advance(merchant, &[order]);
    let attempt = kit.waiting();
    kit.fund(kit.state.merchant(merchant).unwrap().available, 998);
    let refund = kit.refund(order, 1_000, true);
    assert_eq!(kit.available(merchant), 0);
    let refunded = kit.state.refund(refund).unwrap().parts[0].attempt.unwrap();
    kit.answer(refunded, success(DAY));
    kit.answer(attempt.id, declined(FailureClass::Bank));
    assert_eq!(kit.pending(merchant), 4_990);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
}

#[test]
fn a_repayment_that_was_cancelled_may_be_instructed_again() {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    let Reply::OwnTransfer(first) = kit.given(repay(id)) else { panic!("a transfer") };
    kit.given(Command::OwnTransfer(OwnTransferCommand::Cancel(first)));
    assert_eq!(kit.state.advance(id).unwrap().repayment, None);
    kit.restore();
    let Reply::OwnTransfer(second) = kit.given(repay(id)) else { panic!("a transfer") };
    let line = kit.line("out-1", LineDirection::Out, 4_990);
    kit.take_line(line);
    assert_eq!(kit.state.own_transfer(second).unwrap().status, OwnTransferStatus::Done);
    assert_eq!(kit.own(Subject::Advances), 0);
}

#[test]
fn a_break_of_the_checks_bars_advances_and_their_repayment() {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    let other = kit.paid_rent(merchant, 100);
    kit.broken_day();
    kit.refused(request(merchant, &[other]), RefusalCode::ChecksFailed);
    kit.refused(repay(id), RefusalCode::ChecksFailed);
    kit.fail_checks(date(DAY), true);
    kit.given(repay(id));
}

#[test]
fn the_rules_take_two_people_and_sound_figures() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.capital(10_000);
    kit.refused(request(merchant, &[order]), RefusalCode::AdvanceBarred);
    let good = kit.open_policy();
    let set = |policy| Command::Advance(AdvanceCommand::SetPolicy(policy));
    kit.refused(set(good), RefusalCode::ApprovalRequired);
    for bad in [
        SetAdvancePolicy { fee_rate: -1, ..good },
        SetAdvancePolicy { fee_rate: crate::money::RATE_WHOLE, ..good },
        SetAdvancePolicy { merchant_quota: -1, ..good },
        SetAdvancePolicy { total_quota: -1, ..good },
    ] {
        assert_eq!(kit.when_approved(set(bad)).unwrap_err().code, RefusalCode::ValueInvalid);
    }
    kit.approved(set(SetAdvancePolicy { merchant_quota: 0, ..good }));
    kit.refused(request(merchant, &[order]), RefusalCode::AdvanceBarred);
    kit.restore();
    let policy = kit.state.advance_policy().unwrap();
    assert_eq!((policy.id.0, policy.operator.as_str(), policy.approver.as_deref()), (2, "maker", Some("checker")));
}

#[test]
fn young_merchants_and_those_that_skip_a_day_are_barred() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.capital(100_000);
    let rules = kit.open_policy();
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(SetAdvancePolicy {
        min_days: 3,
        min_trading_days: 3,
        ..rules
    })));
    let trading = |kit: &Kit| kit.state.merchant(merchant).unwrap().trading;
    let first = kit.paid_rent(merchant, 100);
    assert_eq!(trading(&kit), Trading { opened: Some(date(DAY)), last: Some(date(DAY)), run: 1 });
    kit.paid_rent(merchant, 100);
    assert_eq!(trading(&kit).run, 1);
    kit.on("2026-03-06");
    kit.paid_rent(merchant, 100);
    // The books' next accounting day is a Monday: no day was skipped.
    kit.on("2026-03-09");
    kit.paid_rent(merchant, 100);
    assert_eq!(trading(&kit).run, 3);
    kit.restore();
    // Three days in a row and four days old: the day after still counts, though nothing was paid on it yet.
    kit.on("2026-03-10");
    let id = kit.advance(merchant, &[first]);
    assert_eq!(kit.state.advance(id).unwrap().date, date("2026-03-10"));
    kit.answered(success(DAY));
    kit.on("2026-03-11");
    let second = kit.state.orders.iter().nth(1).unwrap().1.id;
    let refusal = kit.when(request(merchant, &[second])).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::AdvanceBarred);
    assert!(refusal.message.contains("traded 0 days"), "{refusal}");
    kit.paid_rent(merchant, 100);
    assert_eq!(trading(&kit).run, 1);

    let young = kit.landlord();
    let order = kit.paid_rent(young, 100);
    let refusal = kit.when(request(young, &[order])).unwrap_err();
    assert!(refusal.message.contains("open for 0 days; 3"), "{refusal}");
}

#[test]
fn quotas_bound_a_merchants_day_and_all_that_is_out() {
    let mut kit = Kit::new();
    let merchants = [kit.landlord(), kit.landlord(), kit.landlord()];
    let orders: Vec<Vec<OrderId>> =
        merchants.iter().map(|merchant| (0..3).map(|_| kit.paid_rent(*merchant, 5_000)).collect()).collect();
    kit.capital(100_000);
    kit.open_policy();
    // Twice 4,990 fit in 10,000 a day, three times do not.
    let failed = kit.advance(merchants[0], &orders[0][..1]);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.state.advance(failed).unwrap().status, AdvanceStatus::Failed);
    kit.advance(merchants[0], &orders[0][..2]);
    let refusal = kit.when(request(merchants[0], &orders[0][2..])).unwrap_err();
    assert_eq!((refusal.code, refusal.param.as_ref()), (RefusalCode::AdvanceBarred, "merchant_quota"));
    // Four times 4,990 fit in 20,000 over all, five times do not.
    kit.advance(merchants[1], &orders[1][..2]);
    let refusal = kit.when(request(merchants[2], &orders[2][..1])).unwrap_err();
    assert_eq!((refusal.code, refusal.param.as_ref()), (RefusalCode::AdvanceBarred, "total_quota"));
    // The merchant's quota is a day's.
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(SetAdvancePolicy {
        fee_rate: 0,
        merchant_quota: 10_000,
        total_quota: 30_000,
        min_days: 0,
        min_trading_days: 1,
    })));
    kit.on("2026-03-06");
    kit.advance(merchants[0], &orders[0][2..]);
    assert_eq!(kit.state.advanced(merchants[0], date(DAY)), 9_980);
    assert_eq!(kit.state.advanced(merchants[0], date("2026-03-06")), 4_990);
}

#[test]
fn only_captured_and_unsettled_money_of_the_merchants_own_orders_is_advanced() {
    let (mut kit, merchant, order) = world();
    kit.capital(100_000);
    let other = kit.landlord();
    let theirs = kit.paid_rent(other, 100);
    let unpaid = kit.order(merchant, &[(crate::order::ItemKind::Rent, 100)]);
    let refunded = kit.paid_rent(merchant, 100);
    kit.refund(refunded, 1, false);
    kit.answered(success(DAY));
    let settled = kit.paid_rent(merchant, 100);
    let lines = kit.clearing_lines(Rail::Epcc, DAY).into_iter().skip(3).collect();
    kit.take_file(Rail::Epcc, DAY, lines);
    kit.on("2026-03-06");
    kit.settle(merchant);
    for id in [theirs, unpaid, refunded, settled] {
        kit.refused(request(merchant, &[order, id]), RefusalCode::AdvanceBarred);
    }
    kit.refused(request(merchant, &[OrderId(99)]), RefusalCode::OrderUnknown);
    kit.refused(request(MerchantId(99), &[order]), RefusalCode::MerchantUnknown);
    kit.refused(request(merchant, &[]), RefusalCode::ValueInvalid);
    kit.refused(request(merchant, &[order, order]), RefusalCode::ValueInvalid);
    kit.refused(request(merchant, &alloc::vec![order; MAX_ORDERS + 1]), RefusalCode::ValueInvalid);
    kit.refused(repay(AdvanceId(9)), RefusalCode::AdvanceUnknown);
}

#[test]
fn own_money_is_never_overdrawn() {
    let (mut kit, merchant, order) = world();
    let other = kit.paid_rent(merchant, 100);
    kit.advance(merchant, &[order]);
    kit.refused(request(merchant, &[other]), RefusalCode::InsufficientFunds);
}

#[test]
fn frozen_barred_owing_and_suspended_merchants_are_barred() {
    let (mut kit, merchant, order) = world();
    let available = kit.state.merchant(merchant).unwrap().available;
    let bar = |out_barred| Command::RestrictAccount {
        account: available,
        restriction: Restriction { out_barred, ..Restriction::default() },
    };
    kit.given(bar(true));
    kit.refused(request(merchant, &[order]), RefusalCode::AccountRestricted);
    kit.given(bar(false));
    let Reply::Freeze(freeze) = kit.given(Command::PlaceFreeze(court(available, 1))) else { panic!("a freeze") };
    kit.refused(request(merchant, &[order]), RefusalCode::AccountRestricted);
    let (authority, document) = ("district court".into(), "2026-0002".into());
    kit.approved(Command::ReleaseFreeze(crate::freeze::ReleaseFreeze {
        freeze,
        authority,
        amount: None,
        document,
        group: false,
    }));

    // A payout that came back suspends the settlement account.
    kit.fund(available, 100);
    let (to, currency) = (crate::payout::PayTo::Settlement, Currency::Cny);
    let create = crate::payout::CreatePayout {
        account: available,
        to,
        amount: 100,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    let Reply::Payout(payout) = kit.given(Command::CreatePayout(create)) else { panic!("a payout") };
    kit.answered(success(DAY));
    kit.given(Command::ReturnPayout { payout, reference: "back".into(), date: date(DAY) });
    kit.refused(request(merchant, &[order]), RefusalCode::SettlementSuspended);
    kit.given(Command::VerifySettlementAccount { merchant, replacement: None });

    let (_, leg) = kit.paid_by_union_card(merchant, 10_000);
    kit.injected(10_000);
    let receive = crate::chargeback::ReceiveChargeback {
        leg,
        case_number: "c".into(),
        reason: "r".into(),
        amount: 10_000,
        currency: Currency::Cny,
    };
    let Reply::Chargeback(case) =
        kit.given(Command::Chargeback(crate::chargeback::ChargebackCommand::Receive(receive)))
    else {
        panic!("a chargeback")
    };
    // 9,980 unsettled and 20 lacking beyond the 100 there would be none; bar 2203 so that they lack.
    kit.given(bar(true));
    kit.given(Command::Chargeback(crate::chargeback::ChargebackCommand::Book(case)));
    kit.given(bar(false));
    assert_eq!(kit.owes(merchant), [(20, 20)]);
    kit.refused(request(merchant, &[order]), RefusalCode::AdvanceBarred);
    kit.given(Command::Arrears(crate::arrears::ArrearsCommand::Collect(merchant)));
    kit.advance(merchant, &[order]);
}
