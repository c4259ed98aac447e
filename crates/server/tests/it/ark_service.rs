//! The key service as its callers meet it: a ceremony, keys, policies, what takes two people, the trail, the command line;
//! and that no secret comes out by an answer or the log, whatever is sent.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client};
use crate::open::text;
use crate::server::{Custodians, Server};
use crate::staff::{Person, client_of};

/// Open at once, as for development.
pub(crate) fn open() -> Server {
    Server::start_with(&["ark.unseal=file"])
}

pub(crate) fn allow(programs: &Client, prefix: &str, operations: &[&str]) {
    let change = json!({"action": "allow", "caller": "operator", "prefix": prefix, "operations": operations});
    programs.post("/v1/ark/access", &change).ok();
}

pub(crate) fn make(programs: &Client, name: &str, kind: &str, purpose: &str) -> Value {
    programs.post("/v1/ark/keys", &json!({"name": name, "kind": kind, "purpose": purpose})).ok()
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    let (found, name, _) = answer.error();
    assert_eq!((found, name.as_str()), (status, code), "{}", answer.text());
}

/// Two people who administer the key service, one of whom makes keys too.
pub(crate) fn administrators(server: &Server) -> [Person; 2] {
    let programs = server.operator();
    for login in ["admin.one", "admin.two"] {
        programs.post("/v1/operators", &json!({"login": login, "roles": ["administrator"]})).ok();
    }
    let people = ["opr_1", "opr_2"].map(|id| Person::enrol(server, id));
    for (caller, role) in [("opr_1", "operator"), ("opr_1", "administrator"), ("opr_2", "administrator")] {
        programs.post("/v1/ark/access", &json!({"action": "grant", "caller": caller, "role": role})).ok();
    }
    people
}

pub(crate) fn decide(person: &Person, approval: &Value, approve: bool, code: &str) -> Answer {
    let target = format!("/v1/ark/approvals/{approval}/decide");
    person.client.post(&target, &json!({"approve": approve, "totp": code}))
}

#[test]
fn custodians_open_it_and_a_restart_seals_it() {
    let directory = TempDir::new().unwrap();
    let custodians = Custodians::deal(directory.path());
    let shares = &custodians.shares;
    let mut server = Server::start_sealed(directory, &custodians);
    server.unseal(&shares[..2]);
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    allow(&programs, "orders", &["encrypt", "decrypt"]);
    let sealed = text(&programs.post("/v1/ark/encrypt/orders", &json!({"plaintext": "c2VjcmV0"})).ok(), "/ciphertext");

    assert!(server.stop().success());
    server.start_again();
    let programs = server.operator();
    let decrypt = json!({"ciphertext": sealed});
    refused(&programs.post("/v1/ark/decrypt/orders", &decrypt), 503, "sealed");
    let bring = |share: &str| programs.post("/v1/ark/unseal", &json!({"share": share}));
    refused(&bring("ark-share-1-nonsense"), 400, "share_form");
    let mut mistyped = shares[2].clone();
    mistyped.replace_range(40..41, if mistyped.as_bytes()[40] == b'0' { "1" } else { "0" });
    refused(&bring(&mistyped), 400, "share_mistyped");
    assert_eq!(bring(&shares[2]).ok()["sealed"], true);
    refused(&bring(&shares[2]), 422, "share_duplicate");
    let anew = programs.post("/v1/ark/unseal", &json!({"share": shares[2], "forget": true})).ok();
    assert_eq!((&anew["found"], &anew["sealed"]), (&json!(1), &json!(true)), "those before are forgotten");
    server.unseal(&shares[1..2]);
    assert_eq!(bring(&shares[0]).ok()["sealed"], false, "open, a share is not looked at");
    assert_eq!(text(&programs.post("/v1/ark/decrypt/orders", &decrypt).ok(), "/plaintext"), "c2VjcmV0");
    let trail = programs.get("/v1/ark/audit?limit=1000").text();
    assert!(trail.contains("share_duplicate") && trail.contains("forget-shares"), "{trail}");

    programs.post("/v1/ark/seal?reason=drill", &json!({})).ok();
    refused(&programs.post("/v1/ark/decrypt/orders", &decrypt), 503, "sealed");
    for share in shares {
        assert!(!server.log().contains(share.as_str()), "a share is in the log");
    }
}

