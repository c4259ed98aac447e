//! The journal in SQLite: the file `journal.db` of a data directory, held by one process.
//!
//! Settings, with their reasons (measured over 2 GB of 800 KB rows): WAL with `synchronous` FULL,
//! so that a commit has reached the disk before it is answered; pages of 4096 bytes, because larger
//! ones bring long pauses; a checkpoint of the WAL when no batch waits, and inside an append only
//! where none ever rests; EXCLUSIVE locking, which keeps the WAL's index in memory. The file holds
//! nothing else, since SQLite has one writer a file. Rows that left it for files are read through it too (`sqlite/sealed.rs`).

mod sealed;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row};

use crate::Journal;
use crate::chain::{Chain, NewRow, StoredRow};
use crate::error::{Fault, JournalError};
use crate::lock::DirectoryLock;
use crate::page_cache;
use crate::ranges::Ranges;
use crate::record::{Batch, Record, Tip};
use crate::rows::{self, COLUMNS, PAGE_ROWS, Rows};
use crate::sealer::{Keep, Sealer, Sealing};
use crate::storage::RangePlace;

/// The version of the table's layout, kept in the file's `user_version`.
const LAYOUT: i64 = 1;
/// The layout once rows lie in files too: a program that looks only into the table must not take it for the journal.
const SEALED: i64 = 2;

/// The file's name; SQLite's write-ahead log is this with `-wal`.
const DATABASE: &str = "journal.db";
const LOG: &str = "journal.db-wal";

/// With this much in the WAL a rest writes it into the database.
const REST_BYTES: usize = 1 << 20;

const SCHEMA: &str = "
    CREATE TABLE journal (
        row      INTEGER PRIMARY KEY,
        first    INTEGER NOT NULL,
        count    INTEGER NOT NULL,
        epoch    INTEGER NOT NULL,
        level    INTEGER NOT NULL,
        time_ms  INTEGER NOT NULL,
        previous BLOB    NOT NULL,
        hash     BLOB    NOT NULL,
        checksum INTEGER NOT NULL,
        payload  BLOB    NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX journal_first ON journal (first) WHERE count > 0;
    PRAGMA user_version = 1;";

/// The fence: a row goes in only behind the row that its writer saw last.
const APPEND: &str = "
    INSERT INTO journal (row, first, count, epoch, level, time_ms, previous, hash, checksum, payload)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
    WHERE ?1 = 1 OR EXISTS (SELECT 1 FROM journal WHERE row = ?1 - 1 AND hash = ?7)";

/// The journal of one machine.
pub struct Sqlite {
    rows: SqliteRows,
    chain: Chain,
    stopped: bool,
    /// Bytes appended since the last rest.
    unrested: usize,
    sealer: Option<Sealer>,
    /// Bytes appended since it was last found that nothing is to be sealed; none while something is.
    unsealed: Option<usize>,
}

/// How the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The rows of the file, and the lock that keeps others from it.
pub(crate) struct SqliteRows {
    connection: Connection,
    path: PathBuf,
    ranges: Ranges,
    _lock: DirectoryLock,
}

impl Sqlite {
    /// Opens the journal of a data directory, creating it where it is missing; checks its last row,
    /// and appends the row that begins the next epoch, stamped `now_ms` or the last row's time,
    /// whichever is later.
    ///
    /// The writer before may have met a disk that failed a sync. So the write-ahead log is read past
    /// the system's page cache, and what it holds is written into the database file and synced anew,
    /// before a row is read: none of them hangs on a sync of an earlier writer. Whether a row whose
    /// append failed is there is found out, as after a crash.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] naming the last row if it is not what was written;
    /// [`JournalError::Full`], [`JournalError::Database`], [`JournalError::Io`].
    pub fn open(lock: &DirectoryLock, now_ms: i64) -> Result<Self, JournalError> {
        Self::open_with(lock, &RangePlace::of_data_dir(lock.directory()), now_ms)
    }

    /// As [`Self::open`], with sealed ranges in a place of their own.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(lock: &DirectoryLock, ranges: &RangePlace, now_ms: i64) -> Result<Self, JournalError> {
        forget(lock, LOG)?;
        let rows = open_rows(lock, ranges, Access::Write)?;
        rows.checkpoint("TRUNCATE")?;
        Self::lead(rows, now_ms)
    }

    /// Opens the journal after a writer of this process failed and was dropped: the database file too
    /// is read past the page cache, so that reading it through shows what the disk holds.
    ///
    /// # Errors
    /// As [`Self::open`]; while [`JournalError::may_pass`] says so, it may be tried again.
    pub fn reopen(lock: &DirectoryLock, now_ms: i64) -> Result<Self, JournalError> {
        Self::reopen_with(lock, &RangePlace::of_data_dir(lock.directory()), now_ms)
    }

    /// As [`Self::reopen`], with sealed ranges in a place of their own.
    ///
    /// # Errors
    /// As [`Self::reopen`].
    pub fn reopen_with(lock: &DirectoryLock, ranges: &RangePlace, now_ms: i64) -> Result<Self, JournalError> {
        // Closing a file lets go of this process's locks on it, so a connection must not hold it now.
        forget(lock, DATABASE)?;
        Self::open_with(lock, ranges, now_ms)
    }

    /// Has old rows move to files while no batch waits, once the database holds more than it is to keep.
    #[must_use]
    pub fn keeping(mut self, keep: Keep) -> Self {
        self.sealer = Some(Sealer::new(keep));
        self
    }

    fn lead(mut rows: SqliteRows, now_ms: i64) -> Result<Self, JournalError> {
        let mut chain = rows::tail(&mut rows)?;
        let epoch = chain.tip.epoch + 1;
        let row = chain.seal_empty(epoch, now_ms, &[]);
        rows.append(&row)?;
        chain.advance(&row);
        Ok(Self { rows, chain, stopped: false, unrested: 0, sealer: None, unsealed: None })
    }
}

