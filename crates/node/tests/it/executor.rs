//! Flights, step by step.

use std::sync::Arc;

use ark::keys::{By, KeyUse, Purpose, Spec};
use ark::provider::KeyKind;
use channels::{Headers, Request, Response};
use domain::attempt::{Attempt, AttemptStatus, FailureClass, Operation, Outcome, SEND_WITHIN_MS};
use domain::calendar::Date;
use domain::fund_batch::FundRoute;
use domain::money::Currency;
use domain::outflow::Disagreement;
use node::executor::{Call, Seen, Step};

use crate::scripted::{
    EPOCH, KEY, PATIENCE, Pilot, REQUESTED, attempt, is_query, sandbox_bank, says, scripted, settled_at, shown,
};

/// A pilot with a fresh debit.
fn fresh() -> Pilot {
    Pilot::new(attempt(AttemptStatus::Requested), scripted(), EPOCH)
}

/// A pilot whose attempt may have been sent by an earlier leader.
fn inherited() -> Pilot {
    Pilot::new(attempt(AttemptStatus::Requested), scripted(), EPOCH + 1)
}

/// What of a request reaches the bank.
fn bytes(request: &Request) -> (String, Vec<(&'static str, String)>, Vec<u8>) {
    (format!("{} {}", request.method, request.path), request.headers.clone(), request.body().to_vec())
}

#[test]
fn how_calls_end_says_what_comes_next() {
    let cases = [
        ("success", "send, report success, done"),
        ("declined", "send, report declined user 10000001, done"),
        ("not_written success", "send, send, report success, done"),
        ("not_written not_written declined", "send, send, send, report declined user 10000001, done"),
        ("lost success", "send, report unknown, wait 100, query, report success, done"),
        ("lost declined", "send, report unknown, wait 100, query, report declined user 10000001, done"),
        ("pending success", "send, report unknown, wait 100, query, report success, done"),
        // A serial number that was seen before: the bank has an answer to the first, which only a query tells.
        ("unknown success", "send, report unknown, wait 100, query, report success, done"),
        ("not_found success", "send, report unknown, wait 100, query, report success, done"),
        ("not_written lost success", "send, send, report unknown, wait 100, query, report success, done"),
        (
            "lost lost unknown success",
            "send, report unknown, wait 100, query, wait 200, query, wait 400, query, report success, done",
        ),
        // The query was not written; the operation was.
        ("lost not_written success", "send, report unknown, wait 100, query, wait 200, query, report success, done"),
        // Too early to be believed.
        ("lost not_found success", "send, report unknown, wait 100, query, wait 200, query, report success, done"),
    ];
    for (script, expected) in cases {
        assert_eq!(fresh().fly(script), expected, "{script}");
    }
}

#[test]
fn what_the_books_do_not_agree_with_is_not_sent() {
    let (requested, disagrees) = (attempt(AttemptStatus::Requested), Err(Disagreement::Amount));
    let mut pilot = Pilot::seeing(requested.clone(), disagrees, scripted(), EPOCH);
    assert_eq!(pilot.fly(""), "report declined system not_sent:disagrees, done");
    // An earlier leader may have sent it: then only the channel knows how it stands.
    let mut inherited = Pilot::seeing(requested, disagrees, scripted(), EPOCH + 1);
    assert_eq!(inherited.fly("success"), "query, report success, done");
}

#[test]
fn what_the_books_do_not_agree_with_any_more_is_not_sent_after_a_try_that_was_not_written() {
    let (original, amount, currency) = ("L00000000000000000041".into(), 500_000, Currency::Cny);
    let operation = Operation::Refund { original, amount, currency };
    let mut pilot = Pilot::new(Attempt { operation, ..attempt(AttemptStatus::Requested) }, scripted(), EPOCH);
    for _ in 0..2 {
        assert!(pilot.flight.is_to_be_seen_again(), "before each try, the first too");
        pilot.flight.seen_again(&looked(Ok(()), false));
        assert!(!pilot.flight.is_to_be_seen_again());
        assert_eq!(shown(&pilot.step()), "send");
        assert!(!pilot.flight.is_to_be_seen_again(), "it may be written");
        pilot.flight.ended(Call::NotWritten);
    }
    assert!(pilot.flight.is_to_be_seen_again());
    pilot.flight.seen_again(&looked(Err(Disagreement::Object), false));
    assert_eq!(pilot.fly(""), "report declined system not_sent:disagrees, done");

    // No money leaves by a debit.
    let mut debit = fresh();
    debit.step();
    debit.flight.ended(Call::NotWritten);
    assert!(!debit.flight.is_to_be_seen_again());
}

/// What the books say of an attempt right before it is written.
fn looked(agreed: Result<(), Disagreement>, stopped: bool) -> Seen {
    Seen { original: None, agreed, stopped, closing: false }
}

#[test]
fn a_stop_of_what_leaves_reaches_what_is_not_written_yet_and_nothing_else() {
    let refund = || {
        let (original, amount, currency) = ("L00000000000000000041".into(), 500_000, Currency::Cny);
        Attempt { operation: Operation::Refund { original, amount, currency }, ..attempt(AttemptStatus::Requested) }
    };
    let (stopped, running) = (looked(Ok(()), true), looked(Ok(()), false));
    // Before the first try, and after one that could not be written.
    for tries in 0..2 {
        let mut pilot = Pilot::new(refund(), scripted(), EPOCH);
        for _ in 0..tries {
            pilot.flight.seen_again(&running);
            assert_eq!(shown(&pilot.step()), "send");
            pilot.flight.ended(Call::NotWritten);
        }
        pilot.flight.seen_again(&stopped);
        assert_eq!(pilot.fly(""), "report declined risk not_sent:outflow_stopped, done", "after {tries}");
    }
    // It was stopped when the flight began, and people let it go before a place was there.
    let seen = looked(Ok(()), true);
    let mut let_go = Pilot::looking(refund(), seen, scripted(), EPOCH);
    assert!(let_go.flight.is_to_be_seen_again());
    let_go.flight.seen_again(&running);
    assert_eq!(let_go.fly("success"), "send, report success, done");

    // What may have been written is asked about, stopped or not: only its channel knows how it stands.
    let mut written = Pilot::new(refund(), scripted(), EPOCH);
    assert_eq!(shown(&written.step()), "send");
    written.flight.seen_again(&stopped);
    written.flight.ended(Call::Lost);
    assert!(!written.flight.is_to_be_seen_again());
    assert_eq!(written.fly("success"), "report unknown, wait 100, query, report success, done");
    let mut inherited = Pilot::looking(refund(), stopped, scripted(), EPOCH + 1);
    assert!(!inherited.flight.is_to_be_seen_again());
    assert_eq!(inherited.fly("success"), "query, report success, done");
}

/// Nothing is settled by it, so the channel is asked again, each time later, until the books take what it says.
#[test]
fn an_answer_that_the_books_refuse_is_asked_for_again() {
    let mut pilot = fresh();
    let mut seen = Vec::new();
    let mut successes = 0;
    loop {
        let step = pilot.step();
        seen.push(shown(&step));
        match step {
            Step::Send(_) => pilot.flight.ended(says("success")),
            Step::Report(Outcome::Success { .. }) if successes < 2 => {
                successes += 1;
                pilot.flight.refused();
            }
            Step::Report(outcome) => pilot.flight.reported(&outcome),
            Step::Wait { ms } => pilot.now = pilot.now.plus_ms(i64::try_from(ms).unwrap()),
            Step::Done => break,
        }
    }
    // The books did not know that it may have been sent.
    let expected = "send, report success, report unknown, wait 100, query, report success, wait 200, query, \
                    report success, done";
    assert_eq!(seen.join(", "), expected);
    pilot.flight.refused();
    assert_eq!(shown(&pilot.step()), "done", "there is nothing to be refused");
}

#[test]
fn what_waits_for_people_is_left_alone() {
    assert_eq!(Pilot::new(attempt(AttemptStatus::Waiting), scripted(), EPOCH).fly(""), "done");
}

#[test]
fn what_an_earlier_leader_may_have_sent_is_queried_and_never_sent() {
    let cases = [
        ("success", "query, report success, done"),
        ("declined", "query, report declined user 10000001, done"),
        ("not_found success", "query, report unknown, wait 100, query, report success, done"),
        (
            "not_written pending success",
            "query, report unknown, wait 100, query, wait 200, query, report success, done",
        ),
    ];
    for (script, expected) in cases {
        assert_eq!(inherited().fly(script), expected, "{script}");
    }
}

#[test]
fn an_unknown_attempt_is_queried_and_not_called_unknown_again() {
    for epoch in [EPOCH, EPOCH + 1] {
        let mut pilot = Pilot::new(attempt(AttemptStatus::Unknown), scripted(), epoch);
        assert_eq!(pilot.fly("lost pending success"), "query, wait 100, query, wait 200, query, report success, done");
    }
}

/// A payer is to pay at the page of `channel`, which ends after a quarter of an hour.
fn redirected(status: AttemptStatus, channel: Arc<dyn channels::Channel>, epoch: u64) -> Pilot {
    let expires_at = REQUESTED.plus_ms(900_000);
    let operation = Operation::Redirect { amount: 500_000, currency: Currency::Cny, expires_at, return_url: None };
    let attempt =
        Attempt { operation, rail: domain::attempt::Rail::UnionPay, send_before: expires_at, ..attempt(status) };
    Pilot::new(attempt, channel, epoch)
}

fn unionpay() -> Arc<dyn channels::Channel> {
    let config = serde_json::json!({
        "merchant": "777290058110048", "sign_method": "12", "key": "a secret of one test", "tr_id": "62000000001",
        "front_url": "https://shop.example/back", "back_url": "https://pay.example/notify",
    });
    channels::by_name("unionpay_online", &config).unwrap()
}

#[test]
fn a_page_is_sent_by_nobody_here_and_asked_about_once_the_payer_has_it() {
    for epoch in [EPOCH, EPOCH + 1] {
        let mut unseen = redirected(AttemptStatus::Requested, unionpay(), epoch);
        assert_eq!(unseen.fly(""), "done", "an earlier leader gave none out without saying so");
        let mut handed_out = redirected(AttemptStatus::Unknown, unionpay(), epoch);
        assert_eq!(shown(&handed_out.step()), "wait 100", "the payer has just got there");
        let Step::Send(query) = handed_out.step() else { panic!("a query comes next") };
        assert!(query.path.ends_with("/queryTrans.do"), "{}", query.path);
    }
}

#[test]
fn what_a_monthly_batch_carries_is_neither_sent_nor_asked_about() {
    let (contract, period, route) = (String::from("L1"), String::from("2026-03"), FundRoute::Reserve);
    let operation = Operation::FundBatch { contract, period, route, amount: 500_000, currency: Currency::Cny };
    for (status, epoch) in [(AttemptStatus::Requested, EPOCH), (AttemptStatus::Unknown, EPOCH + 1)] {
        let batched = Attempt { operation: operation.clone(), rail: domain::attempt::Rail::Fund, ..attempt(status) };
        assert_eq!(Pilot::new(batched, scripted(), epoch).fly(""), "done");
    }
}

#[test]
fn a_page_whose_order_is_closed_is_asked_about_soon_and_by_a_close_where_there_is_one() {
    // UnionPay has none: it is asked, by the same query, and its page ends by itself.
    let mut pilot = redirected(AttemptStatus::Unknown, unionpay(), EPOCH);
    for wait in ["wait 100", "wait 200", "wait 400"] {
        assert_eq!(shown(&pilot.step()), wait);
        assert!(matches!(pilot.step(), Step::Send(_)));
        pilot.flight.ended(Call::Lost);
    }
    pilot.flight.close();
    assert_eq!(shown(&pilot.step()), "wait 100", "whoever closes waits for it");
    let Step::Send(query) = pilot.step() else { panic!("a query comes next") };
    assert!(query.path.ends_with("/queryTrans.do"), "{}", query.path);
}

#[test]
fn a_page_that_cannot_be_made_fails_at_once() {
    // The sandbox bank has no page for payers.
    let mut pilot = redirected(AttemptStatus::Requested, sandbox_bank(), EPOCH);
    assert_eq!(pilot.fly(""), "report declined system not_sent:channel_unsupported, done");
}

#[test]
fn a_settled_attempt_needs_nothing() {
    let settled = AttemptStatus::Settled(Outcome::NotFound);
    assert_eq!(Pilot::new(attempt(settled), scripted(), EPOCH).fly(""), "done");
}

#[test]
fn an_attempt_that_a_notification_settled_is_asked_about_no_more() {
    // Wherever it stood: before the operation, while it is under way, between queries, while its doubt is reported.
    for (script, steps) in [("", 0), ("", 1), ("pending", 3), ("pending lost pending", 7), ("lost", 1)] {
        let mut pilot = fresh();
        let mut words = script.split_whitespace();
        for _ in 0..steps {
            match pilot.step() {
                Step::Send(_) => {
                    words.next().into_iter().for_each(|word| pilot.flight.ended(crate::scripted::call(word).unwrap()));
                }
                Step::Report(outcome) => pilot.flight.reported(&outcome),
                Step::Wait { .. } | Step::Done => {}
            }
        }
        pilot.flight.settled();
        pilot.flight.ended(says("declined"));
        pilot.flight.reported(&Outcome::Unknown);
        assert_eq!(pilot.fly(""), "done", "{script} after {steps} steps");
    }
}

#[test]
fn what_was_not_written_is_sent_again_as_it_was_until_it_is_too_late() {
    let mut pilot = fresh();
    let mut sent = Vec::new();
    let last = loop {
        match pilot.step() {
            Step::Send(request) => {
                assert!(!is_query(&request) && pilot.now < pilot.flight.attempt().send_before);
                sent.push(bytes(&request));
                pilot.flight.ended(Call::NotWritten);
                pilot.now = pilot.now.plus_ms(i64::try_from(pilot.flight.retry_ms()).unwrap());
            }
            other @ (Step::Report(_) | Step::Wait { .. } | Step::Done) => break other,
        }
    };
    let Step::Report(outcome) = last else { panic!("{last:?} in place of a report") };
    assert_eq!(outcome, Outcome::Declined { class: FailureClass::System, code: "not_sent:too_late".into() });
    assert_eq!(sent.len(), usize::try_from(SEND_WITHIN_MS).unwrap() / 100);
    sent.dedup();
    assert_eq!(sent.len(), 1, "the same bytes every time");
    assert_eq!(pilot.now, pilot.flight.attempt().send_before);
    pilot.flight.reported(&outcome);
    assert_eq!(pilot.fly(""), "done");
}

#[test]
fn while_the_key_service_is_sealed_it_waits_until_it_is_too_late() {
    let directory = tempfile::tempdir().unwrap();
    let (by, root) = (By::new("test", "", 1_800_000_000_000), ark::ceremony::RootKey::generate().unwrap());
    let soft = Arc::new(ark::Soft::new().unwrap());
    let keys = Arc::new(ark::KeyService::init(directory.path(), soft, &root, &by).unwrap());
    keys.create(&by, &Spec::new("channel/bank", KeyKind::HmacSm3, Purpose::Mac)).unwrap();
    let config = serde_json::json!({ "rail": "epcc", "institution": "lintel", "key": "ark:channel/bank" });
    let shared: Arc<dyn KeyUse> = keys.clone();
    let bank = channels::with_keys("sandbox_bank", &config, &shared).unwrap();
    keys.seal(&by).unwrap();
    let requested = || Pilot::new(attempt(AttemptStatus::Requested), bank.clone(), EPOCH);
    let mut pilot = requested();
    assert_eq!(shown(&pilot.step()), "wait 100");
    keys.unseal(&root, &by).unwrap();
    assert_eq!(shown(&pilot.step()), "send", "as it would have been");
    keys.seal(&by).unwrap();
    pilot.flight.ended(says("done"));
    assert_eq!(shown(&pilot.step()), "report unknown", "nobody can tell whether the bank said so");
    assert!(requested().fly("").ends_with("wait 100, report declined system not_sent:too_late, done"));
}

#[test]
fn nothing_is_sent_at_the_last_moment_or_after_it() {
    let mut pilot = fresh();
    pilot.now = REQUESTED.plus_ms(SEND_WITHIN_MS - 1);
    assert_eq!(shown(&pilot.step()), "send");
    let mut pilot = fresh();
    pilot.now = REQUESTED.plus_ms(SEND_WITHIN_MS);
    assert_eq!(shown(&pilot.step()), "report declined system not_sent:too_late");
}

#[test]
fn what_the_channel_cannot_be_asked_is_not_sent() {
    let operation = Operation::FundHold { contract: "LEASE-1".into(), amount: 100, currency: Currency::Cny };
    let unheard_of = Attempt { operation, ..attempt(AttemptStatus::Requested) };
    let mut pilot = Pilot::new(unheard_of.clone(), scripted(), EPOCH);
    assert_eq!(shown(&pilot.step()), "report declined system not_sent:channel_unsupported");
    // Another leader may have had a channel that could: then nobody knows.
    let mut pilot = Pilot::new(unheard_of, scripted(), EPOCH + 1);
    let steps: Vec<String> = (0..4)
        .map(|_| {
            let step = pilot.step();
            if let Step::Report(outcome) = &step {
                pilot.flight.reported(outcome);
            }
            shown(&step)
        })
        .collect();
    assert_eq!(steps, ["report unknown", "wait 100", "wait 200", "wait 400"]);
}

#[test]
fn not_found_is_the_last_word_only_after_the_settling_delay() {
    let believed = "query, report not_found, done";
    let doubted = "query, report unknown, wait 100, query";
    for (asked_at, expected) in [(REQUESTED, doubted), (settled_at(), doubted), (settled_at().plus_ms(1), believed)] {
        let mut pilot = inherited();
        pilot.now = asked_at;
        assert_eq!(pilot.fly("not_found"), expected, "asked at {asked_at:?}");
    }
}

#[test]
fn a_query_asked_too_early_is_not_believed_however_late_its_answer_comes() {
    let mut pilot = inherited();
    pilot.now = settled_at();
    assert_eq!(shown(&pilot.step()), "query");
    // The bank said so before the operation reached it; the words took a minute to come back.
    pilot.now = pilot.now.plus_ms(60_000);
    pilot.flight.ended(says("not_found"));
    assert_eq!(pilot.fly("not_found"), "report unknown, wait 100, query, report not_found, done");
}

#[test]
fn not_found_is_no_answer_to_the_operation_itself() {
    let mut pilot = fresh();
    assert_eq!(shown(&pilot.step()), "send");
    pilot.now = settled_at().plus_ms(60_000);
    pilot.flight.ended(says("not_found"));
    assert_eq!(pilot.fly(""), "report unknown, wait 100, query");
}

#[test]
fn a_call_whose_end_nobody_told_may_have_been_written() {
    assert_eq!(fresh().fly("silent success"), "send, report unknown, wait 100, query, report success, done");
    assert_eq!(
        fresh().fly("lost silent success"),
        "send, report unknown, wait 100, query, wait 200, query, report success, done"
    );
}

#[test]
fn an_outcome_is_reported_until_the_engine_knows_it() {
    for (script, expected) in [("success", "report success"), ("lost", "report unknown")] {
        let mut pilot = fresh();
        assert_eq!(shown(&pilot.step()), "send");
        pilot.flight.ended(crate::scripted::call(script).unwrap());
        assert_eq!([shown(&pilot.step()), shown(&pilot.step())], [expected, expected]);
        // Word of another outcome is not word of this one.
        pilot.flight.reported(&Outcome::NotFound);
        assert_eq!(shown(&pilot.step()), expected);
    }
}

#[test]
fn words_out_of_turn_change_nothing() {
    let mut pilot = fresh();
    pilot.flight.ended(says("success"));
    pilot.flight.reported(&Outcome::NotFound);
    assert_eq!(pilot.fly("success"), "send, report success, done");
}

#[test]
fn distances_between_queries_double_up_to_the_longest() {
    let mut pilot = Pilot::new(attempt(AttemptStatus::Unknown), scripted(), EPOCH);
    let flown = pilot.fly("lost lost lost lost lost lost success");
    let waits: Vec<&str> = flown.split(", ").filter_map(|step| step.strip_prefix("wait ")).collect();
    assert_eq!(waits, ["100", "200", "400", "800", "1500", "1500"]);
    assert_eq!(PATIENCE.max_ms, 1_500);
}

/// The sandbox bank's answer, signed as it signs.
fn signed(nonce: &str, body: &str) -> Call {
    let head = format!("ANSWER\n200\n{nonce}\n");
    let tag = ark::MacKey::from_hex(KEY).unwrap().mac().update(head.as_bytes()).update(body.as_bytes()).finish();
    let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers: Headers = [("x-nonce", nonce), ("x-signature", &tag)].into_iter().collect();
    Call::Answered(Response { status: 200, headers, body: body.as_bytes().to_vec() })
}

#[test]
fn the_sandbox_bank_is_believed_by_its_signature() {
    let serial = attempt(AttemptStatus::Requested).serial();
    let duplicate = format!(r#"{{"serial":"{serial}","code":"00000002","clearing_date":"2026-03-05"}}"#);
    let success = format!(
        r#"{{"serial":"{serial}","kind":"debit","code":"00000000","amount":500000,"currency":"CNY","reference":"B42","clearing_date":"2026-03-05"}}"#
    );
    let mut pilot = Pilot::new(attempt(AttemptStatus::Requested), sandbox_bank(), EPOCH);
    let mut answers = [signed(&serial, &duplicate), signed(&serial, &success)].into_iter();
    assert_eq!(shown(&pilot.step()), "send");
    pilot.flight.ended(answers.next().unwrap());
    assert_eq!(pilot.fly(""), "report unknown, wait 100, query");
    // The answer to the operation is no answer to the query: its nonce is another.
    pilot.flight.ended(answers.next().unwrap());
    assert_eq!(shown(&pilot.step()), "wait 200");
    let Step::Send(query) = pilot.step() else { panic!("a query was due") };
    let (_, nonce) = query.headers.iter().find(|(name, _)| *name == "x-nonce").unwrap();
    pilot.flight.ended(signed(nonce, &success));
    let Step::Report(outcome) = pilot.step() else { panic!("a report was due") };
    let clearing_date = "2026-03-05".parse::<Date>().unwrap();
    assert_eq!(outcome, Outcome::Success { reference: "B42".into(), clearing_date, part: None });
}
