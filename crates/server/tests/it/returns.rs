//! Payments that came back and that the books do not take, listed or told by their bank: each is an alarm, and nothing of it is booked.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, exchange};
use crate::epcc::becomes;
use crate::fund_batches::{KEY, centre, platform_in};
use crate::keys::metric;
use crate::open::{account, balance, number, text};
use crate::orders::Market;
use crate::server::Server;

const TODAY: &str = "2026-03-05";
const NO_QUERIES: [&str; 2] = ["executor.query_first_ms=600000", "executor.query_max_ms=600000"];
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
/// What is in the wallet before it pays.
const HELD: i64 = 10_000;
const PAID: i64 = 1_000;

/// The bank tells that a payment came back.
fn tells(server: &Server, id: &str, serial: &str, amount: i64) -> Answer {
    let body = json!({
        "event": "returned", "serial": serial, "amount": amount, "currency": "CNY", "return_date": TODAY,
        "reference": "R-1", "code": "50000001",
    })
    .to_string();
    let mac = ark::MacKey::from_hex(KEY).unwrap().mac();
    let tag = hex::encode(mac.update(format!("NOTIFY\n{id}\n").as_bytes()).update(body.as_bytes()).finish());
    let headers = [("content-type", "application/json"), ("x-nonce", id), ("x-signature", tag.as_str())];
    exchange(server.address(), "POST", "/v1/channels/epcc/notify", &headers, body.as_bytes()).unwrap()
}

fn refused(market: &Market, code: &str) -> u64 {
    metric(&market.operator, &format!("lintel_returns_refused_total{{code=\"{code}\"}}")) as u64
}

/// What the bank's list of today brought.
fn fetched(market: &Market) -> (Value, [i64; 3]) {
    let list = market.operator.post("/v1/payouts/returns/fetch", &json!({ "date": TODAY })).ok();
    let counts = ["/listed", "/booked", "/already"].map(|at| number(&list, at));
    (list, counts)
}

/// No answer of the bank arrives: that the payment was made is not known when it comes back.
#[test]
fn a_return_that_the_books_do_not_take_is_an_alarm_until_they_do() {
    let Some(bank) = centre("[pay]\nlost_after = 10000") else { return };
    let mut server = platform_in((TempDir::new().unwrap(), Vec::new()), &NO_QUERIES, &bank.addresses[0], "");
    let mut market = Market::open(&server);
    let wallet = account(&market.operator, 2201, "CNY", &market.payer);
    let top_up = json!({
        "account": wallet, "agreement": "A1", "mask": "622202******2230", "amount": HELD, "currency": "CNY",
    });
    let top_up = text(&market.operator.post("/v1/top-ups", &top_up).ok(), "/id");
    becomes(&market, &format!("/v1/top-ups/{top_up}"), "success");
    let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": "钱七"}});
    let payout = json!({"account": wallet, "to": to, "amount": PAID, "currency": "CNY", "send_now": true});
    let path = format!("/v1/payouts/{}", text(&market.operator.post("/v1/payouts", &payout).ok(), "/id"));
    let payout = becomes(&market, &path, "unknown");
    let serial = market.serial(&text(&payout, "/attempt"));

    let headers = [("content-type", "application/json")];
    let body = json!({ "serial": serial }).to_string();
    let asked = exchange(&bank.addresses[0], "POST", "/sandbox/return", &headers, body.as_bytes()).unwrap();
    assert!(asked.status < 300, "{}", asked.text());
    for times in 1..=2 {
        let (list, counts) = fetched(&market);
        assert_eq!((counts, refused(&market, "payout_state")), ([1, 0, 0], times), "{list}");
        let left = ["/refused/0/serial", "/refused/0/code"].map(|at| text(&list, at));
        assert_eq!(left, [serial.clone(), "payout_state".to_owned()]);
    }
    // Of another amount, whatever it is signed with.
    assert_eq!(tells(&server, "N-return-00000001", &serial, PAID + 1).error().1, "notification_refused");
    assert_eq!((refused(&market, "value_invalid"), refused(&market, "payout_state")), (1, 2));
    assert!(server.log().contains("a payment that came back is not booked"));
    let now = text(&market.operator.get(&path).ok(), "/status");
    assert_eq!((now.as_str(), balance(&market.operator, &wallet)), ("unknown", HELD - PAID));

    server.kill();
    server.set(&NO_QUERIES, &QUERIES);
    server.start_again();
    market.operator = server.operator();
    becomes(&market, &path, "success");
    assert_eq!((fetched(&market).1, refused(&market, "payout_state")), ([1, 1, 0], 0), "the next fetch books it");
    assert_eq!(text(&market.operator.get(&path).ok(), "/status"), "returned");
    assert_eq!(balance(&market.operator, &wallet), HELD);
}
