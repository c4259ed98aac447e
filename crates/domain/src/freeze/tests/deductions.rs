//! Deductions: 500 of 1,000 for the court, with every answer the bank may give.

use super::*;
use crate::approval::Proposal;
use crate::attempt::{FailureClass, Operation, Outcome, Rail};
use crate::book::Side::{Credit, Debit};
use crate::clearing::{ClearingLine, LineKind};
use crate::payout::{PayoutKind, Receiver};
use crate::testkit::{date, declined, sealed, success};

const DOCUMENT: &str = "2026-0004";

fn order(freeze: FreezeId, amount: Minor) -> DeductFreeze {
    DeductFreeze {
        freeze,
        account: None,
        amount,
        authority: "district court".to_string(),
        document: DOCUMENT.to_string(),
        receiver: Receiver { account: sealed("6222**********0007"), name: sealed("*院"), own: false, token: None },
    }
}

fn deduction(order: DeductFreeze) -> Command {
    order.command()
}

#[track_caller]
fn deduct(kit: &mut Kit, order: DeductFreeze) -> PayoutId {
    let Reply::Payout(id) = kit.approved(deduction(order)) else { panic!("a deduction is a payout") };
    id
}

#[track_caller]
fn refused(kit: &mut Kit, order: DeductFreeze, code: RefusalCode) {
    assert_eq!(kit.when_approved(deduction(order)).unwrap_err().code, code);
}

fn stands(kit: &Kit, freeze: FreezeId) -> (FreezeStatus, Minor, Minor) {
    let freeze = kit.state.freeze(freeze).unwrap();
    (freeze.status, freeze.frozen(), freeze.deducted)
}

use FreezeStatus::{Deducted, Expired, InForce, Released};

#[test]
fn money_and_freeze_fall_in_one_step() {
    let (mut kit, account) = world(1_000);
    let freeze = place(&mut kit, court(account, 800));
    kit.refused(deduction(order(freeze, 500)), RefusalCode::ApprovalRequired);
    let id = deduct(&mut kit, order(freeze, 500));
    let transit = kit.state.institution(Subject::PayoutTransit, CNY).unwrap();
    assert_eq!(kit.last_voucher(), [(account, Debit, 500), (transit, Credit, 500)]);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::FreezeDeducted);
    assert_eq!((stands(&kit, freeze), available(&kit, account)), ((InForce, 300, 500), 200));
    let payout = kit.state.payout(id).unwrap();
    assert_eq!((payout.kind, payout.status, payout.hold), (PayoutKind::Deduction, PayoutStatus::Sent, None));
    assert_eq!((payout.fee, payout.freeze, payout.allowed_actions()), (0, Some(freeze), &[][..]));
    let Operation::Pay { amount, .. } = kit.waiting().operation else { panic!("money is paid") };
    assert_eq!(amount, 500);
    let changes = kit.state.freeze(freeze).unwrap().changes.clone();
    let last = changes.last().unwrap();
    assert_eq!(last.what, Change::Deducted { payout: id, account, amount: 500 });
    let told = (last.operator.as_str(), last.approver.as_deref(), last.document.as_deref());
    assert_eq!(told, ("maker", Some("checker"), Some(DOCUMENT)));
    kit.restore();
    kit.answered(success("2026-03-05"));
    assert_eq!((kit.balance(account), stands(&kit, freeze)), (500, (InForce, 300, 500)));
    kit.books(&[(1121, 500)]);
    deduct(&mut kit, order(freeze, 300));
    assert_eq!((stands(&kit, freeze), available(&kit, account)), ((Deducted, 0, 800), 200));
}

#[test]
fn two_people_of_risk_deduct() {
    let (mut kit, account) = world(1_000);
    kit.people();
    let freeze = place(&mut kit, court(account, 800));
    let proposal = Proposal::DeductFreeze(order(freeze, 500));
    let Err(refusal) = kit.when_proposed("risk-1", Proposal::DeductFreeze(order(freeze, 801))) else {
        panic!("more than it bites on is not even proposed")
    };
    assert_eq!(refusal.code, RefusalCode::FreezeExceeded);
    let approval = kit.proposed("risk-1", proposal);
    assert_eq!((kit.balance(account), kit.outbox().len()), (1_000, 0), "a proposal does nothing");
    kit.checked("risk-2", approval);
    assert_eq!((kit.balance(account), kit.waiting().operation.money()), (500, (500, CNY)));
    let outcome = kit.state.approval(approval).unwrap().outcome.clone();
    assert_eq!(outcome, Some(Reply::Payout(PayoutId(1))));
    let changes = &kit.state.freeze(freeze).unwrap().changes;
    let last = changes.last().unwrap();
    assert_eq!((last.operator.as_str(), last.approver.as_deref()), ("risk-1", Some("risk-2")));
}

