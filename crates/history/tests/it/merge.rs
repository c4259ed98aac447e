//! Merging changes no answer: statements, balances, movements and vouchers are the same before, between and after.

use std::fs;
use std::path::Path;

use domain::ids::VoucherId;
use history::{History, HistoryError, KeptVoucher, Movement, Tail, VouchersWanted, merge};
use proptest::prelude::*;
use store::run::{SegmentKind, SegmentRow};

use crate::model::{Ledger, SIDE, cut_all, day, publish, read_pages};

const ACCOUNTS: u64 = 6;
const DAYS: i32 = 3;

/// The dates of a ledger, cut in pieces that end at some of its positions.
fn cut_in(history: &History, ledger: &Ledger, pieces: u64) -> Vec<SegmentRow> {
    let tail = Tail::new();
    publish(&tail, &ledger.entries, 7);
    let mut rows = Vec::new();
    for piece in 0..pieces {
        let (first, last) = (ledger.position * piece / pieces + 1, ledger.position * (piece + 1) / pieces);
        if first <= last {
            rows.extend(history.cut(tail.snapshot().chunks(), first..=last).unwrap());
        }
    }
    rows.sort_by_key(|row| (row.date, row.first_position));
    rows
}

/// Merges the first `files` neighbours of a date, from `skip` on; false if there are none.
fn merge_some(history: &History, rows: &mut Vec<SegmentRow>, number: i32, (skip, files): (usize, usize)) -> bool {
    let of_day: Vec<SegmentRow> = rows.iter().filter(|row| row.date == day(number)).cloned().collect();
    let Some(due) = of_day.get(skip..skip + files) else { return false };
    let merged = history.merge(due, || true).unwrap().unwrap();
    assert_eq!(merged.rows, due.iter().map(|row| row.rows).sum::<u64>());
    assert_eq!(merge::level(&merged), 1 + due.iter().map(merge::level).max().unwrap());
    history.verify(&merged).unwrap();
    rows.retain(|row| !due.contains(row));
    rows.push(merged);
    rows.sort_by_key(|row| (row.date, row.first_position));
    history.retire(due);
    assert_eq!(history.sweep().unwrap(), files);
    true
}

/// Everything that readers can ask, in an order that does not depend on the files.
type Answers = (Vec<history::Statement>, Vec<i64>, Vec<Vec<KeptVoucher>>, Vec<Movement>);

fn answers(history: &History, rows: &[SegmentRow], limit: usize) -> Answers {
    let nothing = Tail::new().snapshot();
    let (mut statements, mut balances, mut vouchers) = (Vec::new(), Vec::new(), Vec::new());
    for account in 0..=ACCOUNTS + 1 {
        for (from, to) in [(0, DAYS), (1, 1), (1, DAYS)] {
            statements.push(read_pages(history, (account, day(from), day(to)), limit, &nothing, rows));
        }
        for number in 0..DAYS {
            let account = domain::ids::AccountId(account);
            balances.push(history.balance_at(account, SIDE, day(number), &nothing, rows).unwrap());
        }
    }
    for number in 0..DAYS {
        let of_day: Vec<SegmentRow> = rows.iter().filter(|row| row.date == day(number)).cloned().collect();
        vouchers.push(all_vouchers(history, &of_day, limit));
    }
    let entries = rows.iter().filter(|row| row.kind == SegmentKind::Entries);
    let mut movements: Vec<Movement> =
        entries.flat_map(|row| history.movements(row).unwrap()).map(Result::unwrap).collect();
    movements.sort_by_key(|movement| (movement.account, movement.number));
    (statements, balances, vouchers, movements)
}

fn all_vouchers(history: &History, rows: &[SegmentRow], limit: usize) -> Vec<KeptVoucher> {
    let mut whole: Vec<KeptVoucher> = Vec::new();
    loop {
        let after = whole.last().map_or(VoucherId(0), |voucher| voucher.id);
        let page = history.vouchers(rows, VouchersWanted { after, limit }).unwrap();
        whole.extend(page.vouchers);
        if !page.more {
            return whole;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_answer_changes_however_segments_are_merged(
        transfers in proptest::collection::vec((0..DAYS, 1..=ACCOUNTS, 1..ACCOUNTS, 1_i64..1_000), 1..120),
        pieces in 2_u64..14,
        merges in proptest::collection::vec((0..DAYS, 0_usize..4, 2_usize..5), 1..6),
        limit in 1_usize..40,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (history, mut ledger) = (History::new(directory.path()), Ledger::default());
        for (date, from, step, amount) in transfers {
            ledger.transfer(day(date), from, (from + step - 1) % ACCOUNTS + 1, amount);
        }
        let mut rows = cut_in(&history, &ledger, pieces);
        let before = answers(&history, &rows, limit);
        for (number, skip, files) in merges {
            if merge_some(&history, &mut rows, number, (skip, files)) {
                prop_assert_eq!(&answers(&history, &rows, limit), &before);
            }
        }
        // A process that has seen none of it reads the same, and the model agrees.
        let fresh = History::new(directory.path());
        prop_assert_eq!(&answers(&fresh, &rows, limit), &before);
        for account in 1..=ACCOUNTS {
            let found = read_pages(&fresh, (account, day(0), day(DAYS)), limit, &Tail::new().snapshot(), &rows);
            prop_assert_eq!(found, ledger.statement(account, day(0), day(DAYS)));
        }
    }
}

fn ledger(vouchers: u64) -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..vouchers {
        ledger.transfer(day(0), 1 + number % 5, 1 + (number + 1 + number % 3) % 5, 7);
    }
    ledger
}

fn names(directory: &Path) -> Vec<String> {
    let folder = directory.join(format!("lake/entries/dt={}", day(0)));
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn merging_again_makes_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let rows = cut_in(&history, &ledger(300), 10);
    let first = history.merge(&rows, || true).unwrap().unwrap();
    let bytes = fs::read(directory.path().join(&first.path)).unwrap();
    let again = History::new(directory.path()).merge(&rows, || true).unwrap().unwrap();
    assert_eq!(again, first);
    assert_eq!(fs::read(directory.path().join(&again.path)).unwrap(), bytes);
}

#[test]
fn a_merge_that_is_stopped_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let rows = cut_in(&history, &ledger(300), 3);
    let before = names(directory.path());
    // Before the first row group, and before the end.
    for groups in 0..2 {
        let mut left = groups;
        let stopped = history.merge(&rows, || std::mem::replace(&mut left, 0) > 0).unwrap();
        assert_eq!(stopped, None);
        assert_eq!(names(directory.path()), before);
    }
}

