//! The restore drill into PostgreSQL: a backup's rows go to a schema that has none, whole or up to a position; the platform
//! there gives the answers that were given, and nothing is written over a journal that stands.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backup::{refused, said};
use crate::open::{Books, balance, customer, number, trial_balance, voucher};
use crate::server::{Server, in_postgres, lintel};

const DAY: &str = "2026-03-05";

/// A server with books, wherever its journal lies, a backup of it, and new schemas to restore to.
struct Drill {
    server: Server,
    books: Books,
    folder: TempDir,
    settings: Vec<String>,
}

impl Drill {
    fn new(test: &str) -> Option<Self> {
        let settings = in_postgres(test)?;
        let server = Server::start();
        let books = Books::open(&server);
        Some(Self { server, books, folder: TempDir::new().unwrap(), settings })
    }

    fn backup(&self) -> String {
        self.folder.path().join("backup").to_str().unwrap().to_owned()
    }

    fn take(&self) -> Value {
        serde_json::from_str(&said(&self.server.lintel(&["backup", "take", &self.backup(), "--json"]))).unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("new/data")
    }

    /// A command on the new place.
    fn there(&self, arguments: &[&str]) -> Output {
        let settings = self.settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
        lintel(&self.data(), &arguments.iter().copied().chain(settings).collect::<Vec<_>>())
    }

    fn restore(&self, further: &[&str]) -> Output {
        let (backup, key) = (self.backup(), self.server.directory().join("data/ark.key"));
        self.there(&[&["restore", &backup, "--root-key", key.to_str().unwrap(), "--json"], further].concat())
    }

    fn restored(&self) -> Server {
        let directory = TempDir::new().unwrap();
        std::fs::rename(self.data(), directory.path().join("data")).unwrap();
        Server::start_on(directory, &self.settings)
    }

    /// Rows of the new journal.
    fn rows(&self) -> i64 {
        let verified: Value = serde_json::from_str(&said(&self.there(&["journal", "verify", "--json"]))).unwrap();
        number(&verified, "/rows")
    }
}

fn value(output: &Output) -> Value {
    serde_json::from_str(&said(output)).unwrap()
}

#[test]
fn a_backup_is_restored_into_an_empty_schema_and_the_platform_there_goes_on() {
    let Some(drill) = Drill::new("a_backup_is_restored_into_an_empty_schema") else { return };
    let Books { operator, rich, poor, .. } = &drill.books;
    let seller = customer(operator, "Zhou Min", "110101199003074610");
    let body = voucher("v-1", rich, poor, 100);
    let answer = operator.post_keyed("/v1/vouchers", "v-1", &body).ok();
    drill.take();
    operator.post("/v1/days/cut", &json!({"next": "2026-03-06"})).ok();
    assert_eq!(operator.post(&format!("/v1/days/{DAY}/close"), &json!({})).ok()["status"], "closed");
    operator.post("/v1/vouchers", &voucher("v-2", rich, poor, 1_000)).ok();
    let taken = drill.take();

    let restored = value(&drill.restore(&[]));
    assert_eq!(restored["last_position"], taken["last_position"], "{restored}");
    assert_eq!(number(&restored, "/rows"), drill.rows());
    assert!(!drill.data().join("journal.db").exists(), "the directory has the vault, not the rows");
    let rebuilt = value(&drill.there(&["rebuild", "--json"]));
    assert_eq!((number(&rebuilt, "/days"), &rebuilt["position"]), (1, &taken["last_position"]), "{rebuilt}");
    assert_eq!(value(&drill.there(&["verify", "--json"]))["damages"], json!([]));

    let server = drill.restored();
    let other = server.operator();
    let again = other.post_keyed("/v1/vouchers", "v-1", &body);
    assert!(again.repeated());
    assert_eq!(again.ok(), answer);
    assert_eq!(trial_balance(&other, DAY), trial_balance(operator, DAY));
    assert_eq!(balance(&other, poor), 1_100);
    assert_eq!(customer(&other, "Zhou Min", "110101199003074610"), seller, "the vault knows the person");
    other.post("/v1/vouchers", &voucher("v-3", rich, poor, 1)).ok();
    assert_eq!((balance(&other, poor), balance(operator, poor)), (1_101, 1_100));
}

#[test]
fn a_schema_gets_what_was_there_at_a_position() {
    let Some(drill) = Drill::new("a_schema_gets_what_was_there_at_a_position") else { return };
    let Books { operator, rich, poor, .. } = &drill.books;
    let first = operator.post("/v1/vouchers", &voucher("v-1", rich, poor, 100)).position();
    operator.post("/v1/vouchers", &voucher("v-2", rich, poor, 1_000)).ok();
    drill.take();
    let restored = value(&drill.restore(&["--to", &first.to_string()]));
    assert_eq!(number(&restored, "/last_position"), i64::try_from(first).unwrap());
    let server = drill.restored();
    let other = server.operator();
    assert_eq!((balance(&other, poor), balance(operator, poor)), (100, 1_100));
    other.post("/v1/vouchers", &voucher("v-2", rich, poor, 7)).ok();
    assert_eq!(balance(&other, poor), 107);
}

#[test]
fn a_schema_with_rows_is_refused_and_a_damaged_backup_leaves_none_behind() {
    let Some(drill) = Drill::new("a_schema_with_rows_is_refused") else { return };
    drill.take();
    let backup = PathBuf::from(drill.backup());
    let files = std::fs::read_dir(&backup).unwrap().flatten().map(|entry| entry.path());
    let rows = files.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("rows-")).unwrap();
    let sound = std::fs::read(&rows).unwrap();
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    std::fs::write(&rows, damaged).unwrap();
    let told = refused(&drill.restore(&[]));
    assert!(told.contains("is damaged"), "{told}");
    assert!(!drill.data().exists() && !drill.data().with_extension("restoring").exists());
    std::fs::write(&rows, &sound).unwrap();

    // A key of other books is found before a row is there.
    let foreign = Server::start();
    let key = foreign.directory().join("data/ark.key");
    let told = refused(&drill.there(&["restore", &drill.backup(), "--root-key", key.to_str().unwrap()]));
    assert!(told.contains("ark.key"), "{told}");
    assert_eq!(drill.rows(), 0, "nothing of either is left");

    let restored = value(&drill.restore(&[]));
    std::fs::rename(drill.data(), drill.folder.path().join("first")).unwrap();
    let told = refused(&drill.restore(&[]));
    assert!(told.contains("holds a journal already") && told.contains("name an empty schema"), "{told}");
    assert!(!drill.data().exists());
    assert_eq!(drill.rows(), number(&restored, "/rows"), "what stood there stands");
    std::fs::create_dir(drill.data().with_extension("restoring")).unwrap();
    let told = refused(&drill.restore(&[]));
    assert!(told.contains("broken off") && told.contains("rename it to"), "{told}");
    std::fs::remove_dir(drill.data().with_extension("restoring")).unwrap();

    std::fs::rename(drill.folder.path().join("first"), drill.data()).unwrap();
    let server = drill.restored();
    std::fs::create_dir_all(drill.data()).unwrap();
    let told = refused(&drill.restore(&[]));
    assert!(told.contains("a node leads the journal"), "{told}");
    assert_eq!(server.operator().get("/health/ready").status, 200);
}
