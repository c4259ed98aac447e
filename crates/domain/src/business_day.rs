//! The accounting day (会计日) and its cut (日切), which never stops the posting.
//!
//! ```text
//!  OPEN(D) ─ CutDay ─► CUTTING(D), OPEN(D+1) ─ SealDay ─► sealed at a position ─ CloseDay ─► CLOSED(D)
//!                          ▲                         │                └ a check fails: stays, D+1 goes on
//!                          └─ adjusted: the seal is off ┘                 └ waived: sealed at the same position again
//! ```
//! The writer stamps the date when it posts. Each open day has a column of turnovers by account and by subject, so the
//! balance at the end of an open day is the balance now less what later days moved. Beside the accounts stands a general
//! ledger by subject, kept by its own additions: the checks at close compare the two (总分核对).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::book::{Side, Subject};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, ApprovalId, VoucherId};
use crate::index::Index;
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::restore::RestoreError;
use crate::state::State;
use crate::table::Table;
use crate::voucher::Entry;

#[cfg(test)]
mod tests;

/// How many days may be open (or cut and not closed) at once.
pub const MAX_OPEN_DAYS: usize = 7;

/// Where an accounting day stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DayStatus {
    /// Takes every posting.
    #[n(0)]
    Open,
    /// Cut: the next day takes the postings.
    #[n(1)]
    Cutting,
    /// Closed for ever.
    #[n(2)]
    Closed,
}

/// One check at close and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CheckResult {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Whether it holds.
    #[n(1)]
    pub holds: bool,
    /// What was compared, or where it breaks.
    #[n(2)]
    pub detail: String,
    /// The vouchers that break it.
    #[n(3)]
    pub vouchers: Vec<VoucherId>,
    /// The approval that lets the day close in spite of it.
    #[n(4)]
    pub waived: Option<ApprovalId>,
}

impl CheckResult {
    /// Whether it keeps the day from closing.
    #[must_use]
    pub const fn is_break(&self) -> bool {
        !self.holds && self.waived.is_none()
    }
}

/// An accounting day.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Day {
    /// Its date.
    #[n(0)]
    pub date: Date,
    /// Where it stands.
    #[n(1)]
    pub status: DayStatus,
    /// When it was opened.
    #[n(2)]
    pub opened_at: Time,
    /// When it was cut.
    #[n(3)]
    pub cut_at: Option<Time>,
    /// The position behind which no voucher bears its date.
    #[n(4)]
    pub sealed: Option<u64>,
    /// The checks of its last try to close.
    #[n(5)]
    pub checks: Vec<CheckResult>,
    /// The position of the last run, if a check failed there and nothing was sealed or adjusted since.
    #[n(6)]
    pub failed_at: Option<u64>,
}

/// What one day moved on one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turnover {
    /// Sum of debits.
    pub debit: Minor,
    /// Sum of credits.
    pub credit: Minor,
}

/// What one day moved on one subject in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerTurnover {
    /// Sum of debits.
    pub debit: i128,
    /// Sum of credits.
    pub credit: i128,
}

#[derive(Debug, Clone, Default)]
struct Column {
    accounts: Table<Turnover>,
    ledger: Table<LedgerTurnover>,
}

impl Column {
    fn is_same(&self, other: &Self) -> bool {
        moved(&self.accounts).eq(moved(&other.accounts)) && moved(&self.ledger).eq(moved(&other.ledger))
    }
}

/// The rows that are not all zero.
fn moved<V: Copy + Default + PartialEq>(table: &Table<V>) -> impl Iterator<Item = (u64, V)> {
    table.iter().map(|(id, value)| (id, *value)).filter(|(_, value)| *value != V::default())
}

/// The days and their columns.
#[derive(Debug, Clone, Default)]
pub struct Days {
    rows: Index<Date, Day>,
    /// Days not closed, oldest first, each with its column.
    open: Vec<(Date, usize)>,
    open_before: Vec<(Date, usize)>,
    columns: Vec<Column>,
    /// The general ledger: debits less credits by subject and currency.
    ledger: Table<i128>,
    dirty: Vec<Date>,
    dirty_before: usize,
}

