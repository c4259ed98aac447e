//! Batches: the incident of 225 withdrawals, what is tried again and how often, what stays due.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::attempt::{Operation, Outcome};
use crate::bank_card::BankCardCommand;
use crate::block_list::{BlockListCommand, Blocked, RemoveBlock};
use crate::command::Command;
use crate::ids::{BankCardId, NoticeId, PayoutId};
use crate::notice::NoticeKind;
use crate::payout::{Destination, PayoutStatus, Receiver};
use crate::restriction::Restriction;
use crate::testkit::wallets::{bank, return_of, withdraws};
use crate::testkit::{Kit, court, date, declined, sealed, success};
use crate::withdrawal::{
    MAX_TRIES, MAX_TRIES_IN_BATCH, RETRY_AFTER_MS, Withdrawal, WithdrawalFailure, WithdrawalStatus,
};
use crate::withdrawal_plan::{PlanTerms, WithdrawalPlanCommand};

const YUAN: Minor = 100;

/// A person with 1,000 yuan and a plan.
fn planned() -> (Kit, AccountId, WithdrawalPlanId) {
    let mut kit = Kit::new();
    let account = kit.wallet(1_000 * YUAN);
    let plan = kit.plan(account);
    (kit, account, plan)
}

/// The same, its first try with the channel.
fn trying() -> (Kit, AccountId, WithdrawalPlanId) {
    let (mut kit, account, plan) = planned();
    kit.runs(1, &[account]);
    (kit, account, plan)
}

#[track_caller]
fn first(kit: &Kit) -> Withdrawal {
    kit.state.withdrawal(WithdrawalId(1)).unwrap().clone()
}

#[track_caller]
fn counts(kit: &Kit, id: WithdrawalBatchId) -> (u32, u32, u32, u32, u32) {
    let batch = kit.state.withdrawal_batch(id).unwrap();
    (batch.due, batch.made, batch.waiting, batch.refused, batch.taken_up)
}

fn notices(kit: &Kit) -> Vec<(WithdrawalId, NoticeKind, Option<String>)> {
    kit.state.notices.iter().map(|(_, notice)| (notice.withdrawal, notice.kind, notice.code.clone())).collect()
}

/// A code that says another try is worth it.
fn busy() -> Outcome {
    declined(FailureClass::System)
}

/// Lets the timer of the next try ring.
fn rings(kit: &mut Kit) {
    kit.later(RETRY_AFTER_MS);
    kit.given(Command::Tick);
}

#[test]
fn the_incident_225_due_with_the_enrichment_down_are_all_paid_once_by_the_next_batch_and_told_once() {
    let mut kit = Kit::new();
    let accounts: Vec<AccountId> = (0..225).map(|_| kit.wallet(1_000 * YUAN)).collect();
    for account in &accounts {
        kit.plan(*account);
    }
    // Half of the service answers nothing, half of the rest an empty name, as it once did.
    let empty = || Bank { name: String::new(), ..bank() };
    let half_down = accounts.iter().enumerate().filter_map(|(at, account)| match at % 4 {
        0 | 1 => None,
        2 => Some(Enriched { account: *account, bank: None, channel: None }),
        _ => Some(Enriched { account: *account, bank: Some(empty()), channel: None }),
    });
    let (date, number, enriched) = (kit.today(), 1, half_down.collect());
    let command = RunWithdrawalBatch { date, number, enriched };
    kit.given(Command::WithdrawalBatch(WithdrawalBatchCommand::Run(command)));
    assert_eq!(counts(&kit, WithdrawalBatchId(1)), (225, 0, 225, 0, 0));
    assert!(kit.outbox().is_empty(), "none was sent");
    assert_eq!((kit.state.payouts.iter().count(), kit.state.withdrawals.iter().count()), (0, 0), "none failed");
    assert!(notices(&kit).is_empty(), "nobody was told");
    assert_eq!(due(&kit.state, kit.today()).count(), 225, "all stay due");
    kit.restore();

    kit.on("2026-03-06");
    kit.runs(1, &accounts);
    assert_eq!(counts(&kit, WithdrawalBatchId(2)), (225, 225, 0, 0, 0));
    let mut serials = BTreeSet::new();
    for attempt in kit.outbox() {
        let Operation::Pay { amount, bank: named, .. } = &attempt.operation else { panic!("a payment was asked") };
        assert_eq!((*amount, named), (1_000 * YUAN, &Some(bank())), "each request names its bank");
        assert!(serials.insert(attempt.serial()), "{} was given twice", attempt.serial());
    }
    assert_eq!(serials.len(), 225);
    assert!(notices(&kit).is_empty(), "what is on its way is not told");
    kit.restore();
    assert_eq!(kit.answers_all(&success("2026-03-06")), 225);

    kit.runs(2, &accounts);
    assert_eq!(counts(&kit, WithdrawalBatchId(3)), (0, 0, 0, 0, 0), "nothing is paid twice");
    assert!(accounts.iter().all(|account| kit.balance(*account) == 0));
    let told: BTreeSet<WithdrawalId> = kit.state.notices.iter().map(|(_, notice)| notice.withdrawal).collect();
    assert_eq!((told.len(), kit.state.notices.iter().count()), (225, 225), "each was told once");
    assert!(notices(&kit).iter().all(|(_, kind, _)| *kind == NoticeKind::WithdrawalSucceeded));
}

