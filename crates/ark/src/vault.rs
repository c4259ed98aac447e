//! The vault (保险箱): who is who, and the key of each person's sealed fields. Its own SQLite file, `vault.db`.
//!
//! ```text
//! identity ──blind index──► customer id 1, 2, 3, …  ──► data key, wrapped by the root key ──► sealed fields elsewhere
//!
//!            get_or_create            erase
//! (unknown) ───────────────► ACTIVE ─────────► ERASED      the id and its blind index stay; the data key is gone
//! ```
//!
//! Invariants:
//! - The vault holds no number, name or readable key: blind indexes and wrapped keys only.
//! - Ids are dense from 1, given out once and never again, erased ones included. Get-or-create is idempotent, so a
//!   caller that crashed after it asks again and gets the same id.
//! - An erased customer's fields open nowhere again, whichever journal, lake or backup holds their ciphertext. (A
//!   backup of *this file* from before holds the wrapped key: keep such backups no longer than erasure may take.)
//! - A new id is durable before it leaves the vault: a journal may name it at once.
//!
//! A [`Vault`] is shared by reference between threads; calls take turns on one connection. They block on the disk, so
//! an asynchronous caller runs them on a thread for blocking work.

mod check;

use std::{
    fmt,
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, ffi, params};

pub use check::Checked;

use crate::{
    error::Error,
    field::Field,
    identity::Identity,
    key_file,
    mac::MacKey,
    seal::{Place, SealedParts},
    secret::Secret,
    sm4_gcm::Sm4Key,
    totp::TotpSecret,
};

/// Name of the key file in the data directory.
pub const KEY_FILE_NAME: &str = "ark.key";
/// Name of the vault in the data directory.
pub const VAULT_NAME: &str = "vault.db";

/// The format of `vault.db`, in its `user_version`.
const FORMAT: i64 = 2;
/// How long a call waits for another process that writes.
const WRITER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an erasure waits for another process that reads; its look-ups take microseconds.
const READER_TIMEOUT: Duration = Duration::from_millis(300);
/// Seen at open if the key file is of another vault.
const MAC_ROOT_LABEL: &[u8] = b"lintel/wrap/1/mac-root";

const SCHEMA: &str = "
CREATE TABLE mac_root (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL                            -- under the root key; other keys derive from it
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
    wrapped  BLOB                                    -- under the root key; NULL once erased
) STRICT;
CREATE INDEX data_key_by_customer ON data_key (customer, id);
";

/// What came with format 2.
const SCHEMA_2: &str = "
CREATE TABLE totp (
    operator INTEGER PRIMARY KEY CHECK (operator > 0),
    serial   INTEGER NOT NULL CHECK (serial > 0),    -- counts renewals; only the last secret is kept
    wrapped  BLOB NOT NULL                           -- under the root key
) STRICT;
PRAGMA user_version = 2;
";

/// A customer (客户, one legal identity), numbered by the vault from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(pub u64);

impl fmt::Display for CustomerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What the vault knows of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Seen for the first time just now.
    Created(CustomerId),
    /// Seen before.
    Existing(CustomerId),
    /// Seen before and erased since: it keeps its id and can seal nothing.
    Erased(CustomerId),
}

impl Known {
    /// The id, whatever became of it.
    #[must_use]
    pub const fn id(self) -> CustomerId {
        match self {
            Self::Created(id) | Self::Existing(id) | Self::Erased(id) => id,
        }
    }
}

/// An open vault. See the [module](self) for what it keeps and what it promises.
pub struct Vault {
    path: PathBuf,
    connection: Mutex<Connection>,
    root: Sm4Key,
    blind_key: MacKey,
    fingerprint_key: MacKey,
}

