//! Holds in full: announced money, several receivers of one confirm, extension.

use serde_json::{Value, json};

use crate::open::{Books, balance, number, text};
use crate::server::Server;

const EVENING: &str = "2026-03-05T18:00:00+08:00";

#[test]
fn announced_money_is_never_available_and_comes_from_its_source() {
    let server = Server::start();
    let Books { operator, rich, poor, clearing } = &Books::open(&server);
    let announce = |source: &str| {
        let body = json!({
            "account": poor, "amount": 60_000, "currency": "CNY", "expires_at": EVENING, "source": source,
            "reference": "contract 7",
        });
        operator.post("/v1/holds", &body)
    };
    assert_eq!(announce(poor).error(), (422, "receiver_not_allowed".into(), "source".into()));
    assert_eq!(announce("hld_1").error(), (400, "field_malformed".into(), "source".into()));
    let hold = announce(rich).ok();
    assert_eq!(
        (text(&hold, "/direction"), text(&hold, "/source"), text(&hold, "/currency")),
        ("in".into(), rich.clone(), "CNY".into())
    );
    let seen = operator.get(&format!("/v1/accounts/{poor}")).ok();
    let money = ["/balance", "/held", "/held_in", "/available"].map(|pointer| number(&seen, pointer));
    assert_eq!(money, [0, 0, 60_000, 0]);

    let confirm = format!("/v1/holds/{}/confirm", text(&hold, "/id"));
    let elsewhere = operator.post(&confirm, &json!({"to": clearing}));
    assert_eq!(elsewhere.error(), (422, "hold_direction".into(), "to".into()));
    let part = operator.post(&confirm, &json!({"amount": 25_000})).ok();
    assert_eq!((number(&part, "/held"), text(&part, "/status")), (35_000, "open".into()));
    let answer = operator.post(&confirm, &json!({}));
    let (done, position) = (answer.ok(), answer.position());
    assert_eq!((number(&done, "/held"), text(&done, "/status")), (0, "confirmed".into()));
    let confirms: Vec<_> =
        done["confirms"].as_array().unwrap().iter().map(|it| (number(it, "/number"), number(it, "/amount"))).collect();
    assert_eq!(confirms, [(1, 25_000), (2, 35_000)]);
    assert_eq!((balance(operator, rich), balance(operator, poor)), (40_000, 60_000));

    let listed = operator.get(&format!("/v1/holds?direction=in&reference=contract%207&min_position={position}")).ok();
    assert_eq!(listed["data"], json!([done]));
    let going = operator.get("/v1/holds?direction=out").ok();
    assert_eq!(going["data"], json!([]));
    assert_eq!(operator.get("/v1/holds?direction=up").error(), (400, "field_malformed".into(), "direction".into()));
}

#[test]
fn a_confirm_pays_several_receivers_and_a_hold_is_extended_by_its_placer() {
    let server = Server::start();
    let Books { operator, rich, poor, clearing } = &Books::open(&server);
    let body = json!({"account": rich, "amount": 60_000, "currency": "CNY", "expires_at": EVENING});
    let hold = operator.post("/v1/holds", &body).ok();
    assert_eq!(text(&hold, "/direction"), "out");
    let path = |action: &str| format!("/v1/holds/{}/{action}", text(&hold, "/id"));
    let parts = |parts: Value| operator.post(&path("confirm"), &json!({"parts": parts}));
    let both = operator.post(&path("confirm"), &json!({"to": poor, "parts": []}));
    assert_eq!(both.error(), (400, "field_malformed".into(), "parts".into()));
    assert_eq!(parts(json!([])).error(), (422, "value_invalid".into(), "parts".into()));
    let wrong = parts(json!([{"account": "hld_1", "amount": 1}]));
    assert_eq!(wrong.error(), (400, "field_malformed".into(), "parts[0].account".into()));
    let none = operator.post(&path("confirm"), &json!({"amount": 1}));
    assert_eq!(none.error(), (422, "hold_direction".into(), "to".into()));
    let paid = parts(json!([{"account": poor, "amount": 10_000}, {"account": clearing, "amount": 5_000}])).ok();
    assert_eq!((number(&paid, "/confirmed"), number(&paid, "/held")), (15_000, 45_000));
    assert_eq!(number(&paid, "/confirms/0/parts/1/amount"), 5_000);
    assert_eq!((balance(operator, rich), balance(operator, poor)), (85_000, 10_000));

    let extend = |expires_at: &str| operator.post(&path("extend"), &json!({"expires_at": expires_at}));
    assert_eq!(extend(EVENING).error(), (422, "value_invalid".into(), "expires_at".into()));
    assert_eq!(text(&extend("2026-03-05T20:00:00+08:00").ok(), "/expires_at"), "2026-03-05T12:00:00Z");
    operator.post("/v1/sandbox/clock", &json!({"now": EVENING})).ok();
    let open = operator.get(&format!("/v1/holds/{}", text(&hold, "/id"))).ok();
    assert_eq!((text(&open, "/status"), number(&open, "/held")), ("open".into(), 45_000));
    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T20:00:00+08:00"})).ok();
    let late = operator.post(&path("confirm"), &json!({"to": poor}));
    assert_eq!(late.error(), (422, "hold_expired".into(), "hold".into()));
    assert_eq!(extend("2026-03-06T20:00:00+08:00").error().1, "hold_expired");
    let seen = operator.get(&format!("/v1/accounts/{rich}")).ok();
    assert_eq!((number(&seen, "/available"), number(&seen, "/balance")), (85_000, 85_000));
}
