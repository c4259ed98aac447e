//! The vault (保险箱): who is who, and the key of each person's sealed fields. Its own SQLite file, `vault.db`.
//!
//! ```text
//! identity ──blind index──► customer id 1, 2, 3, …  ──► data key, wrapped by the key service ──► sealed fields elsewhere
//!
//!            get_or_create            erase
//! (unknown) ───────────────► ACTIVE ─────────► ERASED      the id and its blind index stay; the data key is gone
//! ```
//!
//! Invariants:
//! - The vault holds no name and nothing readable: blind indexes, wrapped keys, and numbers of cards (`card`), wrapped too.
//! - Ids are dense from 1, given out once and never again, erased ones included. Get-or-create is idempotent, so a
//!   caller that crashed after it asks again and gets the same id.
//! - An erased customer's fields open nowhere again, whichever journal, lake or backup holds their ciphertext. (A
//!   backup of *this file* from before holds the wrapped key: keep such backups no longer than erasure may take.)
//! - A new id is durable before it leaves the vault: a journal may name it at once.
//! - Data keys are unwrapped for one call and forgotten. The MAC root is kept while the key service is open, and is not
//!   used while it is sealed.
//!
//! A [`Vault`] is shared by reference between threads; calls take turns on one connection. They block on the disk, so
//! an asynchronous caller runs them on a thread for blocking work.

mod card;
mod check;
mod file;
mod rewrap;
mod wrap;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

pub use self::card::card_token;
pub use self::check::Checked;
pub use self::file::{copy, is_made, needs_keys};
pub use self::rewrap::{LeftPage, RewrapFrom, RewrapPage};
use self::{
    file::{begin, connect, empty_log, failed, next_ids, prepare},
    wrap::Wrapper,
};
use crate::{
    ceremony::RootKey,
    error::Error,
    field::Field,
    fingerprint::FingerprintKey,
    identity::Identity,
    key_file,
    keys::{By, Home, KeyService, KeyUse, VAULT_KEY, by_platform, open_beside},
    mac::MacKey,
    seal::{Place, SealedParts},
    secret::Secret,
    sm4_gcm::Sm4Key,
    soft::Soft,
    totp::TotpSecret,
};

/// Name of the key file in the data directory.
pub const KEY_FILE_NAME: &str = "ark.key";
/// Name of the vault in the data directory.
pub const VAULT_NAME: &str = "vault.db";

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

/// What requests are known by: derived from the vault's MAC root, the same for its life.
#[derive(Debug)]
pub struct RequestKeys {
    /// The key that API keys are derived from.
    pub root: MacKey,
    /// The key of requests' fingerprints.
    pub fingerprints: FingerprintKey,
    blind: MacKey,
}

impl RequestKeys {
    fn of(mac_root: &MacKey) -> Self {
        let root = mac_root.derive("request-fingerprint");
        Self { fingerprints: FingerprintKey::derived_from(&root), root, blind: mac_root.derive("blind-index") }
    }
}

/// An open vault. See the [module](self) for what it keeps and what it promises.
pub struct Vault {
    path: PathBuf,
    connection: Mutex<Connection>,
    wrapper: Wrapper,
    request_keys: RwLock<Option<Arc<RequestKeys>>>,
    remembered: Mutex<card::Remembered>,
}

impl Vault {
    /// Opens the vault of a data directory, whose keys lie in this key service, or makes it. A vault of a program before the
    /// key service is brought up by its key file `ark.key`, in one transaction.
    ///
    /// # Errors
    /// [`Error::Keys`] if the key service is sealed or fails; [`Error::KeysOfAnotherVault`] if it is not this vault's;
    /// [`Error::KeyFileMissing`], [`Error::KeyFileMode`], [`Error::KeyFileDamaged`] or [`Error::KeyFileOfAnotherVault`] if
    /// the vault is an old one and its key file is not usable; [`Error::VaultFormat`] if a newer program wrote it;
    /// [`Error::Database`], [`Error::File`] or [`Error::Random`] if the machine fails.
    pub fn open(directory: &Path, keys: Arc<dyn KeyUse>) -> Result<Self, Error> {
        let (path, wrapper) = (directory.join(VAULT_NAME), Wrapper::new(keys));
        let mut connection = connect(&path)?;
        prepare(&mut connection, &path, &wrapper)?;
        let vault = Self {
            path,
            connection: Mutex::new(connection),
            wrapper,
            request_keys: RwLock::default(),
            remembered: Mutex::default(),
        };
        vault.request_keys()?;
        Ok(vault)
    }

