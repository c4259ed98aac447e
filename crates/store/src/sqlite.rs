//! The store in a SQLite file: one connection that writes, a few that read beside it.
//!
//! WAL, so that readers never wait for the writer. A checkpoint's commit is synced, once a second: what lies in the log is then
//! never much, and whatever syncs next, the journal beside it not least, waits for little (ADR 0116). All else is `synchronous`
//! NORMAL: a commit costs no sync of its own, and a power cut may lose the last ones. What is left is still one checkpoint with
//! exactly its rows, since the write-ahead log is cut at a commit. The journal itself lies in another file, because SQLite has
//! one writer a file.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql, TransactionBehavior};

use crate::db::{Row, Session, Value};
use crate::error::StoreError;

/// Connections that read at the same time; more wait.
const READERS: usize = 4;

/// How long to wait for another process that writes the file, such as a backup.
const BUSY: Duration = Duration::from_secs(10);

/// Between two tries to turn the file to WAL.
const SWITCH_PAUSE: Duration = Duration::from_millis(2);

/// Statements the writer keeps prepared: one for each table, and some more.
const KEPT_STATEMENTS: usize = 96;

/// What the writer asks for when it opens the file. 64 MiB of pages stay in memory, for rows of a checkpoint fall on pages all
/// over an index, and a page that does not stay is written and read again for each. The log goes into the file at the same size,
/// so that a page that changes with every checkpoint is copied there once in many of them.
const WRITER: &str = "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; \
                      PRAGMA wal_autocheckpoint = 16384;";

/// Steps of SQLite's machine between two looks at whether to pause: those of some ten rows.
const STEPS: i32 = 500;

/// The file.
pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Readers,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let doing = format!("opening the store {}", path.display());
        let failed = |error: rusqlite::Error| StoreError::database(&doing, error);
        // One thread at a time uses it, behind our own lock.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let writer = Connection::open_with_flags(path, flags).map_err(failed)?;
        writer.busy_timeout(BUSY).map_err(failed)?;
        writer.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        writer.execute_batch(WRITER).map_err(failed)?;
        use_write_ahead_log(&writer).map_err(failed)?;
        let readers = Readers { path: path.to_owned(), pool: Mutex::default(), returned: Condvar::new() };
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers })
    }

    pub(crate) fn pause_by(&self, mut pause: impl FnMut() + Send + 'static) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let step = move || {
            pause();
            // Whether to break off.
            false
        };
        writer.progress_handler(STEPS, Some(step)).map_err(|error| StoreError::database("setting pauses", error))
    }

    pub(crate) fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.readers.take()?.query(sql, parameters)
    }

    pub(crate) fn transaction<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.transaction_on(&mut writer, work)
    }

    /// A transaction whose commit is synced, and with it all before it: they stand in the same log.
    pub(crate) fn durable_transaction<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Session::batch(&*writer, "PRAGMA synchronous = FULL")?;
        let done = self.transaction_on(&mut writer, work);
        // Where this fails, later commits are synced too: slower, and as good.
        Session::batch(&*writer, "PRAGMA synchronous = NORMAL").ok();
        done
    }

    fn transaction_on<T>(
        &self,
        writer: &mut Connection,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let doing = || format!("a transaction in {}", self.path.display());
        // The write lock at once: a transaction that begins by reading could not wait for it later.
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| StoreError::database(doing(), error))?;
        let connection: &Connection = &transaction;
        let done = work(connection)?;
        transaction.commit().map_err(|error| StoreError::database(doing(), error))?;
        Ok(done)
    }

    pub(crate) fn snapshot<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = self.readers.take()?;
        let transaction = reader
            .unchecked_transaction()
            .map_err(|error| StoreError::database(format!("reading {}", self.path.display()), error))?;
        let connection: &Connection = &transaction;
        work(connection)
    }
}

/// Turns the file to WAL. The switch needs the file alone, and SQLite answers "locked" at once, without its busy timeout,
/// where two that hold a read lock both want it: so it is asked again, for as long as any other wait.
fn use_write_ahead_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    let began = Instant::now();
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY => std::thread::sleep(SWITCH_PAUSE),
            done => return done,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl Session for Connection {
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let run = || {
            let mut statement = self.prepare_cached(sql)?;
            bind(&mut statement, parameters)?;
            statement.raw_execute()
        };
        run().map(|rows| rows as u64).map_err(|error| StoreError::database(begin_of(sql), error))
    }

    /// Prepared once: to find the statement by its text takes as long as an index of the row.
    fn execute_each(&self, sql: &str, columns: usize, rows: &[Value]) -> Result<(), StoreError> {
        let run = || {
            let mut statement = self.prepare_cached(sql)?;
            rows.chunks(columns).try_for_each(|row| {
                bind(&mut statement, row)?;
                statement.raw_execute().map(drop)
            })
        };
        run().map_err(|error: rusqlite::Error| StoreError::database(begin_of(sql), error))
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let read = || {
            let mut statement = self.prepare_cached(sql)?;
            bind(&mut statement, parameters)?;
            let columns = statement.column_count();
            let mut answer = statement.raw_query();
            let mut rows = Vec::new();
            while let Some(row) = answer.next()? {
                rows.push(Row((0..columns).map(|at| row.get_ref(at).map(value)).collect::<Result<_, _>>()?));
            }
            Ok(rows)
        };
        read().map_err(|error: rusqlite::Error| StoreError::database(begin_of(sql), error))
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.execute_batch(sql).map_err(|error| StoreError::database(begin_of(sql), error))
    }

    /// One: a statement of several rows keeps a copy of every page it changes, to take itself back if a later row fails, and
    /// each of its parameters is looked up among those before it.
    fn rows_at_once(&self) -> usize {
        1
    }

    fn lock_schema(&self) -> Result<(), StoreError> {
        // A writing transaction has the whole file to itself.
        Ok(())
    }
}

/// What an error says about a statement: its first words, without its parameters.
pub(crate) fn begin_of(sql: &str) -> String {
    const SHOWN: usize = 60;
    let flat = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= SHOWN {
        return flat;
    }
    flat.chars().take(SHOWN).chain(['…']).collect()
}

fn bind(statement: &mut Statement<'_>, parameters: &[Value]) -> rusqlite::Result<()> {
    for (index, parameter) in (1..).zip(parameters) {
        statement.raw_bind_parameter(index, parameter)?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // No column of ours holds one; what is foreign in a file shows as a text that decodes to nothing.
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// The reading connections, opened when first needed.
struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    taken: usize,
}

/// A reading connection that goes back when it is dropped.
struct Reader<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    fn take(&self) -> Result<Reader<'_>, StoreError> {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pool =
            self.returned.wait_while(pool, |pool| pool.taken >= READERS).unwrap_or_else(PoisonError::into_inner);
        let connection = match pool.idle.pop() {
            Some(connection) => connection,
            None => self.open()?,
        };
        pool.taken += 1;
        Ok(Reader { readers: self, connection: Some(connection) })
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY)?;
            Ok(connection)
        };
        open().map_err(|error: rusqlite::Error| {
            StoreError::database(format!("opening {} for reading", self.path.display()), error)
        })
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.taken -= 1;
        pool.idle.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}
