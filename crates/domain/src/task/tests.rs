//! What a person may act on, how often, and what no channel's late word undoes.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::approval::{DigestAlgorithm, Evidence, Proposal};
use crate::attempt::{AttemptStatus, FailureClass, Operation, Outcome, Rail};
use crate::clearing::{ClearingLine, LineKind};
use crate::ids::{AccountId, AttemptId, OrderId};
use crate::manual_voucher::{TemplateCommand, TemplateLine};
use crate::order::{ItemKind, OrderStatus};
use crate::payout::{CreatePayout, PayTo};
use crate::refund::RefundStatus;
use crate::restriction::Restriction;
use crate::suspense::AllocateSuspense;
use crate::testkit::orders::{card, fund_at_once};
use crate::testkit::{Kit, date, declined, success};
use crate::voucher::{Entry, EventCode};

const DAY: &str = "2026-03-05";
const CNY: Currency = Currency::Cny;
const TEMPLATE: &str = "back-by-hand";

fn kit() -> Kit {
    let mut kit = Kit::new();
    kit.people();
    let line = |subject, side| TemplateLine { subject, side };
    let lines = vec![
        line(Subject::PaymentInProgress, Side::Debit),
        line(Subject::RefundDue, Side::Debit),
        line(Subject::ClearingEpcc, Side::Credit),
    ];
    let (code, title, event) = (TEMPLATE.to_string(), "paid back by hand".to_string(), EventCode::ManualVoucher);
    kit.decided("accountant", Proposal::VoucherTemplate(TemplateCommand::Set { code, title, event, lines }));
    kit
}

/// A combined payment of 3,200 by card and 3,000 by fund: the fund failed, and the bank refused to take the card's back.
fn card_stuck(kit: &mut Kit) -> (OrderId, LegId) {
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::Bank));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 3_200), (2205, 3_200)]);
    let leg = kit.state.order(order).unwrap().legs[0];
    assert_eq!(actions_of_leg(kit.state.leg(leg).unwrap()), ["retry", "settle"]);
    (order, leg)
}

/// A card of 5,000 that succeeded after it had been refused, and whose bank refused to take it back.
fn useless_stuck(kit: &mut Kit) -> RefundId {
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 5_000)]);
    command.tries_allowed = 1;
    let order = kit.order_of(command);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(declined(FailureClass::Bank));
    kit.answer(attempt.id, success(DAY));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 5_000), (2243, 5_000)]);
    let refund = RefundId(1);
    assert_eq!(actions_of_refund(kit.state.refund(refund).unwrap()), ["retry", "settle"]);
    refund
}

fn retries(task: TaskOf) -> Command {
    Command::Task(TaskCommand::Retry(task))
}

fn leg(kit: &Kit, id: LegId) -> &Leg {
    kit.state.leg(id).unwrap()
}

/// Takes `amount` from an account of the institution to 1121.
fn voucher(kit: &Kit, from: Subject, amount: Minor) -> ManualVoucher {
    let account = |subject| -> AccountId { kit.state.institution(subject, CNY).unwrap() };
    let entries: Vec<Entry> =
        vec![Entry::debit(account(from), amount, CNY), Entry::credit(account(Subject::ClearingEpcc), amount, CNY)];
    ManualVoucher { template: TEMPLATE.to_string(), entries, contra_of: None, dimensions: None }
}

fn proposes(kit: &mut Kit, task: TaskOf, voucher: Option<ManualVoucher>) -> Result<ApprovalId, Refusal> {
    let evidence =
        Evidence { name: "memo.pdf".to_string(), algorithm: DigestAlgorithm::Sha256, digest: [9; 32].into() };
    let proposal = Proposal::SettleTask(SettleTask { task, voucher, amount: None });
    let Reply::Approval(id) = kit.when_proposed_with("accountant-1", proposal, Some(evidence))? else {
        panic!("it was proposed")
    };
    Ok(id)
}

fn settles(kit: &mut Kit, task: TaskOf, voucher: Option<ManualVoucher>) -> Result<Reply, Refusal> {
    let id = proposes(kit, task, voucher)?;
    kit.checked("accountant-2", id);
    Ok(kit.state.approval(id).unwrap().outcome.clone().expect("it was carried out"))
}