#[test]
fn every_operation_alone_and_in_a_batch() {
    let server = open();
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    make(&programs, "gateway", "sm2", "sign");
    make(&programs, "notices", "hmac-sm3", "mac");
    refused(&programs.post("/v1/ark/encrypt/orders", &json!({"plaintext": "AA=="})), 403, "not_permitted");
    allow(
        &programs,
        "",
        &["encrypt", "decrypt", "rewrap", "datakey", "sign", "verify", "hmac", "verify-hmac", "random"],
    );

    let context = json!({"merchant": "7"});
    let plain = json!({"plaintext": "c2VjcmV0", "context": context});
    let sealed = text(&programs.post("/v1/ark/encrypt/orders", &plain).ok(), "/ciphertext");
    assert!(sealed.starts_with("ark:v1:"), "{sealed}");
    programs.post("/v1/ark/keys/orders/rotate?reason=yearly", &json!({})).ok();
    let old = json!({"ciphertext": sealed, "context": context});
    let moved = text(&programs.post("/v1/ark/rewrap/orders", &old).ok(), "/ciphertext");
    assert!(moved.starts_with("ark:v2:"), "{moved}");
    let wrong = json!({"ciphertext": moved, "context": {"merchant": "8"}});
    refused(&programs.post("/v1/ark/decrypt/orders", &wrong), 422, "decryption_failed");
    let batch =
        json!({"batch": [{"ciphertext": moved, "context": context}, wrong, old, {"ciphertext": "ark:v1:AAAA"}]});
    let opened = programs.post("/v1/ark/decrypt/orders", &batch).ok();
    assert_eq!(
        opened["batch"],
        json!([
            {"plaintext": "c2VjcmV0"},
            {"error": {"code": "decryption_failed"}},
            {"plaintext": "c2VjcmV0"},
            {"error": {"code": "decryption_failed"}},
        ])
    );
    let made = programs.post("/v1/ark/datakey/orders", &json!({"bytes": 32})).ok();
    let again = programs.post("/v1/ark/decrypt/orders", &json!({"ciphertext": made["ciphertext"]})).ok();
    assert_eq!(again["plaintext"], made["plaintext"]);

    for (sign, verify, name, key) in
        [("sign", "verify", "signature", "gateway"), ("hmac", "verify-hmac", "tag", "notices")]
    {
        let message = json!({"message": "bWVzc2FnZQ=="});
        let batch = programs.post(&format!("/v1/ark/{sign}/{key}"), &json!({"batch": [message, message]})).ok();
        let value = text(&batch, &format!("/batch/1/{name}"));
        let check = |message: &str| {
            let body = json!({"message": message, name: value});
            programs.post(&format!("/v1/ark/{verify}/{key}"), &body).ok()["valid"].clone()
        };
        assert_eq!((check("bWVzc2FnZQ=="), check("AAAA")), (json!(true), json!(false)), "{verify}");
    }
    assert_eq!(text(&programs.post("/v1/ark/random", &json!({"bytes": 3})).ok(), "/random").len(), 4);
}

#[test]
fn bounds_states_and_uses_are_refused_by_name() {
    let server = open();
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    make(&programs, "gateway", "sm2", "sign");
    allow(&programs, "", &["encrypt", "decrypt", "sign", "random"]);
    let encrypt = |body: &Value| programs.post("/v1/ark/encrypt/orders", body);
    let value = |bytes: usize| json!({"plaintext": "A".repeat(bytes / 3 * 4)});
    encrypt(&value(1 << 20)).ok();
    refused(&encrypt(&value((1 << 20) + 3)), 413, "too_large");
    let many = vec![json!({"plaintext": "AA=="}); 1_001];
    refused(&encrypt(&json!({"batch": many})), 413, "batch_too_large");
    refused(&encrypt(&json!({"plaintext": "not base64"})), 400, "field_malformed");
    refused(&encrypt(&json!({"plaintext": "AA==", "secret": "x"})), 400, "field_unknown");
    refused(&encrypt(&json!({})), 400, "field_missing");
    refused(&programs.post("/v1/ark/random", &json!({"bytes": 65_537})), 413, "too_large");
    refused(&programs.post("/v1/ark/encrypt/gateway", &json!({"plaintext": "AA=="})), 409, "key_usage");
    refused(&programs.post("/v1/ark/encrypt/nothing", &json!({"plaintext": "AA=="})), 404, "key_not_found");
    refused(
        &programs.post("/v1/ark/keys", &json!({"name": "orders", "kind": "sm4", "purpose": "encrypt"})),
        409,
        "key_exists",
    );
    refused(
        &programs.post("/v1/ark/keys", &json!({"name": "x", "kind": "sm2", "purpose": "encrypt"})),
        422,
        "key_kind",
    );
    let step = |step: &str| programs.post("/v1/ark/keys/orders/step", &json!({"version": 1, "step": step}));
    step("suspend").ok();
    refused(&encrypt(&json!({"plaintext": "AA=="})), 409, "key_state");
    refused(&step("activate"), 409, "key_state");
    refused(&step("schedule-destruction"), 403, "ark_approval_required");
    refused(&step("destroy"), 400, "field_malformed");
    let key = json!({"version": 1, "under": "orders"});
    refused(&programs.post("/v1/ark/keys/orders/export", &key), 403, "ark_approval_required");
}

