//! Where the rows of a key service lie: in the SQLite file `keys.db`, or in a schema of a PostgreSQL database.
//!
//! ```text
//!            ┌─ sqlite ──► keys.db, one process by the lock of keys.lock
//!  Place ────┤
//!            └─ postgres ─► schema, one process by an advisory lock and a compare-and-set in every transaction
//!                  connected ── no answer, an error ──► lost ── reached again ──► connected, or behind its rows
//! ```
//! The rest of the key service names no database: it works in a [`Transaction`] with one SQL text for both. That keeps to what both
//! understand: placeholders `$1, $2, …` in the order in which they first appear, `INSERT … ON CONFLICT … DO UPDATE`, tables whose
//! text [`for_postgres`] turns over word by word.
//!
//! Invariants: what a commit returned for is durable; a place that is *behind* its rows begins no transaction but for reading them
//! anew, so memory never writes over what it has not seen.

mod copy;
mod postgres;
mod sqlite;
mod value;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub(super) use self::copy::{backup, into_schema};
pub use self::postgres::PostgresConfig;
pub(crate) use self::value::{Row, Value, values};
use self::{
    postgres::{InSchema, Postgres},
    sqlite::Sqlite,
};
use super::{Error, KEYS_NAME, access, approval, row};
use crate::audit;

/// Where a key service lies: the directory of its lock, its tombstones and, unless it has a schema, of `keys.db`.
#[derive(Debug, Clone)]
pub struct Home {
    directory: PathBuf,
    schema: Option<PostgresConfig>,
}

impl Home {
    /// A key service whose rows lie in this schema of PostgreSQL, or in `keys.db` of the directory without one.
    #[must_use]
    pub fn new(directory: &Path, schema: Option<PostgresConfig>) -> Self {
        Self { directory: directory.to_owned(), schema }
    }

    /// The directory of its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether its rows lie in PostgreSQL.
    #[must_use]
    pub fn is_in_postgres(&self) -> bool {
        self.schema.is_some()
    }

    /// The file, or `schema NAME`: what messages call it.
    #[must_use]
    pub fn name(&self) -> PathBuf {
        match &self.schema {
            None => self.directory.join(KEYS_NAME),
            Some(config) => PathBuf::from(format!("schema {}", config.schema)),
        }
    }

    /// Whether there is a key service.
    ///
    /// # Errors
    /// [`Error::Database`] if the schema is not reached; [`Error::File`] if keys lie in both places.
    pub fn is_made(&self) -> Result<bool, Error> {
        let Some(config) = &self.schema else { return Ok(self.directory.join(KEYS_NAME).exists()) };
        self.refuse_both()?;
        Ok(Postgres::beside(config)?.format() != 0)
    }

    /// A file and a schema would be two key services of one directory, and the wrong one would be served.
    pub(super) fn refuse_both(&self) -> Result<(), Error> {
        let path = self.directory.join(KEYS_NAME);
        if self.schema.is_some() && path.exists() {
            let reason = "a schema of PostgreSQL is named, and this file has keys: restore its backup into the schema and move it \
                          away, or name no schema";
            return Err(Error::File { path, reason });
        }
        Ok(())
    }
}

impl From<&Path> for Home {
    /// In `keys.db` of this directory.
    fn from(directory: &Path) -> Self {
        Self::new(directory, None)
    }
}

impl From<&PathBuf> for Home {
    fn from(directory: &PathBuf) -> Self {
        Self::new(directory, None)
    }
}

impl From<&Self> for Home {
    fn from(home: &Self) -> Self {
        home.clone()
    }
}

/// Why a place does not serve. No message carries a value of a row, or a password.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// SQLite failed.
    #[error("the keys file failed: {0}")]
    File(#[from] rusqlite::Error),
    /// PostgreSQL is not reached, or failed.
    #[error("schema {schema} of the key service is unavailable: {problem}; it is tried again with the next call")]
    Schema {
        /// Which.
        schema: String,
        /// How.
        problem: String,
    },
    /// Another process has the lock.
    #[error("another process has the key service of schema {schema}; stop it first")]
    Taken {
        /// Of which schema.
        schema: String,
    },
    /// Rows changed that this process has not read.
    #[error(
        "schema {schema} changed while the connection to it was away; the key service reads it anew at its next tick"
    )]
    Behind {
        /// Which.
        schema: String,
    },
    /// A setting that cannot be.
    #[error("the {name} of the key service in PostgreSQL is `{value}`: it must be {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A row that lacks what every row of its kind has.
    #[error("{0} is not in the place of the keys; put it back from its backup")]
    Missing(&'static str),
}

/// The connection to the rows.
pub(crate) enum Place {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Place {
    /// For the one process that changes it; nothing is made but an empty file.
    pub(super) fn open(home: &Home) -> Result<Self, Error> {
        home.refuse_both()?;
        match &home.schema {
            None => Sqlite::open(&home.name()).map(Self::Sqlite),
            Some(config) => Ok(Self::Postgres(Postgres::open(config)?)),
        }
    }

    /// For reading beside that process.
    pub(crate) fn beside(home: &Home) -> Result<Self, Error> {
        home.refuse_both()?;
        let path = home.name();
        let none = |path| Error::File { path, reason: NONE };
        let place = match &home.schema {
            None if !path.exists() => return Err(none(path)),
            None => Self::Sqlite(Sqlite::beside(&path)?),
            Some(config) => Self::Postgres(Postgres::beside(config)?),
        };
        if place.checked_format(&path)? == 0 { Err(none(path)) } else { Ok(place) }
    }

