//! A day's vouchers, put together again from files that are sorted by account.

use domain::book::Side;
use domain::ids::{AccountId, VoucherId};
use domain::voucher::PostedEntry;
use history::{History, KeptVoucher, Tail, VouchersWanted};
use store::run::SegmentRow;

use crate::model::{Ledger, cut_all, day, publish};

/// 300 vouchers on day 0 between 7 accounts, and some on the next.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..300 {
        ledger.transfer(day(0), 1 + number % 7, 1 + (number * 3 + 1) % 7, 10 + i64::try_from(number).unwrap());
    }
    for number in 0..5 {
        ledger.transfer(day(1), 1 + number, 2 + number, 1);
    }
    ledger
}

/// A voucher's number, and of each entry the account, its number, its side and the amount.
type Told = (u64, Vec<(AccountId, u64, Side, i64)>);

/// What the list of all entries says of a day.
fn expected(ledger: &Ledger, number: i32) -> Vec<Told> {
    let of_day: Vec<&PostedEntry> = ledger.entries.iter().filter(|entry| entry.date == day(number)).collect();
    let vouchers = of_day.chunk_by(|a, b| a.voucher == b.voucher).map(|entries| {
        let entry = |entry: &&PostedEntry| (entry.account, entry.number, entry.side, entry.amount);
        let mut lines: Vec<_> = entries.iter().map(entry).collect();
        lines.sort_by_key(|(account, number, side, _)| (*side, *account, *number));
        (entries[0].voucher.0, lines)
    });
    vouchers.collect()
}

fn seen(vouchers: &[KeptVoucher]) -> Vec<Told> {
    let voucher = |voucher: &KeptVoucher| {
        let line = |entry: &history::voucher::KeptEntry| (entry.account, entry.number, entry.side, entry.amount);
        (voucher.id.0, voucher.entries.iter().map(line).collect())
    };
    vouchers.iter().map(voucher).collect()
}

/// All pages of `limit`; each before the last is full.
fn all(history: &History, rows: &[SegmentRow], limit: usize) -> Vec<KeptVoucher> {
    let mut whole: Vec<KeptVoucher> = Vec::new();
    loop {
        let after = whole.last().map_or(VoucherId(0), |voucher| voucher.id);
        let page = history.vouchers(rows, VouchersWanted { after, limit }).unwrap();
        assert!(page.vouchers.len() == limit || !page.more, "a page before the last is full");
        whole.extend(page.vouchers);
        if !page.more {
            return whole;
        }
    }
}

fn of_day(rows: &[SegmentRow], number: i32) -> Vec<SegmentRow> {
    rows.iter().filter(|row| row.date == day(number)).cloned().collect()
}

#[test]
fn every_voucher_of_a_day_comes_once_with_all_its_entries() {
    let directory = tempfile::tempdir().unwrap();
    let (history, ledger) = (History::new(directory.path()), ledger());
    let rows = cut_all(&history, &ledger);
    for number in 0..2 {
        for limit in [1, 7, 300, 1_000] {
            let found = all(&history, &of_day(&rows, number), limit);
            assert_eq!(seen(&found), expected(&ledger, number), "day {number}, {limit} a page");
            assert!(found.iter().all(|voucher| voucher.date == day(number)));
        }
    }
}

#[test]
fn pages_go_across_the_segments_of_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let (history, ledger, tail) = (History::new(directory.path()), ledger(), Tail::new());
    publish(&tail, &ledger.entries, 10);
    let mut rows = Vec::new();
    for (first, last) in [(1, 100), (101, 103), (104, 305)] {
        rows.extend(history.cut(tail.snapshot().chunks(), first..=last).unwrap());
    }
    let mut rows = of_day(&rows, 0);
    assert_eq!(rows.len(), 3);
    // The catalogue's order is not relied on.
    rows.reverse();
    for limit in [1, 99, 100, 101, 102, 103, 104, 299, 300, 301] {
        assert_eq!(seen(&all(&history, &rows, limit)), expected(&ledger, 0), "{limit} a page");
    }
}

#[test]
fn no_file_means_no_voucher() {
    let directory = tempfile::tempdir().unwrap();
    assert!(all(&History::new(directory.path()), &[], 10).is_empty());
}
