//! An account with more entries than a page and than a row group of its file.

use domain::book::Side;
use history::{History, Snapshot, Tail};

use crate::model::{Ledger, SIDE, cut_all, day, publish, read_pages};

/// Entries of account 1 alone, every `gap`-th dated a day earlier.
fn ledger(entries: u64, gap: u64) -> Ledger {
    dated(entries, |number| number % gap == 0)
}

/// Entries of account 1 alone, those that `is_earlier` dated a day earlier.
fn dated(entries: u64, is_earlier: impl Fn(u64) -> bool) -> Ledger {
    let mut ledger = Ledger::default();
    let mut balance = 0;
    for number in 1..=entries {
        ledger.position += 1;
        let amount = i64::try_from(number % 97 + 1).unwrap();
        let side = if number % 3 == 0 { Side::Debit } else { Side::Credit };
        let date = day(if is_earlier(number) { 0 } else { 1 });
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
fn long_runs_in_the_tail_are_those_of_the_model() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let in_blocks = dated(9_000, |number| number / 1_000 % 2 == 1);
    for ledger in [ledger(9_000, u64::MAX), ledger(9_000, 3), in_blocks] {
        let mut cut = Ledger { position: 4_321, ..Ledger::default() };
        cut.entries.extend_from_slice(&ledger.entries[..4_321]);
        let rows = cut_all(&history, &cut);
        // All in memory; and a part in a segment as well, as after a checkpoint that the tail has not heard of.
        for (rows, chunk) in [(&[][..], 999), (&[], 5_000), (&rows[..], 500)] {
            let tail = Tail::new();
            publish(&tail, &ledger.entries, chunk);
            for (from, to) in [(0, 0), (1, 1), (0, 1), (2, 2)] {
                let expected = ledger.statement(1, day(from), day(to));
                for limit in [100, 2_500, 9_000] {
                    let found = read_pages(&history, (1, day(from), day(to)), limit, &tail.snapshot(), rows);
                    assert!(found == expected, "from {from} to {to}, pages of {limit}, chunks of {chunk}");
                }
            }
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
