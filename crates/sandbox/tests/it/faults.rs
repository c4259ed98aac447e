//! Each fault by itself, at a rate of 10,000 in 10,000: what the requester sees, and what the books hold.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Router, routing};
use sandbox::bank::{Rail, VerbReport};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{DAY, NEXT_DAY, World, key, serial};

const DONE: &str = "00000000";
const IN_PROGRESS: &str = "00000001";
const DUPLICATE: &str = "00000002";
const NOT_FOUND: &str = "00000003";

fn only(fault: &str) -> String {
    format!("hold_ms = 20\nlate_ms = 500\n[debit]\n{fault} = 10000")
}

fn debits(world: &World) -> VerbReport {
    world.bank.report().verbs["debit"]
}

fn booked(world: &World) -> i64 {
    world.bank.day_totals(DAY, Rail::Epcc).in_sum
}

#[tokio::test]
async fn without_a_fault_an_operation_is_done_once() {
    let world = World::start("").await;
    let answer = world.debit(1, 500).await.unwrap().json();
    let expected = json!({
        "serial": serial(1), "kind": "debit", "code": DONE, "message": "done", "amount": 500, "currency": "CNY",
        "reference": format!("B{}", serial(1)), "clearing_date": "2026-03-05",
    });
    assert_eq!(answer, expected);
    assert_eq!(world.query("bank", 1).await, expected);
    assert_eq!(world.state(2).await, NOT_FOUND);
    assert_eq!(world.debit(1, 500).await.unwrap().code(), DUPLICATE);
    assert_eq!(world.debit(1, 999).await.unwrap().code(), DUPLICATE);
    assert_eq!((booked(&world), world.bank.report().sent_again), (500, 2));
}

#[tokio::test]
async fn lost_before_leaves_nothing_at_the_bank() {
    let world = World::start(&only("lost_before")).await;
    assert_eq!(world.state(1).await, NOT_FOUND, "and the client keeps this connection");
    assert!(world.debit(1, 500).await.is_none());
    assert_eq!(world.state(1).await, NOT_FOUND);
    assert_eq!(world.bank.report().sent_again, 0, "the client does not send it again by itself");
    assert_eq!((booked(&world), debits(&world).lost_before), (0, 1));

    assert_eq!(world.debit(1, 500).await.unwrap().code(), DONE, "what is sent again arrives");
    assert_eq!(world.state(1).await, DONE);
    assert_eq!((booked(&world), world.bank.report().sent_again), (500, 1));
}

#[tokio::test]
async fn lost_after_is_done_without_an_answer() {
    let world = World::start(&only("lost_after")).await;
    assert!(world.debit(1, 500).await.is_none());
    assert_eq!(world.state(1).await, DONE);
    assert_eq!(world.debit(1, 500).await.unwrap().code(), DUPLICATE);
    assert_eq!((booked(&world), debits(&world).lost_after, debits(&world).done), (500, 1, 1));
}

#[tokio::test]
async fn shares_are_met_by_all_operations_together() {
    let world = World::start("hold_ms = 1\nlate_ms = 1\n[shares]\nlost = 1000\nslow = 500\ndoubled = 250").await;
    let mut unanswered = 0;
    for number in 1..=200 {
        unanswered += u64::from(world.debit(number, 500).await.is_none());
    }
    let seen = debits(&world);
    assert_eq!((seen.received, seen.done, seen.lost_after), (200, 200, unanswered));
    for (count, due) in [(seen.lost_after, 20_u64), (seen.late, 10), (seen.twice, 5)] {
        assert!(count.abs_diff(due) <= 1, "{count} in place of {due}: {seen:?}");
    }
    assert_eq!((booked(&world), world.bank.report().sent_again), (200 * 500, 0));
}

#[tokio::test]
async fn late_is_in_progress_until_it_is_done() {
    let world = World::start(&only("late")).await;
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.debit(1, 500).await.unwrap().code() }
    });
    let seen = until(&world, |code| code != NOT_FOUND).await;
    assert_eq!(seen, IN_PROGRESS);
    assert_eq!(booked(&world), 0);
    assert_eq!(asking.await.unwrap(), DONE);
    assert_eq!((world.state(1).await, booked(&world)), (DONE.to_owned(), 500));
}

#[tokio::test]
async fn late_is_done_even_if_nobody_waits() {
    let world = World::start(&only("late")).await;
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.debit(1, 500).await }
    });
    assert_eq!(until(&world, |code| code != NOT_FOUND).await, IN_PROGRESS);
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled(), "the requester has given up");
    until(&world, |code| code == DONE).await;
    assert_eq!(booked(&world), 500);
}

