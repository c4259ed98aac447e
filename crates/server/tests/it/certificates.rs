//! Merchants who sign with a pair: the merchant here is the `openssl` program, which signs its requests and verifies the
//! platform's answers.

use std::fs;
use std::process::Command;

use ark::signing::Stamp;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, exchange, now};
use crate::open::{merchant, text};
use crate::server::Server;
use crate::skip::skip;
use crate::webhooks::receiver::until;

/// A pair in files, and by which arguments `openssl` signs with it.
pub(crate) struct Pair {
    directory: TempDir,
    scheme: &'static str,
}

/// How long a certificate lives whose end is waited for: time enough to sign once before it.
const LIFE_SECONDS: u64 = 5;

pub(crate) const SM2: &str = "LINTEL-SM2-WITH-SM3";
pub(crate) const RSA: &str = "LINTEL-SHA256-RSA2048";

impl Pair {
    /// A new one; `None` without `openssl`, which is said.
    pub(crate) fn new(scheme: &'static str) -> Option<Self> {
        let pair = Self { directory: TempDir::new().unwrap(), scheme };
        let algorithm: [&str; 4] = match scheme {
            SM2 => ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"],
            _ => ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        let made = pair.openssl(&[&["genpkey"], &algorithm[..], &["-out", "key.pem"]].concat());
        if made.is_none() {
            skip("openssl", "apt-get install openssl (version 3, with SM2)");
            return None;
        }
        pair.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]).unwrap();
        Some(pair)
    }

    fn digest(&self) -> &'static [&'static str] {
        match self.scheme {
            SM2 => &["dgst", "-sm3", "-sigopt", "distid:1234567812345678"],
            _ => &["dgst", "-sha256"],
        }
    }

    pub(crate) fn public(&self) -> String {
        fs::read_to_string(self.directory.path().join("public.pem")).unwrap()
    }

    /// An X.509 certificate that the pair gave itself.
    fn certificate(&self, days: &str) -> Option<String> {
        fs::write(self.directory.path().join("own.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        let digest: &[&str] =
            if self.scheme == SM2 { &["-sm3", "-sigopt", "distid:1234567812345678"] } else { &["-sha256"] };
        let own = ["req", "-x509", "-config", "own.cnf", "-key", "key.pem", "-subj", "/CN=Lamp Lane", "-days", days];
        self.openssl(&[&own[..], digest, &["-set_serial", "0x7A10F3C2", "-out", "own.pem"]].concat())?;
        Some(fs::read_to_string(self.directory.path().join("own.pem")).unwrap())
    }

    fn sign(&self, message: &[u8]) -> String {
        fs::write(self.directory.path().join("message"), message).unwrap();
        let signature = self.openssl(&[self.digest(), &["-sign", "key.pem", "message"]].concat());
        BASE64_STANDARD.encode(signature.expect("openssl signs"))
    }

    /// Whether `openssl` takes the signature of a message under a public key in PEM.
    pub(crate) fn verifies(&self, public: &str, message: &[u8], signature: &str) -> bool {
        let write = |name: &str, bytes: &[u8]| fs::write(self.directory.path().join(name), bytes).unwrap();
        write("theirs.pem", public.as_bytes());
        write("message", message);
        write("signature", &BASE64_STANDARD.decode(signature).unwrap());
        let verify = ["-verify", "theirs.pem", "-signature", "signature", "message"];
        self.openssl(&[self.digest(), &verify[..]].concat()).is_some()
    }

    /// Where its files are.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.directory.path()
    }

    fn openssl(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let run = Command::new("openssl").args(arguments).current_dir(self.directory.path()).output();
        run.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    }
}

/// A merchant that signs with a pair.
pub(crate) struct Signer<'a> {
    pub(crate) server: &'a Server,
    pub(crate) merchant: &'a str,
    pub(crate) serial: &'a str,
    pub(crate) pair: &'a Pair,
}

