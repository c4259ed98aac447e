//! Keys, rights and trail of the platform in a schema of PostgreSQL: they serve and outlive the process, one process has them, a
//! lost connection is a pause, and a backup brings them back but for what was destroyed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ark_service::{administrators, allow, decide, make, refused};
use crate::backup::{refused as said_no, said};
use crate::client::Client;
use crate::cluster::{Cluster, cluster};
use crate::keys::metric;
use crate::open::{Books, balance, customer, text};
use crate::server::{Server, in_postgres, lintel_in};

/// Nothing asks for it; nothing may show it.
const PASSWORD: &str = "Zitrone-7-Zitrone";
/// How long a state may take to be reached.
const PATIENCE: Duration = Duration::from_secs(60);

/// A schema for keys.
struct Place {
    cluster: &'static Cluster,
    user: String,
    schema: String,
}

impl Place {
    /// A new one; `None` where there is no PostgreSQL.
    fn new(test: &str) -> Option<Self> {
        let cluster = cluster(test)?;
        let schema = format!("{}_keys", cluster.schema());
        let place = Self { cluster, user: schema.clone(), schema };
        // One test at a time: two changes of one database's rights at once are refused.
        place.sql(&format!(
            "SELECT pg_advisory_xact_lock(7); CREATE ROLE {0} LOGIN; GRANT CREATE ON DATABASE postgres TO {0}",
            place.user
        ));
        Some(place)
    }

    /// Another schema of the same user.
    fn other(&self) -> Self {
        Self { cluster: self.cluster, user: self.user.clone(), schema: format!("{}_keys", self.cluster.schema()) }
    }

    fn settings(&self) -> [String; 3] {
        let url = self.cluster.url().replace("user=lintel", &format!("user={} password={PASSWORD}", self.user));
        [format!("ark.place.url={url}"), format!("ark.place.schema={}", self.schema), "ark.unseal=file".to_owned()]
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        let [url, schema, _] = self.settings();
        let value = |setting: &str| setting.split_once('=').unwrap().1.to_owned();
        [("LINTEL_SET_ARK__PLACE__URL", value(&url)), ("LINTEL_SET_ARK__PLACE__SCHEMA", value(&schema))]
    }

    /// Does it as the database's administrator.
    fn sql(&self, sql: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&self.cluster.url(), tokio_postgres::NoTls).await.unwrap();
            let driven = tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
            drop(client);
            driven.await.unwrap().unwrap();
        });
    }

    /// Ends the key service's sessions, as a restart of the database does.
    fn cut(&self) {
        let user = &self.user;
        self.sql(&format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{user}'"));
    }
}

fn serve(directory: TempDir, place: &Place) -> Server {
    let settings = place.settings();
    Server::start_in(directory, &settings.each_ref().map(String::as_str), Vec::new())
}

fn data(server: &Server) -> PathBuf {
    server.directory().join("data")
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn sealed(programs: &Client, name: &str) -> Value {
    let sealed = programs.post(&format!("/v1/ark/encrypt/{name}"), &json!({"plaintext": "c2VjcmV0"})).ok();
    json!({"ciphertext": text(&sealed, "/ciphertext")})
}

fn opens(programs: &Client, name: &str, sealed: &Value) {
    let opened = programs.post(&format!("/v1/ark/decrypt/{name}"), sealed).ok();
    assert_eq!(text(&opened, "/plaintext"), "c2VjcmV0");
}

/// Waits until it is so.
fn until(what: &str, server: &Server, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing of the keys lies in the directory but what belongs there, and no file or log shows the password.
fn is_clean(directory: &Path, log: &str) {
    assert!(!directory.join("keys.db").exists());
    assert!(!log.contains(PASSWORD), "{log}");
    for entry in fs::read_dir(directory).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "{} shows the password", entry.path().display());
    }
}

