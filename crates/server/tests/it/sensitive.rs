//! Sensitive fields: `openssl` encrypts names and numbers for the platform's keys, as a merchant without any library of ours would.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::{Pair, RSA};
use crate::client::{Answer, Client};
use crate::open::{merchant, text};
use crate::server::Server;
use crate::skip::skip;
use crate::staff::client_of;

const HEADER: &str = "lintel-encryption-serial";

/// A public key of the platform, in the hands of `openssl`.
pub(crate) struct Theirs {
    directory: TempDir,
    pub(crate) serial: String,
    rsa: bool,
}

impl Theirs {
    /// The key of this scheme that encrypts now.
    pub(crate) fn of(client: &Client, scheme: &str) -> Self {
        let keys = client.get("/v1/platform-keys").ok();
        let mut keys = keys["data"].as_array().unwrap().iter();
        let key = keys.find(|key| key["scheme"] == scheme && key["encrypts"] == true).expect("a key that encrypts");
        assert_eq!(key["signs"], false, "{key}");
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("theirs.pem"), text(key, "/public_key")).unwrap();
        Self { directory, serial: text(key, "/serial_no"), rsa: scheme.starts_with("RSA") }
    }

    /// A text as it goes into a field; `None` without such an `openssl`, which is said.
    pub(crate) fn seal(&self, text: &[u8]) -> Option<String> {
        fs::write(self.directory.path().join("text"), text).unwrap();
        let oaep =
            ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"];
        let arguments = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "theirs.pem", "-in", "text"];
        let mut run = Command::new("openssl");
        run.args(arguments).args(if self.rsa { &oaep[..] } else { &[] });
        let output = run.current_dir(self.directory.path()).output().ok().filter(|output| output.status.success());
        if output.is_none() {
            skip("openssl", "apt-get install openssl (version 3, with SM2)");
        }
        output.map(|output| format!("encrypted:{}", BASE64_STANDARD.encode(output.stdout)))
    }

    pub(crate) fn post(&self, client: &Client, target: &str, key: &str, body: &Value) -> Answer {
        let headers = [("idempotency-key", key), (HEADER, self.serial.as_str())];
        client.send("POST", target, &headers, body.to_string().as_bytes())
    }
}

fn person(name: &str, number: &str, phone: &str) -> Value {
    let certificate = json!({"type": "resident_identity", "number": number});
    json!({"kind": "person", "name": name, "certificate": certificate, "phone": phone})
}

fn takes(client: &Client, theirs: &Theirs) {
    let sealed = || Some(person(&theirs.seal("张三".as_bytes())?, &theirs.seal(b"11010519491231002X")?, "13800001234"));
    let (Some(first), Some(second)) = (sealed(), sealed()) else { return };
    assert_ne!(first["name"], second["name"], "encryption is random");
    let answer = theirs.post(client, "/v1/customers", &theirs.serial, &first);
    let shown = answer.ok();
    let masks = ["/name", "/certificate", "/phone"].map(|pointer| text(&shown, pointer));
    assert_eq!(masks, ["张*", "110***********002X", "138****1234"]);
    // Encrypted once more, or in clear, it is the same request; another name is not.
    let again = theirs.post(client, "/v1/customers", &theirs.serial, &second);
    assert!(again.repeated(), "{}", again.text());
    assert_eq!(again.ok()["id"], shown["id"]);
    let clear =
        client.post_keyed("/v1/customers", &theirs.serial, &person("张三", "11010519491231002X", "13800001234"));
    assert!(clear.repeated(), "{}", clear.text());
    let other = person(&theirs.seal("李四".as_bytes()).unwrap(), "11010519491231002X", "13800001234");
    assert_eq!(theirs.post(client, "/v1/customers", &theirs.serial, &other).error().1, "key_reused");
}

#[test]
fn fields_encrypted_by_openssl_are_taken_under_both_schemes() {
    let Some(pair) = Pair::new(RSA) else { return };
    let server = Server::start();
    let operator = server.operator();
    takes(&operator, &Theirs::of(&operator, "SM2-DER"));
    let id = text(&merchant(&operator, "landlord", "王五", "110101199003070134"), "/id");
    let public = fs::read_to_string(pair.path().join("public.pem")).unwrap();
    operator.post(&format!("/v1/merchants/{id}/certificates"), &json!({ "certificate": public })).ok();
    takes(&operator, &Theirs::of(&operator, "RSA-OAEP-SHA256"));
    let metrics = operator.get("/metrics").text();
    assert!(metrics.contains("lintel_sensitive_fields_total{outcome=\"opened\"}"), "{metrics}");
    assert!(!server.log().contains("张三"), "{}", server.log());
}

