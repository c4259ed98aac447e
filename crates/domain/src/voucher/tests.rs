//! Vouchers: every refusal, and what a posting does to its accounts.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::account::{OpenAccount, Owner};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Command;
use crate::hold::PlaceHold;
use crate::restriction::Restriction;
use crate::testkit::{Kit, court, date};

const CNY: Currency = Currency::Cny;

/// Two personal accounts, the first with 1,000, and the books they live in.
struct World {
    kit: Kit,
    payer: AccountId,
    payee: AccountId,
    clearing: AccountId,
}

fn world() -> World {
    let mut kit = Kit::new();
    let user = kit.user();
    let [payer, payee] = [(); 2].map(|()| kit.account(Subject::Personal, Owner::User(user)));
    kit.fund(payer, 1_000);
    let clearing = kit.state.institution(Subject::ClearingEpcc, CNY).unwrap();
    World { kit, payer, payee, clearing }
}

impl World {
    fn own(&self, subject: Subject) -> AccountId {
        self.kit.state.institution(subject, CNY).unwrap()
    }

    fn dollars(&mut self) -> AccountId {
        let owner = Owner::User(crate::ids::UserId(1));
        let open = OpenAccount { subject: Subject::Personal, currency: Currency::Usd, owner, overdraft: false };
        let Reply::Account(id) = self.kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
        id
    }
}

fn post(entries: Vec<Entry>) -> Command {
    dated(entries, None)
}

fn dated(entries: Vec<Entry>, date: Option<Date>) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("by-hand".into()),
        event: EventCode::Transfer,
        date,
        entries,
        dimensions: None,
    })
}

fn transfer(from: AccountId, to: AccountId, amount: Minor) -> Vec<Entry> {
    vec![Entry::debit(from, amount, CNY), Entry::credit(to, amount, CNY)]
}

#[test]
fn each_entry_gets_its_number_the_balance_after_it_and_its_counterpart() {
    let World { mut kit, payer, payee, .. } = world();
    let voucher = Voucher {
        business: BusinessNumber::Text("t-1".into()),
        event: EventCode::Transfer,
        date: date("2026-03-05"),
        entries: transfer(payer, payee, 400),
        dimensions: None,
        contra_of: None,
    };
    kit.state.position += 1;
    apply_posted(&mut kit.state, &voucher);
    let posted: Vec<_> = kit
        .state
        .posted
        .iter()
        .map(|entry| (entry.account, entry.number, entry.balance, entry.counterpart, entry.voucher.0))
        .collect();
    let position = kit.state.position;
    assert_eq!(posted, [(payer, 2, 600, payee, position), (payee, 1, 400, payer, position)]);
}

#[test]
fn a_voucher_may_span_books_if_each_balances() {
    let mut world = world();
    let [due, mirror, income] = [Subject::DueToOwn, Subject::DueFromReserve, Subject::FeeIncome].map(|s| world.own(s));
    let fee = |income_amount| {
        post(vec![
            Entry::debit(world.payer, 30, CNY),
            Entry::credit(due, 30, CNY),
            Entry::debit(mirror, 30, CNY),
            Entry::credit(income, income_amount, CNY),
        ])
    };
    let (good, bad) = (fee(30), fee(29));
    world.kit.refused(bad, RefusalCode::VoucherUnbalanced);
    world.kit.given(good);
    world.kit.books(&[(1121, 1_000), (2291, 30), (1291, 30), (5001, 30)]);
}

#[test]
fn a_cost_of_the_institution_cannot_be_posted_against_reserve() {
    let mut world = world();
    let cost = world.own(Subject::ChannelCost);
    let entries = vec![Entry::debit(cost, 30, CNY), Entry::credit(world.clearing, 30, CNY)];
    world.kit.refused(post(entries), RefusalCode::VoucherUnbalanced);
}

