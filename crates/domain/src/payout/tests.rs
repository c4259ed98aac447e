//! Payouts: each step with its entries, and what stops one.

use alloc::format;
use alloc::string::ToString;

use super::*;
use crate::account::Owner;
use crate::attempt::{Operation, Outcome};
use crate::book::{Side, Subject};
use crate::clearing::{ClearingLine, LineKind};
use crate::command::{Command, Reply};
use crate::event::Event;
use crate::ids::{ApprovalId, MerchantId};
use crate::merchant::{MerchantKind, SettlementAccount};
use crate::refusal::RefusalCode;
use crate::restriction::Restriction;
use crate::task::{SettleTask, TaskCommand, TaskOf, actions_of_payout, waits_since};
use crate::testkit::{Kit, court, date, declined, sealed, success};
use crate::voucher::{BusinessKind, BusinessNumber, EventCode, Voucher};

const YUAN: Minor = 100;
const OUT: Restriction = Restriction { in_barred: false, out_barred: true };
const IN: Restriction = Restriction { in_barred: true, out_barred: false };

/// A landlord with 5,000 yuan on 2203.
fn landlord() -> (Kit, MerchantId, AccountId) {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000 * YUAN);
    (kit, merchant, account)
}

/// 1,000 yuan and a fee of 1 to the settlement account.
fn withdrawal(account: AccountId, send_now: bool) -> CreatePayout {
    let (amount, fee, currency) = (1_000 * YUAN, YUAN, Currency::Cny);
    CreatePayout { account, to: PayTo::Settlement, amount, fee, currency, send_now, bank: None, channel: None }
}

fn bank(own: bool) -> PayTo {
    PayTo::Bank(Receiver { account: sealed("6222**********0002"), name: sealed("*五"), own, token: None })
}

#[track_caller]
fn create(kit: &mut Kit, command: CreatePayout) -> PayoutId {
    let Reply::Payout(id) = kit.given(Command::CreatePayout(command)) else { panic!("a payout was created") };
    id
}

#[track_caller]
fn status(kit: &Kit, id: PayoutId) -> PayoutStatus {
    kit.state.payout(id).unwrap().status
}

fn vouchers(kit: &Kit, id: PayoutId) -> Vec<Voucher> {
    let number = BusinessNumber::object(BusinessKind::Payout, id.0);
    let mut posted = Vec::new();
    for event in &kit.events {
        if let Event::VoucherPosted(voucher) = event
            && voucher.business == number
        {
            posted.push(voucher.clone());
        }
    }
    posted
}

/// What was chosen stands in the row from its creation on; of a first channel the row is the bytes that it was.
#[test]
fn a_payout_leaves_by_the_channel_that_was_chosen_and_by_no_other_after_a_failure() {
    let (mut kit, _, account) = landlord();
    let over = |word: Option<&str>| CreatePayout { channel: word.map(Into::into), ..withdrawal(account, false) };
    let first = create(&mut kit, over(None));
    let known = Bank { name: "Bank of Shanghai".into(), code: "313290000017".into() };
    let further = create(&mut kit, CreatePayout { bank: Some(known.clone()), ..over(Some("b")) });
    let bytes = |kit: &Kit, id| minicbor::to_vec(kit.state.payout(id).unwrap()).unwrap();
    for id in [first, further] {
        assert_eq!(&minicbor::decode::<Payout>(&bytes(&kit, id)).unwrap(), kit.state.payout(id).unwrap());
    }
    // An array of ten up to `hold`, of thirty where `channel` is the last.
    let lengths = [bytes(&kit, first)[..2].to_vec(), bytes(&kit, further)[..2].to_vec()];
    assert_eq!((lengths[0][0], lengths[1].as_slice()), (0x8a, [0x98, 30].as_slice()));
    kit.restore();
    kit.given(Command::SendPayout(further));
    let attempt = kit.waiting();
    assert_eq!(attempt.channel_name().to_string(), "epcc_b");
    let Operation::Pay { bank, .. } = &attempt.operation else { panic!("it pays") };
    assert_eq!(bank.as_ref(), Some(&known));
    kit.answered(declined(FailureClass::System));
    assert_eq!((status(&kit, further), kit.outbox().len()), (PayoutStatus::Failed, 0));
    kit.given(Command::SendPayout(first));
    assert_eq!(kit.waiting().channel_name().to_string(), "epcc");
    for word in ["", "B", "seventeen-letters"] {
        kit.refused(Command::CreatePayout(over(Some(word))), RefusalCode::ValueInvalid);
    }
    let nameless = Bank { name: " ".into(), ..known };
    kit.refused(Command::CreatePayout(CreatePayout { bank: Some(nameless), ..over(None) }), RefusalCode::ValueInvalid);
}