#[test]
fn keys_in_a_schema_seal_sign_and_outlive_the_process() {
    let Some(place) = Place::new("keys_in_a_schema_seal_sign_and_outlive_the_process") else { return };
    let mut server = serve(TempDir::new().unwrap(), &place);
    let books = Books::open(&server);
    let programs = server.operator();
    let seller = customer(&programs, "Zhou Min", "110101199003074610");
    make(&programs, "orders", "sm4", "encrypt");
    make(&programs, "gateway", "sm2", "sign");
    allow(&programs, "", &["encrypt", "decrypt", "sign", "verify"]);
    let old = sealed(&programs, "orders");
    let signature = text(&programs.post("/v1/ark/sign/gateway", &json!({"message": "AA=="})).ok(), "/signature");
    let verify = json!({"message": "AA==", "signature": signature});
    let public = text(&programs.get("/v1/ark/status").ok(), "/audit_public_key");
    books.post("n-1", &books.rich, &books.poor, 700).ok();

    // Beside the platform: the trail is read where it lies, and an institution's secret is derived.
    let beside =
        value(&said(&server.lintel(&["ark", "audit", "verify", "--offline", "--public-key", &public, "--json"])));
    assert!(beside["records"].as_i64() > Some(3), "{beside}");
    let told = said_no(&server.lintel(&["ark", "audit", "verify", "--offline"]));
    assert!(told.contains("--public-key"), "{told}");
    let told = said_no(&server.lintel(&["ark", "init", "--shares", "3", "--threshold", "2"]));
    assert!(told.contains("another process"), "{told}");
    assert!(server.stop().success(), "{}", server.log());

    // Without it: everything opens, and nothing is made where keys are already.
    let verified = value(&said(&server.lintel(&["verify", "--json"])));
    assert_eq!(verified["damages"], json!([]), "{verified}");
    assert!(verified["vault"]["opened"].as_i64() > Some(0), "{verified}");
    let told = said_no(&server.lintel(&["ark", "init", "--shares", "3", "--threshold", "2"]));
    assert!(told.contains(&place.schema) && told.contains("made before"), "{told}");

    server.start_again();
    let programs = server.operator();
    opens(&programs, "orders", &old);
    assert_eq!(programs.post("/v1/ark/verify/gateway", &verify).ok()["valid"], true);
    assert_eq!(customer(&programs, "Zhou Min", "110101199003074610"), seller, "the vault knows its people");
    assert_eq!(balance(&programs, &books.poor), 700);
    assert_eq!(programs.post("/v1/ark/audit/verify", &json!({"public_key": public})).status, 200);
    is_clean(&data(&server), &server.log());
}

#[test]
fn a_second_process_is_told_that_another_has_the_keys() {
    let Some(place) = Place::new("a_second_process_is_told_that_another_has_the_keys") else { return };
    let mut server = serve(TempDir::new().unwrap(), &place);
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    allow(&programs, "orders", &["encrypt", "decrypt"]);
    let old = sealed(&programs, "orders");

    // Books of its own, the root key and the schema of the first: in a platform's and in a key service's process.
    let second = TempDir::new().unwrap();
    let there = second.path().join("data");
    fs::create_dir(&there).unwrap();
    fs::copy(data(&server).join("ark.key"), there.join("ark.key")).unwrap();
    let settings = place.settings();
    let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting.as_str()]).collect();
    let taken = format!("another process has the key service of schema {}; stop it first", place.schema);
    for words in [&["serve", "--listen", "127.0.0.1:0"][..], &["ark", "serve", "--insecure-loopback"]] {
        let told = said_no(&lintel_in(&there, &[words, &set].concat(), &[]));
        assert!(told.contains(&taken) && !told.contains(PASSWORD), "{told}");
    }
    opens(&programs, "orders", &old);

    // A file of keys beside the schema would be another key service: neither is served.
    assert!(server.stop().success());
    let backup = server.directory().join("keys-backup.db");
    fs::write(data(&server).join("keys.db"), b"of before").unwrap();
    let log = server.start_refused();
    assert!(log.contains("keys.db") && log.contains("restore its backup into the schema"), "{log}");
    fs::remove_file(data(&server).join("keys.db")).unwrap();

    // Killed, it leaves nothing that the next one waits for.
    server.start_again();
    server.kill();
    server.start_again();
    let programs = server.operator();
    opens(&programs, "orders", &old);
    said(&server.lintel(&["ark", "backup", backup.to_str().unwrap()]));
    let public = text(&programs.get("/v1/ark/status").ok(), "/audit_public_key");
    said(&server.lintel(&["ark", "audit", "verify", "--file", backup.to_str().unwrap(), "--public-key", &public]));
}

