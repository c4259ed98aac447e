//! Whatever a channel answers and whenever: the money moves once at most, and no flight ends in doubt.

use domain::attempt::{AttemptStatus, Outcome};
use node::executor::Step;
use proptest::prelude::*;

use crate::scripted::{EPOCH, Pilot, attempt, call, is_query, scripted, settled_at};

const WORDS: [&str; 8] = ["success", "declined", "pending", "not_found", "unknown", "lost", "not_written", "silent"];

/// How a call ends, how long that takes, and how long it is until the next step.
fn calls() -> impl Strategy<Value = Vec<(&'static str, i64, i64)>> {
    let ms = || prop_oneof![4 => 0_i64..500, 1 => 0_i64..40_000];
    proptest::collection::vec((proptest::sample::select(&WORDS[..]), ms(), ms()), 0..40)
}

/// What was seen of a flight, and what must hold of it.
#[derive(Default)]
struct Seen {
    maybe_written: u32,
    unknown: u32,
    last_asked_at: Option<i64>,
    last_word: &'static str,
    conclusive: Option<Outcome>,
}

impl Seen {
    fn report(&mut self, outcome: &Outcome) {
        assert_eq!(self.conclusive, None, "nothing is reported after the last word");
        match outcome {
            Outcome::Unknown => self.unknown += 1,
            Outcome::NotFound => {
                assert_eq!(self.last_word, "not_found");
                let asked_at = self.last_asked_at.expect("only a query finds nothing");
                assert!(asked_at > settled_at().0, "asked at {asked_at}");
            }
            Outcome::Declined { code, .. } if code.starts_with("not_sent:") => assert_eq!(self.maybe_written, 0),
            Outcome::Declined { .. } => assert_eq!(self.last_word, "declined"),
            Outcome::Success { .. } => assert_eq!(self.last_word, "success"),
        }
        self.conclusive = Some(outcome.clone()).filter(|outcome| *outcome != Outcome::Unknown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn an_operation_is_written_once_at_most(calls in calls(), is_inherited: bool, was_unknown: bool) {
        let status = if was_unknown { AttemptStatus::Unknown } else { AttemptStatus::Requested };
        let mut pilot = Pilot::new(attempt(status), scripted(), EPOCH + u64::from(is_inherited));
        let mut calls = calls.into_iter();
        let mut seen = Seen::default();
        loop {
            match pilot.step() {
                Step::Send(request) => {
                    // A bank that answers at last ends every script.
                    let (word, took_ms, then_ms) = calls.next().unwrap_or(("success", 0, 0));
                    if is_query(&request) {
                        seen.last_asked_at = Some(pilot.now.0);
                    } else {
                        prop_assert!(!is_inherited && !was_unknown, "another may have sent it");
                        prop_assert_eq!(seen.maybe_written, 0, "it may have been written before");
                        prop_assert!(pilot.now < pilot.flight.attempt().send_before, "too late to send");
                        seen.last_asked_at = None;
                        seen.maybe_written += u32::from(word != "not_written");
                    }
                    seen.last_word = word;
                    pilot.now = pilot.now.plus_ms(took_ms);
                    if let Some(call) = call(word) {
                        pilot.flight.ended(call);
                    }
                    pilot.now = pilot.now.plus_ms(then_ms);
                }
                Step::Report(outcome) => {
                    seen.report(&outcome);
                    pilot.flight.reported(&outcome);
                }
                Step::Wait { ms } => pilot.now = pilot.now.plus_ms(i64::try_from(ms).unwrap()),
                Step::Done => break,
            }
        }
        prop_assert!(seen.conclusive.is_some(), "the flight ended in doubt");
        prop_assert!(seen.unknown <= u32::from(!was_unknown), "unknown is said once");
    }
}
