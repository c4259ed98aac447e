//! Checks a committed file against its row in the catalogue: the bytes, the rows, their order, the chain of balances.
//!
//! Within an account, entry n + 1 leaves the balance after entry n plus or minus its amount, always with the same sign
//! for the same side. The first break is named with its file and, where it can be told, its row.

use domain::book::Side;
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::entry;
use crate::error::HistoryError;
use crate::reader::check_bytes;
use crate::segment::Movement;
use parquet::data_type::Int32Type;

impl History {
    /// Checks one committed file from its first byte to its last row.
    ///
    /// # Errors
    /// `Broken` with the first break; `Io`, `Parquet` if it cannot be read.
    pub fn verify(&self, row: &SegmentRow) -> Result<(), HistoryError> {
        check_bytes(&self.directory, row)?;
        match row.kind {
            SegmentKind::Entries => self.verify_entries(row),
            SegmentKind::EndOfDay => self.verify_end_of_day(row),
        }
    }

    fn verify_entries(&self, row: &SegmentRow) -> Result<(), HistoryError> {
        let mut chain = Chain::default();
        let mut bounds = Bounds::default();
        for movement in self.movements(row)? {
            let movement = movement?;
            bounds.see(movement.account.0);
            let position = movement.voucher.0;
            let checked = if position < row.first_position || row.last_position < position {
                Err(format!("position {position} is outside {}–{}", row.first_position, row.last_position))
            } else {
                chain.see(&movement)
            };
            checked.map_err(|what| HistoryError::broken(&row.path, Some(bounds.rows - 1), what))?;
        }
        self.verify_dates(row)?;
        bounds.check(row)
    }

    fn verify_dates(&self, row: &SegmentRow) -> Result<(), HistoryError> {
        let file = self.open(row)?;
        for group in 0..file.groups() {
            let dates = file.read::<Int32Type>(group, 0..file.rows(group), entry::DATE)?;
            if let Some(at) = dates.iter().position(|date| *date != row.date.0) {
                let what = format!("its date is {}, the file's {}", domain::calendar::Date(dates[at]), row.date);
                return Err(HistoryError::broken(&row.path, Some(file.first_row(group) + at as u64), what));
            }
        }
        Ok(())
    }

    fn verify_end_of_day(&self, row: &SegmentRow) -> Result<(), HistoryError> {
        let mut bounds = Bounds::default();
        let mut before = None;
        for balance in self.day_balances(row)? {
            let account = balance?.account;
            bounds.see(account.0);
            if before.is_some_and(|before| before >= account) {
                let what = format!("{account} comes after {before:?}");
                return Err(HistoryError::broken(&row.path, Some(bounds.rows - 1), what));
            }
            before = Some(account);
        }
        bounds.check(row)
    }
}

/// What the catalogue says of a file, counted again.
#[derive(Default)]
struct Bounds {
    rows: u64,
    lowest: Option<u64>,
    highest: u64,
}

impl Bounds {
    fn see(&mut self, account: u64) {
        self.rows += 1;
        self.lowest = Some(self.lowest.map_or(account, |lowest| lowest.min(account)));
        self.highest = self.highest.max(account);
    }

    fn check(&self, row: &SegmentRow) -> Result<(), HistoryError> {
        let found = (self.rows, self.lowest.unwrap_or(0), self.highest);
        let expected = (row.rows, row.min_account, row.max_account);
        if found == expected {
            return Ok(());
        }
        let what = format!("(rows, lowest account, highest account) are {found:?}, the catalogue says {expected:?}");
        Err(HistoryError::broken(&row.path, None, what))
    }
}

/// Follows the entries of one account after another.
#[derive(Default)]
pub(crate) struct Chain {
    before: Option<Movement>,
    /// The side on which the current account grows, once an entry has shown it.
    grows_on: Option<Side>,
}

impl Chain {
    pub(crate) fn see(&mut self, movement: &Movement) -> Result<(), String> {
        let account = movement.account;
        if movement.amount <= 0 {
            return Err(format!("the amount of {account} entry {} is {}", movement.number, movement.amount));
        }
        let before = match self.before {
            Some(before) if before.account == account => Some(before),
            Some(before) if before.account > account => {
                return Err(format!("{account} comes after {}", before.account));
            }
            Some(_) | None => {
                self.grows_on = None;
                None
            }
        };
        if let Some(before) = before.filter(|before| before.number >= movement.number) {
            return Err(format!("{account} entry {} comes after entry {}", movement.number, before.number));
        }
        let balance_before = match before {
            Some(before) if before.number + 1 == movement.number => Some(before.balance),
            _ if movement.number == 1 => Some(0),
            Some(_) | None => None,
        };
        self.before = Some(*movement);
        balance_before.map_or(Ok(()), |balance| self.check_balance(movement, i128::from(balance)))
    }

    fn check_balance(&mut self, movement: &Movement, before: i128) -> Result<(), String> {
        let change = i128::from(movement.balance) - before;
        let amount = i128::from(movement.amount);
        let shown = match change {
            _ if change == amount => Some(movement.side),
            _ if change == -amount => Some(movement.side.opposite()),
            _ => None,
        };
        let grows_on = *self.grows_on.get_or_insert(shown.unwrap_or(movement.side));
        if shown == Some(grows_on) {
            return Ok(());
        }
        let Movement { account, number, side, amount, balance, .. } = movement;
        let side = side.name();
        Err(format!("{account} entry {number}: {before} and a {side} of {amount} do not make {balance}"))
    }
}