#[test]
fn a_settlement_plan_withdraws_with_its_fee_and_tells_the_merchants_customer() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000 * YUAN);
    let plan = kit.plan(account);
    let terms = PlanTerms { keep: 3_999 * YUAN, minimum: 100 * YUAN, fee: YUAN };
    kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::Change { plan, terms }));
    let batch = kit.runs(1, &[account]);
    assert_eq!(kit.state.withdrawal_batch(batch).unwrap().amount, 1_000 * YUAN);
    assert_eq!(kit.own(crate::book::Subject::PayoutTransit), 1_001 * YUAN);
    kit.answered(success("2026-03-05"));
    kit.books(&[(1121, 4_000 * YUAN), (2291, YUAN), (1291, YUAN), (5001, YUAN)]);
    let notice = kit.state.notice(NoticeId(1)).unwrap().clone();
    let told = (notice.customer, notice.amount, notice.mask.as_str());
    assert_eq!(told, (kit.holder(account), 1_000 * YUAN, "6222**********0001"));
    assert_eq!(first(&kit).status, WithdrawalStatus::Success);
}

#[test]
fn a_retry_is_built_from_the_snapshot_alone() {
    let (mut kit, account, _) = trying();
    let before = first(&kit).snapshot;
    let old = kit.answered(busy());
    kit.fund(account, 700 * YUAN);
    assert_eq!(
        (first(&kit).status, first(&kit).retry_at),
        (WithdrawalStatus::Waiting, Some(kit.now.plus_ms(RETRY_AFTER_MS)))
    );
    assert!(kit.outbox().is_empty(), "not at once");
    kit.restore();
    kit.later(RETRY_AFTER_MS - 1);
    kit.given(Command::Tick);
    assert!(kit.outbox().is_empty(), "not before its time");
    kit.later(1);
    kit.given(Command::Tick);
    let next = kit.waiting();
    assert_eq!(next.operation, old.operation, "the same request");
    assert_ne!(next.serial(), old.serial(), "under its own serial");
    assert_eq!(first(&kit).snapshot, before);
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.balance(account), 700 * YUAN);
    assert_eq!(notices(&kit), [(WithdrawalId(1), NoticeKind::WithdrawalSucceeded, None)]);
    assert_eq!(first(&kit).tries.len(), 2);
}

#[test]
fn while_the_last_try_is_unknown_nothing_is_sent() {
    let (mut kit, account, _) = trying();
    let attempt = kit.answered(Outcome::Unknown).id;
    kit.restore();
    rings(&mut kit);
    let batch = kit.runs(2, &[account]);
    assert_eq!(counts(&kit, batch), (0, 0, 0, 0, 0));
    kit.on("2026-03-06");
    let batch = kit.runs(1, &[account]);
    assert_eq!(counts(&kit, batch), (0, 0, 0, 0, 0));
    assert_eq!((kit.waiting().id, kit.state.attempts.iter().count()), (attempt, 1));
    assert!(notices(&kit).is_empty());
    // Only when the query says that it was never there does the next try follow.
    kit.answer(attempt, Outcome::NotFound);
    assert_eq!(first(&kit).status, WithdrawalStatus::Waiting);
    rings(&mut kit);
    assert_eq!(kit.waiting().id.0, 2);
}