#[test]
fn a_withdrawal_is_held_then_sent_and_arrives() {
    let (mut kit, merchant, account) = landlord();
    let institution = |kit: &Kit, subject| kit.state.institution(subject, Currency::Cny).unwrap();

    let id = create(&mut kit, withdrawal(account, false));
    assert_eq!(status(&kit, id), PayoutStatus::Held);
    let row = kit.state.account(account, "account").unwrap();
    assert_eq!((row.balance, row.held_out, row.available()), (5_000 * YUAN, 1_001 * YUAN, 3_999 * YUAN));

    kit.given(Command::SendPayout(id));
    assert_eq!(status(&kit, id), PayoutStatus::Sent);
    let transit = institution(&kit, Subject::PayoutTransit);
    assert_eq!(kit.last_voucher(), [(account, Side::Debit, 1_001 * YUAN), (transit, Side::Credit, 1_001 * YUAN)]);
    assert_eq!(kit.state.account(account, "account").unwrap().held_out, 0);
    let Operation::Pay { account: to, amount, .. } = kit.waiting().operation else { panic!("a payment was asked") };
    assert_eq!((to.mask.as_str(), amount), ("6222**********0001", 1_000 * YUAN));

    kit.answered(success("2026-03-05"));
    assert_eq!(status(&kit, id), PayoutStatus::Success);
    assert_eq!(
        kit.last_voucher(),
        [
            (transit, Side::Debit, 1_001 * YUAN),
            (institution(&kit, Subject::ClearingEpcc), Side::Credit, 1_000 * YUAN),
            (institution(&kit, Subject::DueToOwn), Side::Credit, YUAN),
            (institution(&kit, Subject::DueFromReserve), Side::Debit, YUAN),
            (institution(&kit, Subject::FeeIncome), Side::Credit, YUAN),
        ]
    );
    kit.books(&[(1121, 4_000 * YUAN), (2291, YUAN), (1291, YUAN), (5001, YUAN)]);
    assert_eq!(kit.available(merchant), 3_999 * YUAN);
    let payout = kit.state.payout(id).unwrap();
    assert_eq!((payout.kind, payout.reference.as_deref()), (PayoutKind::Withdrawal, Some("ref")));
    let dimensions = vouchers(&kit, id)[1].dimensions.clone().unwrap();
    assert_eq!((dimensions.merchant, dimensions.clearing_date), (Some(merchant), Some(date("2026-03-05"))));
}

#[test]
fn a_payout_without_fee_leaves_nothing_in_own_books() {
    let (mut kit, _, account) = landlord();
    create(&mut kit, CreatePayout { fee: 0, ..withdrawal(account, true) });
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.last_voucher().len(), 2);
    kit.books(&[(1121, 4_000 * YUAN)]);
}

#[test]
fn a_failure_is_the_exact_contra_of_the_sending() {
    for (outcome, code) in [(declined(FailureClass::Bank), "51"), (Outcome::NotFound, "not_found")] {
        let (mut kit, merchant, account) = landlord();
        let id = create(&mut kit, withdrawal(account, true));
        kit.answered(outcome);
        let posted = vouchers(&kit, id);
        let payout = kit.state.payout(id).unwrap();
        assert_eq!((payout.status, payout.failure.as_ref().unwrap().code.as_str()), (PayoutStatus::Failed, code));
        assert_eq!((posted[1].event, posted[1].contra_of), (EventCode::PayoutFailed, payout.sent));
        let mut turned: Vec<_> = posted[1].entries.iter().map(|e| (e.account, e.side.opposite(), e.amount)).collect();
        turned.reverse();
        assert_eq!(turned, posted[0].entries.iter().map(|e| (e.account, e.side, e.amount)).collect::<Vec<_>>());
        assert_eq!(kit.available(merchant), 5_000 * YUAN);
        kit.books(&[(1121, 5_000 * YUAN)]);
    }
}

