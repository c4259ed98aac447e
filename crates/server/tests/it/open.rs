//! What tests open before they begin: customers, users, merchants, accounts with money.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::Server;

/// The text at a JSON pointer.
#[track_caller]
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

/// The number at a JSON pointer.
#[track_caller]
pub(crate) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// Whether these digits stand in a text as a number of their own, not as a part of a time, an identifier or a digest.
pub(crate) fn holds_digits(text: &str, digits: &str) -> bool {
    let apart = |beside: Option<char>| beside.is_none_or(|beside| !beside.is_ascii_alphanumeric());
    text.match_indices(digits).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + digits.len()..]);
        apart(before.chars().next_back()) && !before.ends_with('.') && apart(behind.chars().next())
    })
}

/// A person of this name and certificate number.
pub(crate) fn person(name: &str, certificate: &str) -> Value {
    json!({
        "kind": "person", "name": name, "certificate": {"type": "resident_identity", "number": certificate},
        "phone": "13800001234",
    })
}

pub(crate) fn customer(client: &Client, name: &str, certificate: &str) -> String {
    text(&client.post("/v1/customers", &person(name, certificate)).ok(), "/id")
}

pub(crate) fn user(client: &Client, customer: &str) -> String {
    text(&client.post("/v1/users", &json!({"customer": customer, "product": "rent"})).ok(), "/id")
}

/// A merchant with a fee of 0.2 % whose settlement account is in its own name.
pub(crate) fn merchant(client: &Client, kind: &str, name: &str, certificate: &str) -> Value {
    let customer = customer(client, name, certificate);
    let settlement = json!({"account": "6222020200112230", "holder": name});
    let body = json!({
        "customer": customer, "kind": kind, "name": "Lamp Lane Homes", "fee_rate": 2_000, "settlement": settlement,
    });
    client.post("/v1/merchants", &body).ok()
}

pub(crate) fn account(client: &Client, subject: u16, currency: &str, owner: &str) -> String {
    let body = json!({"subject": subject, "currency": currency, "owner": owner});
    text(&client.post("/v1/accounts", &body).ok(), "/id")
}

/// The institution's own account of a subject in yuan.
pub(crate) fn own(client: &Client, subject: u16) -> String {
    let accounts = client.get(&format!("/v1/accounts?owner=institution&subject={subject}&min_position=1")).ok();
    let yuan = accounts["data"].as_array().unwrap().iter().find(|account| account["currency"] == "CNY");
    text(yuan.unwrap(), "/id")
}

pub(crate) fn entry(account: &str, side: &str, amount: impl Into<Value>) -> Value {
    json!({"account": account, "side": side, "amount": amount.into(), "currency": "CNY"})
}

/// A voucher of two entries in yuan: debit, credit.
pub(crate) fn voucher(number: &str, debit: &str, credit: &str, amount: impl Into<Value> + Clone) -> Value {
    let entries = [entry(debit, "debit", amount.clone()), entry(credit, "credit", amount)];
    json!({"business_number": number, "entries": entries})
}

pub(crate) fn balance(client: &Client, account: &str) -> i64 {
    number(&client.get(&format!("/v1/accounts/{account}")).ok(), "/balance")
}

/// Takes the statement's line of a clearing session, which books its net to 1101; below zero it takes out.
#[track_caller]
pub(crate) fn session_line(operator: &Client, rail: &str, date: &str, net: i64) -> String {
    let direction = if net > 0 { "in" } else { "out" };
    let line = json!({
        "reference": format!("{rail} {date} {net}"), "date": date, "direction": direction, "amount": net.abs(),
        "currency": "CNY", "clearing": {"rail": rail, "date": date},
    });
    text(&operator.post("/v1/reserve-lines", &line).ok(), "/voucher")
}

/// The trial balance of a day, which must balance.
#[track_caller]
pub(crate) fn trial_balance(client: &Client, date: &str) -> Value {
    let trial = client.get(&format!("/v1/days/{date}/trial-balance")).ok();
    assert!(trial["totals"].as_array().unwrap().iter().all(|total| total["debit"] == total["credit"]), "{trial}");
    trial
}

/// The closing balance of a subject in a trial balance; 0 if it never moved.
pub(crate) fn closing(trial: &Value, subject: u16) -> i64 {
    let lines = trial["lines"].as_array().unwrap();
    lines.iter().find(|line| line["subject"] == subject).map_or(0, |line| number(line, "/closing"))
}

/// Two users with accounts in yuan, the first with 100,000.
pub(crate) struct Books {
    pub(crate) operator: Client,
    pub(crate) clearing: String,
    pub(crate) rich: String,
    pub(crate) poor: String,
}

impl Books {
    pub(crate) fn open(server: &Server) -> Self {
        let operator = server.operator();
        let first = user(&operator, &customer(&operator, "张三", "11010519491231002X"));
        let second = user(&operator, &customer(&operator, "李四", "110105194912310038"));
        let (rich, poor) = (account(&operator, 2201, "CNY", &first), account(&operator, 2201, "CNY", &second));
        let clearing = own(&operator, 1121);
        let books = Self { operator, clearing, rich, poor };
        books.post("opening", &books.clearing, &books.rich, 100_000).ok();
        books
    }

    pub(crate) fn post(&self, number: &str, debit: &str, credit: &str, amount: i64) -> Answer {
        self.operator.post("/v1/vouchers", &voucher(number, debit, credit, amount))
    }
}
