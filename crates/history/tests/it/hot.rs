//! An account with more entries than a page and than a row group of its file.

use domain::book::Side;
use history::{History, Snapshot};

use crate::model::{Ledger, SIDE, cut_all, day, read_pages};

/// Entries of account 1 alone, every `gap`-th dated a day earlier.
fn ledger(entries: u64, gap: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let mut balance = 0;
    for number in 1..=entries {
        ledger.position += 1;
        let amount = i64::try_from(number % 97 + 1).unwrap();
        let side = if number % 3 == 0 { Side::Debit } else { Side::Credit };
        let date = day(if number % gap == 0 { 0 } else { 1 });
        ledger.push(date, (1, number), side, amount, (balance, 2));
        balance += if side == SIDE { amount } else { -amount };
    }
    ledger
}

#[test]
fn pages_of_a_long_run_are_those_of_the_model() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let ledger = ledger(20_000, u64::MAX);
    let rows = cut_all(&history, &ledger);
    for (from, to) in [(1, 1), (0, 1), (2, 2)] {
        let expected = ledger.statement(1, day(from), day(to));
        for limit in [4_999, 7_000, 20_000] {
            let found = read_pages(&history, (1, day(from), day(to)), limit, &Snapshot::default(), &rows);
            assert!(found == expected, "from {from} to {to}, pages of {limit}");
        }
    }
}

#[test]
fn gaps_in_the_numbers_of_a_date_are_seen() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let ledger = ledger(20_000, 3);
    let rows = cut_all(&history, &ledger);
    assert_eq!(rows.len(), 2);
    for (from, to) in [(0, 0), (1, 1), (0, 1), (2, 2)] {
        let expected = ledger.statement(1, day(from), day(to));
        for limit in [3_000, 20_000] {
            let found = read_pages(&history, (1, day(from), day(to)), limit, &Snapshot::default(), &rows);
            assert!(found == expected, "from {from} to {to}, pages of {limit}");
        }
    }
}

#[test]
fn an_account_may_fill_more_than_a_row_group() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let ledger = ledger(150_000, u64::MAX);
    let rows = cut_all(&history, &ledger);
    let expected = ledger.statement(1, day(1), day(1));
    let found = read_pages(&history, (1, day(1), day(1)), 100_000, &Snapshot::default(), &rows);
    assert!(found == expected);
    history.verify(&rows[0]).unwrap();
}
