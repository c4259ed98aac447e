//! A request that somebody caught on its way does nothing again, also where the platform started in between.

use ark::signing::Stamp;
use serde_json::json;

use crate::client::{Answer, Client, exchange, now};
use crate::keys::metric;
use crate::open::{Books, balance, merchant, number, text};
use crate::server::Server;

const TARGET: &str = "/v1/holds";

/// What somebody caught of a request: all but the headers, which are not part of what is signed.
struct Caught {
    authorization: String,
    body: String,
}

impl Caught {
    /// A hold of 30,000, signed by the institution in this second.
    fn signed(books: &Books, second: u64) -> Self {
        let expires_at = "2026-03-05T18:00:00+08:00";
        let body = json!({"account": books.rich, "amount": 30_000, "currency": "CNY", "expires_at": expires_at});
        let (stamp, body) = (Stamp::random(second).unwrap(), body.to_string());
        Self { authorization: books.operator.authorization(stamp, "POST", TARGET, body.as_bytes()), body }
    }

    /// Sends it, under a key of the sender's choice.
    fn send(&self, server: &Server, key: &str) -> Answer {
        let headers = [("authorization", self.authorization.as_str()), ("idempotency-key", key)];
        exchange(server.address(), "POST", TARGET, &headers, self.body.as_bytes()).unwrap()
    }
}

fn held(client: &Client, account: &str) -> i64 {
    number(&client.get(&format!("/v1/accounts/{account}")).ok(), "/held")
}

#[track_caller]
fn put_off(answer: &Answer) {
    assert_eq!(answer.error(), (503, "signed_before_start".into(), "timestamp".into()), "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!((&error["type"], &error["retryable"]), (&json!("unavailable"), &json!(true)));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn what_was_caught_before_a_start_does_nothing_after_it() {
    let mut server = Server::start();
    let books = Books::open(&server);
    let second = now();
    let caught = Caught::signed(&books, second);
    caught.send(&server, "rent").ok();
    assert_eq!(caught.send(&server, "another").error(), (401, "nonce_reused".into(), "nonce".into()));
    // Within one second the two are not told apart.
    while now() <= second {
        assert_eq!(held(&books.operator, &books.rich), 30_000);
    }

    server.kill();
    server.start_again();
    let operator = server.operator();
    for key in ["rent", "another"] {
        put_off(&caught.send(&server, key));
    }
    assert_eq!(held(&operator, &books.rich), 30_000);
    let name = "lintel_signatures_refused_total{reason=\"signed_before_start\"}";
    assert_eq!(metric(&operator, name) as u64, 2);
    assert!(server.log().contains("signed_before_start"), "{}", server.log());

    // Whoever has the key signs anew: what was done is answered as it was, and what is new is done.
    let anew = |key: &str| operator.send("POST", TARGET, &[("idempotency-key", key)], caught.body.as_bytes());
    let again = anew("rent");
    assert!(again.repeated(), "{}", again.text());
    assert!(!anew("next").repeated());
    assert_eq!(held(&operator, &books.rich), 60_000);
}

#[test]
fn what_is_signed_in_the_second_of_a_start_is_taken_and_no_earlier() {
    let before = now() - 1;
    let server = Server::start();
    let books = Books::open(&server);
    put_off(&Caught::signed(&books, before).send(&server, "before"));
    assert_eq!(held(&books.operator, &books.rich), 0);
    // Its key is free.
    Caught::signed(&books, now()).send(&server, "before").ok();
    // A clock that runs ahead is within what is taken.
    Caught::signed(&books, now() + 200).send(&server, "ahead").ok();
    assert_eq!(held(&books.operator, &books.rich), 60_000);
}

/// A number of the caller's own stands in the body, so it is signed: whoever sends a request again under another header does
/// nothing.
#[test]
fn a_number_of_the_callers_own_is_a_key_beside_the_header() {
    let server = Server::start();
    let books = Books::open(&server);
    let Books { operator, rich, poor, clearing } = &books;
    let available = text(&merchant(operator, "landlord", "王五", "110105194912310046"), "/available");
    books.post("landlord", clearing, &available, 100_000).ok();
    let transfer = json!({"from": rich, "to": poor, "amount": 100, "currency": "CNY", "factors": "two"});
    let payout = json!({"account": available, "to": {"type": "settlement"}, "amount": 100, "currency": "CNY"});
    let top_up = json!({
        "account": poor, "agreement": "A1", "mask": "622202******2230", "amount": 100, "currency": "CNY",
    });
    let cases = [
        ("/v1/transfers", "out_transfer_no", transfer),
        ("/v1/payouts", "out_payout_no", payout),
        ("/v1/top-ups", "out_top_up_no", top_up),
    ];
    for (target, param, body) in cases {
        // Each time under another `Idempotency-Key`.
        let ask = |own: &str, amount: i64| {
            let mut body = body.clone();
            (body[param], body["amount"]) = (json!(own), json!(amount));
            operator.post(target, &body)
        };
        let (made, again) = (ask("N1", 100), ask("N1", 100));
        assert!(!made.repeated() && again.repeated(), "{target}: {}", again.text());
        assert_eq!(text(&again.ok(), "/id"), text(&made.ok(), "/id"), "{target}");
        assert_eq!(ask("N1", 101).error(), (409, "key_reused".into(), param.into()));
        for wrong in ["", &"n".repeat(65)] {
            assert_eq!(ask(wrong, 100).error(), (400, "field_malformed".into(), param.into()));
        }
        assert_ne!(text(&ask("N2", 100).ok(), "/id"), text(&made.ok(), "/id"), "{target}");
        assert!(!operator.post(target, &body).repeated(), "{target}: it may be left out");
    }
    assert_eq!((balance(operator, rich), balance(operator, poor)), (99_700, 300));
}
