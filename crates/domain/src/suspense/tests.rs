//! Items of suspense: what opens one, who may allocate it, how old it is.

use super::*;
use crate::approval::Proposal;
use crate::attempt::FailureClass;
use crate::bulk::{BulkVoucher, PostBulk};
use crate::command::Command;
use crate::ids::{MerchantId, PayoutId};
use crate::order::ItemKind;
use crate::payout::{CreatePayout, PayTo};
use crate::restriction::Restriction;
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};
use crate::voucher::PostVoucher;

const YUAN: Minor = 100;
const IN: Restriction = Restriction { in_barred: true, out_barred: false };

/// A landlord's withdrawal of 1,000 came back and its account takes nothing: one open item of 1,000.
fn world() -> (Kit, MerchantId, SuspenseId) {
    let mut kit = Kit::new();
    kit.people();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000 * YUAN);
    let payout = sent(&mut kit, account);
    kit.given(Command::RestrictAccount { account, restriction: IN });
    come_back(&mut kit, payout);
    (kit, merchant, SuspenseId(1))
}

fn sent(kit: &mut Kit, account: AccountId) -> PayoutId {
    let (to, amount, fee, currency) = (PayTo::Settlement, 1_000 * YUAN, 0, Currency::Cny);
    let create = CreatePayout { account, to, amount, fee, currency, send_now: true, bank: None, channel: None };
    let Reply::Payout(payout) = kit.given(Command::CreatePayout(create)) else { panic!("a payout was created") };
    kit.answered(success("2026-03-05"));
    payout
}

fn come_back(kit: &mut Kit, payout: PayoutId) {
    let reference = "back".to_string();
    kit.given(Command::ReturnPayout { payout, reference, date: date("2026-03-05") });
}

fn allocate(item: SuspenseId, to: AccountId, amount: Option<Minor>) -> Proposal {
    Proposal::SuspenseAllocation(AllocateSuspense { item, to, amount, session: None })
}

#[track_caller]
fn item(kit: &Kit, id: SuspenseId) -> SuspenseItem {
    kit.state.suspense_item(id).unwrap().clone()
}

#[test]
fn a_payout_that_stays_in_suspense_opens_an_item() {
    let (mut kit, _, id) = world();
    let row = item(&kit, id);
    assert_eq!((row.amount, row.rest(), row.status), (1_000 * YUAN, 1_000 * YUAN, SuspenseStatus::Open));
    assert_eq!(row.source, BusinessNumber::object(BusinessKind::Payout, 1));
    assert_eq!((row.date, row.opened_at), (date("2026-03-05"), kit.now));
    assert_eq!(kit.state.open_suspense.len(), 1);
    kit.restore();
    assert_eq!(kit.own(Subject::Suspense), 1_000 * YUAN);
}

#[test]
fn what_passes_through_leaves_an_item_that_is_allocated() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000 * YUAN);
    let payout = sent(&mut kit, account);
    come_back(&mut kit, payout);
    let row = item(&kit, SuspenseId(1));
    assert_eq!((row.status, row.rest(), row.allocations.len()), (SuspenseStatus::Allocated, 0, 1));
    assert_eq!((row.allocations[0].to, row.allocations[0].approver.as_deref()), (account, None));
    assert_eq!(row.allowed_actions(), [""; 0]);
    assert!(kit.state.open_suspense.is_empty());
    kit.restore();
}

