//! What is refused before a handler, behind a signature that holds, is signed in return: who asks believes it, and knows that nothing was
//! done. Where no signature holds, nothing is.

use ark::signing::Stamp;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use client::PlatformKeys;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::certificates::{Pair, SM2, Signer, answered, register, signature};
use crate::client::{Answer, Client, exchange, now};
use crate::open::{merchant, text};
use crate::server::Server;
use crate::staff::client_of;

/// A request that is refused before a handler: method, target, a header and the body; status and code of the refusal.
type Refused = (&'static str, &'static str, (&'static str, &'static str), &'static str, u16, &'static str);

const SERIAL: &str = "lintel-encryption-serial";
const NONE: (&str, &str) = ("accept", "application/json");
const REFUSED: [Refused; 8] = [
    ("POST", "/v1/orders", (SERIAL, "PLATFORM-SM2-1"), "{}", 400, "encryption_serial_unknown"),
    ("POST", "/v1/orders", (SERIAL, "PLATFORM-ENC-SM2-1"), r#"{"n":"encrypted:AAAA"}"#, 400, "ciphertext_invalid"),
    ("POST", "/v1/orders", ("idempotency-key", ""), "{}", 400, "idempotency_key_malformed"),
    ("GET", "/v1/nothing", NONE, "", 404, "route_unknown"),
    ("POST", "/v1/nothing/at/all?a=1", NONE, r#"{"n":"encrypted:AAAA"}"#, 404, "route_unknown"),
    ("DELETE", "/v1/orders", NONE, "", 405, "method_not_allowed"),
    ("POST", "/v1/codes", NONE, "{}", 405, "method_not_allowed"),
    ("GET", "/v1/cashier/orders/ord_1/pay", NONE, "", 405, "method_not_allowed"),
];

/// A landlord's id.
fn landlord(operator: &Client) -> String {
    text(&merchant(operator, "landlord", "张三", "110101199003070134"), "/id")
}

/// Whether the secret that asked signed the answer.
#[track_caller]
fn signed_by(client: &Client, answer: &Answer) {
    let tag = BASE64_STANDARD.encode(client.tag(&answered(answer)));
    assert_eq!((signature(answer), answer.header("lintel-serial")), (tag.as_str(), Some("1")), "{answer:?}");
}

#[track_caller]
fn unsigned(answer: &Answer, status: u16, code: &str) {
    let (found, name, _) = answer.error();
    assert_eq!((found, name.as_str()), (status, code), "{}", answer.text());
    assert_eq!(answer.header("lintel-signature"), None, "{answer:?}");
}

#[test]
fn what_is_refused_before_a_handler_is_signed_in_return() {
    let server = Server::start();
    let operator = server.operator();
    let id = landlord(&operator);
    let secret = client_of(&server, &id);
    for (method, target, header, body, status, code) in REFUSED {
        let answer = secret.send(method, target, &[header], body.as_bytes());
        let (found, name, _) = answer.error();
        assert_eq!((found, name.as_str()), (status, code), "{method} {target}");
        assert!(answer.header("lintel-version").is_some(), "{answer:?}");
        signed_by(&secret, &answer);
    }
    // A person's too, who may not change by itself what is asked.
    operator.post("/v1/operators", &json!({"login": "admin.one", "roles": ["administrator"]})).ok();
    let person = client_of(&server, "opr_1");
    let answer = person.post("/v1/vouchers", &json!({}));
    assert_eq!((answer.status, answer.error().1.as_str()), (403, "not_permitted"));
    signed_by(&person, &answer);
}

#[test]
fn who_signs_with_sm2_is_refused_under_the_platforms_sm2_key() {
    let Some(pair) = Pair::new(SM2) else { return };
    let server = Server::start();
    let operator = server.operator();
    let id = landlord(&operator);
    let serial = text(&register(&operator, &id, &pair.public()), "/serial_no");
    let signer = Signer { server: &server, merchant: &id, serial: &serial, pair: &pair };
    let keys = operator.get("/v1/platform-keys").ok();
    let key = keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == "PLATFORM-SM2-1").unwrap();
    for (method, target, header, body, status, code) in REFUSED {
        let answer = signer.send(method, target, &[header], body.as_bytes());
        let (found, name, _) = answer.error();
        assert_eq!((found, name.as_str()), (status, code), "{method} {target}");
        assert_eq!(answer.header("lintel-serial"), Some("PLATFORM-SM2-1"), "{answer:?}");
        assert!(pair.verifies(&text(key, "/public_key"), &answered(&answer), signature(&answer)), "{answer:?}");
    }
}

#[test]
fn where_no_signature_holds_nothing_is_signed() {
    let server = Server::start();
    let operator = server.operator();
    let ask = |method: &str, target: &str, headers: &[(&str, &str)]| {
        exchange(server.address(), method, target, headers, b"").unwrap()
    };
    // Who brings none hears what it always heard; a payer's token is none.
    let [payer, bearer] = ["LINTEL-CASHIER token=\"x\"", "Bearer x"].map(|value| [("authorization", value)]);
    for headers in [&payer[..0], &payer[..], &bearer[..]] {
        unsigned(&ask("GET", "/v1/nothing", headers), 404, "route_unknown");
        unsigned(&ask("DELETE", "/v1/orders", headers), 405, "method_not_allowed");
    }
    // Outside of /v1 nothing is signed.
    unsigned(&operator.get("/nothing"), 404, "route_unknown");
    unsigned(&operator.send("DELETE", "/health/live", &[], b""), 405, "method_not_allowed");
    // One that does not hold is told so, and one that was used is.
    let stranger = Client::new(server.address(), "operator", ark::MacKey::generate().unwrap());
    unsigned(&stranger.get("/v1/nothing"), 401, "signature_mismatch");
    unsigned(&stranger.send("DELETE", "/v1/orders", &[], b""), 401, "signature_mismatch");
    let once = operator.authorization(Stamp::random(now()).unwrap(), "GET", "/v1/nothing", b"");
    let headers = [("authorization", once.as_str())];
    signed_by(&operator, &ask("GET", "/v1/nothing", &headers));
    unsigned(&ask("GET", "/v1/nothing", &headers), 401, "nonce_reused");
    // A body that is not read cannot be verified.
    let header = operator.authorization(Stamp::random(now()).unwrap(), "POST", "/v1/nothing", b"");
    let headers = [("authorization", header.as_str()), ("content-length", "33554433")];
    unsigned(&ask("POST", "/v1/nothing", &headers), 413, "body_too_large");
}

fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/signing/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

/// The codes that the merchants' client hears.
async fn heard(client: &client::Client) -> Vec<String> {
    let mut codes = Vec::new();
    let mut hear = |error: client::Error| {
        let client::Error::Api(told) = &error else { panic!("{error}") };
        codes.push(told.code.clone());
    };
    // A key that is none of the platform's, under a serial number that it has not and under one that it has.
    for serial in ["PLATFORM-ENC-SM2-9", "PLATFORM-ENC-SM2-1"] {
        let mut keys = PlatformKeys::default();
        keys.add_encrypting(serial, &fixture("sm2.pub.pem")).unwrap();
        let sealer = keys.sealer().unwrap();
        let body = json!({ "name": sealer.seal("张三").unwrap() });
        let key = client::IdempotencyKey::random().unwrap();
        hear(client.post_sealed::<Value>("/v1/orders", &key, &body, &sealer).await.unwrap_err());
    }
    let key = client::IdempotencyKey::random().unwrap();
    hear(client.post::<Value>("/v1/nothing", &key, &json!({})).await.unwrap_err());
    hear(client.get::<Value>("/v1/nothing").await.unwrap_err());
    hear(client.get::<Value>("/v1/orders/ord_1/close").await.unwrap_err());
    codes
}

#[test]
fn the_merchants_client_reports_the_platforms_code() {
    let server = Server::start();
    let operator = server.operator();
    let id = landlord(&operator);
    let key = operator.post(&format!("/v1/merchants/{id}/key"), &Value::Null).ok();
    let serial = text(&register(&operator, &id, &fixture("sm2.pub.pem")), "/serial_no");
    let base = format!("http://{}", server.address());
    let by_secret = client::Credential::secret(&id, &text(&key, "/secret")).unwrap();
    let by_secret = client::Client::new(&base, by_secret).unwrap();
    let codes =
        ["encryption_serial_unknown", "ciphertext_invalid", "route_unknown", "route_unknown", "method_not_allowed"];
    Runtime::new().unwrap().block_on(async {
        assert_eq!(heard(&by_secret).await, codes);
        let keys = by_secret.platform_keys().await.unwrap();
        let by_pair = client::Credential::pair(&id, &serial, &fixture("sm2.key.pem")).unwrap();
        let by_pair = client::Client::new(&base, by_pair).unwrap().trusting(keys);
        assert_eq!(heard(&by_pair).await, codes);
        let error = by_pair.get::<Value>("/v1/nothing").await.unwrap_err();
        assert!(error.to_string().contains("mend what the message names"), "{error}");
    });
}
