//! The service: its file, sealing and unsealing, and what it tells of keys.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    Access, By, Error, Info, State, VersionInfo, access, approval,
    financial::Forming,
    held::Held,
    life::Life,
    row::{FORMAT, KeyRow, RowKey, SCHEMA, VersionRow},
    tombstone::TOMBSTONES_NAME,
};
use crate::{
    audit::{self, Act, Pending},
    ceremony::{Progress, RootKey, Share, Shares},
    fhsm::Fhsm,
    key_file,
    provider::{CHECK_VALUE_LENGTH, KeyHandle, KeyKind, Provider, PublicKey},
    soft::Soft,
};

/// Name of the keys file in the data directory.
pub const KEYS_NAME: &str = "keys.db";
/// The file whose lock is the one process that has the keys.
const LOCK_NAME: &str = "keys.lock";
const LOCK_WAIT: Duration = Duration::from_millis(500);
/// Uses that are counted ahead.
const RESERVE: u64 = 4_096;
const TEXT_MAX: usize = 256;

/// The key service. Shared by reference between threads; see the [module](super).
pub struct KeyService {
    pub(super) path: PathBuf,
    pub(super) provider: Arc<dyn Provider>,
    /// The same provider, if the root key can be brought to it.
    pub(super) soft: Option<Arc<Soft>>,
    /// Where keys of terminals and zones are, if not in the provider.
    pub(super) module: Option<Arc<Fhsm>>,
    /// Whether it must be there for financial commands.
    pub(super) production: bool,
    pub(super) file: Mutex<Connection>,
    /// Taken after `file` where both are.
    pub(super) pending: Mutex<Pending>,
    pub(super) open: RwLock<Option<Arc<Open>>>,
    shares: Mutex<Shares>,
    /// Keys whose components custodians are bringing.
    pub(super) forming: Mutex<Forming>,
    pub(super) serves_platforms: AtomicBool,
    /// Held for as long as the service lives.
    _lock: Option<File>,
}

/// What is there while unsealed.
pub(super) struct Open {
    pub(super) root: KeyHandle,
    pub(super) rows: KeyHandle,
    pub(super) audit: KeyHandle,
    pub(super) keks: RwLock<BTreeMap<i64, KeyHandle>>,
    pub(super) keys: RwLock<HashMap<String, Slot>>,
    pub(super) access: RwLock<Access>,
}

#[derive(Clone)]
pub(super) enum Slot {
    Key(Arc<Key>),
    /// Which of its rows is not as it was written.
    Damaged(String),
}

/// A key as it is now; a change puts another in its place.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) row: KeyRow,
    pub(super) versions: Vec<Version>,
}

#[derive(Clone)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) life: Life,
    pub(super) created: i64,
    /// `None` once destroyed.
    pub(super) held: Option<Held>,
    pub(super) public: Option<PublicKey>,
    pub(super) check_value: Option<[u8; CHECK_VALUE_LENGTH]>,
    pub(super) uses: Arc<Uses>,
}

#[derive(Default)]
pub(super) struct Uses {
    pub(super) used: AtomicU64,
    pub(super) reserved: AtomicU64,
}

impl Key {
    /// The version that protects: the last active one, or the last one, whose state then says why not.
    pub(super) fn current(&self) -> Option<&Version> {
        let active = self.versions.iter().rev().find(|version| version.life.state == State::Active);
        active.or(self.versions.last())
    }

    pub(super) fn version(&self, number: u32) -> Result<&Version, Error> {
        self.versions.iter().find(|version| version.number == number).ok_or_else(|| Error::Version {
            name: self.row.name.clone(),
            version: number,
            latest: self.row.versions,
        })
    }

