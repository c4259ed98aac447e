//! Reading rows: what both databases offer, and the checked reads made of it.

use crate::chain::{Chain, StoredRow};
use crate::error::{Fault, JournalError};
use crate::record::Record;

/// The columns of a row, in the order in which both databases are asked for them.
pub(crate) const COLUMNS: &str = "row, first, count, epoch, level, time_ms, previous, hash, checksum, payload";

/// Rows that one page may have at most, however small they are.
pub(crate) const PAGE_ROWS: u32 = 4096;

/// The rows as they lie in a database, unchecked.
pub trait Rows: Send {
    /// Rows from number `row` on, in order: at least one if there is any, and no more after the
    /// payloads of those with events have reached `max_bytes`.
    ///
    /// # Errors
    /// Those of the database.
    fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError>;

    /// Row `row` with an empty payload, whatever it holds.
    ///
    /// # Errors
    /// Those of the database.
    fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError>;

    /// The number of the last row with events whose first position is at or before `position`.
    ///
    /// # Errors
    /// Those of the database.
    fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError>;

    /// The number of the last row.
    ///
    /// # Errors
    /// Those of the database.
    fn last(&mut self) -> Result<Option<u64>, JournalError>;
}

/// Payload bytes of the rows with events.
pub(crate) fn bytes_of(page: &[StoredRow]) -> usize {
    page.iter().filter(|row| row.count > 0).map(|row| row.payload.len()).sum()
}

/// What [`crate::Journal::read`] promises, over any rows.
///
/// # Errors
/// [`JournalError::Corrupt`] naming the first row that is not what was written, and those of the database.
pub fn read(rows: &mut dyn Rows, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
    let mut chain = chain_before(rows, from)?;
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = rows.page(chain.row + 1, max_bytes)?;
        let end = page.is_empty();
        for stored in page {
            let record = chain.check(stored)?;
            if record.count > 0 {
                records.push(record);
            }
        }
        // A page of nothing but rows without events says nothing about what follows.
        if end || !records.is_empty() {
            return Ok(records);
        }
    }
}

/// What [`crate::Journal::rows`] promises, over any rows.
///
/// # Errors
/// As for [`read`].
pub fn all(rows: &mut dyn Rows, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
    let from_row = from_row.max(1);
    if rows.last()?.is_none_or(|last| last < from_row) {
        return Ok(Vec::new());
    }
    let mut chain = chain_at(rows, from_row - 1)?;
    let page = rows.page(from_row, max_bytes)?;
    page.into_iter().map(|stored| chain.check(stored).map_err(JournalError::from)).collect()
}

/// The end of the journal, its last row checked, its link to the row before it too.
///
/// # Errors
/// As for [`read`].
pub fn tail(rows: &mut dyn Rows) -> Result<Chain, JournalError> {
    let Some(last) = rows.last()? else {
        return Ok(Chain::GENESIS);
    };
    let mut chain = chain_at(rows, last.saturating_sub(1))?;
    for stored in rows.page(last, 0)? {
        chain.check(stored)?;
    }
    if chain.tip.next > 1 {
        let holder = rows.floor(chain.tip.next - 1)?.unwrap_or(0);
        chain.tip.hash = chain_at(rows, holder)?.hash;
    }
    Ok(chain)
}

/// The chain just before the row that holds position `from`, or before what will.
fn chain_before(rows: &mut dyn Rows, from: u64) -> Result<Chain, JournalError> {
    let Some(row) = rows.floor(from)? else {
        return Ok(Chain::GENESIS);
    };
    let at = chain_at(rows, row)?;
    if at.tip.next <= from { Ok(at) } else { chain_at(rows, row.saturating_sub(1)) }
}

/// The chain after row `row`, taking that row's own hash as it stands.
pub(crate) fn chain_at(rows: &mut dyn Rows, row: u64) -> Result<Chain, JournalError> {
    if row == 0 {
        return Ok(Chain::GENESIS);
    }
    let fault = |what: String| Fault { row, position: None, what };
    let stored = rows.head(row)?.ok_or_else(|| fault("it is missing".to_owned()))?;
    Ok(Chain::after(&stored.decode().map_err(fault)?))
}