/// What a channel gave back twice is a task that no channel can be asked about; two people say that it is settled, by no voucher.
fn owed(kit: &mut Kit, id: LegId) {
    let task = TaskOf::Leg(id);
    assert_eq!((leg(kit, id).status, leg(kit, id).needs_person), (LegStatus::Reversed, true));
    assert_eq!(actions_of_leg(leg(kit, id)), ["settle"]);
    kit.refused(retries(task), RefusalCode::TaskState);
    let named = voucher(kit, Subject::PaymentInProgress, leg(kit, id).amount());
    assert_eq!(settles(kit, task, Some(named)).unwrap_err().code, RefusalCode::TaskVoucher);
    assert_eq!(settles(kit, task, None), Ok(Reply::Task(task)));
    assert!(leg(kit, id).settled_by.is_some() && actions_of_leg(leg(kit, id)).is_empty());
}

#[test]
fn a_task_is_named_by_what_it_is_about() {
    let others = [TaskOf::Payout(PayoutId(4)), TaskOf::Suspense(SuspenseId(3)), TaskOf::Advance(AdvanceId(3))];
    for task in [TaskOf::Leg(LegId(9)), TaskOf::Refund(RefundId(3))].into_iter().chain(others) {
        assert_eq!(task.to_string().parse(), Ok(task));
    }
    for text in ["", "leg", "rfd_", "ord_1", "leg_01"] {
        assert!(text.parse::<TaskOf>().is_err(), "{text}");
    }
}

/// No channel has it: only people give back what they allocated to 2243.
#[test]
fn what_was_allocated_from_suspense_to_2243_is_a_task_until_it_is_given_back() {
    let mut kit = kit();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000);
    let (to, currency) = (PayTo::Settlement, CNY);
    let create =
        CreatePayout { account, to, amount: 1_000, fee: 0, currency, send_now: true, bank: None, channel: None };
    let Reply::Payout(payout) = kit.given(Command::CreatePayout(create)) else { panic!("a payout was created") };
    kit.answered(success(DAY));
    let restriction = Restriction { in_barred: true, out_barred: false };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.given(Command::ReturnPayout { payout, reference: "back".to_string(), date: date(DAY) });

    let (item, task) = (SuspenseId(1), TaskOf::Suspense(SuspenseId(1)));
    let actions = |kit: &Kit| actions_of_suspense(kit.state.suspense_item(item).unwrap());
    let due = kit.state.institution(Subject::RefundDue, CNY).unwrap();
    let gives_back = |kit: &mut Kit, amount| {
        let allocate = AllocateSuspense { item, to: due, amount: Some(amount), session: None };
        kit.decided("accountant", Proposal::SuspenseAllocation(allocate));
    };
    assert!(actions(&kit).is_empty());
    kit.refused(retries(task), RefusalCode::TaskState);
    gives_back(&mut kit, 400);
    let first = kit.now;
    kit.later(60_000);
    gives_back(&mut kit, 200);
    kit.restore();
    assert_eq!(waits_since(&kit.state, task), Some(first));
    assert_eq!((actions(&kit), kit.own(Subject::RefundDue)), (&["settle"][..], 600));
    kit.refused(retries(task), RefusalCode::TaskState);
    kit.refused(retries(TaskOf::Suspense(SuspenseId(9))), RefusalCode::SuspenseUnknown);
    let part = voucher(&kit, Subject::RefundDue, 599);
    assert_eq!(settles(&mut kit, task, Some(part)).unwrap_err().code, RefusalCode::TaskVoucher);
    let all = voucher(&kit, Subject::RefundDue, 600);
    assert_eq!(settles(&mut kit, task, Some(all)), Ok(Reply::Task(task)));
    kit.restore();
    assert!(actions(&kit).is_empty() && kit.state.suspense_item(item).unwrap().settled_by.is_some());
    assert_eq!(waits_since(&kit.state, task), None);
    // What is allocated after that is a task again, of that much, from then on.
    kit.later(60_000);
    gives_back(&mut kit, 100);
    assert_eq!(kit.state.suspense_item(item).unwrap().due, Some(100));
    assert_eq!(waits_since(&kit.state, task), Some(kit.now));
}