#[test]
fn a_voucher_is_of_one_currency() {
    let mut world = world();
    let dollars = world.dollars();
    let clearing = world.kit.state.institution(Subject::ClearingEpcc, Currency::Usd).unwrap();
    let mixed = vec![Entry::debit(world.payer, 10, CNY), Entry::credit(dollars, 10, Currency::Usd)];
    world.kit.refused(post(mixed), RefusalCode::VoucherCurrencies);
    // Even where each currency balances by itself: who gives one and gets the other makes a conversion.
    let yuan = transfer(world.payer, world.payee, 10);
    let other = vec![Entry::debit(clearing, 7, Currency::Usd), Entry::credit(dollars, 7, Currency::Usd)];
    world.kit.refused(post([yuan.clone(), other.clone()].concat()), RefusalCode::VoucherCurrencies);
    for entries in [yuan, other] {
        world.kit.given(post(entries));
    }
    assert_eq!((world.kit.balance(world.payee), world.kit.balance(dollars)), (10, 7));
}

#[test]
fn what_is_wrong_in_a_voucher_is_refused() {
    let mut world = world();
    let dollars = world.dollars();
    let closed = world.kit.account(Subject::Personal, Owner::User(crate::ids::UserId(1)));
    world.kit.given(Command::CloseAccount(closed));
    let (payer, payee, clearing) = (world.payer, world.payee, world.clearing);
    let reserve = world.own(Subject::CentralBank);
    let many = (0..=MAX_ENTRIES).map(|_| Entry::debit(payer, 1, CNY)).collect();
    let table = [
        (vec![], RefusalCode::VoucherTooShort),
        (vec![Entry::debit(payer, 1, CNY)], RefusalCode::VoucherTooShort),
        (many, RefusalCode::VoucherTooLong),
        (transfer(payer, payee, 0), RefusalCode::AmountNotPositive),
        (transfer(payer, payee, -5), RefusalCode::AmountNotPositive),
        (transfer(payer, payee, Minor::MIN), RefusalCode::AmountNotPositive),
        (transfer(payer, AccountId(999), 1), RefusalCode::AccountUnknown),
        (transfer(payer, AccountId(0), 1), RefusalCode::AccountUnknown),
        (transfer(payer, closed, 1), RefusalCode::AccountClosed),
        (transfer(payer, dollars, 1), RefusalCode::CurrencyMismatch),
        (transfer(payer, payee, 1_001), RefusalCode::InsufficientFunds),
        (vec![Entry::debit(payer, 2, CNY), Entry::credit(payee, 1, CNY)], RefusalCode::VoucherUnbalanced),
        (vec![Entry::credit(payer, 1, CNY), Entry::credit(payee, 1, CNY)], RefusalCode::VoucherUnbalanced),
        (transfer(reserve, payee, 1), RefusalCode::SubjectNotAllowed),
        (vec![Entry::credit(clearing, 1, CNY), Entry::debit(reserve, 1, CNY)], RefusalCode::SubjectNotAllowed),
    ];
    let (events, accounts) = (world.kit.events.len(), world.kit.state.accounts.next_id());
    for (entries, code) in table {
        world.kit.refused(post(entries), code);
    }
    assert_eq!((world.kit.events.len(), world.kit.state.accounts.next_id()), (events, accounts));
    assert_eq!(world.kit.balance(payer), 1_000);
}

#[test]
fn sums_that_leave_the_range_are_refused() {
    let World { mut kit, payer, payee, clearing } = world();
    let huge = |account| transfer(clearing, account, Minor::MAX);
    kit.refused(post(huge(payer)), RefusalCode::AmountOverflow);
    let twice = [huge(payee), huge(payee)].concat();
    kit.refused(post(twice), RefusalCode::AmountOverflow);
    // The balance would fit; what the day moved on the account would not.
    let half = Minor::MAX / 2 + 1;
    let there_and_back = [transfer(clearing, payee, half), transfer(payee, clearing, half)].concat();
    kit.given(post(there_and_back.clone()));
    kit.refused(post(there_and_back), RefusalCode::AmountOverflow);
}

/// The change would fit and the day's turnover too; a sum between two entries of the voucher would not.
#[test]
fn sums_that_leave_the_range_on_the_way_are_refused() {
    let World { mut kit, payee, clearing, .. } = world();
    kit.given(post(transfer(clearing, payee, Minor::MAX - 3_000)));
    kit.on("2026-03-06");
    let there_and_back = [transfer(clearing, payee, 2_001), transfer(payee, clearing, 2_001)].concat();
    kit.refused(post(there_and_back), RefusalCode::AmountOverflow);
    let within = [transfer(payee, clearing, 2_000), transfer(clearing, payee, 2_000)].concat();
    kit.given(post(within));
}

