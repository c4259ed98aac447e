//! Exchange rates: exact ratios between currencies of different scales, and who sets and withdraws them.

use super::*;
use crate::testkit::Kit;

use Currency::{Cny, Eur, Jpy, Usd};
use RateDirection::{BaseToQuote, QuoteToBase};

fn terms(kit: &Kit, pair: (Currency, Currency), direction: RateDirection, price: (i64, u8)) -> SetExchangeRate {
    SetExchangeRate {
        base: pair.0,
        quote: pair.1,
        direction,
        value: price.0,
        decimals: price.1,
        source: String::from("Bank of China"),
        document: [7; 32].into(),
        valid_from: kit.now,
        valid_until: kit.now.plus_ms(86_400_000),
    }
}

fn rate(pair: (Currency, Currency), direction: RateDirection, price: (i64, u8)) -> ExchangeRate {
    let terms = terms(&Kit::new(), pair, direction, price);
    let operator = String::from("tester");
    let (id, set_at) = (ExchangeRateId(1), terms.valid_from);
    ExchangeRate { id, terms, set_at, operator, approver: None, withdrawn: None }
}

fn set(terms: SetExchangeRate) -> Command {
    Command::ExchangeRate(ExchangeRateCommand::Set(terms))
}

fn withdraw(rate: ExchangeRateId) -> Command {
    Command::ExchangeRate(ExchangeRateCommand::Withdraw(rate))
}

#[test]
fn amounts_follow_from_the_ratio_and_both_scales_half_up() {
    // (pair, direction, value and decimals, minor units given, minor units got)
    let table = [
        // 100.00 USD at 7.1234 are 712.34 CNY; 0.01 USD are 0.071234 CNY
        ((Usd, Cny), BaseToQuote, (71_234, 4), 10_000, 71_234),
        ((Usd, Cny), BaseToQuote, (71_234, 4), 1, 7),
        // 1,000.00 CNY at 7.1456 a dollar are 139.946… USD
        ((Usd, Cny), QuoteToBase, (71_456, 4), 100_000, 13_995),
        // 100.00 USD at 149.85 are 14,985 JPY, which has no decimals
        ((Usd, Jpy), BaseToQuote, (14_985, 2), 10_000, 14_985),
        // 10,000 JPY at 4.7512 CNY a hundred are 475.12 CNY
        ((Jpy, Cny), BaseToQuote, (47_512, 6), 10_000, 47_512),
        // 500.00 CNY at 4.78 CNY a hundred yen are 10,460.25… JPY
        ((Jpy, Cny), QuoteToBase, (478, 4), 50_000, 10_460),
        // exactly a half is rounded up: 1.005 EUR, 150.5 JPY
        ((Usd, Eur), BaseToQuote, (1_005, 3), 100, 101),
        ((Usd, Jpy), BaseToQuote, (1_505, 1), 100, 151),
        // and less than a half down
        ((Usd, Jpy), BaseToQuote, (150_499, 3), 100, 150),
        ((Usd, Jpy), BaseToQuote, (49, 2), 100, 0),
        ((Usd, Eur), BaseToQuote, (1, 0), Minor::MAX, Minor::MAX),
        ((Usd, Eur), QuoteToBase, (MAX_VALUE, MAX_DECIMALS), Minor::MAX, 922_337_203_685_478),
    ];
    for (pair, direction, price, amount, expected) in table {
        let rate = rate(pair, direction, price);
        assert_eq!(rate.convert(amount), Ok(expected), "{amount} {pair:?} {direction:?} {price:?}");
        // From another side: what is got differs from the exact amount by at most a half, and by a half only upwards.
        let scale = |currency: Currency| 10_i128.pow(currency.scale());
        let one = 10_i128.pow(u32::from(price.1));
        let (up, down) = match direction {
            BaseToQuote => (i128::from(price.0), one),
            QuoteToBase => (one, i128::from(price.0)),
        };
        let (exact, unit) = (i128::from(amount) * up * scale(rate.bought()), down * scale(rate.sold()));
        let rest = 2 * (exact - i128::from(expected) * unit);
        assert!((-unit..unit).contains(&rest), "{amount} {pair:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (pair, direction, price) in [
        ((Jpy, Cny), BaseToQuote, (1, 0)),
        ((Usd, Eur), BaseToQuote, (MAX_VALUE, 0)),
        ((Usd, Eur), QuoteToBase, (1, MAX_DECIMALS)),
    ] {
        let refusal = rate(pair, direction, price).convert(Minor::MAX).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AmountOverflow, "{pair:?}");
    }
}

#[test]
fn a_rate_serves_one_direction() {
    let sells_dollars = rate((Usd, Cny), BaseToQuote, (71_234, 4));
    assert_eq!((sells_dollars.sold(), sells_dollars.bought()), (Usd, Cny));
    let buys_dollars = rate((Usd, Cny), QuoteToBase, (71_456, 4));
    assert_eq!((buys_dollars.sold(), buys_dollars.bought()), (Cny, Usd));
}