#[test]
fn what_is_dangerous_takes_two_people() {
    let mut server = open();
    let programs = server.operator();
    let [one, two] = administrators(&server);
    let grant = json!({"action": "grant", "caller": "opr_1", "role": "auditor"});
    refused(&programs.post("/v1/ark/access", &grant), 403, "ark_approval_required");
    one.client
        .post("/v1/ark/keys", &json!({"name": "old", "kind": "sm4", "purpose": "encrypt", "destroy_wait_ms": 0}))
        .ok();
    one.client.post("/v1/ark/keys/old/step", &json!({"version": 1, "step": "deactivate"})).ok();

    let wanted = json!({"operation": "destroy", "key": "old", "version": 1});
    refused(&programs.post("/v1/ark/approvals", &wanted), 403, "not_permitted");
    let asked = one.client.post("/v1/ark/approvals?reason=no%20longer%20needed", &wanted).ok()["id"].clone();
    let destroy = || {
        let target = format!("/v1/ark/keys/old/step?approval={asked}");
        one.client.post(&target, &json!({"version": 1, "step": "schedule-destruction"}))
    };
    refused(&destroy(), 409, "ark_approval_state");
    refused(&decide(&one, &asked, true, &one.code()), 409, "ark_approval_state");
    refused(&decide(&two, &asked, true, &two.wrong_code()), 401, "totp_wrong");
    let by_programs =
        programs.post(&format!("/v1/ark/approvals/{asked}/decide"), &json!({"approve": true, "totp": "1"}));
    refused(&by_programs, 403, "not_permitted");
    assert_eq!(decide(&two, &asked, true, &two.code()).ok()["state"], "approved");
    let again = one.client.post("/v1/ark/approvals", &json!({"operation": "compromised", "key": "old"}));
    refused(&again, 403, "not_permitted");
    let more = one.client.post("/v1/ark/approvals", &json!({"operation": "destroy", "key": "old", "version": 2})).ok();
    refused(&decide(&two, &more["id"], true, &two.code_again()), 422, "totp_replayed");
    let scheduled = destroy().ok();
    assert!(scheduled["versions"][0]["destroy_at"].is_string(), "{scheduled}");
    refused(&destroy(), 409, "ark_approval_state");

    let trail = programs.get("/v1/ark/audit?limit=1000").ok();
    let records = trail["data"].as_array().unwrap();
    for (caller, operation, outcome) in [
        ("operator", "change-access", "ark_approval_required"),
        ("opr_1", "propose", "ok"),
        ("opr_1", "approve", "ark_approval_state"),
        ("operator", "approve", "not_permitted"),
        ("opr_2", "approve", "totp_wrong"),
        ("opr_2", "approve", "ok"),
        ("opr_2", "approve", "totp_replayed"),
        ("opr_1", "use-approval", "ok"),
        ("opr_1", "schedule-destruction", "ok"),
    ] {
        let is_it = |record: &&Value| {
            record["caller"] == caller && record["operation"] == operation && record["outcome"] == outcome
        };
        assert!(records.iter().any(|record| is_it(&record)), "{caller} {operation} {outcome}: {trail}");
    }
    let public = text(&programs.get("/v1/ark/status").ok(), "/audit_public_key");
    let verified = programs.post("/v1/ark/audit/verify", &json!({"public_key": public})).ok();
    assert!(verified["records"].as_i64() >= Some(records.len() as i64), "{verified}");

    assert!(server.stop().success());
    server.start_again();
    let target = format!("/v1/ark/approvals/{}/decide", more["id"]);
    let body = json!({"approve": true, "totp": two.code_again()});
    refused(&client_of(&server, "opr_2").post(&target, &body), 422, "totp_replayed");
}