impl Signer<'_> {
    fn authorization(&self, stamp: &Stamp, method: &str, target: &str, body: &[u8]) -> String {
        let head = format!("{method}\n{target}\n{}\n{}\n", stamp.timestamp(), stamp.nonce());
        let signature = self.pair.sign(&[head.as_bytes(), body, b"\n"].concat());
        let Self { merchant, serial, pair: Pair { scheme, .. }, .. } = self;
        let (time, nonce) = (stamp.timestamp(), stamp.nonce());
        format!(
            "{scheme} mch_id=\"{merchant}\",nonce=\"{nonce}\",timestamp=\"{time}\",serial_no=\"{serial}\",signature=\"{signature}\""
        )
    }

    fn send_as(&self, authorization: &str, method: &str, target: &str, body: &[u8]) -> Answer {
        let key = Stamp::random(now()).unwrap().nonce().to_owned();
        let headers = [("authorization", authorization), ("idempotency-key", key.as_str())];
        exchange(self.server.address(), method, target, &headers, body).unwrap()
    }

    /// Signs a request and sends it with these headers.
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let authorization = self.authorization(&Stamp::random(now()).unwrap(), method, target, body);
        let headers: Vec<_> = headers.iter().copied().chain([("authorization", authorization.as_str())]).collect();
        exchange(self.server.address(), method, target, &headers, body).unwrap()
    }

    fn get(&self, target: &str) -> Answer {
        let stamp = Stamp::random(now()).unwrap();
        self.send_as(&self.authorization(&stamp, "GET", target, b""), "GET", target, b"")
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        let (stamp, body) = (Stamp::random(now()).unwrap(), body.to_string());
        let authorization = self.authorization(&stamp, "POST", target, body.as_bytes());
        self.send_as(&authorization, "POST", target, body.as_bytes())
    }
}

/// What the signature of an answer is over.
pub(crate) fn answered(answer: &Answer) -> Vec<u8> {
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name} in {answer:?}")).to_owned();
    let head = format!("{}\n{}\n", header("lintel-timestamp"), header("lintel-nonce"));
    [head.as_bytes(), &answer.body, b"\n"].concat()
}

pub(crate) fn signature(answer: &Answer) -> &str {
    answer.header("lintel-signature").unwrap_or_else(|| panic!("unsigned: {answer:?}"))
}

pub(crate) fn register(client: &Client, merchant: &str, certificate: &str) -> Value {
    client.post(&format!("/v1/merchants/{merchant}/certificates"), &json!({ "certificate": certificate })).ok()
}

fn code(answer: &Answer) -> (u16, String) {
    let (status, code, _) = answer.error();
    (status, code)
}

fn signs_both_ways(scheme: &'static str, prefix: &str) {
    let Some(pair) = Pair::new(scheme) else { return };
    let server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let certificate = register(&operator, &id, &pair.public());
    assert_eq!((certificate["status"].as_str(), certificate["subject"].as_str()), (Some("valid"), Some("")));
    assert_eq!(certificate["public_key"].as_str(), Some(pair.public().as_str()), "what openssl wrote, byte for byte");

    let serial = text(&certificate, "/serial_no");
    let signer = Signer { server: &server, merchant: &id, serial: &serial, pair: &pair };
    let own = signer.get(&format!("/v1/merchants/{id}"));
    assert_eq!(own.ok()["id"], json!(id));
    let other = signer.get("/v1/merchants/mch_999");
    assert_eq!(code(&other), (403, "not_permitted".into()));

    // The platform's key of that scheme verifies both answers, the refusal too.
    let keys = operator.get("/v1/platform-keys").ok();
    for answer in [&own, &other] {
        let named = answer.header("lintel-serial").unwrap();
        assert!(named.starts_with(prefix), "{named}");
        let key = keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == named).unwrap();
        assert_eq!((key["scheme"].as_str(), key["signs"].as_bool()), (Some(scheme), Some(true)));
        let public = key["public_key"].as_str().unwrap();
        assert!(pair.verifies(public, &answered(answer), signature(answer)));
        assert!(!pair.verifies(public, &answered(answer)[1..], signature(answer)));
    }
}

#[test]
fn sm2_signs_requests_and_answers_and_openssl_agrees() {
    signs_both_ways(SM2, "PLATFORM-SM2-");
}

#[test]
fn rsa_signs_requests_and_answers_and_openssl_agrees() {
    signs_both_ways(RSA, "PLATFORM-RSA-");
}

/// Who has a secret gets its answers signed with it, errors too; what was refused at the door is not signed.
#[test]
fn answers_are_signed_with_the_secret_that_asked() {
    let server = Server::start();
    let operator = server.operator();
    for answer in [operator.get("/v1/merchants"), operator.get("/v1/merchants/mch_999")] {
        let message = answered(&answer);
        let tag = BASE64_STANDARD.encode(operator.tag(&message));
        assert_eq!((signature(&answer), answer.header("lintel-serial")), (tag.as_str(), Some("1")));
    }
    let unsigned = exchange(server.address(), "GET", "/v1/merchants", &[], b"").unwrap();
    assert_eq!((code(&unsigned), unsigned.header("lintel-signature")), ((401, "signature_missing".into()), None));
}

