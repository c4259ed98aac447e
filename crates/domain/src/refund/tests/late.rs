//! What a channel had refused, or never seen, and carried out after all: taken again from where it lies, else claimed from its bank.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::approval::{DigestAlgorithm, Evidence, Proposal};
use crate::attempt::AttemptStatus;
use crate::clearing::{ClearingLine, LineKind};
use crate::ids::ApprovalId;
use crate::restriction::Restriction;
use crate::task::{SettleTask, TaskOf};

/// The attempt of a refund's part.
fn asked(kit: &Kit, refund: RefundId, part: usize) -> AttemptId {
    kit.state.refund(refund).unwrap().parts[part].attempt.unwrap()
}

/// A refund that its channel refused.
fn refused(kit: &mut Kit, order: OrderId, amount: Minor) -> RefundId {
    let refund = kit.refund(order, amount, true);
    kit.answer(asked(kit, refund, 0), declined(FailureClass::Bank));
    assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
    refund
}

/// The channel carried a part of it out after all.
fn carried_out(kit: &mut Kit, refund: RefundId, part: usize) {
    let attempt = asked(kit, refund, part);
    kit.answer(attempt, success("2026-03-06"));
    kit.restore();
    let again = Command::AnswerAttempt { attempt, outcome: success("2026-03-06") };
    kit.refused(again, RefusalCode::AttemptState);
}

#[track_caller]
fn is_claimed(kit: &Kit, refund: RefundId, amount: Minor) {
    let row = kit.state.refund(refund).unwrap();
    assert_eq!((row.status, row.claimed(), row.needs_person()), (RefundStatus::Failed, amount, true));
    assert_eq!(kit.posted().last().unwrap().event, EventCode::ClaimedLate);
}

#[test]
fn an_orders_refund_takes_its_money_again_fee_and_all() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let refund = refused(&mut kit, order, 5_000);
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.available(merchant), 4_990);
    kit.later(5_000);
    carried_out(&mut kit, refund, 0);
    kit.books(&[(1101, 5_000), (1121, -5_000)]);
    assert_eq!(kit.available(merchant), 0);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::RefundedLate);
    let row = kit.state.refund(refund).unwrap();
    assert_eq!((row.status, row.succeeded(), row.needs_person()), (RefundStatus::Success, 5_000, false));
    assert_eq!(row.ended_at, Some(kit.now));
    let row = kit.state.order(order).unwrap();
    assert_eq!((row.refunded, row.fee_returned, row.refundable()), (5_000, 10, 0));
}

#[test]
fn a_clearing_file_says_so_too_of_what_had_never_been_seen() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let refund = kit.refund(order, 2_000, true);
    let attempt = kit.answered(Outcome::NotFound);
    assert_eq!(kit.pending(merchant), 4_990);
    let mut lines = kit.clearing_lines(Rail::Epcc, DAY);
    let line = ClearingLine {
        serial: attempt.serial(),
        kind: LineKind::Refund,
        amount: 2_000,
        currency: Currency::Cny,
        reference: None,
    };
    lines.push(line);
    let file = kit.take_file(Rail::Epcc, DAY, lines);
    let file = kit.state.clearing(file).unwrap();
    assert_eq!((file.matched, file.different, file.refunded), (2, 0, 2_000));
    assert!(kit.state.attempt(attempt.id).unwrap().cleared.is_some());
    // round(10 × 2,000 / 5,000) = 4 of the fee went with it.
    kit.books(&[(1101, 3_000), (2291, 6), (1291, 6), (5001, 6)]);
    assert_eq!((kit.pending(merchant), kit.refund_status(refund)), (2_994, RefundStatus::Success));
}