#[test]
fn an_answer_that_does_not_come_leaves_it_unknown_until_one_does() {
    for (outcome, end) in
        [(success("2026-03-06"), PayoutStatus::Success), (declined(FailureClass::System), PayoutStatus::Failed)]
    {
        let (mut kit, _, account) = landlord();
        let id = create(&mut kit, withdrawal(account, true));
        let attempt = kit.answered(Outcome::Unknown).id;
        kit.answer(attempt, Outcome::Unknown);
        assert_eq!(status(&kit, id), PayoutStatus::Unknown);
        assert_eq!(kit.own(Subject::PayoutTransit), 1_001 * YUAN, "the money stays in transit");
        for command in [Command::SendPayout(id), Command::CancelPayout(id)] {
            kit.refused(command, RefusalCode::PayoutState);
        }
        kit.refused(return_of(id), RefusalCode::PayoutState);
        assert_eq!(kit.waiting().id, attempt, "nothing was sent again");
        kit.answer(attempt, outcome.clone());
        assert_eq!(status(&kit, id), end);
        kit.refused(Command::AnswerAttempt { attempt, outcome }, RefusalCode::AttemptState);
    }
}

#[test]
fn a_payout_that_its_bank_paid_after_all_is_owed_by_the_bank() {
    for outcome in [declined(FailureClass::Bank), Outcome::NotFound] {
        let (mut kit, merchant, account) = landlord();
        let id = create(&mut kit, withdrawal(account, true));
        let attempt = kit.answered(outcome);
        let ended = kit.state.payout(id).unwrap().ended_at;
        kit.later(5_000);
        // Its clearing file says so, with other money, as the reserve has no more than it brings.
        kit.paid_rent(merchant, 2_000 * YUAN);
        let (amount, currency) = attempt.operation.money();
        let mut lines = kit.clearing_lines(RAIL, "2026-03-05");
        lines.push(ClearingLine { serial: attempt.serial(), kind: LineKind::Pay, amount, currency, reference: None });
        let file = kit.take_file(RAIL, "2026-03-05", lines);
        let file = kit.state.clearing(file).unwrap();
        assert_eq!((file.matched, file.different, file.paid), (2, 0, 1_000 * YUAN));
        let payout = kit.state.payout(id).unwrap();
        assert_eq!((payout.status, payout.ended_at, payout.needs_person()), (PayoutStatus::Failed, ended, true));
        assert_eq!(waits_since(&kit.state, TaskOf::Payout(id)), ended);
        // What its account has stays there: whether it was paid again elsewhere nobody here knows.
        assert_eq!((kit.available(merchant), kit.own(Subject::ReceivableFund)), (5_000 * YUAN, 1_000 * YUAN));
        assert_eq!(kit.own(Subject::PayoutTransit), 0);
        let claim = kit.posted().find(|voucher| voucher.event == EventCode::ClaimedLate).unwrap();
        assert_eq!(claim.business, BusinessNumber::object(BusinessKind::Attempt, attempt.id.0));
        assert_eq!(claim.dimensions.as_ref().unwrap().merchant, Some(merchant));
        let again = Command::AnswerAttempt { attempt: attempt.id, outcome: success("2026-03-06") };
        kit.refused(again, RefusalCode::AttemptState);
        kit.restore();

        // A person settles it, and no channel can be asked.
        let task = TaskOf::Payout(id);
        assert_eq!(actions_of_payout(kit.state.payout(id).unwrap()), ["settle"]);
        kit.refused(Command::Task(TaskCommand::Retry(task)), RefusalCode::TaskState);
        let settle = Command::from(SettleTask { task, voucher: None, amount: None });
        kit.refused(settle.clone(), RefusalCode::ApprovalRequired);
        assert_eq!(kit.approved(settle.clone()), Reply::Task(task));
        let payout = kit.state.payout(id).unwrap();
        assert!(payout.claim.and_then(Claim::settled_by).is_some() && actions_of_payout(payout).is_empty());
        assert_eq!(kit.when_approved_as(ApprovalId(78), settle).unwrap_err().code, RefusalCode::TaskState);

        // It comes back: the account has its money, so this is for a person too.
        kit.given(return_of(id));
        assert_eq!(status(&kit, id), PayoutStatus::Returned);
        assert_eq!((kit.available(merchant), kit.own(Subject::Suspense)), (5_000 * YUAN, 1_000 * YUAN));
        assert!(kit.state.merchant(merchant).unwrap().settlement_suspended);
        kit.refused(return_of(id), RefusalCode::PayoutState);
        kit.restore();
    }
}