#[test]
fn only_what_is_worth_it_is_tried_again() {
    let rule = |code: &str, retryable| {
        Command::WithdrawalBatch(WithdrawalBatchCommand::SetRetryRule { code: code.to_string(), retryable })
    };
    let table = [
        (FailureClass::System, None, true),
        (FailureClass::User, None, false),
        (FailureClass::Risk, None, false),
        (FailureClass::Bank, None, false),
        (FailureClass::Bank, Some(true), true),
        (FailureClass::System, Some(false), false),
    ];
    for (class, set, again) in table {
        let (mut kit, account, _) = trying();
        if let Some(retryable) = set {
            kit.given(rule("51", !retryable));
            kit.given(rule("52", !retryable));
            kit.given(rule("51", retryable));
            assert_eq!(kit.state.retry_rules.iter().count(), 2);
            let row = kit.state.retry_rule(RetryRuleId(1)).unwrap();
            assert_eq!((row.code.as_str(), row.retryable, row.set_by.as_str()), ("51", retryable, "tester"));
            kit.restore();
        }
        kit.answered(declined(class));
        let status = if again { WithdrawalStatus::Waiting } else { WithdrawalStatus::Failed };
        assert_eq!(first(&kit).status, status, "{class:?} {set:?}");
        let code = Some("51".to_string());
        let told = if again { vec![] } else { vec![(WithdrawalId(1), NoticeKind::WithdrawalFailed, code)] };
        assert_eq!(notices(&kit), told);
        assert_eq!(kit.balance(account), 1_000 * YUAN);
    }
    let mut kit = Kit::new();
    kit.refused(rule("", true), RefusalCode::ValueInvalid);
    assert_eq!(kit.state.retry_rule(RetryRuleId(1)).unwrap_err().code, RefusalCode::RetryRuleUnknown);
}

#[test]
fn tries_are_capped_in_a_batch_and_in_all_then_the_customer_is_told() {
    let (mut kit, account, _) = trying();
    let days = ["2026-03-06", "2026-03-07"];
    let in_batch = |kit: &mut Kit| {
        for _ in 1..MAX_TRIES_IN_BATCH {
            kit.answered(busy());
            rings(kit);
        }
        kit.answered(busy());
    };
    for day in days {
        in_batch(&mut kit);
        assert_eq!((first(&kit).status, first(&kit).retry_at), (WithdrawalStatus::Carried, None));
        rings(&mut kit);
        assert!(kit.outbox().is_empty() && notices(&kit).is_empty());
        kit.restore();
        kit.on(day);
        // The snapshot has its bank: nothing is asked of the enrichment again.
        let batch = kit.runs(1, &[]);
        assert_eq!(counts(&kit, batch), (0, 0, 0, 0, 1));
        assert_eq!(first(&kit).batch, batch);
    }
    in_batch(&mut kit);
    assert_eq!((first(&kit).status, first(&kit).tries.len()), (WithdrawalStatus::Failed, MAX_TRIES));
    assert_eq!(notices(&kit), [(WithdrawalId(1), NoticeKind::WithdrawalFailed, Some("51".to_string()))]);
    assert_eq!(kit.balance(account), 1_000 * YUAN);
    let serials: BTreeSet<String> = kit.state.attempts.iter().map(|(_, attempt)| attempt.serial()).collect();
    assert_eq!(serials.len(), MAX_TRIES);
    rings(&mut kit);
    assert!(kit.outbox().is_empty());
    // Another day it is due anew, as a withdrawal of its own.
    kit.on("2026-03-08");
    kit.runs(1, &[account]);
    assert_eq!(kit.state.withdrawal(WithdrawalId(2)).unwrap().made_by, WithdrawalBatchId(4));
}

#[test]
fn a_try_that_may_not_be_made_any_more_ends_the_withdrawal() {
    type Change = fn(&mut Kit, AccountId, WithdrawalPlanId);
    let suspend: Change = |kit, _, plan| {
        kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::Suspend(plan)));
    };
    let end: Change = |kit, _, plan| {
        kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::End(plan)));
    };
    let spend: Change = |kit, account, _| {
        kit.pays_out(withdraws(account, 1, 0));
    };
    let block: Change = |kit, account, _| {
        kit.blocks(Blocked::Customer(kit.holder(account)));
    };
    let bar: Change = |kit, account, _| {
        let restriction = Restriction { in_barred: false, out_barred: true };
        kit.given(Command::RestrictAccount { account, restriction });
    };
    let table = [
        (spend, "insufficient_funds"),
        (block, "blocked"),
        (suspend, "withdrawal_plan_state"),
        (end, "withdrawal_plan_state"),
        (bar, "account_restricted"),
    ];
    for (change, code) in table {
        let (mut kit, account, plan) = trying();
        kit.answered(busy());
        change(&mut kit, account, plan);
        let waiting = kit.outbox().len();
        rings(&mut kit);
        assert_eq!(kit.outbox().len(), waiting, "{code}");
        assert_eq!(first(&kit).failure.unwrap(), WithdrawalFailure { class: None, code: code.to_string() });
        assert_eq!(notices(&kit), [(WithdrawalId(1), NoticeKind::WithdrawalFailed, Some(code.to_string()))]);
    }
}