fn ledger_slot(subject: Subject, currency: Currency) -> u64 {
    (subject.ordinal() * Currency::ALL.len() + currency as usize + 1) as u64
}

impl Days {
    /// The days of these rows; the columns of those not closed from `turnovers`, the general ledger from the accounts.
    pub(crate) fn restored(
        rows: Vec<Day>,
        accounts: &Table<Account>,
        turnovers: impl Iterator<Item = (Date, AccountId, Turnover)>,
    ) -> Result<Self, RestoreError> {
        let rows = Index::restored(rows.into_iter().map(|day| (day.date, day)));
        let is_open = |day: &Day| matches!(day.status, DayStatus::Open | DayStatus::Cutting);
        let open = rows.iter().filter(|(_, day)| is_open(day)).map(|(date, _)| *date).zip(0..).collect::<Vec<_>>();
        let mut columns = Vec::new();
        columns.resize_with(open.len(), Column::default);
        let mut days = Self { rows, open, columns, ..Self::default() };
        for (date, account, turnover) in turnovers {
            let account = accounts.get(account.0).ok_or(RestoreError::AccountUnknown { account })?;
            let slot = days.slot(date).ok_or(RestoreError::DayNotOpen { date, account: account.id })?;
            let column = days.columns.get_mut(slot).ok_or(RestoreError::DayNotOpen { date, account: account.id })?;
            let at = ledger_slot(account.subject, account.currency);
            let mut day = column.ledger.get(at).copied().unwrap_or_default();
            day.debit += i128::from(turnover.debit);
            day.credit += i128::from(turnover.credit);
            column.ledger.put(at, day);
            column.accounts.put(account.id.0, turnover);
        }
        for (_, account) in accounts.iter() {
            let at = ledger_slot(account.subject, account.currency);
            let debits = match account.subject.side() {
                Side::Debit => i128::from(account.balance),
                Side::Credit => -i128::from(account.balance),
            };
            days.ledger.put(at, days.ledger.get(at).copied().unwrap_or_default() + debits);
        }
        Ok(days)
    }

