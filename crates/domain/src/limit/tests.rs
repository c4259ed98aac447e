//! Limits: what counts, when sums begin anew, what is given back.

use super::*;
use crate::approval::Proposal;
use crate::attempt::FailureClass;
use crate::payout::{CreatePayout, PayTo, PayoutStatus, Receiver};
use crate::testkit::wallets::{asks, makes, return_of, tops_up, transfer, withdraws};
use crate::testkit::{Kit, court, date, declined, sealed, success};
use crate::transfer::MakeTransfer;

const YUAN: Minor = 100;

fn since_opening(kit: &Kit, account: AccountId) -> Minor {
    kit.state.account_limit(account).since_opening
}

fn of_year(kit: &Kit, account: AccountId) -> Minor {
    kit.state.customer_use(kit.holder(account), Date::in_shanghai(kit.now)).year_used
}

/// A transfer with these factors.
fn with(from: AccountId, to: AccountId, amount: Minor, factors: Factors) -> Command {
    makes(MakeTransfer { factors, ..transfer(from, to, amount) })
}

/// The last millisecond of a day in Shanghai.
fn end_of(day: &str) -> Time {
    date(day).plus_days(1).starts_at().plus_ms(-1)
}

#[test]
fn class_one_pays_1_000_since_opening_withdrawals_and_fees_included() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    kit.classed(from, AccountClass::One);
    kit.given(makes(transfer(from, to, 400 * YUAN)));
    kit.given(Command::CreatePayout(withdraws(from, 500 * YUAN, YUAN)));
    assert_eq!(since_opening(&kit, from), 901 * YUAN);
    kit.restore();
    kit.refused(makes(transfer(from, to, 99 * YUAN + 1)), RefusalCode::LimitExceeded);
    kit.refused(Command::CreatePayout(withdraws(from, 99 * YUAN, 1)), RefusalCode::LimitExceeded);
    kit.now = end_of("2030-12-31");
    kit.refused(makes(transfer(from, to, 100 * YUAN)), RefusalCode::LimitExceeded);
    kit.given(makes(transfer(from, to, 99 * YUAN)));
    kit.refused(makes(transfer(from, to, 1)), RefusalCode::LimitExceeded);
    assert_eq!(since_opening(&kit, from), 1_000 * YUAN);
}

#[test]
fn class_one_is_the_accounts_own_sum() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    let second = kit.second_wallet(from, 5_000 * YUAN);
    for account in [from, second] {
        kit.classed(account, AccountClass::One);
        kit.given(makes(transfer(account, to, 1_000 * YUAN)));
        kit.refused(makes(transfer(account, to, 1)), RefusalCode::LimitExceeded);
    }
    assert_eq!(of_year(&kit, from), 2_000 * YUAN);
}

#[test]
fn class_two_and_three_share_a_year_and_leave_withdrawals_outside() {
    let mut kit = Kit::new();
    let (two, to) = (kit.wallet(300_000 * YUAN), kit.wallet(0));
    let three = kit.second_wallet(two, 300_000 * YUAN);
    kit.classed(two, AccountClass::Two);
    kit.classed(three, AccountClass::Three);
    kit.given(makes(transfer(two, to, 60_000 * YUAN)));
    kit.given(makes(transfer(three, to, 40_000 * YUAN)));
    kit.refused(makes(transfer(two, to, 1)), RefusalCode::LimitExceeded);
    kit.given(Command::CreatePayout(withdraws(two, 150_000 * YUAN, YUAN)));
    assert_eq!(of_year(&kit, two), 100_000 * YUAN);
    kit.restore();
    kit.given(makes(transfer(three, to, 100_000 * YUAN)));
    kit.refused(makes(transfer(three, to, 1)), RefusalCode::LimitExceeded);

    kit.now = end_of("2026-12-31");
    for account in [two, three] {
        kit.refused(makes(transfer(account, to, 1)), RefusalCode::LimitExceeded);
    }
    kit.later(1);
    kit.given(makes(transfer(two, to, 1)));
    assert_eq!(of_year(&kit, two), 1);
}

#[test]
fn an_account_without_class_is_bound_as_class_three() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(300_000 * YUAN), kit.wallet(0));
    kit.given(makes(transfer(from, to, 200_000 * YUAN)));
    kit.refused(makes(transfer(from, to, 1)), RefusalCode::LimitExceeded);
    kit.given(Command::CreatePayout(withdraws(from, 50_000 * YUAN, 0)));
}

