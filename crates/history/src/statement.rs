//! Account statements (账户明细): opening, lines with a running balance, closing, from files and tail together.
//!
//! ```text
//!  nearest end of day before `from` ─ + entries between ─► opening = EOD(from − 1)
//!                    lines by (date, entry number), each with opening + Σ so far ─► closing = EOD(to)
//! ```
//! An entry's stored balance follows the entry numbers; an adjustment dated earlier takes a later number, so a statement
//! adds up its own. A statement longer than `limit` is read page by page: every page shows the same opening and closing.
//!
//! An account in half of all entries has millions of lines a day. Of a long run of neighbouring entries off the page only
//! the first and the last are read: where no number is missing between them, their stored balances give the sum.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::book::Side;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::money::Minor;
use domain::voucher::PostedEntry;
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::entry::read_entries;
use crate::error::HistoryError;
use crate::lake_file::PAGE_ROWS;
use crate::reader::{File, Span};
use crate::segment::{Movement, read_movements};
use crate::tail::{Rows, Snapshot};

/// Which entries to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementQuery {
    /// The account.
    pub account: AccountId,
    /// The side on which the account grows.
    pub side: Side,
    /// The first accounting date.
    pub from: Date,
    /// The last accounting date. Before `from`, there are no lines.
    pub to: Date,
    /// Lines behind this one; `None` for the first page.
    pub after: Option<Cursor>,
    /// At most so many lines.
    pub limit: usize,
}

/// A place in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The accounting date.
    pub date: Date,
    /// The entry's number within the account.
    pub number: u64,
}

/// One entry of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The entry.
    pub entry: PostedEntry,
    /// Opening and every line up to this one, in minor units.
    pub balance: Minor,
}

/// A statement, or one page of it. Amounts are minor units on the side on which the account grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The account.
    pub account: AccountId,
    /// The first accounting date.
    pub from: Date,
    /// The last accounting date.
    pub to: Date,
    /// EOD(from − 1).
    pub opening: Minor,
    /// The lines of this page, by (date, entry number).
    pub lines: Vec<Line>,
    /// EOD(to): the opening and every line, also those of other pages.
    pub closing: Minor,
    /// How many lines there are on all pages.
    pub count: u64,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl History {
    /// The statement of an account over committed files and the tail.
    ///
    /// `tail` is the snapshot taken before the catalogue gave `rows`; `rows` holds every committed file dated `to` or
    /// before whose accounts may include this one (more do no harm).
    ///
    /// # Errors
    /// `Broken` for a file that is not what its row says, `Io`, `Parquet`, `Overflow`.
    pub fn statement(
        &self,
        query: &StatementQuery,
        tail: &Snapshot,
        rows: &[SegmentRow],
    ) -> Result<Statement, HistoryError> {
        let base = self.base(query.account, query.from, rows)?;
        let mut sources = Sources::new(query, &base, tail, rows);
        let mut walk = Walk::new(query, base.balance);
        while let Some((date, source)) = sources.by_date.pop_first() {
            let mut last = 0;
            for row in source.segments {
                last = self.walk_segment(&mut walk, &base, row, last)?;
            }
            // What a checkpoint has cut since the snapshot was taken is in a segment and in the tail.
            for part in source.tail {
                match part {
                    Part::Rows(rows) => walk_rows(&mut walk, &base, date, rows.without(|entry| entry.number <= last))?,
                    Part::Entry(entry) if entry.number > last => walk.tail(date, &[entry])?,
                    Part::Entry(_) => {}
                }
            }
        }
        walk.finish()
    }

    /// EOD of any day, past or current: the opening plus every entry dated `date` or before. Conditions as for
    /// [`Self::statement`].
    ///
    /// # Errors
    /// As for [`Self::statement`].
    pub fn balance_at(
        &self,
        account: AccountId,
        side: Side,
        date: Date,
        tail: &Snapshot,
        rows: &[SegmentRow],
    ) -> Result<Minor, HistoryError> {
        let after = date.plus_days(1);
        let query = StatementQuery { account, side, from: after, to: date, after: None, limit: 0 };
        self.statement(&query, tail, rows).map(|statement| statement.opening)
    }

    /// The newest end of day before `from`, if any.
    fn base(&self, account: AccountId, from: Date, rows: &[SegmentRow]) -> Result<Base, HistoryError> {
        let ends = rows.iter().filter(|row| row.kind == SegmentKind::EndOfDay && row.date < from);
        let Some(end) = ends.max_by_key(|row| (row.date, row.last_position)) else {
            return Ok(Base { end: None, balance: 0 });
        };
        let balance = self.day_balance(end, account)?.map_or(0, |balance| balance.posted);
        Ok(Base { end: Some((end.date, end.last_position)), balance })
    }

    /// Walks through one segment's rows of the account and returns the number of the last entry of the date so far.
    fn walk_segment(
        &self,
        walk: &mut Walk<'_>,
        base: &Base,
        row: &SegmentRow,
        mut last: u64,
    ) -> Result<u64, HistoryError> {
        let file = self.open(row)?;
        for span in file.locate(walk.query.account.0)? {
            let run = Run::read(&file, &span)?;
            if let Some(run) = run.as_ref().filter(|run| run.is_off_page(walk, base, row.date)) {
                last = ascending(row, last, &[run.first, run.last])?;
                walk.pass(row.date, run);
                continue;
            }
            for part in walk.parts(row.date, span, run.as_ref()) {
                last = walk_part(walk, base, row, &file, &part, last)?;
            }
        }
        Ok(last)
    }
}

