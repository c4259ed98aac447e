//! What every channel must do, whatever its format.

use channels::registry::CHANNELS;
use channels::{ChannelError, Headers, OperationKind, Response};
use domain::attempt::Operation;
use domain::money::Currency;

use crate::fixture::{self, Ask, Fixture, sealed};

fn fixtures() -> impl Iterator<Item = Fixture> {
    CHANNELS.iter().flat_map(fixture::of)
}

#[test]
fn requests_are_the_golden_bytes_every_time() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            for _ in 0..2 {
                let Some(request) = fixture::build(&*fixture.channel, &exchange.ask) else { continue };
                let shown = fixture::shown_request(&request.unwrap());
                assert_eq!(shown, exchange.request.trim_end(), "{}", fixture.path.display());
            }
        }
    }
}

#[test]
fn responses_prove_what_the_fixture_says() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            for case in &exchange.cases {
                let judged = fixture::judged(&*fixture.channel, &exchange.ask, &case.response);
                assert_eq!(judged, case.expected, "{}: {}", fixture.path.display(), case.title);
            }
        }
    }
}

/// One bit of any byte of the body, of the signature or of the nonce, and nothing is believed any more.
#[test]
fn a_message_that_was_touched_is_not_believed() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            let refused = match exchange.ask {
                Ask::Do { .. } | Ask::Query { .. } => "unknown",
                Ask::Returns { .. } | Ask::Notify => "channel_signature",
            };
            for case in &exchange.cases {
                for touched in touched(&case.response) {
                    let judged = fixture::judged(&*fixture.channel, &exchange.ask, &touched);
                    assert_eq!(judged, refused, "{}: {}", fixture.path.display(), case.title);
                }
            }
        }
    }
}

fn touched(response: &Response) -> Vec<Response> {
    let header = |name| response.headers.get(name).unwrap().to_owned();
    let (nonce, signature) = (header("x-nonce"), header("x-signature"));
    let with = |nonce: &str, signature: &str| {
        let headers: Headers = [("x-nonce", nonce), ("x-signature", signature)].into_iter().collect();
        Response { headers, ..response.clone() }
    };
    let flipped_digit = if signature.starts_with('0') { "1" } else { "0" };
    let mut all = vec![
        with(&nonce, &format!("{flipped_digit}{}", &signature[1..])),
        with(&nonce, &signature[2..]),
        with(&nonce, "not hexadecimal"),
        with(&format!("{nonce}0"), &signature),
        Response { headers: Headers::default(), ..response.clone() },
        Response { body: Vec::new(), ..response.clone() },
    ];
    for index in 0..response.body.len() {
        let mut body = response.body.clone();
        body[index] ^= 1;
        all.push(Response { body, ..response.clone() });
    }
    all
}

/// Each operation of the manifest has a fixture with a success, a decline, a pending answer and a "not found".
#[test]
fn every_operation_has_its_fixtures() {
    for entry in CHANNELS {
        let fixtures = fixture::of(entry);
        let manifest = fixtures[0].channel.manifest();
        for supported in manifest.operations {
            let expected: Vec<&str> = fixtures
                .iter()
                .flat_map(|fixture| &fixture.exchanges)
                .filter(|exchange| match &exchange.ask {
                    Ask::Do { operation, .. } | Ask::Query { operation, .. } => {
                        OperationKind::of(operation) == supported.kind
                    }
                    Ask::Returns { .. } | Ask::Notify => false,
                })
                .flat_map(|exchange| exchange.cases.iter().map(|case| case.expected.as_str()))
                .collect();
            for needed in ["success", "declined", "pending", "not_found", "unknown"] {
                let there = expected.iter().any(|line| line.starts_with(needed));
                assert!(there, "{}: no fixture of {} with {needed}", entry.name, supported.kind.name());
            }
        }
    }
}

const SERIAL: &str = "2026030500000000000000420000042";

