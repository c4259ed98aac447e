//! Top-ups: each answer with its entries, and what the clearing file makes of them.

use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::book::Side;
use crate::clearing::{ClearingLine, DifferenceKind, LineKind};
use crate::command::Command;
use crate::front_page::{PAGE_MS, PageOf};
use crate::ids::{ApprovalId, ClearingId, SuspenseId};
use crate::merchant::MerchantKind;
use crate::restriction::Restriction;
use crate::suspense::AllocateSuspense;
use crate::task::{Claim, SettleTask, TaskCommand, TaskOf, actions_of_suspense, waits_since};
use crate::testkit::wallets::{asks, tops_up, tops_up_by_page, under};
use crate::testkit::{Kit, date, declined, success};

const DAY: &str = "2026-03-05";
const YUAN: Minor = 100;
const AMOUNT: Minor = 1_000 * YUAN;
const IN: Restriction = Restriction { in_barred: true, out_barred: false };

/// A top-up of 1,000 on its way: it and its account.
fn asked() -> (Kit, TopUpId, AccountId) {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Reply::TopUp(id) = kit.given(asks(tops_up(account, 1_000 * YUAN))) else { panic!("a top-up was made") };
    (kit, id, account)
}

fn hands_out(id: TopUpId) -> Command {
    Command::HandOutPage { of: PageOf::TopUp(id), site: None }
}

fn gives_up(id: TopUpId) -> Command {
    Command::TopUp(TopUpCommand::Close(id))
}

/// A top-up of 1,000 whose payer has UnionPay's page: it, its account and its attempt.
fn at_the_page() -> (Kit, TopUpId, AccountId, AttemptId) {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Reply::TopUp(id) = kit.given(asks(tops_up_by_page(account, AMOUNT))) else { panic!("a top-up was made") };
    let Reply::Attempt(page) = kit.given(hands_out(id)) else { panic!("the reply names the attempt") };
    (kit, id, account, page)
}

#[track_caller]
fn failure(kit: &Kit, id: TopUpId) -> (FailureClass, String) {
    let failure = kit.state.top_up(id).unwrap().failure.clone().unwrap();
    (failure.class, failure.code)
}

/// The channel's file of the day says that a top-up's attempt brought so much.
fn file_says(kit: &mut Kit, attempt: AttemptId, amount: Minor) -> ClearingId {
    let attempt = kit.state.attempt(attempt).unwrap();
    let (serial, rail) = (attempt.serial(), attempt.rail);
    let line = ClearingLine { serial, kind: LineKind::Debit, amount, currency: Currency::Cny, reference: None };
    kit.take_file(rail, DAY, vec![line])
}

#[track_caller]
fn status(kit: &Kit, id: TopUpId) -> TopUpStatus {
    kit.state.top_up(id).unwrap().status
}