fn walk_part(
    walk: &mut Walk<'_>,
    base: &Base,
    row: &SegmentRow,
    file: &File,
    span: &Span,
    last: u64,
) -> Result<u64, HistoryError> {
    let date = row.date;
    if walk.shows_all(date, span.rows.len()) {
        let entries = read_entries(file, span)?;
        let movements: Vec<Movement> = entries.iter().map(Movement::from).collect();
        walk.page(date, &movements)?.fill(walk, entries);
        return ascending(row, last, &movements);
    }
    if let Some(run) = Run::read(file, span)?
        && run.is_off_page(walk, base, date)
    {
        let last = ascending(row, last, &[run.first, run.last])?;
        walk.pass(date, &run);
        return Ok(last);
    }
    let mut movements = read_movements(file, span)?;
    let last = ascending(row, last, &movements)?;
    if date < walk.query.from {
        movements.retain(|movement| !base.holds(date, movement.voucher.0));
        walk.open(&movements);
        return Ok(last);
    }
    let page = walk.page(date, &movements)?;
    if !page.rows.is_empty() {
        let rows = span.rows.start + page.rows.start..span.rows.start + page.rows.end;
        page.fill(walk, read_entries(file, &Span { group: span.group, rows })?);
    }
    Ok(last)
}

/// Walks through an account's rows of a chunk whose entries are all of this date. What is off the page is passed by.
fn walk_rows(walk: &mut Walk<'_>, base: &Base, date: Date, mut rows: Rows<'_>) -> Result<(), HistoryError> {
    while !rows.is_empty() {
        if let Some(run) = Run::of(rows)
            && run.is_off_page(walk, base, date)
        {
            walk.pass(date, &run);
            return Ok(());
        }
        let (first, rest) = rows.split(FEW_ROWS);
        walk.tail(date, &first.iter().collect::<Vec<_>>())?;
        rows = rest;
    }
    Ok(())
}

/// Many neighbouring entries without a gap in their numbers, known by the first and the last.
struct Run {
    first: Movement,
    last: Movement,
    rows: u64,
}

impl Run {
    /// `None` for a short span and for one with gaps.
    fn read(file: &File, span: &Span) -> Result<Option<Self>, HistoryError> {
        if is_short(span.rows.len()) {
            return Ok(None);
        }
        let one = |row| read_movements(file, &Span { group: span.group, rows: row..row + 1 });
        let (first, last) = (one(span.rows.start)?, one(span.rows.end - 1)?);
        let rows = span.rows.len() as u64;
        let ends = first.first().zip(last.first()).map(|(first, last)| Self { first: *first, last: *last, rows });
        Ok(ends.filter(|run| run.last.number.checked_sub(run.first.number) == Some(rows - 1)))
    }

    /// The rows of a chunk; `None` if they are few and if there are gaps.
    fn of(rows: Rows<'_>) -> Option<Self> {
        let (first, last) = rows.ends().filter(|_| rows.len() > FEW_ROWS)?;
        let run = Self { first: first.into(), last: last.into(), rows: rows.len() as u64 };
        (run.last.number.checked_sub(run.first.number) == Some(run.rows - 1)).then_some(run)
    }