impl Vault {
    /// Opens the vault of a data directory, or makes key file and vault if neither is there.
    ///
    /// # Errors
    /// [`Error::KeyFileMissing`], [`Error::KeyFileMode`], [`Error::KeyFileDamaged`] or
    /// [`Error::KeyFileOfAnotherVault`] if the key is not usable; [`Error::VaultFormat`] if a newer program wrote the
    /// vault; [`Error::Database`], [`Error::File`] or [`Error::Random`] if the machine fails.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let (key_file, path) = (directory.join(KEY_FILE_NAME), directory.join(VAULT_NAME));
        let root = match key_file::read(&key_file)? {
            Some(root) => root,
            // Only looked at after the key was found missing: another process makes the key first, then the vault.
            None if path.exists() => return Err(Error::KeyFileMissing { key_file, vault: path }),
            None => key_file::create(&key_file)?,
        };
        let mut connection = connect(&path)?;
        let mac_root = prepare(&mut connection, &path, &root)?
            .ok_or_else(|| Error::KeyFileOfAnotherVault { key_file, vault: path.clone() })?;
        Ok(Self {
            path,
            connection: Mutex::new(connection),
            root,
            blind_key: mac_root.derive("blind-index"),
            fingerprint_key: mac_root.derive("request-fingerprint"),
        })
    }

    /// What is known of an identity, without making anything.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn identity(&self, identity: &Identity) -> Result<Option<Known>, Error> {
        find(&self.lock(), &identity.blind_index(&self.blind_key)).map_err(self.failed("look up an identity"))
    }

    /// The customer of an identity; a new id and data key if it was never seen.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Random`]; nothing is made then.
    pub fn get_or_create(&self, identity: &Identity) -> Result<Known, Error> {
        let known = self.get_or_create_many(std::slice::from_ref(identity))?;
        Ok(*known.first().expect("one identity gives one answer"))
    }

    /// As [`Vault::get_or_create`] for many, in their order and in one transaction: all or none.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Random`]; nothing is made then.
    pub fn get_or_create_many(&self, identities: &[Identity]) -> Result<Vec<Known>, Error> {
        let indexes: Vec<_> = identities.iter().map(|identity| identity.blind_index(&self.blind_key)).collect();
        let mut connection = self.lock();
        let transaction = begin(&mut connection).map_err(self.failed("begin a transaction"))?;
        let mut known = Vec::with_capacity(indexes.len());
        for blind_index in &indexes {
            let found = find(&transaction, blind_index).map_err(self.failed("look up an identity"))?;
            known.push(match found {
                Some(found) => found,
                None => Known::Created(self.create(&transaction, blind_index)?),
            });
        }
        transaction.commit().map_err(self.failed("commit new customers"))?;
        Ok(known)
    }

    /// The highest id given out, `None` before the first. Start-up compares it with the journal's: a vault that is
    /// behind was put back from too old a backup and would give ids out twice.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn last_customer(&self) -> Result<Option<CustomerId>, Error> {
        self.lock()
            .query_row("SELECT max(id) FROM customer", [], |row| row.get::<_, Option<i64>>(0))
            .map(|id| id.map(customer_of))
            .map_err(self.failed("read the last customer"))
    }

    /// Seals a text as this customer's field, with class and mask of the field's kind.
    ///
    /// # Errors
    /// [`Error::UnknownCustomer`], [`Error::Erased`], [`Error::DataKeyDamaged`]; [`Error::Database`] or
    /// [`Error::Random`] if the machine fails.
    pub fn seal(&self, customer: CustomerId, field: Field, text: &Secret) -> Result<SealedParts, Error> {
        let row = self
            .lock()
            .prepare_cached("SELECT id, wrapped FROM data_key WHERE customer = ?1 ORDER BY id DESC LIMIT 1")
            .and_then(|mut statement| {
                statement
                    .query_row([row_of(customer.0)], |row| {
                        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
                    })
                    .optional()
            })
            .map_err(self.failed("read a data key"))?;
        let (key, wrapped) = row.ok_or(Error::UnknownCustomer(customer))?;
        let key = key.cast_unsigned();
        let data_key = self.unwrap(customer, key, wrapped)?;
        Place { customer, key, field }.seal(&data_key, text)
    }

    /// Whose data key this is: a sealed field says which key seals it, not whose it is.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn customer_of(&self, key: u64) -> Result<Option<CustomerId>, Error> {
        self.lock()
            .prepare_cached("SELECT customer FROM data_key WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([row_of(key)], |row| row.get::<_, i64>(0)).optional())
            .map(|id| id.map(customer_of))
            .map_err(self.failed("read the owner of a data key"))
    }

    /// Opens what [`Vault::seal`] made. The caller audits each opening: who, why, which field.
    ///
    /// # Errors
    /// [`Error::NotAuthentic`] if any part, the customer or the field is not the one it was sealed with;
    /// [`Error::UnknownCustomer`], [`Error::Erased`], [`Error::DataKeyDamaged`], [`Error::Database`].
    pub fn unseal(&self, customer: CustomerId, field: Field, parts: &SealedParts) -> Result<Secret, Error> {
        let place = Place { customer, key: parts.key, field };
        let connection = self.lock();
        let wrapped = connection
            .prepare_cached("SELECT wrapped FROM data_key WHERE id = ?1 AND customer = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row([row_of(parts.key), row_of(customer.0)], |row| row.get::<_, Option<Vec<u8>>>(0))
                    .optional()
            })
            .map_err(self.failed("read a data key"))?;
        let Some(wrapped) = wrapped else {
            return Err(if self.exists(&connection, customer)? {
                place.not_authentic()
            } else {
                Error::UnknownCustomer(customer)
            });
        };
        drop(connection);
        place.open(&self.unwrap(customer, parts.key, wrapped)?, parts)
    }

    /// Deletes a customer's data keys for good; the id and its blind index stay known as erased. Idempotent.
    ///
    /// The old bytes are overwritten in the file and the log is emptied, so that the file holds the key nowhere.
    ///
    /// # Errors
    /// [`Error::UnknownCustomer`]; [`Error::Database`], after which the erasure is asked for again.
    pub fn erase(&self, customer: CustomerId) -> Result<(), Error> {
        let mut connection = self.lock();
        if !self.exists(&connection, customer)? {
            return Err(Error::UnknownCustomer(customer));
        }
        erase_keys(&mut connection, customer)
            .and_then(|()| empty_log(&connection))
            .map_err(self.failed("erase a data key"))
    }

    /// Makes the secret of an operator's one-time codes: the first time for each serial, which only counts up. `None` if
    /// this serial or a later one has its secret already; it is not shown again.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Random`]; nothing is made then.
    pub fn enrol_totp(&self, operator: u64, serial: u32) -> Result<Option<TotpSecret>, Error> {
        let secret = TotpSecret::generate()?;
        let wrapped = self.root.seal(&totp_label(operator, serial), secret.expose())?;
        let made = self
            .lock()
            .execute(
                "INSERT INTO totp (operator, serial, wrapped) VALUES (?1, ?2, ?3)
                 ON CONFLICT (operator) DO UPDATE SET serial = excluded.serial, wrapped = excluded.wrapped
                 WHERE serial < excluded.serial",
                params![row_of(operator), serial, wrapped],
            )
            .map_err(self.failed("insert a secret of one-time codes"))?;
        Ok((made == 1).then_some(secret))
    }

    /// The secret of an operator's one-time codes; `None` until it is made for just this serial.
    ///
    /// # Errors
    /// [`Error::TotpDamaged`], [`Error::Database`].
    pub fn totp(&self, operator: u64, serial: u32) -> Result<Option<TotpSecret>, Error> {
        let wrapped = self
            .lock()
            .prepare_cached("SELECT wrapped FROM totp WHERE operator = ?1 AND serial = ?2")
            .and_then(|mut statement| {
                statement.query_row(params![row_of(operator), serial], |row| row.get::<_, Vec<u8>>(0)).optional()
            })
            .map_err(self.failed("read a secret of one-time codes"))?;
        let damaged = || Error::TotpDamaged { operator, vault: self.path.clone() };
        let open = |wrapped: Vec<u8>| {
            let bytes = self.root.open(&totp_label(operator, serial), &wrapped).map_err(|_| damaged())?;
            bytes.as_slice().try_into().map(TotpSecret::from_bytes).map_err(|_| damaged())
        };
        wrapped.map(open).transpose()
    }

    /// The key of request fingerprints: the same for the life of this vault.
    #[must_use]
    pub fn fingerprint_key(&self) -> MacKey {
        self.fingerprint_key.clone()
    }

    fn create(&self, transaction: &Transaction<'_>, blind_index: &[u8; 32]) -> Result<CustomerId, Error> {
        let data_key = Sm4Key::generate()?;
        let (customer, key) = next_ids(transaction).map_err(self.failed("number a customer"))?;
        let wrapped = self.root.seal(&data_key_label(customer, key), data_key.expose())?;
        insert(transaction, customer, blind_index, key, &wrapped).map_err(self.failed("insert a customer"))?;
        Ok(customer)
    }

    fn unwrap(&self, customer: CustomerId, key: u64, wrapped: Option<Vec<u8>>) -> Result<Sm4Key, Error> {
        let wrapped = wrapped.ok_or(Error::Erased(customer))?;
        let damaged = || Error::DataKeyDamaged { customer, vault: self.path.clone() };
        let bytes = self.root.open(&data_key_label(customer, key), &wrapped).map_err(|_| damaged())?;
        Ok(Sm4Key::from_bytes(bytes.as_slice().try_into().map_err(|_| damaged())?))
    }

    fn exists(&self, connection: &Connection, customer: CustomerId) -> Result<bool, Error> {
        connection
            .prepare_cached("SELECT 1 FROM customer WHERE id = ?1")
            .and_then(|mut statement| statement.exists([row_of(customer.0)]))
            .map_err(self.failed("look up a customer"))
    }

    /// A thread that panicked between two statements left a transaction that was rolled back when it was dropped, so a
    /// poisoned lock guards a sound connection.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
        failed(action, &self.path)
    }
}

