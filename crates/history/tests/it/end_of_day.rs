//! End-of-day files: all accounts, one account, and what is refused.

use domain::book::Subject;
use domain::ids::AccountId;
use domain::money::Currency;
use history::{DayBalance, History, HistoryError};
use store::run::{SegmentKind, SegmentRow};

use crate::model::day;

/// An account whose figures all differ.
fn balance(account: u64) -> DayBalance {
    let figure = i64::try_from(account).unwrap();
    let pick = usize::try_from(account).unwrap();
    DayBalance {
        account: AccountId(account),
        subject: Subject::ALL[pick % Subject::ALL.len()],
        currency: Currency::ALL[pick % Currency::ALL.len()],
        posted: -figure,
        held_out: 2 * figure,
        held_in: 3 * figure,
        frozen: 4 * figure,
        debit: 5 * figure,
        credit: 6 * figure,
        entries: 7 * account,
    }
}

#[test]
fn every_account_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    // Every third id, over more than one row group.
    let accounts: Vec<u64> = (1..=140_000).map(|number| 3 * number).collect();
    let row = history.write_end_of_day(day(0), 77, accounts.iter().copied().map(balance)).unwrap();
    let SegmentRow { path, kind, date, first_position, last_position, rows, min_account, max_account, .. } = &row;
    assert_eq!(path, "lake/end_of_day/dt=2026-03-05/run=77/part-0.parquet");
    assert_eq!((*kind, *date, *first_position, *last_position), (SegmentKind::EndOfDay, day(0), 0, 77));
    assert_eq!((*rows, *min_account, *max_account), (140_000, 3, 420_000));
    for (found, account) in history.day_balances(&row).unwrap().zip(&accounts) {
        assert_eq!(found.unwrap(), balance(*account));
    }
    assert_eq!(history.day_balances(&row).unwrap().count(), 140_000);
    for account in [3, 6, 6_144, 6_147, 393_216, 393_219, 420_000] {
        assert_eq!(history.day_balance(&row, AccountId(account)).unwrap(), Some(balance(account)), "{account}");
    }
    for account in [0, 1, 4, 6_145, 393_217, 420_001, u64::MAX] {
        assert_eq!(history.day_balance(&row, AccountId(account)).unwrap(), None, "{account}");
    }
    history.verify(&row).unwrap();
}

#[test]
fn a_day_without_accounts_is_a_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let row = history.write_end_of_day(day(0), 1, []).unwrap();
    assert_eq!(history.day_balance(&row, AccountId(0)).unwrap(), None);
    assert_eq!(history.day_balances(&row).unwrap().count(), 0);
    history.verify(&row).unwrap();
}

#[test]
fn accounts_out_of_order_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    for second in [1, 2] {
        let error = history.write_end_of_day(day(0), 1, [balance(2), balance(second)]).unwrap_err();
        assert!(matches!(error, HistoryError::Unsorted { before: AccountId(2), next } if next.0 == second));
    }
    assert!(!directory.path().join("lake/end_of_day/dt=2026-03-05/run=1/part-0.parquet").exists());
}
