//! The vault's file: its tables, its format, and how one of an earlier program is brought up.
//!
//! ```text
//! format 1, 2: wrapped by the root key in ark.key ── one transaction, at open ──► 3: wrapped by the key service ─► 4: cards
//! ```
//! A crash before the transaction's end leaves the old format, whole; the next opening begins again.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, ffi, params};
use zeroize::Zeroizing;

use super::{
    CustomerId, KEY_FILE_NAME, VAULT_NAME, customer_of,
    wrap::{self, Wrapper},
};
use crate::{
    error::Error,
    key_file,
    keys::{BATCH_MAX, Context},
    mac::MacKey,
    sm4_gcm::Sm4Key,
};

/// The format of `vault.db`, in its `user_version`.
pub(super) const FORMAT: i64 = 4;
/// The last format whose keys lie under the root key in the file.
const FORMAT_OF_KEY_FILE: i64 = 2;
/// The last format that knew no cards.
const FORMAT_BEFORE_CARDS: i64 = 3;
/// How long a call waits for another process that writes.
const WRITER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an erasure waits for another process that reads; its look-ups take microseconds.
const READER_TIMEOUT: Duration = Duration::from_millis(300);

const SCHEMA: &str = "
CREATE TABLE mac_root (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL                            -- by the key service; other keys derive from it
) STRICT;
CREATE TABLE customer (
    id      INTEGER PRIMARY KEY CHECK (id > 0),      -- dense; rows are never deleted
    erased  INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))
) STRICT;
CREATE TABLE identity (
    blind_index BLOB PRIMARY KEY,                    -- HMAC-SM3 of certificate type and number
    customer    INTEGER NOT NULL REFERENCES customer (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE data_key (
    id       INTEGER PRIMARY KEY CHECK (id > 0),     -- the key reference of a sealed field
    customer INTEGER NOT NULL REFERENCES customer (id),
    wrapped  BLOB                                    -- by the key service; NULL once erased
) STRICT;
CREATE INDEX data_key_by_customer ON data_key (customer, id);
";

/// What came with format 2.
const SCHEMA_2: &str = "
CREATE TABLE totp (
    operator INTEGER PRIMARY KEY CHECK (operator > 0),
    serial   INTEGER NOT NULL CHECK (serial > 0),    -- counts renewals; only the last secret is kept
    wrapped  BLOB NOT NULL                           -- by the key service
) STRICT;
";

/// What came with format 4.
const SCHEMA_4: &str = "
CREATE TABLE card (
    id      INTEGER PRIMARY KEY CHECK (id > 0),
    token   TEXT NOT NULL UNIQUE,                    -- a keyed digest of the number
    wrapped BLOB NOT NULL                            -- by the key service
) STRICT;
";

/// Whether the vault of a directory is there and its keys lie in the key service, so that they are lost without `keys.db`.
///
/// # Errors
/// [`Error::Database`].
pub fn needs_keys(directory: &Path) -> Result<bool, Error> {
    Ok(format_in(directory)?.is_some_and(|format| format > FORMAT_OF_KEY_FILE))
}

/// Whether the vault of a directory is there with its tables. A file without them is being made, or its maker died.
///
/// # Errors
/// [`Error::Database`].
pub fn is_made(directory: &Path) -> Result<bool, Error> {
    Ok(format_in(directory)?.is_some_and(|format| format > 0))
}

/// The format of a directory's vault, 0 without tables; none without a file.
fn format_in(directory: &Path) -> Result<Option<i64>, Error> {
    let path = directory.join(VAULT_NAME);
    if !path.exists() {
        return Ok(None);
    }
    let found = existing(&path).and_then(|connection| format_of(&connection));
    found.map(Some).map_err(failed("read the format", &path))
}

/// Opens the file, made readable by its owner alone (SQLite gives its log the same mode), and sets the connection up.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|source: io::Error| Error::File {
        action: "open vault",
        path: path.to_owned(),
        source,
    })?;
    key_file::sync_directory_of(path)?;
    let set_up = || {
        let connection = existing(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;",
        )?;
        Ok(connection)
    };
    set_up().map_err(failed("open the database", path))
}

/// A connection to a file that is there.
pub(super) fn existing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(WRITER_TIMEOUT)?;
    Ok(connection)
}

