//! Vouchers out of history: a day's entries put together again, in the order of the journal.
//!
//! ```text
//!  segments of a date, by position ─► voucher numbers after the page before ─► the page's last one ─► its entries
//! ```
//! Files are sorted by account; a page of vouchers therefore reads the voucher column first, finds where the page ends, and
//! reads whole entries only of the segments that the page touches. Segments of one date never overlap in position, so a
//! walk through all pages reads each of them a few times, however long the day.
//!
//! Entries do not keep their place within the voucher: they come as debits before credits, each by account and number.

use std::collections::BTreeMap;

use domain::book::Side;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AccountId, VoucherId};
use domain::money::Minor;
use domain::voucher::{BusinessNumber, Dimensions, EventCode, PostedEntry};
use parquet::data_type::Int64Type;
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::entry::{self, read_entries};
use crate::error::HistoryError;
use crate::reader::{File, Span};

/// Which vouchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VouchersWanted {
    /// Those behind this one.
    pub after: VoucherId,
    /// At most so many; at least one.
    pub limit: usize,
}

/// A voucher as its entries tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVoucher {
    /// Its id: its position in the journal.
    pub id: VoucherId,
    /// The accounting date.
    pub date: Date,
    /// When it was posted.
    pub posted_at: Time,
    /// The step of the business.
    pub event: EventCode,
    /// The business number.
    pub business: BusinessNumber,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
    /// Debits, then credits, each by account and number.
    pub entries: Vec<KeptEntry>,
}

/// An entry of a voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptEntry {
    /// The account.
    pub account: AccountId,
    /// The entry's number within the account.
    pub number: u64,
    /// Debit or credit.
    pub side: Side,
    /// Minor units above zero.
    pub amount: Minor,
    /// The account's balance after it, in the order of the entry numbers.
    pub balance: Minor,
}

/// Some vouchers of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoucherPage {
    /// By id.
    pub vouchers: Vec<KeptVoucher>,
    /// Whether more follow.
    pub more: bool,
}

impl History {
    /// A page of the vouchers whose entries lie in these files, by id.
    ///
    /// `rows` holds every committed file of the date; those of another kind are passed over.
    ///
    /// # Errors
    /// `Broken` for a file that is not what its row says, `Io`, `Parquet`.
    pub fn vouchers(&self, rows: &[SegmentRow], wanted: VouchersWanted) -> Result<VoucherPage, HistoryError> {
        let VouchersWanted { after, limit } = wanted;
        let behind = |row: &&SegmentRow| row.kind == SegmentKind::Entries && row.last_position > after.0;
        let mut segments: Vec<&SegmentRow> = rows.iter().filter(behind).collect();
        segments.sort_by_key(|row| row.first_position);
        let mut page = VoucherPage { vouchers: Vec::new(), more: false };
        for row in segments {
            let file = self.open(row)?;
            let ids = voucher_numbers(&file, after.0)?;
            let room = limit.saturating_sub(page.vouchers.len());
            page.more = ids.len() > room;
            if let Some(last) = ids.get(..room.min(ids.len())).and_then(<[u64]>::last) {
                read_through(&file, after.0, *last, &mut page.vouchers)?;
            }
            if page.more {
                break;
            }
        }
        Ok(page)
    }
}

/// The vouchers of a file behind a position, each once, in order.
fn voucher_numbers(file: &File, after: u64) -> Result<Vec<u64>, HistoryError> {
    let mut ids = Vec::new();
    for group in 0..file.groups() {
        let column = file.read::<Int64Type>(group, 0..file.rows(group), entry::VOUCHER)?;
        ids.extend(column.into_iter().map(i64::cast_unsigned).filter(|id| *id > after));
        ids.sort_unstable();
        ids.dedup();
    }
    Ok(ids)
}

/// Puts a file's vouchers behind `after` and up to `last` together.
fn read_through(file: &File, after: u64, last: u64, vouchers: &mut Vec<KeptVoucher>) -> Result<(), HistoryError> {
    let mut found: BTreeMap<u64, KeptVoucher> = BTreeMap::new();
    for group in 0..file.groups() {
        let entries = read_entries(file, &Span { group, rows: 0..file.rows(group) })?;
        for entry in entries.into_iter().filter(|entry| after < entry.voucher.0 && entry.voucher.0 <= last) {
            let kept = KeptEntry {
                account: entry.account,
                number: entry.number,
                side: entry.side,
                amount: entry.amount,
                balance: entry.balance,
            };
            found.entry(entry.voucher.0).or_insert_with(|| without_entries(entry)).entries.push(kept);
        }
    }
    vouchers.extend(found.into_values().map(|mut voucher| {
        voucher.entries.sort_by_key(|entry| (entry.side, entry.account, entry.number));
        voucher
    }));
    Ok(())
}

fn without_entries(entry: PostedEntry) -> KeptVoucher {
    let PostedEntry { voucher, date, posted_at, event, business, dimensions, .. } = entry;
    KeptVoucher { id: voucher, date, posted_at, event, business, dimensions, entries: Vec::new() }
}