#[test]
fn what_does_not_open_is_refused_by_name_and_binds_nothing() {
    let server = Server::start();
    let operator = server.operator();
    let theirs = Theirs::of(&operator, "SM2-DER");
    let Some(sealed) = theirs.seal("张三".as_bytes()) else { return };
    let post = |serial: &str, body: &Value| {
        let headers = [("idempotency-key", "one"), (HEADER, serial)];
        operator.send("POST", "/v1/customers", &headers, body.to_string().as_bytes())
    };
    let good = |name: &str| person(name, "11010519491231002X", "13800001234");
    let is = |answer: Answer, code: &str, param: &str| {
        assert_eq!(answer.error(), (400, code.into(), param.into()), "{}", answer.text());
        assert!(!answer.text().contains("张三"), "{}", answer.text());
    };
    for serial in ["PLATFORM-ENC-SM2-2", "PLATFORM-ENC-RSA-1", "PLATFORM-SM2-1", "x"] {
        is(post(serial, &good(&sealed)), "encryption_serial_unknown", "Lintel-Encryption-Serial");
    }
    is(operator.post_keyed("/v1/customers", "one", &good(&sealed)), "encryption_serial_missing", "name");
    let mut touched = BASE64_STANDARD.decode(sealed.strip_prefix("encrypted:").unwrap()).unwrap();
    *touched.last_mut().unwrap() ^= 1;
    let not_text = theirs.seal(&[0xff, 0xfe]).unwrap();
    for wrong in ["encrypted:", "encrypted:AAAA", "encrypted:%%", &sealed[..sealed.len() - 8], &not_text] {
        is(post(&theirs.serial, &good(wrong)), "ciphertext_invalid", "name");
    }
    let touched = format!("encrypted:{}", BASE64_STANDARD.encode(touched));
    is(post(&theirs.serial, &good(&touched)), "ciphertext_invalid", "name");
    // A field that is no personal text shows nobody what was encrypted.
    let mut kind = good("张三");
    kind["kind"] = json!(sealed);
    kind["name"] = json!("A");
    is(post(&theirs.serial, &kind), "field_malformed", "kind");
    let many: Vec<_> = (0..101).map(|_| good(&sealed)).collect();
    let headers = [("idempotency-key", "many"), (HEADER, theirs.serial.as_str())];
    let many =
        operator.send("POST", "/v1/customers/batch", &headers, json!({"customers": many}).to_string().as_bytes());
    is(many, "field_malformed", "body");
    // The key is still free.
    assert_eq!(post(&theirs.serial, &good(&sealed)).ok()["name"], "张*");
}

#[test]
fn a_rotated_key_opens_until_it_is_ended() {
    let mut server = Server::start_with(&["ark.unseal=file"]);
    let operator = server.operator();
    let first = Theirs::of(&operator, "SM2-DER");
    let Some(sealed) = first.seal("张三".as_bytes()) else { return };
    operator.post("/v1/ark/keys/platform%2Fencryption/rotate?reason=yearly", &json!({})).ok();
    let second = Theirs::of(&operator, "SM2-DER");
    assert_eq!((first.serial.as_str(), second.serial.as_str()), ("PLATFORM-ENC-SM2-1", "PLATFORM-ENC-SM2-2"));
    server.kill();
    server.start_again();
    let operator = server.operator();
    let traveller = |number: &str, name: &str| json!({"kind": "person", "name": name, "certificate": {"type": "passport", "number": number}});
    first.post(&operator, "/v1/customers", "1", &traveller("E00000001", &sealed)).ok();
    let under_second = second.seal("李四".as_bytes()).unwrap();
    second.post(&operator, "/v1/customers", "2", &traveller("E00000002", &under_second)).ok();
    let crossed = second.post(&operator, "/v1/customers", "3", &traveller("E00000003", &sealed));
    assert_eq!(crossed.error(), (400, "ciphertext_invalid".into(), "name".into()));
    let step = json!({"version": 1, "step": "compromise"});
    operator.post("/v1/ark/keys/platform%2Fencryption/step?reason=lost", &step).ok();
    let ended = first.post(&operator, "/v1/customers", "4", &traveller("E00000004", &sealed));
    assert_eq!(ended.error().1, "encryption_serial_unknown");
}

#[test]
fn a_platform_may_take_personal_fields_of_merchants_encrypted_alone() {
    let server = Server::start_with(&["personal_fields=encrypted"]);
    let operator = server.operator();
    let landlord = merchant(&operator, "landlord", "王五", "110101199003070134");
    let client = client_of(&server, &text(&landlord, "/id"));
    let theirs = Theirs::of(&client, "SM2-DER");
    let payout = |account: &str, holder: &str| {
        let to = json!({"type": "bank", "bank_account": {"account": account, "holder": holder}});
        json!({"account": text(&landlord, "/available"), "amount": 1, "currency": "CNY", "to": to, "send_now": false})
    };
    let clear = client.post("/v1/payouts", &payout("6222020200112230", "王五"));
    assert_eq!(clear.error().1, "encryption_required", "{}", clear.text());
    let (Some(account), Some(holder)) = (theirs.seal(b"6222020200112230"), theirs.seal("王五".as_bytes())) else {
        return;
    };
    let half = theirs.post(&client, "/v1/payouts", "half", &payout(&account, "王五"));
    assert_eq!(half.error().1, "encryption_required", "{}", half.text());
    let sealed = theirs.post(&client, "/v1/payouts", "whole", &payout(&account, &holder));
    assert_ne!(sealed.error().1, "encryption_required", "it gets as far as the books: {}", sealed.text());
    assert_eq!(sealed.status, 422, "{}", sealed.text());
}