    pub(super) fn info(&self) -> Info {
        let row = &self.row;
        let version = |version: &Version| VersionInfo {
            version: version.number,
            state: version.life.state,
            created: version.created,
            destroy_at: version.life.destroy_at,
            uses: version.uses.used.load(Ordering::Relaxed),
            check_value: version.check_value,
            public: version.public.clone(),
        };
        Info {
            name: row.name.clone(),
            kind: row.kind,
            purpose: row.purpose,
            exportable: row.exportable,
            rotation: row.rotation,
            wait_ms: row.wait_ms,
            versions: self.versions.iter().map(version).collect(),
        }
    }
}

impl KeyService {
    /// Makes the keys file of a data directory under this root key. It is open then.
    ///
    /// # Errors
    /// [`Error::File`] if there is one already; [`Error::Io`], [`Error::Database`], [`Error::Provider`].
    pub fn init(directory: &Path, soft: Arc<Soft>, root: &RootKey, by: &By<'_>) -> Result<Self, Error> {
        let handle = soft.import(KeyKind::Sm4, root.expose())?;
        let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
        Self::init_under(directory, provider, Some(soft), handle, None, by)
    }

    /// The same with the root key in a device: an SM4 or AES key of it. `kept` is what the device needs to find that key
    /// again, such as the key as it wrapped it; it stands in the file, so that a copy of the file is whole.
    ///
    /// # Errors
    /// As [`KeyService::init`].
    pub fn init_in_device(
        directory: &Path,
        provider: Arc<dyn Provider>,
        root: KeyHandle,
        kept: &[u8],
        by: &By<'_>,
    ) -> Result<Self, Error> {
        Self::init_under(directory, provider, None, root, Some(kept), by)
    }

    fn init_under(
        directory: &Path,
        provider: Arc<dyn Provider>,
        soft: Option<Arc<Soft>>,
        root: KeyHandle,
        kept: Option<&[u8]>,
        by: &By<'_>,
    ) -> Result<Self, Error> {
        let path = directory.join(KEYS_NAME);
        let lock = take(&path)?;
        let mut file = connect(&path)?;
        if format(&file, &path)? != 0 {
            return Err(Error::File { path, reason: "this key service was made before; unseal it" });
        }
        let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(audit::SCHEMA)?;
        transaction.execute_batch(access::SCHEMA)?;
        transaction.execute_batch(approval::SCHEMA)?;
        transaction.execute("INSERT INTO root VALUES (1, ?1)", params![provider.check_value(root)?.as_slice()])?;
        for (name, kind) in [("kek", KeyKind::Sm4), ("rows", KeyKind::HmacSm3), ("audit", KeyKind::Sm2)] {
            let key = provider.generate(kind)?;
            if name == "rows" {
                Access::founded_by(by.caller).write(&transaction, RowKey { provider: &*provider, key })?;
            }
            let wrapped = provider.wrap(key, root);
            provider.destroy(key);
            transaction.execute("INSERT INTO system_key VALUES (?1, 1, ?2)", params![name, wrapped?])?;
        }
        if let Some(kept) = kept {
            transaction.execute("INSERT INTO system_key VALUES ('root', 1, ?1)", params![kept])?;
        }
        audit::append(&transaction, by.now, &act(by, "", 0, "init", audit::OK), 1)?;
        transaction.commit()?;
        let service = Self::around(path, provider, soft, file, Some(lock));
        service.unseal_root(root, by)?;
        Ok(service)
    }

    /// Opens the keys file of a data directory, sealed.
    ///
    /// # Errors
    /// [`Error::File`] if there is none, a newer program's, or another process has it; [`Error::Database`].
    pub fn open(directory: &Path, soft: Arc<Soft>) -> Result<Self, Error> {
        let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
        Self::open_file(directory, provider, Some(soft))
    }

    /// The same over a device; [`KeyService::unseal_root`] opens it.
    ///
    /// # Errors
    /// As [`KeyService::open`].
    pub fn open_in_device(directory: &Path, provider: Arc<dyn Provider>) -> Result<Self, Error> {
        Self::open_file(directory, provider, None)
    }