/// Prints where it lies and nothing of what it holds.
impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Copies the vault of a data directory into a new file, readable by its owner alone, beside whoever writes it. What is in it is
/// sealed under the root key, which is not copied.
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
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = || {
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(WRITER_TIMEOUT)?;
        connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])
    };
    copy().map(drop).map_err(failed("copy the vault", &path))?;
    key_file::sync_directory_of(to)
}

/// Opens the file, made readable by its owner alone (SQLite gives its log the same mode), and sets the connection up.
fn connect(path: &Path) -> Result<Connection, Error> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|source: io::Error| Error::File {
        action: "open vault",
        path: path.to_owned(),
        source,
    })?;
    key_file::sync_directory_of(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let set_up = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(WRITER_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;",
        )?;
        Ok(connection)
    };
    set_up().map_err(failed("open the database", path))
}

/// Makes the schema if there is none, and reads the MAC root; `None` if the root key does not open it.
fn prepare(connection: &mut Connection, path: &Path, root: &Sm4Key) -> Result<Option<MacKey>, Error> {
    let transaction = begin(connection).map_err(failed("begin a transaction", path))?;
    let found = transaction
        .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .map_err(failed("read the format", path))?;
    match found {
        0 => {
            let wrapped = root.seal(MAC_ROOT_LABEL, MacKey::generate()?.expose())?;
            transaction
                .execute_batch(SCHEMA)
                .and_then(|()| transaction.execute_batch(SCHEMA_2))
                .and_then(|()| transaction.execute("INSERT INTO mac_root (id, wrapped) VALUES (1, ?1)", [wrapped]))
                .map_err(failed("create the tables", path))?;
        }
        1 => transaction.execute_batch(SCHEMA_2).map_err(failed("create the tables of format 2", path))?,
        FORMAT => {}
        found => return Err(Error::VaultFormat { vault: path.to_owned(), found, supported: FORMAT }),
    }
    let wrapped = transaction
        .query_row("SELECT wrapped FROM mac_root", [], |row| row.get::<_, Vec<u8>>(0))
        .map_err(failed("read the MAC root", path))?;
    transaction.commit().map_err(failed("commit the tables", path))?;
    let opened = root.open(MAC_ROOT_LABEL, &wrapped).ok();
    Ok(opened.and_then(|bytes| bytes.as_slice().try_into().ok()).map(MacKey::from_bytes))
}