#[test]
fn a_bank_that_declines_brings_back_money_and_freeze() {
    for outcome in [declined(FailureClass::Bank), Outcome::NotFound] {
        let (mut kit, account) = world(1_000);
        let freeze = place(&mut kit, court(account, 800));
        let later = place(&mut kit, court(account, 800));
        let id = deduct(&mut kit, order(freeze, 800));
        assert_eq!((stands(&kit, freeze), bites(&kit, later)), ((Deducted, 0, 800), 200));
        kit.answer(kit.waiting().id, Outcome::Unknown);
        assert_eq!(kit.state.payout(id).unwrap().status, PayoutStatus::Unknown);
        assert_eq!((stands(&kit, freeze), kit.balance(account)), ((Deducted, 0, 800), 200));
        kit.restore();
        kit.answered(outcome);
        assert_eq!((stands(&kit, freeze), kit.balance(account)), ((InForce, 800, 0), 1_000));
        assert_eq!((bites(&kit, freeze), bites(&kit, later)), (800, 200), "the same place in the queue");
        kit.books(&[(1121, 1_000)]);
        let changes = &kit.state.freeze(freeze).unwrap().changes;
        assert_eq!(changes.last().unwrap().what, Change::GivenBack { payout: id, amount: 800, expires_at: None });
        deduct(&mut kit, order(freeze, 800));
    }
}

#[test]
fn a_return_days_later_brings_back_money_and_freeze() {
    for bars in [Restriction::default(), BOTH] {
        let (mut kit, account) = world(1_000);
        let freeze = place(&mut kit, court(account, 800));
        let payout = deduct(&mut kit, order(freeze, 500));
        kit.answered(success("2026-03-05"));
        kit.given(Command::RestrictAccount { account, restriction: bars });
        let back = Command::ReturnPayout { payout, reference: "back".to_string(), date: date("2026-03-06") };
        kit.given(back);
        assert_eq!((stands(&kit, freeze), kit.balance(account)), ((InForce, 800, 0), 1_000), "{bars:?}");
        kit.books(&[(1121, 1_000)]);
        kit.restore();
    }
}

#[test]
fn a_line_of_the_clearing_file_brings_them_back_too() {
    let (mut kit, account) = world(1_000);
    let freeze = place(&mut kit, court(account, 800));
    deduct(&mut kit, order(freeze, 500));
    let (serial, currency) = (kit.waiting().serial(), CNY);
    let line = |kind| ClearingLine { serial: serial.clone(), kind, amount: 500, currency, reference: None };
    kit.take_file(Rail::Epcc, "2026-03-05", vec![line(LineKind::Return), line(LineKind::Pay)]);
    assert_eq!((stands(&kit, freeze), kit.balance(account)), ((InForce, 800, 0), 1_000));
    assert_eq!(kit.outbox().len(), 0, "the return proves that it had arrived");
}

#[test]
fn a_freeze_that_ended_meanwhile_comes_back_with_what_was_taken() {
    for ends_by_release in [true, false] {
        let (mut kit, account) = world(1_000);
        let expires_at = Some(kit.now.plus_ms(1_000));
        let freeze = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 800) });
        deduct(&mut kit, order(freeze, 500));
        let mut expected = expires_at;
        if ends_by_release {
            kit.approved(release(freeze, None));
            assert_eq!(stands(&kit, freeze), (Released, 0, 500));
        } else {
            kit.later(1_000);
            kit.given(Command::Tick);
            assert_eq!(stands(&kit, freeze), (Expired, 0, 500));
            // The court acted in time: its freeze stands for 48 hours more.
            expected = Some(kit.now.plus_ms(EMERGENCY_MS));
        }
        kit.answered(declined(FailureClass::Bank));
        assert_eq!((stands(&kit, freeze), available(&kit, account)), ((InForce, 500, 0), 500));
        assert_eq!(kit.state.freeze(freeze).unwrap().expires_at, expected);
        kit.restore();
        kit.later(expected.unwrap().0 - kit.now.0);
        kit.given(Command::Tick);
        assert_eq!((stands(&kit, freeze), available(&kit, account)), ((Expired, 0, 0), 1_000));
    }
}

#[test]
fn at_most_what_the_freeze_bites_is_deducted() {
    let (mut kit, account) = world(1_000);
    let first = place(&mut kit, court(account, 700));
    let second = place(&mut kit, court(account, 700));
    refused(&mut kit, order(second, 301), RefusalCode::FreezeExceeded);
    refused(&mut kit, order(first, 701), RefusalCode::FreezeExceeded);
    refused(&mut kit, order(first, 0), RefusalCode::AmountNotPositive);
    // The queue wants more than there is, and still what bites can be taken.
    deduct(&mut kit, order(first, 700));
    assert_eq!((bites(&kit, first), bites(&kit, second), available(&kit, account)), (0, 300, 0));
    deduct(&mut kit, order(second, 300));
    assert_eq!((kit.balance(account), stands(&kit, second)), (0, (InForce, 400, 300)));
    refused(&mut kit, order(second, 1), RefusalCode::FreezeExceeded);
}

