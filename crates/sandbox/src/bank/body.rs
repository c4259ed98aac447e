//! The bodies of answers, lists and notifications, and the codes in them.

use jiff::civil::Date;
use serde::Serialize;

use super::days::Returned;
use super::ledger::{Entry, State};
use super::names::{Rail, Serial, Verb};
use super::order::CURRENCY;

pub(crate) const DONE: &str = "00000000";
pub(crate) const IN_PROGRESS: &str = "00000001";
pub(crate) const DUPLICATE: &str = "00000002";
pub(crate) const NOT_FOUND: &str = "00000003";
pub(crate) const NOT_READY: &str = "00000004";
pub(crate) const CURRENCY_NOT_TAKEN: &str = "40000004";
pub(crate) const RETURNED: &str = "50000001";
pub(crate) const MALFORMED: &str = "90000001";
pub(crate) const UNSIGNED: &str = "90000002";

/// Every code and what it means.
const MEANINGS: &[(&str, &str)] = &[
    (DONE, "done"),
    (IN_PROGRESS, "in progress"),
    (DUPLICATE, "duplicate serial number"),
    (NOT_FOUND, "no such serial number"),
    (NOT_READY, "the clearing date is not over"),
    ("10000001", "the balance is too low"),
    ("10000002", "the agreement or card is not valid"),
    ("10000003", "the account's name is another"),
    ("10000004", "the account is closed"),
    ("10000005", "the quota of the year is used up"),
    ("10000006", "the lease is not filed with the centre"),
    ("20000001", "refused by risk control"),
    ("20000002", "over the limit of the day"),
    ("30000001", "closed for maintenance"),
    ("30000002", "this kind of account is not taken"),
    ("40000001", "the network is busy and did not take it"),
    (super::ledger::NO_ORIGINAL, "the original serial number is not there"),
    (super::ledger::TOO_MUCH, "more than the original has left"),
    (CURRENCY_NOT_TAKEN, "the currency is not taken"),
    (RETURNED, "the receiving account is closed"),
    (MALFORMED, "the request is not in its form"),
    (UNSIGNED, "the request is not signed"),
];

/// What a code means.
pub(crate) fn meaning(code: &str) -> &'static str {
    MEANINGS.iter().find(|(known, _)| *known == code).map_or("declined", |(_, meaning)| meaning)
}

/// An answer to an operation or a query.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    serial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    code: Box<str>,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    clearing_date: String,
}

impl Answer {
    /// Whether the serial number was seen before.
    pub(crate) fn is_duplicate(&self) -> bool {
        &*self.code == DUPLICATE
    }

    /// Only a code about a serial number.
    pub(crate) fn bare(serial: Serial, code: &str, now: Date) -> Self {
        Self {
            serial: serial.to_string(),
            kind: None,
            code: code.into(),
            message: meaning(code),
            amount: None,
            currency: None,
            reference: None,
            clearing_date: now.to_string(),
        }
    }

    /// Where an operation stands. What is done carries its own clearing date, all else today's.
    pub(crate) fn of(entry: &Entry, state: &State, now: Date) -> Self {
        let (code, date) = match state {
            State::Lost => return Self::bare(entry.serial, NOT_FOUND, now),
            State::Open { .. } => (IN_PROGRESS, now),
            State::Done { date } => (DONE, *date),
            State::Declined { code } => (&**code, now),
        };
        let done = matches!(state, State::Done { .. });
        Self {
            kind: Some(entry.verb.name()),
            amount: Some(entry.amount),
            currency: entry.currency_taken.then_some(CURRENCY),
            reference: done.then(|| reference(entry.rail, Some(entry.verb), entry.serial)),
            ..Self::bare(entry.serial, code, date)
        }
    }
}

/// The bank's own reference of a line.
pub(crate) fn reference(rail: Rail, verb: Option<Verb>, serial: Serial) -> String {
    let letter = match (verb, rail) {
        (None, _) => 'R',
        (Some(_), Rail::Fund) => 'F',
        (Some(_), Rail::Epcc | Rail::UnionPay | Rail::PingAn | Rail::OwnBank) => 'B',
    };
    format!("{letter}{serial}")
}

/// A payment that came back.
#[derive(Debug, Serialize)]
pub(crate) struct Return {
    serial: String,
    amount: i64,
    currency: &'static str,
    return_date: String,
    reference: String,
    code: &'static str,
}

impl Return {
    pub(crate) fn of(back: &Returned) -> Self {
        Self {
            serial: back.serial.to_string(),
            amount: back.amount,
            currency: CURRENCY,
            return_date: back.date.to_string(),
            reference: reference(back.rail, None, back.serial),
            code: RETURNED,
        }
    }
}

/// The payments that came back on a date.
#[derive(Debug, Serialize)]
pub(crate) struct Returns {
    pub(crate) date: String,
    pub(crate) returns: Vec<Return>,
}

/// What is told without being asked.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Notification {
    Answered(Answer),
    Returned(Return),
}

/// A request that cannot be answered as asked.
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
}
