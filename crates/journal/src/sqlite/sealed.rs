//! What sealing asks of the table: where it begins, how much it holds, and that rows which lie in files leave it.

use rusqlite::OptionalExtension as _;

use super::{SEALED, SqliteRows, row_number, signed, stored};
use crate::chain::StoredRow;
use crate::error::JournalError;
use crate::ranges::Ranges;
use crate::rows::{self, COLUMNS, PAGE_ROWS};
use crate::sealer::Sealable;

impl Sealable for SqliteRows {
    fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    fn ranges_mut(&mut self) -> &mut Ranges {
        &mut self.ranges
    }

    fn first(&mut self) -> Result<Option<u64>, JournalError> {
        self.first_in_table()
    }

    fn holds_over(&mut self, bytes: u64) -> Result<Option<bool>, JournalError> {
        Ok(Some(self.live_bytes()? > bytes))
    }

    fn forget_sealed(&mut self, max_bytes: usize) -> Result<bool, JournalError> {
        // The last row stays whatever the files hold: the fence and the journal's end are looked for here.
        let Some(last) = self.last_in_table()?.map(|last| (last - 1).min(self.ranges.last_row())) else {
            return Ok(false);
        };
        let Some(to) = self.end_of_some(last, max_bytes)? else { return Ok(false) };
        let doing = || format!("deleting rows to {to} of {}, which lie in files", self.path.display());
        let sql =
            format!("BEGIN IMMEDIATE; PRAGMA user_version = {SEALED}; DELETE FROM journal WHERE row <= {to}; COMMIT;");
        let deleted = self.connection.execute_batch(&sql).inspect_err(|_| self.leave_as_it_is());
        deleted.map_err(|error| self.error(&doing(), 1, error))?;
        Ok(to < last)
    }
}

impl SqliteRows {
    pub(super) fn first_in_table(&self) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT row FROM journal ORDER BY row LIMIT 1";
        self.one::<i64>(sql, [], 1)?.map(row_number).transpose()
    }

    /// Bytes of the pages that hold something.
    fn live_bytes(&self) -> Result<u64, JournalError> {
        let number = |name: &str| self.one::<i64>(&format!("PRAGMA {name}"), [], 1).map(Option::unwrap_or_default);
        let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
        Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or(0))
    }

    /// The last of the first rows, up to `last`, whose payloads reach `max_bytes`; their lengths are in the rows' heads.
    fn end_of_some(&self, last: u64, max_bytes: usize) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT row, length(payload) FROM journal WHERE row <= ?1 ORDER BY row LIMIT 4096";
        let some = || -> rusqlite::Result<Option<i64>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut found = statement.query([signed(last)])?;
            let (mut to, mut bytes) = (None, 0);
            while let Some(row) = found.next()? {
                to = Some(row.get::<_, i64>(0)?);
                bytes += usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                if bytes >= max_bytes {
                    break;
                }
            }
            Ok(to)
        };
        some()
            .map_err(|error| self.error(&format!("reading {}", self.path.display()), 1, error))?
            .map(row_number)
            .transpose()
    }

    /// Rows from `row` on that lie in files and not in the table any more.
    pub(super) fn sealed_page(&mut self, mut row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        let mut page = Vec::new();
        while row <= self.ranges.last_row() && self.head_in_table(row)?.is_none() {
            let bytes = rows::bytes_of(&page);
            if !page.is_empty() && (bytes >= max_bytes || page.len() >= PAGE_ROWS as usize) {
                break;
            }
            let some = self.ranges.page(row, max_bytes - bytes)?;
            row += some.len() as u64;
            page.extend(some);
        }
        Ok(page)
    }

    pub(super) fn last_in_table(&self) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT row FROM journal ORDER BY row DESC LIMIT 1";
        self.one::<i64>(sql, [], 1)?.map(row_number).transpose()
    }

    pub(super) fn head_in_table(&self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        let sql = format!("SELECT {} FROM journal WHERE row = ?1", COLUMNS.replace("payload", "x''"));
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([signed(row)], stored).optional())
            .map_err(|error| self.error(&format!("reading row {row} of {}", self.path.display()), row, error))
    }
}
