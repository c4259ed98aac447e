//! An advance that its bank had refused, and paid after all.

use super::*;
use crate::task::{SettleTask, TaskCommand, TaskOf, actions_of_advance, waits_since};
use crate::voucher::{BusinessKind, BusinessNumber, Entry, PostVoucher};

/// That world's advance, which failed by this answer, with its attempt.
fn failed(answer: Outcome) -> (Kit, MerchantId, OrderId, AdvanceId, AttemptId) {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    let attempt = kit.answered(answer).id;
    (kit, merchant, order, id, attempt)
}

/// The same, paid after all when own money had gone into the reserve.
fn paid_without_own_money() -> (Kit, AdvanceId) {
    let (mut kit, _, _, id, attempt) = failed(Outcome::NotFound);
    kit.inject(4_990);
    let line = kit.line("in-1", LineDirection::In, 4_990);
    kit.take_line(line);
    assert_eq!(kit.own(Subject::OwnBank), 0);
    kit.answer(attempt, success(DAY));
    (kit, id)
}

fn settle(id: AdvanceId) -> SettleTask {
    SettleTask { task: TaskOf::Advance(id), voucher: None, amount: None }
}

/// What lies in the books of [`paid_without_own_money`], with so much on 1103, 1241 and 3001.
fn books_without(kit: &Kit, [bank, claimed, capital]: [Minor; 3]) {
    let own = [(1103, bank), (1241, claimed), (3001, capital)].into_iter().filter(|(_, balance)| *balance != 0);
    let rest = [(1101, 4_990), (1121, 5_000), (2291, 5_000), (1291, 5_000), (5001, 10)];
    kit.books(&rest.into_iter().chain(own).collect::<Vec<_>>());
}