impl Journal for Sqlite {
    fn tip(&self) -> Tip {
        self.chain.tip
    }

    fn append(&mut self, batch: &Batch) -> Result<Tip, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        let row = self.chain.seal(batch)?;
        self.stopped = true;
        self.rows.append(&row)?;
        self.stopped = false;
        self.unrested += row.payload.len();
        self.unsealed = self.unsealed.map(|bytes| bytes + row.payload.len());
        self.chain.advance(&row);
        Ok(self.chain.tip)
    }

    /// Inside an append the checkpoint would add its two syncs to one batch in thirty.
    fn rest(&mut self) -> Result<(), JournalError> {
        if self.stopped || self.unrested < REST_BYTES {
            return Ok(());
        }
        self.stopped = true;
        self.rows.checkpoint("PASSIVE")?;
        self.stopped = false;
        self.unrested = 0;
        Ok(())
    }

    fn seal(&mut self) -> Result<Sealing, JournalError> {
        let Some(sealer) = &mut self.sealer else { return Ok(Sealing::Idle) };
        if self.stopped || self.unsealed.is_some_and(|bytes| bytes < sealer.step_bytes()) {
            return Ok(Sealing::Idle);
        }
        self.stopped = true;
        let sealing = sealer.step(&mut self.rows)?;
        self.stopped = false;
        self.unsealed = match sealing {
            Sealing::Idle | Sealing::Failed(_) => Some(0),
            Sealing::More | Sealing::Sealed | Sealing::Waiting => None,
        };
        Ok(sealing)
    }

    fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::read(&mut self.rows, from, max_bytes)
    }

    fn rows(&mut self, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::all(&mut self.rows, from_row, max_bytes)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sqlite")
            .field("path", &self.rows.path)
            .field("chain", &self.chain)
            .field("stopped", &self.stopped)
            .finish()
    }
}

/// Has the system forget what it holds of a file.
fn forget(lock: &DirectoryLock, name: &str) -> Result<(), JournalError> {
    let path = lock.directory().join(name);
    page_cache::forget(&path).map_err(|error| JournalError::io(format!("reading {} anew", path.display()), error))
}