#[test]
fn a_day_is_bound_by_how_the_payer_proved_itself_until_midnight_in_shanghai() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(100_000 * YUAN), kit.wallet(0));
    let second = kit.second_wallet(from, 100_000 * YUAN);
    kit.now = date("2026-03-05").starts_at();
    kit.given(with(from, to, 3_000 * YUAN, Factors::Two));
    kit.given(with(second, to, 2_000 * YUAN, Factors::Two));
    kit.refused(with(from, to, 1, Factors::Two), RefusalCode::LimitExceeded);
    kit.given(with(from, to, 1_000 * YUAN, Factors::Fewer));
    kit.refused(with(second, to, 1, Factors::Fewer), RefusalCode::LimitExceeded);
    kit.given(with(from, to, 50_000 * YUAN, Factors::TwoWithCertificate));
    kit.given(Command::CreatePayout(withdraws(from, 10_000 * YUAN, 0)));
    kit.restore();

    kit.now = end_of("2026-03-05");
    kit.refused(with(from, to, 1, Factors::Two), RefusalCode::LimitExceeded);
    kit.refused(with(from, to, 1, Factors::Fewer), RefusalCode::LimitExceeded);
    kit.later(1);
    kit.refused(with(from, to, 5_000 * YUAN + 1, Factors::Two), RefusalCode::LimitExceeded);
    kit.given(with(from, to, 5_000 * YUAN, Factors::Two));
    kit.given(with(from, to, 1_000 * YUAN, Factors::Fewer));
    let used = kit.state.customer_use(kit.holder(from), date("2026-03-06"));
    assert_eq!((used.two_factors, used.fewer_factors), (5_000 * YUAN, 1_000 * YUAN));
    assert_eq!(used.year_used, 62_000 * YUAN);
}

#[test]
fn what_comes_back_is_given_back() {
    let mut kit = Kit::new();
    let from = kit.wallet(5_000 * YUAN);
    kit.classed(from, AccountClass::One);
    let held = kit.pays_out(CreatePayout { send_now: false, ..withdraws(from, 900 * YUAN, YUAN) });
    kit.refused(Command::CreatePayout(withdraws(from, 100 * YUAN, 0)), RefusalCode::LimitExceeded);
    kit.given(Command::CancelPayout(held));
    assert_eq!(since_opening(&kit, from), 0);

    let failed = kit.pays_out(withdraws(from, 900 * YUAN, YUAN));
    kit.answered(crate::attempt::Outcome::Unknown);
    assert_eq!(since_opening(&kit, from), 901 * YUAN, "an answer that did not come gives nothing back");
    kit.restore();
    kit.answered(declined(FailureClass::Bank));
    assert_eq!((kit.state.payout(failed).unwrap().status, since_opening(&kit, from)), (PayoutStatus::Failed, 0));

    let returned = kit.pays_out(withdraws(from, 900 * YUAN, YUAN));
    kit.answered(success("2026-03-05"));
    kit.given(return_of(returned));
    assert_eq!(since_opening(&kit, from), YUAN, "its fee is kept");
}

#[test]
fn a_payment_from_the_balance_goes_back_to_its_own_year_and_day_only() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    let counted = |date| {
        let kind = CountKind::Balance(Factors::Two);
        Count { account: from, customer: CustomerId(1), date, kind }
    };
    assert_eq!(kit.holder(from), CustomerId(1));
    kit.given(with(from, to, 100, Factors::Two));
    let table = [("2026-03-05", 40, 60, 60), ("2026-03-04", 10, 50, 60), ("2025-12-31", 10, 50, 60)];
    for (day, amount, year, of_day) in table {
        let context = crate::Context {
            now: kit.now,
            actor: crate::Actor::Timer,
            approval: None,
            origin: crate::Origin::Timer,
            epoch: 1,
        };
        let mut draft = Draft::begin(&mut kit.state, &context, false);
        give_back(&mut draft, &counted(date(day)), amount);
        let _events = draft.commit();
        let used = kit.state.customer_use(CustomerId(1), date("2026-03-05"));
        assert_eq!((used.year_used, used.two_factors), (year, of_day), "{day}");
    }
    assert_eq!(since_opening(&kit, from), 40);
}

#[test]
fn credits_refunds_and_company_accounts_are_never_refused() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    for account in [from, to] {
        kit.classed(account, AccountClass::One);
    }
    kit.given(makes(transfer(from, to, 1_000 * YUAN)));
    kit.given(makes(transfer(to, from, 1_000 * YUAN)));
    // Both are used up: what comes in is taken, to a frozen account too.
    kit.given(Command::PlaceFreeze(court(to, 900_000 * YUAN)));
    kit.given(asks(tops_up(to, 7_000 * YUAN)));
    kit.answered(success("2026-03-05"));
    assert_eq!(kit.balance(to), 7_000 * YUAN);
    let rich = kit.wallet(50_000 * YUAN);
    kit.given(makes(transfer(rich, to, 20_000 * YUAN)));

    let agency = kit.merchant(crate::merchant::MerchantKind::Agency, 2_000);
    let company = kit.state.merchant(agency).unwrap().company.unwrap();
    kit.fund(company, 900_000 * YUAN);
    kit.given(makes(transfer(company, to, 300_000 * YUAN)));
    let receiver = Receiver { account: sealed("6222**0009"), name: sealed("*五"), own: false, token: None };
    let to_other = CreatePayout { to: PayTo::Bank(receiver), ..withdraws(company, 300_000 * YUAN, 0) };
    let id = kit.pays_out(to_other);
    assert_eq!(kit.state.payout(id).unwrap().counted, None);
}

