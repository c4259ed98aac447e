//! Agreements with conditions and payment rules, from birth to the return of the rest.

use serde_json::{Value, json};

use crate::client::Client;
use crate::open::{Books, balance, number, text, voucher};
use crate::server::Server;

const DEED: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The buyer's 100,000 for the seller: 90,000 of price once the title is transferred, 10,000 kept until the 9th.
fn agreement(operator: &Client, buyer: &str, seller: &str) -> Value {
    let party = text(&operator.get(&format!("/v1/accounts/{buyer}")).ok(), "/owner");
    json!({
        "number": "2026-BJ-0311", "party": party, "purpose": "price of a home", "book": "RESERVE", "currency": "CNY",
        "receivers": [seller, buyer],
        "conditions": [{"kind": "title_transfer"}, {"kind": "date_reached", "date": "2026-03-09"}],
        "rules": [
            {"receiver": seller, "purpose": "price", "cap": 90_000, "conditions": [1]},
            {"receiver": seller, "purpose": "last payment", "cap": 5_000, "conditions": [1, 2]},
        ],
        "closing": {"rest_to": buyer, "ends_on": "2026-09-30"}, "document": DEED,
    })
}

#[test]
fn an_agreement_pays_by_its_rules_and_returns_the_rest() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let made = operator.post("/v1/agreements", &agreement(operator, rich, poor)).ok();
    let (id, held) = (text(&made, "/id"), text(&made, "/account"));
    let post = |action: &str, body: Value| operator.post(&format!("/v1/agreements/{id}/{action}"), &body);
    operator.post("/v1/vouchers", &voucher("in", rich, &held, 100_000)).ok();
    assert_eq!((text(&made, "/document"), text(&made, "/closing/ends_on")), (DEED.into(), "2026-09-30".into()));
    assert!(text(&made, "/rules/0/waits").contains("title_transfer"));

    let pay = |rule: u16, amount: i64| post("pay", json!({"rule": rule, "amount": amount}));
    assert_eq!(pay(1, 90_000).error(), (422, "condition_not_fulfilled".into(), "rule".into()));
    assert_eq!(pay(3, 1).error(), (404, "rule_unknown".into(), "rule".into()));
    let listed = post("pay", json!({"to": poor, "amount": 1}));
    assert_eq!(listed.error(), (422, "agreement_state".into(), "rule".into()));
    assert_eq!(post("pay", json!({"amount": 1})).error(), (400, "field_malformed".into(), "rule".into()));

    let proof = json!({"condition": 1, "document": DEED, "said_by": "Chaoyang real estate registry"});
    let mut short = proof.clone();
    short["document"] = json!("9f86");
    assert_eq!(post("fulfil", short).error(), (400, "field_malformed".into(), "document".into()));
    let fulfilled = post("fulfil", proof.clone()).ok();
    assert_eq!(fulfilled["conditions"][0]["fulfilled"], true);
    assert_eq!(text(&fulfilled, "/conditions/0/evidence/0/document"), DEED);
    assert_eq!(post("fulfil", proof).error(), (422, "agreement_state".into(), "condition".into()));

    assert_eq!(pay(1, 90_001).error(), (422, "rule_exceeded".into(), "amount".into()));
    let paid = pay(1, 90_000).ok();
    assert_eq!((number(&paid, "/balance"), number(&paid, "/rules/0/paid")), (10_000, 90_000));
    assert_eq!(pay(2, 5_000).error().1, "condition_not_fulfilled");
    assert_eq!(post("return-rest", json!({})).error(), (422, "agreement_state".into(), "agreement".into()));
    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-09T10:00:00+08:00"})).ok();
    pay(2, 5_000).ok();
    let answer = post("return-rest", json!({}));
    let (rest, position) = (answer.ok(), answer.position());
    assert_eq!((number(&rest, "/balance"), number(&rest, "/payments")), (0, 3));
    assert_eq!((balance(operator, poor), balance(operator, rich)), (95_000, 5_000));

    let payments = operator.get(&format!("/v1/agreement-payments?agreement={id}&min_position={position}")).ok();
    let rules: Vec<_> = payments["data"].as_array().unwrap().iter().map(|it| it["rule"].clone()).collect();
    assert_eq!(rules, [json!(1), json!(2), Value::Null]);
    let by_rule = operator.get(&format!("/v1/agreement-payments?agreement={id}&rule=2")).ok();
    assert_eq!((number(&by_rule, "/data/0/amount"), by_rule["data"].as_array().unwrap().len()), (5_000, 1));
    assert_eq!(text(&post("close", json!({})).ok(), "/status"), "closed");
}

#[test]
fn wrong_terms_are_named() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let right = agreement(operator, rich, poor);
    let wrong = |pointer: &str, value: Value| {
        let mut body = right.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        operator.post("/v1/agreements", &body).error()
    };
    assert_eq!(
        wrong("/conditions/0/kind", json!("weather")),
        (400, "field_malformed".into(), "conditions[0].kind".into())
    );
    assert_eq!(wrong("/conditions/1/date", Value::Null), (400, "field_malformed".into(), "conditions[1].kind".into()));
    assert_eq!(wrong("/rules/1/receiver", json!("usr_1")), (400, "field_malformed".into(), "rules[1].receiver".into()));
    assert_eq!(wrong("/rules/1/conditions", json!([3])), (404, "rule_unknown".into(), "conditions".into()));
    assert_eq!(wrong("/closing/ends_on", json!("soon")), (400, "field_malformed".into(), "closing.ends_on".into()));
    assert_eq!(wrong("/closing/rest_to", json!(poor)), (422, "receiver_not_allowed".into(), "rest_to".into()));
    operator.post("/v1/agreements", &right).ok();
}
