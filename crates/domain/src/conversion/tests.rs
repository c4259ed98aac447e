//! Conversions: two vouchers under one number, what they do to the books, and every refusal; and that no check adds one
//! currency to another.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;
use crate::account::{OpenAccount, Owner};
use crate::book::Side::{self, Credit, Debit};
use crate::checks;
use crate::envelope::{Actor, Context, Origin};
use crate::exchange_rate::{ExchangeRateCommand, RateDirection, SetExchangeRate};
use crate::restriction::Restriction;
use crate::testkit::{Kit, date};
use crate::trial_balance::TrialBalance;
use crate::voucher::{PostVoucher, Voucher};

use Currency::{Cny, Jpy, Usd};

const DAY: &str = "2026-03-05";

/// A customer with 1,000.00 USD, nothing in yuan and yen, and three rates.
struct World {
    kit: Kit,
    dollars: AccountId,
    yuan: AccountId,
    yen: AccountId,
    /// USD to CNY at 7.1234.
    usd_cny: ExchangeRateId,
    /// CNY to USD at 7.1456.
    cny_usd: ExchangeRateId,
    /// USD to JPY at 149.855.
    usd_jpy: ExchangeRateId,
}

#[track_caller]
fn open(kit: &mut Kit, owner: Owner, subject: Subject, currency: Currency) -> AccountId {
    let open = OpenAccount { subject, currency, owner, overdraft: false };
    let Reply::Account(id) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    id
}

#[track_caller]
fn set(kit: &mut Kit, base: Currency, quote: Currency, direction: RateDirection, price: (i64, u8)) -> ExchangeRateId {
    let command = SetExchangeRate {
        base,
        quote,
        direction,
        value: price.0,
        decimals: price.1,
        source: "Bank of China".to_string(),
        document: [7; 32].into(),
        valid_from: kit.now,
        valid_until: kit.now.plus_ms(60_000),
    };
    let set = Command::ExchangeRate(ExchangeRateCommand::Set(command));
    let Reply::ExchangeRate(id) = kit.approved(set) else { panic!("a rate was set") };
    id
}

fn top_up(kit: &mut Kit, account: AccountId, amount: Minor, currency: Currency) {
    let clearing = kit.state.institution(Subject::ClearingEpcc, currency).unwrap();
    kit.given(Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("top-up".into()),
        event: EventCode::TopUp,
        date: None,
        entries: vec![Entry::debit(clearing, amount, currency), Entry::credit(account, amount, currency)],
        dimensions: None,
    }));
}

fn world() -> World {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let [dollars, yuan, yen] = [Usd, Cny, Jpy].map(|currency| open(&mut kit, owner, Subject::Personal, currency));
    top_up(&mut kit, dollars, 100_000, Usd);
    let usd_cny = set(&mut kit, Usd, Cny, RateDirection::BaseToQuote, (71_234, 4));
    let cny_usd = set(&mut kit, Usd, Cny, RateDirection::QuoteToBase, (71_456, 4));
    let usd_jpy = set(&mut kit, Usd, Jpy, RateDirection::BaseToQuote, (149_855, 3));
    World { kit, dollars, yuan, yen, usd_cny, cny_usd, usd_jpy }
}

fn convert(rate: ExchangeRateId, from: AccountId, to: AccountId, amount: Minor) -> Command {
    Command::Conversion(ConversionCommand::Convert(Convert { rate, from, to, amount }))
}

fn reverse(conversion: ConversionId, reason: &str) -> Command {
    let reason = reason.to_string();
    Command::Conversion(ConversionCommand::Reverse(ReverseConversion { conversion, reason }))
}

impl World {
    #[track_caller]
    fn convert(&mut self, rate: ExchangeRateId, from: AccountId, to: AccountId, amount: Minor) -> ConversionId {
        let Reply::Conversion(id) = self.kit.given(convert(rate, from, to, amount)) else {
            panic!("money was converted")
        };
        id
    }

    fn clearing(&self, currency: Currency) -> Minor {
        self.kit.balance(self.kit.state.institution(Subject::ClearingEpcc, currency).unwrap())
    }

    /// Balances of the customer and of 1121, in dollars, yuan and yen.
    fn money(&self) -> [[Minor; 3]; 2] {
        let customer = [self.dollars, self.yuan, self.yen].map(|account| self.kit.balance(account));
        [customer, [Usd, Cny, Jpy].map(|currency| self.clearing(currency))]
    }
}