#[test]
fn a_task_says_since_when_it_waits() {
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let (task, refused_at) = (TaskOf::Leg(id), kit.now);
    kit.later(60_000);
    assert_eq!(waits_since(&kit.state, task), Some(refused_at));
    kit.given(retries(task));
    assert_eq!(waits_since(&kit.state, task), None, "it waits for its channel");
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(waits_since(&kit.state, task), Some(refused_at), "its order is of no use since then");

    let mut kit = self::kit();
    let first = useless_stuck(&mut kit);
    let refused_at = kit.now;
    kit.later(60_000);
    assert_eq!(waits_since(&kit.state, TaskOf::Refund(first)), Some(refused_at));
    let second = retried(&mut kit, first);
    kit.later(60_000);
    kit.answered(declined(FailureClass::Bank));
    let [first, second] = [first, second].map(|refund| waits_since(&kit.state, TaskOf::Refund(refund)));
    assert_eq!((first, second), (None, Some(kit.now)));
    assert_eq!(waits_since(&kit.state, TaskOf::Refund(RefundId(99))), None);
}

#[test]
fn an_undo_is_tried_again_only_once_the_one_before_is_final() {
    let mut kit = kit();
    let (order, id) = card_stuck(&mut kit);
    let task = TaskOf::Leg(id);
    assert_eq!(kit.given(retries(task)), Reply::Task(task));
    kit.books(&[(1121, 3_200), (2211, 3_200)]);
    let again = kit.waiting();
    assert!(matches!(again.operation, Operation::Refund { amount: 3_200, .. }));
    assert!(actions_of_leg(leg(&kit, id)).is_empty());
    kit.refused(retries(task), RefusalCode::TaskState);
    kit.answered(Outcome::Unknown);
    kit.refused(retries(task), RefusalCode::TaskState);

    // Refused again: it needs a person again.
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 3_200), (2205, 3_200)]);
    assert!(leg(&kit, id).needs_person);
    kit.given(retries(task));
    assert_ne!(kit.waiting().serial(), again.serial());
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!((leg(&kit, id).status, leg(&kit, id).needs_person), (LegStatus::Reversed, false));
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.refused(retries(task), RefusalCode::TaskState);
    // Three undos of one leg, two of them refused: each voucher has a number of its own.
    kit.posted_once();
}

#[test]
fn a_file_that_has_an_undo_a_second_time_is_matched_and_the_bank_owes_it() {
    for settled in [false, true] {
        let mut kit = kit();
        let (_, id) = card_stuck(&mut kit);
        let refused = kit.state.attempts.iter().last().unwrap().1.clone();
        if settled {
            let good = voucher(&kit, Subject::PaymentInProgress, 3_200);
            settles(&mut kit, TaskOf::Leg(id), Some(good)).unwrap();
        } else {
            kit.given(retries(TaskOf::Leg(id)));
            kit.answered(success(DAY));
        }
        // Other money comes, as the reserve has no more than it brings.
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
        kit.pay(order, vec![card(5_000)]);
        kit.answered(success(DAY));
        let mut lines = kit.clearing_lines(Rail::Epcc, DAY);
        let matched = u32::try_from(lines.len()).unwrap() + 1;
        let (serial, kind) = (refused.serial(), LineKind::Refund);
        lines.push(ClearingLine { serial, kind, amount: 3_200, currency: CNY, reference: None });
        let taken = kit.take_file(Rail::Epcc, DAY, lines);
        let clearing = kit.state.clearing(taken).unwrap();
        assert_eq!((clearing.matched, clearing.different), (matched, 0), "{:?}", clearing.differences);
        let attempt = kit.state.attempt(refused.id).unwrap();
        assert!(matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. })) && attempt.cleared.is_some());
        // By hand the money went over 1121 as well, which no line of the file is about.
        let over_clearing = if settled { -3_200 } else { 0 };
        assert_eq!((kit.own(Subject::ReceivableFund), kit.own(Subject::ClearingEpcc)), (3_200, over_clearing));
        owed(&mut kit, id);
        assert_eq!(kit.own(Subject::ReceivableFund), 3_200);
    }
}

#[test]
fn an_earlier_undo_that_came_through_after_all_leaves_nothing_to_the_later_one() {
    for later in [declined(FailureClass::Bank), Outcome::NotFound] {
        let mut kit = kit();
        let (_, id) = card_stuck(&mut kit);
        let refused = kit.state.attempts.iter().last().unwrap().1.id;
        kit.given(retries(TaskOf::Leg(id)));
        let again = kit.waiting();
        kit.answer(refused, success(DAY));
        kit.books(&[]);
        assert_eq!((leg(&kit, id).status, leg(&kit, id).open), (LegStatus::Reversed, None));
        kit.answer(again.id, later);
        assert_eq!((leg(&kit, id).status, leg(&kit, id).needs_person), (LegStatus::Reversed, false));
        kit.books(&[]);
    }
    // Both came through: the first took the money from where it lay, the bank owes the second.
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let refused = kit.state.attempts.iter().last().unwrap().1.id;
    kit.given(retries(TaskOf::Leg(id)));
    let again = kit.waiting();
    kit.answer(refused, success(DAY));
    kit.answer(again.id, success(DAY));
    kit.books(&[(1121, -3_200), (1131, 3_200)]);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::LegReversedTwice);
    assert!(kit.outbox().is_empty());
    owed(&mut kit, id);
    kit.books(&[(1121, -3_200), (1131, 3_200)]);
}

