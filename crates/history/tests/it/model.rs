//! The obvious way: one list of entries in journal order, every answer found by walking through all of it.

use std::sync::Arc;

use domain::book::Side;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AccountId, VoucherId};
use domain::money::Minor;
use domain::voucher::{BusinessKind, BusinessNumber, EventCode, PostedEntry};
use history::{Chunk, History, Line, Snapshot, Statement, StatementQuery, Tail};
use store::run::SegmentRow;

/// All accounts of the model grow on the credit side.
pub(crate) const SIDE: Side = Side::Credit;

/// The day `number` of the model.
pub(crate) fn day(number: i32) -> Date {
    Date::new(2026, 3, 5).unwrap().plus_days(number)
}

/// Every entry ever posted.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<PostedEntry>,
    pub(crate) position: u64,
}

impl Ledger {
    /// A voucher of two entries. `from` is debited, `to` credited.
    pub(crate) fn transfer(&mut self, date: Date, from: u64, to: u64, amount: Minor) {
        self.position += 1;
        for (account, counterpart, side) in [(from, to, Side::Debit), (to, from, Side::Credit)] {
            let last = self.entries.iter().rev().find(|entry| entry.account.0 == account);
            let (number, before) = last.map_or((0, 0), |entry| (entry.number, entry.balance));
            self.push(date, (account, number + 1), side, amount, (before, counterpart));
        }
    }

    /// One entry whose number and balance before are known.
    pub(crate) fn push(
        &mut self,
        date: Date,
        (account, number): (u64, u64),
        side: Side,
        amount: Minor,
        (before, counterpart): (Minor, u64),
    ) {
        self.entries.push(PostedEntry {
            account: AccountId(account),
            number,
            voucher: VoucherId(self.position),
            posted_at: date.starts_at().plus_ms(i64::try_from(self.position).unwrap()),
            date,
            side,
            event: EventCode::Transfer,
            amount,
            balance: before + if side == SIDE { amount } else { -amount },
            counterpart: AccountId(counterpart),
            business: BusinessNumber::object(BusinessKind::Order, self.position),
            dimensions: None,
        });
    }

    /// EOD(date).
    pub(crate) fn balance_at(&self, account: u64, date: Date) -> Minor {
        let own = self.entries.iter().filter(|entry| entry.account.0 == account && entry.date <= date);
        own.map(|entry| if entry.side == SIDE { entry.amount } else { -entry.amount }).sum()
    }

    /// The statement without paging.
    pub(crate) fn statement(&self, account: u64, from: Date, to: Date) -> Statement {
        let own = self.entries.iter().filter(|entry| entry.account.0 == account);
        let mut shown: Vec<PostedEntry> = own.filter(|entry| from <= entry.date && entry.date <= to).cloned().collect();
        shown.sort_by_key(|entry| (entry.date, entry.number));
        let opening = self.balance_at(account, from.plus_days(-1));
        let mut balance = opening;
        let lines = shown.into_iter().map(|entry| {
            balance += if entry.side == SIDE { entry.amount } else { -entry.amount };
            Line { entry, balance }
        });
        let lines: Vec<Line> = lines.collect();
        let (closing, count) = (lines.last().map_or(opening, |line| line.balance), lines.len() as u64);
        Statement { account: AccountId(account), from, to, opening, lines, closing, count, next: None }
    }
}

/// Publishes entries as chunks of about `size`, whole vouchers each.
pub(crate) fn publish(tail: &Tail, entries: &[PostedEntry], size: usize) {
    let mut chunk: Vec<PostedEntry> = Vec::new();
    for voucher in entries.chunk_by(|a, b| a.voucher == b.voucher) {
        chunk.extend(voucher.iter().cloned());
        if chunk.len() >= size {
            push(tail, std::mem::take(&mut chunk));
        }
    }
    push(tail, chunk);
}

fn push(tail: &Tail, entries: Vec<PostedEntry>) {
    if let Some(chunk) = Chunk::new(entries) {
        tail.push(Arc::new(chunk));
    }
}

/// All of a ledger cut into one segment a date.
pub(crate) fn cut_all(history: &History, ledger: &Ledger) -> Vec<SegmentRow> {
    let tail = Tail::new();
    publish(&tail, &ledger.entries, 100);
    history.cut(tail.snapshot().chunks(), 1..=ledger.position).unwrap()
}

/// The whole statement, read `limit` lines a page. Every page must show the same opening, closing and count.
pub(crate) fn read_pages(
    history: &History,
    (account, from, to): (u64, Date, Date),
    limit: usize,
    tail: &Snapshot,
    rows: &[SegmentRow],
) -> Statement {
    let mut query = StatementQuery { account: AccountId(account), side: SIDE, from, to, after: None, limit };
    let mut whole = history.statement(&query, tail, rows).unwrap();
    while let Some(next) = whole.next {
        query.after = Some(next);
        let page = history.statement(&query, tail, rows).unwrap();
        assert!(page.lines.len() == limit || page.next.is_none(), "a page before the last is full");
        assert_eq!((page.opening, page.closing, page.count), (whole.opening, whole.closing, whole.count));
        whole.lines.extend(page.lines);
        whole.next = page.next;
    }
    whole
}

/// A time of the model.
pub(crate) fn noon(date: Date) -> Time {
    date.starts_at().plus_ms(12 * 3_600_000)
}