#[test]
fn what_its_bank_refused_and_paid_after_all_is_a_claim_of_own_money_that_two_people_settle() {
    for answer in [declined(FailureClass::Bank), Outcome::NotFound] {
        let (mut kit, merchant, order, id, attempt) = failed(answer);
        kit.clear(Rail::Epcc, DAY);
        kit.on("2026-03-06");
        kit.settle(merchant);
        let ended = kit.state.advance(id).unwrap().ended_at;
        kit.later(5_000);
        kit.answer(attempt, success("2026-03-06"));
        // OWN Dr 1241 4,990 / Cr 1103 4,990
        let claimed = [(1101, 5_000), (2291, 10), (1241, 4_990), (1291, 10), (5001, 10), (3001, 4_990)];
        kit.books(&claimed);
        let voucher = kit.posted().last().unwrap();
        let number = BusinessNumber::object(BusinessKind::Advance, id.0);
        assert_eq!((voucher.event, &voucher.business), (EventCode::AdvanceClaimed, &number));
        assert_eq!(voucher.dimensions.as_ref().unwrap().merchant, Some(merchant));
        // What the merchant has of its order stays there: whether it has it twice nobody here knows.
        assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
        let row = kit.state.advance(id).unwrap();
        assert_eq!((row.status, row.ended_at, row.outstanding()), (AdvanceStatus::Failed, ended, 0));
        assert_eq!((row.claim, row.reference.as_deref()), (Some(Claim::Open), Some("ref")));
        assert!(row.needs_person() && row.claim_voucher.is_some());
        assert_eq!((row.allowed_actions(&kit.state), actions_of_advance(row)), (vec!["return"], &["settle"][..]));
        kit.refused(Command::AnswerAttempt { attempt, outcome: success("2026-03-06") }, RefusalCode::AttemptState);
        kit.restore();

        let task = TaskOf::Advance(id);
        assert_eq!(waits_since(&kit.state, task), ended, "it looks older than the bank's word");
        kit.refused(Command::Task(TaskCommand::Retry(task)), RefusalCode::TaskState);
        kit.refused(settle(id).into(), RefusalCode::ApprovalRequired);
        let other = SettleTask { amount: Some(4_989), ..settle(id) };
        assert_eq!(kit.when_approved(other.into()).unwrap_err().code, RefusalCode::TaskState);
        assert_eq!(kit.approved(settle(id).into()), Reply::Task(task));
        kit.books(&claimed);
        let row = kit.state.advance(id).unwrap();
        assert!(row.claim.and_then(Claim::settled_by).is_some() && actions_of_advance(row).is_empty());
        assert_eq!(waits_since(&kit.state, task), None);
        assert_eq!(kit.when_approved(settle(id).into()).unwrap_err().code, RefusalCode::TaskState);
        kit.restore();

        // It comes back to own money; its order was settled as ever.
        kit.given(came_back(id));
        kit.books(&[(1101, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
        assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
        assert!(kit.state.order(order).unwrap().is_settled());
        assert!(kit.state.merchant(merchant).unwrap().settlement_suspended);
        let row = kit.state.advance(id).unwrap();
        assert_eq!((row.status, row.return_reference.as_deref()), (AdvanceStatus::Returned, Some("back-1")));
        assert_eq!(row.claim_name(), Some("settled"), "that two people settled it stays so");
        kit.refused(came_back(id), RefusalCode::AdvanceState);
        kit.posted_once();
        kit.restore();
    }
}

#[test]
fn its_fee_is_the_merchants() {
    let (mut kit, merchant, order) = world();
    let policy = SetAdvancePolicy { fee_rate: 1_000, ..kit.open_policy() };
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
    let id = kit.advance(merchant, &[order]);
    let attempt = kit.answered(declined(FailureClass::Bank)).id;
    kit.answer(attempt, success(DAY));
    // 4,985 left.
    kit.books(&[(1121, 5_000), (2291, 10), (1103, 5), (1241, 4_985), (1291, 10), (5001, 10), (3001, 4_990)]);
    assert_eq!(kit.pending(merchant), 4_990);
    kit.given(came_back(id));
    kit.books(&[(1121, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);
    // It is a task no more.
    assert_eq!(kit.when_approved(settle(id).into()).unwrap_err().code, RefusalCode::TaskState);
}

#[test]
fn what_own_money_does_not_have_is_a_task_all_the_same_and_is_booked_when_it_is_settled() {
    let (mut kit, id) = paid_without_own_money();
    books_without(&kit, [0, 0, 4_990]);
    let row = kit.state.advance(id).unwrap();
    assert_eq!((row.claim, row.claim_voucher, row.needs_person()), (Some(Claim::Open), None, true));
    assert_eq!(row.claim_name(), Some("open"));
    kit.restore();
    kit.capital(4_989);
    assert_eq!(kit.when_approved(settle(id).into()).unwrap_err().code, RefusalCode::InsufficientFunds);
    kit.capital(1);
    kit.approved(settle(id).into());
    books_without(&kit, [0, 4_990, 9_980]);
    let row = kit.state.advance(id).unwrap();
    assert!(row.claim.and_then(Claim::settled_by).is_some() && row.claim_voucher.is_some());
    kit.posted_once();
    kit.restore();
    kit.given(came_back(id));
    books_without(&kit, [4_990, 0, 9_980]);
}

#[test]
fn what_was_never_booked_and_comes_back_went_out_and_in() {
    let (mut kit, id) = paid_without_own_money();
    kit.given(came_back(id));
    books_without(&kit, [0, 0, 4_990]);
    let bank = kit.state.institution(Subject::OwnBank, Currency::Cny).unwrap();
    let sides = kit.posted().last().unwrap().entries.clone();
    let both = vec![Entry::debit(bank, 4_990, Currency::Cny), Entry::credit(bank, 4_990, Currency::Cny)];
    assert_eq!(sides, both);
    let row = kit.state.advance(id).unwrap();
    assert_eq!((row.status, row.needs_person()), (AdvanceStatus::Returned, false));
    assert_eq!(row.claim_name(), Some("returned"), "nothing of it is to be settled any more");
    assert_eq!(kit.when_approved(settle(id).into()).unwrap_err().code, RefusalCode::TaskState);
    kit.restore();
}

#[test]
fn its_claim_uses_the_merchants_quota_of_its_day_and_until_it_is_settled_the_quota_over_all() {
    let (mut kit, merchant, _, id, attempt) = failed(declined(FailureClass::Bank));
    kit.capital(20_000);
    let orders = [kit.paid_rent(merchant, 5_000), kit.paid_rent(merchant, 5_000)];
    let quotas = |kit: &mut Kit, merchant_quota, total_quota| {
        let policy = SetAdvancePolicy { fee_rate: 0, merchant_quota, total_quota, min_days: 0, min_trading_days: 1 };
        kit.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
    };
    let barred_by = |kit: &mut Kit, order| {
        let refusal = kit.when(request(merchant, &[order])).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AdvanceBarred);
        refusal.param.to_string()
    };
    let advanced = |kit: &Kit| kit.state.advanced(merchant, date(DAY));
    assert_eq!(advanced(&kit), 0, "it failed");
    kit.answer(attempt, success(DAY));
    assert_eq!(advanced(&kit), 4_990, "its money is out");
    kit.restore();
    quotas(&mut kit, 9_979, 100_000);
    assert_eq!(barred_by(&mut kit, orders[0]), "merchant_quota");
    quotas(&mut kit, 100_000, 9_979);
    assert_eq!(barred_by(&mut kit, orders[0]), "total_quota");
    kit.approved(settle(id).into());
    kit.restore();
    kit.advance(merchant, &[orders[0]]);
    kit.answered(success(DAY));
    assert_eq!(advanced(&kit), 9_980, "whoever owes it, that day's money left");
    quotas(&mut kit, 14_969, 100_000);
    assert_eq!(barred_by(&mut kit, orders[1]), "merchant_quota");
    kit.given(came_back(id));
    assert_eq!(advanced(&kit), 4_990);
    kit.restore();
}

#[test]
fn what_came_back_unsettled_leaves_the_quota_over_all() {
    let (mut kit, merchant, _, id, attempt) = failed(Outcome::NotFound);
    kit.answer(attempt, success(DAY));
    assert_eq!((kit.state.claimed_of_advances(), kit.state.advanced(merchant, date(DAY))), (4_990, 4_990));
    kit.given(came_back(id));
    assert_eq!((kit.state.claimed_of_advances(), kit.state.advanced(merchant, date(DAY))), (0, 0));
    kit.restore();
}

/// Whoever took the claim off 1241 got the money then; if it comes back too, somebody has it twice.
#[test]
fn what_was_taken_off_the_claim_is_undone_before_it_comes_back() {
    let (mut kit, _, _, id, attempt) = failed(declined(FailureClass::Bank));
    kit.answer(attempt, success(DAY));
    let own = |kit: &Kit, subject| kit.state.institution(subject, Currency::Cny).unwrap();
    let (bank, claimed) = (own(&kit, Subject::OwnBank), own(&kit, Subject::Shortages));
    let paid = PostVoucher {
        business: BusinessNumber::Text("paid-by-the-merchant".to_string().into_boxed_str()),
        event: EventCode::Transfer,
        date: None,
        entries: vec![Entry::debit(bank, 4_990, Currency::Cny), Entry::credit(claimed, 4_990, Currency::Cny)],
        dimensions: None,
    };
    kit.approved(Command::PostVoucher(paid));
    kit.approved(settle(id).into());
    kit.refused(came_back(id), RefusalCode::InsufficientFunds);
    assert_eq!(kit.state.advance(id).unwrap().status, AdvanceStatus::Failed);
}
