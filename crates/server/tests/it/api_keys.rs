//! Secrets rotated alone: both sign while they overlap, the old one ends, and nothing else changes.

use ark::MacKey;
use ark::signing::{Authorization, Credential, Request, Stamp};
use serde_json::{Value, json};

use crate::client::{Answer, exchange, now};
use crate::open::{merchant, text};
use crate::server::Server;
use crate::staff::client_of;

/// Who signs with a secret of this serial number.
struct Holder<'a> {
    server: &'a Server,
    id: &'a str,
    serial: &'a str,
    secret: &'a str,
}

impl Holder<'_> {
    fn send(&self, method: &str, target: &str, key: &str, body: &str) -> Answer {
        let secret = MacKey::from_hex(self.secret).unwrap();
        let credential = Credential { merchant: self.id, serial: self.serial, key: &secret };
        let request = Request { method, target, body: body.as_bytes() };
        let signed = Authorization::sign(&credential, Stamp::random(now()).unwrap(), &request).unwrap().to_string();
        let headers = [("authorization", signed.as_str()), ("idempotency-key", key)];
        exchange(self.server.address(), method, target, &headers, body.as_bytes()).unwrap()
    }

    fn looks(&self) -> Answer {
        self.send("GET", &format!("/v1/api-keys/{}", self.id), "k", "")
    }

    fn rotates(&self, key: &str, body: &Value) -> Answer {
        self.send("POST", &format!("/v1/api-keys/{}/rotate", self.id), key, &body.to_string())
    }
}

fn code(answer: &Answer) -> (u16, String) {
    let (status, code, _) = answer.error();
    (status, code)
}

#[test]
fn a_merchant_rotates_its_secret_and_both_sign_until_the_old_one_ends() {
    let mut server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let first = text(&operator.post(&format!("/v1/merchants/{id}/key"), &Value::Null).ok(), "/secret");
    let (second, third);
    {
        let old = Holder { server: &server, id: &id, serial: "1", secret: &first };
        assert_eq!(
            old.looks().ok()["data"],
            json!([{"serial_no": "1", "signs": true, "since": null, "ends_at": null, "by": null}])
        );
        let rotated = old.rotates("one", &json!({"overlap_seconds": 3600}));
        assert_eq!(text(&rotated.ok(), "/serial_no"), "2");
        assert!(rotated.ok()["previous_ends_at"].is_string(), "{}", rotated.text());
        second = text(&rotated.ok(), "/secret");
        assert_ne!(second, first);
        let again = old.rotates("one", &json!({"overlap_seconds": 3600}));
        assert!(again.repeated() && text(&again.ok(), "/secret") == second, "the same key, the same secret");
        assert_eq!(code(&old.rotates("two", &json!({}))), (422, "api_key_state".into()), "two sign already");
    }
    // Which serial numbers sign is in the journal.
    server.kill();
    server.start_again();
    let operator = server.operator();
    let [old, new] =
        [("1", &first), ("2", &second)].map(|(serial, secret)| Holder { server: &server, id: &id, serial, secret });
    assert_eq!((old.looks().status, new.looks().status), (200, 200));
    assert_eq!(new.looks().header("lintel-serial"), Some("2"), "the answer is signed with the secret that asked");
    // A secret signs under its own serial number alone.
    for (serial, secret) in [("1", &second), ("2", &first), ("3", &second), ("02", &second), ("x", &second)] {
        let crossed = Holder { server: &server, id: &id, serial, secret };
        assert_eq!(code(&crossed.looks()), (401, "signature_mismatch".into()), "{serial}");
    }
    let shown = operator.post(&format!("/v1/merchants/{id}/key"), &Value::Null).ok();
    assert_eq!((text(&shown, "/serial_no"), text(&shown, "/secret")), ("2".into(), second.clone()));

    let end = |holder: &Holder<'_>, serial: u32| {
        holder.send(
            "POST",
            &format!("/v1/api-keys/{id}/end"),
            &format!("end-{serial}"),
            &json!({"serial_no": serial}).to_string(),
        )
    };
    assert_eq!(code(&end(&new, 2)), (422, "api_key_state".into()), "the newest");
    assert_eq!(code(&end(&new, 7)), (404, "api_key_unknown".into()));
    assert_eq!(end(&new, 1).ok()["data"][0]["signs"], false);
    assert_eq!(code(&old.looks()), (401, "signature_key_unknown".into()), "from its answer on");
    assert_eq!(new.looks().status, 200);

    // Without overlap the old one ends with the answer, which it still signs.
    let rotated = new.rotates("three", &json!({"overlap_seconds": 0}));
    third = text(&rotated.ok(), "/secret");
    assert_eq!((text(&rotated.ok(), "/serial_no"), rotated.header("lintel-serial")), ("3".into(), Some("2")));
    assert_eq!(code(&new.looks()), (401, "signature_key_unknown".into()));
    assert_eq!(Holder { server: &server, id: &id, serial: "3", secret: &third }.looks().status, 200);
    let log = server.log();
    assert!([&first, &second, &third].iter().all(|secret| !log.contains(secret.as_str())), "{log}");
}

#[test]
fn nobody_rotates_anothers_secret_and_bad_overlaps_are_refused() {
    let server = Server::start();
    let operator = server.operator();
    let [one, other] = [("张三", "110101199003070134"), ("李四", "110101199003070215")]
        .map(|(name, number)| text(&merchant(&operator, "landlord", name, number), "/id"));
    let client = client_of(&server, &one);
    for target in [
        format!("/v1/api-keys/{other}/rotate"),
        "/v1/api-keys/operator/rotate".into(),
        "/v1/api-keys/opr_1/rotate".into(),
    ] {
        assert_eq!(code(&client.post(&target, &json!({}))), (403, "not_permitted".into()), "{target}");
    }
    assert_eq!(code(&client.get(&format!("/v1/api-keys/{other}"))), (403, "not_permitted".into()));
    let rotate = format!("/v1/api-keys/{one}/rotate");
    for overlap in [-1, 2_592_001, i64::MAX] {
        let answer = client.post(&rotate, &json!({"overlap_seconds": overlap}));
        assert_eq!(answer.error(), (400, "field_malformed".into(), "overlap_seconds".into()), "{overlap}");
    }
    assert_eq!(code(&operator.post("/v1/api-keys/konto/rotate", &json!({}))), (400, "field_malformed".into()));
    assert_eq!(code(&operator.post("/v1/api-keys/mch_999/rotate", &json!({}))), (404, "merchant_unknown".into()));
}

/// The command line: it rotates the programs' own secret, and asks on under the next serial number.
#[test]
fn the_command_line_rotates_the_programs_secret() {
    let server = Server::start();
    let said = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let made: Value =
        serde_json::from_str(&said(&["api-key", "rotate", "operator", "--overlap", "0", "--json"])).unwrap();
    assert_eq!(text(&made, "/serial_no"), "2");
    assert_eq!(said(&["key", "operator", "--serial", "2"]).trim(), text(&made, "/secret"));
    let refused = server.lintel(&["api-key", "show", "operator"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("signature_key_unknown"), "{refused:?}");
    assert!(said(&["api-key", "show", "operator", "--key-serial", "2"]).contains('2'));
}
