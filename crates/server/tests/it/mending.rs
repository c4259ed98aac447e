//! What is damaged is found and named, and store and history are made anew from the journal.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::client::Client;
use crate::open::{Books, number, text};
use crate::server::{Server, is_embedded, lintel};

#[track_caller]
fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("not JSON: {output:?}"))
}

/// What a command that must fail said, and what it printed.
#[track_caller]
fn failed(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stderr), text(&output.stdout))
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 16;
    std::fs::write(path, bytes).unwrap();
}

/// What callers see of these books.
fn seen(operator: &Client, books: &Books) -> Vec<Value> {
    let position = number(&operator.get("/health/ready").ok(), "/position");
    let statement = |account: &str| format!("/v1/accounts/{account}/statement?from=2026-03-05&to=2026-03-06");
    let targets = [
        format!("/v1/accounts/{}", books.rich),
        format!("/v1/accounts/{}", books.poor),
        statement(&books.rich),
        statement(&books.poor),
        "/v1/days/2026-03-05/trial-balance".to_owned(),
        "/v1/days/2026-03-06/trial-balance".to_owned(),
        format!("/v1/customers?min_position={position}"),
    ];
    targets.iter().map(|target| operator.get(target).ok()).collect()
}

/// Two days of books, the first of them closed; the server is stopped.
fn two_days() -> (Server, Books, Vec<Value>) {
    let mut server = Server::start();
    let books = Books::open(&server);
    books.post("n-1", &books.rich, &books.poor, 700).ok();
    server.operator().post("/v1/days/cut", &json!({"next": "2026-03-06"})).ok();
    assert_eq!(server.operator().post("/v1/days/2026-03-05/close", &json!({})).ok()["status"], "closed");
    books.post("n-2", &books.rich, &books.poor, 20).ok();
    books.post("n-3", &books.poor, &books.rich, 5).ok();
    let before = seen(&server.operator(), &books);
    assert!(server.stop().success(), "{}", server.log());
    (server, books, before)
}

#[test]
fn damage_is_named_and_a_rebuild_gives_the_same_answers() {
    let (mut server, books, before) = two_days();
    let data = server.directory().join("data");
    let whole = json_of(&server.lintel(&["verify", "--json"]));
    assert_eq!(whole["damages"], json!([]), "{whole}");
    assert_eq!(whole["compared"], true);

    let lake = files(&data.join("lake"));
    assert!(lake.len() >= 3, "{lake:?}");
    lake.iter().for_each(|path| flip(path, 200));
    if is_embedded() {
        std::fs::rename(data.join("store.db"), data.join("store.db-wal")).unwrap();
    }
    let (said, shown) = failed(&server.lintel(&["verify"]));
    assert!(said.contains("damages were found") && said.contains("replaying the journal"), "{said}");
    let named = |path: &&PathBuf| shown.contains(&path.strip_prefix(&data).unwrap().display().to_string());
    if is_embedded() {
        assert!(shown.contains("store.db is not there") && shown.contains("end of day 2026-03-05"), "{shown}");
    } else {
        assert_eq!(lake.iter().filter(named).count(), lake.len(), "{shown}");
    }
    assert!(shown.contains("lintel rebuild"), "{shown}");

    let rebuilt = json_of(&server.lintel(&["rebuild", "--json"]));
    assert_eq!((number(&rebuilt, "/days"), &rebuilt["position"]), (1, &whole["position"]), "{rebuilt}");
    assert!(text(&rebuilt, "/kept").ends_with("replaced-1"), "{rebuilt}");
    assert_eq!(files(&data.join("replaced-1/lake")).len(), lake.len(), "the old ones are kept aside");
    assert_eq!(
        data.join("replaced-1/store.db-wal").exists(),
        is_embedded(),
        "a log that was left is not the new store's"
    );
    let again = json_of(&server.lintel(&["verify", "--json"]));
    assert_eq!((&again["damages"], &again["compared"], &again["state"]), (&json!([]), &json!(true), &whole["state"]));

    server.start_again();
    assert_eq!(seen(&server.operator(), &books), before);
    for command in ["verify", "rebuild"] {
        let (said, _) = failed(&server.lintel(&[command]));
        assert!(said.contains("needs the platform stopped") && said.contains("in use by process"), "{said}");
        if !is_embedded() {
            let other = server.directory().join("other");
            std::fs::create_dir_all(&other).unwrap();
            let (said, _) = failed(&server.lintel_on(&other, &[command]));
            assert!(said.contains("a node leads the journal in schema"), "{said}");
        }
    }
    assert!(server.stop().success());
    let removed = json_of(&server.lintel(&["rebuild", "--remove-old", "--json"]));
    assert_eq!(removed["kept"], Value::Null);
    assert!(!data.join("replaced-2").exists() && !data.join("rebuilding").exists());
    server.start_again();
    assert_eq!(seen(&server.operator(), &books), before);
}