#[test]
fn what_was_refunded_in_its_place_is_not_taken_twice() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let first = refused(&mut kit, order, 1_000);
    let again = kit.refund(order, 1_000, true);
    kit.answered(success("2026-03-06"));
    assert_eq!((kit.refund_status(again), kit.available(merchant)), (RefundStatus::Success, 3_992));
    let ended = kit.state.refund(first).unwrap().ended_at;
    kit.later(5_000);
    carried_out(&mut kit, first, 0);
    is_claimed(&kit, first, 1_000);
    assert_eq!((kit.available(merchant), kit.state.refund(first).unwrap().ended_at), (3_992, ended));
    kit.books(&[(1101, 5_000), (1121, -2_000), (1131, 1_000), (2291, 8), (1291, 8), (5001, 8)]);
    let attempt = kit.state.attempt(asked(&kit, first, 0)).unwrap();
    assert!(matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. })));
    let row = kit.state.order(order).unwrap();
    assert_eq!((row.refunded, row.refundable()), (1_000, 4_000));
}

#[test]
fn what_was_under_way_beside_it_was_not_made_in_its_place() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let (first, beside) = (kit.refund(order, 1_000, true), kit.refund(order, 500, true));
    kit.answer(asked(&kit, first, 0), declined(FailureClass::Bank));
    kit.answer(asked(&kit, beside, 0), success("2026-03-06"));
    assert_eq!(kit.state.refund(first).unwrap().parts[0].beside, Some(500));
    carried_out(&mut kit, first, 0);
    assert_eq!((kit.refund_status(first), kit.available(merchant)), (RefundStatus::Success, 3_493));
    assert_eq!(kit.state.order(order).unwrap().refunded, 1_500);
}

#[test]
fn what_was_taken_again_replaced_nothing_whichever_comes_first() {
    for second_first in [false, true] {
        let mut kit = Kit::new();
        let (merchant, order) = settled(&mut kit);
        let mut refunds = [kit.refund(order, 1_000, true), kit.refund(order, 500, true)];
        for refund in refunds {
            kit.answer(asked(&kit, refund, 0), Outcome::NotFound);
        }
        assert_eq!(kit.available(merchant), 4_990);
        if second_first {
            refunds.reverse();
        }
        for refund in refunds {
            carried_out(&mut kit, refund, 0);
            assert_eq!(kit.refund_status(refund), RefundStatus::Success);
        }
        assert_eq!((kit.available(merchant), kit.state.order(order).unwrap().refunded), (3_493, 1_500));
        // What is made in the place of a later one is one too many still.
        let failed = refused(&mut kit, order, 700);
        kit.refund(order, 700, true);
        kit.answered(success("2026-03-06"));
        carried_out(&mut kit, failed, 0);
        is_claimed(&kit, failed, 700);
    }
}

