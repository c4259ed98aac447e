//! Balances out of history: the end of the newest closed day and the entries of every day after it.
//!
//! Of an end-of-day file only `posted` and `entries` count here: `posted` is of the day's end, while `entries` was taken
//! when the file was written and may count entries of the next day, which is why the highest number seen wins.

use std::collections::BTreeMap;

use domain::account::Account;
use domain::book::Side;
use domain::business_day::{Day, DayStatus, Turnover};
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::restore::RestoredAccount;
use history::History;
use store::{SegmentKind, SegmentRow};

use crate::close::end_of_day;
use crate::load::LoadError;

/// What history says of one account.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    /// At the end of the newest closed day, on the side on which the account grows.
    posted: i64,
    /// Debits less credits after it.
    debits: i128,
    entries: u64,
}

/// What history says of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// By account id, which is dense.
    accounts: Vec<Sum>,
    /// By account id, of each day that is not closed.
    open: BTreeMap<Date, Vec<Turnover>>,
}

/// The place of an account in a list by id, with room made for it.
pub(crate) fn at<T: Default + Clone>(by_account: &mut Vec<T>, account: AccountId) -> &mut T {
    let slot = usize::try_from(account.0).expect("ids are given out densely, far below the size of memory");
    if by_account.len() <= slot {
        by_account.resize(slot + 1, T::default());
    }
    by_account.get_mut(slot).expect("made room above")
}

fn numbered<T>(by_account: &[T]) -> impl Iterator<Item = (AccountId, &T)> {
    (0..).map(AccountId).zip(by_account)
}

impl Sums {
    /// Adds up the committed files.
    pub(crate) fn read(history: &History, segments: &[SegmentRow], days: &[Day]) -> Result<Self, LoadError> {
        let mut sums = Self::default();
        let closed = days.iter().filter(|day| day.status == DayStatus::Closed).map(|day| day.date);
        let base = closed.filter_map(|date| end_of_day(segments, date)).max_by_key(|row| row.date);
        if let Some(base) = base {
            for balance in history.day_balances(base)? {
                let balance = balance?;
                let sum = at(&mut sums.accounts, balance.account);
                (sum.posted, sum.entries) = (balance.posted, balance.entries);
            }
        }
        for day in days.iter().filter(|day| day.status != DayStatus::Closed) {
            sums.open.insert(day.date, Vec::new());
        }
        let after = |row: &&SegmentRow| base.is_none_or(|base| row.date > base.date);
        for row in segments.iter().filter(|row| row.kind == SegmentKind::Entries).filter(after) {
            sums.add(history, row)?;
        }
        Ok(sums)
    }

    fn add(&mut self, history: &History, row: &SegmentRow) -> Result<(), LoadError> {
        let mut turnovers = self.open.get_mut(&row.date);
        for movement in history.movements(row)? {
            let movement = movement?;
            let (account, amount) = (movement.account, movement.amount);
            let sum = at(&mut self.accounts, account);
            sum.entries = sum.entries.max(movement.number);
            let mut turnover = turnovers.as_mut().map(|turnovers| at(turnovers, account));
            let column = match movement.side {
                Side::Debit => {
                    sum.debits += i128::from(amount);
                    turnover.as_mut().map(|turnover| &mut turnover.debit)
                }
                Side::Credit => {
                    sum.debits -= i128::from(amount);
                    turnover.as_mut().map(|turnover| &mut turnover.credit)
                }
            };
            if let Some(column) = column {
                *column = column.checked_add(amount).ok_or(LoadError::Amount(account))?;
            }
        }
        Ok(())
    }

    /// Every account that has entries, on the side on which it grows.
    pub(crate) fn balances(&self, accounts: &[(u64, Account)]) -> Result<Vec<RestoredAccount>, LoadError> {
        let sides: BTreeMap<u64, Side> = accounts.iter().map(|(id, account)| (*id, account.subject.side())).collect();
        let balance = |(account, sum): (AccountId, &Sum)| {
            let change = match sides.get(&account.0) {
                Some(Side::Credit) => -sum.debits,
                // An account without a row is refused by name where the balances are put in.
                Some(Side::Debit) | None => sum.debits,
            };
            let balance = i64::try_from(i128::from(sum.posted) + change).map_err(|_| LoadError::Amount(account))?;
            Ok(RestoredAccount { account, balance, entries: sum.entries })
        };
        numbered(&self.accounts).filter(|(_, sum)| sum.entries > 0).map(balance).collect()
    }

    /// What each account moved on each day that is not closed.
    pub(crate) fn turnovers(&self) -> impl Iterator<Item = (Date, AccountId, Turnover)> {
        self.open.iter().flat_map(|(date, turnovers)| {
            let moved = numbered(turnovers).filter(|(_, turnover)| **turnover != Turnover::default());
            moved.map(|(account, turnover)| (*date, account, *turnover))
        })
    }
}
