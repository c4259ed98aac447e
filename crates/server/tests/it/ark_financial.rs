//! Keys of terminals and zones as callers meet them: the vectors over HTTP and by the command line, who may, and what two
//! people do.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::ark_service::{allow, make, open, refused};
use crate::client::{Answer, Client};
use crate::open::text;
use crate::server::Server;
use crate::staff::client_of;

const TMK: &str = "CA5D92598DCA48CE8A4C76361A9269E9";
/// What a sign-in answer brings: PIN key, its check value, MAC key of single length, zeros, its check value.
const SIGN_IN: &str = "6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA";
const SM4_PIK: &str = "F351D490994603795C6EBEE8FAEBB481";
const SM4_MAK: &str = "0123456789ABCDEFFEDCBA9876543210";
const CARD: &str = "6230606601007726888";
const TRACK: &str = "6230606601007726888D30122010000012345";
/// What a custodian brings first, here: the other brings the key added to it.
const ONE: [u8; 16] = [0x5a; 16];

fn base64_of(hexadecimal: &str) -> String {
    BASE64_STANDARD.encode(hex::decode(hexadecimal).unwrap())
}

fn hex_of(answer: &Value, pointer: &str) -> String {
    hex::encode_upper(BASE64_STANDARD.decode(text(answer, pointer)).unwrap())
}

/// What the second custodian brings.
fn other(key: &str) -> Vec<u8> {
    hex::decode(key).unwrap().iter().zip(ONE).map(|(byte, one)| byte ^ one).collect()
}

fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.post(&format!("/v1/ark/financial/{path}"), body)
}

/// Two custodians beside the programs.
pub(crate) fn custodians(server: &Server) -> [Client; 2] {
    let programs = server.operator();
    [("opr_1", "custodian.one"), ("opr_2", "custodian.two")].map(|(id, login)| {
        programs.post("/v1/operators", &json!({"login": login, "roles": ["administrator"]})).ok();
        programs.post("/v1/ark/access", &json!({"action": "grant", "caller": id, "role": "custodian"})).ok();
        client_of(server, id)
    })
}

pub(crate) fn key(name: &str, kind: &str, purpose: &str) -> Value {
    json!({"name": name, "kind": kind, "purpose": purpose, "exportable": true})
}

/// A key whose bytes the test knows.
pub(crate) fn form(programs: &Client, custodians: &[Client; 2], new: &Value, bytes: &str) -> Value {
    let begun = post(programs, "form", &json!({"key": new, "components": 2})).ok();
    assert_eq!((&begun["found"], &begun["wanted"]), (&json!(0), &json!(2)));
    let second = other(bytes);
    let parts = [&ONE[..second.len()], second.as_slice()];
    let target = format!("component/{}", new["name"].as_str().unwrap().replace('/', "%2F"));
    let brought = [0, 1].map(|who| {
        let body = json!({"component": BASE64_STANDARD.encode(parts[who])});
        post(&custodians[who], &target, &body).ok()
    });
    assert!(brought[0]["key"].is_null(), "{}", brought[0]);
    brought[1]["key"].clone()
}