    /// Whether none of its entries is on the page, and all of them count.
    fn is_off_page(&self, walk: &Walk<'_>, base: &Base, date: Date) -> bool {
        if date < walk.query.from {
            return !base.holds(date, self.first.voucher.0);
        }
        let is_before = walk.query.after.is_some_and(|after| Cursor { date, number: self.last.number } <= after);
        is_before || walk.lines.len() >= walk.query.limit
    }
}

/// Rows in memory that are walked through at a time.
const FEW_ROWS: usize = 256;

/// As quickly read as a whole.
const fn is_short(rows: usize) -> bool {
    rows <= 2 * PAGE_ROWS
}

/// Entry numbers of one date rise from segment to segment; if not, two of them hold the same entries.
fn ascending(row: &SegmentRow, mut last: u64, movements: &[Movement]) -> Result<u64, HistoryError> {
    for movement in movements {
        if movement.number <= last {
            let what = format!("{} entry {} comes after entry {last}", movement.account, movement.number);
            return Err(HistoryError::broken(&row.path, None, what));
        }
        last = movement.number;
    }
    Ok(last)
}

/// The end of day that a statement begins with.
struct Base {
    /// Its date and the position of its seal.
    end: Option<(Date, u64)>,
    balance: Minor,
}

impl Base {
    /// Whether its balance includes the entries of a voucher.
    fn holds(&self, date: Date, position: u64) -> bool {
        self.end.is_some_and(|(end, sealed)| date <= end && position <= sealed)
    }
}

/// What there is of one date, in the order of entry numbers.
#[derive(Default)]
struct Source<'a> {
    segments: Vec<&'a SegmentRow>,
    tail: Vec<Part<'a>>,
}

/// A part of the tail.
enum Part<'a> {
    /// What a chunk of one date has of the account.
    Rows(Rows<'a>),
    /// An entry of a chunk of several dates.
    Entry(&'a PostedEntry),
}

struct Sources<'a> {
    by_date: BTreeMap<Date, Source<'a>>,
}

impl<'a> Sources<'a> {
    fn new(query: &StatementQuery, base: &Base, tail: &'a Snapshot, rows: &'a [SegmentRow]) -> Self {
        let mut by_date: BTreeMap<Date, Source<'a>> = BTreeMap::new();
        let account = query.account.0;
        for row in rows {
            let has_account = row.min_account <= account && account <= row.max_account;
            let is_wanted =
                row.date <= query.to.max(query.from.plus_days(-1)) && !base.holds(row.date, row.last_position);
            if row.kind == SegmentKind::Entries && has_account && is_wanted {
                by_date.entry(row.date).or_default().segments.push(row);
            }
        }
        let is_wanted = |date| date <= query.to.max(query.from.plus_days(-1));
        for chunk in tail.chunks() {
            let rows = chunk.of(query.account);
            if let Some(date) = chunk.date() {
                let rows = rows.without(|entry| base.holds(date, entry.voucher.0));
                if is_wanted(date) && !rows.is_empty() {
                    by_date.entry(date).or_default().tail.push(Part::Rows(rows));
                }
                continue;
            }
            for entry in rows.iter().filter(|entry| is_wanted(entry.date) && !base.holds(entry.date, entry.voucher.0)) {
                by_date.entry(entry.date).or_default().tail.push(Part::Entry(entry));
            }
        }
        for source in by_date.values_mut() {
            source.segments.sort_by_key(|row| row.first_position);
        }
        Self { by_date }
    }
}

/// Adds up entries in (date, number) order and picks the page.
struct Walk<'a> {
    query: &'a StatementQuery,
    opening: i128,
    balance: i128,
    count: u64,
    lines: Vec<Line>,
    more: bool,
}

/// Which of some movements are on the page, and the balances after them.
struct Page {
    rows: Range<usize>,
    balances: Vec<Minor>,
}

impl Page {
    fn fill(self, walk: &mut Walk<'_>, entries: Vec<PostedEntry>) {
        walk.lines.extend(entries.into_iter().zip(self.balances).map(|(entry, balance)| Line { entry, balance }));
    }
}