/// Takes the write lock at once, so that what is read inside cannot change before it is written.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn find(connection: &Connection, blind_index: &[u8; 32]) -> rusqlite::Result<Option<Known>> {
    connection
        .prepare_cached(
            "SELECT customer.id, customer.erased FROM identity JOIN customer ON customer.id = identity.customer
             WHERE identity.blind_index = ?1",
        )?
        .query_row([blind_index], |row| {
            let id = customer_of(row.get(0)?);
            Ok(if row.get(1)? { Known::Erased(id) } else { Known::Existing(id) })
        })
        .optional()
}

/// The next customer and the next data key. Dense, because rows are never deleted and a rolled back one never was.
fn next_ids(transaction: &Transaction<'_>) -> rusqlite::Result<(CustomerId, u64)> {
    transaction
        .prepare_cached(
            "SELECT (SELECT coalesce(max(id), 0) + 1 FROM customer), (SELECT coalesce(max(id), 0) + 1 FROM data_key)",
        )?
        .query_row([], |row| Ok((customer_of(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned())))
}

fn insert(
    transaction: &Transaction<'_>,
    customer: CustomerId,
    blind_index: &[u8; 32],
    key: u64,
    wrapped: &[u8],
) -> rusqlite::Result<()> {
    let id = row_of(customer.0);
    transaction.prepare_cached("INSERT INTO customer (id) VALUES (?1)")?.execute([id])?;
    transaction
        .prepare_cached("INSERT INTO identity (blind_index, customer) VALUES (?1, ?2)")?
        .execute(params![blind_index, id])?;
    transaction
        .prepare_cached("INSERT INTO data_key (id, customer, wrapped) VALUES (?1, ?2, ?3)")?
        .execute(params![row_of(key), id, wrapped])?;
    Ok(())
}

fn erase_keys(connection: &mut Connection, customer: CustomerId) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    transaction.execute("UPDATE data_key SET wrapped = NULL WHERE customer = ?1", [row_of(customer.0)])?;
    transaction.execute("UPDATE customer SET erased = 1 WHERE id = ?1", [row_of(customer.0)])?;
    transaction.commit()
}

/// Moves the write-ahead log into the file and empties it: it may hold pages from before an erasure.
fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(READER_TIMEOUT)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(WRITER_TIMEOUT)?;
    if busy? {
        let reason = "another connection is reading, so the log still holds the old key".to_owned();
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(reason)));
    }
    Ok(())
}

/// What a wrapped data key is bound to.
fn data_key_label(customer: CustomerId, key: u64) -> Vec<u8> {
    [b"lintel/wrap/1/data-key".as_slice(), &customer.0.to_be_bytes(), &key.to_be_bytes()].concat()
}

/// What the secret of an operator's one-time codes is bound to.
fn totp_label(operator: u64, serial: u32) -> Vec<u8> {
    [b"lintel/wrap/1/totp".as_slice(), &operator.to_be_bytes(), &serial.to_be_bytes()].concat()
}

/// An id beyond SQLite's range becomes row −1, which no table holds: it is as unknown as any id never given out.
fn row_of(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

/// Row ids are positive, by a CHECK of the schema.
fn customer_of(row: i64) -> CustomerId {
    CustomerId(row.cast_unsigned())
}

fn failed(action: &'static str, vault: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    let vault = vault.to_owned();
    move |source| Error::Database { action, vault, source }
}
