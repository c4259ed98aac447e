//! Closing a day: what the state says of it once it is sealed, and what history says of the same day.
//!
//! ```text
//!  SealDay ─► snapshot(state) ─► checks of the state ─────────────┐
//!                 └ balances ─► check_history(files of the day) ──┴─► CloseDay
//!                         └───► end-of-day file
//! ```
//! The next day goes on all the while, so a snapshot has figures of two moments. `posted`, `debit` and `credit` are the
//! day's: what later days moved is taken off. `held_out`, `held_in`, `frozen` and `entries` have no date; they are as of
//! the snapshot, at or after the seal.

use std::collections::{BTreeMap, BTreeSet};

use domain::State;
use domain::book::Side;
use domain::business_day::CheckResult;
use domain::calendar::Date;
use domain::ids::{AccountId, VoucherId};
use domain::trial_balance::{TrialBalance, TrialLine};
use domain::{Refusal, RefusalCode, checks};
use history::{DayBalance, History, HistoryError, StatementQuery, Tail};
use store::{SegmentKind, SegmentRow};

/// How many breaks a check names.
const BREAKS_SHOWN: usize = 20;

/// What the writer's state says of a sealed day.
#[derive(Debug, Clone)]
pub struct DaySnapshot {
    /// The day.
    pub date: Date,
    /// The position it was sealed at.
    pub sealed: u64,
    /// The position of the state looked at.
    pub position: u64,
    /// Every account: amounts and turnovers at its end, holds, freezes and entry numbers at `position`.
    pub balances: Vec<DayBalance>,
    /// The checks that the state alone answers.
    pub checks: Vec<CheckResult>,
}

/// Looks at a sealed day in the state.
///
/// # Errors
/// `day_state` unless it is sealed and not closed.
pub fn snapshot(state: &State, date: Date) -> Result<DaySnapshot, Refusal> {
    let sealed = state.days.get(date).and_then(|day| day.sealed);
    let not_sealed = || Refusal::new(RefusalCode::DayState, "date", format!("{date} is not sealed"));
    let sealed = sealed.ok_or_else(not_sealed)?;
    let mut balances = Vec::new();
    for (_, account) in state.accounts.iter() {
        let turnover = state.days.turnover(account.id, date).ok_or_else(not_sealed)?;
        balances.push(DayBalance {
            account: account.id,
            subject: account.subject,
            currency: account.currency,
            posted: state.days.closing(account, date).ok_or_else(not_sealed)?,
            held_out: account.held_out,
            held_in: account.rare.held_in,
            frozen: account.rare.frozen,
            debit: turnover.debit,
            credit: turnover.credit,
            entries: account.entries,
        });
    }
    Ok(DaySnapshot { date, sealed, position: state.position, balances, checks: checks::run(state, date) })
}

/// Which days were sealed so far, for a walk over the journal.
#[derive(Debug, Default)]
pub(crate) struct Seals(BTreeMap<Date, u64>);

impl Seals {
    /// The days that a batch sealed, the first time or again.
    pub(crate) fn take(&mut self, state: &State) -> Vec<Date> {
        let sealed = |date: Date| state.days.get(date).and_then(|day| day.sealed).map(|sealed| (date, sealed));
        let mut new = Vec::new();
        for (date, sealed) in state.days.open_days().filter_map(sealed) {
            if self.0.insert(date, sealed) != Some(sealed) {
                new.push(date);
            }
        }
        new
    }
}

/// The end-of-day file of `date` that counts: that of its last seal.
#[must_use]
pub fn end_of_day(rows: &[SegmentRow], date: Date) -> Option<&SegmentRow> {
    let ends = rows.iter().filter(|row| row.kind == SegmentKind::EndOfDay && row.date == date);
    ends.max_by_key(|row| row.last_position)
}

/// The trial balance of a day from its end-of-day file.
///
/// # Errors
/// A file that does not read.
pub fn trial_balance(history: &History, end: &SegmentRow) -> Result<TrialBalance, HistoryError> {
    let line = |balance: DayBalance| TrialLine {
        subject: balance.subject,
        currency: balance.currency,
        debit: balance.debit.into(),
        credit: balance.credit.into(),
        closing: balance.posted.into(),
    };
    let lines: Result<Vec<TrialLine>, _> = history.day_balances(end)?.map(|balance| balance.map(line)).collect();
    Ok(TrialBalance::of_accounts(end.date, lines?))
}