/// Queries until the code is one of those wanted; a bank that never gets there fails the test.
async fn until(world: &World, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let code = world.state(1).await;
        if wanted(&code) {
            return code;
        }
        assert!(Instant::now() < deadline, "still {code}");
    }
}

#[tokio::test]
async fn in_progress_is_done_by_the_query_of_the_plan() {
    let world = World::start(&(String::from("in_progress_queries = 3\n") + &only("in_progress"))).await;
    assert_eq!(world.debit(1, 500).await.unwrap().code(), IN_PROGRESS);
    assert_eq!(world.state(1).await, IN_PROGRESS);
    assert_eq!(world.state(1).await, IN_PROGRESS);
    assert_eq!(booked(&world), 0);

    world.bank.set_clearing_date(NEXT_DAY).unwrap();
    let answer = world.query("bank", 1).await;
    assert_eq!((answer["code"].as_str(), answer["clearing_date"].as_str()), (Some(DONE), Some("2026-03-06")));
    assert_eq!(world.query("bank", 1).await, answer);
    assert_eq!((booked(&world), world.bank.day_totals(NEXT_DAY, Rail::Epcc).in_sum), (0, 500));
}

#[tokio::test]
async fn garbage_before_is_not_done() {
    let world = World::start(&only("garbage_before")).await;
    let reply = world.debit(1, 500).await.unwrap();
    assert_eq!((reply.status, serde_json::from_slice::<Value>(&reply.body).is_err()), (500, true));
    assert_eq!((world.state(1).await, booked(&world)), (NOT_FOUND.to_owned(), 0));
}

#[tokio::test]
async fn garbage_after_is_done() {
    let world = World::start(&only("garbage_after")).await;
    let reply = world.debit(1, 500).await.unwrap();
    assert_eq!((reply.status, serde_json::from_slice::<Value>(&reply.body).is_err()), (500, true));
    assert_eq!((world.state(1).await, booked(&world)), (DONE.to_owned(), 500));
}

#[tokio::test]
async fn a_decline_books_nothing_and_stays_declined() {
    let world = World::start("[debit]\ndecline = 10000\ndecline_codes = [\"20000001\"]").await;
    assert_eq!(world.debit(1, 500).await.unwrap().code(), "20000001");
    assert_eq!(world.state(1).await, "20000001");
    assert_eq!(world.debit(1, 500).await.unwrap().code(), DUPLICATE);
    assert_eq!((booked(&world), debits(&world).declined, debits(&world).done), (0, 1, 0));
    assert_eq!(world.refund(2, 1, 1).await.unwrap().code(), "40000002", "nothing was debited");
}

#[tokio::test]
async fn twice_tells_the_outcome_again_under_one_id() {
    let (url, mut told) = platform().await;
    let world = World::start_with(&only("twice"), 1, Some(url)).await;
    assert_eq!(world.debit(1, 500).await.unwrap().code(), DONE);
    let (first, second) = (told.recv().await.unwrap(), told.recv().await.unwrap());
    assert_eq!(first, second);
    let (id, body) = first;
    assert_eq!(id, format!("N-{}-answered", serial(1)));
    assert_eq!((body["event"].as_str(), body["code"].as_str()), (Some("answered"), Some(DONE)));
    assert_eq!((booked(&world), world.bank.report().sent_again), (500, 0));
}

#[tokio::test]
async fn an_outcome_that_comes_late_is_notified() {
    let (url, mut told) = platform().await;
    let world = World::start_with(&only("in_progress"), 1, Some(url)).await;
    assert_eq!(world.debit(1, 500).await.unwrap().code(), IN_PROGRESS);
    until(&world, |code| code == DONE).await;
    assert_eq!(told.recv().await.unwrap().1["amount"], 500);
}

type Told = mpsc::UnboundedReceiver<(String, Value)>;

/// Takes notifications and checks their signatures.
pub(crate) async fn platform() -> (String, Told) {
    async fn take(State(told): State<mpsc::UnboundedSender<(String, Value)>>, headers: HeaderMap, body: Bytes) {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, signature) = (header("x-nonce"), hex::decode(header("x-signature")).unwrap());
        key().mac().update(format!("NOTIFY\n{id}\n").as_bytes()).update(&body).verify(&signature).unwrap();
        told.send((id, serde_json::from_slice(&body).unwrap())).unwrap();
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let router = Router::new().route("/told", routing::post(take)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, receiver)
}
