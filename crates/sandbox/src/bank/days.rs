//! Clearing dates: the clock, what was done on each date, and the payments that come back.
//!
//! One lock holds the clock together with the days, so that nothing is added to a day after the clock has left it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::Date;
use jiff::{Span, Timestamp, tz};

use super::ClockError;
use super::ledger::{Entry, lock};
use super::names::{Rail, Serial, Verb};

/// Counts and sums of one date and rail, as the platform sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayTotals {
    /// How many bring the platform money.
    pub in_count: u64,
    /// Minor units.
    pub in_sum: i64,
    /// How many take money from it.
    pub out_count: u64,
    /// Minor units.
    pub out_sum: i64,
}

impl DayTotals {
    pub(crate) fn add(&mut self, inbound: bool, amount: i64) {
        let (count, sum) =
            if inbound { (&mut self.in_count, &mut self.in_sum) } else { (&mut self.out_count, &mut self.out_sum) };
        *count = count.checked_add(1).expect("memory ends before 64 bits do");
        *sum = sum.checked_add(amount).expect("a day has fewer than 90 million orders of the largest amount");
    }

    pub(crate) fn add_returns(&mut self, returned: &[Returned]) {
        for back in returned {
            self.add(true, back.amount);
        }
    }
}

/// One line of a clearing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileLine {
    pub(crate) serial: Serial,
    /// Nothing: a payment that came back.
    pub(crate) verb: Option<Verb>,
    pub(crate) amount: i64,
}

/// A payment that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) serial: Serial,
    pub(crate) rail: Rail,
    pub(crate) amount: i64,
    pub(crate) date: Date,
    /// Whether it is listed twice.
    pub(crate) twice: bool,
}

/// When a payment that was made comes back, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComesBack {
    pub(crate) after_days: u32,
    pub(crate) twice: bool,
}

/// One part of a day.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) lines: Vec<FileLine>,
    pub(crate) parts: usize,
    pub(crate) totals: DayTotals,
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// The clock has not left the date.
    NotReady,
    /// The file has fewer parts.
    NoPart,
}

#[derive(Debug)]
pub(crate) struct Days {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    now: Date,
    days: BTreeMap<(Date, Rail), Day>,
    /// How many payments succeeded.
    paid: u64,
    /// Payments that will come back, with the date.
    waiting: Vec<(Date, Returned)>,
    returned: Vec<Returned>,
    returned_serials: BTreeSet<Serial>,
}

#[derive(Debug, Default)]
struct Day {
    lines: Vec<FileLine>,
    totals: DayTotals,
}

impl Days {
    pub(crate) fn new(now: Date) -> Self {
        let inner = Inner {
            now,
            days: BTreeMap::new(),
            paid: 0,
            waiting: Vec::new(),
            returned: Vec::new(),
            returned_serials: BTreeSet::new(),
        };
        Self { inner: Mutex::new(inner) }
    }

    pub(crate) fn now(&self) -> Date {
        lock(&self.inner).now
    }

    /// Books what was done, under the date of the clock. `comes_back` is asked with the number of a payment, from 1.
    pub(crate) fn book(
        &self,
        entry: &Entry,
        comes_back: impl FnOnce(u64) -> Option<ComesBack>,
    ) -> (Date, Option<Returned>) {
        let mut inner = lock(&self.inner);
        let now = inner.now;
        if let Some(inbound) = entry.verb.inbound() {
            let line = FileLine { serial: entry.serial, verb: Some(entry.verb), amount: entry.amount };
            inner.push(entry.rail, inbound, line);
        }
        if entry.verb != Verb::Pay {
            return (now, None);
        }
        inner.paid = inner.paid.saturating_add(1);
        let Some(ComesBack { after_days, twice }) = comes_back(inner.paid) else { return (now, None) };
        let back = Returned { serial: entry.serial, rail: entry.rail, amount: entry.amount, date: now, twice };
        if after_days == 0 {
            return (now, inner.come_back(back));
        }
        inner.waiting.push((now.saturating_add(Span::new().days(after_days.min(36_500))), back));
        (now, None)
    }

    /// Moves the clock and lets come back what is due by then.
    pub(crate) fn set(&self, date: Date) -> Result<Vec<Returned>, ClockError> {
        let mut inner = lock(&self.inner);
        if date < inner.now {
            return Err(ClockError { now: inner.now, asked: date });
        }
        inner.now = date;
        Ok(inner.release(|due| due <= date))
    }

    /// Lets everything come back that will.
    pub(crate) fn return_all(&self) -> Vec<Returned> {
        lock(&self.inner).release(|_| true)
    }

    /// Lets one payment come back, once.
    pub(crate) fn return_now(&self, serial: Serial, rail: Rail, amount: i64) -> Option<Returned> {
        let mut inner = lock(&self.inner);
        let date = inner.now;
        inner.waiting.retain(|(_, back)| back.serial != serial);
        inner.come_back(Returned { serial, rail, amount, date, twice: false })
    }

    pub(crate) fn returned_on(&self, date: Date, rail: Rail) -> Vec<Returned> {
        let inner = lock(&self.inner);
        inner.returned.iter().filter(|back| back.date == date && back.rail == rail).copied().collect()
    }

    pub(crate) fn totals(&self, date: Date, rail: Rail) -> DayTotals {
        lock(&self.inner).days.get(&(date, rail)).map(|day| day.totals).unwrap_or_default()
    }

    /// One part of a day that is over; parts are counted from 1, and an empty day has one.
    pub(crate) fn part(&self, date: Date, rail: Rail, part: usize, lines_max: usize) -> Result<Part, NoFile> {
        let inner = lock(&self.inner);
        if date >= inner.now {
            return Err(NoFile::NotReady);
        }
        let empty = Day::default();
        let day = inner.days.get(&(date, rail)).unwrap_or(&empty);
        let parts = day.lines.len().div_ceil(lines_max).max(1);
        let index = part.checked_sub(1).filter(|index| *index < parts).ok_or(NoFile::NoPart)?;
        let lines = day.lines.chunks(lines_max).nth(index).unwrap_or_default().to_vec();
        Ok(Part { lines, parts, totals: day.totals })
    }
}

impl Inner {
    fn push(&mut self, rail: Rail, inbound: bool, line: FileLine) {
        let day = self.days.entry((self.now, rail)).or_default();
        day.totals.add(inbound, line.amount);
        day.lines.push(line);
    }

    fn come_back(&mut self, back: Returned) -> Option<Returned> {
        if !self.returned_serials.insert(back.serial) {
            return None;
        }
        let back = Returned { date: self.now, ..back };
        self.push(back.rail, true, FileLine { serial: back.serial, verb: None, amount: back.amount });
        self.returned.push(back);
        Some(back)
    }

    fn release(&mut self, due: impl Fn(Date) -> bool) -> Vec<Returned> {
        let (ripe, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(date, _)| due(*date));
        self.waiting = waiting;
        let ripe: Vec<(Date, Returned)> = ripe;
        ripe.into_iter().filter_map(|(_, back)| self.come_back(back)).collect()
    }
}

/// The date in China now, by the machine's clock.
#[must_use]
pub fn today() -> Date {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    tz::offset(8).to_datetime(Timestamp::from_second(seconds).unwrap_or_default()).date()
}