#[test]
fn what_is_held_is_not_deducted() {
    let (mut kit, account) = world(1_000);
    let expires_at = kit.now.plus_ms(1_000);
    let hold = crate::hold::PlaceHold { account, amount: 400, currency: CNY, expires_at };
    kit.given(Command::PlaceHold(hold));
    let freeze = place(&mut kit, court(account, 1_000));
    refused(&mut kit, order(freeze, 601), RefusalCode::FreezeExceeded);
    deduct(&mut kit, order(freeze, 600));
}

#[test]
fn a_customers_freeze_names_the_account_it_is_deducted_from() {
    let (mut kit, account) = world(100);
    let other = sibling(&mut kit, account, 100);
    let of_customer = customer(&kit, account);
    let freeze = place(&mut kit, court(of_customer, 150));
    let stranger = {
        let user = kit.user();
        kit.account(Subject::Personal, Owner::User(user))
    };
    let deposit = kit.account(Subject::GuaranteeDeposit, row(&kit, account).owner);
    let from = |account, amount| DeductFreeze { account: Some(account), ..order(freeze, amount) };
    refused(&mut kit, order(freeze, 50), RefusalCode::ValueInvalid);
    refused(&mut kit, from(stranger, 50), RefusalCode::ValueInvalid);
    refused(&mut kit, from(deposit, 50), RefusalCode::ValueInvalid);
    refused(&mut kit, from(AccountId(999), 50), RefusalCode::AccountUnknown);
    refused(&mut kit, from(other, 51), RefusalCode::FreezeExceeded);
    deduct(&mut kit, from(other, 50));
    assert_eq!((stands(&kit, freeze), available(&kit, account), available(&kit, other)), ((InForce, 100, 50), 50, 50));
    deduct(&mut kit, from(account, 100));
    let waiting = kit.outbox();
    kit.answer(waiting[0].id, declined(FailureClass::Bank));
    assert_eq!(stands(&kit, freeze), (InForce, 50, 100));
    assert_eq!((kit.balance(account), kit.balance(other), bites(&kit, freeze)), (0, 100, 50));
    kit.restore();
}

#[test]
fn a_deduction_passes_restrictions_but_not_another_authority_that_came_first() {
    let (mut kit, account) = world(1_000);
    let police = |command| PlaceFreeze { authority: "police".to_string(), ..command };
    place(&mut kit, whole(account, OUT));
    let freeze = place(&mut kit, court(account, 800));
    let of_customer = customer(&kit, account);
    place(&mut kit, police(whole(of_customer, OUT)));
    kit.given(Command::RestrictAccount { account, restriction: BOTH });
    deduct(&mut kit, order(freeze, 100));
    kit.answered(declined(FailureClass::Bank));
    place(&mut kit, police(PlaceFreeze { priority: 1, ..whole(of_customer, OUT) }));
    refused(&mut kit, order(freeze, 100), RefusalCode::AccountRestricted);
}

#[test]
fn an_agreements_account_may_be_deducted_from() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let deposit = crate::agreement::CreateAgreement {
        number: "A-1".to_string(),
        party: Owner::Merchant(merchant),
        purpose: "deposit".to_string(),
        book: crate::book::Book::Reserve,
        currency: CNY,
        receivers: vec![kit.state.merchant(merchant).unwrap().available],
    };
    kit.given(Command::CreateAgreement(deposit));
    let (_, agreement) = kit.state.agreements.iter().next().unwrap();
    let account = agreement.account;
    kit.fund(account, 300);
    let freeze = place(&mut kit, court(account, 300));
    deduct(&mut kit, order(freeze, 300));
    assert_eq!(kit.balance(account), 0);
}

#[test]
fn bad_orders_are_refused() {
    let (mut kit, account) = world(1_000);
    let expires_at = Some(kit.now.plus_ms(1_000));
    let freeze = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 800) });
    let bars = place(&mut kit, whole(account, IN));
    let deposit = kit.account(Subject::GuaranteeDeposit, row(&kit, account).owner);
    kit.fund(deposit, 10);
    let guarantee = place(&mut kit, court(deposit, 10));
    let other = sibling(&mut kit, account, 0);
    let table = [
        (order(FreezeId(99), 1), RefusalCode::FreezeUnknown),
        (order(bars, 1), RefusalCode::FreezeState),
        (order(guarantee, 1), RefusalCode::SubjectNotAllowed),
        (DeductFreeze { account: Some(other), ..order(freeze, 1) }, RefusalCode::ValueInvalid),
        (DeductFreeze { authority: "police".to_string(), ..order(freeze, 1) }, RefusalCode::AuthorityMismatch),
        (DeductFreeze { document: String::new(), ..order(freeze, 1) }, RefusalCode::ValueInvalid),
    ];
    for (order, code) in table {
        refused(&mut kit, order, code);
    }
    deduct(&mut kit, DeductFreeze { account: Some(account), ..order(freeze, 1) });
    kit.later(1_000);
    refused(&mut kit, order(freeze, 1), RefusalCode::FreezeState);
}
