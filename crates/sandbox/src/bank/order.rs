//! The body of a request, read strictly: every field that the verb has, no other.

use std::borrow::Cow;

use serde::Deserialize;

use super::ledger::Entry;
use super::names::{House, Rail, Serial, Verb};

/// The largest amount of one operation, in minor units: a day of them stays far inside 64 bits.
const AMOUNT_MAX: i64 = 100_000_000_000;

/// The only currency that is taken.
pub(crate) const CURRENCY: &str = "CNY";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderBody<'a> {
    #[serde(borrow)]
    serial: Cow<'a, str>,
    #[serde(borrow)]
    rail: Cow<'a, str>,
    amount: i64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    agreement: Option<Cow<'a, str>>,
    #[serde(borrow)]
    contract: Option<Cow<'a, str>>,
    #[serde(borrow)]
    original: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bank_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bank_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody<'a> {
    #[serde(borrow)]
    serial: Cow<'a, str>,
    #[serde(borrow)]
    rail: Cow<'a, str>,
}

/// Reads an order; what is wrong is told by the field's name, never by its value.
pub(crate) fn read(house: House, verb: Verb, body: &[u8]) -> Result<Entry, &'static str> {
    let body: OrderBody<'_> = serde_json::from_slice(body).map_err(|_| "the body is not an order in JSON")?;
    let filled = |field: &Option<Cow<'_, str>>| field.as_ref().is_some_and(|text| !text.is_empty());
    let there = [&body.agreement, &body.contract, &body.original, &body.account, &body.name].map(filled);
    let needed = match verb {
        Verb::Debit => [true, false, false, false, false],
        Verb::Hold => [false, true, false, false, false],
        Verb::Refund | Verb::Capture | Verb::Release => [false, false, true, false, false],
        Verb::Pay => [false, false, false, true, true],
        Verb::Redirect => return Err("a redirect is a form that a browser posts"),
    };
    if there != needed {
        return Err("one of agreement, contract, original, account and name is missing or does not belong here");
    }
    // A payment may name its bank; if it does, it names it.
    let bank = [&body.bank_name, &body.bank_code];
    if bank.iter().any(|field| field.is_some()) && (verb != Verb::Pay || !bank.into_iter().all(filled)) {
        return Err("bank_name and bank_code go together, filled, with a payment");
    }
    let original = body.original.as_ref().map(|text| text.parse()).transpose();
    if !(1..=AMOUNT_MAX).contains(&body.amount) {
        return Err("amount is not 1 to 100000000000");
    }
    let rail = rail(house, &body.rail)?;
    if !rail.carries(verb) {
        return Err("rail does not carry this");
    }
    Ok(Entry {
        serial: body.serial.parse().map_err(|_| "serial is not 31 digits")?,
        verb,
        rail,
        amount: body.amount,
        original: original.map_err(|_| "original is not 31 digits")?,
        currency_taken: body.currency == CURRENCY,
    })
}

/// Reads a query.
pub(crate) fn read_query(house: House, body: &[u8]) -> Result<Serial, &'static str> {
    let body: QueryBody<'_> = serde_json::from_slice(body).map_err(|_| "the body is not a query in JSON")?;
    rail(house, &body.rail)?;
    body.serial.parse().map_err(|_| "serial is not 31 digits")
}

/// Reads a rail that leads to this house.
pub(crate) fn rail(house: House, word: &str) -> Result<Rail, &'static str> {
    Rail::parse(word).filter(|rail| house.reached_by(*rail)).ok_or("rail does not lead here")
}

/// Reads a rail that leads to this house and has clearing files.
pub(crate) fn cleared_rail(house: House, word: &str) -> Result<Rail, &'static str> {
    let rail = rail(house, word)?;
    if rail.is_cleared() { Ok(rail) } else { Err("no clearing file tells of this rail") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "2026030500000000000000420000042";

    #[test]
    fn each_verb_has_its_own_fields() {
        let body =
            |fields: &str| format!(r#"{{"serial":"{SERIAL}","rail":"epcc",{fields},"amount":5,"currency":"CNY"}}"#);
        let read = |verb, fields: &str| read(House::Bank, verb, body(fields).as_bytes());
        assert_eq!(read(Verb::Debit, r#""agreement":"A""#).unwrap().amount, 5);
        assert_eq!(read(Verb::Pay, r#""account":"6222","name":"名""#).unwrap().serial.to_string(), SERIAL);
        let with_bank = r#""account":"6222","name":"n","bank_name":"b","bank_code":"313290000017""#;
        assert_eq!(read(Verb::Pay, with_bank).unwrap().amount, 5);
        assert!(read(Verb::Refund, &format!(r#""original":"{SERIAL}""#)).unwrap().original.is_some());
        for (verb, fields) in [
            (Verb::Debit, r#""agreement":"""#),
            (Verb::Debit, r#""account":"6222","name":"n""#),
            (Verb::Debit, r#""agreement":"A","note":"hello""#),
            (Verb::Debit, r#""agreement":"A","agreement":"B""#),
            (Verb::Pay, r#""account":"6222""#),
            (Verb::Pay, r#""account":"6222","name":"n","bank_name":"","bank_code":"313290000017""#),
            (Verb::Pay, r#""account":"6222","name":"n","bank_name":"b""#),
            (Verb::Debit, r#""agreement":"A","bank_name":"b","bank_code":"313290000017""#),
            (Verb::Refund, r#""original":"42""#),
        ] {
            assert!(read(verb, fields).is_err(), "{verb:?} {fields}");
        }
    }

    #[test]
    fn the_own_account_pays_and_has_no_clearing_file() {
        let body =
            |fields: &str| format!(r#"{{"serial":"{SERIAL}","rail":"own_bank",{fields},"amount":5,"currency":"CNY"}}"#);
        let read = |verb, fields: &str| read(House::Bank, verb, body(fields).as_bytes());
        assert_eq!(read(Verb::Pay, r#""account":"6222","name":"n""#).unwrap().rail, Rail::OwnBank);
        assert!(read(Verb::Debit, r#""agreement":"A""#).is_err());
        assert!(read(Verb::Refund, &format!(r#""original":"{SERIAL}""#)).is_err());
        assert_eq!(rail(House::Bank, "own_bank"), Ok(Rail::OwnBank));
        assert!(rail(House::Fund, "own_bank").is_err());
        assert!(cleared_rail(House::Bank, "own_bank").is_err());
        assert_eq!(cleared_rail(House::Bank, "epcc"), Ok(Rail::Epcc));
    }

    #[test]
    fn amounts_and_rails_outside_are_refused() {
        for (amount, rail) in [("0", "epcc"), ("-5", "epcc"), ("5.0", "epcc"), ("100000000001", "epcc"), ("5", "fund")]
        {
            let body = format!(
                r#"{{"serial":"{SERIAL}","rail":"{rail}","agreement":"A","amount":{amount},"currency":"CNY"}}"#
            );
            assert!(read(House::Bank, Verb::Debit, body.as_bytes()).is_err(), "{amount} {rail}");
        }
    }
}