impl<'a> Walk<'a> {
    fn new(query: &'a StatementQuery, base: Minor) -> Self {
        let base = i128::from(base);
        Self { query, opening: base, balance: base, count: 0, lines: Vec::new(), more: false }
    }

    /// Whether so many lines of a date are on the page, whatever their numbers.
    fn shows_all(&self, date: Date, rows: usize) -> bool {
        let behind_cursor = self.query.after.is_none_or(|after| after.date < date);
        date >= self.query.from && behind_cursor && rows <= self.query.limit.saturating_sub(self.lines.len())
    }

    /// A long span cut before and behind the page, so that only the page's part need be read entry by entry.
    fn parts(&self, date: Date, span: Span, run: Option<&Run>) -> Vec<Span> {
        let rows = span.rows.len();
        let before_page = match (self.query.after, run) {
            _ if date < self.query.from || is_short(rows) => return vec![span],
            (Some(after), _) if after.date > date => rows,
            (Some(after), None) if after.date == date => return vec![span],
            (Some(after), Some(run)) if after.date == date => {
                usize::try_from(after.number.saturating_add(1).saturating_sub(run.first.number))
                    .map_or(rows, |skip| skip.min(rows))
            }
            (Some(_) | None, _) => 0,
        };
        let on_page = self.query.limit.saturating_sub(self.lines.len()).min(rows - before_page);
        let start = span.rows.start + before_page;
        let parts = [span.rows.start..start, start..start + on_page, start + on_page..span.rows.end];
        parts.into_iter().filter(|rows| !rows.is_empty()).map(|rows| Span { group: span.group, rows }).collect()
    }

    fn change(&self, movement: &Movement) -> i128 {
        let amount = i128::from(movement.amount);
        if movement.side == self.query.side { amount } else { -amount }
    }

    /// Movements before the first date.
    fn open(&mut self, movements: &[Movement]) {
        self.balance += movements.iter().map(|movement| self.change(movement)).sum::<i128>();
        self.opening = self.balance;
    }

    /// Many movements of a date, off the page.
    fn pass(&mut self, date: Date, run: &Run) {
        let before_first = i128::from(run.first.balance) - self.change(&run.first);
        self.balance += i128::from(run.last.balance) - before_first;
        if date < self.query.from {
            self.opening = self.balance;
        } else {
            self.count += run.rows;
            self.more |= self.query.after.is_none_or(|after| Cursor { date, number: run.last.number } > after);
        }
    }

    /// Movements of a date of the statement.
    fn page(&mut self, date: Date, movements: &[Movement]) -> Result<Page, HistoryError> {
        let mut page = Page { rows: 0..0, balances: Vec::new() };
        for (row, movement) in movements.iter().enumerate() {
            self.balance += self.change(movement);
            self.count += 1;
            if self.query.after.is_some_and(|after| Cursor { date, number: movement.number } <= after) {
                continue;
            }
            if self.lines.len() + page.balances.len() >= self.query.limit {
                self.more = true;
                continue;
            }
            if page.balances.is_empty() {
                page.rows.start = row;
            }
            page.rows.end = row + 1;
            page.balances.push(self.minor(self.balance)?);
        }
        Ok(page)
    }

    fn tail(&mut self, date: Date, entries: &[&PostedEntry]) -> Result<(), HistoryError> {
        let movements: Vec<Movement> = entries.iter().map(|entry| Movement::from(*entry)).collect();
        if date < self.query.from {
            self.open(&movements);
            return Ok(());
        }
        let page = self.page(date, &movements)?;
        let shown = entries.get(page.rows.clone()).unwrap_or_default();
        page.fill(self, shown.iter().map(|entry| (*entry).clone()).collect());
        Ok(())
    }

    fn minor(&self, sum: i128) -> Result<Minor, HistoryError> {
        Minor::try_from(sum).map_err(|_| HistoryError::Overflow { account: self.query.account, sum })
    }

    fn finish(self) -> Result<Statement, HistoryError> {
        let last = self.lines.last().map(|line| Cursor { date: line.entry.date, number: line.entry.number });
        Ok(Statement {
            account: self.query.account,
            from: self.query.from,
            to: self.query.to,
            opening: self.minor(self.opening)?,
            closing: self.minor(self.balance)?,
            count: self.count,
            next: if self.more { last.or(self.query.after) } else { None },
            lines: self.lines,
        })
    }
}