/// Makes the tables if there are none, or brings them up.
pub(super) fn prepare(connection: &mut Connection, path: &Path, wrapper: &Wrapper) -> Result<(), Error> {
    let transaction = begin(connection).map_err(failed("begin a transaction", path))?;
    let found = format_of(&transaction).map_err(failed("read the format", path))?;
    match found {
        0 => {
            wrapper.ensure()?;
            let wrapped = wrapper.wrap(&wrap::mac_root(), MacKey::generate()?.expose())?;
            transaction
                .execute_batch(SCHEMA)
                .and_then(|()| transaction.execute_batch(SCHEMA_2))
                .and_then(|()| transaction.execute("INSERT INTO mac_root (id, wrapped) VALUES (1, ?1)", [wrapped]))
                .map_err(failed("create the tables", path))?;
        }
        1 => {
            transaction.execute_batch(SCHEMA_2).map_err(failed("create the tables of format 2", path))?;
            rewrap(&transaction, path, wrapper)?;
        }
        FORMAT_OF_KEY_FILE => rewrap(&transaction, path, wrapper)?,
        FORMAT_BEFORE_CARDS | FORMAT => {}
        found => return Err(Error::VaultFormat { vault: path.to_owned(), found, supported: FORMAT }),
    }
    if found < FORMAT {
        transaction.execute_batch(SCHEMA_4).map_err(failed("create the tables of format 4", path))?;
    }
    transaction
        .execute_batch(&format!("PRAGMA user_version = {FORMAT}"))
        .and_then(|()| transaction.commit())
        .map_err(failed("commit the tables", path))?;
    if (1..=FORMAT_OF_KEY_FILE).contains(&found) {
        // What lay under the old root key leaves the log too. If somebody reads just now, the next erasure does it.
        drop(empty_log(connection));
    }
    Ok(())
}

fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn mac_root(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    connection.query_row("SELECT wrapped FROM mac_root", [], |row| row.get(0))
}

/// The MAC root of a vault that a program before the key service wrote, by its key file; `None` if it is of a later one.
pub(super) fn old_mac_root(connection: &Connection, path: &Path) -> Result<Option<MacKey>, Error> {
    if format_of(connection).map_err(failed("read the format", path))? > FORMAT_OF_KEY_FILE {
        return Ok(None);
    }
    let wrapped = mac_root(connection).map_err(failed("read the MAC root", path))?;
    Old::of(path)?.mac_root(path, &wrapped).map(Some)
}

/// Moves everything from under the root key in the file to the key service.
fn rewrap(transaction: &Transaction<'_>, path: &Path, wrapper: &Wrapper) -> Result<(), Error> {
    let old = Old::of(path)?;
    let wrapped = mac_root(transaction).map_err(failed("read the MAC root", path))?;
    let root = old.mac_root(path, &wrapped)?;
    wrapper.ensure()?;
    let wrapped = wrapper.wrap(&wrap::mac_root(), root.expose())?;
    transaction.execute("UPDATE mac_root SET wrapped = ?1", [wrapped]).map_err(failed("re-wrap the MAC root", path))?;
    let data_key = |row: &Row| Moved { old: old_data_key(*row), new: wrap::data_key(CustomerId(row.1), row.0) };
    old.rows(transaction, path, wrapper, DATA_KEYS, &data_key)?;
    let serial = |row: &Row| u32::try_from(row.1).unwrap_or(u32::MAX);
    let totp = |row: &Row| Moved { old: old_totp(row.0, serial(row)), new: wrap::totp(row.0, serial(row)) };
    old.rows(transaction, path, wrapper, SECRETS, &totp)
}

/// Number of a row, and of whom or what it is.
type Row = (u64, u64);

/// What a row was bound to, and is from now on.
struct Moved {
    old: Vec<u8>,
    new: Context,
}

/// How rows are read and written: `(read, write)`. Those of erased customers have nothing to move.
const DATA_KEYS: (&str, &str) = (
    "SELECT id, customer, wrapped FROM data_key WHERE wrapped IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
    "UPDATE data_key SET wrapped = ?2 WHERE id = ?1",
);
const SECRETS: (&str, &str) = (
    "SELECT operator, serial, wrapped FROM totp WHERE operator > ?1 ORDER BY operator LIMIT ?2",
    "UPDATE totp SET wrapped = ?2 WHERE operator = ?1",
);

/// The root key of the formats before.
struct Old {
    root: Sm4Key,
    key_file: PathBuf,
}

impl Old {
    /// That of the vault at this path.
    fn of(path: &Path) -> Result<Self, Error> {
        let key_file = path.with_file_name(KEY_FILE_NAME);
        match key_file::read(&key_file)? {
            Some(root) => Ok(Self { root, key_file }),
            None => Err(Error::KeyFileMissing { key_file, vault: path.to_owned() }),
        }
    }

