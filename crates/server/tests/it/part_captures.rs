//! A centre that captures a part at once, end to end: the card makes it up, or all of it goes back; and one that may not is not believed.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, exchange};
use crate::fund_batches::{KEY, card, centre, fund, leg, legs, order, pays, platform, platform_in, settings_of, until};
use crate::keys::becomes;
use crate::open::{balance, closing, number, session_line, text, trial_balance};
use crate::orders::Market;
use crate::server::Server;

/// Four tenths of every capture.
const PART: &str = "[part]\ncapture = 10000\nshare = 4000";

/// A fund that pays at once.
fn at_once(lease: &str, amount: i64, by_card: bool) -> Value {
    let mut fund = fund(lease, amount, by_card);
    fund.as_object_mut().unwrap().remove("period");
    fund
}

#[test]
fn a_centre_that_captures_a_part_is_made_up_by_the_card_or_all_goes_back() {
    let Some(centre) = centre(PART) else { return };
    let server = platform(&centre.addresses[0], "in_part = \"take\"");
    let market = Market::open(&server);
    let converted = pays(&market, "T1", &json!([card(2_000), at_once("L1", 3_000, true)]));
    let undone = pays(&market, "T2", &json!([card(2_000), at_once("L2", 3_000, false)]));
    let stands_by = pays(&market, "T3", &json!([card(0), at_once("L3", 5_000, true)]));

    let paid = until(&market, &converted, |order| text(order, "/status") == "success");
    assert_eq!(legs(&paid), [leg("captured", 2_000), leg("captured", 1_200), leg("captured", 1_800)]);
    let paid = until(&market, &stands_by, |order| text(order, "/status") == "success");
    assert_eq!(legs(&paid), [leg("captured", 3_000), leg("captured", 2_000)]);
    // Both went back where they came from, and the order may take another try.
    let undone = until(&market, &undone, |order| text(order, "/legs/1/status") == "reversed");
    assert_eq!(legs(&undone), [leg("reversed", 2_000), leg("reversed", 1_200)]);
    assert_eq!((text(&undone, "/status"), &undone["allowed_actions"]), ("paying".into(), &json!(["pay", "close"])));

    // The next day's files have the parts.
    let headers = [("content-type", "application/json")];
    let body = br#"{"date":"2026-03-06"}"#;
    assert_eq!(exchange(&centre.addresses[0], "POST", "/sandbox/clock", &headers, body).unwrap().status, 200);
    market.next_day();
    for (rail, net) in [("fund", 3_200), ("epcc", 6_800)] {
        let file = json!({"rail": rail, "date": "2026-03-05"});
        let fetched = market.operator.post("/v1/clearing/fetch", &file).ok();
        assert_eq!((number(&fetched, "/different"), number(&fetched, "/net")), (0, net), "{fetched}");
        session_line(&market.operator, rail, "2026-03-05", net);
    }
    assert_eq!(text(&order(&market, &converted), "/due"), "2026-03-06");
    market.settle(&market.landlord, "2026-03-06").ok();
    assert_eq!(balance(&market.operator, &text(&market.landlord, "/available")), 2 * 4_990);
    let trial = trial_balance(&market.operator, "2026-03-06");
    assert_eq!([1131, 1121, 2205, 2211, 2243].map(|subject| closing(&trial, subject)), [0; 5], "{trial}");
}

#[test]
fn a_part_of_a_centre_that_may_pay_none_is_not_believed() {
    let Some(centre) = centre(PART) else { return };
    let server = platform(&centre.addresses[0], "");
    let market = Market::open(&server);
    let order_of = pays(&market, "T1", &json!([card(2_000), at_once("L1", 3_000, false)]));
    becomes(&market.operator, "lintel_answers_disbelieved_total{rail=\"fund\",why=\"foreign\"}", |count| count > 0.0);
    let waits = until(&market, &order_of, |order| text(order, "/legs/1/status") == "unknown");
    assert_eq!((text(&waits, "/status"), legs(&waits)[1].clone()), ("paying".into(), leg("unknown", 3_000)));
    // Nor is it asked to be made up for.
    let other = text(&market.order("T2", 5_000).ok(), "/id");
    let instruments = json!({"instruments": [card(2_000), at_once("L2", 3_000, true)]});
    let refused = market.operator.post(&format!("/v1/orders/{other}/pay"), &instruments).error();
    assert_eq!((refused.0, refused.1.as_str()), (400, "field_malformed"));
    assert!(refused.2.ends_with("shortfall_by_card"), "{}", refused.2);
}