/// Opens the file and sets it up.
pub(crate) fn open_rows(lock: &DirectoryLock, ranges: &RangePlace, access: Access) -> Result<SqliteRows, JournalError> {
    let path = lock.directory().join(DATABASE);
    let flags = match access {
        Access::Read => {
            File::open(&path)
                .map_err(|error| JournalError::io(format!("looking for a journal at {}", path.display()), error))?;
            OpenFlags::SQLITE_OPEN_READ_WRITE
        }
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let doing = format!("opening {}", path.display());
    let connection = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| JournalError::database(&doing, error))?;
    let ranges = Ranges::open(ranges)?;
    let rows = SqliteRows { connection, path, ranges, _lock: lock.clone() };
    rows.set_up(access).map_err(|error| rows.error(&doing, 1, error))?;
    let layout = rows.layout().map_err(|error| rows.error(&doing, 1, error))?;
    match (layout, access) {
        (LAYOUT | SEALED, Access::Read | Access::Write) => {}
        (0, Access::Write) => rows.create()?,
        (_, Access::Read | Access::Write) => {
            return Err(JournalError::database(
                doing,
                format!("its layout is {layout}; this program knows layouts {LAYOUT} and {SEALED}"),
            ));
        }
    }
    rows.ranges.refuse_others(rows.last_in_table()?)?;
    Ok(rows)
}

impl SqliteRows {
    fn set_up(&self, access: Access) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        match access {
            // The lock that keeps others out needs a file open for writing; this connection writes
            // nothing all the same, not even the log's content into the database when it closes.
            Access::Read => {
                self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                self.connection.pragma_update(None, "query_only", true)
            }
            Access::Write => self.connection.execute_batch(
                "PRAGMA page_size = 4096;
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 4000;",
            ),
        }
    }

    fn layout(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// Makes the table, and makes the file's entry in its directory durable.
    fn create(&self) -> Result<(), JournalError> {
        let doing = format!("creating the journal {}", self.path.display());
        self.connection
            .execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))
            .map_err(|error| self.error(&doing, 1, error))?;
        let directory = self.path.parent().unwrap_or(&self.path);
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| JournalError::io(doing, error))
    }

    /// Refuses a file that has rows: a copy begins with none.
    pub(crate) fn refuse_rows(&self) -> Result<(), JournalError> {
        let doing = || format!("copying rows to {}", self.path.display());
        match self.first_in_table()? {
            None if self.ranges.last_row() == 0 => Ok(()),
            None | Some(_) => {
                Err(JournalError::database(doing(), "it holds a journal already; name an empty directory"))
            }
        }
    }

    /// Runs statements that give nothing back.
    pub(crate) fn run(&self, sql: &str) -> Result<(), JournalError> {
        let doing = format!("{sql} in {}", self.path.display());
        self.connection.execute_batch(sql).map_err(|error| self.error(&doing, 1, error))
    }

    /// Puts a row of another journal behind the one before it.
    pub(crate) fn put(&self, record: &Record) -> Result<(), JournalError> {
        let header = record.header();
        let checksum = header.checksum(&record.previous, &record.hash, &record.payload);
        let (previous, hash) = (record.previous, record.hash);
        self.insert(&NewRow { header, previous, hash, checksum, payload: &record.payload })
    }

    /// Appends a row.
    fn append(&self, row: &NewRow<'_>) -> Result<(), JournalError> {
        self.insert(row).inspect_err(|_| self.leave_as_it_is())
    }

    /// Writes what the WAL holds into the database file and syncs that; `mode` is SQLite's.
    pub(crate) fn checkpoint(&self, mode: &str) -> Result<(), JournalError> {
        let doing = || format!("writing the WAL into {}", self.path.display());
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let done =
            self.connection.prepare_cached(&sql).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        let busy: i64 = done.inspect_err(|_| self.leave_as_it_is()).map_err(|error| self.error(&doing(), 1, error))?;
        if busy != 0 {
            return Err(JournalError::database(doing(), "another connection uses it"));
        }
        Ok(())
    }

    /// After a failure the connection writes nothing more, not even when it is closed: whoever opens the file next decides by
    /// what lies there. A connection that cannot even be told is closed as SQLite does it, which is safe too.
    fn leave_as_it_is(&self) {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok();
    }

    fn insert(&self, row: &NewRow<'_>) -> Result<(), JournalError> {
        let header = &row.header;
        let deposed = || JournalError::Deposed { row: header.row, epoch: header.epoch };
        let doing = || format!("appending row {} to {}", header.row, self.path.display());
        let inserted = self.connection.prepare_cached(APPEND).and_then(|mut statement| {
            statement.execute((
                signed(header.row),
                signed(header.first),
                header.count,
                signed(header.epoch),
                header.level,
                header.time_ms,
                row.previous.0,
                row.hash.0,
                row.checksum,
                row.payload,
            ))
        });
        match inserted {
            Ok(1) => Ok(()),
            Ok(_) => Err(deposed()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(deposed()),
            Err(error) => Err(self.error(&doing(), header.row, error)),
        }
    }

    /// What an error of SQLite means here; `row` is where the reading or writing stood.
    fn error(&self, doing: &str, row: u64, error: rusqlite::Error) -> JournalError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => JournalError::Full { doing: doing.to_owned() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                let what = format!("at or after it {}: {error}", self.path.display());
                JournalError::Corrupt(Fault { row, position: None, what })
            }
            // Every other code is the disk or the program, not the journal's content; the list
            // belongs to SQLite.
            Some(_) | None => JournalError::database(doing, error),
        }
    }

    fn one<T: rusqlite::types::FromSql>(
        &self,
        sql: &str,
        parameters: impl Params,
        row: u64,
    ) -> Result<Option<T>, JournalError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(parameters, |found| found.get(0)).optional())
            .map_err(|error| self.error(&format!("reading {}", self.path.display()), row, error))
    }
}