#[test]
fn what_a_bank_gave_back_three_times_it_owes_twice_and_two_people_settle_it_as_they_saw_it() {
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let task = TaskOf::Leg(id);
    let first = kit.state.attempts.iter().last().unwrap().1.id;
    kit.given(retries(task));
    let second = kit.answered(declined(FailureClass::Bank)).id;
    kit.given(retries(task));
    kit.answered(success(DAY));
    kit.books(&[]);
    kit.answer(first, success(DAY));
    assert_eq!(leg(&kit, id).waiting(), 3_200);
    let stale = proposes(&mut kit, task, None).unwrap();
    kit.answer(second, success(DAY));
    kit.restore();
    kit.books(&[(1121, -6_400), (1131, 6_400)]);
    assert_eq!(leg(&kit, id).waiting(), 6_400);
    assert_eq!(Kit::code(kit.when_checked("accountant-2", stale)), RefusalCode::TaskState);
    assert!(leg(&kit, id).needs_person);
    owed(&mut kit, id);
    assert_eq!(leg(&kit, id).claimed, 0);
}

#[test]
fn a_second_proposal_settles_nothing_that_came_after_the_first() {
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let task = TaskOf::Leg(id);
    let first = kit.state.attempts.iter().last().unwrap().1.id;
    kit.given(retries(task));
    let second = kit.answered(declined(FailureClass::Bank)).id;
    kit.given(retries(task));
    kit.answered(success(DAY));
    kit.answer(first, success(DAY));
    let [settled, stale] = [(); 2].map(|()| proposes(&mut kit, task, None).unwrap());
    kit.later(1);
    kit.checked("accountant-2", settled);
    kit.answer(second, success(DAY));
    kit.restore();
    assert_eq!((leg(&kit, id).waiting(), leg(&kit, id).settled_by), (3_200, Some(settled)), "as much as before");
    assert_eq!(Kit::code(kit.when_checked("accountant-2", stale)), RefusalCode::TaskState);
    assert!(leg(&kit, id).needs_person);
    kit.later(1);
    owed(&mut kit, id);
}

#[test]
fn a_reversal_at_the_centre_is_tried_again() {
    let mut kit = kit();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    kit.pay(order, vec![card(3_200), fund_at_once(3_000)]);
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::User));
    let refused = kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    let id = kit.state.order(order).unwrap().legs[1];
    kit.given(retries(TaskOf::Leg(id)));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(leg(&kit, id).status, LegStatus::Reversed);

    // The centre did the first too: until its file takes that from the reserve, what it owes is what is cleared with it.
    kit.answer(refused.id, success(DAY));
    kit.books(&[]);
    kit.posted_once();
    owed(&mut kit, id);
}

#[test]
fn a_release_is_tried_again_and_settled_without_a_voucher() {
    for settled in [false, true] {
        let mut kit = kit();
        let merchant = kit.landlord();
        let order = kit.combined(merchant);
        kit.answered(success(DAY));
        kit.answered(declined(FailureClass::User));
        kit.answered(declined(FailureClass::Bank));
        let id = kit.state.order(order).unwrap().legs[1];
        assert!(leg(&kit, id).needs_person);
        let task = TaskOf::Leg(id);
        if settled {
            let named = voucher(&kit, Subject::PaymentInProgress, 3_000);
            let refused = settles(&mut kit, task, Some(named)).unwrap_err();
            assert_eq!(refused.code, RefusalCode::TaskVoucher, "the centre holds it, not these books");
            assert_eq!(settles(&mut kit, task, None), Ok(Reply::Task(task)));
        } else {
            kit.given(retries(task));
            assert!(matches!(kit.waiting().operation, Operation::FundRelease { amount: 3_000, .. }));
            kit.answered(success(DAY));
            assert_eq!(leg(&kit, id).status, LegStatus::Released);
        }
        assert!(!leg(&kit, id).needs_person);
        assert_eq!(leg(&kit, id).settled_by.is_some(), settled);
        kit.books(&[]);
    }
}

