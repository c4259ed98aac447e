//! The service: its rows, sealing and unsealing, and what it tells of keys.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Access, By, Error, Home, Info, VersionInfo,
    error::TAKEN,
    financial::Forming,
    held::Held,
    life::Life,
    place::{NONE, Place, PlaceError, values},
    row::{FORMAT, KeyRow, RowKey, VersionRow},
    tombstone::TOMBSTONES_NAME,
};
use crate::{
    audit::{self, Act, Pending, Taken},
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
    pub(super) home: Home,
    pub(super) provider: Arc<dyn Provider>,
    /// The same provider, if the root key can be brought to it.
    pub(super) soft: Option<Arc<Soft>>,
    /// Where keys of terminals and zones are, if not in the provider.
    pub(super) module: Option<Arc<Fhsm>>,
    /// Whether it must be there for financial commands.
    pub(super) production: bool,
    /// Whether it makes and uses keys of national algorithms alone.
    pub(super) approved_only: bool,
    /// How long a next version of the platform's signing keys waits before it signs.
    pub(super) overlap_ms: i64,
    pub(super) place: Mutex<Place>,
    /// Taken after `place` where both are, and never while something is written.
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

impl Uses {
    /// Whether so many more are counted ahead.
    pub(super) fn has(&self, more: u64) -> bool {
        self.used.load(Ordering::Relaxed) + more <= self.reserved.load(Ordering::Acquire)
    }
}

impl Key {
    pub(super) fn version(&self, number: u32) -> Result<&Version, Error> {
        self.versions.iter().find(|version| version.number == number).ok_or_else(|| Error::Version {
            name: self.row.name.clone(),
            version: number,
            latest: self.row.versions,
        })
    }

    pub(super) fn info(&self, overlap_ms: i64) -> Info {
        let row = &self.row;
        let version = |version: &Version| VersionInfo {
            version: version.number,
            state: version.life.state,
            created: version.created,
            signs_from: self.signs_from(version, overlap_ms),
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
    /// Makes a key service under this root key. It is open then.
    ///
    /// # Errors
    /// [`Error::File`] if there is one already, or another process has it; [`Error::Io`], [`Error::Database`], [`Error::Provider`].
    pub fn init(home: impl Into<Home>, soft: Arc<Soft>, root: &RootKey, by: &By<'_>) -> Result<Self, Error> {
        let handle = soft.import(KeyKind::Sm4, root.expose())?;
        let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
        Self::init_under(home.into(), provider, Some(soft), handle, None, by)
    }

    /// The same with the root key in a device: an SM4 or AES key of it. `kept` is what the device needs to find that key
    /// again, such as the key as it wrapped it; it stands in the file, so that a copy of the file is whole.
    ///
    /// # Errors
    /// As [`KeyService::init`].
    pub fn init_in_device(
        home: impl Into<Home>,
        provider: Arc<dyn Provider>,
        root: KeyHandle,
        kept: &[u8],
        by: &By<'_>,
    ) -> Result<Self, Error> {
        Self::init_under(home.into(), provider, None, root, Some(kept), by)
    }

    fn init_under(
        home: Home,
        provider: Arc<dyn Provider>,
        soft: Option<Arc<Soft>>,
        root: KeyHandle,
        kept: Option<&[u8]>,
        by: &By<'_>,
    ) -> Result<Self, Error> {
        let lock = take(home.directory())?;
        let mut place = Place::open(&home)?;
        if place.checked_format(&home.name())? != 0 {
            let reason = "this key service was made before; unseal it";
            return Err(Error::File { path: home.name(), reason });
        }
        let transaction = place.create()?;
        let check = provider.check_value(root)?;
        transaction.execute("INSERT INTO root VALUES (1, $1)", values![check.as_slice()])?;
        for (name, kind) in [("kek", KeyKind::Sm4), ("rows", KeyKind::HmacSm3), ("audit", KeyKind::Sm2)] {
            let key = provider.generate(kind)?;
            if name == "rows" {
                Access::founded_by(by.caller).write(&transaction, RowKey { provider: &*provider, key })?;
            }
            let wrapped = provider.wrap(key, root);
            provider.destroy(key);
            transaction.execute("INSERT INTO system_key VALUES ($1, 1, $2)", values![name, wrapped?])?;
        }
        if let Some(kept) = kept {
            transaction.execute("INSERT INTO system_key VALUES ('root', 1, $1)", values![kept])?;
        }
        audit::append(&transaction, by.now, &act(by, "", 0, "init", audit::OK), 1)?;
        transaction.commit()?;
        let service = Self::around(home, provider, soft, place, Some(lock));
        service.unseal_root(root, by)?;
        Ok(service)
    }

    /// Opens a key service, sealed.
    ///
    /// # Errors
    /// [`Error::File`] if there is none, a newer program's, or another process has it; [`Error::Database`].
    pub fn open(home: impl Into<Home>, soft: Arc<Soft>) -> Result<Self, Error> {
        let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
        Self::open_place(home.into(), provider, Some(soft))
    }

    /// The same over a device; [`KeyService::unseal_root`] opens it.
    ///
    /// # Errors
    /// As [`KeyService::open`].
    pub fn open_in_device(home: impl Into<Home>, provider: Arc<dyn Provider>) -> Result<Self, Error> {
        Self::open_place(home.into(), provider, None)
    }

    /// What a device needs to find the root key again; `None` of a key service whose root key was dealt to custodians.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn root_in_device(&self) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT wrapped FROM system_key WHERE name = 'root'";
        Ok(self.place().read()?.first(sql, &[])?.and_then(|row| row.get(0)))
    }

    fn open_place(home: Home, provider: Arc<dyn Provider>, soft: Option<Arc<Soft>>) -> Result<Self, Error> {
        let name = home.name();
        let none = |path| Error::File { path, reason: NONE };
        // To open a file makes it.
        if !home.is_in_postgres() && !name.exists() {
            return Err(none(name));
        }
        let lock = take(home.directory())?;
        let mut place = Place::open(&home)?;
        match place.checked_format(&name)? {
            0 => return Err(none(name)),
            FORMAT => {}
            _ => place.raise_format()?,
        }
        Ok(Self::around(home, provider, soft, place, Some(lock)))
    }

    /// For development: opens or makes the key service under the root key in the file `ark.key` of the directory. Say
    /// [`crate::KEY_FILE_WARNING`] where you do.
    ///
    /// # Errors
    /// [`Error::KeyFile`] about the key file, and those of [`KeyService::open`] and [`KeyService::unseal`].
    pub fn open_with_key_file(home: impl Into<Home>, soft: Arc<Soft>, by: &By<'_>) -> Result<Self, Error> {
        let home = home.into();
        let key_path = home.directory().join(crate::vault::KEY_FILE_NAME);
        let made = home.is_made()?;
        let key = match key_file::read(&key_path)? {
            Some(key) => key,
            None if made => {
                return Err(Error::File { path: key_path, reason: "it is missing; put it back from its backup" });
            }
            None => key_file::create(&key_path)?,
        };
        let root = RootKey::from_bytes(*key.expose());
        if !made {
            return Self::init(home, soft, &root, by);
        }
        let service = Self::open(home, soft)?;
        service.unseal(&root, by)?;
        Ok(service)
    }

    pub(super) fn around(
        home: Home,
        provider: Arc<dyn Provider>,
        soft: Option<Arc<Soft>>,
        place: Place,
        lock: Option<File>,
    ) -> Self {
        Self {
            home,
            provider,
            soft,
            module: None,
            production: false,
            approved_only: false,
            overlap_ms: 0,
            place: Mutex::new(place),
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
            self.write_trail(&mut self.place(), Some((by.now, act(by, "", 0, "unseal", error.code()))))?;
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
        self.write_trail(&mut self.place(), Some((by.now, act(by, "", 0, "forget-shares", audit::OK))))
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
        let mut place = self.place();
        if self.opened().is_ok() {
            self.provider.destroy(root);
            return Ok(());
        }
        self.read_all(&mut place, root, "unseal", by)
    }

    /// Serves what the rows say, under a root key that is in the provider.
    fn read_all(&self, place: &mut Place, root: KeyHandle, operation: &str, by: &By<'_>) -> Result<(), Error> {
        place.catch_up()?;
        let open = {
            let seen = place.read()?;
            let found = seen.first("SELECT check_value FROM root", &[])?.and_then(|row| row.get::<Vec<u8>>(0));
            let expected = found.ok_or(PlaceError::Missing("the check value of the root key"))?;
            if self.provider.check_value(root)?.as_slice() != expected {
                return Err(Error::Root { path: self.home.name() });
            }
            self.load(&seen, root)?
        };
        let served = self.serve(place, &open, operation, by);
        if served.is_err() {
            self.forget(&open);
            return served;
        }
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(open));
        Ok(())
    }

    /// Applies tombstones, then reads what is to be served.
    fn serve(&self, place: &mut Place, open: &Open, operation: &str, by: &By<'_>) -> Result<(), Error> {
        let transaction = place.begin()?;
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = self.load_access(&transaction, open)?;
        let applied = self.apply_tombstones(&transaction, open)?;
        for (name, version) in &applied {
            audit::append(&transaction, by.now, &act(by, name, *version, "tombstone", audit::OK), 1)?;
        }
        audit::append(&transaction, by.now, &act(by, "", 0, operation, audit::OK), 1)?;
        let keys = self.load_keys(&transaction, open, None)?;
        *open.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(transaction.commit()?)
    }

    /// Where the connection to the rows was away: reads them anew if they are not those in memory. If that fails but for the
    /// connection, nothing is served that may not be so: it is sealed.
    pub(super) fn follow(&self, by: &By<'_>) -> Result<(), Error> {
        let mut place = self.place();
        let Ok(before) = self.opened() else { return Ok(()) };
        if !place.is_behind()? {
            return Ok(());
        }
        match self.read_all(&mut place, before.root, "read-anew", by) {
            Ok(()) => {
                self.forget(&before);
                Ok(())
            }
            Err(error @ Error::Database(_)) => {
                place.fell_behind();
                Err(error)
            }
            Err(error) => {
                self.forget_all()?;
                Err(error)
            }
        }
    }

    /// Forgets root key and all keys until it is unsealed again.
    ///
    /// # Errors
    /// [`Error::Sealed`] if it is; [`Error::Database`] if the trail cannot be written: it is sealed all the same.
    pub fn seal(&self, by: &By<'_>) -> Result<(), Error> {
        checked(by)?;
        self.seal_with(&mut self.place(), by)
    }

    pub(super) fn seal_with(&self, place: &mut Place, by: &By<'_>) -> Result<(), Error> {
        self.forget_all()?;
        self.write_trail(place, Some((by.now, act(by, "", 0, "seal", audit::OK))))
    }

    fn forget_all(&self) -> Result<(), Error> {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take().ok_or(Error::Sealed)?;
        self.forming.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.forget(&open);
        // A device's root key is the device's.
        if self.soft.is_some() {
            self.provider.destroy(open.root);
        }
        Ok(())
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

    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn opened(&self) -> Result<Arc<Open>, Error> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Sealed)
    }

    pub(super) fn row_key<'a>(&'a self, open: &Open) -> RowKey<'a> {
        RowKey { provider: &*self.provider, key: open.rows }
    }

    pub(super) fn tombstones(&self) -> PathBuf {
        self.home.directory().join(TOMBSTONES_NAME)
    }

    pub(super) fn damaged(&self, row: String) -> Error {
        Error::Damaged { row, path: self.home.name() }
    }

    pub(super) fn key(&self, open: &Open, name: &str) -> Result<Arc<Key>, Error> {
        match open.keys.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            Some(Slot::Key(key)) => Ok(Arc::clone(key)),
            Some(Slot::Damaged(row)) => Err(self.damaged(row.clone())),
            None => Err(Error::Unknown(shown(name))),
        }
    }

    /// Writes the uses that are pending, and one more record.
    pub(super) fn write_trail(&self, place: &mut Place, more: Option<(i64, Act)>) -> Result<(), Error> {
        Ok(Taken::of(&self.pending).commit(place, more)?)
    }

    /// Counts a use that protects. Durably before it counts: the count on disk is never behind.
    pub(super) fn count(&self, open: &Open, key: &Key, version: &Version) -> Result<(), Error> {
        let used = version.uses.used.fetch_add(1, Ordering::Relaxed) + 1;
        if used <= version.uses.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut place = self.place();
        if used <= version.uses.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let rows = self.row_key(open);
        let damaged = || self.damaged(format!("version {} of key `{}`", version.number, key.row.name));
        let transaction = place.begin()?;
        let mut row = VersionRow::read(&transaction, rows, &key.row.uid, version.number)?.ok_or_else(damaged)?;
        row.reserved = used + RESERVE;
        row.write(&transaction, rows)?;
        transaction.commit()?;
        version.uses.reserved.store(row.reserved, Ordering::Release);
        Ok(())
    }
}

