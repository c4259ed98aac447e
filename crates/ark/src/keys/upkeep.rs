//! What is done from time to time: rotation, destruction, checkpoints, re-wrapping, backup.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use super::{
    By, Error, Home, Info, KEYS_NAME, KeyService, State, Step,
    change::current_kek,
    place::{self, values},
    row::VersionRow,
    service::{self, Key, Slot, Version, act, checked},
};
use crate::{
    audit,
    ceremony::RootKey,
    key_file::sync_directory_of,
    provider::{KeyKind, Provider as _},
};

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Keys rotated.
    pub rotated: u32,
    /// Versions destroyed.
    pub destroyed: u32,
    /// Whether the trail was signed.
    pub signed: bool,
}

impl KeyService {
    /// Writes the trail, ends overlaps, rotates and destroys what is due, signs the trail hourly. Call it every second or so. In approved
    /// mode keys of other kinds are not rotated: they make nothing.
    ///
    /// # Errors
    /// The first failure, after the rest was done; the next tick takes up what failed.
    pub fn tick(&self, by: &By<'_>) -> Result<Done, Error> {
        checked(by)?;
        let mut done = Done::default();
        drop(self.forming(by.now));
        self.follow(by).inspect_err(|_| self.pending().fail())?;
        let mut failed = None;
        for key in self.due(by.now)? {
            // A key that cannot be served keeps neither the others nor the trail.
            if let Err(error) = self.do_due(by, &key, &mut done) {
                failed.get_or_insert(error);
            }
        }
        let open = self.opened()?;
        let mut place = self.place();
        self.write_trail(&mut place, None)?;
        done.signed = audit::checkpoint(&mut place, &*self.provider, open.audit, by.now)?;
        if done.destroyed > 0 {
            place.purge()?;
        }
        failed.map_or(Ok(done), Err)
    }

    /// The keys of which something is due, by name. A terminal has four of its own: the others are not even copied.
    fn due(&self, now: i64) -> Result<Vec<Info>, Error> {
        let open = self.opened()?;
        let keys = open.keys.read().unwrap_or_else(PoisonError::into_inner);
        let is_due = |key: &&Arc<Key>| {
            let used = |version: &Version| version.uses.used.load(Ordering::Relaxed);
            // Where two overlap the newest tells when the next one comes.
            let active = key.current().filter(|version| version.life.state == State::Active);
            active.is_some_and(|version| key.row.rotation.due(version.created, used(version), now))
                || key.versions.iter().any(|version| version.life.destroy_at.is_some_and(|at| at <= now))
                || self.has_superseded(key, now)
        };
        let served = keys.values().filter_map(|slot| match slot {
            Slot::Key(key) => Some(key),
            Slot::Damaged(_) => None,
        });
        let mut due: Vec<Info> = served.filter(is_due).map(|key| self.info_of(key)).collect();
        due.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(due)
    }

    /// Ends the overlap, rotates and destroys what is due of one key.
    fn do_due(&self, by: &By<'_>, key: &Info, done: &mut Done) -> Result<(), Error> {
        self.end_overlap(by, &key.name)?;
        let active = key.versions.iter().rfind(|version| version.state == State::Active);
        let is_due = active.is_some_and(|version| key.rotation.due(version.created, version.uses, by.now));
        let rotated = if is_due && self.in_mode(&key.name, key.kind).is_ok() {
            self.rotate(by, &key.name).map(|_| done.rotated += 1)
        } else {
            Ok(())
        };
        for version in key.versions.iter().filter(|version| version.destroy_at.is_some_and(|at| at <= by.now)) {
            self.step(by, &key.name, version.version, Step::Destroy)?;
            done.destroyed += 1;
        }
        rotated
    }

    /// Makes a new generation of the key-encryption key; new versions go under it, and [`KeyService::rewrap_keys`] moves
    /// the others. Its number.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Provider`], [`Error::Database`].
    pub fn rotate_kek(&self, by: &By<'_>) -> Result<i64, Error> {
        checked(by)?;
        let mut place = self.place();
        let open = self.opened()?;
        let generation = current_kek(&open)?.0 + 1;
        let handle = self.kek()?;
        let wrapped = self.provider.wrap(handle, open.root)?;
        let transaction = place.begin()?;
        transaction.execute("INSERT INTO system_key VALUES ('kek', $1, $2)", values![generation, wrapped])?;
        audit::append(&transaction, by.now, &act(by, "", 0, "rotate-kek", audit::OK), 1)?;
        transaction.commit()?;
        open.keks.write().unwrap_or_else(PoisonError::into_inner).insert(generation, handle);
        Ok(generation)
    }