fn line(kit: &Kit) -> ClearingLine {
    let attempt = kit.state.attempts.iter().last().unwrap().1;
    let (amount, currency) = attempt.operation.money();
    ClearingLine { serial: attempt.serial(), kind: LineKind::Debit, amount, currency, reference: None }
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
    let shown = |rail, mask: &str| {
        let (agreement, mask) = (String::from("agreement-1"), String::from(mask));
        TopUpFrom::Agreement { rail, agreement, mask, channel: None }
    };
    let at_page = |rail, url: Option<&str>| TopUpFrom::Page { rail, return_url: url.map(String::from), channel: None };
    let table = [
        (CreateTopUp { amount: 0, ..good() }, RefusalCode::AmountNotPositive),
        (CreateTopUp { amount: -1, ..good() }, RefusalCode::AmountNotPositive),
        (CreateTopUp { from: under(""), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { from: under(&"x".repeat(65)), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { from: shown(Rail::Epcc, "6222020200112230"), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { from: shown(Rail::UnionPay, &"*".repeat(33)), ..good() }, RefusalCode::ValueInvalid),
        (CreateTopUp { from: shown(Rail::PingAn, "6222"), ..good() }, RefusalCode::InstrumentNotAllowed),
        (CreateTopUp { from: at_page(Rail::Fund, None), ..good() }, RefusalCode::InstrumentNotAllowed),
        (CreateTopUp { from: at_page(Rail::OwnBank, None), ..good() }, RefusalCode::InstrumentNotAllowed),
        (CreateTopUp { from: at_page(Rail::Epcc, Some("shop.example")), ..good() }, RefusalCode::ValueInvalid),
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
    kit.refused(gives_up(TopUpId(1)), RefusalCode::TopUpUnknown);
    kit.refused(hands_out(TopUpId(1)), RefusalCode::TopUpUnknown);
    kit.given(asks(good()));
}

#[test]
fn a_card_is_debited_over_unionpay_too() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let (agreement, mask) = (String::from("token-1"), String::from("622202******1234"));
    let from = TopUpFrom::Agreement { rail: Rail::UnionPay, agreement: agreement.clone(), mask, channel: None };
    let Reply::TopUp(id) = kit.given(asks(CreateTopUp { from, ..tops_up(account, AMOUNT) })) else {
        panic!("a top-up was made")
    };
    let attempt = kit.waiting();
    assert_eq!((attempt.rail, kit.state.top_up(id).unwrap().rail()), (Rail::UnionPay, Rail::UnionPay));
    assert_eq!(attempt.operation, Operation::Debit { agreement, amount: AMOUNT, currency: Currency::Cny });
    kit.restore();
    kit.answered(success(DAY));
    kit.books(&[(1122, AMOUNT)]);
    let dimensions = kit.posted().last().unwrap().dimensions.clone().unwrap();
    assert_eq!((dimensions.channel.as_deref(), kit.balance(account)), (Some("unionpay"), AMOUNT));
}

#[test]
fn a_page_is_handed_out_and_its_payment_is_credited_once() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let return_url = Some(String::from("https://shop.example/wallet"));
    let from = TopUpFrom::Page { rail: Rail::UnionPay, return_url: return_url.clone(), channel: None };
    let Reply::TopUp(id) = kit.given(asks(CreateTopUp { from, ..tops_up(account, AMOUNT) })) else {
        panic!("a top-up was made")
    };
    let expires_at = kit.now.plus_ms(PAGE_MS);
    let page = kit.waiting();
    assert_eq!(page.operation, Operation::Redirect { amount: AMOUNT, currency: Currency::Cny, expires_at, return_url });
    let row = kit.state.top_up(id).unwrap();
    assert_eq!((row.status, row.allowed_actions(&kit.state)), (TopUpStatus::Sent, vec!["front_page", "close"]));
    assert_eq!((row.page_ends(&kit.state), row.agreement.as_str()), (Some(expires_at), ""));

    for site in ["beijing", "shanghai"] {
        kit.given(Command::HandOutPage {
            of: PageOf::TopUp(id),
            site: Some((Rail::UnionPay.into(), String::from(site))),
        });
        assert_eq!((status(&kit, id), kit.waiting().page_site.as_deref()), (TopUpStatus::Unknown, Some("beijing")));
        kit.restore();
    }
    kit.answer(page.id, success(DAY));
    let again = Command::AnswerAttempt { attempt: page.id, outcome: success(DAY) };
    kit.refused(again, RefusalCode::AttemptState);
    let row = kit.state.top_up(id).unwrap();
    assert_eq!(
        (row.status, kit.balance(account), row.allowed_actions(&kit.state)),
        (TopUpStatus::Success, AMOUNT, vec![])
    );
    kit.refused(hands_out(id), RefusalCode::TopUpState);
    kit.refused(gives_up(id), RefusalCode::TopUpState);
    let file = file_says(&mut kit, page.id, AMOUNT);
    assert_eq!(kit.state.clearing(file).unwrap().matched, 1);
    kit.books(&[(1101, AMOUNT)]);
}

#[test]
fn a_page_that_nobody_fetched_expires_by_itself() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Reply::TopUp(id) = kit.given(asks(tops_up_by_page(account, AMOUNT))) else { panic!("a top-up was made") };
    kit.later(PAGE_MS - 1);
    kit.given(Command::Tick);
    assert_eq!(status(&kit, id), TopUpStatus::Sent);
    kit.later(1);
    kit.restore();
    kit.given(Command::Tick);
    assert_eq!(
        (status(&kit, id), failure(&kit, id)),
        (TopUpStatus::Failed, (FailureClass::User, "page_expired".into()))
    );
    assert!(kit.outbox().is_empty() && kit.state.timers.is_empty());
}

#[test]
fn who_never_pays_fails_by_the_channels_word_and_who_pays_after_that_is_credited() {
    let (mut kit, id, account, page) = at_the_page();
    kit.later(PAGE_MS);
    kit.given(Command::Tick);
    kit.refused(hands_out(id), RefusalCode::TopUpState);
    assert_eq!(status(&kit, id), TopUpStatus::Unknown, "no clock ends what may have been paid");
    kit.answer(page, Outcome::NotFound);
    assert_eq!(
        (status(&kit, id), failure(&kit, id)),
        (TopUpStatus::Failed, (FailureClass::User, "page_expired".into()))
    );
    kit.books(&[]);
    kit.answer(page, success(DAY));
    assert_eq!((status(&kit, id), kit.balance(account)), (TopUpStatus::Success, AMOUNT));
    assert_eq!(kit.state.top_up(id).unwrap().failure, None);
    let again = Command::AnswerAttempt { attempt: page, outcome: success(DAY) };
    kit.refused(again, RefusalCode::AttemptState);
    kit.books(&[(1122, AMOUNT)]);
}

#[test]
fn one_that_nobody_has_is_given_up_at_once() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Reply::TopUp(id) = kit.given(asks(tops_up_by_page(account, AMOUNT))) else { panic!("a top-up was made") };
    kit.given(gives_up(id));
    assert_eq!((status(&kit, id), failure(&kit, id)), (TopUpStatus::Failed, (FailureClass::User, "closed".into())));
    assert!(!kit.state.top_up(id).unwrap().is_closing() && kit.outbox().is_empty() && kit.state.timers.is_empty());

    // A debit under an agreement is the channel's to answer: nobody gives it up.
    let Reply::TopUp(debit) = kit.given(asks(tops_up(account, AMOUNT))) else { panic!("a top-up was made") };
    kit.refused(gives_up(debit), RefusalCode::TopUpState);
    kit.refused(hands_out(debit), RefusalCode::TopUpState);
}

