//! `lintel ark serve` as its callers meet it: over TLS with certificates on both sides, which say who asks.

use std::net::TcpStream;
use std::path::Path;

use ark::provider::{KeyKind, Provider as _, PublicKeyEncryption};
use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::exchange;
use crate::key_server::{Caller, KeyServer, ceremony};
use crate::open::text;
use crate::server::{Server, lintel};

#[track_caller]
fn refused(answer: (u16, Value), status: u16, code: &str) {
    assert_eq!((answer.0, answer.1["error"]["code"].as_str()), (status, Some(code)), "{}", answer.1);
}

/// A running one, opened by its custodians.
fn opened(authority: &Authority) -> KeyServer {
    let server = KeyServer::start(authority, &[]);
    let operator = Caller::of(&server, authority, "operator");
    for share in ceremony(&server.data()).iter().take(2) {
        operator.done("/v1/ark/unseal", &json!({"share": share}));
    }
    server
}

fn allow(operator: &Caller, caller: &str, operations: &[&str]) {
    let change = json!({"action": "allow", "caller": caller, "prefix": "orders", "operations": operations});
    operator.done("/v1/ark/access", &change);
}

const PLAIN: &str = "c2VjcmV0LW1hcmtlci02MjIyMDIx";

#[test]
fn callers_are_known_by_the_names_in_their_certificates() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["operator", "shop", "stranger"]);
    let mut server = KeyServer::start(&authority, &[]);
    let [operator, shop, stranger] = ["operator", "shop", "stranger"].map(|name| Caller::of(&server, &authority, name));
    assert_eq!(operator.get("/v1/ark/status").1["made"], false);
    refused(operator.get("/health/ready"), 409, "ark_not_made");
    let shares = ceremony(&server.data());
    refused(operator.get("/health/ready"), 503, "sealed");
    let bring = |share: &str| stranger.done("/v1/ark/unseal", &json!({"share": share}));
    assert_eq!(bring(&shares[2])["sealed"], true, "one share is too few");
    refused(operator.post("/v1/ark/encrypt/orders", &json!({"plaintext": PLAIN})), 503, "sealed");
    assert_eq!(bring(&shares[0])["sealed"], false);
    assert_eq!(operator.get("/health/ready"), (200, json!({"status": "ready"})));

    operator.done("/v1/ark/keys", &json!({"name": "orders", "kind": "sm4", "purpose": "encrypt"}));
    allow(&operator, "shop", &["encrypt", "decrypt"]);
    let sealed = shop.done("/v1/ark/encrypt/orders", &json!({"plaintext": PLAIN}));
    let open = json!({"ciphertext": sealed["ciphertext"]});
    assert_eq!(shop.done("/v1/ark/decrypt/orders", &open)["plaintext"], PLAIN);
    for other in [&stranger, &operator] {
        refused(other.post("/v1/ark/decrypt/orders", &open), 403, "not_permitted");
    }
    let another = json!({"name": "x", "kind": "sm4", "purpose": "encrypt"});
    refused(shop.post("/v1/ark/keys", &another), 403, "not_permitted");
    refused(
        shop.post("/v1/ark/access", &json!({"action": "forbid", "caller": "shop", "prefix": "orders"})),
        403,
        "ark_approval_required",
    );
    refused(shop.get("/v1/accounts"), 404, "route_unknown");

    let trail = operator.get("/v1/ark/audit?limit=1000").1;
    let records = trail["data"].as_array().unwrap();
    for (caller, operation, outcome) in [
        ("shop", "encrypt", "ok"),
        ("stranger", "decrypt", "not_permitted"),
        ("stranger", "unseal", "ok"),
        ("operator", "create", "ok"),
    ] {
        let is_it = |record: &&Value| {
            record["caller"] == caller && record["operation"] == operation && record["outcome"] == outcome
        };
        assert!(records.iter().any(|record| is_it(&record)), "{caller} {operation} {outcome}: {trail}");
    }
    assert!(server.stop().success());
    let log = server.log();
    for secret in shares.iter().map(String::as_str).chain([PLAIN, "secret-marker-6222021"]) {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn only_who_has_a_certificate_of_the_ca_comes_in() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    authority.issue_all(&["operator"]);
    authority.issue("nameless", "/O=Test").issue("two", "/CN=shop/CN=operator").issue("long", "/CN=a b");
    other.issue_all(&["operator"]);
    let server = KeyServer::start(&authority, &[]);
    let url = server.url();
    let asks = |shown, trusted| Caller::new(&url, shown, trusted).try_ask("/health/live", None);
    assert_eq!(asks(Some((&authority, "operator")), &authority).unwrap().0, 200);
    for (shown, trusted) in [
        (None, &authority),
        (Some((&other, "operator")), &authority),
        (Some((&authority, "nameless")), &authority),
        (Some((&authority, "two")), &authority),
        (Some((&authority, "long")), &authority),
        // The caller's own refusal: this is not the server that its CA knows.
        (Some((&authority, "operator")), &other),
    ] {
        let who = shown.map(|(_, name)| name);
        assert!(asks(shown, trusted).is_err(), "{who:?} came in");
    }
    // Nor does who speaks no TLS.
    let plain = exchange(server.address(), "GET", "/health/live", &[], b"");
    assert!(plain.map_or(true, |answer| answer.status != 200));
    // One that says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(server.address()).unwrap();
    assert_eq!(asks(Some((&authority, "operator")), &authority).unwrap().0, 200);
}