#[test]
fn a_database_that_is_away_is_a_pause() {
    let Some(place) = Place::new("a_database_that_is_away_is_a_pause") else { return };
    let server = serve(TempDir::new().unwrap(), &place);
    let programs = server.operator();
    make(&programs, "orders", "sm4", "encrypt");
    allow(&programs, "orders", &["encrypt", "decrypt"]);
    let old = sealed(&programs, "orders");
    place.cut();
    // Nobody sees a connection that ended between two calls.
    make(&programs, "more", "hmac-sm3", "mac");
    opens(&programs, "orders", &old);

    place.sql(&format!("ALTER ROLE {} NOLOGIN", place.user));
    place.cut();
    let encrypt = || programs.post("/v1/ark/encrypt/orders", &json!({"plaintext": "AA=="}));
    // Uses that no trail can name are refused, from the next second on.
    until("a refusal", &server, || encrypt().status != 200);
    let key = |name: &str| programs.post("/v1/ark/keys", &json!({"name": name, "kind": "sm4", "purpose": "encrypt"}));
    refused(&key("later"), 503, "keys_unavailable");
    until("an alarm", &server, || metric(&programs, "lintel_key_service_failing") > 0.0);
    assert_eq!(programs.get("/health/live").status, 200);
    let told = said_no(&server.lintel(&["key"]));
    assert!(told.contains(&place.schema) && told.contains("unavailable") && !told.contains(PASSWORD), "{told}");

    place.sql(&format!("ALTER ROLE {} LOGIN", place.user));
    until("an answer", &server, || encrypt().status == 200);
    opens(&programs, "orders", &old);
    key("later").ok();
    until("the end of the alarm", &server, || metric(&programs, "lintel_key_service_failing") == 0.0);
    let public = text(&programs.get("/v1/ark/status").ok(), "/audit_public_key");
    programs.post("/v1/ark/audit/verify", &json!({"public_key": public})).ok();
    let log = server.log();
    assert!(log.contains("does what is due again"), "{log}");
    is_clean(&data(&server), &log);
}

#[test]
fn custodians_open_keys_that_lie_in_a_schema() {
    let Some(place) = Place::new("custodians_open_keys_that_lie_in_a_schema") else { return };
    let directory = TempDir::new().unwrap();
    let there = directory.path().join("data");
    let environment = place.environment();
    let dealt = said(&lintel_in(&there, &["ark", "init", "--shares", "3", "--threshold", "2"], &environment));
    let shares: Vec<String> = dealt.lines().map(str::to_owned).collect();
    assert_eq!(shares.len(), 3, "{dealt}");
    is_clean(&there, "");
    let fed =
        |arguments: &[&str]| crate::server::lintel_fed_in(&there, arguments, &shares[1..].join("\n"), &environment);
    let secret = said(&fed(&["key", "--shares"]));
    let started = environment.clone().map(|(name, value)| (name.to_owned(), value.into())).to_vec();
    let mut server = Server::start_sealed_by(directory, secret.trim(), started);
    server.unseal(&shares[..2]);
    let books = Books::open(&server);
    books.post("n-1", &books.rich, &books.poor, 700).ok();
    assert!(server.stop().success());
    server.start_again();
    assert_eq!(server.operator().get("/health/ready").error().1, "sealed");
    server.unseal(&shares[1..]);
    assert_eq!(balance(&server.operator(), &books.poor), 700);
    assert!(server.stop().success());
    assert!(said(&fed(&["verify", "--shares"])).contains("all is as it was written"));
}

#[test]
fn an_older_copy_brings_back_no_key_that_was_destroyed() {
    let Some(place) = Place::new("an_older_copy_brings_back_no_key_that_was_destroyed") else { return };
    let mut server = serve(TempDir::new().unwrap(), &place);
    let programs = server.operator();
    let [one, two] = administrators(&server);
    for name in ["old", "kept"] {
        let key = json!({"name": name, "kind": "sm4", "purpose": "encrypt", "destroy_wait_ms": 0});
        one.client.post("/v1/ark/keys", &key).ok();
    }
    let change = json!({"action": "allow", "caller": "operator", "prefix": "", "operations": ["encrypt", "decrypt"]});
    let wanted = json!({"operation": "change-access", "change": change});
    let asked = one.client.post("/v1/ark/approvals", &wanted).ok()["id"].clone();
    decide(&two, &asked, true, &two.code()).ok();
    one.client.post(&format!("/v1/ark/access?approval={asked}"), &change).ok();
    let (old, kept) = (sealed(&programs, "old"), sealed(&programs, "kept"));
    let copy = server.directory().join("keys-backup.db");
    let copy = copy.to_str().unwrap();
    said(&server.lintel(&["ark", "backup", copy]));

    one.client.post("/v1/ark/keys/old/step", &json!({"version": 1, "step": "deactivate"})).ok();
    let wanted = json!({"operation": "destroy", "key": "old", "version": 1});
    let asked = one.client.post("/v1/ark/approvals", &wanted).ok()["id"].clone();
    decide(&two, &asked, true, &two.code()).ok();
    let target = format!("/v1/ark/keys/old/step?approval={asked}");
    one.client.post(&target, &json!({"version": 1, "step": "schedule-destruction"})).ok();
    let state = |client: &Client| text(&client.get("/v1/ark/keys/old").ok(), "/versions/0/state");
    until("the destruction", &server, || state(&programs) == "destroyed");
    refused(&programs.post("/v1/ark/decrypt/old", &old), 409, "key_state");

    assert!(server.stop().success());
    let told = said_no(&server.lintel(&["ark", "restore", copy]));
    assert!(told.contains(&place.schema) && told.contains("RENAME"), "{told}");
    place.sql(&format!("ALTER SCHEMA {0} RENAME TO {0}_before", place.schema));
    let log = server.start_refused();
    assert!(log.contains(&place.schema) && log.contains("backup"), "{log}");
    said(&server.lintel(&["ark", "restore", copy]));
    server.start_again();
    let programs = server.operator();
    opens(&programs, "kept", &kept);
    assert_eq!(state(&programs), "destroyed");
    refused(&programs.post("/v1/ark/decrypt/old", &old), 409, "key_state");
    let trail = programs.get("/v1/ark/audit?limit=1000").text();
    assert!(trail.contains("tombstone"), "{trail}");
}

