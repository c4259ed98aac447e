//! What a fund's centre says of a lease: the golden question and answers, answers that are not believed, and the city's rules as settings.

use std::fs;
use std::sync::Arc;

use channels::registry::CHANNELS;
use channels::{Channel, ChannelError, Response, by_name};
use domain::calendar::Date;
use domain::fund_batch::quota::{Every, Frequency, FundLease, QuotaRules};
use serde_json::{Value, json};

use crate::fixture;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NONCE: &str = "0123456789abcdef";
/// Made with Python's hashlib over OpenSSL's SM3, as those of the files beside them.
const ASKED: &str = "ddfed14cfb33c8eeb6b9f899f4d1828a46bf1add423cbf180aaa22c2447b7a21";
const FILED: &str = "f627d2074d48b6561538272cbba96135193faa16b55c99316dc6ae5085058a27";
const UNFILED: &str = "fbcaa76cdefe11dbb38b7dae2ebb4891e0fd83f879515b5e88c609ec54b8639f";

fn fund() -> Arc<dyn Channel> {
    by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY })).unwrap()
}

fn golden(name: &str) -> Vec<u8> {
    let path = fixture::folder("sandbox_fund").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn response(status: u16, nonce: &str, signature: &str, body: Vec<u8>) -> Response {
    let headers = [("x-nonce", nonce), ("x-signature", signature)].into_iter().collect();
    Response { status, headers, body }
}

fn answered(response: &Response) -> Result<Option<FundLease>, ChannelError> {
    let fund = fund();
    let request = fund.build_quota("LEASE-77", "2026-03", NONCE).unwrap();
    fund.quota(&request, response).map(channels::verified::Verified::into_inner)
}

/// An answer that the centre signed, made of a golden one.
fn signed(body: &str) -> Response {
    let key = ark::MacKey::from_hex(KEY).unwrap();
    let head = format!("ANSWER\n200\n{NONCE}\n");
    let tag = key.mac().update(head.as_bytes()).update(body.as_bytes()).finish();
    let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    response(200, NONCE, &tag, body.as_bytes().to_vec())
}

#[test]
fn a_lease_is_asked_about_and_its_figures_are_read() {
    let request = fund().build_quota("LEASE-77", "2026-03", NONCE).unwrap();
    assert_eq!((request.method, request.path.as_str()), ("POST", "/fund/v1/quota"));
    assert_eq!(request.body(), br#"{"contract":"LEASE-77","period":"2026-03"}"#);
    let signature = request.headers.iter().find(|(name, _)| *name == "x-signature").map(|(_, text)| text.as_str());
    assert_eq!(signature, Some(ASKED));

    let lease = answered(&response(200, NONCE, FILED, golden("quota_filed.json"))).unwrap();
    let draws = ["2026-01-01", "2026-02-01"].map(|date| date.parse::<Date>().unwrap()).to_vec();
    let expected = FundLease { rent: 600_000, contribution: 350_000, remaining: 1_200_000, months: 27, draws };
    assert!(lease == Some(expected), "a field that nobody knows changes nothing");
    assert_eq!(answered(&response(200, NONCE, UNFILED, golden("quota_unfiled.json"))).unwrap(), None);
}

#[test]
fn a_lease_or_month_that_cannot_be_asked_about_is_refused_before_it_is_sent() {
    for contract in ["", "LEASE|77", "LEASE 77", "租约"] {
        let refused = fund().build_quota(contract, "2026-03", NONCE).unwrap_err();
        assert!(matches!(refused, ChannelError::Subject { field: "contract", .. }), "{refused}");
    }
    for period in ["", "2026-13", "2026-3", "March"] {
        let refused = fund().build_quota("LEASE-77", period, NONCE).unwrap_err();
        assert!(matches!(refused, ChannelError::Subject { field: "period", .. }), "{refused}");
    }
    assert!(matches!(fund().build_quota("LEASE-77", "2026-03", "short"), Err(ChannelError::Nonce(5))));
}

#[test]
fn an_answer_of_another_question_or_hand_is_not_believed() {
    let body = golden("quota_filed.json");
    let refused = |response: &Response| answered(response).unwrap_err();
    let is_unsigned = |error: &ChannelError| matches!(error, ChannelError::Signature { .. });
    assert!(is_unsigned(&refused(&response(200, "0123456789abcdeg", FILED, body.clone()))), "another nonce");
    assert!(is_unsigned(&refused(&response(500, NONCE, FILED, body.clone()))), "another status");
    assert!(is_unsigned(&refused(&response(200, NONCE, UNFILED, body.clone()))), "another signature");
    for at in 0..body.len() {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(is_unsigned(&refused(&response(200, NONCE, FILED, changed))), "byte {at}");
    }
    let text = String::from_utf8(body).unwrap();
    answered(&signed(&text)).unwrap();
    let wrong = [
        ("LEASE-77", "LEASE-78", "contract"),
        ("2026-03", "2026-04", "contract"),
        ("00000000", "30000001", "code"),
        ("600000", "-1", "rent"),
        ("\"contribution\":350000", "\"other\":1", "contribution"),
        ("1200000", "-1200000", "remaining"),
        ("\"months\":27", "\"months\":-27", "line"),
        ("2026-02", "2026-14", "draws"),
    ];
    for (from, to, expected) in wrong {
        let error = refused(&signed(&text.replacen(from, to, 1)));
        let ChannelError::Format { place, .. } = &error else { panic!("{to}: {error}") };
        assert!(place.starts_with(expected), "{to}: {error}");
    }
}

fn opened(more: &Value) -> Result<Arc<dyn Channel>, ChannelError> {
    let mut settings = json!({ "institution": "lintel", "key": KEY });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by_name("sandbox_fund", &settings)
}

#[test]
fn the_citys_rules_are_settings() {
    let all = json!({
        "cut_off": "25 17:00", "quota": "ask", "cap_minor": "250000", "months_min": "3", "frequency": "1/quarter",
    });
    let channel = opened(&all).unwrap();
    let centre = channel.fund_centre().unwrap();
    assert_eq!(centre.cut_off.map(|cut_off| cut_off.to_string()), Some("25 17:00".to_owned()));
    let frequency = Some(Frequency { draws: 1, every: Every::Quarter });
    assert_eq!(centre.quota, Some(QuotaRules { cap: Some(250_000), months_min: 3, frequency }));
    let asks = opened(&json!({ "quota": "ask" })).unwrap();
    assert_eq!(asks.fund_centre().unwrap().quota, Some(QuotaRules::default()));
    let none = fund();
    let centre = none.fund_centre().unwrap();
    assert_eq!((centre.cut_off, centre.quota), (None, None));
}

#[test]
fn a_rule_that_cannot_be_is_named_with_its_value_and_what_would_be_right() {
    let asks = |name: &str, value: &str| json!({ "quota": "ask", name: value });
    let cases = [
        (json!({ "cut_off": "25" }), "cut_off", "'25'", "25 17:00"),
        (json!({ "cut_off": "32 17:00" }), "cut_off", "'32 17:00'", "25 17:00"),
        (json!({ "quota": "maybe" }), "quota", "'maybe'", "`ask`"),
        (json!({ "cap_minor": "250000" }), "cap_minor", "it bounds", "set quota to `ask`"),
        (asks("cap_minor", "2500.00"), "cap_minor", "'2500.00'", "fen"),
        (asks("cap_minor", "0"), "cap_minor", "'0'", "above 0"),
        (asks("months_min", "three"), "months_min", "'three'", "as `3`"),
        (asks("frequency", "1/week"), "frequency", "'1/week'", "`1/quarter`"),
        (asks("frequency", "0/year"), "frequency", "'0/year'", "`1/quarter`"),
    ];
    for (settings, name, value, right) in cases {
        let told = opened(&settings).unwrap_err().to_string();
        assert!(told.contains(name) && told.contains(value) && told.contains(right), "{told}");
    }
}

#[test]
fn a_channel_without_a_centre_is_asked_about_no_lease() {
    let request = fund().build_quota("LEASE-77", "2026-03", NONCE).unwrap();
    let channels = CHANNELS.iter().map(|entry| fixture::of(entry).remove(0).channel);
    let without: Vec<_> = channels.filter(|channel| channel.fund_centre().is_none()).collect();
    assert!(without.len() > 1);
    for channel in without {
        let refused = channel.build_quota("LEASE-77", "2026-03", NONCE).unwrap_err();
        assert!(matches!(refused, ChannelError::NoBatch { .. }), "{refused}");
        let answer = response(200, NONCE, FILED, golden("quota_filed.json"));
        assert!(matches!(channel.quota(&request, &answer), Err(ChannelError::NoBatch { .. })));
    }
}