#[test]
fn what_is_not_sent_can_be_cancelled_and_is_free_again() {
    let (mut kit, _, account) = landlord();
    let id = create(&mut kit, withdrawal(account, false));
    kit.given(Command::CancelPayout(id));
    assert_eq!(status(&kit, id), PayoutStatus::Cancelled);
    assert_eq!(kit.state.account(account, "account").unwrap().available(), 5_000 * YUAN);
    assert!(kit.outbox().is_empty());
    kit.refused(Command::SendPayout(id), RefusalCode::PayoutState);
    let sent = create(&mut kit, withdrawal(account, true));
    kit.refused(Command::CancelPayout(sent), RefusalCode::PayoutState);
}

fn return_of(payout: PayoutId) -> Command {
    Command::ReturnPayout { payout, reference: "back-1".to_string(), date: date("2026-03-09") }
}

#[test]
fn a_return_comes_back_through_suspense_and_stops_the_settlement_account() {
    let (mut kit, merchant, account) = landlord();
    let arrived = create(&mut kit, withdrawal(account, true));
    kit.answered(success("2026-03-05"));
    let unsent = create(&mut kit, withdrawal(account, false));
    kit.on("2026-03-09");

    kit.given(return_of(arrived));
    assert_eq!(status(&kit, arrived), PayoutStatus::Returned);
    let posted = vouchers(&kit, arrived);
    let [clearing, suspense] = [Subject::ClearingEpcc, Subject::Suspense]
        .map(|subject| kit.state.institution(subject, Currency::Cny).unwrap());
    let entries = |at: usize| posted[at].entries.iter().map(|e| (e.account, e.side, e.amount)).collect::<Vec<_>>();
    assert_eq!(entries(2), [(clearing, Side::Debit, 1_000 * YUAN), (suspense, Side::Credit, 1_000 * YUAN)]);
    assert_eq!(entries(3), [(suspense, Side::Debit, 1_000 * YUAN), (account, Side::Credit, 1_000 * YUAN)]);
    assert_eq!(kit.available(merchant), 4_999 * YUAN, "the fee is kept");
    kit.books(&[(1121, 5_000 * YUAN), (2291, YUAN), (1291, YUAN), (5001, YUAN)]);
    kit.refused(return_of(arrived), RefusalCode::PayoutState);

    assert_eq!(kit.state.payout(unsent).unwrap().cancelled, Some(CancelReason::SettlementSuspended));
    kit.refused(Command::CreatePayout(withdrawal(account, true)), RefusalCode::SettlementSuspended);
    let replacement = Some(SettlementAccount { account: sealed("6222**********0009"), name: sealed("*四") });
    kit.given(Command::VerifySettlementAccount { merchant, replacement });
    create(&mut kit, withdrawal(account, true));
    let Operation::Pay { account: to, .. } = kit.waiting().operation else { panic!("a payment was asked") };
    assert_eq!(to.mask, "6222**********0009");
}

#[test]
fn a_return_that_its_account_cannot_take_stays_in_suspense() {
    let (mut kit, _, account) = landlord();
    let id = create(&mut kit, withdrawal(account, true));
    kit.answered(success("2026-03-05"));
    kit.given(Command::RestrictAccount { account, restriction: IN });
    kit.given(return_of(id));
    assert_eq!(status(&kit, id), PayoutStatus::Returned);
    assert_eq!(kit.own(Subject::Suspense), 1_000 * YUAN);

    let (mut kit, _, account) = landlord();
    let all = CreatePayout { amount: 4_999 * YUAN, ..withdrawal(account, true) };
    let id = create(&mut kit, all);
    kit.refused(Command::CloseAccount(account), RefusalCode::AccountNotEmpty);
    kit.answered(success("2026-03-05"));
    kit.given(Command::CloseAccount(account));
    kit.given(return_of(id));
    assert_eq!(kit.own(Subject::Suspense), 4_999 * YUAN);
}