    /// What a device needs to find the root key again; `None` of a key service whose root key was dealt to custodians.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn root_in_device(&self) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT wrapped FROM system_key WHERE name = 'root'";
        Ok(self.file().query_row(sql, [], |row| row.get(0)).optional()?)
    }

    fn open_file(directory: &Path, provider: Arc<dyn Provider>, soft: Option<Arc<Soft>>) -> Result<Self, Error> {
        let path = directory.join(KEYS_NAME);
        let none = "there is no key service here yet; make one";
        if !path.exists() {
            return Err(Error::File { path, reason: none });
        }
        let lock = take(&path)?;
        let file = connect(&path)?;
        match format(&file, &path)? {
            0 => return Err(Error::File { path, reason: none }),
            // What an older program wrote is read as it is; that one would not know what is written from now on.
            FORMAT => {}
            _ => file.pragma_update(None, "user_version", FORMAT)?,
        }
        Ok(Self::around(path, provider, soft, file, Some(lock)))
    }

    /// For development: opens or makes the key service under the root key in the file `ark.key` of the directory. Say
    /// [`crate::KEY_FILE_WARNING`] where you do.
    ///
    /// # Errors
    /// [`Error::KeyFile`] about the key file, and those of [`KeyService::open`] and [`KeyService::unseal`].
    pub fn open_with_key_file(directory: &Path, soft: Arc<Soft>, by: &By<'_>) -> Result<Self, Error> {
        let key_path = directory.join(crate::vault::KEY_FILE_NAME);
        let made = directory.join(KEYS_NAME).exists();
        let key = match key_file::read(&key_path)? {
            Some(key) => key,
            None if made => {
                return Err(Error::File { path: key_path, reason: "it is missing; put it back from its backup" });
            }
            None => key_file::create(&key_path)?,
        };
        let root = RootKey::from_bytes(*key.expose());
        if !made {
            return Self::init(directory, soft, &root, by);
        }
        let service = Self::open(directory, soft)?;
        service.unseal(&root, by)?;
        Ok(service)
    }

    pub(super) fn around(
        path: PathBuf,
        provider: Arc<dyn Provider>,
        soft: Option<Arc<Soft>>,
        file: Connection,
        lock: Option<File>,
    ) -> Self {
        Self {
            path,
            provider,
            soft,
            module: None,
            production: false,
            file: Mutex::new(file),
            pending: Mutex::default(),
            open: RwLock::default(),
            shares: Mutex::default(),
            forming: Mutex::default(),
            serves_platforms: AtomicBool::new(false),
            _lock: lock,
        }
    }

    /// Takes a custodian's share; with the last one needed the service is open. Shares that do not make the root key of
    /// this file are forgotten, all of them.
    ///
    /// # Errors
    /// [`Error::Share`], [`Error::Root`], and those of [`KeyService::unseal`].
    pub fn unseal_share(&self, share: Share, by: &By<'_>) -> Result<Progress, Error> {
        checked(by)?;
        let taken = self.take_share(share, by);
        if let Err(error) = &taken {
            self.write_trail(&mut self.file(), Some((by.now, act(by, "", 0, "unseal", error.code()))))?;
        }
        taken
    }

    /// Forgets the shares brought so far, so that one of another set among them bars nobody.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Database`].
    pub fn forget_shares(&self, by: &By<'_>) -> Result<(), Error> {
        checked(by)?;
        *self.shares.lock().unwrap_or_else(PoisonError::into_inner) = Shares::default();
        self.write_trail(&mut self.file(), Some((by.now, act(by, "", 0, "forget-shares", audit::OK))))
    }

    fn take_share(&self, share: Share, by: &By<'_>) -> Result<Progress, Error> {
        if self.soft.is_none() {
            return Err(Error::RootInDevice);
        }
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = shares.add(share)?;
        if progress.found >= progress.threshold {
            let root = std::mem::take(&mut *shares).combine()?;
            self.unseal(&root, by)?;
        }
        Ok(progress)
    }

    /// Opens the service with its root key.
    ///
    /// # Errors
    /// [`Error::Root`] if it is another file's; [`Error::Damaged`] if a system key or the tombstones are altered; a
    /// named key that is damaged is refused when it is used.
    pub fn unseal(&self, root: &RootKey, by: &By<'_>) -> Result<(), Error> {
        let soft = self.soft.as_ref().ok_or(Error::RootInDevice)?;
        let handle = soft.import(KeyKind::Sm4, root.expose())?;
        let unsealed = self.unseal_root(handle, by);
        if unsealed.is_err() {
            soft.destroy(handle);
        }
        unsealed
    }

    /// Opens the service with a root key that lies in its provider.
    ///
    /// # Errors
    /// As [`KeyService::unseal`].
    pub fn unseal_root(&self, root: KeyHandle, by: &By<'_>) -> Result<(), Error> {
        checked(by)?;
        let mut file = self.file();
        if self.opened().is_ok() {
            self.provider.destroy(root);
            return Ok(());
        }
        let expected: Vec<u8> = file.query_row("SELECT check_value FROM root", [], |row| row.get(0))?;
        if self.provider.check_value(root)?.as_slice() != expected {
            return Err(Error::Root { path: self.path.clone() });
        }
        let open = self.load(&file, root)?;
        let served = self.serve(&mut file, &open, by);
        if served.is_err() {
            self.forget(&open);
            return served;
        }
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(open));
        Ok(())
    }

    /// Applies tombstones, then reads what is to be served.
    fn serve(&self, file: &mut Connection, open: &Open, by: &By<'_>) -> Result<(), Error> {
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = self.load_access(file, open)?;
        let transaction = begin(file)?;
        let applied = self.apply_tombstones(&transaction, open)?;
        for (name, version) in &applied {
            audit::append(&transaction, by.now, &act(by, name, *version, "tombstone", audit::OK), 1)?;
        }
        audit::append(&transaction, by.now, &act(by, "", 0, "unseal", audit::OK), 1)?;
        transaction.commit()?;
        let keys = self.load_keys(file, open, None)?;
        *open.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Forgets root key and all keys until it is unsealed again.
    ///
    /// # Errors
    /// [`Error::Sealed`] if it is; [`Error::Database`] if the trail cannot be written: it is sealed all the same.
    pub fn seal(&self, by: &By<'_>) -> Result<(), Error> {
        checked(by)?;
        self.seal_with(&mut self.file(), by)
    }

    pub(super) fn seal_with(&self, file: &mut Connection, by: &By<'_>) -> Result<(), Error> {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take().ok_or(Error::Sealed)?;
        self.forming.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.forget(&open);
        // A device's root key is the device's.
        if self.soft.is_some() {
            self.provider.destroy(open.root);
        }
        self.write_trail(file, Some((by.now, act(by, "", 0, "seal", audit::OK))))
    }

    fn forget(&self, open: &Open) {
        let keys = std::mem::take(&mut *open.keys.write().unwrap_or_else(PoisonError::into_inner));
        for slot in keys.into_values() {
            if let Slot::Key(key) = slot {
                key.versions.iter().filter_map(|version| version.held.as_ref()).for_each(|held| self.let_go(held));
            }
        }
        let keks = open.keks.read().unwrap_or_else(PoisonError::into_inner);
        keks.values().chain([&open.rows, &open.audit]).for_each(|key| self.provider.destroy(*key));
    }

    /// Whether it is sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.open.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Shares brought so far, and needed, if one was brought.
    #[must_use]
    pub fn shares_brought(&self) -> Option<Progress> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).progress()
    }

    pub(super) fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn opened(&self) -> Result<Arc<Open>, Error> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Sealed)
    }

    pub(super) fn row_key<'a>(&'a self, open: &Open) -> RowKey<'a> {
        RowKey { provider: &*self.provider, key: open.rows }
    }

    pub(super) fn tombstones(&self) -> PathBuf {
        self.path.with_file_name(TOMBSTONES_NAME)
    }

    pub(super) fn damaged(&self, row: String) -> Error {
        Error::Damaged { row, path: self.path.clone() }
    }

    pub(super) fn key(&self, open: &Open, name: &str) -> Result<Arc<Key>, Error> {
        match open.keys.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            Some(Slot::Key(key)) => Ok(Arc::clone(key)),
            Some(Slot::Damaged(row)) => Err(self.damaged(row.clone())),
            None => Err(Error::Unknown(shown(name))),
        }
    }

    /// Writes the uses that are pending, and one more record.
    pub(super) fn write_trail(&self, file: &mut Connection, more: Option<(i64, Act)>) -> Result<(), Error> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = begin(file)?;
        pending.write(&transaction)?;
        if let Some((at, act)) = more {
            audit::append(&transaction, at, &act, 1)?;
        }
        transaction.commit()?;
        pending.clear();
        Ok(())
    }

    /// Counts a use that protects. Durably before it counts: the count on disk is never behind.
    pub(super) fn count(&self, open: &Open, key: &Key, version: &Version) -> Result<(), Error> {
        let used = version.uses.used.fetch_add(1, Ordering::Relaxed) + 1;
        if used <= version.uses.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let file = self.file();
        if used <= version.uses.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let rows = self.row_key(open);
        let damaged = || self.damaged(format!("version {} of key `{}`", version.number, key.row.name));
        let mut row = VersionRow::read(&file, rows, &key.row.uid, version.number)?.ok_or_else(damaged)?;
        row.reserved = used + RESERVE;
        row.write(&file, rows)?;
        version.uses.reserved.store(row.reserved, Ordering::Release);
        Ok(())
    }
}