/// Prints where it is and whether it is sealed.
impl fmt::Debug for KeyService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sealed = self.is_sealed();
        formatter
            .debug_struct("KeyService")
            .field("place", &self.home.name())
            .field("sealed", &sealed)
            .finish_non_exhaustive()
    }
}

pub(super) fn act(by: &By<'_>, key: &str, version: u32, operation: &str, outcome: &str) -> Act {
    Act {
        caller: plain(by.caller),
        key: shown(key),
        version,
        operation: operation.to_owned(),
        reason: plain(by.reason),
        outcome: outcome.to_owned(),
    }
}

/// A name as it may stand in a trail or message: whoever asks for a long one does not fill the disk.
pub(super) fn shown(name: &str) -> String {
    plain(name).chars().take(128).collect()
}

/// A text as every place can keep it: PostgreSQL has none with NUL.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(super) fn checked(by: &By<'_>) -> Result<(), Error> {
    for (what, text) in [("caller, bytes", by.caller), ("reason, bytes", by.reason)] {
        if text.len() > TEXT_MAX {
            return Err(Error::TooLarge { what, found: text.len(), limit: TEXT_MAX });
        }
    }
    Ok(())
}

/// One process has the directory: keys in memory are the keys on disk. The lock ends with the process, however that ends.
pub(super) fn take(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK_NAME);
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
                return Err(Error::File { path, reason: TAKEN });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