/// The centre tells that it captured so much.
fn notify(server: &Server, id: &str, serial: &str, amount: i64) -> Answer {
    let body = json!({
        "event": "answered", "serial": serial, "kind": "capture", "code": "00000000", "message": "done", "amount": amount,
        "currency": "CNY", "reference": "F1", "clearing_date": "2026-03-05",
    })
    .to_string();
    let mac = ark::MacKey::from_hex(KEY).unwrap().mac();
    let tag = hex::encode(mac.update(format!("NOTIFY\n{id}\n").as_bytes()).update(body.as_bytes()).finish());
    let headers = [("content-type", "application/json"), ("x-nonce", id), ("x-signature", tag.as_str())];
    exchange(server.address(), "POST", "/v1/channels/fund/notify", &headers, body.as_bytes()).unwrap()
}

#[test]
fn a_notification_of_a_part_is_taken_once_and_one_of_more_never() {
    // No capture arrives, so only the notification answers it.
    let Some(centre) = centre("[capture]\nlost_before = 10000") else { return };
    let server = platform(&centre.addresses[0], "in_part = \"take\"");
    let market = Market::open(&server);
    let order_of = pays(&market, "T1", &json!([card(2_000), at_once("L1", 3_000, true)]));
    let waits = until(&market, &order_of, |order| text(order, "/legs/1/status") == "unknown");
    let attempt = format!("/v1/attempts/{}", text(&waits, "/legs/1/open_attempt"));
    let serial = text(&market.operator.get(&attempt).ok(), "/serial");
    let refused = |id: &str, amount| {
        let (status, code, message) = notify(&server, id, &serial, amount).error();
        assert_eq!((status, code.as_str()), (400, "notification_refused"), "{message}");
    };
    refused("N-part-0000000001", 3_001);
    for _ in 0..2 {
        assert_eq!(notify(&server, "N-part-0000000002", &serial, 1_200).status, 200);
    }
    let paid = until(&market, &order_of, |order| text(order, "/status") == "success");
    assert_eq!(legs(&paid), [leg("captured", 2_000), leg("captured", 1_200), leg("captured", 1_800)]);
    refused("N-part-0000000003", 1_500);
    assert_eq!(number(&market.operator.get(&attempt).ok(), "/amount"), 1_200);
}

/// The channel believes what the payment, asked for under other settings, did not expect: for a person, and asked about for ever.
#[test]
fn an_answer_that_the_books_refuse_is_an_alarm_and_is_asked_for_again() {
    let Some(centre) = centre(PART) else { return };
    let queries = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
    let mut server = platform_in((TempDir::new().unwrap(), Vec::new()), &queries, &centre.addresses[0], "");
    let market = Market::open(&server);
    let order_of = pays(&market, "T1", &json!([card(2_000), at_once("L1", 3_000, false)]));
    until(&market, &order_of, |order| text(order, "/legs/1/status") == "unknown");
    server.stop();
    let settings = settings_of(&centre.addresses[0], "in_part = \"take\"");
    std::fs::write(server.directory().join("lintel.toml"), settings).unwrap();
    server.start_again();
    let operator = server.operator();
    becomes(&operator, "lintel_answers_refused_total{rail=\"fund\",code=\"part_not_taken\"}", |count| count > 2.5);
    let waits = operator.get(&format!("/v1/orders/{order_of}")).ok();
    assert_eq!((text(&waits, "/status"), legs(&waits)[1].clone()), ("paying".into(), leg("unknown", 3_000)));
    assert_eq!(server.log().matches("the books refuse an answer").count(), 1, "it is said once");
}
