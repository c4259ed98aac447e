//! Top-ups: each answer with its entries, and what the clearing file makes of them.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::book::Side;
use crate::clearing::{ClearingLine, DifferenceKind, LineKind};
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::restriction::Restriction;
use crate::testkit::wallets::{asks, tops_up};
use crate::testkit::{Kit, date, declined, success};

const YUAN: Minor = 100;
const IN: Restriction = Restriction { in_barred: true, out_barred: false };

/// A top-up of 1,000 on its way: it and its account.
fn asked() -> (Kit, TopUpId, AccountId) {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Reply::TopUp(id) = kit.given(asks(tops_up(account, 1_000 * YUAN))) else { panic!("a top-up was made") };
    (kit, id, account)
}

#[track_caller]
fn status(kit: &Kit, id: TopUpId) -> TopUpStatus {
    kit.state.top_up(id).unwrap().status
}

fn line(kit: &Kit) -> ClearingLine {
    let attempt = kit.state.attempts.iter().last().unwrap().1;
    let (amount, currency) = attempt.operation.money();
    ClearingLine { serial: attempt.serial(), kind: LineKind::Debit, amount, currency }
}

#[test]
fn a_top_up_is_sent_arrives_and_clears() {
    let (mut kit, id, account) = asked();
    let attempt = kit.waiting();
    let (amount, currency) = (1_000 * YUAN, Currency::Cny);
    let agreement = "agreement-1".to_string();
    assert_eq!(attempt.operation, Operation::Debit { agreement, amount, currency });
    let row = kit.state.top_up(id).unwrap();
    assert_eq!((row.status, row.attempt), (TopUpStatus::Sent, Some(attempt.id)));
    assert_eq!(kit.balance(account), 0);
    kit.restore();

    kit.answered(success("2026-03-05"));
    let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
    assert_eq!(kit.last_voucher(), [(clearing, Side::Debit, amount), (account, Side::Credit, amount)]);
    let voucher = kit.posted().last().unwrap().clone();
    assert_eq!((voucher.event, voucher.business.to_string().as_str()), (EventCode::TopUp, "tup_1"));
    assert_eq!(voucher.dimensions.unwrap().clearing_date, Some(date("2026-03-05")));
    kit.books(&[(1121, amount)]);
    let row = kit.state.top_up(id).unwrap();
    assert_eq!((row.status, row.suspended, row.reference.as_deref()), (TopUpStatus::Success, false, Some("ref")));

    let lines = vec![line(&kit)];
    let file = kit.take_file(Rail::Epcc, "2026-03-05", lines);
    let file = kit.state.clearing(file).unwrap();
    assert_eq!((file.matched, file.different, file.debited), (1, 0, amount));
    kit.books(&[(1101, amount)]);
}

#[test]
fn a_company_account_is_topped_up_for_its_merchant() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let company = kit.state.merchant(agency).unwrap().company.unwrap();
    kit.given(asks(tops_up(company, 1_000 * YUAN)));
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.balance(company), 1_000 * YUAN);
    let dimensions = kit.posted().last().unwrap().dimensions.clone().unwrap();
    assert_eq!(dimensions.merchant, Some(agency));
}

#[test]
fn an_answer_that_does_not_come_leaves_it_unknown_until_one_does() {
    for (outcome, end, balance) in [
        (success("2026-03-06"), TopUpStatus::Success, 1_000 * YUAN),
        (declined(FailureClass::User), TopUpStatus::Failed, 0),
        (Outcome::NotFound, TopUpStatus::Failed, 0),
    ] {
        let (mut kit, id, account) = asked();
        let attempt = kit.answered(Outcome::Unknown).id;
        assert_eq!(status(&kit, id), TopUpStatus::Unknown);
        kit.answer(attempt, Outcome::Unknown);
        assert_eq!(kit.outbox().len(), 1);
        kit.answer(attempt, outcome);
        assert_eq!((status(&kit, id), kit.balance(account)), (end, balance));
    }
}

