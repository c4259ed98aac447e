//! Segments: at a checkpoint the tail's entries become Parquet files, one an accounting date.
//!
//! ```text
//!  tail, journal order          lake/entries/dt=2026-03-05/seg-1-980000.parquet
//!  positions 1 … 980000  ─cut─► lake/entries/dt=2026-03-06/seg-1-980000.parquet
//!                               each sorted by (account, entry number)
//! ```
//! Positions of committed segments of one date never overlap, so an account's entries of one date are its rows in the
//! order of the segments' positions.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use domain::book::Side;
use domain::calendar::Date;
use domain::ids::{AccountId, VoucherId};
use domain::money::Minor;
use domain::voucher::PostedEntry;
use parquet::data_type::{BoolType, Int64Type};
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::entry::{self, EntryColumns};
use crate::error::HistoryError;
use crate::lake_file::{GROUP_ROWS, LakeFile};
use crate::radix;
use crate::reader::{File, Span};
use crate::tail::Chunk;

/// Entries gathered at once: what fits the processor's nearest cache.
const GATHERED_ROWS: usize = 256;

/// Where an entry lies among the chunks. Entry numbers of an account rise in journal order, so a stable sort by account
/// sorts as (account, number) does, without touching the entries.
#[derive(Debug, Clone, Copy)]
struct Key {
    account: u64,
    chunk: u32,
    offset: u32,
}

impl History {
    /// Writes the entries at `positions` of some chunks as one segment a date and returns the rows to commit. Empty if
    /// there are none. Until its row is committed a file does not exist; cutting the same positions again replaces it.
    ///
    /// # Errors
    /// `Io`, `Parquet`.
    pub fn cut(&self, chunks: &[Arc<Chunk>], positions: RangeInclusive<u64>) -> Result<Vec<SegmentRow>, HistoryError> {
        let mut columns = EntryColumns::default();
        let (mut rows, mut spare) = (Vec::new(), Vec::new());
        for (date, mut keys) in by_date(chunks, &positions) {
            radix::sort_by_key(&mut keys, &mut spare, |key| key.account);
            let written = self.write_segment(date, &positions, chunks, &keys, &mut columns);
            rows.push(written.inspect_err(|_| rows.iter().for_each(|row| self.discard(row)))?);
        }
        Ok(rows)
    }

    /// Takes away a file that nobody was told of. What cannot be removed is harmless: without its row it does not exist.
    fn discard(&self, row: &SegmentRow) {
        std::fs::remove_file(self.directory.join(&row.path)).ok();
    }

    fn write_segment(
        &self,
        date: Date,
        positions: &RangeInclusive<u64>,
        chunks: &[Arc<Chunk>],
        keys: &[Key],
        columns: &mut EntryColumns,
    ) -> Result<SegmentRow, HistoryError> {
        let path = format!("lake/entries/dt={date}/seg-{}-{}.parquet", positions.start(), positions.end());
        let mut file = LakeFile::create(&self.directory, path.clone(), entry::MESSAGE, 2)?;
        let mut gathered = Vec::with_capacity(GATHERED_ROWS);
        for keys in keys.chunks(GROUP_ROWS) {
            columns.clear();
            for keys in keys.chunks(GATHERED_ROWS) {
                gathered.clear();
                gathered.extend(keys.iter().map(|key| at(chunks, *key)));
                columns.extend(&gathered);
            }
            file.group(|group| columns.write(group))?;
        }
        let written = file.commit()?;
        self.footers.written(&path);
        Ok(SegmentRow {
            path,
            kind: SegmentKind::Entries,
            date,
            first_position: *positions.start(),
            last_position: *positions.end(),
            rows: keys.len() as u64,
            bytes: written.bytes,
            checksum: written.checksum,
            min_account: keys.first().map_or(0, |key| key.account),
            max_account: keys.last().map_or(0, |key| key.account),
        })
    }