#[test]
fn a_return_needs_its_reference() {
    let (mut kit, _, account) = landlord();
    let payout = create(&mut kit, withdrawal(account, true));
    kit.answered(success("2026-03-05"));
    for reference in [" ".to_string(), "x".repeat(129)] {
        let command = Command::ReturnPayout { payout, reference, date: date("2026-03-09") };
        kit.refused(command, RefusalCode::ValueInvalid);
    }
}

#[test]
fn a_restriction_or_a_freeze_cancels_what_is_unsent_and_leaves_what_is_sent() {
    let freeze = |account| Command::PlaceFreeze(court(account, 1));
    let restrict = |account| Command::RestrictAccount { account, restriction: OUT };
    let both: [(&dyn Fn(AccountId) -> Command, CancelReason); 2] =
        [(&restrict, CancelReason::Restricted), (&freeze, CancelReason::Frozen)];
    for (command, reason) in both {
        let (mut kit, merchant, account) = landlord();
        let sent = create(&mut kit, withdrawal(account, true));
        let unsent = create(&mut kit, withdrawal(account, false));
        kit.given(command(account));
        assert_eq!(status(&kit, sent), PayoutStatus::Sent);
        assert_eq!(kit.state.payout(unsent).unwrap().cancelled, Some(reason));
        assert_eq!(kit.state.account(account, "account").unwrap().held_out, 0);
        kit.answered(declined(FailureClass::User));
        assert_eq!(kit.available(merchant), 5_000 * YUAN);
    }
}

#[test]
fn barring_only_the_way_in_leaves_payouts_alone_and_takes_back_a_failed_one() {
    let (mut kit, merchant, account) = landlord();
    let unsent = create(&mut kit, withdrawal(account, false));
    kit.given(Command::RestrictAccount { account, restriction: IN });
    kit.given(Command::SendPayout(unsent));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.available(merchant), 5_000 * YUAN);
}

#[test]
fn who_may_pay_whom() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let landlord = kit.landlord();
    let user = kit.user();
    let personal = kit.account(Subject::Personal, Owner::User(user));
    let merchant = kit.state.merchant(agency).unwrap().clone();
    let (pending, available, company) = (merchant.pending, merchant.available, merchant.company.unwrap());
    let alone = kit.state.merchant(landlord).unwrap().available;
    for account in [personal, pending, available, company, alone] {
        kit.fund(account, 1_000 * YUAN);
    }
    let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
    let (allowed, receiver, subject) =
        (None, Some(RefusalCode::ReceiverNotAllowed), Some(RefusalCode::SubjectNotAllowed));
    let table = [
        (personal, bank(true), allowed),
        (personal, bank(false), receiver),
        (personal, PayTo::Settlement, receiver),
        (personal, PayTo::Company, receiver),
        (available, PayTo::Settlement, allowed),
        (available, PayTo::Company, allowed),
        (available, bank(true), receiver),
        (available, bank(false), receiver),
        (alone, PayTo::Company, receiver),
        (company, bank(false), allowed),
        (company, bank(true), allowed),
        (company, PayTo::Settlement, allowed),
        (company, PayTo::Company, receiver),
        (pending, PayTo::Settlement, subject),
        (clearing, bank(true), subject),
    ];
    for (account, to, refusal) in table {
        let what = format!("{account} {to:?}");
        let result =
            kit.when(Command::CreatePayout(CreatePayout { to, amount: 10, fee: 0, ..withdrawal(account, false) }));
        assert_eq!(result.err().map(|refusal| refusal.code), refusal, "{what}");
    }
    let kinds = kit.state.payouts.iter().map(|(_, payout)| payout.kind).collect::<Vec<_>>();
    let (out, own) = (PayoutKind::Payout, PayoutKind::Withdrawal);
    assert_eq!(kinds, [own, own, own, out, own, own]);
}