    /// A file that is read and nothing else, wherever it came from.
    pub(crate) fn of_file(path: &Path) -> Result<Self, PlaceError> {
        Ok(Self::Sqlite(Sqlite::read_only(path)?))
    }

    /// Of a key service that only reads beside another one.
    pub(super) fn none() -> Result<Self, PlaceError> {
        Ok(Self::Sqlite(Sqlite::none()?))
    }

    /// The format of the rows, 0 before they are made.
    pub(super) fn checked_format(&self, name: &Path) -> Result<i64, Error> {
        let found = match self {
            Self::Sqlite(sqlite) => sqlite.format()?,
            Self::Postgres(postgres) => postgres.format(),
        };
        if (0..=row::FORMAT).contains(&found) {
            Ok(found)
        } else {
            let reason = "it was written by a newer program; run that one";
            Err(Error::File { path: name.to_owned(), reason })
        }
    }

    /// What an older program wrote is read as it is; that one would not know what is written from now on.
    pub(super) fn raise_format(&mut self) -> Result<(), PlaceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.set_format(row::FORMAT),
            Self::Postgres(postgres) => postgres.set_format(row::FORMAT),
        }
    }

    /// Begins the transaction that makes the tables, empty.
    pub(super) fn create(&mut self) -> Result<Transaction<'_>, PlaceError> {
        let tables = [row::SCHEMA, audit::SCHEMA, access::SCHEMA, approval::SCHEMA].concat();
        match self {
            Self::Sqlite(sqlite) => sqlite.create(&tables, row::FORMAT).map(Transaction::Sqlite),
            Self::Postgres(postgres) => postgres.create(&for_postgres(&tables), row::FORMAT).map(Transaction::Postgres),
        }
    }

    /// Begins a transaction that may write: from its begin nobody else does.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_>, PlaceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin().map(Transaction::Sqlite),
            Self::Postgres(postgres) => postgres.begin().map(Transaction::Postgres),
        }
    }

    /// Begins to read one moment of the rows.
    pub(crate) fn read(&mut self) -> Result<Transaction<'_>, PlaceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read().map(Transaction::Sqlite),
            Self::Postgres(postgres) => postgres.read().map(Transaction::Postgres),
        }
    }

    /// Whether memory may be behind the rows, once the place is reached.
    pub(super) fn is_behind(&mut self) -> Result<bool, PlaceError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(postgres) => postgres.is_behind(),
        }
    }

    /// To be called right before the rows are read anew, or where memory holds none of them.
    pub(super) fn catch_up(&mut self) -> Result<(), PlaceError> {
        if self.is_behind()?
            && let Self::Postgres(postgres) = self
        {
            postgres.caught_up();
        }
        Ok(())
    }

    /// To be called where reading them anew failed.
    pub(super) fn fell_behind(&mut self) {
        if let Self::Postgres(postgres) = self {
            postgres.fell_behind();
        }
    }

    /// Leaves nothing of rows that were emptied, as far as the database lets it: not in SQLite's log, nor in PostgreSQL's table.
    pub(super) fn purge(&mut self) -> Result<(), PlaceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.purge(),
            Self::Postgres(postgres) => postgres.purge(),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

pub(super) const NONE: &str = "there is no key service here yet; make one";

/// A transaction; dropped, it changed nothing.
pub(crate) enum Transaction<'a> {
    Sqlite(rusqlite::Transaction<'a>),
    Postgres(InSchema<'a>),
}

impl Transaction<'_> {
    /// Runs a statement; how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, PlaceError> {
        match self {
            Self::Sqlite(file) => sqlite::execute(file, sql, parameters),
            Self::Postgres(schema) => schema.execute(sql, parameters),
        }
    }

    /// The rows of a query.
    pub(crate) fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, PlaceError> {
        match self {
            Self::Sqlite(file) => sqlite::query(file, sql, parameters),
            Self::Postgres(schema) => schema.query(sql, parameters),
        }
    }

    /// The first row of a query.
    pub(crate) fn first(&self, sql: &str, parameters: &[Value]) -> Result<Option<Row>, PlaceError> {
        Ok(self.query(sql, parameters)?.into_iter().next())
    }

    /// The one number of a query that has one, such as a count.
    pub(crate) fn number(&self, sql: &str, parameters: &[Value]) -> Result<i64, PlaceError> {
        let row = self.first(sql, parameters)?;
        row.and_then(|row| row.get(0)).ok_or(PlaceError::Missing("a number"))
    }

    /// Durable once this returns. After an error of PostgreSQL it may be so too: the place is then behind until it knows.
    pub(crate) fn commit(self) -> Result<(), PlaceError> {
        match self {
            Self::Sqlite(file) => Ok(file.commit()?),
            Self::Postgres(schema) => schema.commit(),
        }
    }
}

/// The text of tables for PostgreSQL: SQLite's types under the names that they have there.
fn for_postgres(tables: &str) -> String {
    tables
        .replace("PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY")
        .replace("INTEGER", "BIGINT")
        .replace("BLOB", "BYTEA")
        .replace(") STRICT, WITHOUT ROWID;", ");")
        .replace(") STRICT;", ");")
}