    /// Moves at most `limit` versions under the current key-encryption key, in one transaction; how many are left. With
    /// the last one the old generations are gone. After a crash, call it again: what was moved is moved.
    ///
    /// # Errors
    /// [`Error::Damaged`] names a row that does not open; [`Error::Sealed`], [`Error::Database`].
    pub fn rewrap_keys(&self, by: &By<'_>, limit: u32) -> Result<u64, Error> {
        checked(by)?;
        let mut place = self.place();
        let open = self.opened()?;
        let (generation, under) = current_kek(&open)?;
        let rows = self.row_key(&open);
        let transaction = place.begin()?;
        let moved = transaction.query(
            "SELECT uid, version, name FROM version JOIN key USING (uid) WHERE kek <> $1 ORDER BY name, version LIMIT $2",
            values![generation, limit],
        )?;
        for row in moved {
            let (version, name) = (row.get(1).unwrap_or(0), row.get(2).unwrap_or_else(String::new));
            let damaged = || self.damaged(format!("version {version} of key `{name}`"));
            let uid = row.get(0).ok_or_else(damaged)?;
            let mut row = VersionRow::read(&transaction, rows, &uid, version)?.ok_or_else(damaged)?;
            if row.wrapped.is_some() {
                // From the provider, where it serves all the while.
                let key = self.key(&open, &name)?;
                let held = key.version(version)?.held.as_ref().ok_or_else(damaged)?;
                row.wrapped = Some(self.moved(&open, &key, held, &row, under)?);
            }
            row.kek = generation;
            row.write(&transaction, rows)?;
        }
        let left = transaction.number("SELECT count(*) FROM version WHERE kek <> $1", values![generation])?;
        if left == 0 {
            transaction
                .execute("DELETE FROM system_key WHERE name = 'kek' AND generation <> $1", values![generation])?;
        }
        audit::append(&transaction, by.now, &act(by, "", 0, "rewrap-keys", audit::OK), 1)?;
        transaction.commit()?;
        if left == 0 {
            let mut keks = open.keks.write().unwrap_or_else(PoisonError::into_inner);
            keks.retain(|number, handle| {
                if *number != generation {
                    self.provider.destroy(*handle);
                }
                *number == generation
            });
        }
        Ok(left.cast_unsigned())
    }

    /// Puts another root key over the system keys, in one transaction, and seals: the custodians show that they have the
    /// new one by unsealing with it. Deal and collect its shares before, with [`RootKey::deal`].
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::RootInDevice`], [`Error::Database`].
    pub fn change_root(&self, by: &By<'_>, root: &RootKey) -> Result<(), Error> {
        checked(by)?;
        let soft = self.soft.as_ref().ok_or(Error::RootInDevice)?;
        let mut place = self.place();
        let open = self.opened()?;
        let new = soft.import(KeyKind::Sm4, root.expose())?;
        let transaction = place.begin()?;
        let write = |name: &str, generation: i64, handle| -> Result<(), Error> {
            let wrapped = self.provider.wrap(handle, new)?;
            let sql = "UPDATE system_key SET wrapped = $1 WHERE name = $2 AND generation = $3";
            transaction.execute(sql, values![wrapped, name, generation])?;
            Ok(())
        };
        for (generation, handle) in open.keks.read().unwrap_or_else(PoisonError::into_inner).iter() {
            write("kek", *generation, *handle)?;
        }
        write("rows", 1, open.rows)?;
        write("audit", 1, open.audit)?;
        let check = self.provider.check_value(new)?;
        transaction.execute("UPDATE root SET check_value = $1", values![check.as_slice()])?;
        audit::append(&transaction, by.now, &act(by, "", 0, "change-root", audit::OK), 1)?;
        transaction.commit()?;
        soft.destroy(new);
        // Under the same lock: nothing may be wrapped under the old root any more.
        self.seal_with(&mut place, by)
    }

    /// A copy as it is now, in a file of mode 0600 that is like `keys.db` wherever the rows lie. It is as secret as they are:
    /// worthless without the root key.
    ///
    /// # Errors
    /// [`Error::Io`] if the target exists or cannot be made; [`Error::Database`].
    pub fn backup(&self, by: &By<'_>, target: &Path) -> Result<(), Error> {
        checked(by)?;
        let mut place = self.place();
        self.write_trail(&mut place, Some((by.now, act(by, "", 0, "backup", audit::OK))))?;
        create_new(target)?;
        place::backup(&mut place, target)?;
        let synced = OpenOptions::new().read(true).open(target).and_then(|file| file.sync_all());
        synced.map_err(|source| Error::Io { action: "sync", path: target.to_owned(), source })?;
        Ok(sync_directory_of(target)?)
    }
}

/// Makes a key service that is not there of a backup, in `keys.db` or in a schema. What was destroyed since is destroyed again
/// when it is unsealed, by the tombstones in the directory: keep that file, and bring it along to another machine.
///
/// # Errors
/// [`Error::File`] if there is a key service (move it away first), or none in the backup; [`Error::Io`] if a file cannot be read or
/// written; [`Error::Database`].
pub fn restore(backup: &Path, home: impl Into<Home>) -> Result<(), Error> {
    let home = home.into();
    let directory = home.directory();
    if home.is_in_postgres() {
        let _lock = service::take(directory)?;
        return place::into_schema(backup, &home);
    }
    let target = directory.join(KEYS_NAME);
    // The log of another file must not be taken for this one's.
    for rest in ["-wal", "-shm"] {
        let path = directory.join(format!("{KEYS_NAME}{rest}"));
        if path.exists() {
            return Err(Error::File { path, reason: "it belongs to another keys file; move both away together" });
        }
    }
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Io { action, path, source }
    };
    let mut from = fs::File::open(backup).map_err(failed("open", backup))?;
    let mut to = create_new(&target)?;
    io::copy(&mut from, &mut to).and_then(|_| to.sync_all()).map_err(failed("write", &target))?;
    Ok(sync_directory_of(&target)?)
}

pub(super) fn create_new(path: &Path) -> Result<fs::File, Error> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|source| Error::Io { action: "create", path: path.to_owned(), source })
}
