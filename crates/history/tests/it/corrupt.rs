//! A file that is not what its row says is named, with the row of the first break where it can be told.

use std::fs;
use std::path::Path;

use domain::book::Side;
use domain::ids::VoucherId;
use history::{Break, History, HistoryError, Snapshot};
use store::run::SegmentRow;

use crate::model::{Ledger, cut_all, day, read_pages};

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..200 {
        ledger.transfer(day(0), 1 + number % 3, 1 + (number + 1) % 3, 10);
    }
    ledger
}

fn broken(result: Result<impl Sized, HistoryError>) -> Break {
    match result.map(|_| ()) {
        Err(HistoryError::Broken(found)) => found,
        Err(other) => panic!("expected a break, got {other}"),
        Ok(()) => panic!("expected a break, got none"),
    }
}

fn query(history: &History, rows: &[SegmentRow]) -> Result<(), HistoryError> {
    let query = history::StatementQuery {
        account: domain::ids::AccountId(1),
        side: Side::Credit,
        from: day(0),
        to: day(0),
        after: None,
        limit: 10,
    };
    history.statement(&query, &Snapshot::default(), rows).map(|_| ())
}

#[test]
fn any_flipped_bit_is_found_before_a_statement_uses_it() {
    let directory = tempfile::tempdir().unwrap();
    let rows = cut_all(&History::new(directory.path()), &ledger());
    let path = directory.path().join(&rows[0].path);
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let history = History::new(directory.path());
        for found in [broken(history.verify(&rows[0])), broken(query(&history, &rows))] {
            assert_eq!(found.path, "lake/entries/dt=2026-03-05/seg-1-200.parquet");
            assert!(found.what.contains("CRC-32"), "{found}");
        }
    }
}

#[test]
fn a_short_or_missing_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let rows = cut_all(&history, &ledger());
    let path = directory.path().join(&rows[0].path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let what = format!("it has {} bytes, {} were written", bytes.len() - 1, bytes.len());
    assert_eq!(broken(history.verify(&rows[0])).what, what);
    fs::remove_file(&path).unwrap();
    let found = broken(query(&history, &rows));
    assert_eq!(found.to_string(), format!("{}: the catalogue names it and it is not there", rows[0].path));
    assert_eq!(broken(history.verify(&rows[0])).path, rows[0].path);
}

#[test]
fn a_row_of_the_catalogue_that_is_not_the_files_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let row = cut_all(&history, &ledger()).remove(0);
    type Change = fn(&mut SegmentRow);
    let changes: [(&str, Change); 5] = [
        ("(rows, lowest account, highest account) are (400, 1, 3)", |row| row.rows += 1),
        ("(rows, lowest account, highest account) are (400, 1, 3)", |row| row.min_account = 0),
        ("(rows, lowest account, highest account) are (400, 1, 3)", |row| row.max_account = 9),
        ("position 1 is outside 2–200", |row| row.first_position = 2),
        ("its date is 2026-03-05, the file's 2026-03-06", |row| row.date = day(1)),
    ];
    for (what, change) in changes {
        let mut changed = row.clone();
        change(&mut changed);
        let found = broken(history.verify(&changed));
        assert!(found.what.contains(what), "{found}");
    }
    history.verify(&row).unwrap();
}

/// Writes what no ledger would post.
fn forged(directory: &Path, forge: impl FnOnce(&mut Ledger)) -> Break {
    let history = History::new(directory);
    let mut ledger = ledger();
    forge(&mut ledger);
    let row = cut_all(&history, &ledger).remove(0);
    broken(history.verify(&row))
}

#[test]
fn the_row_that_breaks_the_chain_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let first = ledger().entries.iter().filter(|entry| entry.account.0 == 1).count() as u64;
    let second_account = |ledger: &mut Ledger, change: fn(&mut domain::voucher::PostedEntry)| {
        ledger.entries.iter_mut().filter(|entry| entry.account.0 == 2).nth(4).map(change).unwrap();
    };
    let found = forged(directory.path(), |ledger| second_account(ledger, |entry| entry.balance += 1));
    assert_eq!(found.row, Some(first + 4));
    assert_eq!(found.what, "acc_2 entry 5: 0 and a credit of 10 do not make 11");
    let found = forged(directory.path(), |ledger| second_account(ledger, |entry| entry.side = entry.side.opposite()));
    assert_eq!((found.row, found.what.contains("a debit of 10")), (Some(first + 4), true));
    let found = forged(directory.path(), |ledger| second_account(ledger, |entry| entry.number = 4));
    assert_eq!((found.row, found.what), (Some(first + 4), "acc_2 entry 4 comes after entry 4".to_owned()));
    let found = forged(directory.path(), |ledger| second_account(ledger, |entry| entry.amount = -10));
    assert_eq!((found.row, found.what), (Some(first + 4), "the amount of acc_2 entry 5 is -10".to_owned()));
}

#[test]
fn a_file_that_was_not_committed_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let ledger = ledger();
    let rows = cut_all(&history, &ledger);
    // What a checkpoint that crashed may leave: whole files, parts of files, a stranger.
    let folder = directory.path().join("lake/entries/dt=2026-03-05");
    fs::copy(directory.path().join(&rows[0].path), folder.join("seg-1-400.parquet")).unwrap();
    fs::write(folder.join("seg-201-300.parquet.part"), b"PAR1").unwrap();
    fs::write(folder.join("seg-201-300.parquet"), b"not a Parquet file").unwrap();
    let whole = (1, day(0), day(0));
    assert_eq!(read_pages(&history, whole, 50, &Snapshot::default(), &rows), ledger.statement(1, day(0), day(0)));
    assert_eq!(read_pages(&history, whole, 50, &Snapshot::default(), &[]).count, 0);
}

#[test]
fn two_segments_with_the_same_entries_are_not_added_up() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let rows = cut_all(&history, &ledger());
    let twice = [rows[0].clone(), rows[0].clone()];
    let found = broken(query(&history, &twice));
    assert!(found.what.contains("acc_1 entry 1 comes after entry"), "{found}");
}

#[test]
fn a_file_outside_64_bits_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let mut ledger = Ledger::default();
    for number in 1..=2 {
        ledger.position = number;
        ledger.push(day(0), (1, number), Side::Credit, i64::MAX, (0, 2));
    }
    assert_eq!(ledger.entries[1].voucher, VoucherId(2));
    let rows = cut_all(&history, &ledger);
    let error = query(&history, &rows).unwrap_err();
    assert!(matches!(error, HistoryError::Overflow { sum, .. } if sum == 2 * i128::from(i64::MAX)), "{error}");
}