    /// Whether all figures are those of `other`; where the columns lie does not matter.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.rows.iter().eq(other.rows.iter())
            && self.open_days().eq(other.open_days())
            && moved(&self.ledger).eq(moved(&other.ledger))
            && self.open.iter().zip(&other.open).all(|((_, own), (_, others))| {
                self.columns.get(*own).zip(other.columns.get(*others)).is_some_and(|(own, others)| own.is_same(others))
            })
    }

    /// The day that takes the postings.
    #[must_use]
    pub fn current(&self) -> Option<Date> {
        self.open.last().map(|(date, _)| *date)
    }

    /// Days not closed, oldest first.
    pub fn open_days(&self) -> impl Iterator<Item = Date> + '_ {
        self.open.iter().map(|(date, _)| *date)
    }

    /// The day of a date.
    #[must_use]
    pub fn get(&self, date: Date) -> Option<&Day> {
        self.rows.get(&date)
    }

    /// The accounting day before a date.
    #[must_use]
    pub fn before(&self, date: Date) -> Option<Date> {
        self.rows.range(..date).next_back().map(|(before, _)| *before)
    }

    /// All days in order.
    pub fn iter(&self) -> impl Iterator<Item = &Day> {
        self.rows.iter().map(|(_, day)| day)
    }

    /// The date that a voucher posted now bears; `wanted` is what the caller expects.
    ///
    /// # Errors
    /// `not_initialised`; `day_closed` and `day_not_open` if `wanted` is another day.
    pub fn posting_date(&self, wanted: Option<Date>) -> Result<Date, Refusal> {
        let current = self.current().ok_or_else(|| {
            Refusal::new(RefusalCode::NotInitialised, "date", "no accounting day is open; initialise the books first")
        })?;
        match wanted {
            Some(date) if date < current => {
                let message = format!("{date} takes no more vouchers; the open day is {current}");
                Err(Refusal::new(RefusalCode::DayClosed, "date", message))
            }
            Some(date) if date > current => {
                let message = format!("{date} has not begun; the open day is {current}");
                Err(Refusal::new(RefusalCode::DayNotOpen, "date", message))
            }
            Some(_) | None => Ok(current),
        }
    }

    /// Refuses to set `what`, such as `fees`, from an accounting day on that has passed.
    ///
    /// # Errors
    /// `value_invalid` of `from`.
    pub(crate) fn not_passed(&self, from: Date, what: &str) -> Result<(), Refusal> {
        let Some(today) = self.current().filter(|today| from < *today) else { return Ok(()) };
        let message = format!("{from} has passed; the accounting day is {today}: set {what} from it on or later");
        Err(Refusal::new(RefusalCode::ValueInvalid, "from", message))
    }

    pub(crate) fn slot(&self, date: Date) -> Option<usize> {
        self.open.iter().rev().find(|(open, _)| *open == date).map(|(_, slot)| *slot)
    }

    /// Whether the day's turnover of the account can take `amount` more on either side.
    pub(crate) fn check_turnover(&self, account: &Account, amount: Minor, date: Date) -> Option<()> {
        let turnover = self.columns.get(self.slot(date)?)?.accounts.get(account.id.0).copied().unwrap_or_default();
        turnover.debit.checked_add(amount)?;
        turnover.credit.checked_add(amount).map(|_| ())
    }

    pub(crate) fn turn_over(&mut self, slot: usize, account: &Account, entry: &Entry) {
        let amount = i128::from(entry.amount);
        let at = ledger_slot(account.subject, account.currency);
        let column = self.columns.get_mut(slot).expect("the day has its column");
        let turnover = column.accounts.change_or_put(account.id.0);
        let day = column.ledger.change_or_put(at);
        let total = self.ledger.change_or_put(at);
        match entry.side {
            Side::Debit => {
                turnover.debit += entry.amount;
                day.debit += amount;
                *total += amount;
            }
            Side::Credit => {
                turnover.credit += entry.amount;
                day.credit += amount;
                *total -= amount;
            }
        }
    }

    /// What `date` moved on an account; `None` for a closed day, whose figures lie in its end-of-day file.
    #[must_use]
    pub fn turnover(&self, account: AccountId, date: Date) -> Option<Turnover> {
        let column = self.columns.get(self.slot(date)?)?;
        Some(column.accounts.get(account.0).copied().unwrap_or_default())
    }

    /// The balance at the end of an open day, on the side on which the account grows; `None` for a closed day.
    #[must_use]
    pub fn closing(&self, account: &Account, date: Date) -> Option<Minor> {
        self.slot(date)?;
        let mut later = self.open.iter().filter(|(open, _)| *open > date);
        later.try_fold(account.balance, |balance, (_, slot)| {
            let turnover = self.columns.get(*slot)?.accounts.get(account.id.0).copied().unwrap_or_default();
            let debits = turnover.debit.checked_sub(turnover.credit)?;
            match account.subject.side() {
                Side::Debit => balance.checked_sub(debits),
                Side::Credit => balance.checked_add(debits),
            }
        })
    }

    /// The general ledger of an open day: debits less credits at its end, and the day's own turnover.
    #[must_use]
    pub fn ledger(&self, subject: Subject, currency: Currency, date: Date) -> Option<(i128, LedgerTurnover)> {
        let at = ledger_slot(subject, currency);
        let of =
            |slot: usize| self.columns.get(slot).and_then(|column| column.ledger.get(at)).copied().unwrap_or_default();
        let day = of(self.slot(date)?);
        let now = self.ledger.get(at).copied().unwrap_or_default();
        let later = self.open.iter().filter(|(open, _)| *open > date);
        Some((later.fold(now, |sum, (_, slot)| sum - of(*slot).debit + of(*slot).credit), day))
    }

    fn row(&self, date: Date) -> Result<&Day, Refusal> {
        self.rows.get(&date).ok_or_else(|| {
            let message = format!("{date} is not an accounting day of these books");
            Refusal::new(RefusalCode::DayNotOpen, "date", message)
        })
    }

    fn update(&mut self, date: Date, change: impl FnOnce(&mut Day)) {
        let mut day = self.rows.get(&date).expect("decide checked the day").clone();
        change(&mut day);
        self.dirty.push(date);
        self.rows.insert(date, day);
    }

    /// The days changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<Day> {
        let mut dates = core::mem::take(&mut self.dirty);
        dates.sort_unstable();
        dates.dedup();
        dates.into_iter().filter_map(|date| self.rows.get(&date).cloned()).collect()
    }

    pub(crate) fn begin(&mut self, recording: bool) {
        self.rows.begin(recording);
        self.ledger.begin(recording);
        self.open_before.clone_from(&self.open);
        self.dirty_before = self.dirty.len();
        for column in &mut self.columns {
            column.accounts.begin(recording);
            column.ledger.begin(recording);
        }
    }

    pub(crate) fn commit(&mut self) {
        self.rows.commit();
        self.ledger.commit();
        for column in &mut self.columns {
            column.accounts.commit();
            column.ledger.commit();
        }
    }

    pub(crate) fn rollback(&mut self) {
        self.rows.rollback();
        self.ledger.rollback();
        self.open.clone_from(&self.open_before);
        self.dirty.truncate(self.dirty_before);
        for column in &mut self.columns {
            column.accounts.rollback();
            column.ledger.rollback();
        }
    }
}