#[test]
fn the_own_company_account_is_paid_at_once() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let merchant = kit.state.merchant(agency).unwrap().clone();
    kit.fund(merchant.available, 5_000 * YUAN);
    let id = create(&mut kit, CreatePayout { to: PayTo::Company, ..withdrawal(merchant.available, true) });
    let payout = kit.state.payout(id).unwrap();
    assert_eq!((payout.status, payout.attempt), (PayoutStatus::Success, None));
    assert_eq!(kit.balance(merchant.company.unwrap()), 1_000 * YUAN);
    kit.books(&[(1121, 5_000 * YUAN), (2291, YUAN), (1291, YUAN), (5001, YUAN)]);
    kit.refused(return_of(id), RefusalCode::PayoutState);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let (mut kit, _, account) = landlord();
    let good = || withdrawal(account, false);
    let table = [
        (CreatePayout { amount: 0, ..good() }, RefusalCode::AmountNotPositive),
        (CreatePayout { amount: -1, ..good() }, RefusalCode::AmountNotPositive),
        (CreatePayout { fee: -1, ..good() }, RefusalCode::ValueInvalid),
        (CreatePayout { amount: Minor::MAX, ..good() }, RefusalCode::AmountOverflow),
        (CreatePayout { amount: 5_000 * YUAN, ..good() }, RefusalCode::InsufficientFunds),
        (CreatePayout { currency: Currency::Usd, ..good() }, RefusalCode::CurrencyMismatch),
        (CreatePayout { account: AccountId(9_999), ..good() }, RefusalCode::AccountUnknown),
    ];
    let events = kit.events.len();
    for (command, code) in table {
        kit.refused(Command::CreatePayout(command), code);
    }
    for command in [Command::SendPayout(PayoutId(1)), Command::CancelPayout(PayoutId(1)), return_of(PayoutId(1))] {
        kit.refused(command, RefusalCode::PayoutUnknown);
    }
    assert_eq!((kit.events.len(), kit.state.payouts.next_id()), (events, 1));
    let merchant = MerchantId(9);
    let verify = Command::VerifySettlementAccount { merchant, replacement: None };
    kit.refused(verify, RefusalCode::MerchantUnknown);
}

#[test]
fn its_hold_belongs_to_the_payout_alone() {
    let (mut kit, _, account) = landlord();
    let id = create(&mut kit, withdrawal(account, false));
    let hold = kit.state.payout(id).unwrap().hold.unwrap();
    kit.refused(Command::CancelHold(hold), RefusalCode::HoldState);
    kit.refused(Command::ConfirmHold { hold, amount: None, to: account }, RefusalCode::HoldState);
    kit.later(i64::from(u32::MAX));
    kit.given(Command::Tick);
    kit.given(Command::SendPayout(id));
}

type Wanted = fn(PayoutId) -> Command;

#[test]
fn allowed_actions_are_what_decide_takes() {
    let steps: [&[Wanted]; 4] = [&[], &[Command::CancelPayout], &[Command::SendPayout], &[return_of]];
    for outcome in [None, Some(Outcome::Unknown), Some(success("2026-03-05")), Some(declined(FailureClass::Bank))] {
        for before in steps {
            for (action, command) in [
                (PayoutAction::Send, Command::SendPayout as Wanted),
                (PayoutAction::Cancel, Command::CancelPayout),
                (PayoutAction::Return, return_of),
            ] {
                let (mut kit, _, account) = landlord();
                let id = create(&mut kit, withdrawal(account, outcome.is_some()));
                if let Some(outcome) = outcome.clone() {
                    kit.answered(outcome);
                }
                for step in before {
                    let _ = kit.when(step(id));
                }
                let allowed = kit.state.payout(id).unwrap().allowed_actions().contains(&action);
                let taken = kit.when(command(id));
                assert_eq!(taken.is_ok(), allowed, "{action:?}: {taken:?}");
                if !allowed {
                    assert_eq!(taken.unwrap_err().code, RefusalCode::PayoutState);
                }
            }
        }
    }
}