#[test]
fn two_people_are_two_certificates() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["operator", "alice", "bob"]);
    let server = opened(&authority);
    let [operator, alice, bob] = ["operator", "alice", "bob"].map(|name| Caller::of(&server, &authority, name));
    for (caller, role) in [("alice", "operator"), ("alice", "administrator"), ("bob", "administrator")] {
        operator.done("/v1/ark/access", &json!({"action": "grant", "caller": caller, "role": role}));
    }
    let key = json!({"name": "old", "kind": "sm4", "purpose": "encrypt", "destroy_wait_ms": 0});
    alice.done("/v1/ark/keys", &key);
    alice.done("/v1/ark/keys/old/step", &json!({"version": 1, "step": "deactivate"}));
    let wanted = json!({"operation": "destroy", "key": "old", "version": 1});
    refused(operator.post("/v1/ark/approvals", &wanted), 403, "not_permitted");
    let asked = alice.done("/v1/ark/approvals?reason=over", &wanted)["id"].clone();
    let decide = format!("/v1/ark/approvals/{asked}/decide");
    refused(alice.post(&decide, &json!({"approve": true})), 409, "ark_approval_state");
    refused(operator.post(&decide, &json!({"approve": true})), 403, "not_permitted");
    assert_eq!(bob.done(&decide, &json!({"approve": true}))["decided_by"], "bob");
    let step = json!({"version": 1, "step": "schedule-destruction"});
    let target = format!("/v1/ark/keys/old/step?approval={asked}");
    refused(bob.post(&target, &step), 403, "not_permitted");
    let scheduled = alice.done(&target, &step);
    assert!(scheduled["versions"][0]["destroy_at"].is_string(), "{scheduled}");
}