/// Cuts the day: the open one takes no more postings, `next` takes them from here on.
///
/// # Errors
/// `not_initialised`, `day_state` if `next` is not later, `too_many_open_days`.
pub fn decide_cut(draft: &mut Draft<'_>, next: Option<Date>) -> Result<Reply, Refusal> {
    let days = &draft.state.days;
    let date = days.posting_date(None)?;
    let next = next.unwrap_or(date.plus_days(1));
    if next <= date {
        let message = format!("the next day {next} must come after the open day {date}");
        return Err(Refusal::new(RefusalCode::DayState, "next", message));
    }
    if days.open.len() >= MAX_OPEN_DAYS {
        let message = format!("{MAX_OPEN_DAYS} days are not closed yet; close the oldest first");
        return Err(Refusal::new(RefusalCode::TooManyOpenDays, "next", message));
    }
    draft.emit(Event::DayCut { date, next });
    Ok(Reply::Day(next))
}

/// Ends the postings of a cut day: its checks run at this position.
///
/// # Errors
/// `day_not_open`, `day_state` unless the day is cut.
pub fn decide_seal(draft: &mut Draft<'_>, date: Date) -> Result<Reply, Refusal> {
    let day = draft.state.days.row(date)?;
    if day.status != DayStatus::Cutting {
        let message = format!("{date} is {:?}; only a cut day can be sealed", day.status);
        return Err(Refusal::new(RefusalCode::DayState, "date", message));
    }
    let position = draft.state.position;
    draft.emit(Event::DaySealed { date, position });
    Ok(Reply::Day(date))
}

/// Closes a sealed day with the checks that ran at its position. A check that fails keeps it as it is, unless two people
/// waived just this break of just this run.
///
/// # Errors
/// `day_not_open`, `day_state` unless the day is sealed at `position` and every earlier day is closed.
pub fn decide_close(
    draft: &mut Draft<'_>,
    date: Date,
    position: u64,
    mut checks: Vec<CheckResult>,
) -> Result<Reply, Refusal> {
    let days = &draft.state.days;
    let day = days.row(date)?;
    if day.status != DayStatus::Cutting || day.sealed != Some(position) {
        let message = format!("{date} is {:?}, sealed at {:?}; the checks ran at {position}", day.status, day.sealed);
        return Err(Refusal::new(RefusalCode::DayState, "date", message));
    }
    if let Some(earlier) = days.open_days().find(|open| *open < date) {
        let message = format!("{earlier} is not closed yet; close it before {date}");
        return Err(Refusal::new(RefusalCode::DayState, "date", message));
    }
    if checks.is_empty() {
        return Err(Refusal::new(
            RefusalCode::ChecksFailed,
            "checks",
            "no check was run; run the checks at close first",
        ));
    }
    for check in checks.iter_mut().filter(|check| !check.holds) {
        check.waived = waiver_of(day, position, check);
    }
    if !checks.iter().any(CheckResult::is_break) {
        draft.emit(Event::DayClosed { date, checks });
    } else {
        draft.emit(Event::DayChecksFailed { date, checks });
    }
    Ok(Reply::Day(date))
}