#[test]
fn money_that_its_source_refused_goes_back_by_another_refund() {
    let mut kit = kit();
    let first = useless_stuck(&mut kit);
    let asked = kit.state.attempt(kit.state.refund(first).unwrap().parts[0].attempt.unwrap()).unwrap().clone();
    let Reply::Task(TaskOf::Refund(second)) = kit.given(retries(TaskOf::Refund(first))) else {
        panic!("another refund was made")
    };
    kit.books(&[(1121, 5_000), (2211, 5_000)]);
    let again = kit.waiting();
    assert_eq!((again.operation.clone(), again.rail), (asked.operation.clone(), asked.rail));
    assert_ne!(again.serial(), asked.serial());
    assert_eq!(kit.state.refund(first).unwrap().retried_as, Some(second));
    // Neither the old one nor the one under way.
    kit.refused(retries(TaskOf::Refund(first)), RefusalCode::TaskState);
    kit.answered(Outcome::Unknown);
    kit.refused(retries(TaskOf::Refund(second)), RefusalCode::TaskState);
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 5_000), (2243, 5_000)]);
    assert!(!kit.state.refund(first).unwrap().needs_person());
    assert!(kit.state.refund(second).unwrap().needs_person());
    kit.given(retries(TaskOf::Refund(second)));
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.refund_status(RefundId(second.0 + 1)), RefundStatus::Success);
}

/// The attempt by which a refund's money was to go back.
fn asked(kit: &Kit, refund: RefundId) -> AttemptId {
    kit.state.refund(refund).unwrap().parts[0].attempt.unwrap()
}

/// The refund that was made in the place of one that its source refused.
fn retried(kit: &mut Kit, refund: RefundId) -> RefundId {
    let Reply::Task(TaskOf::Refund(again)) = kit.given(retries(TaskOf::Refund(refund))) else {
        panic!("another refund was made")
    };
    again
}

/// 5,000 went back twice; no channel can be asked about it, and two people say that it is settled, by no voucher.
fn owes_a_refund(kit: &mut Kit, refund: RefundId) {
    kit.restore();
    kit.books(&[(1121, -5_000), (1131, 5_000)]);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::ClaimedLate);
    let task = TaskOf::Refund(refund);
    assert_eq!(actions_of_refund(kit.state.refund(refund).unwrap()), ["settle"]);
    kit.refused(retries(task), RefusalCode::TaskState);
    let named = voucher(kit, Subject::RefundDue, 5_000);
    assert_eq!(settles(kit, task, Some(named)).unwrap_err().code, RefusalCode::TaskVoucher);
    assert_eq!(settles(kit, task, None), Ok(Reply::Task(task)));
    let row = kit.state.refund(refund).unwrap();
    assert!(actions_of_refund(row).is_empty() && row.last_settled_by().is_some());
    assert_eq!(settles(kit, task, None).unwrap_err().code, RefusalCode::TaskState);
    kit.books(&[(1121, -5_000), (1131, 5_000)]);
}

#[test]
fn money_of_2243_that_its_source_took_back_after_all_is_no_task_any_more() {
    let mut kit = kit();
    let refund = useless_stuck(&mut kit);
    kit.answer(asked(&kit, refund), success(DAY));
    kit.books(&[]);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::RefundedLate);
    assert_eq!(kit.refund_status(refund), RefundStatus::Success);
    kit.refused(retries(TaskOf::Refund(refund)), RefusalCode::TaskState);

    // Of what was tried again, and refused again, it is the later one that lies on 2243.
    let mut kit = self::kit();
    let first = useless_stuck(&mut kit);
    let second = retried(&mut kit, first);
    kit.answered(declined(FailureClass::Bank));
    kit.answer(asked(&kit, first), success(DAY));
    kit.restore();
    kit.books(&[]);
    assert_eq!((kit.refund_status(first), kit.refund_status(second)), (RefundStatus::Success, RefundStatus::Failed));
    assert!(actions_of_refund(kit.state.refund(second).unwrap()).is_empty());
    kit.refused(retries(TaskOf::Refund(second)), RefusalCode::TaskState);
    // And that one came through, too.
    kit.answer(asked(&kit, second), success(DAY));
    owes_a_refund(&mut kit, second);
}

