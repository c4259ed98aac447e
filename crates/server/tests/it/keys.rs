//! A key that left memory is answered as one that is there, before and after a start.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::open::{Books, balance, voucher};
use crate::server::Server;

const VOUCHERS: i64 = 40;

/// A number of `/metrics`; 0 before there is one.
pub(crate) fn metric(client: &Client, name: &str) -> f64 {
    let text = client.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |number| number.parse().unwrap())
}

/// Waits until a number of `/metrics` is as it should be.
pub(crate) fn becomes(client: &Client, name: &str, expected: impl Fn(f64) -> bool) {
    let began = Instant::now();
    while !expected(metric(client, name)) {
        assert!(began.elapsed() < Duration::from_secs(60), "{name} is {}", metric(client, name));
    }
}

#[test]
fn a_key_that_left_memory_is_answered_from_the_store() {
    let mut server = Server::start_with(&["keys.run=3"]);
    let books = Books::open(&server);
    let number = |at: i64| format!("old-{at}");
    let body = |at| voucher(&number(at), &books.rich, &books.poor, at + 1);
    let send = |operator: &Client, at| operator.post_keyed("/v1/vouchers", &number(at), &body(at));
    let first: Vec<Value> = (0..VOUCHERS).map(|at| send(&books.operator, at).ok()).collect();
    // Two keys a voucher: the header's and the business number.
    becomes(&books.operator, "lintel_keys_behind_filters", |keys| keys >= 2.0 * VOUCHERS as f64 - 6.0);
    // The keys that opened the books are behind filters too by then, or soon.
    becomes(&books.operator, "lintel_keys_in_memory", |keys| keys <= 8.0);
    let posted = balance(&books.operator, &books.poor);

    let asked_before = metric(&books.operator, "lintel_key_lookups_total");
    for (at, first) in (0..).zip(&first) {
        let again = send(&books.operator, at);
        assert!(again.repeated(), "{}", again.text());
        assert_eq!(again.ok(), *first);
    }
    let asked = metric(&books.operator, "lintel_key_lookups_total") - asked_before;
    assert!(asked >= VOUCHERS as f64 - 6.0, "{asked} look-ups");
    let other = voucher(&number(1), &books.rich, &books.poor, 999);
    assert_eq!(books.operator.post_keyed("/v1/vouchers", &number(1), &other).error().1, "key_reused");
    let other_key = books.operator.post_keyed("/v1/vouchers", "another", &other);
    assert_eq!(other_key.error().1, "key_reused", "the business number is bound too");

    server.kill();
    server.start_again();
    let operator = server.operator();
    assert_eq!(send(&operator, 2).ok(), first[2]);
    assert_eq!(balance(&operator, &books.poor), posted, "asking again posted nothing");
    let new = operator.post_keyed("/v1/vouchers", "new", &voucher("new", &books.rich, &books.poor, 1));
    assert!(!new.repeated());
    assert_eq!(balance(&operator, &books.poor), posted + 1);
}