#[test]
fn two_people_set_a_rate() {
    let mut kit = Kit::new();
    let good = terms(&kit, (Usd, Cny), BaseToQuote, (71_234, 4));
    kit.refused(set(good.clone()), RefusalCode::ApprovalRequired);
    let Reply::ExchangeRate(id) = kit.approved(set(good.clone())) else { panic!("a rate was set") };
    let rate = kit.state.exchange_rate(id).unwrap();
    assert_eq!((rate.operator.as_str(), rate.approver.as_deref()), ("maker", Some("checker")));
    assert_eq!((&rate.terms, rate.status(kit.now)), (&good, "valid"));
    kit.restore();
}

#[test]
fn what_is_wrong_with_a_rate_is_refused() {
    let mut kit = Kit::new();
    let good = terms(&kit, (Usd, Cny), BaseToQuote, (71_234, 4));
    let (now, start) = (kit.now, good.valid_from);
    let table = [
        (SetExchangeRate { quote: Usd, ..good.clone() }, RefusalCode::ValueInvalid, "quote"),
        (SetExchangeRate { value: 0, ..good.clone() }, RefusalCode::AmountNotPositive, "value"),
        (SetExchangeRate { value: -1, ..good.clone() }, RefusalCode::AmountNotPositive, "value"),
        (SetExchangeRate { value: MAX_VALUE + 1, ..good.clone() }, RefusalCode::ValueInvalid, "value"),
        (SetExchangeRate { decimals: MAX_DECIMALS + 1, ..good.clone() }, RefusalCode::ValueInvalid, "value"),
        (SetExchangeRate { source: String::from(" "), ..good.clone() }, RefusalCode::ValueInvalid, "source"),
        (SetExchangeRate { source: "x".repeat(129), ..good.clone() }, RefusalCode::ValueInvalid, "source"),
        (SetExchangeRate { valid_until: start, ..good.clone() }, RefusalCode::ValueInvalid, "valid_until"),
        (
            SetExchangeRate { valid_from: now.plus_ms(-9), valid_until: now, ..good.clone() },
            RefusalCode::ValueInvalid,
            "valid_until",
        ),
    ];
    for (terms, code, param) in table {
        let refusal = kit.when_approved(set(terms.clone())).unwrap_err();
        assert_eq!((refusal.code, refusal.param.as_ref()), (code, param), "{terms:?}");
    }
    assert_eq!(kit.state.exchange_rates.iter().count(), 0);
    let refusal = kit.state.exchange_rate(ExchangeRateId(9)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::ExchangeRateUnknown);
}

#[test]
fn a_rate_waits_for_its_day_runs_out_and_may_be_withdrawn_before() {
    let mut kit = Kit::new();
    let later = kit.now.plus_ms(1_000);
    let good = terms(&kit, (Usd, Cny), BaseToQuote, (71_234, 4));
    let future = SetExchangeRate { valid_from: later, valid_until: later.plus_ms(1_000), ..good };
    let [first, second] = [(); 2].map(|()| {
        let Reply::ExchangeRate(id) = kit.approved(set(future.clone())) else { panic!("a rate was set") };
        id
    });
    let status = |kit: &Kit, id| kit.state.exchange_rate(id).unwrap().status(kit.now);
    kit.given(withdraw(first));
    assert_eq!((status(&kit, first), status(&kit, second)), ("withdrawn", "future"));
    kit.refused(withdraw(first), RefusalCode::ExchangeRateNotValid);
    kit.later(1_000);
    assert_eq!((status(&kit, first), status(&kit, second)), ("withdrawn", "valid"));
    kit.later(1_000);
    assert_eq!(status(&kit, second), "expired");
    kit.refused(withdraw(second), RefusalCode::ExchangeRateNotValid);
    kit.refused(withdraw(ExchangeRateId(9)), RefusalCode::ExchangeRateUnknown);
    kit.restore();
    assert_eq!(kit.state.exchange_rate(first).unwrap().withdrawn.as_ref().unwrap().operator, "tester");
}

#[test]
fn two_treasurers_set_a_rate_by_an_approval() {
    let mut kit = Kit::new();
    kit.people();
    let good = terms(&kit, (Usd, Cny), BaseToQuote, (71_234, 4));
    let proposal = crate::approval::Proposal::SetExchangeRate(good.clone());
    assert_eq!(Kit::code(kit.when_proposed("accountant-1", proposal.clone())), RefusalCode::RoleMissing);
    let wrong = crate::approval::Proposal::SetExchangeRate(SetExchangeRate { value: 0, ..good });
    assert_eq!(Kit::code(kit.when_proposed("treasurer-1", wrong)), RefusalCode::AmountNotPositive);
    let Reply::ExchangeRate(id) = kit.decided("treasurer", proposal) else { panic!("a rate was set") };
    let rate = kit.state.exchange_rate(id).unwrap();
    assert_eq!((rate.operator.as_str(), rate.approver.as_deref()), ("treasurer-1", Some("treasurer-2")));
}
