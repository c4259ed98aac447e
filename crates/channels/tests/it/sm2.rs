//! The conversations of a channel that signs with RSA or SM2, under SM2: the folder `sm2` of its fixtures, which `sm2.py` there signed
//! again by the `openssl` program. What RSA shows whole is shown under SM2 too, and proves the same.

use std::collections::BTreeSet;

use channels::Response;
use channels::registry::{CHANNELS, Entry};
use serde_json::Value;

use crate::fixture::{self, Exchange, Fixture};
use crate::words::unbelieved;

/// What differs between the two configurations.
const KEYS: [&str; 3] = ["sign_method", "key", "peer_key"];
/// Every so many bytes of a message one is changed: to verify SM2 takes its time, and the suite changes each of those under RSA.
const STEP: usize = 37;

/// Whether the settings of a channel leave the choice of SM2, by its manifest.
fn may_sign_with_sm2(entry: &Entry) -> bool {
    let channel = fixture::of(entry).remove(0).channel;
    let mut settings = channel.manifest().settings.iter();
    settings.any(|setting| setting.name == "sign_method" && setting.doc.contains("`sm2`"))
}

/// Every channel that may sign with SM2: its conversations as they are beside the folder, and those under SM2.
fn both() -> Vec<(Vec<Fixture>, Vec<Fixture>)> {
    let entries = CHANNELS.iter().filter(|entry| may_sign_with_sm2(entry));
    let both: Vec<_> = entries.map(|entry| (fixture::of(entry), fixture::of_sm2(entry))).collect();
    assert!(both.len() > 1, "EPCC and Ping An may");
    both
}

fn under_sm2() -> impl Iterator<Item = Fixture> {
    both().into_iter().flat_map(|(_, sm2)| sm2)
}

/// Whether a request is the one that is shown, with anything of a signature's letters where that has `*`: SM2 draws a random number.
fn is_shown(request: &str, shown: &str) -> bool {
    let mut texts = shown.split('*');
    let Some(mut rest) = request.strip_prefix(texts.next().unwrap_or_default()) else { return false };
    for text in texts {
        let found = if text.is_empty() { Some(rest.len()) } else { rest.find(text) };
        let Some((drawn, after)) = found.map(|at| rest.split_at(at)) else { return false };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=%".contains(&byte);
        if drawn.is_empty() || !drawn.bytes().all(fits) {
            return false;
        }
        rest = &after[text.len()..];
    }
    rest.is_empty()
}

/// What a conversation says, without its bytes.
fn said(exchange: &Exchange) -> Vec<[&str; 3]> {
    exchange.cases.iter().map(|case| [case.title.as_str(), case.shows.as_str(), case.expected.as_str()]).collect()
}

/// By the manifest alone: each conversation and each case of it, under settings that differ in how it is signed and in nothing else.
#[test]
fn what_is_shown_with_rsa_is_shown_with_sm2() {
    for (others, sm2) in both() {
        assert_eq!(others.len(), sm2.len(), "{} and beside it", sm2[0].path.display());
        for (other, fixture) in others.iter().zip(&sm2) {
            let place = fixture.path.display();
            assert_eq!(other.path.file_name(), fixture.path.file_name(), "{place}");
            let (before, now) = (other.settings.as_object().unwrap(), fixture.settings.as_object().unwrap());
            let names: BTreeSet<&str> = before.keys().chain(now.keys()).map(String::as_str).collect();
            let differing: Vec<&str> = names.into_iter().filter(|name| before.get(*name) != now.get(*name)).collect();
            assert!(differing.iter().all(|name| KEYS.contains(name)), "{place}: {differing:?}");
            assert_eq!(now.get("sign_method").and_then(Value::as_str), Some("sm2"), "{place}");
            assert_eq!(other.exchanges.len(), fixture.exchanges.len(), "{place}");
            for (one, two) in other.exchanges.iter().zip(&fixture.exchanges) {
                assert_eq!(said(one), said(two), "{place}");
            }
        }
    }
}

#[test]
fn requests_are_those_shown_but_for_what_is_drawn() {
    let mut shown = 0;
    for fixture in under_sm2() {
        for exchange in &fixture.exchanges {
            let Some(request) = fixture::build(&*fixture.channel, &exchange.ask) else { continue };
            let request = fixture::shown_request(&request.unwrap());
            let expected = exchange.request.trim_end();
            assert!(expected.contains('*'), "{}: nothing of it is signed", fixture.path.display());
            assert!(is_shown(&request, expected), "{}: {request}\nis not\n{expected}", fixture.path.display());
            // One letter of what is signed, and it is another request.
            assert!(!is_shown(&request, &expected.replacen("2026", "2025", 1)), "{}", fixture.path.display());
            shown += 1;
        }
    }
    assert!(shown > 20, "{shown}");
}

#[test]
fn responses_prove_with_sm2_what_they_prove_with_rsa() {
    for fixture in under_sm2() {
        for exchange in &fixture.exchanges {
            for case in &exchange.cases {
                let judged = fixture::judged(&*fixture.channel, &exchange.ask, &case.response);
                assert_eq!(judged, case.expected, "{}: {}", fixture.path.display(), case.title);
            }
        }
    }
}

#[test]
fn a_message_under_sm2_that_was_touched_is_not_believed() {
    for fixture in under_sm2() {
        for exchange in &fixture.exchanges {
            let request = fixture::build(&*fixture.channel, &exchange.ask).map(Result::unwrap);
            for case in &exchange.cases {
                let body = &case.response.body;
                for index in (0..body.len()).step_by(STEP) {
                    let mut flipped = body.clone();
                    flipped[index] ^= 1;
                    for body in [flipped, body[..index].to_vec()] {
                        let touched = Response { body, ..case.response.clone() };
                        let judged = fixture::judged_of(&*fixture.channel, &exchange.ask, request.as_ref(), &touched);
                        let place = format!("{}: {}, byte {index}", fixture.path.display(), case.title);
                        assert_eq!(judged, unbelieved(&exchange.ask), "{place}");
                    }
                }
            }
        }
    }
}