type Seen = (String, EventCode, Vec<(AccountId, Side, Minor, Currency)>, bool);

fn seen(voucher: &Voucher) -> Seen {
    let entries = voucher.entries.iter().map(|it| (it.account, it.side, it.amount, it.currency)).collect();
    (voucher.business.to_string(), voucher.event, entries, voucher.contra_of.is_some())
}

#[test]
fn a_conversion_is_two_vouchers_under_one_number() {
    let mut world = world();
    let (dollars, yuan, rate) = (world.dollars, world.yuan, world.usd_cny);
    let before = world.kit.posted().count();
    let id = world.convert(rate, dollars, yuan, 10_000);
    let own = |currency| world.kit.state.institution(Subject::ClearingEpcc, currency).unwrap();
    let sold = vec![(dollars, Debit, 10_000, Usd), (own(Usd), Credit, 10_000, Usd)];
    let bought = vec![(own(Cny), Debit, 71_234, Cny), (yuan, Credit, 71_234, Cny)];
    let vouchers: Vec<Seen> = world.kit.posted().skip(before).map(seen).collect();
    let number = || "cnv_1".to_string();
    assert_eq!(
        vouchers,
        [(number(), EventCode::ConversionSold, sold, false), (number(), EventCode::ConversionBought, bought, false)]
    );
    assert_eq!(world.money(), [[90_000, 71_234, 0], [90_000, 71_234, 0]]);
    let made = world.kit.state.conversion(id).unwrap();
    assert_eq!((made.rate, made.sold.amount, made.bought.amount), (rate, 10_000, 71_234));
    assert_eq!((made.operator.as_str(), made.status(), made.allowed_actions()), ("tester", "done", &["reverse"][..]));
    world.kit.restore();
}

#[test]
fn currencies_of_other_scales_are_converted_half_up() {
    let mut world = world();
    let World { dollars, yuan, yen, usd_cny, cny_usd, usd_jpy, .. } = world;
    world.convert(usd_jpy, dollars, yen, 10_000);
    // 100.00 USD at 149.855 are 14,985.5 JPY
    assert_eq!(world.money()[0], [90_000, 0, 14_986]);
    world.convert(usd_cny, dollars, yuan, 50_001);
    // 500.01 USD at 7.1234 are 3,561.771… CNY
    assert_eq!(world.money()[0], [39_999, 356_177, 14_986]);
    world.convert(cny_usd, yuan, dollars, 356_177);
    // 3,561.77 CNY at 7.1456 are 498.456… USD: who goes there and back pays the difference of the two rates
    assert_eq!(world.money()[0], [39_999 + 49_846, 0, 14_986]);
}

#[test]
fn a_rate_that_is_not_valid_converts_nothing() {
    let mut world = world();
    let World { dollars, yuan, yen, usd_cny, cny_usd, usd_jpy, .. } = world;
    let before = world.money();
    world.kit.given(Command::ExchangeRate(ExchangeRateCommand::Withdraw(usd_jpy)));
    for (rate, from, to) in [(usd_jpy, dollars, yen), (cny_usd, dollars, yuan), (usd_cny, dollars, yen)] {
        world.kit.refused(convert(rate, from, to, 100), RefusalCode::ExchangeRateNotValid);
    }
    world.kit.refused(convert(ExchangeRateId(9), dollars, yuan, 100), RefusalCode::ExchangeRateUnknown);
    let future = SetExchangeRate {
        valid_from: world.kit.now.plus_ms(1),
        ..world.kit.state.exchange_rate(usd_cny).unwrap().terms.clone()
    };
    let set = Command::ExchangeRate(ExchangeRateCommand::Set(future));
    let Reply::ExchangeRate(future) = world.kit.approved(set) else { panic!("a rate was set") };
    world.kit.refused(convert(future, dollars, yuan, 100), RefusalCode::ExchangeRateNotValid);
    assert_eq!(world.money(), before);
    world.kit.later(1);
    world.kit.given(convert(future, dollars, yuan, 100));
    world.kit.later(59_999);
    world.kit.refused(convert(usd_cny, dollars, yuan, 100), RefusalCode::ExchangeRateNotValid);
}