#[test]
fn one_that_is_given_up_at_the_page_ends_by_the_channels_word() {
    for (outcome, end, balance) in [
        (Outcome::NotFound, TopUpStatus::Failed, 0),
        (declined(FailureClass::Bank), TopUpStatus::Failed, 0),
        (success(DAY), TopUpStatus::Success, AMOUNT),
    ] {
        let (mut kit, id, account, page) = at_the_page();
        kit.given(gives_up(id));
        let row = kit.state.top_up(id).unwrap();
        assert!(row.is_closing() && row.allowed_actions(&kit.state).is_empty());
        kit.refused(gives_up(id), RefusalCode::TopUpState);
        kit.refused(hands_out(id), RefusalCode::TopUpState);
        kit.restore();
        let is_late = outcome == Outcome::NotFound;
        kit.answer(page, outcome);
        assert_eq!((status(&kit, id), kit.balance(account)), (end, balance));
        assert!(!kit.state.top_up(id).unwrap().is_closing());
        if is_late {
            assert_eq!(failure(&kit, id), (FailureClass::User, "closed".into()));
            // The payer paid after all: the money is theirs.
            kit.answer(page, success(DAY));
            assert_eq!((status(&kit, id), kit.balance(account)), (TopUpStatus::Success, AMOUNT));
            kit.books(&[(1122, AMOUNT)]);
        }
    }
}

#[test]
fn money_of_another_amount_goes_through_2243_and_back() {
    for (amount, first) in [(AMOUNT + YUAN, None), (YUAN, Some(Outcome::NotFound))] {
        let (mut kit, id, account, page) = at_the_page();
        if let Some(outcome) = first {
            kit.answer(page, outcome);
        }
        let file = file_says(&mut kit, page, amount);
        let file = kit.state.clearing(file).unwrap();
        let kinds: alloc::vec::Vec<_> = file.differences.iter().map(|difference| difference.kind).collect();
        assert_eq!((kinds, file.matched, file.debited), (vec![DifferenceKind::OtherContent], 1, amount));
        assert_eq!((status(&kit, id), kit.balance(account)), (TopUpStatus::Failed, 0));
        kit.books(&[(1101, amount), (2211, amount)]);
        assert!(kit.posted().any(|voucher| voucher.event == EventCode::RefundDue));
        let asked = kit.waiting();
        let original = kit.state.attempt(page).unwrap().serial();
        assert_eq!(asked.operation, Operation::Refund { original, amount, currency: Currency::Cny });
        assert_eq!(crate::outflow::agree(&kit.state, &asked), Ok(()));
        kit.answered(Outcome::Unknown);
        kit.restore();
        kit.answer(asked.id, success(DAY));
        assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Success);
        kit.books(&[(1101, amount), (1122, -amount)]);
        let again = Command::AnswerAttempt { attempt: page, outcome: success(DAY) };
        kit.refused(again, RefusalCode::AttemptState);
    }
}