#[test]
fn a_settlement_account_that_was_replaced_takes_no_retry_of_the_old_one() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000 * YUAN);
    kit.plan(account);
    kit.runs(1, &[account]);
    kit.answered(busy());
    let other = crate::merchant::SettlementAccount { account: sealed("6222**0009"), name: sealed("*四") };
    kit.given(Command::VerifySettlementAccount { merchant, replacement: Some(other) });
    rings(&mut kit);
    assert!(kit.outbox().is_empty());
    assert_eq!(first(&kit).failure.unwrap().code, "receiver_not_allowed");
}

#[test]
fn what_is_refused_stays_due_and_the_batch_lists_it() {
    let (mut kit, account, plan) = planned();
    let (frozen, stopped) = (kit.wallet(1_000 * YUAN), kit.wallet(2_000 * YUAN));
    let stopped_plan = kit.plan(stopped);
    kit.plan(frozen);
    kit.given(Command::PlaceFreeze(court(frozen, 400 * YUAN)));
    let returned = kit.pays_out(withdraws(stopped, YUAN, 0));
    kit.answered(success("2026-03-05"));
    kit.given(return_of(returned));
    let entry = kit.blocks(Blocked::Customer(kit.holder(account)));

    let batch = kit.runs(1, &[account, frozen, stopped]);
    assert_eq!(counts(&kit, batch), (3, 1, 0, 2, 0));
    let row = kit.state.withdrawal_batch(batch).unwrap();
    let refused = |plan, code| RefusedPlan { plan, code };
    assert_eq!(row.refusals, [refused(plan, RefusalCode::Blocked), refused(stopped_plan, RefusalCode::CardStopped)]);
    assert_eq!(row.amount, 600 * YUAN, "what is frozen stays");
    assert!(notices(&kit).is_empty());

    kit.answered(success("2026-03-05"));
    kit.approved(Command::BlockList(BlockListCommand::Remove(RemoveBlock { entry, reason: String::from("mistaken") })));
    kit.given(Command::BankCard(BankCardCommand::Verify(BankCardId(1))));
    let batch = kit.runs(2, &[account, frozen, stopped]);
    assert_eq!(counts(&kit, batch), (2, 2, 0, 0, 0));
}

#[test]
fn a_withdrawal_that_comes_back_is_told_and_stops_its_card_until_it_is_verified() {
    let (mut kit, account, plan) = trying();
    kit.answered(success("2026-03-05"));
    kit.on("2026-03-09");
    kit.given(return_of(PayoutId(1)));
    assert_eq!(first(&kit).status, WithdrawalStatus::Returned);
    let kinds: Vec<_> = notices(&kit).into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds, [NoticeKind::WithdrawalSucceeded, NoticeKind::WithdrawalReturned]);
    assert_eq!(kit.balance(account), 1_000 * YUAN);
    let batch = kit.runs(1, &[account]);
    let refusals = kit.state.withdrawal_batch(batch).unwrap().refusals.clone();
    assert_eq!(refusals, [RefusedPlan { plan, code: RefusalCode::CardStopped }]);
    kit.given(Command::BankCard(BankCardCommand::Verify(BankCardId(1))));
    kit.restore();
    let batch = kit.runs(2, &[account]);
    assert_eq!(counts(&kit, batch), (1, 1, 0, 0, 0));
}

#[test]
fn a_plan_is_taken_once_a_day_and_a_batch_is_run_once() {
    let (mut kit, account, _) = trying();
    kit.answered(success("2026-03-05"));
    kit.fund(account, 500 * YUAN);
    let again = kit.batch(1, &[account]);
    kit.refused(again, RefusalCode::AlreadyExists);
    let gap = kit.batch(3, &[account]);
    kit.refused(gap, RefusalCode::ValueInvalid);
    kit.restore();
    let zero = kit.batch(0, &[account]);
    kit.refused(zero, RefusalCode::ValueInvalid);
    let batch = kit.runs(2, &[account]);
    assert_eq!(counts(&kit, batch), (0, 0, 0, 0, 0), "taken today already");
    kit.on("2026-03-06");
    let batch = kit.runs(1, &[account]);
    assert_eq!(counts(&kit, batch), (1, 1, 0, 0, 0));
    let paid: Vec<Minor> = kit.state.payouts.iter().map(|(_, payout)| payout.amount).collect();
    assert_eq!(paid, [1_000 * YUAN, 500 * YUAN]);
}

