//! Holds in full: announced money, several receivers of one confirm, extension.

use serde_json::{Value, json};

use crate::client::Client;
use crate::keys::{becomes, metric};
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

#[test]
fn holds_and_confirms_are_items_of_a_posting_in_json_and_cbor() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let hold =
        |amount: i64| json!({"hold": {"account": rich, "amount": amount, "currency": "CNY", "expires_at": EVENING}});
    let voucher = |amount: i64| {
        let entry =
            |account: &str, side: &str| json!({"account": account, "side": side, "amount": amount, "currency": "CNY"});
        json!({"voucher": {"entries": [entry(rich, "debit"), entry(poor, "credit")]}})
    };
    let send = |number: u64, items: Value| {
        let body = json!({"stream": "rent", "number": number, "items": items});
        operator.send("POST", "/v1/postings", &[], body.to_string().as_bytes())
    };
    let items = json!([hold(30_000), voucher(100), hold(999_999), {"confirm": {"hold": "hld_1", "to": poor, "amount": 10_000}}]);
    let answer = send(1, items.clone()).ok();
    assert_eq!(answer["refused"][0]["index"], 2);
    assert_eq!(answer["refused"][0]["code"], "insufficient_funds");
    let made: Vec<&str> = answer["made"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!((made.len(), made[0]), (3, "hld_1"));
    assert!(made[1].starts_with("vch_") && answer["first_voucher"].is_null(), "{answer}");
    let seen = operator.get("/v1/holds/hld_1").ok();
    assert_eq!(text(&seen, "/confirms/0/voucher"), made[2]);
    assert_eq!(send(1, items).ok(), answer, "sent again it gets the first answer");
    assert_eq!((balance(operator, rich), balance(operator, poor)), (89_900, 10_100));

    let id = |account: &str| account.trim_start_matches("acc_").parse::<u64>().unwrap();
    let (none, until) = (None::<u64>, 1_772_704_800_000_i64);
    let place = (id(rich), 500_i64, 0_u8, until, none, none);
    let mut body = minicbor::to_vec(("rent", 2_u64, false)).unwrap();
    // The array of three becomes one of four: the items follow.
    body[0] = 0x84;
    let mut out = minicbor::Encoder::new(body);
    out.array(3).unwrap().encode(place).unwrap().encode((2_u64, none, id(poor))).unwrap().encode([1_u64]).unwrap();
    let body = out.into_writer();
    let answer = operator.send("POST", "/v1/postings", &[("content-type", "application/cbor")], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((balance(operator, rich), balance(operator, poor)), (89_400, 10_600));
    assert_eq!(text(&operator.get("/v1/holds/hld_1").ok(), "/status"), "cancelled");

    let both = json!({"stream": "rent", "number": 3, "items": [], "vouchers": []});
    let refused = operator.send("POST", "/v1/postings", &[], both.to_string().as_bytes());
    assert_eq!(refused.error(), (400, "field_malformed".into(), "vouchers".into()));
    let wrong = send(3, json!([hold(1), {"cancel": "acc_1"}]));
    assert_eq!(wrong.error(), (400, "field_malformed".into(), "items[1].cancel".into()));
}

#[test]
fn many_accounts_are_opened_by_one_request() {
    let server = Server::start();
    let Books { operator, .. } = &Books::open(&server);
    let new = |owner: &str| json!({"subject": 9201, "currency": "CNY", "owner": owner, "overdraft": true});
    let refused = operator.post("/v1/accounts/batch", &json!({"accounts": [new("institution"), new("usr_99")]}));
    assert_eq!(refused.error(), (404, "user_unknown".into(), "accounts[1].user".into()));
    let wrong = operator.post("/v1/accounts/batch", &json!({"accounts": [new("institution"), new("nobody")]}));
    assert_eq!(wrong.error(), (400, "field_malformed".into(), "accounts[1].owner".into()));
    let opened = operator.post("/v1/accounts/batch", &json!({"accounts": vec![new("institution"); 300]})).ok();
    assert_eq!(number(&opened, "/count"), 300);
    let first: u64 = text(&opened, "/first").trim_start_matches("acc_").parse().unwrap();
    for id in [first, first + 299] {
        assert_eq!(number(&operator.get(&format!("/v1/accounts/acc_{id}")).ok(), "/subject"), 9201);
    }
    assert_eq!(operator.get(&format!("/v1/accounts/acc_{}", first + 300)).status, 404);
}

#[test]
fn a_hold_that_left_memory_is_answered_as_one_that_is_there() {
    const HOLDS: usize = 20;
    const IN_MEMORY: &str = "lintel_objects_in_memory{kind=\"holds\"}";
    let mut server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let body = json!({"account": rich, "amount": 100, "currency": "CNY", "expires_at": EVENING});
    let place = |operator: &Client, at: usize| operator.post_keyed("/v1/holds", &format!("place-{at}"), &body);
    let path = |hold: &Value| format!("/v1/holds/{}", text(hold, "/id"));
    let open = place(operator, HOLDS).ok();
    let over: Vec<Value> = (0..HOLDS)
        .map(|at| {
            let hold = place(operator, at).ok();
            operator.post(&format!("{}/confirm", path(&hold)), &json!({"to": poor})).ok()
        })
        .collect();
    becomes(operator, IN_MEMORY, |holds| (0.5..1.5).contains(&holds));
    let answers = |operator: &Client| {
        for (at, hold) in over.iter().enumerate() {
            assert_eq!(operator.get(&path(hold)).ok(), *hold);
            let again = place(operator, at);
            assert!(again.repeated(), "{}", again.text());
            assert_eq!(again.ok(), *hold, "what it brought about is shown as it stands now");
        }
        assert_eq!(metric(operator, "lintel_row_lookups_total") as usize, 0, "no command asked for one yet");
        let refused = operator.post(&format!("{}/cancel", path(&over[3])), &json!({}));
        assert_eq!(refused.error(), (422, "hold_state".into(), "hold".into()), "it is confirmed, not unknown");
        assert_eq!(metric(operator, "lintel_row_lookups_total") as usize, 1);
        let next = format!("/v1/holds/hld_{}", HOLDS + 2);
        assert_eq!(operator.get(&next).error().1, "hold_unknown", "and one that never was stays unknown");
    };
    answers(operator);
    assert_eq!((balance(operator, rich), balance(operator, poor)), (100_000 - 2_000, 2_000));
    server.kill();
    server.start_again();
    let operator = server.operator();
    becomes(&operator, IN_MEMORY, |holds| (0.5..1.5).contains(&holds));
    answers(&operator);
    let done = operator.post(&format!("{}/confirm", path(&open)), &json!({"to": poor})).ok();
    assert_eq!((text(&done, "/status"), number(&done, "/confirmed")), ("confirmed".into(), 100));
    assert_eq!(
        text(&place(&operator, HOLDS + 1).ok(), "/id"),
        format!("hld_{}", HOLDS + 2),
        "no number is given twice"
    );
}