#[test]
fn an_account_named_twice_is_judged_by_the_whole_voucher() {
    let World { mut kit, payer, payee, .. } = world();
    let through = [transfer(payer, payee, 900), transfer(payee, payer, 900)].concat();
    kit.given(post(through));
    assert_eq!((kit.balance(payer), kit.balance(payee)), (1_000, 0));
    assert_eq!(kit.state.account(payee, "account").unwrap().entries, 2);
    let split = [transfer(payer, payee, 600), transfer(payer, payee, 600)].concat();
    kit.refused(post(split), RefusalCode::InsufficientFunds);
}

#[test]
fn what_is_held_or_frozen_does_not_go_out() {
    let World { mut kit, payer, payee, .. } = world();
    let expires_at = kit.now.plus_ms(1_000);
    kit.given(Command::PlaceHold(PlaceHold { account: payer, amount: 300, currency: CNY, expires_at }));
    kit.given(Command::PlaceFreeze(court(payer, 200)));
    kit.refused(post(transfer(payer, payee, 501)), RefusalCode::InsufficientFunds);
    kit.given(post(transfer(payer, payee, 500)));
}

#[test]
fn only_the_open_day_takes_vouchers() {
    let World { mut kit, payer, payee, .. } = world();
    let on = |day: &str| dated(transfer(payer, payee, 1), Some(date(day)));
    kit.given(on("2026-03-05"));
    kit.refused(on("2026-03-04"), RefusalCode::DayClosed);
    kit.refused(on("2026-03-06"), RefusalCode::DayNotOpen);
    kit.given(Command::CutDay { next: None });
    kit.refused(on("2026-03-05"), RefusalCode::DayClosed);
    kit.given(on("2026-03-06"));

    let voucher = PostVoucher {
        business: BusinessNumber::Text("early".into()),
        event: EventCode::Transfer,
        date: None,
        entries: transfer(payer, payee, 1),
        dimensions: None,
    };
    let (mut empty, context) = (State::default(), context());
    let refusal = decide_post(&mut Draft::begin(&mut empty, &context, true), voucher).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::NotInitialised);
}

fn context() -> crate::Context {
    let actor = crate::Actor::Timer;
    crate::Context { now: Time(0), actor, approval: None, origin: crate::Origin::Timer, epoch: 1 }
}

#[test]
fn a_contra_brings_money_back_to_an_account_that_takes_none() {
    let World { mut kit, payer, clearing, .. } = world();
    kit.given(Command::RestrictAccount {
        account: payer,
        restriction: Restriction { in_barred: true, out_barred: true },
    });
    let context = context();
    let mut draft = Draft::begin(&mut kit.state, &context, true);
    let mut post = |entries, contra_of| {
        let business = BusinessNumber::Text("c".into());
        draft.post_contra(business, EventCode::PayoutFailed, entries, Dimensions::default(), contra_of)
    };
    let (back, out) = (transfer(clearing, payer, 10), transfer(payer, clearing, 10));
    assert_eq!(post(back.clone(), None).unwrap_err().code, RefusalCode::AccountRestricted);
    assert_eq!(post(out, Some(VoucherId(1))).unwrap_err().code, RefusalCode::AccountRestricted);
    assert!(post(back, Some(VoucherId(1))).is_ok());
}

#[test]
fn codes_are_read_back_by_name_and_number() {
    for code in EventCode::ALL.iter().copied() {
        assert_eq!((EventCode::parse(code.name()), EventCode::from_number(code.number())), (Some(code), Some(code)));
    }
}

#[test]
fn business_numbers_show_what_they_name() {
    let bulk = BusinessNumber::Bulk { stream: crate::ids::StreamId(3), number: 7, index: 2 };
    let object = BusinessNumber::object(BusinessKind::Payout, 12);
    assert_eq!((bulk.to_string().as_str(), object.to_string().as_str()), ("str_3/7/2", "pay_12"));
}