#[test]
fn a_refund_is_paid_whatever_its_payer_has_used() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000 * YUAN);
    let payer = kit.state.order(order).unwrap().payer;
    let wallet = kit.account(Subject::Personal, crate::account::Owner::User(payer));
    kit.fund(wallet, 2_000 * YUAN);
    kit.classed(wallet, AccountClass::One);
    let to = kit.wallet(0);
    kit.given(makes(transfer(wallet, to, 1_000 * YUAN)));
    let refund = crate::refund::CreateRefund {
        order,
        out_refund_no: String::from("refund-1"),
        amount: 5_000 * YUAN,
        return_fee: true,
        take_from: alloc::vec![],
        items: alloc::vec![],
        legs: alloc::vec![],
    };
    kit.given(Command::CreateRefund(refund));
    assert_eq!(kit.outbox().len(), 1);
}

fn set(from: &str, limits: Limits) -> Command {
    Command::Limit(LimitCommand::SetPolicy(SetLimitPolicy { from: date(from), limits }))
}

#[test]
fn two_people_set_limits_from_a_day_on_and_the_latest_holds() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    kit.classed(from, AccountClass::One);
    let lower = Limits { class_one: 500 * YUAN, ..Limits::LAW };
    kit.refused(set("2026-03-06", lower), RefusalCode::ApprovalRequired);
    kit.approved(set("2026-03-06", lower));
    let row = kit.state.limit_policies.iter().next().unwrap().1.clone();
    assert_eq!((row.set_by.as_str(), row.approver.as_deref()), ("maker", Some("checker")));
    kit.given(makes(transfer(from, to, 500 * YUAN)));
    kit.given(makes(transfer(from, to, 10 * YUAN)));
    kit.restore();
    kit.now = date("2026-03-06").starts_at();
    kit.refused(makes(transfer(from, to, 1)), RefusalCode::LimitExceeded);
    kit.approved(set("2026-03-06", Limits { class_one: 600 * YUAN, ..Limits::LAW }));
    kit.given(makes(transfer(from, to, 90 * YUAN)));
    kit.refused(makes(transfer(from, to, 1)), RefusalCode::LimitExceeded);
    assert_eq!(kit.state.limits(date("2026-03-05")), Limits::LAW);
}

#[test]
fn bad_limits_and_classes_are_refused() {
    let mut kit = Kit::new();
    let table = [
        (set("2026-03-04", Limits::LAW), RefusalCode::ValueInvalid),
        (set("2026-03-05", Limits { class_one: 0, ..Limits::LAW }), RefusalCode::AmountNotPositive),
        (set("2026-03-05", Limits { fewer_factors: -1, ..Limits::LAW }), RefusalCode::AmountNotPositive),
        (set("2026-03-05", Limits { class_two: 99_999, ..Limits::LAW }), RefusalCode::ValueInvalid),
        (set("2026-03-05", Limits { class_three: 9_999_999, ..Limits::LAW }), RefusalCode::ValueInvalid),
        (set("2026-03-05", Limits { two_factors: 99_999, ..Limits::LAW }), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        let what = alloc::format!("{command:?}");
        assert_eq!(kit.when_approved(command).unwrap_err().code, code, "{what}");
    }
    let landlord = kit.landlord();
    let available = kit.state.merchant(landlord).unwrap().available;
    let class = AccountClass::Two;
    for (account, code) in
        [(available, RefusalCode::SubjectNotAllowed), (AccountId(9_999), RefusalCode::AccountUnknown)]
    {
        kit.refused(Command::Limit(LimitCommand::Classify { account, class }), code);
    }
    let closed = kit.wallet(0);
    kit.given(Command::CloseAccount(closed));
    kit.refused(Command::Limit(LimitCommand::Classify { account: closed, class }), RefusalCode::AccountClosed);
    assert_eq!(kit.state.limit_policy(LimitPolicyId(1)).unwrap_err().code, RefusalCode::LimitPolicyUnknown);
}

#[test]
fn two_people_of_risk_set_limits_through_an_approval() {
    let mut kit = Kit::new();
    kit.people();
    let limits = Limits { class_one: 500 * YUAN, ..Limits::LAW };
    let proposal = Proposal::LimitPolicy(SetLimitPolicy { from: date("2026-03-05"), limits });
    let refused = kit.when_proposed("accountant-1", proposal.clone());
    assert_eq!(Kit::code(refused), RefusalCode::RoleMissing);
    let Reply::LimitPolicy(id) = kit.decided("risk", proposal) else { panic!("limits were set") };
    let policy = kit.state.limit_policy(id).unwrap();
    assert_eq!((policy.set_by.as_str(), policy.approver.as_deref()), ("risk-1", Some("risk-2")));
    assert_eq!(kit.state.limits(date("2026-03-05")), limits);
}