#[test]
fn a_refund_that_nobody_can_take_opens_an_item() {
    let mut kit = Kit::new();
    let seller = kit.landlord();
    let account = kit.agreement_account();
    let mut command = kit.create_order(seller, &[(ItemKind::EarnestMoney, 900)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    kit.pay(order, vec![card(900)]);
    kit.answered(success("2026-03-05"));
    kit.refund(order, 900, true);
    let agreement = kit.state.account(account, "account").unwrap().rare.agreement.unwrap();
    kit.given(Command::CloseAgreement(agreement));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(item(&kit, SuspenseId(1)).rest(), 900);
}

#[test]
fn two_people_allocate_all_or_part_and_both_names_stay() {
    let (mut kit, merchant, id) = world();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    let due = kit.state.institution(Subject::RefundDue, Currency::Cny).unwrap();
    kit.decided("accountant", allocate(id, pending, Some(400 * YUAN)));
    kit.restore();
    let row = item(&kit, id);
    assert_eq!((row.rest(), row.status), (600 * YUAN, SuspenseStatus::Open));
    let first = &row.allocations[0];
    assert_eq!((first.operator.as_str(), first.approver.as_deref()), ("accountant-1", Some("accountant-2")));
    assert_eq!((first.to, first.amount), (pending, 400 * YUAN));
    let suspense = kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    assert_eq!(kit.last_voucher(), [(suspense, Side::Debit, 400 * YUAN), (pending, Side::Credit, 400 * YUAN)]);
    let voucher = kit.posted().last().unwrap();
    assert_eq!(voucher.business.to_string(), "sus_1/1");
    assert_eq!(voucher.event, EventCode::SuspenseAllocated);

    // A bank owed 100 of it.
    let owes = kit.state.institution(Subject::ReceivableFund, Currency::Cny).unwrap();
    let owed = kit.own(Subject::ReceivableFund);
    kit.decided("accountant", allocate(id, owes, Some(100 * YUAN)));
    assert_eq!(kit.own(Subject::ReceivableFund), owed - 100 * YUAN);

    kit.decided("accountant", allocate(id, due, None));
    kit.restore();
    assert_eq!(item(&kit, id).status, SuspenseStatus::Allocated);
    assert_eq!((kit.own(Subject::Suspense), kit.own(Subject::RefundDue)), (0, 500 * YUAN));
    assert_eq!(kit.pending(merchant), 400 * YUAN);
    let refused = kit.when_proposed("accountant-1", allocate(id, due, None));
    assert_eq!(Kit::code(refused), RefusalCode::SuspenseState);
}

#[test]
fn an_allocation_needs_two_people_enough_money_and_an_account_of_someone_else() {
    let (mut kit, merchant, id) = world();
    let row = kit.state.merchant(merchant).unwrap().clone();
    let own = |kit: &Kit, subject| kit.state.institution(subject, Currency::Cny).unwrap();
    let command = AllocateSuspense { item: id, to: row.pending, amount: None, session: None };
    kit.refused(Command::AllocateSuspense(command), RefusalCode::ApprovalRequired);
    let custody = kit.account(Subject::CustodySub, crate::account::Owner::Merchant(merchant));
    let table = [
        (allocate(SuspenseId(9), row.pending, None), RefusalCode::SuspenseUnknown),
        (allocate(id, row.pending, Some(1_000 * YUAN + 1)), RefusalCode::SuspenseExceeded),
        (allocate(id, row.pending, Some(0)), RefusalCode::AmountNotPositive),
        (allocate(id, AccountId(999), None), RefusalCode::AccountUnknown),
        (allocate(id, own(&kit, Subject::DueToOwn), None), RefusalCode::SubjectNotAllowed),
        (allocate(id, own(&kit, Subject::ClearingEpcc), None), RefusalCode::SubjectNotAllowed),
        (allocate(id, own(&kit, Subject::CentralBank), None), RefusalCode::SubjectNotAllowed),
        (allocate(id, own(&kit, Subject::Suspense), None), RefusalCode::SubjectNotAllowed),
        (allocate(id, own(&kit, Subject::PayoutTransit), None), RefusalCode::SubjectNotAllowed),
        (allocate(id, custody, None), RefusalCode::SubjectNotAllowed),
        (allocate(id, row.available, None), RefusalCode::AccountRestricted),
    ];
    for (proposal, code) in table {
        let what = format!("{proposal:?}");
        assert_eq!(Kit::code(kit.when_proposed("accountant-1", proposal)), code, "{what}");
    }
    assert_eq!(Kit::code(kit.when_proposed("risk-1", allocate(id, row.pending, None))), RefusalCode::RoleMissing);
}

#[test]
fn of_two_allocations_of_the_same_money_the_second_is_refused_and_stays_pending() {
    let (mut kit, merchant, id) = world();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    let first = kit.proposed("accountant-1", allocate(id, pending, Some(600 * YUAN)));
    let second = kit.proposed("accountant-1", allocate(id, pending, Some(600 * YUAN)));
    kit.checked("accountant-2", first);
    assert_eq!(Kit::code(kit.when_checked("treasurer-1", second)), RefusalCode::SuspenseExceeded);
    assert_eq!(item(&kit, id).rest(), 400 * YUAN);
}

#[test]
fn nobody_posts_to_suspense_by_their_own_words() {
    let (mut kit, merchant, _) = world();
    let suspense = kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    kit.fund(pending, 50);
    let entry = |debit, credit| vec![Entry::debit(debit, 10, Currency::Cny), Entry::credit(credit, 10, Currency::Cny)];
    for entries in [entry(suspense, pending), entry(pending, suspense)] {
        let (business, event) = (BusinessNumber::Text("t".into()), EventCode::Transfer);
        let post = PostVoucher { business, event, date: None, entries: entries.clone(), dimensions: None };
        kit.refused(Command::PostVoucher(post), RefusalCode::SubjectNotAllowed);
        let vouchers = [BulkVoucher { event, entries, dimensions: None }].into_iter().collect();
        let (stream, fingerprint) = ("s".into(), [0; 16]);
        let bulk = PostBulk { stream, number: 1, fingerprint, atomic: true, date: None, items: vouchers };
        kit.refused(Command::PostBulk(bulk), RefusalCode::SubjectNotAllowed);
    }
}

#[test]
fn an_item_ages_by_days_of_shanghai() {
    let (kit, _, id) = world();
    let row = item(&kit, id);
    for (days, bucket) in
        [(0, "0-1"), (1, "0-1"), (2, "2-7"), (7, "2-7"), (8, "8-30"), (30, "8-30"), (31, "over_30"), (400, "over_30")]
    {
        let late = date("2026-03-05").plus_days(days).starts_at().plus_ms(86_399_999);
        assert_eq!(row.age(late).name(), bucket, "{days} days");
    }
    assert_eq!(Age::ALL.map(Age::name), ["0-1", "2-7", "8-30", "over_30"]);
}

#[test]
fn the_check_at_close_compares_items_with_the_ledger_as_of_the_day() {
    let (mut kit, merchant, id) = world();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    kit.given(Command::CutDay { next: None });
    kit.decided("accountant", allocate(id, pending, Some(400 * YUAN)));
    // The kit ran the checks of both days after each step: 1,000 on the first, 600 on the second.
    let of = |day: &str| TrialBalance::of(&kit.state, date(day)).unwrap();
    assert_eq!(of("2026-03-05").closing(Subject::Suspense, Currency::Cny), i128::from(1_000 * YUAN));
    assert_eq!(of("2026-03-06").closing(Subject::Suspense, Currency::Cny), i128::from(600 * YUAN));
    assert_eq!(compare(&kit.state, &of("2026-03-05")), Ok("1 open items equal 2241".to_string()));
    let trials = [of("2026-03-05"), of("2026-03-06")];
    kit.state.suspense_items.get_mut(1).unwrap().amount += 1;
    assert_eq!(compare(&kit.state, &trials[1]), Err(vec!["2241 CNY: ledger 60000, items 60001".to_string()]));
    assert!(compare(&kit.state, &trials[0]).is_err());
}
