//! What was answered stands: after a graceful stop and after a kill the same questions have the same answers.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::open::{Books, balance, trial_balance, voucher};
use crate::server::Server;

#[test]
fn batches_keep_their_distance_and_a_stop_waits_for_the_last() {
    let mut server = Server::start_with(&["journal.batch_every_us=50000"]);
    let books = Books::open(&server);
    let began = Instant::now();
    for number in 1..=4 {
        let body = voucher(&format!("n-{number}"), &books.rich, &books.poor, 100);
        books.operator.post_keyed("/v1/vouchers", &format!("k-{number}"), &body).ok();
    }
    assert!(began.elapsed() >= Duration::from_millis(150), "each is durable in a batch of its own");
    let before = balance(&books.operator, &books.poor);
    assert!(server.stop().success(), "{}", server.log());
    server.start_again();
    assert_eq!(balance(&server.operator(), &books.poor), before);
}

#[test]
fn a_graceful_stop_and_a_start_change_no_answer() {
    let mut server = Server::start();
    let books = Books::open(&server);
    let body = voucher("n-1", &books.rich, &books.poor, 700);
    let first = books.operator.post_keyed("/v1/vouchers", "k-1", &body).ok();
    let refused = books.operator.post_keyed("/v1/vouchers", "k-2", &voucher("n-2", &books.poor, &books.rich, 701));
    assert_eq!(refused.error().1, "insufficient_funds");
    let before = trial_balance(&books.operator, "2026-03-05");
    let rich = books.operator.get(&format!("/v1/accounts/{}", books.rich)).ok();

    assert!(server.stop().success(), "{}", server.log());
    server.start_again();
    let operator = server.operator();
    let again = operator.post_keyed("/v1/vouchers", "k-1", &body);
    assert!(again.repeated());
    assert_eq!(again.ok(), first);
    assert_eq!(
        operator.post_keyed("/v1/vouchers", "k-1", &json!({"business_number": "n-1", "entries": []})).status,
        409
    );
    operator.post("/v1/vouchers", &voucher("n-3", &books.clearing, &books.poor, 1_000)).ok();
    let refused = operator.post_keyed("/v1/vouchers", "k-2", &voucher("n-2", &books.poor, &books.rich, 701));
    assert_eq!(refused.error().1, "insufficient_funds", "the refusal was bound to its key");
    operator.post("/v1/vouchers", &voucher("n-4", &books.poor, &books.clearing, 1_000)).ok();
    let lines = |trial: &serde_json::Value| {
        let lines = trial["lines"].as_array().unwrap().iter();
        lines.map(|line| (line["subject"].clone(), line["closing"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(lines(&trial_balance(&operator, "2026-03-05")), lines(&before));
    assert_eq!(operator.get(&format!("/v1/accounts/{}", books.rich)).ok(), rich);
}

#[test]
fn a_clock_that_was_moved_stands_there_after_a_kill() {
    let mut server = Server::start();
    let moved = server.operator().post("/v1/sandbox/clock", &json!({"now": "2026-03-06T09:00:00+08:00"})).ok();
    server.kill();
    server.start_again();
    assert_eq!(server.operator().get("/v1/sandbox/clock").ok(), moved);
}

#[test]
fn a_kill_loses_and_doubles_nothing_that_was_answered() {
    const SENDERS: usize = 4;
    let mut server = Server::start();
    let books = Books::open(&server);
    let (address, rich, poor) = (server.address().to_owned(), books.rich.clone(), books.poor.clone());
    let answered = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (operator, rich, poor, address) = (server.operator(), &rich, &poor, &address);
                scope.spawn(move || {
                    let mut answered = Vec::new();
                    for at in 0.. {
                        let number = format!("{sender}-{at}");
                        let body = voucher(&number, rich, poor, 1).to_string();
                        let target = "/v1/vouchers";
                        let stamp = ark::signing::Stamp::random(crate::client::now()).unwrap();
                        let signature = operator.authorization(stamp, "POST", target, body.as_bytes());
                        let headers = [("authorization", signature.as_str()), ("idempotency-key", number.as_str())];
                        match crate::client::exchange(address, "POST", target, &headers, body.as_bytes()) {
                            Ok(answer) if answer.status == 200 => answered.push((number, answer.json())),
                            Ok(answer) => panic!("{}", answer.text()),
                            Err(_) => break,
                        }
                    }
                    answered
                })
            })
            .collect();
        let operator = server.operator();
        while balance(&operator, &poor) < 100 {}
        server.kill();
        let answered: Vec<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        answered
    });
    assert!(answered.len() >= 100 - SENDERS, "{}", answered.len());
    server.start_again();
    let operator = server.operator();
    let posted = balance(&operator, &poor);
    let answered_count = i64::try_from(answered.len()).unwrap();
    let in_doubt = posted - answered_count;
    assert!((0..=i64::try_from(SENDERS).unwrap()).contains(&in_doubt), "{posted} posted, {answered_count} answered");
    for (number, first) in &answered {
        let again = operator.post_keyed("/v1/vouchers", number, &voucher(number, &rich, &poor, 1));
        assert_eq!(&again.ok(), first);
    }
    assert_eq!(balance(&operator, &poor), posted, "asking again posted nothing");
    trial_balance(&operator, "2026-03-05");
}