    /// What a segment's entries did, in the order of (account, entry number): all that recovery and checks need.
    ///
    /// # Errors
    /// `Io`, `Parquet`, `Broken`.
    pub fn movements(&self, row: &SegmentRow) -> Result<Movements, HistoryError> {
        Ok(Movements { file: self.open(row)?, group: 0, loaded: Vec::new().into_iter() })
    }
}

fn by_date(chunks: &[Arc<Chunk>], positions: &RangeInclusive<u64>) -> BTreeMap<Date, Vec<Key>> {
    let mut dates: BTreeMap<Date, Vec<Key>> = BTreeMap::new();
    for (chunk_number, chunk) in (0_u32..).zip(chunks) {
        let entries = chunk.entries();
        let start = entries.partition_point(|entry| entry.voucher.0 < *positions.start());
        let end = entries.partition_point(|entry| entry.voucher.0 <= *positions.end());
        let mut offsets = (0_u32..).skip(start);
        // Entries come in long runs of one date.
        for run in entries.get(start..end).unwrap_or_default().chunk_by(|a, b| a.date == b.date) {
            let keys = dates.entry(run[0].date).or_default();
            let own = run.iter().zip(offsets.by_ref());
            keys.extend(own.map(|(entry, offset)| Key { account: entry.account.0, chunk: chunk_number, offset }));
        }
    }
    dates
}

fn at(chunks: &[Arc<Chunk>], key: Key) -> &PostedEntry {
    &chunks[key.chunk as usize].entries()[key.offset as usize]
}

/// What one entry did to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The account.
    pub account: AccountId,
    /// The entry's number within the account.
    pub number: u64,
    /// The voucher.
    pub voucher: VoucherId,
    /// Debit or credit.
    pub side: Side,
    /// Minor units above zero.
    pub amount: Minor,
    /// The account's balance after it, in the order of the entry numbers.
    pub balance: Minor,
}

impl From<&PostedEntry> for Movement {
    fn from(entry: &PostedEntry) -> Self {
        let PostedEntry { account, number, voucher, side, amount, balance, .. } = *entry;
        Self { account, number, voucher, side, amount, balance }
    }
}

/// Reads the movements of some rows.
pub(crate) fn read_movements(file: &File, span: &Span) -> Result<Vec<Movement>, HistoryError> {
    let numbers = |column| file.read::<Int64Type>(span.group, span.rows.clone(), column);
    let accounts = numbers(entry::ACCOUNT)?;
    let entry_numbers = numbers(entry::NUMBER)?;
    let vouchers = numbers(entry::VOUCHER)?;
    let debits = file.read::<BoolType>(span.group, span.rows.clone(), entry::DEBIT)?;
    let amounts = numbers(entry::AMOUNT)?;
    let balances = numbers(entry::BALANCE)?;
    let movements = (0..accounts.len()).map(|row| Movement {
        account: AccountId(accounts[row].cast_unsigned()),
        number: entry_numbers[row].cast_unsigned(),
        voucher: VoucherId(vouchers[row].cast_unsigned()),
        side: if debits[row] { Side::Debit } else { Side::Credit },
        amount: amounts[row],
        balance: balances[row],
    });
    Ok(movements.collect())
}

/// The movements of a segment, read a row group at a time.
pub struct Movements {
    file: File,
    group: usize,
    loaded: std::vec::IntoIter<Movement>,
}

impl std::fmt::Debug for Movements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Movements").field("path", &self.file.path()).field("group", &self.group).finish_non_exhaustive()
    }
}

impl Iterator for Movements {
    type Item = Result<Movement, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(movement) = self.loaded.next() {
                return Some(Ok(movement));
            }
            if self.group >= self.file.groups() {
                return None;
            }
            let span = Span { group: self.group, rows: 0..self.file.rows(self.group) };
            self.group += 1;
            match read_movements(&self.file, &span) {
                Ok(movements) => self.loaded = movements.into_iter(),
                Err(error) => {
                    self.group = self.file.groups();
                    return Some(Err(error));
                }
            }
        }
    }
}
