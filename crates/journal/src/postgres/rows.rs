//! The rows of a journal in PostgreSQL: those of the table, and before them those that left it for files. A row may leave it while
//! someone reads: whoever finds it in neither looks for files anew, since a file is named before its rows go.

use super::connection::{PostgresConfig, Role};
use super::table::Table;
use crate::chain::StoredRow;
use crate::error::JournalError;
use crate::ranges::Ranges;
use crate::rows::{self, PAGE_ROWS, Rows};
use crate::sealer::Sealable;

/// Bytes of a row in the table beside its payload, about.
const ROW_BYTES: u64 = 160;

/// The rows.
pub(crate) struct PostgresRows {
    pub(super) table: Table,
    ranges: Ranges,
    measured: Measured,
}

/// What is known of how much the table holds: it is counted from its beginning, some rows at a time.
#[derive(Clone, Copy, Default)]
struct Measured {
    /// Up to this row.
    through: u64,
    /// Bytes of the rows up to there that are still in the table.
    bytes: u64,
}

impl PostgresRows {
    /// As [`Table::create`].
    pub(crate) fn create(config: &PostgresConfig) -> Result<Self, JournalError> {
        Self::over(Table::create(config)?, config)
    }

    /// As [`Table::open`].
    pub(crate) fn open(config: &PostgresConfig, role: Role) -> Result<Self, JournalError> {
        Self::over(Table::open(config, role)?, config)
    }

    fn over(table: Table, config: &PostgresConfig) -> Result<Self, JournalError> {
        let ranges = match &config.ranges {
            Some(place) => Ranges::open(place)?,
            None => Ranges::nowhere(),
        };
        let mut table = table;
        ranges.refuse_others(table.last()?)?;
        Ok(Self { table, ranges, measured: Measured::default() })
    }

    /// Files that this writer begins are told from those of writers before by its epoch.
    pub(super) fn write_in(&mut self, epoch: u64) {
        self.ranges.write_in(epoch);
    }

    /// Whether a row that is not in the table lies in a file, by what is known or what is there now.
    fn is_sealed(&mut self, row: u64) -> Result<bool, JournalError> {
        Ok(row <= self.ranges.last_row() || (self.ranges.look_again()? && row <= self.ranges.last_row()))
    }
}

impl Rows for PostgresRows {
    fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        let mut page = Vec::new();
        loop {
            let (next, bytes) = (row + page.len() as u64, rows::bytes_of(&page));
            if !page.is_empty() && (bytes >= max_bytes || page.len() >= PAGE_ROWS as usize) {
                return Ok(page);
            }
            let left = max_bytes.saturating_sub(bytes);
            if next <= self.ranges.last_row() && self.table.head(next)?.is_none() {
                let some = self.ranges.page(next, left)?;
                if some.is_empty() {
                    return Ok(page);
                }
                page.extend(some);
                continue;
            }
            let rest = self.table.page(next, left)?;
            let begins = rest.first().is_some_and(|first| u64::try_from(first.row) == Ok(next));
            // What the table does not have is behind its end, or left it just now, or is missing, which the chain says.
            if begins || !(self.table.last()?.is_some_and(|last| next <= last) && self.is_sealed(next)?) {
                page.extend(rest);
                return Ok(page);
            }
        }
    }

    fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        if let Some(head) = self.table.head(row)? {
            return Ok(Some(head));
        }
        if self.is_sealed(row)? { self.ranges.head(row) } else { Ok(None) }
    }

    fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError> {
        if let Some(row) = self.table.floor(position)? {
            return Ok(Some(row));
        }
        // The table has none from before; whether there are any, its first row says.
        let Some(first) = self.table.first()? else { return Ok(None) };
        if first > 1 && self.is_sealed(first - 1)? { self.ranges.floor(position) } else { Ok(None) }
    }

    fn last(&mut self) -> Result<Option<u64>, JournalError> {
        self.table.last()
    }
}

impl Sealable for PostgresRows {
    fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    fn ranges_mut(&mut self) -> &mut Ranges {
        &mut self.ranges
    }

    fn first(&mut self) -> Result<Option<u64>, JournalError> {
        self.table.first()
    }

    fn holds_over(&mut self, bytes: u64) -> Result<Option<bool>, JournalError> {
        if self.measured.bytes > bytes {
            return Ok(Some(true));
        }
        let (rows, through, payloads) = self.table.measure(self.measured.through)?;
        self.measured.through = self.measured.through.max(through);
        self.measured.bytes += payloads + rows * ROW_BYTES;
        let is_over = self.measured.bytes > bytes;
        Ok((is_over || rows < u64::from(PAGE_ROWS)).then_some(is_over))
    }

    fn forget_sealed(&mut self, max_bytes: usize) -> Result<bool, JournalError> {
        // The last row stays whatever the files hold: the fence and the journal's end are looked for in the table.
        let Some(last) = self.table.last()?.map(|last| (last - 1).min(self.ranges.last_row())) else {
            return Ok(false);
        };
        let (mut to, mut bytes, mut measured) = (None, 0, 0);
        for (row, payload) in self.table.sizes(last)? {
            to = Some(row);
            bytes += payload;
            measured += if row <= self.measured.through { payload + ROW_BYTES } else { 0 };
            if bytes >= max_bytes as u64 {
                break;
            }
        }
        let Some(to) = to else { return Ok(false) };
        self.table.delete_to(to)?;
        self.measured.bytes = self.measured.bytes.saturating_sub(measured);
        Ok(to < last)
    }
}