impl State {
    /// Whether a day that is not closed has a break: what moves the institution's own money waits for it.
    #[must_use]
    pub fn has_break(&self) -> bool {
        let days = self.days.open_days().filter_map(|date| self.days.get(date));
        days.flat_map(|day| &day.checks).any(CheckResult::is_break)
    }
}

/// The waiver of a break, given for the same run and the same text.
fn waiver_of(day: &Day, position: u64, found: &CheckResult) -> Option<ApprovalId> {
    let mut known = day.checks.iter().filter(|_| day.failed_at == Some(position));
    known.find(|known| known.name == found.name && known.detail == found.detail).and_then(|known| known.waived)
}

/// A day was opened, and the one before it, if any, cut.
pub(crate) fn apply_opened(state: &mut State, before: Option<Date>, date: Date) {
    let now = state.now;
    let days = &mut state.days;
    if let Some(before) = before {
        days.update(before, |day| {
            day.status = DayStatus::Cutting;
            day.cut_at = Some(now);
        });
    }
    let slot = (0..).find(|slot| days.open.iter().all(|(_, used)| used != slot)).unwrap_or_default();
    if slot >= days.columns.len() {
        days.columns.resize_with(slot + 1, Column::default);
    }
    if let Some(column) = days.columns.get_mut(slot) {
        *column = Column::default();
    }
    days.open.push((date, slot));
    days.rows.insert(
        date,
        Day {
            date,
            status: DayStatus::Open,
            opened_at: now,
            cut_at: None,
            sealed: None,
            checks: Vec::new(),
            failed_at: None,
        },
    );
    days.dirty.push(date);
}

/// A day was sealed at a position.
pub(crate) fn apply_sealed(state: &mut State, date: Date, position: u64) {
    state.days.update(date, |day| {
        day.sealed = Some(position);
        day.failed_at = None;
    });
}

/// A day's checks failed: a new seal and a new run are needed.
pub(crate) fn apply_checks_failed(state: &mut State, date: Date, checks: &[CheckResult]) {
    state.days.update(date, |day| {
        day.failed_at = day.sealed.take();
        day.checks = checks.to_vec();
    });
}

/// Failed checks of a run were waived: the day is as sealed as it was then.
pub(crate) fn apply_waived(state: &mut State, date: Date, position: u64, checks: &[String], approval: ApprovalId) {
    state.days.update(date, |day| {
        day.sealed = Some(position);
        for check in day.checks.iter_mut().filter(|check| check.is_break() && checks.contains(&check.name)) {
            check.waived = Some(approval);
        }
    });
}

/// A cut day got a voucher after its cut: what was sealed or waived of it and of later days counts no more.
pub(crate) fn apply_adjusted(state: &mut State, date: Date) {
    let later: Vec<Date> = state.days.open_days().filter(|open| *open >= date).collect();
    for date in later {
        state.days.update(date, |day| {
            (day.sealed, day.failed_at) = (None, None);
            day.checks.iter_mut().for_each(|check| check.waived = None);
        });
    }
}

/// A day was closed: its column is free for another.
pub(crate) fn apply_closed(state: &mut State, date: Date, checks: &[CheckResult]) {
    state.days.update(date, |day| {
        day.status = DayStatus::Closed;
        day.checks = checks.to_vec();
    });
    state.days.open.retain(|(open, _)| *open != date);
}