#[test]
fn money_changes_its_currency_and_not_its_owner() {
    let mut world = world();
    let World { dollars, yuan, usd_cny, .. } = world;
    let kit = &mut world.kit;
    let stranger = Owner::User(kit.user());
    let agency = kit.landlord();
    let merchant = kit.state.merchant(agency).unwrap().clone();
    let other = open(kit, stranger, Subject::Personal, Cny);
    let company = open(kit, kit.state.account(yuan, "account").unwrap().owner, Subject::Company, Cny);
    let custody = open(kit, Owner::Institution, Subject::CustodySub, Cny);
    let closed = open(kit, stranger, Subject::Personal, Cny);
    kit.given(Command::CloseAccount(closed));
    let own = kit.state.institution(Subject::Suspense, Cny).unwrap();
    let agreement = kit.agreement_account();
    let table = [
        (dollars, other, RefusalCode::ReceiverNotAllowed),
        (dollars, company, RefusalCode::ReceiverNotAllowed),
        (dollars, merchant.available, RefusalCode::SubjectNotAllowed),
        (dollars, merchant.pending, RefusalCode::SubjectNotAllowed),
        (dollars, custody, RefusalCode::SubjectNotAllowed),
        (dollars, agreement, RefusalCode::SubjectNotAllowed),
        (dollars, own, RefusalCode::SubjectNotAllowed),
        (own, yuan, RefusalCode::SubjectNotAllowed),
        (dollars, closed, RefusalCode::AccountClosed),
        (dollars, AccountId(999), RefusalCode::AccountUnknown),
    ];
    for (from, to, code) in table {
        kit.refused(convert(usd_cny, from, to, 100), code);
    }
}

#[test]
fn amounts_that_are_not_there_or_bring_nothing_are_refused() {
    let mut world = world();
    let World { dollars, yuan, yen, usd_cny, .. } = world;
    let table = [
        (0, RefusalCode::AmountNotPositive),
        (-1, RefusalCode::AmountNotPositive),
        (100_001, RefusalCode::InsufficientFunds),
        (Minor::MAX, RefusalCode::AmountOverflow),
    ];
    for (amount, code) in table {
        world.kit.refused(convert(usd_cny, dollars, yuan, amount), code);
    }
    let tiny = set(&mut world.kit, Usd, Jpy, RateDirection::BaseToQuote, (49, 0));
    world.kit.refused(convert(tiny, dollars, yen, 1), RefusalCode::AmountNotPositive);
    let restriction = Restriction { in_barred: true, out_barred: false };
    world.kit.given(Command::RestrictAccount { account: yuan, restriction });
    world.kit.refused(convert(usd_cny, dollars, yuan, 100), RefusalCode::AccountRestricted);
    assert_eq!(world.money()[0], [100_000, 0, 0], "the first voucher is taken back with the second");
}

#[test]
fn a_reversal_is_the_contra_of_both_at_the_same_rate() {
    let mut world = world();
    let World { dollars, yuan, usd_cny, .. } = world;
    let id = world.convert(usd_cny, dollars, yuan, 10_000);
    world.kit.later(60_000);
    world.kit.refused(reverse(id, "wrong account"), RefusalCode::ApprovalRequired);
    world.kit.refused(reverse(id, " "), RefusalCode::ValueInvalid);
    world.kit.refused(reverse(ConversionId(9), "x"), RefusalCode::ConversionUnknown);
    let made = world.kit.state.conversion(id).unwrap().clone();
    world.kit.restore();
    // The rate has run out: what is reversed has the amounts of then.
    let before = world.kit.posted().count();
    world.kit.approved(reverse(id, "wrong account"));
    assert_eq!(world.money(), [[100_000, 0, 0], [100_000, 0, 0]]);
    let contras: Vec<_> =
        world.kit.posted().skip(before).map(|it| (it.event, it.contra_of, it.business.to_string())).collect();
    let number = || "cnv_1".to_string();
    assert_eq!(
        contras,
        [
            (EventCode::ConversionBoughtReversed, Some(made.bought.voucher), number()),
            (EventCode::ConversionSoldReversed, Some(made.sold.voucher), number()),
        ]
    );
    let reversed = world.kit.state.conversion(id).unwrap();
    let reversal = reversed.reversal.as_ref().unwrap();
    assert_eq!((reversal.operator.as_str(), reversal.approver.as_deref()), ("maker", Some("checker")));
    assert_eq!((reversed.status(), reversed.allowed_actions().len()), ("reversed", 0));
    let again = world.kit.when_approved(reverse(id, "again")).unwrap_err();
    assert_eq!(again.code, RefusalCode::ConversionState);
    world.kit.restore();
}