#[test]
fn money_of_another_amount_that_its_source_refuses_lies_in_suspense() {
    let (mut kit, id, account, page) = at_the_page();
    file_says(&mut kit, page, YUAN);
    let asked = kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Failed);
    assert_eq!(kit.balance(account), 0);
    kit.books(&[(1101, YUAN), (2241, YUAN)]);
    // It took it back after all: the item that waits for people leaves suspense.
    kit.restore();
    kit.answer(asked.id, success(DAY));
    assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Success);
    kit.books(&[(1101, YUAN), (1122, -YUAN)]);
    assert_eq!(kit.state.open_suspense_items().count(), 0);
    kit.restore();
    let again = Command::AnswerAttempt { attempt: asked.id, outcome: success(DAY) };
    kit.refused(again, RefusalCode::AttemptState);
    let stranger = Attempt { purpose: Purpose::TopUp(TopUpId(99)), ..asked };
    assert_eq!(crate::outflow::agree(&kit.state, &stranger), Err(crate::outflow::Disagreement::Object));
}

#[test]
fn what_its_source_took_back_after_people_had_allocated_it_is_owed_by_its_bank() {
    let (mut kit, id, account, page) = at_the_page();
    kit.people();
    file_says(&mut kit, page, YUAN);
    let asked = kit.answered(declined(FailureClass::Bank));
    let (item, task) = (SuspenseId(1), TaskOf::Suspense(SuspenseId(1)));
    let allocate = AllocateSuspense { item, to: account, amount: Some(1), session: None };
    kit.decided("accountant", Proposal::SuspenseAllocation(allocate));
    kit.answer(asked.id, success(DAY));
    assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Failed);
    assert_eq!(kit.balance(account), 1);
    let owed = [(1101, YUAN), (1122, -YUAN), (1131, YUAN), (2241, YUAN - 1)];
    kit.books(&owed);
    kit.posted_once();
    kit.restore();
    let row = kit.state.suspense_item(item).unwrap();
    assert_eq!((row.claim, actions_of_suspense(row)), (Some(Claim::Open), &["settle"][..]));
    assert_eq!(waits_since(&kit.state, task), Some(row.opened_at));
    kit.refused(Command::Task(TaskCommand::Retry(task)), RefusalCode::TaskState);

    let approval = ApprovalId(9);
    let settles = || Command::from(SettleTask { task, voucher: None, amount: None });
    assert_eq!(kit.when_approved_as(approval, settles()), Ok(Reply::Task(task)));
    kit.restore();
    let row = kit.state.suspense_item(item).unwrap();
    assert_eq!((row.claim, row.settled_by), (Some(Claim::Settled(approval)), Some(approval)));
    assert!(actions_of_suspense(row).is_empty());
    assert_eq!(kit.when_approved_as(approval, settles()).unwrap_err().code, RefusalCode::TaskState);
    // What it owes, and what still lies in suspense, are for people to set against each other.
    kit.books(&owed);
}

/// Another item lies in suspense too, so 2241 has enough, and the item has not.
#[test]
fn what_lies_in_suspense_of_others_is_not_taken_for_what_people_allocated() {
    let (mut kit, id, account, page) = at_the_page();
    kit.people();
    file_says(&mut kit, page, YUAN);
    let asked = kit.answered(declined(FailureClass::Bank));
    kit.given(asks(tops_up(account, AMOUNT)));
    let debit = kit.waiting();
    file_says(&mut kit, debit.id, 5 * YUAN);
    kit.answered(declined(FailureClass::Bank));
    let allocate = AllocateSuspense { item: SuspenseId(1), to: account, amount: Some(1), session: None };
    kit.decided("accountant", Proposal::SuspenseAllocation(allocate));
    kit.answer(asked.id, success(DAY));
    assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Failed);
    let claims = [1, 2].map(|item| kit.state.suspense_item(SuspenseId(item)).unwrap().claim);
    assert_eq!(claims, [Some(Claim::Open), None]);
    kit.books(&[(1101, 6 * YUAN), (1122, -YUAN), (1131, YUAN), (2241, 6 * YUAN - 1)]);
    kit.restore();
}

#[test]
fn what_bars_its_voucher_but_a_lack_in_suspense_is_no_claim_on_its_bank() {
    let (mut kit, id, _, page) = at_the_page();
    file_says(&mut kit, page, YUAN);
    let asked = kit.answered(declined(FailureClass::Bank));
    // No command bars an account of the institution.
    let suspense = kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    kit.state.account_row(suspense).restriction = Restriction { in_barred: false, out_barred: true };
    let late = Command::AnswerAttempt { attempt: asked.id, outcome: success(DAY) };
    kit.refused(late, RefusalCode::AccountRestricted);
    kit.books(&[(1101, YUAN), (2241, YUAN)]);
    assert_eq!(kit.state.top_up(id).unwrap().back.unwrap().status, RefundStatus::Failed);
    assert_eq!(kit.state.suspense_item(SuspenseId(1)).unwrap().claim, None);
}