#[test]
fn a_failure_says_whose_and_a_late_success_is_taken_from_answer_and_file() {
    for by_file in [false, true] {
        let (mut kit, id, account) = asked();
        let attempt = kit.answered(declined(FailureClass::User)).id;
        let failure = kit.state.top_up(id).unwrap().failure.clone().unwrap();
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::User, "51"));
        kit.books(&[]);
        if by_file {
            let lines = vec![line(&kit)];
            let file = kit.take_file(Rail::Epcc, "2026-03-05", lines);
            assert_eq!(kit.state.clearing(file).unwrap().matched, 1);
        } else {
            kit.answer(attempt, success("2026-03-05"));
        }
        assert_eq!((status(&kit, id), kit.balance(account)), (TopUpStatus::Success, 1_000 * YUAN));
        assert_eq!(kit.state.top_up(id).unwrap().failure, None);
        let outcome = success("2026-03-05");
        kit.refused(Command::AnswerAttempt { attempt, outcome }, RefusalCode::AttemptState);
    }
}

#[test]
fn money_that_its_account_cannot_take_goes_to_suspense() {
    let stops: [fn(AccountId) -> Command; 2] =
        [Command::CloseAccount, |account| Command::RestrictAccount { account, restriction: IN }];
    for stop in stops {
        let (mut kit, id, account) = asked();
        kit.given(stop(account));
        kit.answered(success("2026-03-05"));
        let row = kit.state.top_up(id).unwrap();
        assert_eq!((row.status, row.suspended), (TopUpStatus::Success, true));
        assert_eq!(kit.posted().last().unwrap().event, EventCode::TopUpSuspended);
        kit.books(&[(1121, 1_000 * YUAN), (2241, 1_000 * YUAN)]);
    }
}

#[test]
fn a_top_up_that_no_file_shows_is_missing() {
    let (mut kit, _, _) = asked();
    kit.answered(success("2026-03-05"));
    let file = kit.take_file(Rail::Epcc, "2026-03-05", vec![]);
    let kinds: alloc::vec::Vec<_> =
        kit.state.clearing(file).unwrap().differences.iter().map(|difference| difference.kind).collect();
    assert_eq!(kinds, [DifferenceKind::Missing]);
}

#[test]
fn bad_input_is_refused() {
    let mut kit = Kit::new();
    let (account, closed, barred) = (kit.wallet(0), kit.wallet(0), kit.wallet(0));
    kit.given(Command::CloseAccount(closed));
    kit.given(Command::RestrictAccount { account: barred, restriction: IN });
    let landlord = kit.landlord();
    let available = kit.state.merchant(landlord).unwrap().available;
    let good = || tops_up(account, 100);
    let table = [
        (CreateTopUp { amount: 0, ..good() }, RefusalCode::AmountNotPositive),
        (CreateTopUp { amount: -1, ..good() }, RefusalCode::AmountNotPositive),
        (CreateTopUp { agreement: String::new(), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { agreement: "x".repeat(65), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { mask: "6222020200112230".to_string(), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { mask: "*".repeat(33), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { currency: Currency::Usd, ..good() }, RefusalCode::CurrencyMismatch),
        (CreateTopUp { account: AccountId(9_999), ..good() }, RefusalCode::AccountUnknown),
        (CreateTopUp { account: closed, ..good() }, RefusalCode::AccountClosed),
        (CreateTopUp { account: barred, ..good() }, RefusalCode::AccountRestricted),
        (CreateTopUp { account: available, ..good() }, RefusalCode::SubjectNotAllowed),
    ];
    for (command, code) in table {
        kit.refused(asks(command), code);
    }
    assert_eq!(kit.state.top_up(TopUpId(1)).unwrap_err().code, RefusalCode::TopUpUnknown);
    kit.given(asks(good()));
}