fn one_of_each(amount: i64, currency: Currency) -> [Operation; 6] {
    let original = || SERIAL.to_owned();
    [
        Operation::Debit { agreement: original(), amount, currency },
        Operation::Refund { original: original(), amount, currency },
        Operation::Pay { account: sealed("6222020200112233445"), name: sealed("name"), amount, currency, bank: None },
        Operation::FundHold { contract: original(), amount, currency },
        Operation::FundCapture { original: original(), amount, currency },
        Operation::FundRelease { original: original(), amount, currency },
    ]
}

#[test]
fn what_the_manifest_does_not_name_fails_before_it_is_sent() {
    for entry in CHANNELS {
        let channel = fixture::of(entry).remove(0).channel;
        let manifest = channel.manifest();
        let build = |operation: &Operation| channel.build(SERIAL, operation, &fixture::open);
        for operation in one_of_each(1, Currency::Cny) {
            let kind = OperationKind::of(&operation);
            let query = channel.build_query(SERIAL, &operation, "0123456789abcdef");
            match manifest.supported(kind) {
                Some(_) => {
                    build(&operation).unwrap();
                    query.unwrap();
                }
                None => {
                    assert!(
                        matches!(build(&operation), Err(ChannelError::Unsupported { kind: told, .. }) if told == kind)
                    );
                    assert!(matches!(query, Err(ChannelError::Unsupported { kind: told, .. }) if told == kind));
                }
            }
        }
        let supported = |operation: &Operation| manifest.supported(OperationKind::of(operation)).copied();
        for operation in one_of_each(1, Currency::Jpy).iter().filter(|operation| supported(operation).is_some()) {
            assert!(matches!(build(operation), Err(ChannelError::Currency { currency: "JPY", .. })));
        }
        for limit in [|max: i64| max + 1, |_| 0, |_| -1] {
            for operation in one_of_each(1, Currency::Cny) {
                let Some(supported) = supported(&operation) else { continue };
                let wrong = limit(supported.amount_max);
                let index = OperationKind::ALL.iter().position(|kind| *kind == supported.kind).unwrap();
                let error = build(&one_of_each(wrong, Currency::Cny)[index]).unwrap_err();
                assert!(matches!(error, ChannelError::Limit { amount, .. } if amount == wrong), "{error}");
            }
        }
    }
}

#[test]
fn serial_numbers_and_nonces_in_another_form_are_refused() {
    for entry in CHANNELS {
        let channel = fixture::of(entry).remove(0).channel;
        let operations = one_of_each(1, Currency::Cny);
        let known = |operation: &&Operation| channel.manifest().supported(OperationKind::of(operation)).is_some();
        let operation = operations.iter().find(known).unwrap();
        for serial in ["", "42", &SERIAL[1..], "2026030500000000000000420000042\n", "２０２６０３０５００"] {
            let error = channel.build(serial, operation, &fixture::open).unwrap_err();
            assert!(matches!(error, ChannelError::Serial(_)), "{error}");
        }
        for nonce in ["", "short", "with a space in it", "quote\"in-the-nonce", &"n".repeat(65)] {
            let error = channel.build_query(SERIAL, operation, nonce).unwrap_err();
            assert!(matches!(error, ChannelError::Nonce(_)), "{error}");
            assert!(channel.build_statement("2026-03-05".parse().unwrap(), 1, nonce).is_err());
        }
    }
}

#[test]
fn a_field_that_cannot_be_opened_is_an_error_without_its_value() {
    let bank = fixture::of(&CHANNELS[0]).remove(0).channel;
    let [_, _, pay, ..] = one_of_each(1, Currency::Cny);
    let error = bank.build(SERIAL, &pay, &|_| Err(ark::Error::Class(9))).unwrap_err();
    assert!(matches!(error, ChannelError::Opening { field: "account number", .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("6222"), "{error:?}");
}

#[test]
fn a_request_shows_no_personal_field() {
    let bank = fixture::of(&CHANNELS[0]).remove(0).channel;
    let [_, _, pay, ..] = one_of_each(1, Currency::Cny);
    let request = bank.build(SERIAL, &pay, &fixture::open).unwrap();
    assert!(str::from_utf8(request.body()).unwrap().contains("6222020200112233445"));
    assert!(!format!("{request:?} {bank:?}").contains("6222"));
}