#[test]
fn a_sign_in_answer_over_http() {
    let server = open();
    let programs = server.operator();
    let custodians = custodians(&server);
    form(&programs, &custodians, &key("t1/tmk", "3des-2", "terminal-master"), TMK);
    let import = json!({
        "key": key("t1/pik", "3des-2", "terminal-pin"), "encrypted": base64_of(&SIGN_IN[..32]),
        "check_value": SIGN_IN[32..40], "under": "t1/tmk",
    });
    refused(&post(&programs, "import", &import), 403, "not_permitted");
    allow(&programs, "", &ark::keys::OPERATIONS);
    let made = post(&programs, "import", &import).ok();
    assert_eq!(text(&made, "/key/versions/0/check_value")[..8].to_uppercase(), SIGN_IN[32..40]);
    let mak = json!({
        "key": key("t1/mak", "des", "terminal-mac"), "encrypted": base64_of(&SIGN_IN[40..56]),
        "check_value": SIGN_IN[72..], "under": "t1/tmk",
    });
    let mut wrong = mak.clone();
    wrong["check_value"] = json!("00112233");
    let batch = post(&programs, "import", &json!({"batch": [wrong, mak, import]})).ok();
    let codes: Vec<_> = (0..3).map(|at| batch["batch"][at]["error"]["code"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["decryption_failed", "ok", "key_exists"]);
    let out = post(&programs, "export", &json!({"key": "t1/pik", "under": "t1/tmk"})).ok();
    assert_eq!(hex_of(&out, "/encrypted"), SIGN_IN[..32]);
    let asked = post(&programs, "check-value", &json!({"key": "t1/mak"})).ok();
    assert_eq!(text(&asked, "/check_value")[..8].to_uppercase(), SIGN_IN[72..]);

    make(&programs, "t2/root", "3des-2", "terminal-derive");
    let derive =
        json!({"key": key("t3/tmk", "3des-2", "terminal-master"), "from": "t2/root", "factor": "AAECAwQFBgc="});
    post(&programs, "derive", &derive).ok();
    refused(&post(&programs, "derive", &derive), 409, "key_exists");
}

#[test]
fn pins_macs_and_tracks_over_http() {
    let server = open();
    let programs = server.operator();
    let custodians = custodians(&server);
    allow(&programs, "", &ark::keys::OPERATIONS);
    let pik = form(&programs, &custodians, &key("t2/pik", "sm4", "terminal-pin"), SM4_PIK);
    assert_eq!(pik["purpose"], "terminal-pin");
    make(&programs, "net/zpk", "3des-2", "zone-pin");
    make(&programs, "net/zpk4", "sm4", "zone-pin");
    let side = |key: &str| json!({"key": key, "card_number": CARD});
    let block = json!(base64_of("CD01D6AD8F0A484C52A9364A0595AD60"));
    let translate = |from: &str, to: &str, block: &Value| {
        post(&programs, "translate-pin", &json!({"from": side(from), "to": side(to), "block": block}))
    };
    let at_zone = translate("t2/pik", "net/zpk", &block).ok();
    assert_eq!(hex_of(&at_zone, "/block").len(), 16);
    translate("net/zpk", "net/zpk4", &at_zone["block"]).ok();
    refused(&translate("net/zpk", "t2/pik", &at_zone["block"]), 409, "key_usage");
    let onto = json!({"key": "net/zpk", "card_number": "123456789012345678"});
    let onto = json!({"from": side("t2/pik"), "to": onto, "block": block});
    let elsewhere = post(&programs, "translate-pin", &onto).ok();
    assert_ne!(elsewhere["block"], at_zone["block"]);
    allow(&programs, "", &["translate-pin"]);
    refused(&post(&programs, "translate-pin", &onto), 403, "not_permitted");
    allow(&programs, "", &ark::keys::OPERATIONS);
    refused(&translate("t2/pik", "net/zpk", &at_zone["block"]), 422, "decryption_failed");

    form(&programs, &custodians, &key("t2/mak", "sm4", "terminal-mac"), SM4_MAK);
    let message = BASE64_STANDARD.encode("12345678".repeat(5));
    let mac = post(&programs, "mac/t2%2Fmak", &json!({"form": "ecb", "message": message})).ok();
    assert_eq!(BASE64_STANDARD.decode(text(&mac, "/mac")).unwrap(), b"9EC7D31F");
    let verify = |mac: &Value| {
        let body = json!({"form": "ecb", "message": message, "mac": mac});
        post(&programs, "verify-mac/t2%2Fmak", &body).ok()["valid"].clone()
    };
    assert_eq!((verify(&mac["mac"]), verify(&json!("AAAA"))), (json!(true), json!(false)));
    refused(&post(&programs, "mac/t2%2Fmak", &json!({"form": "x9.19", "message": message})), 422, "key_purpose");

    let generated = post(&programs, "generate", &json!({"key": key("t2/tdk", "sm4", "terminal-track")})).ok();
    assert_eq!(generated["key"]["versions"][0]["version"], 1);
    make(&programs, "net/zdk", "sm4", "zone-track");
    let readable = json!({"form": "whole", "track": "2", "text": TRACK});
    let sent = post(&programs, "encrypt-track/t2%2Ftdk", &readable).ok();
    let (from, to) = (json!({"key": "t2/tdk", "form": "whole"}), json!({"key": "net/zdk", "form": "whole"}));
    let translated = json!({"from": from, "to": to, "track": "2", "text": sent["track"]});
    let translated = post(&programs, "translate-track", &translated).ok();
    assert_eq!(translated["card_number"], CARD);
}

#[test]
fn who_may_and_what_two_people_do() {
    let server = open();
    let programs = server.operator();
    let [one, two] = custodians(&server);
    let tmk = json!({"key": key("tmk", "sm4", "terminal-master"), "components": 2});
    refused(&post(&one, "form", &tmk), 403, "not_permitted");
    post(&programs, "form", &tmk).ok();
    let component = json!({"component": BASE64_STANDARD.encode(ONE)});
    post(&one, "component/tmk", &component).ok();
    refused(&post(&one, "component/tmk", &component), 409, "key_forming");
    refused(&post(&two, "component/other", &component), 409, "key_forming");
    refused(&post(&two, "component/tmk", &json!({"component": "AAAA"})), 422, "length_invalid");
    refused(&post(&two, "component/tmk", &component), 409, "key_forming");
    make(&programs, "tmk", "sm4", "terminal-master");
    make(&programs, "mak", "sm4", "terminal-mac");
    programs.post("/v1/ark/financial/generate", &json!({"key": key("up", "sm4", "terminal-master")})).ok();
    refused(&post(&programs, "export", &json!({"key": "mak", "under": "tmk"})), 403, "not_permitted");
    allow(&programs, "", &["terminal-export", "terminal-mac", "encrypt"]);
    refused(&post(&programs, "export", &json!({"key": "mak", "under": "tmk"})), 409, "key_not_exportable");
    let master = json!({"key": "up", "under": "tmk"});
    refused(&post(&programs, "export", &master), 403, "ark_approval_required");
    refused(
        &post(&programs, "verify-mac/mak", &json!({"form": "ecb", "message": "", "mac": ""})),
        403,
        "not_permitted",
    );
    refused(&programs.post("/v1/ark/encrypt/mak", &json!({"plaintext": "AA=="})), 409, "key_usage");
    let kind = json!({"key": key("x", "aes-128", "terminal-pin")});
    refused(&post(&programs, "generate", &kind), 400, "field_malformed");
    refused(&post(&programs, "generate", &json!({"key": key("x", "des", "terminal-pin")})), 422, "key_kind");
    let trail = programs.get("/v1/ark/audit?limit=1000").text();
    for operation in ["terminal-begin", "terminal-component", "terminal-form", "terminal-export"] {
        assert!(trail.contains(operation), "{operation}: {trail}");
    }
}

#[test]
fn the_command_line_does_it_all() {
    let server = open();
    let programs = server.operator();
    custodians(&server);
    allow(&programs, "", &ark::keys::OPERATIONS);
    let file = |content: &[u8]| {
        let path = server.directory().join("input");
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |arguments: &[&str], input: &[u8]| {
        let input = file(input);
        let takes = ["component", "import", "translate-pin", "mac", "verify-mac", "encrypt-track", "translate-track"];
        let from = if takes.contains(&arguments[0]) { vec!["--in", input.as_str()] } else { vec![] };
        let output = server.lintel(&[&["ark", "financial"], arguments, &from].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let form = |name: &str, kind: &str, purpose: &str, bytes: &str| {
        run(&["form", name, "--kind", kind, "--purpose", purpose, "--exportable"], b"");
        run(&["component", name, "--as", "opr_1"], hex::encode(ONE).as_bytes());
        run(&["component", name, "--as", "opr_2"], hex::encode(other(bytes)).as_bytes())
    };
    assert!(form("tmk", "3des-2", "terminal-master", TMK).contains("2 of 2 components are here"));
    let import = ["import", "pik", "--kind", "3des-2", "--purpose", "terminal-pin", "--exportable", "--under", "tmk"];
    let made = run(&[&import[..], &["--check-value", &SIGN_IN[32..40]]].concat(), &SIGN_IN.as_bytes()[..32]);
    assert!(made.to_uppercase().contains(&SIGN_IN[32..40]), "{made}");
    assert!(run(&["export", "pik", "--under", "tmk"], b"").contains(&SIGN_IN[..32]));
    assert_eq!(run(&["check-value", "pik", "--version", "1"], b"")[..8].to_uppercase(), SIGN_IN[32..40]);

    form("pik4", "sm4", "terminal-pin", SM4_PIK);
    run(&["generate", "zpk", "--kind", "3des-2", "--purpose", "zone-pin"], b"");
    let lines = format!("{CARD}\nCD01D6AD8F0A484C52A9364A0595AD60\n");
    assert_eq!(run(&["translate-pin", "pik4", "zpk"], lines.as_bytes()).trim().len(), 16);
    form("mak", "sm4", "terminal-mac", SM4_MAK);
    let message = "12345678".repeat(5);
    let mac = run(&["mac", "mak"], message.as_bytes());
    assert_eq!(hex::decode(mac.trim()).unwrap(), b"9EC7D31F");
    assert_eq!(run(&["verify-mac", "mak", mac.trim()], message.as_bytes()), "valid\n");
    for (name, purpose) in [("tdk", "terminal-track"), ("zdk", "zone-track"), ("root", "terminal-derive")] {
        run(&["generate", name, "--kind", "sm4", "--purpose", purpose], b"");
    }
    let track = run(&["encrypt-track", "tdk"], TRACK.as_bytes());
    assert!(run(&["translate-track", "tdk", "zdk"], track.as_bytes()).contains(CARD));
    let derive = ["derive", "tmk2", "--kind", "sm4", "--purpose", "terminal-master", "--from", "root", "--factor"];
    run(&[&derive[..], &["0001020304050607"]].concat(), b"");
    let refused = server.lintel(&["ark", "financial", "component", "x", "--in", &file(b"no digits")]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("hexadecimal") && !said.contains("no digits"), "{said}");
}