#[test]
fn the_command_line_does_it_all() {
    let server = Server::start();
    let file = |name: &str, content: &str| {
        let path = server.directory().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |arguments: &[&str]| {
        let output = server.lintel(&[&["ark"][..], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["keys", "create", "orders", "--kind", "sm4", "--purpose", "encrypt"]);
    run(&["access", "allow", "operator", "--prefix", "orders", "encrypt", "decrypt"]);
    let sealed = run(&["encrypt", "orders", "--context", "merchant=7", "--in", &file("plain", "秘密")]);
    let opened = run(&["decrypt", "orders", "--context", "merchant=7", "--in", &file("sealed", &sealed)]);
    assert_eq!(opened, "秘密");
    assert!(run(&["keys", "list"]).contains("orders"));
    run(&["keys", "create", "brief", "--destroy-wait-ms", "1000"]);
    let shown: Value = serde_json::from_str(&run(&["keys", "show", "brief", "--json"])).unwrap();
    assert_eq!(shown["destroy_wait_ms"], 1_000);
    run(&["access", "allow", "operator", "--prefix", "brief", "datakey", "decrypt"]);
    let made: Value = serde_json::from_str(&run(&["datakey", "brief", "--context", "merchant=7", "--json"])).unwrap();
    let wrapped = file("wrapped", &text(&made, "/ciphertext"));
    let bound = run(&["decrypt", "brief", "--context", "merchant=7", "--in", &wrapped, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&bound).unwrap()["plaintext"], made["plaintext"]);
    let status: Value = serde_json::from_str(&run(&["status", "--json"])).unwrap();
    let public = text(&status, "/audit_public_key");
    let copy = server.directory().join("copy.db").to_str().unwrap().to_owned();
    run(&["backup", &copy]);
    let no_backup = |file: &str| {
        let output = server.lintel(&["ark", "backup", file]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = no_backup(&copy);
    assert!(said.contains("not written over"), "{said}");
    assert!(run(&["audit", "verify", "--file", &copy, "--public-key", &public]).contains("records"));
    assert!(run(&["audit", "list"]).contains("encrypt"));
    let refused = server.lintel(&["ark", "audit", "verify", "--file", &copy]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--public-key"));
    let tested: Value = serde_json::from_str(&run(&["self-test", "--randomness", "--json"])).unwrap();
    assert_eq!((&tested["good"], &tested["failed"]), (&json!(true), &json!([])), "{tested}");
    assert!(tested["randomness"].as_array().unwrap().len() >= 15, "{tested}");
    assert!(run(&["self-test"]).contains("good"));
    run(&["seal"]);
    let status: Value = serde_json::from_str(&run(&["status", "--json"])).unwrap();
    assert_eq!(status["sealed"], true);
    // A copy that did not come leaves no empty file in its place.
    let late = server.directory().join("late.db");
    let said = no_backup(late.to_str().unwrap());
    assert!(!late.exists(), "{said}");
}

#[test]
fn in_approved_mode_others_than_national_keys_are_refused() {
    let server = Server::start_with(&["ark.mode=approved"]);
    let programs = server.operator();
    allow(&programs, "", &["encrypt"]);
    assert_eq!(programs.get("/v1/ark/status").ok()["mode"], "approved");
    assert_eq!(make(&programs, "national", "sm4", "encrypt")["approved"], true);
    programs.post("/v1/ark/encrypt/national", &json!({"plaintext": "AA=="})).ok();
    let foreign = json!({"name": "foreign", "kind": "aes-256", "purpose": "encrypt"});
    refused(&programs.post("/v1/ark/keys", &foreign), 409, "not_approved");
}

/// Xorshift: the same requests in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Requests of the test below, unless `LINTEL_ARK_REQUESTS` says otherwise.
const TURNS: usize = 10_000;
/// A secret that is sent, as base64 and as it is; nothing may give it back but the operation that is asked for it, which
/// no policy here allows.
const SECRET: &str = "c2VjcmV0LW1hcmtlci02MjIyMDIxMjM0NTY3ODkw";
const SECRET_CLEAR: &str = "secret-marker-6222021234567890";

/// A track and a component that are sent; the track's rest and the component are in no answer, and neither is in a file.
const TRACK: &str = "6222021234567890128D30122017731000042";
const TRACK_REST: &str = "D30122017731000042";
const COMPONENT: &str = "Y29tcG9uZW50LW1hcmtlcg==";

/// Every endpoint of the key service: its path, and whether it is POSTed.
fn endpoints(programs: &Client) -> Vec<(String, bool)> {
    let document = programs.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/ark/"));
    let all = paths.flat_map(|(path, item)| {
        // The last segment says what kind of key it takes.
        let name = match path.rsplit('/').nth(1).unwrap_or_default() {
            "mac" | "verify-mac" => "mak",
            "encrypt-track" => "tdk",
            "component" => "begun",
            _ => "orders",
        };
        let path = path.replace("{name}", name).replace("{id}", "1");
        let methods = [("post", true), ("get", false)].into_iter().filter(|(method, _)| item.get(*method).is_some());
        methods.map(move |(_, posts)| (path.clone(), posts)).collect::<Vec<_>>()
    });
    all.collect()
}

fn bodies() -> Vec<String> {
    let all = [
        json!({"plaintext": SECRET, "context": {"merchant": "7"}}),
        json!({"batch": [{"plaintext": SECRET}, {"plaintext": SECRET_CLEAR}]}),
        json!({"message": SECRET}),
        json!({"message": SECRET, "signature": SECRET, "tag": SECRET}),
        json!({"ciphertext": SECRET_CLEAR}),
        json!({"ciphertext": format!("ark:v1:{SECRET}")}),
        json!({"bytes": 32}),
        json!({"share": SECRET_CLEAR}),
        json!({"share": SECRET_CLEAR, "forget": true}),
        json!({"name": "made", "kind": SECRET_CLEAR, "purpose": "encrypt"}),
        json!({"name": "made", "kind": "hmac-sm3", "purpose": "mac"}),
        json!({"key": {"name": "x", "kind": "sm4", "purpose": "wrap"}, "wrapped": SECRET, "under": "orders"}),
        json!({"key": {"name": "y", "kind": "hmac-sm3", "purpose": "mac"}, "secret": SECRET}),
        json!({"plaintext": 7, "bytes": SECRET_CLEAR}),
        json!({"version": SECRET, "step": 1}),
        json!({"version": 1, "step": SECRET_CLEAR}),
        json!({"version": 1, "under": "orders"}),
        json!({"approve": true, "totp": SECRET_CLEAR}),
        json!({"operation": "destroy", "key": "orders", "version": 1}),
        json!({"action": "grant", "caller": "operator", "role": SECRET_CLEAR}),
        json!({"shares": 3, "threshold": SECRET_CLEAR}),
        json!({"public_key": SECRET}),
        json!({SECRET_CLEAR: SECRET}),
        json!([SECRET]),
    ];
    let all = [all.as_slice(), &financial_bodies()].concat();
    all.iter().map(Value::to_string).collect()
}

fn financial_bodies() -> Vec<Value> {
    let key = |name: &str, purpose: &str| json!({"name": name, "kind": "sm4", "purpose": purpose});
    let side = |key: &str| json!({"key": key, "card_number": "6222021234567890128"});
    let track = |key: &str| json!({"key": key, "form": "whole"});
    vec![
        json!({"key": key("made2", "terminal-pin")}),
        json!({"key": key("pik", "terminal-pin"), "next_version": true}),
        json!({"key": key("begun", "terminal-master"), "components": 2}),
        json!({"component": COMPONENT}),
        json!({"key": key("x", "terminal-pin"), "encrypted": SECRET, "check_value": SECRET_CLEAR, "under": "tmk"}),
        json!({"key": key("x", "terminal-pin"), "encrypted": COMPONENT, "check_value": "00112233", "under": "tmk"}),
        json!({"key": key("y", "terminal-pin"), "from": "tmk", "factor": "AAAAAAAAAAA="}),
        json!({"key": "pik", "under": "tmk"}),
        json!({"key": "mak", "version": 1}),
        json!({"from": side("pik"), "to": side("zpk"), "block": COMPONENT}),
        json!({"batch": [{"from": side("pik"), "to": side("zpk"), "block": SECRET}, {"from": side("mak")}]}),
        json!({"form": "ecb", "message": SECRET}),
        json!({"form": "cmac", "message": SECRET, "mac": SECRET}),
        json!({"form": "whole", "track": "2", "text": TRACK}),
        json!({"form": "whole", "track": "2", "text": SECRET_CLEAR}),
        json!({"form": SECRET_CLEAR, "track": TRACK, "text": TRACK}),
        json!({"from": track("tdk"), "to": track("zdk"), "track": "2", "text": TRACK}),
        json!({"from": track("zdk"), "to": track("zdk"), "track": "2", "text": "00112233445566778899AABBCCDDEEFF"}),
    ]
}

/// Sends so many requests to endpoints at random, bodies altered: none breaks the platform or shows a secret.
fn assail(clients: &[&Client], random: &mut Random, turns: usize) {
    let (targets, bodies) = (endpoints(clients[0]), bodies());
    assert!(targets.len() > 40, "{targets:?}");
    for turn in 0..turns {
        // Sealing would leave nothing to be tried.
        let (target, posts) = random.of(&targets);
        if target.ends_with("/seal") {
            continue;
        }
        let mut body = random.of(&bodies).clone().into_bytes();
        for _ in 0..random.below(3) {
            // Structure only: an altered secret would not be recognised.
            let places: Vec<usize> = (0..body.len()).filter(|at| b"{}[]:,\"".contains(&body[*at])).collect();
            body[*random.of(&places)] = *random.of(b"{}[]:,\" 0\xff");
        }
        let client = random.of(clients);
        let answer = if *posts { client.send("POST", target, &[], &body) } else { client.get(target) };
        let said = answer.text();
        assert!(answer.status < 500 || answer.status == 503, "turn {turn}, {target}: {said}");
        for secret in [SECRET, SECRET_CLEAR, TRACK_REST, COMPONENT] {
            assert!(!said.contains(secret), "turn {turn}, {target}: {said}");
        }
    }
}

/// Every file below a directory that holds one of the texts.
fn holding(directory: &Path, texts: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
        } else if let Ok(bytes) = fs::read(&path) {
            let content = latin(&bytes);
            found.extend(texts.iter().any(|text| content.contains(text.as_str())).then_some(path));
        }
    }
    found
}

/// A letter for each byte.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn whatever_is_sent_there_is_no_panic_and_no_secret_comes_out() {
    let mut server = open();
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    for (name, purpose) in [
        ("tmk", "terminal-master"),
        ("pik", "terminal-pin"),
        ("zpk", "zone-pin"),
        ("mak", "terminal-mac"),
        ("tdk", "terminal-track"),
        ("zdk", "zone-track"),
    ] {
        make(&programs, name, "sm4", purpose);
    }
    let operations = ark::keys::OPERATIONS.into_iter().filter(|operation| *operation != "decrypt");
    allow(&programs, "", &operations.collect::<Vec<_>>());
    let [one, _] = administrators(&server);
    let (clients, mut random) = ([&programs, &one.client], Random(20_261_127));
    let turns = std::env::var("LINTEL_ARK_REQUESTS").map_or(TURNS, |turns| turns.parse().unwrap());
    let data_key = || text(&programs.post("/v1/ark/datakey/orders", &json!({"bytes": 32})).ok(), "/plaintext");
    let data_keys: Vec<String> = (0..3).map(|_| data_key()).collect();
    assail(&clients, &mut random, turns);
    programs.post("/v1/ark/seal", &json!({})).ok();
    assail(&clients, &mut random, turns / 10);
    assert!(server.stop().success());
    let raw = data_keys.iter().map(|key| latin(&BASE64_STANDARD.decode(key).unwrap()));
    let sent = [SECRET, SECRET_CLEAR, TRACK, TRACK_REST, COMPONENT, "6222021234567890128", "panicked"];
    let texts: Vec<String> = raw.chain(sent.map(str::to_owned)).collect();
    let texts = [texts, data_keys.clone()].concat();
    assert_eq!(holding(server.directory(), &texts), Vec::<PathBuf>::new(), "a secret or a panic in a file or the log");
}