#[test]
fn a_payee_that_gives_nothing_leaves_a_claim() {
    let mut kit = Kit::new();
    let (merchant, order) = settled(&mut kit);
    let refund = refused(&mut kit, order, 5_000);
    let account = kit.state.merchant(merchant).unwrap().available;
    let restriction = Restriction { in_barred: false, out_barred: true };
    kit.given(Command::RestrictAccount { account, restriction });
    carried_out(&mut kit, refund, 0);
    is_claimed(&kit, refund, 5_000);
    assert_eq!(kit.available(merchant), 4_990);
    kit.books(&[(1101, 5_000), (1121, -5_000), (1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
}

#[test]
fn what_went_into_suspense_is_left_there_for_a_person() {
    let mut kit = Kit::new();
    let seller = kit.landlord();
    let account = kit.agreement_account();
    let mut command = kit.create_order(seller, &[(ItemKind::EarnestMoney, 900)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    kit.pay(order, vec![card(900)]);
    kit.answered(success(DAY));
    let refund = kit.refund(order, 900, true);
    let agreement = kit.state.account(account, "account").unwrap().rare.agreement.unwrap();
    kit.given(Command::CloseAgreement(agreement));
    kit.answered(declined(FailureClass::Bank));
    carried_out(&mut kit, refund, 0);
    is_claimed(&kit, refund, 900);
    kit.books(&[(1131, 900), (2241, 900)]);
}

#[test]
fn one_of_two_parts_ends_the_refund_with_its_items() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    let mut command = kit.create_refund(order, 6_200, true);
    command.items = vec![ItemRefund { item: 0, amount: 3_000 }, ItemRefund { item: 1, amount: 3_200 }];
    let Reply::Refund(refund) = kit.given(Command::CreateRefund(command)) else { panic!("the reply names it") };
    // The fund's part is the second.
    kit.answer(asked(&kit, refund, 1), declined(FailureClass::Bank));
    kit.answer(asked(&kit, refund, 0), success(DAY));
    assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
    assert_eq!(kit.state.order(order).unwrap().items_refunded, [0, 3_200]);
    carried_out(&mut kit, refund, 1);
    assert_eq!(kit.refund_status(refund), RefundStatus::Success);
    assert_eq!(kit.state.order(order).unwrap().items_refunded, [3_000, 3_200]);
    assert_eq!(kit.pending(merchant), 0);
    kit.books(&[]);
}

#[test]
fn receivers_of_a_split_keep_what_they_had_got_again() {
    let mut kit = Kit::new();
    let payee = kit.landlord();
    let order = kit.paid_rent(payee, 5_000);
    let agents = split(&mut kit, order, 2, 1_000);
    let refund = kit.refund(order, 1_500, false);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.pending(payee), 2_990);
    carried_out(&mut kit, refund, 0);
    let pending: Vec<_> = agents.iter().map(|agent| kit.pending(*agent)).collect();
    assert_eq!((pending, kit.pending(payee)), (vec![1_000, 1_000], 1_490));
    assert_eq!(kit.refund_status(refund), RefundStatus::Success);
}

/// Both parts of a refund of 6,200 were refused, its money went back by another, and the first, of 3,200, was carried out after all.
fn owed_of_one_part(kit: &mut Kit) -> RefundId {
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    let [refund, again] = [declined(FailureClass::Bank), success(DAY)].map(|outcome| {
        let refund = kit.refund(order, 6_200, true);
        for part in [0, 1] {
            kit.answer(asked(kit, refund, part), outcome.clone());
        }
        refund
    });
    assert_eq!(kit.refund_status(again), RefundStatus::Success);
    carried_out(kit, refund, 0);
    is_claimed(kit, refund, 3_200);
    refund
}

#[test]
fn two_people_settle_what_they_saw_and_not_what_was_claimed_since() {
    let mut kit = Kit::new();
    kit.people();
    let refund = owed_of_one_part(&mut kit);
    let proposes = |kit: &mut Kit, amount| {
        let evidence = Evidence { name: "memo.pdf".into(), algorithm: DigestAlgorithm::Sha256, digest: [9; 32].into() };
        let settle = SettleTask { task: TaskOf::Refund(refund), voucher: None, amount };
        kit.when_proposed_with("accountant-1", Proposal::SettleTask(settle), Some(evidence))
    };
    let proposed = |kit: &mut Kit, amount| -> ApprovalId {
        let Ok(Reply::Approval(id)) = proposes(kit, amount) else { panic!("it was proposed") };
        id
    };
    assert_eq!(Kit::code(proposes(&mut kit, Some(3_000))), RefusalCode::TaskState);
    let stale = [None, Some(3_200)].map(|amount| proposed(&mut kit, amount));
    carried_out(&mut kit, refund, 1);
    for approval in stale {
        assert_eq!(Kit::code(kit.when_checked("accountant-2", approval)), RefusalCode::TaskState);
    }
    is_claimed(&kit, refund, 6_200);
    let both = proposed(&mut kit, None);
    kit.checked("accountant-2", both);
    kit.restore();
    let row = kit.state.refund(refund).unwrap();
    assert_eq!((row.claimed(), row.needs_person(), row.last_settled_by()), (0, false, Some(both)));
}
