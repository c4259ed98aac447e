//! Closing a day: what the state says at the seal, and what history says of the same day.

use std::collections::BTreeMap;

use domain::State;
use domain::book::Side;
use domain::business_day::CheckResult;
use domain::calendar::Date;
use domain::trial_balance::{TrialBalance, TrialLine};
use domain::{Refusal, RefusalCode, checks};
use history::{DayBalance, History, HistoryError};
use store::{SegmentKind, SegmentRow};

/// What the writer's state says of a sealed day.
#[derive(Debug, Clone)]
pub struct DaySnapshot {
    /// The day.
    pub date: Date,
    /// The position it was sealed at.
    pub sealed: u64,
    /// The position of the state looked at.
    pub position: u64,
    /// Every account at its end.
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
            held_in: account.held_in,
            frozen: account.frozen,
            debit: turnover.debit,
            credit: turnover.credit,
            entries: account.entries,
        });
    }
    Ok(DaySnapshot { date, sealed, position: state.position, balances, checks: checks::run(state, date) })
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

/// Compares every account of the snapshot with its history: the end of the day before and the committed entries of the day.
///
/// # Errors
/// Files that do not read.
pub fn check_history(
    history: &History,
    rows: &[SegmentRow],
    snapshot: &DaySnapshot,
) -> Result<CheckResult, HistoryError> {
    let mut sums: BTreeMap<u64, (i128, i128, i128)> = BTreeMap::new();
    let mut entries = 0_u64;
    let ends = rows.iter().filter(|row| row.kind == SegmentKind::EndOfDay && row.date < snapshot.date);
    if let Some(end) = ends.max_by_key(|row| (row.date, row.last_position)) {
        for balance in history.day_balances(end)? {
            let balance = balance?;
            sums.entry(balance.account.0).or_default().0 += i128::from(balance.posted);
        }
    }
    for row in rows.iter().filter(|row| row.kind == SegmentKind::Entries && row.date == snapshot.date) {
        for movement in history.movements(row)? {
            let movement = movement?;
            let sum = sums.entry(movement.account.0).or_default();
            match movement.side {
                Side::Debit => sum.1 += i128::from(movement.amount),
                Side::Credit => sum.2 += i128::from(movement.amount),
            }
            entries += 1;
        }
    }
    let breaks: Vec<String> = snapshot
        .balances
        .iter()
        .filter_map(|balance| {
            let (opening, debit, credit) = sums.get(&balance.account.0).copied().unwrap_or_default();
            let change = if balance.subject.side() == Side::Debit { debit - credit } else { credit - debit };
            let same = opening + change == i128::from(balance.posted)
                && debit == i128::from(balance.debit)
                && credit == i128::from(balance.credit);
            (!same).then(|| {
                format!("{}: books say {}, history says {}", balance.account, balance.posted, opening + change)
            })
        })
        .take(20)
        .collect();
    let detail = if breaks.is_empty() {
        format!("{} accounts equal their history; {entries} entries on the day", snapshot.balances.len())
    } else {
        breaks.join("; ")
    };
    let name = "balances_equal_history".to_owned();
    Ok(CheckResult { name, holds: breaks.is_empty(), detail, vouchers: Vec::new() })
}
