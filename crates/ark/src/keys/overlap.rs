//! The overlap of the platform's signing keys: a next version is shown before it signs, so that who verifies takes it over what the
//! one before still signs.
//!
//! ```text
//!  version 1   active, signs ────────────────────────► deactivated by the next tick
//!  version 2          made: active, waits ── overlap ─► signs
//!                                         └ version 1 suspended, deactivated, compromised: signs at once
//! ```
//! Which one signs follows from the states and times of the rows and from the clock of the call alone: it is the same after a restart
//! and wherever the rows are opened. A first version has none before it and signs at once, and so does the next one of every other key.

use super::{
    By, Error, Info, KeyService, RSA_SIGNING_KEY, SIGNING_KEY, State, Step, VersionInfo,
    service::{Key, Version},
};

/// Whose versions overlap.
const OVERLAPPING: [&str; 2] = [SIGNING_KEY, RSA_SIGNING_KEY];

impl Info {
    /// The version that protects at `now`, in milliseconds since 1970: the newest active one that does not wait.
    #[must_use]
    pub fn current(&self, now: i64) -> Option<&VersionInfo> {
        let ready = |version: &&VersionInfo| {
            version.state == State::Active && version.signs_from.is_none_or(|from| from <= now)
        };
        self.versions.iter().rev().find(ready)
    }
}

impl Key {
    /// The version that protects: the last active one, or the last one, whose state then says why not.
    pub(super) fn current(&self) -> Option<&Version> {
        let active = self.versions.iter().rev().find(|version| version.life.state == State::Active);
        active.or(self.versions.last())
    }

    /// The same of a key whose versions overlap: one that waits is none.
    pub(super) fn current_at(&self, now: i64, overlap_ms: i64) -> Option<&Version> {
        let ready = |version: &&Version| {
            let is_active = version.life.state == State::Active;
            is_active && self.signs_from(version, overlap_ms).is_none_or(|from| from <= now)
        };
        self.versions.iter().rev().find(ready).or(self.versions.last())
    }

    /// From when a version signs that has an active one before it.
    pub(super) fn signs_from(&self, version: &Version, overlap_ms: i64) -> Option<i64> {
        let is_active = |version: &Version| version.life.state == State::Active;
        let before = self.versions.iter().any(|other| other.number < version.number && is_active(other));
        (before && is_active(version)).then(|| version.created.saturating_add(overlap_ms))
    }

    /// The active versions before the one that protects.
    pub(super) fn superseded(&self, now: i64, overlap_ms: i64) -> impl Iterator<Item = u32> {
        let current = self.current_at(now, overlap_ms).map_or(0, |version| version.number);
        let active = self.versions.iter().filter(|version| version.life.state == State::Active);
        active.map(|version| version.number).filter(move |number| *number < current)
    }
}

impl KeyService {
    /// Has each next version of the platform's signing keys wait so many milliseconds from now on before it signs.
    #[must_use]
    pub fn with_overlap(mut self, overlap_ms: i64) -> Self {
        self.overlap_ms = overlap_ms;
        self
    }

    /// How long the next version of this key waits, in milliseconds.
    pub(super) fn overlap_of(&self, name: &str) -> i64 {
        if OVERLAPPING.contains(&name) { self.overlap_ms } else { 0 }
    }

    /// What is told of a key.
    pub(super) fn info_of(&self, key: &Key) -> Info {
        key.info(self.overlap_of(&key.row.name))
    }

    /// Whether versions of it are active that have a successor by now.
    pub(super) fn has_superseded(&self, key: &Key, now: i64) -> bool {
        let name = key.row.name.as_str();
        OVERLAPPING.contains(&name) && key.superseded(now, self.overlap_of(name)).next().is_some()
    }

    /// Deactivates those: they come back neither by a clock that goes back nor by another overlap.
    pub(super) fn end_overlap(&self, by: &By<'_>, name: &str) -> Result<(), Error> {
        let key = self.key(&*self.opened()?, name)?;
        for number in key.superseded(by.now, self.overlap_of(name)) {
            self.step(by, name, number, Step::Deactivate)?;
        }
        Ok(())
    }
}