/// A certificate of X.509 names itself; both sign while they overlap; a revoked one signs nothing from its answer on.
#[test]
fn a_merchant_rotates_its_certificate_by_itself() {
    let (Some(first), Some(second)) = (Pair::new(SM2), Pair::new(SM2)) else { return };
    let mut server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let Some(x509) = first.certificate("30") else {
        return skip("openssl", "apt-get install openssl (version 3, certificates with SM2)");
    };
    let registered = register(&operator, &id, &x509);
    let [serial, subject] = ["/serial_no", "/subject"].map(|pointer| text(&registered, pointer));
    assert_eq!((serial.as_str(), subject.as_str()), ("7A10F3C2", "Lamp Lane"));
    let old = Signer { server: &server, merchant: &id, serial: &serial, pair: &first };
    let target = format!("/v1/merchants/{id}/certificates");

    // The next one is registered under a signature of the present one.
    let next = old.post(&target, &json!({"certificate": second.public(), "serial_no": "NEXT"}));
    let new = Signer { server: &server, merchant: &id, serial: "NEXT", pair: &second };
    fn list(signer: &Signer<'_>) -> Answer {
        signer.get("/v1/certificates")
    }
    assert_eq!(list(&old).status, 200);
    let shown = new.get(&format!("/v1/certificates?min_position={}", next.position())).ok();
    assert_eq!(shown["data"].as_array().unwrap().len(), 2);
    assert_eq!(next.ok()["registered_by"], json!(id));

    let revoke = format!("/v1/certificates/{}/revoke", text(&registered, "/id"));
    assert_eq!(new.post(&revoke, &json!({"reason": "rotated"})).ok()["status"], json!("revoked"));
    assert_eq!(code(&list(&old)), (401, "signature_key_unknown".into()));
    assert_eq!(list(&new).status, 200);
    assert_eq!(code(&new.post(&revoke, &json!({"reason": "again"}))), (422, "certificate_state".into()));
    let again = new.post(&target, &json!({"certificate": first.public(), "serial_no": "AGAIN"}));
    assert_eq!(code(&again), (422, "certificate_exists".into()));

    // All of it is in the journal.
    server.stop();
    server.start_again();
    let old = Signer { server: &server, merchant: &id, serial: &serial, pair: &first };
    let new = Signer { server: &server, merchant: &id, serial: "NEXT", pair: &second };
    assert_eq!(code(&list(&old)), (401, "signature_key_unknown".into()));
    assert_eq!(list(&new).status, 200);
}

/// By the wall clock, and also one that signed a moment ago, whose key is kept.
#[test]
fn a_certificate_signs_from_its_beginning_to_its_end_and_no_longer() {
    let (Some(pair), Some(later)) = (Pair::new(SM2), Pair::new(SM2)) else { return };
    let server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let target = format!("/v1/merchants/{id}/certificates");
    let looks = |pair: &Pair, serial: &str| {
        Signer { server: &server, merchant: &id, serial, pair }.get(&format!("/v1/merchants/{id}"))
    };
    let unsigned = |answer: &Answer| {
        assert_eq!(code(answer), (401, "signature_key_unknown".into()), "{}", answer.text());
        assert_eq!(answer.header("lintel-signature"), None, "{answer:?}");
    };
    let times = json!({
        "certificate": later.public(), "serial_no": "LATER", "not_before": "2099-01-01T00:00:00Z",
        "not_after": "2100-01-01T00:00:00Z",
    });
    assert_eq!(operator.post(&target, &times).ok()["status"], json!("not_yet_valid"));
    unsigned(&looks(&later, "LATER"));

    let end = jiff::Timestamp::from_second(i64::try_from(now() + LIFE_SECONDS).unwrap()).unwrap();
    let times = json!({"certificate": pair.public(), "serial_no": "SHORT", "not_after": end.to_string()});
    let short = format!("/v1/certificates/{}", text(&operator.post(&target, &times).ok(), "/id"));
    assert_eq!(looks(&pair, "SHORT").status, 200);
    let shown = || text(&operator.get(&short).ok(), "/status");
    until(|| shown() == "expired", shown);
    unsigned(&looks(&pair, "SHORT"));
    // Its number and its key are not free again, and it is revoked like any other.
    let again = operator.post(&target, &json!({"certificate": pair.public(), "serial_no": "AGAIN"}));
    assert_eq!(code(&again), (422, "certificate_exists".into()));
    let revoked = operator.post(&format!("{short}/revoke"), &json!({"reason": "over"})).ok();
    assert_eq!(revoked["status"], json!("revoked"));
}

