//! The rows in a SQLite file. Others may read beside the process that has it; who may write is told by the lock of `keys.lock`.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt as _, path::Path};

use rusqlite::{
    Connection, OpenFlags, ToSql, Transaction, TransactionBehavior, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{PlaceError, Row, Value};
use crate::keys::Error;

pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// Makes an empty file of mode 0600 where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Err(source) = made.map(drop)
            && source.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(Error::Io { action: "create", path: path.to_owned(), source });
        }
        let file = Connection::open(path).map_err(PlaceError::File)?;
        file.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
        )
        .map_err(PlaceError::File)?;
        Ok(Self(file))
    }

    /// A file of its own, empty, without a log beside it: a backup is one file.
    pub(super) fn alone(path: &Path) -> Result<Self, PlaceError> {
        let file = Connection::open(path)?;
        file.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        Ok(Self(file))
    }

    pub(super) fn beside(path: &Path) -> Result<Self, PlaceError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self(Connection::open_with_flags(path, flags)?))
    }

    pub(super) fn read_only(path: &Path) -> Result<Self, PlaceError> {
        Ok(Self(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?))
    }

    pub(super) fn none() -> Result<Self, PlaceError> {
        Ok(Self(Connection::open_in_memory()?))
    }

    pub(super) fn format(&self) -> Result<i64, PlaceError> {
        Ok(self.0.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    }

    pub(super) fn set_format(&self, format: i64) -> Result<(), PlaceError> {
        Ok(self.0.pragma_update(None, "user_version", format)?)
    }

    pub(super) fn create(&mut self, tables: &str, format: i64) -> Result<Transaction<'_>, PlaceError> {
        let transaction = self.begin()?;
        transaction.execute_batch(tables)?;
        transaction.pragma_update(None, "user_version", format)?;
        Ok(transaction)
    }

    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, PlaceError> {
        Ok(self.0.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    pub(super) fn read(&mut self) -> Result<Transaction<'_>, PlaceError> {
        Ok(self.0.transaction_with_behavior(TransactionBehavior::Deferred)?)
    }

    pub(super) fn copy_into(&self, target: &Path) -> Result<(), PlaceError> {
        self.0.execute("VACUUM INTO ?1", [target.to_string_lossy()])?;
        Ok(())
    }

    pub(super) fn purge(&self) -> Result<(), PlaceError> {
        Ok(self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}

pub(super) fn execute(file: &Connection, sql: &str, parameters: &[Value]) -> Result<u64, PlaceError> {
    Ok(file.prepare_cached(sql)?.execute(params_from_iter(parameters))? as u64)
}

pub(super) fn query(file: &Connection, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, PlaceError> {
    let mut statement = file.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(parameters))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(value));
        found.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

/// What is of no type that a column has is no value: who reads it sees an altered row.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => std::str::from_utf8(text).map_or(Value::Null, Value::from),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
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
