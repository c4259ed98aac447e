//! Answers that carry a good signature and still prove nothing.

use std::sync::Arc;

use channels::{Answer, Channel, Doubt, Headers, Request, Response, Try};
use domain::attempt::Operation;
use domain::money::Currency;
use serde_json::{Value, json};

use crate::fixture::{self, settled};

const SERIAL: &str = "2026030500000000000000420000042";

fn key() -> ark::MacKey {
    ark::MacKey::from_bytes([3; 32])
}

fn bank() -> Arc<dyn Channel> {
    let config = json!({ "rail": "epcc", "institution": "lintel", "key": key().to_hex().expose() });
    channels::by_name("sandbox_bank", &config).unwrap()
}

fn asked_for(operation: &Operation) -> Try<'_> {
    Try { serial: SERIAL, requested_at: fixture::AT, operation, original: None }
}

fn debit() -> Operation {
    Operation::Debit { agreement: String::from("AGR-1"), amount: 500, currency: Currency::Cny }
}

fn success() -> Value {
    json!({
        "serial": SERIAL, "kind": "debit", "code": "00000000", "message": "done", "amount": 500, "currency": "CNY",
        "reference": "B1", "clearing_date": "2026-03-05",
    })
}

/// The bank's answer to `request`, well signed.
fn signed(request: &Request, status: u16, body: &[u8]) -> Response {
    let nonce = &request.headers.iter().find(|(name, _)| *name == "x-nonce").unwrap().1;
    let tag = key().mac().update(format!("ANSWER\n{status}\n{nonce}\n").as_bytes()).update(body).finish();
    let signature: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers: Headers = [("X-Nonce", nonce.clone()), ("X-Signature", signature)].into_iter().collect();
    Response { status, headers, body: body.to_vec() }
}

fn asked(body: &Value) -> Answer {
    let request = bank().build(&asked_for(&debit()), &fixture::open).unwrap();
    settled(bank().parse(&request, &signed(&request, 200, body.to_string().as_bytes())))
}

fn queried(body: &Value) -> Answer {
    let request = bank().build_query(&asked_for(&debit()).about(), "0123456789abcdef").unwrap();
    settled(bank().parse(&request, &signed(&request, 200, body.to_string().as_bytes())))
}

#[test]
fn a_whole_success_is_one() {
    let done =
        Answer::Success { reference: String::from("B1"), clearing_date: "2026-03-05".parse().unwrap(), part: None };
    assert_eq!(asked(&success()), done);
    assert_eq!(queried(&success()), done);
}

/// Each field of a success in turn: not there, or not what was asked.
#[test]
fn a_success_that_lacks_something_or_says_another_thing_is_unknown() {
    for field in ["serial", "kind", "code", "amount", "currency", "reference", "clearing_date"] {
        let mut body = success();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(asked(&body), Answer::Unknown, "without {field}");
    }
    let other = [
        ("serial", json!("2026030500000000000000430000043")),
        ("kind", json!("pay")),
        ("kind", json!(7)),
        ("code", json!("0")),
        ("code", json!(0)),
        ("amount", json!(501)),
        ("amount", json!(-500)),
        ("amount", json!("500")),
        ("amount", json!(500.0)),
        ("amount", json!(1e300)),
        ("currency", json!("USD")),
        ("reference", json!("")),
        ("reference", json!("with space")),
        ("reference", json!("r".repeat(65))),
        ("clearing_date", json!("2026-02-30")),
        ("clearing_date", json!("20260305")),
        ("clearing_date", Value::Null),
    ];
    for (field, value) in other {
        let mut body = success();
        body[field] = value.clone();
        assert_eq!(asked(&body), Answer::Unknown, "{field} = {value}");
        assert_eq!(queried(&body), Answer::Unknown, "{field} = {value}");
    }
}

#[test]
fn a_field_that_is_new_changes_nothing() {
    let mut body = success();
    body["batch"] = json!("B202603050001");
    assert!(matches!(asked(&body), Answer::Success { .. }));
}

/// Only the codes of the table settle anything; of a thousand others none does.
#[test]
fn codes_outside_the_table_are_unknown() {
    let known = ["00000000", "00000001", "00000003"];
    for class in 0..10 {
        for number in (0..100).chain([9_999_999]) {
            let code = format!("{class}{number:07}");
            let mut body = success();
            body["code"] = json!(code);
            match queried(&body) {
                Answer::Unknown => {}
                Answer::Declined { class: _, code: told } => {
                    assert!(["1", "2", "3", "4"].contains(&&told[..1]) && number < 10, "{code}");
                    assert_eq!(told, code);
                }
                Answer::Success { .. } | Answer::Pending | Answer::NotFound => {
                    assert!(known.contains(&&*code), "{code}")
                }
                Answer::Closed | Answer::Disbelieved(_) => panic!("{code}: this bank has no page, and signs"),
            }
        }
    }
}

#[test]
fn a_duplicate_serial_number_is_never_a_decline() {
    let body = json!({ "serial": SERIAL, "code": "00000002", "clearing_date": "2026-03-05" });
    assert_eq!(asked(&body), Answer::Unknown);
    assert_eq!(queried(&body), Answer::Unknown);
}

#[test]
fn every_status_but_200_is_unknown() {
    let request = bank().build(&asked_for(&debit()), &fixture::open).unwrap();
    for status in [100, 201, 204, 301, 400, 401, 404, 409, 429, 500, 502, 503] {
        let response = signed(&request, status, success().to_string().as_bytes());
        assert_eq!(bank().parse(&request, &response), Answer::Unknown, "{status}");
    }
}

#[test]
fn what_is_not_the_json_of_an_answer_is_unknown() {
    let request = bank().build(&asked_for(&debit()), &fixture::open).unwrap();
    let whole = success().to_string();
    let deep = "[".repeat(100_000);
    for body in
        ["", "null", "[]", "{}", "{", "\u{feff}{}", &whole[..whole.len() - 1], &format!("{whole}{whole}"), &deep]
    {
        assert_eq!(bank().parse(&request, &signed(&request, 200, body.as_bytes())), Answer::Unknown, "{body:.40}");
    }
    assert_eq!(bank().parse(&request, &signed(&request, 200, &[0xff, 0xfe])), Answer::Unknown);
}

/// Today's "done" to one query does not answer another, nor the operation itself.
#[test]
fn an_answer_belongs_to_one_request() {
    let operation = bank().build(&asked_for(&debit()), &fixture::open).unwrap();
    let first = bank().build_query(&asked_for(&debit()).about(), "0123456789abcdef").unwrap();
    let second = bank().build_query(&asked_for(&debit()).about(), "0123456789abcdeg").unwrap();
    let answer = signed(&first, 200, success().to_string().as_bytes());
    assert!(matches!(bank().parse(&first, &answer), Answer::Success { .. }));
    assert_eq!(bank().parse(&second, &answer), Answer::Disbelieved(Doubt::Unsigned));
    assert_eq!(bank().parse(&operation, &answer), Answer::Disbelieved(Doubt::Unsigned));
}

#[test]
fn our_own_request_thrown_back_is_no_answer() {
    let request = bank().build(&asked_for(&debit()), &fixture::open).unwrap();
    let headers: Headers = request.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    let response = Response { status: 200, headers, body: request.body().to_vec() };
    assert_eq!(bank().parse(&request, &response), Answer::Disbelieved(Doubt::Unsigned));
}
