//! What changes keys. A change, its record and the uses before it are one transaction; a refused one leaves a record too.

use std::sync::{Arc, PoisonError};

use super::{
    Birth, By, Error, Info, KeyService, Kind, Purpose, Spec, State, Step,
    held::Held,
    life::{Life, Use},
    operate::of_purpose,
    place::Transaction,
    row::{KeyRow, VersionRow},
    service::{Key, Open, Slot, act, checked, shown},
    tombstone::{self, Tombstone},
};
use crate::{
    audit::{self, Taken},
    provider::KeyHandle,
};

impl KeyService {
    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Exists`], [`Error::Kind`], [`Error::Sealed`], [`Error::Database`].
    pub fn create(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error> {
        if spec.purpose.duty().is_some() {
            return self.generate_terminal_key(by, spec, Birth::Key);
        }
        self.change(by, spec.name, 1, "create", |place, open| {
            self.fresh(open, spec)?;
            let held = self.generated(spec.kind, spec.purpose)?;
            self.born(by, place, open, spec, held)
        })
    }

    /// Takes in a key that came wrapped under a key of ours (purpose `wrap`).
    ///
    /// # Errors
    /// [`Error::Decryption`] if it does not open as a key of this kind, and as [`KeyService::create`].
    pub fn import(&self, by: &By<'_>, spec: &Spec<'_>, wrapped: &[u8], under: &str) -> Result<Info, Error> {
        self.change(by, spec.name, 1, "import", |place, open| {
            self.fresh(open, spec)?;
            let wrapper = self.key(open, under)?;
            of_purpose(&wrapper, Purpose::Wrap, "unwrap")?;
            let version = wrapper.current().ok_or_else(|| Error::Unknown(shown(under)))?;
            let kek = self.allowed(&wrapper, version, Use::Open, "unwrap", by.compromised_too)?;
            let Kind::General(kind) = spec.kind else {
                let (name, purpose) = (shown(spec.name), spec.purpose);
                return Err(Error::Usage { name, purpose, operation: "come under a general wrapping key" });
            };
            let handle = self.provider.unwrap(wrapped, kind, kek)?;
            self.born(by, place, open, spec, Held::General(handle))
        })
    }

    /// Takes in a key whose bytes somebody brings, such as a secret that a bank gave. They were outside, so such a key is as
    /// good as the way it came; the trail says that it came so.
    ///
    /// # Errors
    /// [`Error::Usage`] for a key of a terminal or zone; [`Error::Provider`] with `key_bytes_invalid` for bytes that are no key of this kind; [`Error::RootInDevice`] where keys
    /// lie in a device, which takes none in clear; and as [`KeyService::create`].
    pub fn take_in(&self, by: &By<'_>, spec: &Spec<'_>, bytes: &[u8]) -> Result<Info, Error> {
        self.change(by, spec.name, 1, "take-in", |place, open| {
            self.fresh(open, spec)?;
            let soft = self.soft.as_ref().ok_or(Error::RootInDevice)?;
            let Kind::General(kind) = spec.kind else {
                let (name, purpose) = (shown(spec.name), spec.purpose);
                return Err(Error::Usage { name, purpose, operation: "be taken in in clear" });
            };
            let handle = soft.import(kind, bytes)?;
            self.born(by, place, open, spec, Held::General(handle))
        })
    }

    /// A version wrapped under the current version of another key (purpose `wrap`), if it was made exportable.
    ///
    /// # Errors
    /// [`Error::NotExportable`], [`Error::Usage`], [`Error::State`], [`Error::Version`], [`Error::Unknown`].
    pub fn export(&self, by: &By<'_>, name: &str, version: u32, under: &str) -> Result<Vec<u8>, Error> {
        let mut wrapped = Vec::new();
        self.change(by, name, version, "export", |_, open| {
            let key = self.key(open, name)?;
            if !key.row.exportable {
                return Err(Error::NotExportable(shown(name)));
            }
            let exported = key.version(version)?;
            let handle = self.allowed(&key, exported, Use::Open, "be exported", by.compromised_too)?;
            let wrapper = self.key(open, under)?;
            let (_, kek) = self.wrapper(&wrapper)?;
            wrapped = self.provider.wrap(handle, kek)?;
            Ok((*key).clone())
        })?;
        Ok(wrapped)
    }

    fn wrapper(&self, key: &Key) -> Result<(u32, KeyHandle), Error> {
        of_purpose(key, Purpose::Wrap, "wrap")?;
        let version = key.current().ok_or_else(|| Error::Unknown(key.row.name.clone()))?;
        Ok((version.number, self.allowed(key, version, Use::Protect, "wrap", false)?))
    }

    /// Makes a new version, which protects from now on; the active one before it still opens and verifies. Of the platform's signing
    /// keys it waits, and the one before still signs: [`KeyService::with_overlap`].
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Sealed`], [`Error::Damaged`], [`Error::Database`].
    pub fn rotate(&self, by: &By<'_>, name: &str) -> Result<Info, Error> {
        // A module may take its time: it is asked before anything is locked.
        let generate = |key: &Key| {
            self.in_mode(name, key.row.kind)?;
            self.generated(key.row.kind, key.row.purpose)
        };
        let made = self.opened().and_then(|open| generate(&*self.key(&open, name)?));
        self.change(by, name, 0, "rotate", |place, open| self.next(by, place, open, &*self.key(open, name)?, made?))
    }

    /// The key with one more version, which is the active one, or waits to be.
    pub(super) fn next(
        &self,
        by: &By<'_>,
        place: &Transaction<'_>,
        open: &Open,
        key: &Key,
        held: Held,
    ) -> Result<Key, Error> {
        let mut key = key.clone();
        let rows = self.row_key(open);
        key.row.versions += 1;
        key.row.write(place, rows)?;
        let life = Life { state: State::Active, destroy_at: None };
        let row = self.wrapped_row(open, &key.row, &held, life, by.now)?;
        row.write(place, rows)?;
        key.versions.push(self.version_of(&row, Some(held))?);
        let superseded: Vec<u32> = key.superseded(by.now, self.overlap_of(&key.row.name)).collect();
        for version in key.versions.iter_mut().filter(|version| superseded.contains(&version.number)) {
            let mut row = self.version_row(place, open, &key.row, version.number)?;
            row.life = Life { state: State::Deactivated, destroy_at: None };
            row.write(place, rows)?;
            version.life = row.life;
        }
        let first = key.row.first_kept();
        if key.versions.iter().any(|version| version.number < first) {
            VersionRow::drop_before(place, &key.row.uid, first)?;
            key.versions.retain(|version| version.number >= first);
        }
        Ok(key)
    }

    /// A step in the life of a version; see [`super::life`].
    ///
    /// # Errors
    /// [`Error::State`] if it cannot be taken from its state, or destruction is not due; [`Error::Version`],
    /// [`Error::Unknown`], [`Error::Sealed`].
    pub fn step(&self, by: &By<'_>, name: &str, version: u32, step: Step) -> Result<Info, Error> {
        let info = self.change(by, name, version, step.name(), |place, open| {
            let mut key = (*self.key(open, name)?).clone();
            let found = key.version(version)?;
            let refused =
                || Error::State { name: shown(name), version, state: found.life.state, operation: step.name() };
            let life = found.life.after(step, by.now, key.row.wait_ms).ok_or_else(refused)?;
            if life.state == State::Active && key.versions.iter().any(|other| other.life.state == State::Active) {
                return Err(refused());
            }
            let mut row = self.version_row(place, open, &key.row, version)?;
            row.life = life;
            if life.state == State::Destroyed {
                row.wrapped = None;
                let stone = Tombstone { uid: key.row.uid, version };
                tombstone::append(&self.tombstones(), self.row_key(open), &stone, by.now)?;
            }
            row.write(place, self.row_key(open))?;
            if let Some(changed) = key.versions.iter_mut().find(|other| other.number == version) {
                changed.life = life;
                if life.state == State::Destroyed {
                    (changed.public, changed.check_value) = (None, None);
                }
            }
            Ok(key)
        })?;
        Ok(info)
    }

    pub(super) fn fresh(&self, open: &Open, spec: &Spec<'_>) -> Result<(), Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_./".contains(&byte);
        if spec.name.is_empty() || spec.name.len() > 128 || !spec.name.bytes().all(allowed) {
            return Err(Error::Name(shown(spec.name)));
        }
        if open.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(spec.name) {
            return Err(Error::Exists(spec.name.to_owned()));
        }
        let (kind, purpose) = (spec.kind, spec.purpose);
        self.in_mode(spec.name, kind)?;
        if purpose.takes(kind) { Ok(()) } else { Err(Error::Kind { kind, purpose }) }
    }

    pub(super) fn born(
        &self,
        by: &By<'_>,
        place: &Transaction<'_>,
        open: &Open,
        spec: &Spec<'_>,
        held: Held,
    ) -> Result<Key, Error> {
        let mut uid = [0; 16];
        self.provider.random(&mut uid)?;
        let row = KeyRow {
            uid,
            name: spec.name.to_owned(),
            kind: spec.kind,
            purpose: spec.purpose,
            exportable: spec.exportable,
            rotation: spec.rotation,
            wait_ms: spec.wait_ms.max(0),
            versions: 1,
        };
        row.write(place, self.row_key(open))?;
        let state = if spec.pre_active { State::PreActive } else { State::Active };
        let version = self.wrapped_row(open, &row, &held, Life { state, destroy_at: None }, by.now)?;
        version.write(place, self.row_key(open))?;
        let version = self.version_of(&version, Some(held))?;
        Ok(Key { row, versions: vec![version] })
    }

    /// The row of the last version, wrapped under the current key-encryption key.
    fn wrapped_row(
        &self,
        open: &Open,
        key: &KeyRow,
        held: &Held,
        life: Life,
        created: i64,
    ) -> Result<VersionRow, Error> {
        let (kek, under) = current_kek(open)?;
        let wrapped = Some(self.wrapped(held, under)?);
        Ok(VersionRow { uid: key.uid, version: key.versions, life, created, reserved: 0, kek, wrapped })
    }

    pub(super) fn version_row(
        &self,
        place: &Transaction<'_>,
        open: &Open,
        key: &KeyRow,
        version: u32,
    ) -> Result<VersionRow, Error> {
        let damaged = || self.damaged(format!("version {version} of key `{}`", key.name));
        VersionRow::read(place, self.row_key(open), &key.uid, version)?.ok_or_else(damaged)
    }

    pub(super) fn change(
        &self,
        by: &By<'_>,
        name: &str,
        version: u32,
        operation: &'static str,
        run: impl FnOnce(&Transaction<'_>, &Open) -> Result<Key, Error>,
    ) -> Result<Info, Error> {
        checked(by)?;
        let mut place = self.place();
        let open = self.opened()?;
        let transaction = place.begin().inspect_err(|_| self.pending().fail())?;
        let before = Taken::of(&self.pending);
        before.write(&transaction)?;
        let changed = run(&transaction, &open);
        let key = match changed {
            Ok(key) => key,
            Err(error) => {
                drop(transaction);
                drop(before);
                self.write_trail(&mut place, Some((by.now, act(by, name, version, operation, error.code()))))?;
                return Err(error);
            }
        };
        let version = if version == 0 { key.row.versions } else { version };
        audit::append(&transaction, by.now, &act(by, name, version, operation, audit::OK), 1)?;
        transaction.commit()?;
        before.written();
        let info = self.info_of(&key);
        self.put(&open, key);
        Ok(info)
    }

    /// Serves the key as it is now; versions that were destroyed or dropped leave the provider.
    fn put(&self, open: &Open, mut key: Key) {
        for version in key.versions.iter_mut().filter(|version| version.life.state == State::Destroyed) {
            if let Some(held) = version.held.take() {
                self.let_go(&held);
            }
        }
        let mut keys = open.keys.write().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::new(key);
        let before = keys.insert(key.row.name.clone(), Slot::Key(Arc::clone(&key)));
        drop(keys);
        let Some(Slot::Key(before)) = before else { return };
        let dropped = before.versions.iter().filter(|version| key.version(version.number).is_err());
        for held in dropped.filter_map(|version| version.held.as_ref()) {
            self.let_go(held);
        }
    }
}

pub(super) fn current_kek(open: &Open) -> Result<(i64, KeyHandle), Error> {
    let keks = open.keks.read().unwrap_or_else(PoisonError::into_inner);
    keks.last_key_value().map(|(generation, handle)| (*generation, *handle)).ok_or(Error::Sealed)
}