    /// For development: as [`Vault::open`], with a key service in the same directory under the root key in `ark.key`, both
    /// made if they are not there. Say [`crate::KEY_FILE_WARNING`] where you do.
    ///
    /// # Errors
    /// Those of [`KeyService::open_with_key_file`] and [`Vault::open`], and [`Error::KeysMissing`].
    pub fn open_with_key_file(home: impl Into<Home>) -> Result<Self, Error> {
        let home = home.into();
        let service = open_keys_with_key_file(&home, &by_platform(KEY_FILE_NAME))?;
        Self::open(home.directory(), Arc::new(service))
    }

    /// The keys of requests. They are kept while the key service is open; once it is sealed they are forgotten.
    ///
    /// # Errors
    /// [`Error::Keys`] while it is sealed, [`Error::KeysOfAnotherVault`], [`Error::Database`].
    pub fn request_keys(&self) -> Result<Arc<RequestKeys>, Error> {
        if let Some(keys) = self.kept_request_keys() {
            return Ok(keys);
        }
        let wrapped = file::mac_root(&self.lock()).map_err(self.failed("read the MAC root"))?;
        let bytes = self.wrapper.unwrap(&wrap::mac_root(), &wrapped)?;
        let mac_root = bytes.and_then(|bytes| bytes.as_slice().try_into().ok()).map(MacKey::from_bytes);
        let mac_root = mac_root.ok_or_else(|| Error::KeysOfAnotherVault { vault: self.path.clone() })?;
        let keys = Arc::new(RequestKeys::of(&mac_root));
        *self.request_keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&keys));
        Ok(keys)
    }

    /// The keys of requests without asking the key service for them, so without waiting; forgotten here if it is sealed.
    pub fn kept_request_keys(&self) -> Option<Arc<RequestKeys>> {
        if self.wrapper.is_sealed() {
            *self.request_keys.write().unwrap_or_else(PoisonError::into_inner) = None;
            return None;
        }
        self.request_keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of an identity, without making anything.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Keys`].
    pub fn identity(&self, identity: &Identity) -> Result<Option<Known>, Error> {
        let blind_index = identity.blind_index(&self.request_keys()?.blind);
        find(&self.lock(), &blind_index).map_err(self.failed("look up an identity"))
    }

    /// The customer of an identity; a new id and data key if it was never seen.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Keys`] or [`Error::Random`]; nothing is made then.
    pub fn get_or_create(&self, identity: &Identity) -> Result<Known, Error> {
        let known = self.get_or_create_many(std::slice::from_ref(identity))?;
        Ok(*known.first().expect("one identity gives one answer"))
    }

    /// As [`Vault::get_or_create`] for many, in their order and in one transaction: all or none.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Keys`] or [`Error::Random`]; nothing is made then.
    pub fn get_or_create_many(&self, identities: &[Identity]) -> Result<Vec<Known>, Error> {
        let keys = self.request_keys()?;
        let indexes: Vec<_> = identities.iter().map(|identity| identity.blind_index(&keys.blind)).collect();
        let mut connection = self.lock();
        let transaction = begin(&mut connection).map_err(self.failed("begin a transaction"))?;
        let (first, first_key) = next_ids(&transaction).map_err(self.failed("number a customer"))?;
        let mut known = Vec::with_capacity(indexes.len());
        let mut new: HashMap<[u8; 32], CustomerId> = HashMap::new();
        let mut made = Vec::new();
        for blind_index in &indexes {
            let found = find(&transaction, blind_index).map_err(self.failed("look up an identity"))?;
            known.push(match (found, new.get(blind_index)) {
                (Some(found), _) => found,
                (None, Some(id)) => Known::Existing(*id),
                (None, None) => {
                    let (customer, key) = (CustomerId(first.0 + made.len() as u64), first_key + made.len() as u64);
                    new.insert(*blind_index, customer);
                    made.push((customer, key, blind_index));
                    Known::Created(customer)
                }
            });
        }
        self.create(&transaction, &made)?;
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
    /// [`Error::Database`], [`Error::Keys`] or [`Error::Random`]; nothing is made then.
    pub fn enrol_totp(&self, operator: u64, serial: u32) -> Result<Option<TotpSecret>, Error> {
        let secret = TotpSecret::generate()?;
        // Under the lock from here on, as customers are: a re-wrap that begins after a rotation finds what the old version wrapped.
        let connection = self.lock();
        let wrapped = self.wrapper.wrap(&wrap::totp(operator, serial), secret.expose())?;
        let made = connection
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
    /// [`Error::TotpDamaged`], [`Error::Database`], [`Error::Keys`].
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
            let bytes = self.wrapper.unwrap(&wrap::totp(operator, serial), &wrapped)?.ok_or_else(damaged)?;
            bytes.as_slice().try_into().map(TotpSecret::from_bytes).map_err(|_| damaged())
        };
        wrapped.map(open).transpose()
    }

    /// Makes customers with a data key each, which are wrapped together.
    fn create(&self, transaction: &Transaction<'_>, made: &[(CustomerId, u64, &[u8; 32])]) -> Result<(), Error> {
        let mut keys = Vec::with_capacity(made.len());
        for (customer, key, _) in made {
            let bytes = Zeroizing::new(Sm4Key::generate()?.expose().to_vec());
            keys.push((wrap::data_key(*customer, *key), bytes));
        }
        for ((customer, key, blind_index), wrapped) in made.iter().zip(self.wrapper.wrap_many(&keys)?) {
            insert(transaction, *customer, blind_index, *key, &wrapped).map_err(self.failed("insert a customer"))?;
        }
        Ok(())
    }

    fn unwrap(&self, customer: CustomerId, key: u64, wrapped: Option<Vec<u8>>) -> Result<Sm4Key, Error> {
        let wrapped = wrapped.ok_or(Error::Erased(customer))?;
        let damaged = || Error::DataKeyDamaged { customer, vault: self.path.clone() };
        let bytes = self.wrapper.unwrap(&wrap::data_key(customer, key), &wrapped)?.ok_or_else(damaged)?;
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

/// An id beyond SQLite's range becomes row −1, which no table holds: it is as unknown as any id never given out.
fn row_of(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

/// Row ids are positive, by a CHECK of the schema.
fn customer_of(row: i64) -> CustomerId {
    CustomerId(row.cast_unsigned())
}

/// For development: the key service of a directory under the root key in `ark.key`, both made if they are not there; not in
/// the place of one that a vault needs.
///
/// # Errors
/// Those of [`refuse_lost_keys`] and [`KeyService::open_with_key_file`].
pub fn open_keys_with_key_file(home: impl Into<Home>, by: &By<'_>) -> Result<KeyService, Error> {
    let home = home.into();
    refuse_lost_keys(&home)?;
    let soft = Soft::new().map_err(crate::keys::Error::Provider)?;
    Ok(KeyService::open_with_key_file(home, Arc::new(soft), by)?)
}

/// Refuses a directory whose vault is there and whose keys are not: made anew they would open nothing.
///
/// # Errors
/// [`Error::KeysMissing`]; [`Error::KeyFileMissing`] of a vault from before the key service; [`Error::Database`].
pub fn refuse_lost_keys(home: impl Into<Home>) -> Result<(), Error> {
    let home = home.into();
    let directory = home.directory();
    let (keys, vault) = (home.name(), directory.join(VAULT_NAME));
    if !vault.exists() || home.is_made()? {
        return Ok(());
    }
    if needs_keys(directory)? {
        return Err(Error::KeysMissing { keys, vault });
    }
    let key_file = directory.join(KEY_FILE_NAME);
    if key_file.exists() { Ok(()) } else { Err(Error::KeyFileMissing { key_file, vault }) }
}

/// The key that API keys are derived from, read beside a platform that may run, by whoever has the root key of its key
/// service: from custodians' shares, or `None` for the one in the file `ark.key`. Nothing is written, and no trail kept.
///
/// # Errors
/// [`Error::KeyFileMissing`] without a root key; [`Error::KeysOfAnotherVault`], [`Error::Keys`] if it is another's;
/// [`Error::Database`].
pub fn api_root_beside(home: impl Into<Home>, root: Option<&RootKey>) -> Result<MacKey, Error> {
    let home = home.into();
    let directory = home.directory();
    let path = directory.join(VAULT_NAME);
    let connection = file::existing(&path).map_err(failed("open the database", &path))?;
    if let Some(mac_root) = file::old_mac_root(&connection, &path)? {
        return Ok(RequestKeys::of(&mac_root).root);
    }
    let of_file;
    let root = match root {
        Some(root) => root,
        None => {
            let key_file = directory.join(KEY_FILE_NAME);
            let found = key_file::read(&key_file)?;
            let key = found.ok_or_else(|| Error::KeyFileMissing { key_file, vault: path.clone() })?;
            of_file = RootKey::from_bytes(*key.expose());
            &of_file
        }
    };
    let wrapped = file::mac_root(&connection).map_err(failed("read the MAC root", &path))?;
    let text = String::from_utf8(wrapped).map_err(|_| Error::KeysOfAnotherVault { vault: path.clone() })?;
    let bytes = open_beside(&home, root, VAULT_KEY, &wrap::mac_root(), &text)?;
    let mac_root = bytes.as_slice().try_into().map(MacKey::from_bytes);
    Ok(RequestKeys::of(&mac_root.map_err(|_| Error::KeysOfAnotherVault { vault: path })?).root)
}