#[test]
fn a_flipped_bit_is_not_merged_into_a_new_checksum() {
    let directory = tempfile::tempdir().unwrap();
    // The process that wrote a file does not compare it when it reads; to merge, it does.
    let history = History::new(directory.path());
    let rows = cut_in(&history, &ledger(300), 3);
    let path = directory.path().join(&rows[1].path);
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(101) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        fs::write(&path, damaged).unwrap();
        let Err(HistoryError::Broken(found)) = history.merge(&rows, || true) else { panic!("byte {at} was merged") };
        assert_eq!(found.path, rows[1].path);
        assert!(found.what.contains("CRC-32"), "{found}");
    }
    assert_eq!(names(directory.path()).len(), 3, "nothing was left of it");
}

#[test]
fn only_neighbours_of_one_date_in_order_are_merged_and_each_row_must_count() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let mut two_days = ledger(100);
    two_days.transfer(day(1), 1, 2, 5);
    let rows = cut_in(&history, &two_days, 4);
    let what = |rows: &[SegmentRow]| match history.merge(rows, || true) {
        Err(HistoryError::Broken(found)) => found.what,
        other => panic!("expected a break, got {other:?}"),
    };
    let other_date = [rows[0].clone(), rows.last().unwrap().clone()];
    assert!(what(&other_date).contains("its date is 2026-03-06"), "{}", what(&other_date));
    let backward = [rows[1].clone(), rows[0].clone()];
    assert!(what(&backward).contains("it begins at position 1"), "{}", what(&backward));
    let miscounted = [rows[0].clone(), SegmentRow { rows: rows[1].rows + 1, ..rows[1].clone() }];
    assert!(what(&miscounted).contains("the catalogue says"), "{}", what(&miscounted));
    let shifted = [rows[0].clone(), SegmentRow { last_position: rows[1].last_position - 1, ..rows[1].clone() }];
    assert!(what(&shifted).contains("is outside"), "{}", what(&shifted));
}

#[test]
fn what_was_merged_is_there_until_the_last_reader_who_may_know_of_it_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let ledger = ledger(300);
    let rows = cut_in(&history, &ledger, 4);
    let (early, nothing) = (history.reading(), Tail::new().snapshot());
    let merged = history.merge(&rows, || true).unwrap().unwrap();
    history.retire(&rows);
    let late = history.reading();
    assert_eq!(history.sweep().unwrap(), 0);
    let wanted = (1, day(0), day(0));
    let expected = ledger.statement(1, day(0), day(0));
    assert_eq!(read_pages(&history, wanted, 10, &nothing, &rows), expected);
    drop(early);
    assert_eq!(history.sweep().unwrap(), 4, "who began after the merge does not hold its files back");
    assert_eq!(read_pages(&history, wanted, 10, &nothing, std::slice::from_ref(&merged)), expected);
    drop(late);
    assert_eq!(names(directory.path()), ["seg-1-300-1.parquet"]);
    assert_eq!(history.sweep().unwrap(), 0);
}

#[test]
fn a_start_removes_what_a_crash_left_of_merges_and_nothing_that_it_knows_nothing_of() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let rows = cut_in(&history, &ledger(300), 4);
    let merged = history.merge(&rows, || true).unwrap().unwrap();
    let folder = directory.path().join(format!("lake/entries/dt={}", day(0)));
    for name in ["seg-1-200-1.parquet.part", "seg-301-400.parquet", "notes.txt"] {
        fs::write(folder.join(name), "x").unwrap();
    }
    // An empty catalogue knows no file: the store may be another one by mistake.
    assert_eq!(history.remove_orphans(&[]).unwrap(), 0);
    // Before the commit the merged one is too much, and what was not finished; after it, the four.
    assert_eq!(history.remove_orphans(&rows).unwrap(), 2);
    assert!(!directory.path().join(&merged.path).exists());
    let merged = history.merge(&rows, || true).unwrap().unwrap();
    assert_eq!(history.remove_orphans(std::slice::from_ref(&merged)).unwrap(), 4);
    // What comes behind is of a checkpoint that was lost: it is cut again.
    assert_eq!(names(directory.path()), ["notes.txt", "seg-1-300-1.parquet", "seg-301-400.parquet"]);
    history.verify(&merged).unwrap();
}

#[test]
fn a_file_says_how_often_its_entries_were_merged() {
    let directory = tempfile::tempdir().unwrap();
    let rows = cut_all(&History::new(directory.path()), &ledger(3));
    assert_eq!(merge::level(&rows[0]), 0);
    let named = |path: &str| merge::level(&SegmentRow { path: path.into(), ..rows[0].clone() });
    assert_eq!(named("lake/entries/dt=2026-03-05/seg-1-9-2.parquet"), 2);
    assert_eq!(named("lake/entries/dt=2026-03-05/seg-1-9.parquet"), 0);
}
