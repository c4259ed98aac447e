//! The boundary to the database: values, rows, statements, transactions. Behind it lie SQLite and PostgreSQL.
//!
//! The SQL text is the same on both. It keeps to what both understand: placeholders `$1, $2, …` numbered in the order
//! in which they first appear (SQLite takes them for names and counts appearances), columns BIGINT, TEXT and BYTEA only,
//! `INSERT … ON CONFLICT … DO UPDATE`, `ON 1 = 1` for a join without a condition.

use std::fmt;
use std::path::Path;

use crate::error::StoreError;
use crate::postgres::{Postgres, PostgresConfig};
use crate::schema;
use crate::sqlite::Sqlite;

/// A value of a column or a parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BYTEA.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Value {
    /// Shows no text and no bytes: they may be of a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for Value {
    /// For ids, positions and counts, none of which reaches 2^63. An id that a caller made up and that does, becomes
    /// negative and finds nothing.
    fn from(number: u64) -> Self {
        Self::Int(number.cast_signed())
    }
}

impl From<bool> for Value {
    /// 1 for true.
    fn from(truth: bool) -> Self {
        Self::Int(truth.into())
    }
}

impl From<&str> for Value {
    /// NUL, which PostgreSQL has no place for, becomes U+FFFD: columns are for finding, the blob keeps the truth.
    fn from(text: &str) -> Self {
        Self::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<String> for Value {
    /// As for `&str`.
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn kind<T>(&self, column: usize, expected: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| {
            let found = self.0.get(column);
            StoreError::database("reading a row", format!("column {column} is {found:?}, not {expected}"))
        })
    }

    /// True where the column is NULL or is not there.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), None | Some(Value::Null))
    }

    /// The number in a column.
    ///
    /// # Errors
    /// [`StoreError::Database`] where the column holds none.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        let value = if let Some(Value::Int(number)) = self.0.get(column) { Some(*number) } else { None };
        self.kind(column, "a number", value)
    }

    /// The number at or above zero in a column.
    ///
    /// # Errors
    /// [`StoreError::Database`] where the column holds none, or one below zero.
    pub fn unsigned(&self, column: usize) -> Result<u64, StoreError> {
        self.kind(column, "a number at or above zero", u64::try_from(self.int(column)?).ok())
    }

    /// The text in a column.
    ///
    /// # Errors
    /// [`StoreError::Database`] where the column holds none.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        let value = if let Some(Value::Text(text)) = self.0.get(column) { Some(text.as_str()) } else { None };
        self.kind(column, "a text", value)
    }

    /// The bytes in a column.
    ///
    /// # Errors
    /// [`StoreError::Database`] where the column holds none.
    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        let value = if let Some(Value::Bytes(bytes)) = self.0.get(column) { Some(bytes.as_slice()) } else { None };
        self.kind(column, "bytes", value)
    }
}

/// A connection, inside a transaction or not.
pub trait Session {
    /// Runs a statement and says how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError>;

    /// Runs a statement for one row of parameters after the other, each of so many columns.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn execute_each(&self, sql: &str, columns: usize, rows: &[Value]) -> Result<(), StoreError> {
        rows.chunks(columns).try_for_each(|row| self.execute(sql, row).map(drop))
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Runs several statements without parameters.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn batch(&self, sql: &str) -> Result<(), StoreError>;

    /// How many rows one statement should write.
    fn rows_at_once(&self) -> usize;

    /// Waits until no other process changes the tables' shape; the transaction's end lets the next one in.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn lock_schema(&self) -> Result<(), StoreError>;
}

/// The database of one platform.
#[derive(Debug)]
pub struct Database(Backend);

#[derive(Debug)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens the SQLite file at `path`, which is never the journal's, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Schema`] for a file of a newer or an altered program.
    pub fn sqlite(path: &Path) -> Result<Self, StoreError> {
        Self::up_to_date(Backend::Sqlite(Sqlite::open(path)?))
    }

    /// Opens a schema of a PostgreSQL database, creating it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::BadSetting`], [`StoreError::Database`]; [`StoreError::Schema`] for a schema of a newer or an
    /// altered program.
    ///
    /// # Panics
    /// As every call, if called inside an async runtime.
    pub fn postgres(config: &PostgresConfig) -> Result<Self, StoreError> {
        Self::up_to_date(Backend::Postgres(Postgres::open(config)?))
    }

    fn up_to_date(backend: Backend) -> Result<Self, StoreError> {
        let database = Self(backend);
        database.transaction(schema::upgrade)?;
        Ok(database)
    }

    /// Runs one statement by itself and says how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        self.transaction(|session| session.execute(sql, parameters))
    }

    /// Runs one query by itself: what one checkpoint wrote it sees together.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.query(sql, parameters),
            Backend::Postgres(postgres) => postgres.query(sql, parameters),
        }
    }

    /// Does `work` as one transaction: all of it on `Ok`, nothing on `Err`.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Database`] of the commit, after which, on a lost connection, the work may be done
    /// nevertheless.
    pub fn transaction<T>(&self, work: impl FnOnce(&dyn Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.transaction(work),
            Backend::Postgres(postgres) => postgres.transaction(work),
        }
    }

    /// As [`Self::transaction`], and once it returns a power cut does not take it back.
    ///
    /// # Errors
    /// As for [`Self::transaction`].
    pub fn durable_transaction<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.durable_transaction(work),
            // Every commit there is, by the server's own default.
            Backend::Postgres(postgres) => postgres.transaction(work),
        }
    }

    /// Has `pause` called now and then while rows are written, by the thread that writes them: it may sleep, so that others have
    /// the processor. Not with PostgreSQL, whose own processes write rows.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn pause_by(&self, pause: impl FnMut() + Send + 'static) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.pause_by(pause),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Does reading `work` on one unchanging image of the database.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Database`].
    pub fn snapshot<T>(&self, work: impl FnOnce(&dyn Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.snapshot(work),
            Backend::Postgres(postgres) => postgres.snapshot(work),
        }
    }

    /// What the database says against itself, a line each. SQLite, of its file, at most a hundred things: damaged pages, indexes
    /// that miss rows or have others. PostgreSQL, of the schema's indexes; a page it checks whenever it reads one, where its
    /// checksums are on.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it is so damaged that it cannot even be asked.
    pub fn check_file(&self) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => {
                let said = sqlite.query("PRAGMA integrity_check(100)", &[])?;
                let said: Vec<String> =
                    said.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<_, _>>()?;
                Ok(said.into_iter().filter(|words| words != "ok").collect())
            }
            Backend::Postgres(postgres) => postgres.check_indexes(),
        }
    }
}