/// Compares every account of the snapshot with its history: the last end of day before it and the committed entries since.
/// A break names the account and the vouchers that moved it on the day.
///
/// # Errors
/// Files that do not read.
pub fn check_history(
    history: &History,
    rows: &[SegmentRow],
    snapshot: &DaySnapshot,
) -> Result<CheckResult, HistoryError> {
    let (mut told, entries) = told(history, rows, snapshot.date)?;
    let mut breaks = Vec::new();
    let mut vouchers = BTreeSet::new();
    for balance in &snapshot.balances {
        let Told { base, between, debit, credit } = told.remove(&balance.account).unwrap_or_default();
        let posted = base + change(balance.subject.side(), between + debit, credit);
        let found = (posted, debit, credit);
        let expected = (i128::from(balance.posted), i128::from(balance.debit), i128::from(balance.credit));
        if found != expected {
            breaks.push(format!(
                "{}: books say {expected:?}, history says {found:?} (balance, debits, credits)",
                balance.account
            ));
            if breaks.len() <= BREAKS_SHOWN {
                vouchers.extend(vouchers_of(history, rows, balance, snapshot.date)?);
            }
        }
    }
    breaks.extend(told.keys().map(|account| format!("{account}: history has it, the books do not")));
    let detail = if breaks.is_empty() {
        format!("{} accounts equal their history; {entries} entries on the day", snapshot.balances.len())
    } else {
        breaks.truncate(BREAKS_SHOWN);
        breaks.join("; ")
    };
    let name = "balances_equal_history".to_owned();
    let vouchers = vouchers.into_iter().take(BREAKS_SHOWN).collect();
    Ok(CheckResult { name, holds: breaks.is_empty(), detail, vouchers, waived: None })
}

/// The vouchers by which an account that breaks moved on the day, of many the first: where to look.
fn vouchers_of(
    history: &History,
    rows: &[SegmentRow],
    balance: &DayBalance,
    date: Date,
) -> Result<Vec<VoucherId>, HistoryError> {
    let (account, side) = (balance.account, balance.subject.side());
    let query = StatementQuery { account, side, from: date, to: date, after: None, limit: BREAKS_SHOWN };
    let statement = history.statement(&query, &Tail::new().snapshot(), rows)?;
    Ok(statement.lines.iter().map(|line| line.entry.voucher).collect())
}

/// What files tell of one account.
#[derive(Default)]
struct Told {
    /// Its balance at the last end of day before.
    base: i128,
    /// Debits less credits of days between, which are not closed yet.
    between: i128,
    /// The day's debits.
    debit: i128,
    /// The day's credits.
    credit: i128,
}

/// What files tell of every account, and how many entries bear the date.
fn told(history: &History, rows: &[SegmentRow], date: Date) -> Result<(BTreeMap<AccountId, Told>, u64), HistoryError> {
    let mut told: BTreeMap<AccountId, Told> = BTreeMap::new();
    let mut entries = 0;
    // Of a day whose checks failed a file may be there that an adjustment came after: what it does not hold is added.
    let ends = rows.iter().filter(|row| row.kind == SegmentKind::EndOfDay && row.date < date);
    let end = ends.max_by_key(|row| (row.date, row.last_position));
    if let Some(end) = end {
        for balance in history.day_balances(end)? {
            let balance = balance?;
            told.entry(balance.account).or_default().base = i128::from(balance.posted);
        }
    }
    let holds =
        |row: &SegmentRow, position: u64| end.is_some_and(|end| row.date <= end.date && position <= end.last_position);
    let since = |row: &&SegmentRow| row.kind == SegmentKind::Entries && !holds(row, row.last_position);
    for row in rows.iter().filter(since).filter(|row| row.date <= date) {
        for movement in history.movements(row)? {
            let movement = movement?;
            if holds(row, movement.voucher.0) {
                continue;
            }
            let (told, amount) = (told.entry(movement.account).or_default(), i128::from(movement.amount));
            match (row.date == date, movement.side) {
                (true, Side::Debit) => told.debit += amount,
                (true, Side::Credit) => told.credit += amount,
                (false, Side::Debit) => told.between += amount,
                (false, Side::Credit) => told.between -= amount,
            }
            entries += u64::from(row.date == date);
        }
    }
    Ok((told, entries))
}

/// What a day's turnover does to a balance that grows on `side`.
fn change(side: Side, debit: i128, credit: i128) -> i128 {
    match side {
        Side::Debit => debit - credit,
        Side::Credit => credit - debit,
    }
}