/// A backup of a platform with keys in one place, restored with its keys in another.
fn moved(from: Option<&Place>, to: Option<&Place>) {
    let settings = |place: Option<&Place>| place.map_or_else(Vec::new, |place| place.settings().to_vec());
    let own = settings(from);
    let server =
        Server::start_in(TempDir::new().unwrap(), &own.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new());
    let books = Books::open(&server);
    let programs = server.operator();
    let seller = customer(&programs, "Zhou Min", "110101199003074610");
    make(&programs, "orders", "sm4", "encrypt");
    allow(&programs, "orders", &["encrypt", "decrypt"]);
    let old = sealed(&programs, "orders");
    books.post("n-1", &books.rich, &books.poor, 700).ok();
    let folder = TempDir::new().unwrap();
    let backup = folder.path().join("backup");
    let (backup, key) = (backup.to_str().unwrap(), data(&server).join("ark.key"));
    said(&server.lintel(&["backup", "take", backup]));
    let listed = said(&server.lintel(&["backup", "list", backup]));
    assert!(listed.contains("keys-"), "{listed}");

    let mut there = settings(to);
    if !crate::server::is_embedded() {
        there.extend(in_postgres("moved").unwrap());
    }
    let place = folder.path().join("new/data");
    let restore = |key: &Path| {
        let words = ["restore", backup, "--root-key", key.to_str().unwrap(), "--json"];
        let set = there.iter().flat_map(|setting| ["--set", setting.as_str()]);
        lintel_in(&place, &words.into_iter().chain(set).collect::<Vec<_>>(), &[])
    };
    let foreign = folder.path().join("ark.key");
    fs::write(&foreign, "00".repeat(32)).unwrap();
    let told = said_no(&restore(&foreign));
    assert!(!place.exists() && !told.contains(PASSWORD), "{told}");
    let restored = value(&said(&restore(&key)));
    assert_eq!(restored["keys"], true, "{restored}");
    if to.is_some() {
        is_clean(&place, "");
        assert!(!place.join("keys.restoring").exists() && !place.join("keys.restoring-wal").exists());
        let aside = folder.path().join("aside");
        fs::rename(&place, &aside).unwrap();
        let told = said_no(&restore(&key));
        assert!(told.contains("holds keys") && told.contains("RENAME"), "{told}");
        fs::rename(&aside, &place).unwrap();
    }
    let directory = TempDir::new().unwrap();
    fs::rename(&place, directory.path().join("data")).unwrap();
    let restored = Server::start_on(directory, &there);
    let programs = restored.operator();
    opens(&programs, "orders", &old);
    assert_eq!(customer(&programs, "Zhou Min", "110101199003074610"), seller, "the vault knows its people");
    assert_eq!(balance(&programs, &books.poor), 700);
}

#[test]
fn a_backup_goes_from_a_schema_into_another() {
    let Some(place) = Place::new("a_backup_goes_from_a_schema_into_another") else { return };
    moved(Some(&place), Some(&place.other()));
}

#[test]
fn a_backup_goes_from_a_file_into_a_schema_and_back() {
    let Some(place) = Place::new("a_backup_goes_from_a_file_into_a_schema_and_back") else { return };
    moved(None, Some(&place));
    moved(Some(&place.other()), None);
}
