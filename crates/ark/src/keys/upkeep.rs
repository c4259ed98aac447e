//! What is done from time to time: rotation, destruction, checkpoints, re-wrapping, backup.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::PoisonError,
};

use rusqlite::params;

use super::{
    By, Error, KEYS_NAME, KeyService, State, Step,
    change::current_kek,
    row::VersionRow,
    service::{act, begin, checked},
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
    /// Writes the trail, rotates and destroys what is due, signs the trail hourly. Call it every second or so.
    ///
    /// # Errors
    /// The first failure; the next tick takes up the rest.
    pub fn tick(&self, by: &By<'_>) -> Result<Done, Error> {
        checked(by)?;
        let mut done = Done::default();
        drop(self.forming(by.now));
        for key in self.list()? {
            let active = key.versions.iter().find(|version| version.state == State::Active);
            if active.is_some_and(|version| key.rotation.due(version.created, version.uses, by.now)) {
                self.rotate(by, &key.name)?;
                done.rotated += 1;
            }
            for version in key.versions.iter().filter(|version| version.destroy_at.is_some_and(|at| at <= by.now)) {
                self.step(by, &key.name, version.version, Step::Destroy)?;
                done.destroyed += 1;
            }
        }
        let open = self.opened()?;
        let mut file = self.file();
        self.write_trail(&mut file, None)?;
        done.signed = audit::checkpoint(&file, &*self.provider, open.audit, by.now)?;
        if done.destroyed > 0 {
            // What was destroyed must not stay in the log of the database.
            file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(done)
    }

    /// Makes a new generation of the key-encryption key; new versions go under it, and [`KeyService::rewrap_keys`] moves
    /// the others. Its number.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Provider`], [`Error::Database`].
    pub fn rotate_kek(&self, by: &By<'_>) -> Result<i64, Error> {
        checked(by)?;
        let mut file = self.file();
        let open = self.opened()?;
        let generation = current_kek(&open)?.0 + 1;
        let handle = self.kek()?;
        let wrapped = self.provider.wrap(handle, open.root)?;
        let transaction = begin(&mut file)?;
        transaction.execute("INSERT INTO system_key VALUES ('kek', ?1, ?2)", params![generation, wrapped])?;
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
        let mut file = self.file();
        let open = self.opened()?;
        let (generation, under) = current_kek(&open)?;
        let rows = self.row_key(&open);
        let transaction = begin(&mut file)?;
        let moved: Vec<(Vec<u8>, u32, String)> = transaction
            .prepare(
                "SELECT uid, version, name FROM version JOIN key USING (uid) WHERE kek <> ?1 ORDER BY name, version \
                 LIMIT ?2",
            )?
            .query_map(params![generation, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (uid, version, name) in moved {
            let damaged = || self.damaged(format!("version {version} of key `{name}`"));
            let uid = uid.try_into().map_err(|_| damaged())?;
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
        let sql = "SELECT count(*) FROM version WHERE kek <> ?1";
        let left: i64 = transaction.query_row(sql, [generation], |row| row.get(0))?;
        if left == 0 {
            transaction.execute("DELETE FROM system_key WHERE name = 'kek' AND generation <> ?1", [generation])?;
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
        let mut file = self.file();
        let open = self.opened()?;
        let new = soft.import(KeyKind::Sm4, root.expose())?;
        let transaction = begin(&mut file)?;
        let write = |name: &str, generation: i64, handle| -> Result<(), Error> {
            let wrapped = self.provider.wrap(handle, new)?;
            let sql = "UPDATE system_key SET wrapped = ?3 WHERE name = ?1 AND generation = ?2";
            transaction.execute(sql, params![name, generation, wrapped])?;
            Ok(())
        };
        for (generation, handle) in open.keks.read().unwrap_or_else(PoisonError::into_inner).iter() {
            write("kek", *generation, *handle)?;
        }
        write("rows", 1, open.rows)?;
        write("audit", 1, open.audit)?;
        let check = self.provider.check_value(new)?;
        transaction.execute("UPDATE root SET check_value = ?1", params![check.as_slice()])?;
        audit::append(&transaction, by.now, &act(by, "", 0, "change-root", audit::OK), 1)?;
        transaction.commit()?;
        soft.destroy(new);
        // Under the same lock: nothing may be wrapped under the old root any more.
        self.seal_with(&mut file, by)
    }

    /// A copy of the keys file as it is now, mode 0600. It is as secret as the file: worthless without the root key.
    ///
    /// # Errors
    /// [`Error::Io`] if the target exists or cannot be made; [`Error::Database`].
    pub fn backup(&self, by: &By<'_>, target: &Path) -> Result<(), Error> {
        checked(by)?;
        let mut file = self.file();
        self.write_trail(&mut file, Some((by.now, act(by, "", 0, "backup", audit::OK))))?;
        create_new(target)?;
        file.execute("VACUUM INTO ?1", [target.to_string_lossy()])?;
        let synced = OpenOptions::new().read(true).open(target).and_then(|file| file.sync_all());
        synced.map_err(|source| Error::Io { action: "sync", path: target.to_owned(), source })?;
        Ok(sync_directory_of(target)?)
    }
}

/// Puts a backup in the place of the keys file. What was destroyed since is destroyed again when it is unsealed, by the
/// tombstones beside it: keep that file, and bring it along to another machine.
///
/// # Errors
/// [`Error::Io`] if there is a keys file (move it away first) or a file cannot be read or written.
pub fn restore(backup: &Path, directory: &Path) -> Result<(), Error> {
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