/// The table's rows, and before them those of the files; where both hold a row, the table's.
impl Rows for SqliteRows {
    fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        // A page goes on from file to file and into the table, so that only the journal's end makes it short.
        let mut page = self.sealed_page(row, max_bytes)?;
        let bytes = rows::bytes_of(&page);
        if page.is_empty() || (bytes < max_bytes && page.len() < PAGE_ROWS as usize) {
            let first = row + page.len() as u64;
            let mut reached = first;
            let rest = self.read_page(first, max_bytes - bytes, &mut reached);
            page.extend(rest.map_err(|error| {
                self.error(&format!("reading row {reached} of {}", self.path.display()), reached, error)
            })?);
        }
        Ok(page)
    }

    fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        match self.head_in_table(row)? {
            Some(head) => Ok(Some(head)),
            None => self.ranges.head(row),
        }
    }

    fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT row FROM journal WHERE first <= ?1 AND count > 0 ORDER BY first DESC LIMIT 1";
        match self.one::<i64>(sql, [signed(position)], 1)?.map(row_number).transpose()? {
            Some(row) => Ok(Some(row)),
            None => self.ranges.floor(position),
        }
    }

    fn last(&mut self) -> Result<Option<u64>, JournalError> {
        self.last_in_table()
    }
}

impl SqliteRows {
    fn read_page(&self, row: u64, max_bytes: usize, reached: &mut u64) -> rusqlite::Result<Vec<StoredRow>> {
        let sql = format!("SELECT {COLUMNS} FROM journal WHERE row >= ?1 ORDER BY row LIMIT {PAGE_ROWS}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query([signed(row)])?;
        let mut page = Vec::new();
        let mut bytes = 0;
        while let Some(next) = found.next()? {
            let next = stored(next)?;
            bytes += if next.count > 0 { next.payload.len() } else { 0 };
            page.push(next);
            *reached += 1;
            if bytes >= max_bytes.max(1) {
                break;
            }
        }
        Ok(page)
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    Ok(StoredRow {
        row: row.get(0)?,
        first: row.get(1)?,
        count: row.get(2)?,
        epoch: row.get(3)?,
        level: row.get(4)?,
        time_ms: row.get(5)?,
        previous: row.get(6)?,
        hash: row.get(7)?,
        checksum: row.get(8)?,
        payload: row.get(9)?,
    })
}

/// A number as the database keeps it; no row or position reaches 2⁶³ (see `Chain::seal`).
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn row_number(row: i64) -> Result<u64, JournalError> {
    u64::try_from(row).map_err(|_| {
        let what = format!("a row is numbered {row}; rows are numbered from 1");
        JournalError::Corrupt(Fault { row: 1, position: Some(1), what })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, bytes: usize) -> Batch {
        Batch { first, count: 1, level: 1, time_ms: 0, payload: vec![7; bytes] }
    }

    #[test]
    fn a_full_disk_stops_the_writer_and_harms_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let mut journal = Sqlite::open(&lock, 0).unwrap();
        journal.append(&batch(1, 4_000)).unwrap();
        // A limit on the file's pages makes SQLite say what it says when the disk is full.
        journal.rows.connection.pragma_update(None, "max_page_count", 20).unwrap();
        let error = journal.append(&batch(2, 800_000)).unwrap_err();
        assert!(matches!(error, JournalError::Full { .. }), "{error}");
        assert!(error.to_string().contains("row 3"), "{error}");
        let error = journal.append(&batch(2, 10)).unwrap_err();
        assert!(matches!(error, JournalError::Stopped), "{error}");
        drop(journal);

        let mut journal = Sqlite::reopen(&lock, 0).unwrap();
        let left = std::fs::metadata(directory.path().join(LOG)).unwrap().len();
        assert!(left < 100_000, "what was tried is gone from the log, but it has {left} bytes");
        assert_eq!((journal.tip().next, journal.tip().epoch), (2, 2));
        journal.append(&batch(2, 800_000)).unwrap();
        assert_eq!(journal.read(1, usize::MAX).unwrap().len(), 2);
    }

    #[test]
    fn the_fence_lets_no_row_in_behind_another_than_its_writer_saw() {
        let meddling = [
            "UPDATE journal SET hash = previous WHERE row = 2",
            "DELETE FROM journal WHERE row = 2",
            "INSERT INTO journal SELECT 3, 2, 0, 1, 1, 0, hash, hash, 0, x'' FROM journal WHERE row = 2",
            "INSERT INTO journal SELECT 9, 2, 1, 1, 1, 0, hash, hash, 0, x'' FROM journal WHERE row = 2",
        ];
        for sql in meddling {
            let directory = tempfile::tempdir().unwrap();
            let lock = DirectoryLock::acquire(directory.path()).unwrap();
            let mut journal = Sqlite::open(&lock, 0).unwrap();
            journal.append(&batch(1, 10)).unwrap();
            journal.rows.connection.execute_batch(sql).unwrap();
            let error = journal.append(&batch(2, 10)).unwrap_err();
            assert!(matches!(error, JournalError::Deposed { row: 3, epoch: 1 }), "{sql}: {error}");
        }
    }

    #[test]
    fn a_rest_writes_the_log_into_the_database_once_it_is_long() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let size = |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().len();
        let mut journal = Sqlite::open(&lock, 0).unwrap();
        journal.append(&batch(1, 600_000)).unwrap();
        journal.rest().unwrap();
        assert!(size("journal.db") < 100_000, "so little may wait");
        journal.append(&batch(2, 600_000)).unwrap();
        journal.rest().unwrap();
        assert!(size("journal.db") > 1_200_000);
        let log = size("journal.db-wal");
        journal.append(&batch(3, 600_000)).unwrap();
        assert_eq!(size("journal.db-wal"), log, "the log begins anew");
        assert_eq!(journal.read(1, usize::MAX).unwrap().len(), 3);
    }

    #[test]
    fn the_file_has_the_settings_that_were_measured() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let journal = Sqlite::open(&lock, 0).unwrap();
        let connection = &journal.rows.connection;
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        let settings = [("synchronous", 2), ("page_size", 4096), ("wal_autocheckpoint", 4000)];
        for (name, expected) in settings {
            let value: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert_eq!(value, expected, "{name}");
        }
    }
}