    fn mac_root(&self, path: &Path, wrapped: &[u8]) -> Result<MacKey, Error> {
        let opened = self.root.open(b"lintel/wrap/1/mac-root", wrapped).ok();
        opened
            .and_then(|bytes| bytes.as_slice().try_into().ok())
            .map(MacKey::from_bytes)
            .ok_or_else(|| Error::KeyFileOfAnotherVault { key_file: self.key_file.clone(), vault: path.to_owned() })
    }

    /// A row that does not open stays as it is, and is named when it is used, as before.
    fn rows(
        &self,
        transaction: &Transaction<'_>,
        path: &Path,
        wrapper: &Wrapper,
        (read, write): (&str, &str),
        moved: &dyn Fn(&Row) -> Moved,
    ) -> Result<(), Error> {
        let mut last = 0;
        loop {
            let rows = page(transaction, read, last).map_err(failed("read wrapped keys", path))?;
            let Some(((end, _), _)) = rows.last() else { return Ok(()) };
            last = *end;
            let (mut numbers, mut values) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for (row, wrapped) in &rows {
                let Moved { old, new } = moved(row);
                if let Ok(bytes) = self.root.open(&old, wrapped) {
                    numbers.push(row.0);
                    values.push((new, bytes));
                }
            }
            let wrapped = wrapper.wrap_many(&values)?;
            for (number, wrapped) in numbers.into_iter().zip(wrapped) {
                transaction
                    .prepare_cached(write)
                    .and_then(|mut statement| statement.execute(params![number.cast_signed(), wrapped]))
                    .map_err(failed("re-wrap a key", path))?;
            }
        }
    }
}

fn page(transaction: &Transaction<'_>, sql: &str, after: u64) -> rusqlite::Result<Vec<(Row, Zeroizing<Vec<u8>>)>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map(params![after.cast_signed(), BATCH_MAX as i64], |row| {
        let numbers = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
        Ok((numbers, Zeroizing::new(row.get::<_, Vec<u8>>(2)?)))
    })?;
    rows.collect()
}

/// What a data key was bound to before the key service.
fn old_data_key((key, customer): Row) -> Vec<u8> {
    [b"lintel/wrap/1/data-key".as_slice(), &customer.to_be_bytes(), &key.to_be_bytes()].concat()
}

/// What the secret of an operator's one-time codes was bound to before.
fn old_totp(operator: u64, serial: u32) -> Vec<u8> {
    [b"lintel/wrap/1/totp".as_slice(), &operator.to_be_bytes(), &serial.to_be_bytes()].concat()
}

/// Copies the vault of a data directory into a new file, readable by its owner alone, beside whoever writes it. What is in it is
/// wrapped by the key service, whose keys are not copied.
///
/// # Errors
/// [`Error::File`] if the new file is there or cannot be made, [`Error::Database`].
pub fn copy(directory: &Path, to: &Path) -> Result<(), Error> {
    let path = directory.join(VAULT_NAME);
    // SQLite takes an empty file for a new one; made here, it has its mode from the beginning.
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(to).map_err(|source| Error::File {
        action: "make a copy of the vault",
        path: to.to_owned(),
        source,
    })?;
    let copy = || existing(&path)?.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
    copy().map(drop).map_err(failed("copy the vault", &path))?;
    key_file::sync_directory_of(to)
}

/// Takes the write lock at once, so that what is read inside cannot change before it is written.
pub(super) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// The next customer and the next data key. Dense, because rows are never deleted and a rolled back one never was.
pub(super) fn next_ids(transaction: &Transaction<'_>) -> rusqlite::Result<(CustomerId, u64)> {
    transaction
        .prepare_cached(
            "SELECT (SELECT coalesce(max(id), 0) + 1 FROM customer), (SELECT coalesce(max(id), 0) + 1 FROM data_key)",
        )?
        .query_row([], |row| Ok((customer_of(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned())))
}

/// Moves the write-ahead log into the file and empties it: it may hold pages from before an erasure.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(READER_TIMEOUT)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(WRITER_TIMEOUT)?;
    if busy? {
        let reason = "another connection is reading, so the log still holds the old key".to_owned();
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(reason)));
    }
    Ok(())
}

pub(super) fn failed(action: &'static str, vault: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    let vault = vault.to_owned();
    move |source| Error::Database { action, vault, source }
}
