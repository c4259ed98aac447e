//! A channel whose key lies in the key service says the same on the wire, believes the same, and waits where it is sealed.

use std::sync::Arc;

use ark::KeyService;
use ark::keys::{By, KeyUse, Purpose, Spec};
use ark::provider::KeyKind;
use channels::{Answer, Channel, ChannelError, Doubt, Headers, Request, Response, Try, by_name, with_keys};
use domain::attempt::Operation;
use domain::money::Currency;
use serde_json::json;

use crate::fixture;

const SERIAL: &str = "2026030500000000000000420000042";
const SECRET: [u8; 32] = [3; 32];
const BY: By<'static> = By::new("test", "", 1_800_000_000_000);
const NAME: &str = "channel/our-bank";

fn keys() -> (tempfile::TempDir, Arc<KeyService>) {
    let directory = tempfile::tempdir().unwrap();
    let keys = ark::vault::open_keys_with_key_file(directory.path(), &BY).unwrap();
    (directory, Arc::new(keys))
}

fn named(keys: &Arc<KeyService>) -> Arc<dyn Channel> {
    let keys: Arc<dyn KeyUse> = Arc::clone(keys) as _;
    let config = json!({ "rail": "epcc", "institution": "lintel", "key": format!("ark:{NAME}") });
    with_keys("sandbox_bank", &config, &keys).unwrap()
}

fn bring(keys: &KeyService) {
    keys.take_in(&BY, &Spec::new(NAME, KeyKind::HmacSm3, Purpose::Mac), &SECRET).unwrap();
}

fn asked_for(operation: &Operation) -> Try<'_> {
    Try { serial: SERIAL, requested_at: fixture::AT, operation, original: None }
}

fn debit() -> Operation {
    Operation::Debit { agreement: String::from("AGR-1"), amount: 500, currency: Currency::Cny }
}

/// The bank's answer to `request`, signed with this key.
fn success(request: &Request, secret: [u8; 32]) -> Response {
    let body = json!({
        "serial": SERIAL, "kind": "debit", "code": "00000000", "message": "done", "amount": 500, "currency": "CNY",
        "reference": "B1", "clearing_date": "2026-03-05",
    });
    let (body, nonce) = (body.to_string(), SERIAL.to_owned());
    assert!(request.headers.iter().any(|(name, value)| *name == "x-nonce" && *value == nonce));
    let head = format!("ANSWER\n200\n{nonce}\n");
    let tag = ark::MacKey::from_bytes(secret).mac().update(head.as_bytes()).update(body.as_bytes()).finish();
    let signature: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers: Headers = [("X-Nonce", nonce), ("X-Signature", signature)].into_iter().collect();
    Response { status: 200, headers, body: body.into_bytes() }
}

#[test]
fn requests_are_the_same_bytes_as_with_the_key_in_the_settings() {
    let (_directory, keys) = keys();
    bring(&keys);
    let hex = ark::MacKey::from_bytes(SECRET).to_hex();
    let plain =
        by_name("sandbox_bank", &json!({ "rail": "epcc", "institution": "lintel", "key": hex.expose() })).unwrap();
    let bytes = |channel: &Arc<dyn Channel>| {
        let request = channel.build(&asked_for(&debit()), &fixture::open).unwrap();
        (request.path.clone(), request.headers.clone(), request.body().to_vec())
    };
    assert_eq!(bytes(&named(&keys)), bytes(&plain));
    let trail = keys.audit(0, 100).unwrap();
    let told = |name: &str, operation: &str| {
        trail
            .iter()
            .any(|record| record.act.key == name && record.act.operation == operation && record.act.caller == "lintel")
    };
    assert!(told(NAME, "hmac"), "the trail says who used it");
}

#[test]
fn answers_are_believed_by_the_key_and_by_no_other() {
    let (_directory, keys) = keys();
    bring(&keys);
    let bank = named(&keys);
    let request = bank.build(&asked_for(&debit()), &fixture::open).unwrap();
    let done =
        Answer::Success { reference: String::from("B1"), clearing_date: "2026-03-05".parse().unwrap(), part: None };
    assert_eq!(bank.parse(&request, &success(&request, SECRET)), done);
    assert_eq!(bank.parse(&request, &success(&request, [4; 32])), Answer::Disbelieved(Doubt::Unsigned));
    keys.rotate(&BY, NAME).unwrap();
    assert_eq!(bank.parse(&request, &success(&request, SECRET)), done, "the version before still verifies");
}

#[test]
fn a_key_that_is_not_there_or_sealed_is_waited_for_and_believes_nothing() {
    let (_directory, keys) = keys();
    let bank = named(&keys);
    let build = || bank.build(&asked_for(&debit()), &fixture::open);
    let missing = build().unwrap_err();
    assert_eq!((missing.code(), missing.of_keys().unwrap().code()), ("channel_key", "key_not_found"));
    bring(&keys);
    let request = build().unwrap();
    keys.seal(&BY).unwrap();
    let sealed = build().unwrap_err();
    assert_eq!(sealed.of_keys().unwrap().code(), "sealed");
    assert!(sealed.to_string().contains(NAME), "{sealed}");
    assert_eq!(bank.parse(&request, &success(&request, SECRET)), Answer::Unknown);
    let statement = bank.statement(b"T|0|00|00\n").unwrap_err();
    assert!(statement.of_keys().is_some() || matches!(statement, ChannelError::Format { .. }), "{statement}");
}

#[test]
fn a_name_needs_a_key_service() {
    for key in ["ark:channel/our-bank", "ark:"] {
        let config = json!({ "rail": "epcc", "institution": "lintel", "key": key });
        assert!(matches!(by_name("sandbox_bank", &config), Err(ChannelError::Config { .. })));
    }
    let (_directory, keys) = keys();
    let keys: Arc<dyn KeyUse> = keys;
    let config = json!({ "rail": "epcc", "institution": "lintel", "key": "ark:" });
    assert!(matches!(with_keys("sandbox_bank", &config, &keys), Err(ChannelError::Config { .. })));
}