#[test]
fn a_damaged_journal_is_named_by_row_and_nothing_is_rebuilt_from_it() {
    if !is_embedded() {
        return;
    }
    let (mut server, ..) = two_days();
    let data = server.directory().join("data");
    let journal = rusqlite::Connection::open(data.join("journal.db")).unwrap();
    let changed =
        journal.execute("UPDATE journal SET payload = CAST(payload || x'00' AS BLOB) WHERE row = 4", []).unwrap();
    drop(journal);
    assert_eq!(changed, 1);
    let (_, shown) = failed(&server.lintel(&["verify"]));
    assert!(shown.contains("journal row 4") && shown.contains("restore it from a backup"), "{shown}");
    let lake = files(&data.join("lake"));
    let (said, _) = failed(&server.lintel(&["rebuild"]));
    assert!(said.contains("row 4") && said.contains("restore it from a backup"), "{said}");
    assert_eq!(files(&data.join("lake")), lake);
    assert!(data.join("store.db").exists() && !data.join("rebuilding").exists());
    let log = server.start_refused();
    assert!(log.contains("row 4"), "{log}");
}

#[test]
fn a_rebuild_that_was_broken_off_while_it_put_things_in_place_keeps_the_platform_down_until_it_is_run_again() {
    let (mut server, books, before) = two_days();
    let data = server.directory().join("data");
    // Stopped in the middle of the swap: the old lake is aside, the new one is not there, nor is the new store.
    std::fs::create_dir_all(data.join("rebuilding/lake")).unwrap();
    std::fs::write(data.join("rebuild-unfinished"), "").unwrap();
    std::fs::create_dir(data.join("replaced-1")).unwrap();
    std::fs::rename(data.join("lake"), data.join("replaced-1/lake")).unwrap();
    let log = server.start_refused();
    assert!(log.contains("rebuild-unfinished") && log.contains("run it again"), "{log}");
    let (said, _) = failed(&server.lintel(&["verify"]));
    assert!(said.contains("rebuild-unfinished") && said.contains("run it again"), "{said}");
    let rebuilt = json_of(&server.lintel(&["rebuild", "--json"]));
    assert!(text(&rebuilt, "/kept").ends_with("replaced-2"), "{rebuilt}");
    assert!(!data.join("rebuild-unfinished").exists() && !data.join("rebuilding").exists());
    assert_eq!(json_of(&server.lintel(&["verify", "--json"]))["damages"], json!([]));
    server.start_again();
    assert_eq!(seen(&server.operator(), &books), before);
}

#[test]
fn a_directory_that_is_not_there_is_named_and_not_made_and_help_says_what_to_do() {
    let directory = tempfile::TempDir::new().unwrap();
    let nowhere = directory.path().join("nowhere");
    for command in ["verify", "rebuild"] {
        let (said, _) = failed(&lintel(&nowhere, &[command]));
        assert!(said.contains("nowhere") && said.contains("--data-dir"), "{said}");
        assert!(!nowhere.exists());
        let help = lintel(&nowhere, &[command, "--help"]);
        let help = String::from_utf8(help.stdout).unwrap();
        for words in [&format!("lintel --data-dir data {command}"), "--json", "must be stopped"] {
            assert!(help.contains(words), "{words}: {help}");
        }
    }
}

#[test]
fn restored_books_are_rebuilt_with_the_ends_of_their_days() {
    let (server, books, before) = two_days();
    let folder = tempfile::TempDir::new().unwrap();
    let (backup, data) = (folder.path().join("backup"), folder.path().join("data"));
    let taken = server.lintel(&["backup", "take", backup.to_str().unwrap()]);
    assert!(taken.status.success(), "{taken:?}");
    let key = server.directory().join("data/ark.key");
    let restore = ["restore", backup.to_str().unwrap(), "--root-key", key.to_str().unwrap()];
    std::fs::create_dir(&data).unwrap();
    for left in ["journal.db-wal", "store.db-shm"] {
        std::fs::write(data.join(left), "left of other books").unwrap();
        let (said, _) = failed(&lintel(&data, &restore));
        assert!(said.contains("holds something"), "{left}: {said}");
        std::fs::remove_file(data.join(left)).unwrap();
    }
    let restored = lintel(&data, &restore);
    assert!(
        restored.status.success() && String::from_utf8_lossy(&restored.stdout).contains("lintel rebuild"),
        "{restored:?}"
    );
    let (said, shown) = failed(&lintel(&data, &["verify"]));
    assert!(said.contains("found") && shown.contains("store.db is not there"), "{said}{shown}");
    let rebuilt = json_of(&lintel(&data, &["rebuild", "--json"]));
    assert_eq!(number(&rebuilt, "/days"), 1, "{rebuilt}");
    assert_eq!(json_of(&lintel(&data, &["verify", "--json"]))["damages"], json!([]));
    let again = Server::start_embedded(folder);
    assert_eq!(seen(&again.operator(), &books), before);
}

#[test]
fn a_vault_without_tables_is_named_and_not_made() {
    let (server, ..) = two_days();
    let data = server.directory().join("data");
    for name in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        drop(std::fs::remove_file(data.join(name)));
    }
    std::fs::write(data.join("vault.db"), "").unwrap();
    let (said, shown) = failed(&server.lintel(&["verify"]));
    assert!(said.contains("1 damage was found"), "{said}");
    assert!(shown.contains("vault.db has no tables") && shown.contains("from its copy"), "{shown}");
    assert_eq!(std::fs::metadata(data.join("vault.db")).unwrap().len(), 0, "it was looked at, not made");
}