#[test]
fn class_one_bounds_automatic_withdrawals_too() {
    let (mut kit, account, plan) = planned();
    kit.classed(account, crate::limit::AccountClass::One);
    kit.fund(account, 1);
    let batch = kit.runs(1, &[account]);
    let refusals = kit.state.withdrawal_batch(batch).unwrap().refusals.clone();
    assert_eq!(refusals, [RefusedPlan { plan, code: RefusalCode::LimitExceeded }]);
}

#[test]
fn bad_batches_are_refused() {
    let (mut kit, account, _) = planned();
    let run = |date, enriched| {
        let number = 1;
        Command::WithdrawalBatch(WithdrawalBatchCommand::Run(RunWithdrawalBatch { date, number, enriched }))
    };
    let one = Enriched { account, bank: Some(bank()), channel: None };
    let table = [
        (run(date("2026-03-04"), vec![]), RefusalCode::DayClosed),
        (run(date("2026-03-06"), vec![]), RefusalCode::DayNotOpen),
        (run(date("2026-03-05"), vec![one.clone(), one.clone()]), RefusalCode::ValueInvalid),
        (run(date("2026-03-05"), vec![one; MAX_ENRICHED + 1]), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        kit.refused(command, code);
    }
    assert_eq!(kit.state.withdrawal_batch(WithdrawalBatchId(1)).unwrap_err().code, RefusalCode::WithdrawalBatchUnknown);
    assert_eq!(kit.state.withdrawal(WithdrawalId(1)).unwrap_err().code, RefusalCode::WithdrawalUnknown);
    assert_eq!(kit.state.notice(NoticeId(1)).unwrap_err().code, RefusalCode::NoticeUnknown);
}

#[test]
fn a_bank_without_name_or_number_is_no_bank() {
    let good = bank();
    assert!(good.is_valid());
    let of = |name: &str, code: &str| Bank { name: name.to_string(), code: code.to_string() };
    for bad in [of("", &good.code), of(" ", &good.code), of(&"x".repeat(129), &good.code), of(&good.name, "")] {
        assert!(!bad.is_valid(), "{bad:?}");
    }
    for code in ["31329000001", "3132900000177", "31329000001x"] {
        assert!(!of(&good.name, code).is_valid(), "{code}");
    }
}

#[test]
fn every_try_leaves_by_the_channel_that_the_snapshot_names() {
    let (mut kit, account, _) = planned();
    let enriched = vec![Enriched { account, bank: Some(bank()), channel: Some("b".to_string()) }];
    let run = RunWithdrawalBatch { date: kit.today(), number: 1, enriched };
    kit.given(Command::WithdrawalBatch(WithdrawalBatchCommand::Run(run)));
    let snapshot = first(&kit).snapshot;
    assert_eq!(snapshot.channel_name().to_string(), "epcc_b");
    // A field more than before, and none where the first channel is meant.
    for (channel, length) in [(Some("b".to_string()), 0x88), (None, 0x86)] {
        let snapshot = Snapshot { channel, ..snapshot.clone() };
        let bytes = minicbor::to_vec(&snapshot).unwrap();
        assert_eq!((bytes[0], minicbor::decode::<Snapshot>(&bytes).unwrap()), (length, snapshot));
    }
    assert_eq!(kit.answered(busy()).channel.as_deref(), Some("b"));
    kit.restore();
    rings(&mut kit);
    assert_eq!(kit.waiting().channel.as_deref(), Some("b"), "what failed goes on to no other channel");
    let wrong = Snapshot { channel: Some("B".to_string()), ..snapshot };
    assert_eq!(wrong.validate().unwrap_err().code, RefusalCode::ValueInvalid);
}

#[test]
fn a_snapshot_that_no_request_can_be_built_from_is_never_sent() {
    let (kit, ..) = trying();
    let good = first(&kit).snapshot;
    assert!(good.validate().is_ok());
    let Destination::Bank(receiver) = good.destination.clone() else { panic!("it goes to a card") };
    let mut empty = receiver.account.clone();
    empty.ciphertext.clear();
    let bad = [
        Snapshot { bank: Bank { name: String::new(), ..bank() }, ..good.clone() },
        Snapshot {
            destination: Destination::Bank(Receiver { account: empty.clone(), ..receiver.clone() }),
            ..good.clone()
        },
        Snapshot { destination: Destination::Bank(Receiver { name: empty, ..receiver }), ..good.clone() },
        Snapshot { destination: Destination::Company(AccountId(1)), ..good },
    ];
    for snapshot in bad {
        assert_eq!(snapshot.validate().unwrap_err().code, RefusalCode::ValueInvalid, "{snapshot:?}");
    }
    assert_eq!(kit.state.payout(PayoutId(1)).unwrap().status, PayoutStatus::Sent);
}
