//! A row that is not what was written stops whoever meets it, and is named.

use std::path::PathBuf;

use journal::{Fault, JournalError, Sqlite};
use rusqlite::Connection;

use crate::suite::{Directory, Place, batch};

/// Rows: 1 epoch, 2 to 6 batches of two events at positions 1, 3, 5, 7, 9.
fn damaged(sql: &str) -> Directory {
    let directory = Directory::new();
    let mut journal = directory.open();
    for text in ["alpha", "bravo", "charlie", "delta", "echo"] {
        journal.append(&batch(&*journal, 2, text.as_bytes())).unwrap();
    }
    drop(journal);
    let raw = Connection::open(directory.0.path().join("journal.db")).unwrap();
    raw.execute_batch(sql).unwrap();
    directory
}

pub(crate) fn fault(error: JournalError) -> Fault {
    let JournalError::Corrupt(fault) = error else { panic!("expected a corrupt row, got: {error}") };
    fault
}

/// `sql` makes row `row` wrong in the middle of the journal: opening, which looks at the end, may
/// not see it; reading and verifying do, and say `what`.
#[track_caller]
fn reading_stops_at(row: u64, what: &str, sql: &str) {
    let directory = damaged(sql);
    let report = directory.reader().verify(|_| ()).unwrap();
    let found = report.fault.expect("a fault");
    assert_eq!((found.row, report.rows), (row, row - 1), "{found}");
    assert!(found.what.contains(what), "{found}");
    assert!(found.to_string().starts_with(&format!("row {row} ")), "{found}");

    let mut journal = directory.open();
    let read = fault(journal.read(1, usize::MAX).unwrap_err());
    assert_eq!(read.row, row, "{read}");
    assert!(read.what.contains(what), "{read}");
}

/// `sql` makes the last row wrong: opening stops.
#[track_caller]
fn opening_stops_at(row: u64, what: &str, sql: &str) {
    let directory = damaged(sql);
    let found = fault(Sqlite::open(&directory.lock(), 0).unwrap_err());
    assert_eq!(found.row, row, "{found}");
    assert!(found.what.contains(what), "{found}");
}

const FLIP_PAYLOAD: &str = "UPDATE journal SET payload = CAST('Xharlie' AS BLOB) WHERE row = 4";

#[test]
fn a_flipped_payload() {
    reading_stops_at(4, "damaged", FLIP_PAYLOAD);
    opening_stops_at(6, "damaged", "UPDATE journal SET payload = x'00' WHERE row = 6");
}

#[test]
fn a_flipped_header() {
    for column in ["first", "count", "epoch", "level", "time_ms"] {
        let sql = format!("UPDATE journal SET {column} = {column} + 1024 WHERE row = ");
        reading_stops_at(4, "damaged", &format!("{sql} 4"));
        opening_stops_at(6, "damaged", &format!("{sql} 6"));
    }
}

#[test]
fn a_flipped_hash_previous_or_checksum() {
    for column in ["hash", "previous"] {
        let sql = format!("UPDATE journal SET {column} = zeroblob(32) WHERE row = ");
        reading_stops_at(4, "damaged", &format!("{sql} 4"));
        opening_stops_at(6, "damaged", &format!("{sql} 6"));
    }
    reading_stops_at(4, "damaged", "UPDATE journal SET checksum = checksum + 1 WHERE row = 4");
    opening_stops_at(6, "damaged", "UPDATE journal SET checksum = checksum + 1 WHERE row = 6");
}

#[test]
fn a_value_that_was_never_written() {
    reading_stops_at(4, "its count is -1", "UPDATE journal SET count = -1 WHERE row = 4");
    reading_stops_at(4, "its level is 70000", "UPDATE journal SET level = 70000 WHERE row = 4");
    reading_stops_at(4, "its hash has 3 bytes", "UPDATE journal SET hash = x'010203' WHERE row = 4");
    opening_stops_at(6, "its epoch is -7", "UPDATE journal SET epoch = -7 WHERE row = 6");
}

#[test]
fn a_missing_row() {
    reading_stops_at(4, "missing", "DELETE FROM journal WHERE row = 4");
    reading_stops_at(1, "missing", "DELETE FROM journal WHERE row = 1");
    opening_stops_at(5, "missing", "DELETE FROM journal WHERE row = 5");
}

#[test]
fn swapped_rows() {
    reading_stops_at(
        3,
        "damaged",
        "UPDATE journal SET row = 99 WHERE row = 3;
         UPDATE journal SET row = 3 WHERE row = 4;
         UPDATE journal SET row = 4 WHERE row = 99;",
    );
}

#[test]
fn a_row_from_nowhere() {
    // A copy of the last row behind itself: right in itself but for its number, wrong where it
    // stands.
    opening_stops_at(
        7,
        "damaged",
        "INSERT INTO journal SELECT 7, 11, count, epoch, level, time_ms, hash, hash, checksum, payload
         FROM journal WHERE row = 6",
    );
}

#[test]
fn an_altered_row_with_its_checksum_put_right() {
    // Whoever alters a row on purpose can compute a checksum, and this test does; the chain still
    // shows it.
    let directory = damaged(FLIP_PAYLOAD);
    let path: PathBuf = directory.0.path().join("journal.db");
    let raw = Connection::open(path).unwrap();
    let found = directory.reader().verify(|_| ()).unwrap().fault.unwrap();
    let given = found.what.rsplit(' ').next().unwrap();
    let checksum = u32::from_str_radix(given, 16).unwrap();
    raw.execute("UPDATE journal SET checksum = ?1 WHERE row = 4", [checksum]).unwrap();
    drop(raw);

    let found = directory.reader().verify(|_| ()).unwrap().fault.unwrap();
    assert_eq!(found.row, 4);
    assert!(found.what.starts_with("altered"), "{found}");
    assert_eq!(fault(directory.open().read(1, usize::MAX).unwrap_err()), found);
}

#[test]
fn reading_from_the_middle_does_not_need_the_damaged_start() {
    let directory = damaged(FLIP_PAYLOAD);
    let mut journal = directory.open();
    let firsts: Vec<u64> = journal.read(7, usize::MAX).unwrap().iter().map(|r| r.first).collect();
    assert_eq!(firsts, [7, 9]);
}

#[test]
fn a_file_that_is_not_a_database() {
    let directory = Directory::new();
    std::fs::write(directory.0.path().join("journal.db"), vec![b'x'; 8192]).unwrap();
    let error = Sqlite::open(&directory.lock(), 0).unwrap_err();
    assert!(error.to_string().contains("journal.db"), "{error}");
    fault(error);
}
