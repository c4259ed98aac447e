//! Reading a journal without writing to it: for `journal cat`, `journal verify`, and followers.

use std::fmt;

use crate::error::JournalError;
use crate::lock::DirectoryLock;
use crate::postgres::{self, PostgresConfig};
use crate::record::{Record, Tip};
use crate::rows::{self, Rows};
use crate::sqlite;
use crate::storage::RangePlace;
use crate::verify::{self, Report};

/// A journal opened for reading; it appends nothing, not even an epoch row.
pub struct Reader {
    rows: Box<dyn Rows>,
}

impl Reader {
    /// Opens the journal in a data directory that no other process holds: SQLite's exclusive
    /// locking lets no one read beside a running server, which is why the caller must bring the
    /// lock.
    ///
    /// # Errors
    /// [`JournalError::Io`] if there is no journal, [`JournalError::Database`].
    pub fn sqlite(lock: &DirectoryLock) -> Result<Self, JournalError> {
        Self::sqlite_with(lock, &RangePlace::of_data_dir(lock.directory()))
    }

    /// As [`Self::sqlite`], with sealed ranges in a place of their own.
    ///
    /// # Errors
    /// As [`Self::sqlite`].
    pub fn sqlite_with(lock: &DirectoryLock, ranges: &RangePlace) -> Result<Self, JournalError> {
        Ok(Self { rows: Box::new(sqlite::open_rows(lock, ranges, sqlite::Access::Read)?) })
    }

    /// Opens a journal in PostgreSQL, beside whoever writes it.
    ///
    /// # Errors
    /// [`JournalError::BadSetting`], [`JournalError::Database`], also if there is no journal in
    /// that schema.
    pub fn postgres(config: &PostgresConfig) -> Result<Self, JournalError> {
        Ok(Self { rows: postgres::open_rows(config)? })
    }

    /// The end of the journal, its last row checked.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Database`].
    pub fn tip(&mut self) -> Result<Tip, JournalError> {
        Ok(rows::tail(self.rows.as_mut())?.tip)
    }

    /// As [`crate::Journal::read`].
    ///
    /// # Errors
    /// As [`crate::Journal::read`].
    pub fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::read(self.rows.as_mut(), from, max_bytes)
    }

    /// As [`crate::Journal::rows`].
    ///
    /// # Errors
    /// As [`crate::Journal::rows`].
    pub fn rows(&mut self, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::all(self.rows.as_mut(), from_row, max_bytes)
    }

    /// Walks the whole journal and checks every row, handing each sound one, those without events
    /// included, to `visit`. A corrupt row ends the walk and is in the report.
    ///
    /// # Errors
    /// [`JournalError::Database`] if the journal cannot be read.
    pub fn verify(&mut self, mut visit: impl FnMut(&Record)) -> Result<Report, JournalError> {
        verify::walk(self.rows.as_mut(), &mut visit)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reader").finish_non_exhaustive()
    }
}