#[test]
fn the_command_line_asks_it_and_a_stop_seals_it() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["operator", "custodian"]);
    let mut server = KeyServer::start(&authority, &[]);
    let shares = ceremony(&server.data());
    let file = |name: &str, content: &str| {
        let path = server.data().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |who: &str, arguments: &[&str]| {
        let output = server.lintel(&authority, who, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for share in &shares[..2] {
        run("custodian", &["unseal", "--in", &file("share", share)]);
    }
    run("operator", &["keys", "create", "orders"]);
    run("operator", &["access", "allow", "operator", "--prefix", "orders", "encrypt", "decrypt"]);
    let sealed = run("operator", &["encrypt", "orders", "--in", &file("plain", "秘密")]);
    assert_eq!(run("operator", &["decrypt", "orders", "--in", &file("sealed", &sealed)]), "秘密");
    let status: Value = serde_json::from_str(&run("operator", &["status", "--json"])).unwrap();
    let public = text(&status, "/audit_public_key");
    let denied = server.lintel(&authority, "custodian", &["keys", "list"]);
    assert!(!denied.status.success() && String::from_utf8_lossy(&denied.stderr).contains("not_permitted"));

    // What was used in the last second is in the trail all the same.
    assert!(server.stop().success());
    let keys = server.data().join("keys.db");
    let verified =
        lintel(&server.data(), &["ark", "audit", "verify", "--file", keys.to_str().unwrap(), "--public-key", &public]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    server.start_again();
    let operator = Caller::of(&server, &authority, "operator");
    refused(operator.get("/v1/ark/keys"), 503, "sealed");
    for share in &shares[1..] {
        operator.done("/v1/ark/unseal", &json!({"share": share}));
    }
    let trail = operator.get("/v1/ark/audit?limit=1000").1.to_string();
    assert!(trail.contains("decrypt") && trail.contains("\"seal\""), "{trail}");
}

#[test]
fn without_certificates_it_serves_this_machine_alone_and_only_if_told_to() {
    let directory = tempfile::TempDir::new().unwrap();
    let says = |arguments: &[&str]| {
        let output = lintel(directory.path(), &[&["ark", "serve"], arguments].concat());
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(says(&[]).contains("--insecure-loopback"));
    assert!(says(&["--insecure-loopback", "--listen", "0.0.0.0:0"]).contains("loopback address"));
    assert!(says(&["--set", "ark.serve.certificate=/nowhere.pem"]).contains("certificate_key"));
    let missing = says(&["--cert", "/nowhere.pem", "--cert-key", "/nowhere.key", "--ca", "/nowhere-ca.pem"]);
    assert!(missing.contains("/nowhere-ca.pem"), "{missing}");
    assert!(!Path::new(&directory.path().join("keys.db")).exists());

    let arguments = ["--insecure-loopback", "--set", "ark.unseal=file"].map(str::to_owned).to_vec();
    let server = KeyServer::start_in(tempfile::TempDir::new().unwrap(), arguments, Vec::new());
    assert!(server.log().contains("believed who they say they are"));
    let ask =
        |name: &str, target: &str| exchange(server.address(), "GET", target, &[("lintel-caller", name)], b"").unwrap();
    assert_eq!(ask("operator", "/v1/ark/keys").status, 200);
    assert_eq!(ask("shop", "/v1/ark/keys").error().1, "not_permitted");
    assert_eq!(ask("a b", "/v1/ark/keys").error().1, "caller_malformed");
    let unnamed = exchange(server.address(), "GET", "/v1/ark/keys", &[], b"").unwrap();
    assert_eq!(unnamed.error().1, "caller_malformed");
    let url = format!("http://{}", server.address());
    let listed = lintel(directory.path(), &["ark", "keys", "list", "--unsigned", "--url", &url]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
}

/// `issue-key` of a platform whose keys are in such a process: by a policy there, which people give once.
#[test]
fn a_platform_has_master_keys_issued_to_its_terminals() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["operator", "platform"]);
    let keys = opened(&authority);
    let operator = Caller::of(&keys, &authority, "operator");
    let change = |change: Value| operator.done("/v1/ark/access", &change);
    let allow = |prefix: &str, operations: &[&str]| {
        change(json!({"action": "allow", "caller": "platform", "prefix": prefix, "operations": operations}))
    };
    change(json!({"action": "grant", "caller": "platform", "role": "operator"}));
    allow("platform/", &["encrypt", "decrypt", "hmac", "verify-hmac", "sign", "verify"]);
    let settings = [
        format!("ark.remote.url={}", keys.url()),
        format!("ark.remote.certificate={}", authority.path("platform.pem")),
        format!("ark.remote.certificate_key={}", authority.path("platform.key")),
        format!("ark.remote.ca={}", authority.path("ca.pem")),
    ];
    let server = Server::start_by_keys_elsewhere(&settings.each_ref().map(String::as_str));
    let programs = server.operator();
    programs.post("/v1/terminals", &json!({"serial": "N900-0042117", "model": "N900"})).ok();
    let own = ark::Soft::new().unwrap();
    let pair = own.generate(KeyKind::Sm2).unwrap();
    let point = hex::encode(own.public_key(pair).unwrap().bytes);
    programs.post("/v1/terminals/trm_1/public-key", &json!({"public_key": point})).ok();
    let refused = server.lintel(&["terminal", "issue-key", "trm_1"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("terminal-issue"), "{told}");
    assert_eq!(programs.get("/v1/terminals/trm_1").ok()["key"], Value::Null);

    allow("terminal/", &["terminal-issue"]);
    let issued = server.lintel(&["terminal", "issue-key", "trm_1", "--json"]);
    let issued: Value = serde_json::from_slice(&issued.stdout).unwrap();
    let encrypted = hex::decode(text(&issued, "/issued/encrypted")).unwrap();
    assert_eq!(own.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &encrypted).unwrap().len(), 16);
    let key = operator.get("/v1/ark/keys/terminal%2F1%2Fmaster").1;
    assert_eq!(text(&key, "/versions/0/check_value").to_uppercase(), text(&issued, "/key/check_value"));
    let trail = operator.get("/v1/ark/audit?limit=1000").1;
    let records = trail["data"].as_array().unwrap();
    for outcome in ["not_permitted", "ok"] {
        let is_it = |record: &Value| {
            record["operation"] == "terminal-issue"
                && record["caller"] == "platform"
                && record["reason"].as_str().is_some_and(|why| why.starts_with("terminal key, asked for by "))
                && record["outcome"] == outcome
        };
        assert!(records.iter().any(is_it), "{outcome}: {trail}");
    }
}