#[test]
fn what_is_forged_replayed_or_another_merchants_is_refused() {
    let (Some(pair), Some(stranger)) = (Pair::new(SM2), Pair::new(SM2)) else { return };
    let server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let other = text(&merchant(&operator, "landlord", "李四", "110101199003070215"), "/id");
    let serial = text(&register(&operator, &id, &pair.public()), "/serial_no");
    let good = Signer { server: &server, merchant: &id, serial: &serial, pair: &pair };
    let target = format!("/v1/merchants/{id}");

    let forged = Signer { pair: &stranger, ..good };
    assert_eq!(code(&forged.get(&target)), (401, "signature_mismatch".into()));
    let mis_addressed = Signer { merchant: &other, ..good };
    assert_eq!(code(&mis_addressed.get(&target)), (401, "signature_key_unknown".into()));
    let unknown = Signer { serial: "NONE", ..good };
    assert_eq!(code(&unknown.get(&target)), (401, "signature_key_unknown".into()));
    let institution = Signer { merchant: "operator", ..good };
    assert_eq!(code(&institution.get(&target)), (401, "signature_malformed".into()));

    let stamp = Stamp::random(now()).unwrap();
    let authorization = good.authorization(&stamp, "GET", &target, b"");
    assert_eq!(
        code(&good.send_as(&authorization, "GET", "/v1/merchants/mch_1?x=1", b"")),
        (401, "signature_mismatch".into())
    );
    assert_eq!(good.send_as(&authorization, "GET", &target, b"").status, 200);
    assert_eq!(code(&good.send_as(&authorization, "GET", &target, b"")), (401, "nonce_reused".into()));
    let stale = Stamp::parse(&(now() - 600).to_string(), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS").unwrap();
    let authorization = good.authorization(&stale, "GET", &target, b"");
    assert_eq!(code(&good.send_as(&authorization, "GET", &target, b"")), (401, "signature_stale".into()));

    // Another merchant takes neither this key nor this certificate's life in hand.
    let taken = operator.post(&format!("/v1/merchants/{other}/certificates"), &json!({"certificate": pair.public()}));
    assert_eq!(code(&taken), (422, "certificate_exists".into()));
    let target = format!("/v1/merchants/{other}/certificates");
    let theirs = operator.post(&target, &json!({"certificate": stranger.public()}));
    let (position, theirs) = (theirs.position(), text(&theirs.ok(), "/serial_no"));
    let theirs = Signer { server: &server, merchant: &other, serial: &theirs, pair: &stranger };
    assert_eq!(
        code(&theirs.post("/v1/certificates/crt_1/revoke", &json!({"reason": "mine"}))),
        (403, "not_permitted".into())
    );
    assert_eq!(code(&theirs.get(&format!("/v1/certificates?merchant={id}"))), (403, "not_permitted".into()));
    let own = theirs.get(&format!("/v1/certificates?min_position={position}")).ok();
    assert_eq!(own["data"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_certificate_of_the_gateway_is_refused_by_name() {
    let Some(pair) = Pair::new(SM2) else { return };
    let server = Server::start();
    let operator = server.operator();
    let id = text(&merchant(&operator, "landlord", "张三", "110101199003070134"), "/id");
    let send = |body: Value| operator.post(&format!("/v1/merchants/{id}/certificates"), &body);
    let private = fs::read_to_string(pair.directory.path().join("key.pem")).unwrap();
    pair.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "p256.pem"]).unwrap();
    pair.openssl(&["pkey", "-in", "p256.pem", "-pubout", "-out", "p256.pub.pem"]).unwrap();
    let p256 = fs::read_to_string(pair.directory.path().join("p256.pub.pem")).unwrap();
    let der = BASE64_STANDARD.decode(pair.public().lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let mut off_the_curve = der.unwrap();
    *off_the_curve.last_mut().unwrap() ^= 1;
    let off_the_curve =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(off_the_curve));
    for (text, says) in [
        (private.as_str(), "private key"),
        (p256.as_str(), "SM2"),
        (off_the_curve.as_str(), "no point"),
        ("hello", "PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "X.509"),
    ] {
        let answer = send(json!({ "certificate": text }));
        assert_eq!(answer.error(), (400, "field_malformed".into(), "certificate".into()));
        assert!(answer.text().contains(says), "{says}: {}", answer.text());
        assert!(!answer.text().contains("MIGH"), "a private key is not repeated");
    }
    let past = json!({"certificate": pair.public(), "not_after": "2020-01-01T00:00:00Z"});
    assert_eq!(send(past).error(), (422, "value_invalid".into(), "certificate".into()));
    let Some(x509) = pair.certificate("30") else { return };
    let both = json!({"certificate": x509, "not_after": "2030-01-01T00:00:00Z"});
    assert_eq!(send(both).error(), (400, "field_malformed".into(), "not_before".into()));
    assert_eq!(send(json!({"certificate": x509})).ok()["status"], json!("valid"));
}