#[test]
fn an_earlier_refund_that_came_through_leaves_nothing_to_the_later_one() {
    for later in [declined(FailureClass::Bank), Outcome::NotFound, success(DAY)] {
        let mut kit = kit();
        let first = useless_stuck(&mut kit);
        let second = retried(&mut kit, first);
        kit.answer(asked(&kit, first), success(DAY));
        kit.books(&[]);
        assert_eq!(kit.state.refund(second).unwrap().overtaken_by, Some(first));
        let disagree = crate::outflow::agree(&kit.state, &kit.waiting());
        assert_eq!(disagree, Err(crate::outflow::Disagreement::Object), "it is not sent any more");
        assert_eq!(kit.refund_status(first), RefundStatus::Success);
        kit.answer(asked(&kit, second), Outcome::Unknown);
        let twice = matches!(later, Outcome::Success { .. });
        kit.answer(asked(&kit, second), later);
        assert_eq!(kit.refund_status(second), RefundStatus::Failed);
        assert!(kit.outbox().is_empty());
        if twice {
            owes_a_refund(&mut kit, second);
        } else {
            kit.books(&[]);
            assert!(actions_of_refund(kit.state.refund(second).unwrap()).is_empty());
        }
        kit.posted_once();
    }
}

#[test]
fn a_refund_that_came_through_after_a_later_one_or_a_settlement_is_owed() {
    for by_hand in [false, true] {
        let mut kit = kit();
        let refund = useless_stuck(&mut kit);
        if by_hand {
            let good = voucher(&kit, Subject::RefundDue, 5_000);
            assert_eq!(settles(&mut kit, TaskOf::Refund(refund), Some(good)), Ok(Reply::Task(TaskOf::Refund(refund))));
        } else {
            retried(&mut kit, refund);
            kit.answered(success(DAY));
        }
        kit.books(&[]);
        kit.answer(asked(&kit, refund), success(DAY));
        assert_eq!(kit.refund_status(refund), RefundStatus::Failed);
        owes_a_refund(&mut kit, refund);
        kit.posted_once();
    }
}

#[test]
fn two_people_settle_by_a_voucher_that_takes_just_this_money() {
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let task = TaskOf::Leg(id);
    let alone = Command::from(SettleTask { task, voucher: None, amount: None });
    kit.refused(alone, RefusalCode::ApprovalRequired);
    let bad =
        [None, Some(voucher(&kit, Subject::PaymentInProgress, 3_199)), Some(voucher(&kit, Subject::RefundDue, 3_200))];
    for bad in bad {
        assert_eq!(settles(&mut kit, task, bad).unwrap_err().code, RefusalCode::TaskVoucher);
    }
    let refused = kit.state.attempts.iter().last().unwrap().1.id;
    let good = voucher(&kit, Subject::PaymentInProgress, 3_200);
    assert_eq!(settles(&mut kit, task, Some(good.clone())), Ok(Reply::Task(task)));
    kit.books(&[]);
    assert!(actions_of_leg(leg(&kit, id)).is_empty());
    assert!(leg(&kit, id).settled_by.is_some());
    assert_eq!(settles(&mut kit, task, Some(good)).unwrap_err().code, RefusalCode::TaskState);
    kit.refused(retries(task), RefusalCode::TaskState);
    // The bank did it after all: by hand it was done before.
    kit.answer(refused, success(DAY));
    kit.books(&[(1121, -3_200), (1131, 3_200)]);
    owed(&mut kit, id);
}

#[test]
fn two_people_settle_what_is_due_to_a_payer() {
    let mut kit = kit();
    let refund = useless_stuck(&mut kit);
    let task = TaskOf::Refund(refund);
    let good = voucher(&kit, Subject::RefundDue, 5_000);
    assert_eq!(settles(&mut kit, task, Some(good)), Ok(Reply::Task(task)));
    kit.books(&[]);
    assert!(!kit.state.refund(refund).unwrap().needs_person());
    kit.refused(retries(task), RefusalCode::TaskState);
}

#[test]
fn a_settlement_shows_a_document() {
    let mut kit = kit();
    let (_, id) = card_stuck(&mut kit);
    let good = voucher(&kit, Subject::PaymentInProgress, 3_200);
    let proposal = Proposal::SettleTask(SettleTask { task: TaskOf::Leg(id), voucher: Some(good), amount: None });
    assert!(proposal.needs_evidence());
    assert!(kit.when_proposed("accountant-1", proposal).is_err());
    let nobody = kit.state.approvals.iter().filter(|(_, row)| row.proposal.kind() == "settle_task").count();
    assert_eq!(nobody, 0);
}