/// Prints where it is and whether it is sealed.
impl fmt::Debug for KeyService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sealed = self.is_sealed();
        formatter.debug_struct("KeyService").field("path", &self.path).field("sealed", &sealed).finish_non_exhaustive()
    }
}

pub(super) fn begin(file: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    file.transaction_with_behavior(TransactionBehavior::Immediate)
}

pub(super) fn act(by: &By<'_>, key: &str, version: u32, operation: &str, outcome: &str) -> Act {
    Act {
        caller: by.caller.to_owned(),
        key: shown(key),
        version,
        operation: operation.to_owned(),
        reason: by.reason.to_owned(),
        outcome: outcome.to_owned(),
    }
}

/// A name as it may stand in a trail or message: whoever asks for a long one does not fill the disk.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(128).collect()
}

pub(super) fn checked(by: &By<'_>) -> Result<(), Error> {
    for (what, text) in [("caller, bytes", by.caller), ("reason, bytes", by.reason)] {
        if text.len() > TEXT_MAX {
            return Err(Error::TooLarge { what, found: text.len(), limit: TEXT_MAX });
        }
    }
    Ok(())
}

pub(super) fn format(file: &Connection, path: &Path) -> Result<i64, Error> {
    let found: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if (0..=FORMAT).contains(&found) {
        Ok(found)
    } else {
        Err(Error::File { path: path.to_owned(), reason: "it was written by a newer program; run that one" })
    }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    if let Err(source) = made.map(drop)
        && source.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(Error::Io { action: "create", path: path.to_owned(), source });
    }
    let file = Connection::open(path)?;
    // Others may read beside this process; who may write is told by the lock.
    file.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
    )?;
    Ok(file)
}

/// One process has the file: keys in memory are the keys on disk. The lock ends with the process, however that ends.
fn take(path: &Path) -> Result<File, Error> {
    let path = path.with_file_name(LOCK_NAME);
    let failed = |source| Error::Io { action: "lock", path: path.clone(), source };
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = made.map_err(failed)?;
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // A process that was just started by the one that had it holds a copy for a moment.
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_WAIT / 50),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::File { path, reason: "another process has this key service; stop it first" });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
