//! What terminals download, over the API and the command line; whose a card is, by its beginning.

use ark::provider::{KeyKind, Provider as _, PublicKeyEncryption};
use ark::{Soft, sm3};
use serde_json::{Value, json};

use crate::open::text;
use crate::server::Server;

/// A public key and an application, as a scheme gives them.
/// The first of a short modulus, whose check sum is right.
const KEY: &str =
    "9F0605A0000003339F220101DF050420301231DF0201AADF03141115FA46CC141CD52C951E064C3324A4C7A23DF0DF040103";
const APPLICATION: &str = "9F0608A000000333010101DF010100";

#[test]
fn parameters_are_versions_that_terminals_use() {
    let server = Server::start_with(&["ark.unseal=file"]);
    let programs = server.operator();
    let terminal = programs.post("/v1/terminals", &json!({"serial": "N900-0042117", "model": "N900"})).ok();
    assert_eq!((&terminal["parameters"], &terminal["issued"]), (&Value::Null, &Value::Null));
    let uses = |set: &str| programs.post("/v1/terminals/trm_1/parameters", &json!({ "set": set }));
    assert_eq!(uses("standard").error().1, "parameters_unknown");

    let set = |keys: &[&str]| {
        let body = json!({"name": "standard", "public_keys": keys, "applications": [APPLICATION], "settings": "1103"});
        programs.post("/v1/terminal-parameters", &body)
    };
    assert_eq!(set(&["9F0605A0000003339F220101"]).error(), (400, "field_malformed".into(), "public_keys".into()));
    let wrong = KEY.replace("DF0201AA", "DF0201AB");
    let wrong = set(&[KEY, &wrong]);
    assert_eq!(wrong.error(), (422, "check_sum_wrong".into(), "public_keys".into()));
    assert!(wrong.text().contains("public key A00000033301"), "{}", wrong.text());
    assert_eq!(set(&[KEY, KEY]).error(), (422, "value_invalid".into(), "public_keys".into()));
    assert_eq!(set(&[KEY]).ok()["version"], 1);
    let second = set(&[]);
    assert_eq!(second.ok()["version"], 2);
    let used = uses("standard").ok();
    assert_eq!(used["parameters"], json!({"set": "standard", "public_keys": 0, "applications": 0, "settings": 0}));
    let listed =
        programs.get(&format!("/v1/terminal-parameters?name=standard&min_position={}", second.position())).ok();
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), text(&listed, "/data/0/public_keys/0/identity")),
        (2, "A00000033301".into())
    );
    assert_eq!(programs.get("/v1/terminal-parameters/pst_9").error().1, "parameters_unknown");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.json");
    std::fs::write(&file, json!({"applications": [APPLICATION]}).to_string()).unwrap();
    let said = server.lintel(&["terminal", "set-parameters", "mine", file.to_str().unwrap(), "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&said["name"], &said["version"]), (&json!("mine"), &json!(1)));
    let said = server.lintel(&["terminal", "use-parameters", "trm_1", "mine"]);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("mine"));
}

#[test]
fn a_master_key_is_issued_to_a_terminals_public_key() {
    let server = Server::start_with(&["ark.unseal=file"]);
    let programs = server.operator();
    programs.post("/v1/terminals", &json!({"serial": "N900-0042117", "model": "N900"})).ok();
    let issue = || programs.post("/v1/terminals/trm_1/key/issue", &json!({}));
    assert_eq!(issue().error().1, "public_key_missing");
    let register = |point: &str| programs.post("/v1/terminals/trm_1/public-key", &json!({ "public_key": point }));
    assert_eq!(register("04").error().1, "value_invalid");
    // Sixty-five bytes that are no point of the curve: the key service says so, and the terminal has no key.
    register(&"04".repeat(65)).ok();
    assert_eq!(issue().error().1, "public_key_invalid");
    assert_eq!(programs.get("/v1/terminals/trm_1").ok()["key"], Value::Null);
    let own = Soft::new().unwrap();
    let pair = own.generate(KeyKind::Sm2).unwrap();
    register(&hex::encode(own.public_key(pair).unwrap().bytes)).ok();
    let issued = issue().ok();
    assert_eq!(
        (text(&issued, "/status"), text(&issued, "/key/name")),
        ("keys_loaded".into(), "terminal/1/master".into())
    );
    let encrypted = hex::decode(text(&issued, "/issued/encrypted")).unwrap();
    let key = own.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &encrypted).unwrap();
    assert_eq!((key.len(), text(&issued, "/issued/check_value")), (16, text(&issued, "/key/check_value")));
    // Another key each time.
    let again = hex::decode(text(&issue().ok(), "/issued/encrypted")).unwrap();
    let other = own.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &again).unwrap();
    assert_ne!(sm3(&other), sm3(&key));
    // Asked twice under one idempotency key, the terminal fetches the one that is in use.
    let once = ["terminal", "issue-key", "trm_1", "--idempotency-key", "one", "--json"];
    let issued = [server.lintel(&once), server.lintel(&once)].map(|said| {
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        text(&serde_json::from_slice(&said.stdout).unwrap(), "/issued/check_value")
    });
    let key = programs.get("/v1/ark/keys/terminal%2F1%2Fmaster").ok();
    assert_eq!(text(&key, "/versions/3/check_value").to_uppercase(), issued[1]);
    assert_eq!(text(&programs.get("/v1/terminals/trm_1").ok(), "/issued/check_value"), issued[1]);
}

#[test]
fn a_card_is_explained_by_its_beginning_and_never_by_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bins.csv");
    std::fs::write(&file, "625012,16,unionpay,credit\n62,,unionpay,debit\n").unwrap();
    let file = file.to_str().unwrap();
    let lintel = |arguments: &[&str]| crate::server::lintel(directory.path(), arguments);
    let said = lintel(&["bin", "explain", "62501200", "--file", file, "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let line = json!({"begins": "625012", "digits": 16, "scheme": "unionpay", "type": "credit"});
    assert_eq!((&said["line"], said["others"][0]["begins"].as_str()), (&line, Some("62")));
    let said = lintel(&["bin", "explain", "411111"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("visa credit, by the line that begins with 4"));
    let number = lintel(&["bin", "explain", "6230606601007726888"]);
    let told = String::from_utf8_lossy(&number.stderr);
    assert!(!number.status.success() && told.contains("never all of it") && !told.contains("6230606601007726888"));
    std::fs::write(directory.path().join("wrong.csv"), "62,,unionpay,both\n").unwrap();
    let wrong = lintel(&["bin", "check", directory.path().join("wrong.csv").to_str().unwrap()]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("line 1"));
}
