//! Old rows of the journal move to files while the platform runs, and nobody who asks it can tell.

use std::path::Path;

use serde_json::Value;

use crate::backup::{refused, said};
use crate::keys::metric;
use crate::open::{Books, balance, trial_balance, voucher};
use crate::server::{Server, is_embedded, lintel};

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
