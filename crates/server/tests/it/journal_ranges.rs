//! Old rows of the journal move to files while the platform runs, and nobody who asks it can tell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backup::{refused, said};
use crate::keys::metric;
use crate::open::{Books, balance, trial_balance, voucher};
use crate::server::{Server, in_postgres, is_embedded, lintel};
use crate::storage::Storage;

const DAY: &str = "2026-03-05";
const VOUCHERS: usize = 4_000;

fn id(account: &str) -> u64 {
    account.trim_start_matches("acc_").parse().unwrap()
}

/// Vouchers of one fen each, all in one direction.
fn send(books: &Books, number: u64) {
    let (from, to) = if number % 2 == 1 { (&books.rich, &books.poor) } else { (&books.poor, &books.rich) };
    let entries = [(id(from), 0_u8, 1_i64, 0_u8), (id(to), 1, 1, 0)];
    let body = minicbor::to_vec(("old", number, true, vec![(0_u8, entries); VOUCHERS])).unwrap();
    let answer = books.operator.send("POST", "/v1/postings", &[("content-type", "application/cbor")], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory.join("data/journal")).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("rows-0")).count()
    })
}

#[test]
fn what_lies_in_files_is_verified_backed_up_and_replayed_like_the_rest() {
    if !is_embedded() {
        return;
    }
    let mut server = Server::start_with(&["journal.keep_mib=1"]);
    let books = Books::open(&server);
    let first = voucher("v-1", &books.rich, &books.poor, 7);
    let answer = books.operator.post_keyed("/v1/vouchers", "v-1", &first).ok();
    let mut number = 0;
    while metric(&books.operator, "lintel_journal_sealed_total") < 2.0 {
        number += 1;
        send(&books, number);
    }
    assert!(files(server.directory()) >= 2);
    let seen = |server: &Server| {
        let operator = server.operator();
        let statement = format!("/v1/accounts/{}/statement?from={DAY}&to={DAY}&limit=500", books.poor);
        let statement = operator.get(&statement).ok()["data"].clone();
        (trial_balance(&operator, DAY), balance(&operator, &books.poor), statement)
    };
    let before = seen(&server);

    let backup = server.directory().join("backup");
    let backup = backup.to_str().unwrap();
    said(&server.lintel(&["backup", "take", backup]));
    let checked: Value = serde_json::from_str(&said(&server.lintel(&["backup", "check", backup, "--json"]))).unwrap();

    server.kill();
    let verified = said(&lintel(&server.directory().join("data"), &["journal", "verify", "--json"]));
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["rows"], checked["rows"], "{verified}");
    for gone in ["store.db", "store.db-wal", "store.db-shm"] {
        // What is not there need not go.
        drop(std::fs::remove_file(server.directory().join("data").join(gone)));
    }
    server.start_again();
    assert_eq!(seen(&server), before, "made again from files and table");
    let again = server.operator().post_keyed("/v1/vouchers", "v-1", &first);
    assert!(again.repeated());
    assert_eq!(again.ok(), answer);

    server.kill();
    let folder = server.directory().join("data/journal");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut bytes = std::fs::read(&names[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&names[0], bytes).unwrap();
    let output = lintel(&server.directory().join("data"), &["journal", "verify"]);
    let error = refused(&output);
    assert!(error.contains("row"), "{error}");
}

/// The names of the files of rows in a folder, in order.
fn ranges(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_range = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("rows-0");
    let mut found: Vec<PathBuf> = entries.filter(is_range).collect();
    found.sort();
    found
}

/// What callers see of an account.
fn seen(server: &Server, account: &str) -> (Value, i64, Value) {
    let operator = server.operator();
    let statement = format!("/v1/accounts/{account}/statement?from={DAY}&to={DAY}&limit=500");
    let statement = operator.get(&statement).ok()["data"].clone();
    (trial_balance(&operator, DAY), balance(&operator, account), statement)
}

/// The same drill wherever journal and ranges lie: rows move, and what is replayed, verified, backed up and restored is the same.
fn drill(mut server: Server, environment: &[(&str, String)], folder: &Path) {
    let books = Books::open(&server);
    let first = voucher("v-1", &books.rich, &books.poor, 7);
    let answer = books.operator.post_keyed("/v1/vouchers", "v-1", &first).ok();
    let mut number = 0;
    while metric(&books.operator, "lintel_journal_sealed_total") < 2.0 {
        number += 1;
        send(&books, number);
    }
    assert!(ranges(folder).len() >= 2, "{folder:?}");
    let before = seen(&server, &books.poor);
    let backup = server.directory().join("backup");
    let backup = backup.to_str().unwrap();
    said(&server.lintel_in(&["backup", "take", backup], environment));
    let checked: Value = serde_json::from_str(&said(&server.lintel(&["backup", "check", backup, "--json"]))).unwrap();

    assert!(server.stop().success(), "{}", server.log());
    let rebuilt = said(&server.lintel_in(&["rebuild", "--remove-old", "--json"], environment));
    assert!(rebuilt.contains("position"), "{rebuilt}");
    let verified: Value = serde_json::from_str(&said(&server.lintel_in(&["verify", "--json"], environment))).unwrap();
    assert_eq!(verified["damages"], json!([]));
    assert_eq!(verified["rows"], checked["rows"]);
    server.start_again();
    assert_eq!(seen(&server, &books.poor), before, "made again from files and table");
    let again = server.operator().post_keyed("/v1/vouchers", "v-1", &first);
    assert!(again.repeated());
    assert_eq!(again.ok(), answer);

    server.kill();
    let names = ranges(folder);
    let mut bytes = std::fs::read(&names[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&names[0], bytes).unwrap();
    // Copies of what lies in storage are made again.
    for copy in ranges(&server.directory().join("data/journal")) {
        if copy.parent() != Some(folder) {
            std::fs::remove_file(copy).unwrap();
        }
    }
    let error = refused(&server.lintel_in(&["journal", "verify"], environment));
    assert!(error.contains("row"), "{error}");
}

/// A server with settings of its own, and what its environment says of a storage.
fn start(directory: TempDir, settings: &[String], storage: Option<&Storage>) -> Server {
    let environment = storage.map(Storage::environment).unwrap_or_default();
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value))).collect();
    Server::start_on_with(directory, settings, environment)
}

fn with_ranges(mut settings: Vec<String>, place: &str) -> Vec<String> {
    settings.extend(["journal.keep_mib=1".to_owned(), format!("journal.ranges={place}")]);
    settings
}

#[test]
fn rows_of_a_journal_in_postgresql_move_to_a_folder() {
    let Some(settings) = in_postgres("rows_of_a_journal_in_postgresql_move_to_a_folder") else { return };
    let (directory, shared) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let settings = with_ranges(settings, shared.path().to_str().unwrap());
    drill(start(directory, &settings, None), &[], shared.path());
}

#[test]
fn rows_of_a_journal_in_postgresql_move_to_a_bucket() {
    let Some(settings) = in_postgres("rows_of_a_journal_in_postgresql_move_to_a_bucket") else { return };
    let storage = Storage::start();
    let settings = with_ranges(settings, &storage.place("journal"));
    let folder = storage.object("journal");
    drill(start(TempDir::new().unwrap(), &settings, Some(&storage)), &storage.environment(), &folder);
}

#[test]
fn rows_of_an_embedded_journal_move_to_a_bucket() {
    let storage = Storage::start();
    let settings = with_ranges(Vec::new(), &storage.place("journal"));
    let folder = storage.object("journal");
    drill(start(TempDir::new().unwrap(), &settings, Some(&storage)), &storage.environment(), &folder);
}