#[test]
fn what_was_spent_is_not_reversed() {
    let mut world = world();
    let World { dollars, yuan, usd_cny, cny_usd, .. } = world;
    let id = world.convert(usd_cny, dollars, yuan, 10_000);
    world.convert(cny_usd, yuan, dollars, 10);
    let before = world.money();
    let refusal = world.kit.when_approved(reverse(id, "too late")).unwrap_err();
    assert_eq!((refusal.code, world.money()), (RefusalCode::InsufficientFunds, before));
}

#[test]
fn two_accountants_reverse_by_an_approval() {
    let mut world = world();
    let World { dollars, yuan, usd_cny, .. } = world;
    let conversion = world.convert(usd_cny, dollars, yuan, 10_000);
    world.kit.people();
    let reverse = ReverseConversion { conversion, reason: "wrong account".to_string() };
    let reply = world.kit.decided("accountant", crate::approval::Proposal::ReverseConversion(reverse));
    assert_eq!((reply, world.money()[0]), (Reply::Conversion(conversion), [100_000, 0, 0]));
}

/// Posts one entry without asking whether it may be.
fn force(kit: &mut Kit, currency: Currency, subject: Subject, side: Side, amount: Minor) {
    let account = kit.state.institution(subject, currency).unwrap();
    let entries = vec![Entry { account, side, amount, currency }];
    let (business, event) = (BusinessNumber::Text("forced".into()), EventCode::Transfer);
    let context = Context { now: kit.now, actor: Actor::Timer, approval: None, origin: Origin::Timer, epoch: 1 };
    let mut draft = Draft::begin(&mut kit.state, &context, true);
    let voucher = Voucher { business, event, date: date(DAY), entries, dimensions: None, contra_of: None };
    draft.emit(Event::VoucherPosted(voucher));
    drop(draft.commit());
}

fn broken(kit: &Kit) -> Vec<(String, String)> {
    let broken = checks::run(&kit.state, date(DAY)).into_iter().filter(|check| !check.holds);
    broken.map(|check| (check.name, check.detail)).collect()
}

#[test]
fn a_break_in_one_currency_is_not_made_good_in_another() {
    let mut world = world();
    assert!(broken(&world.kit).is_empty());
    force(&mut world.kit, Usd, Subject::ClearingEpcc, Debit, 5);
    force(&mut world.kit, Cny, Subject::ClearingEpcc, Credit, 5);
    let found = broken(&world.kit);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["trial_balance", "cover"]);
    for (_, detail) in found {
        assert!(detail.contains("USD") && detail.contains("CNY") && !detail.contains("JPY"), "{detail}");
    }
}

#[test]
fn mirrors_are_compared_currency_by_currency() {
    let mut world = world();
    // 7 due to own funds in dollars and 7 due from reserve in yuan: equal sums, in different money.
    force(&mut world.kit, Usd, Subject::ClearingEpcc, Debit, 7);
    force(&mut world.kit, Usd, Subject::DueToOwn, Credit, 7);
    force(&mut world.kit, Cny, Subject::DueFromReserve, Debit, 7);
    force(&mut world.kit, Cny, Subject::FeeIncome, Credit, 7);
    let found = broken(&world.kit);
    let expected = "2291 0, 1291 7 in CNY; 2291 7, 1291 0 in USD";
    assert_eq!(found, [("2291_equals_1291".to_string(), expected.to_string())]);
}

#[test]
fn trial_balance_and_cover_stand_by_currency_after_conversions() {
    let mut world = world();
    let World { dollars, yuan, yen, usd_cny, usd_jpy, .. } = world;
    world.convert(usd_cny, dollars, yuan, 10_000);
    world.convert(usd_jpy, dollars, yen, 20_000);
    let trial = TrialBalance::of(&world.kit.state, date(DAY)).unwrap();
    for (currency, amount) in [(Usd, 70_000), (Cny, 71_234), (Jpy, 29_971)] {
        assert_eq!(trial.closing(Subject::Personal, currency), amount);
        assert_eq!(trial.closing(Subject::ClearingEpcc, currency), amount);
        let cover = trial.cover(currency);
        assert_eq!((cover.liabilities, cover.in_clearing, cover.holds()), (amount, amount, true));
    }
    let cover = checks::run(&world.kit.state, date(DAY)).into_iter().find(|check| check.name == "cover").unwrap();
    for told in ["CNY: customers are owed 71234,", "USD: customers are owed 70000,", "JPY: customers are owed 29971,"] {
        assert!(cover.detail.contains(told), "{}", cover.detail);
    }
}
