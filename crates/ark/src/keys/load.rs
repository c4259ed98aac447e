//! From rows to keys that serve, at unsealing: rows that are not as they were written are named, and what a tombstone
//! names is destroyed before anything is served.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
};

use super::{
    Error, KeyService, State,
    held::Held,
    life::Life,
    place::{PlaceError, Row, Transaction, values},
    row::{KeyRow, VersionRow},
    service::{Key, Open, Slot, Uses, Version},
    tombstone,
};
use crate::{
    hash::sm3,
    provider::{Authentication, KeyError, KeyHandle, KeyKind},
};

impl KeyService {
    pub(super) fn load(&self, place: &Transaction<'_>, root: KeyHandle) -> Result<Open, Error> {
        let system = |name: &str, generation: i64, kind| -> Result<KeyHandle, Error> {
            let sql = "SELECT wrapped FROM system_key WHERE name = $1 AND generation = $2";
            let found = place.first(sql, values![name, generation])?.and_then(|row| row.get::<Vec<u8>>(0));
            let wrapped = found.ok_or(PlaceError::Missing("a system key"))?;
            self.provider.unwrap(&wrapped, kind, root).map_err(|error| {
                // A device that is gone damaged nothing.
                let gone = matches!(error, KeyError::Device(_));
                if gone { error.into() } else { self.damaged(format!("system key {name}")) }
            })
        };
        let generations = place.query("SELECT generation FROM system_key WHERE name = 'kek'", &[])?;
        let mut keks = BTreeMap::new();
        for generation in generations.iter().filter_map(|row| row.get(0)) {
            keks.insert(generation, system("kek", generation, KeyKind::Sm4)?);
        }
        let (rows, audit) = (system("rows", 1, KeyKind::HmacSm3)?, system("audit", 1, KeyKind::Sm2)?);
        Ok(Open { root, rows, audit, keks: RwLock::new(keks), keys: RwLock::default(), access: RwLock::default() })
    }

    /// All keys, or the one of this name.
    pub(super) fn load_keys(
        &self,
        place: &Transaction<'_>,
        open: &Open,
        only: Option<&str>,
    ) -> Result<HashMap<String, Slot>, Error> {
        let rows = self.row_key(open);
        let (keys, versions) = match only {
            None => (
                place.query("SELECT * FROM key ORDER BY name", &[])?,
                place.query("SELECT * FROM version ORDER BY uid, version", &[])?,
            ),
            Some(name) => (
                place.query("SELECT * FROM key WHERE name = $1", values![name])?,
                place.query("SELECT version.* FROM version JOIN key USING (uid) WHERE name = $1", values![name])?,
            ),
        };
        let mut of_keys: HashMap<([u8; 16], u32), Row> = HashMap::with_capacity(versions.len());
        of_keys.extend(versions.into_iter().filter_map(|row| Some(((row.get(0)?, row.get(1)?), row))));
        let mut slots = HashMap::new();
        for row in &keys {
            let Some(name) = row.get::<String>(1) else { continue };
            let slot = match KeyRow::read(row, rows) {
                Some(row) => self.load_versions(&of_keys, open, row)?,
                None => Slot::Damaged(format!("key `{name}`")),
            };
            slots.insert(name, slot);
        }
        Ok(slots)
    }

    fn load_versions(&self, found: &HashMap<([u8; 16], u32), Row>, open: &Open, row: KeyRow) -> Result<Slot, Error> {
        let mut versions = Vec::new();
        for number in 1..=row.versions {
            let damaged = || Slot::Damaged(format!("version {number} of key `{}`", row.name));
            let version = found.get(&(row.uid, number));
            if version.is_none() && number < row.first_kept() {
                continue;
            }
            let Some(found) = version.and_then(|version| VersionRow::from(version, self.row_key(open))) else {
                return Ok(damaged());
            };
            let kek = open.keks.read().unwrap_or_else(PoisonError::into_inner).get(&found.kek).copied();
            let held = match (&found.wrapped, kek) {
                (Some(wrapped), Some(kek)) => match self.unwrapped(row.kind, wrapped, kek) {
                    Ok(held) => Some(held),
                    Err(_) => return Ok(damaged()),
                },
                (Some(_), None) => return Ok(damaged()),
                (None, _) => None,
            };
            versions.push(self.version_of(&found, held)?);
        }
        Ok(Slot::Key(Arc::new(Key { row, versions })))
    }

    pub(super) fn version_of(&self, row: &VersionRow, held: Option<Held>) -> Result<Version, Error> {
        let handle = held.as_ref().and_then(Held::general);
        let public = handle.and_then(|handle| self.provider.public_key(handle).ok());
        let check_value = match (&held, &public) {
            (None, _) => None,
            (Some(Held::Terminal(terminal)), _) => Some(terminal.check),
            (Some(Held::General(_)), Some(public)) => sm3(&public.bytes).first_chunk().copied(),
            (Some(Held::General(handle)), None) => Some(match self.provider.check_value(*handle) {
                Ok(value) => value,
                Err(KeyError::WrongKind { .. }) => {
                    let tag = self.provider.authenticate(*handle, Authentication::HmacSm3, b"")?;
                    tag.first_chunk().copied().unwrap_or_default()
                }
                Err(error) => return Err(error.into()),
            }),
        };
        Ok(Version {
            number: row.version,
            life: row.life,
            created: row.created,
            held,
            public,
            check_value,
            uses: Arc::new(Uses { used: AtomicU64::new(row.reserved), reserved: AtomicU64::new(row.reserved) }),
        })
    }

    /// Destroys again what a backup brought back.
    pub(super) fn apply_tombstones(&self, place: &Transaction<'_>, open: &Open) -> Result<Vec<(String, u32)>, Error> {
        let rows = self.row_key(open);
        let mut applied = Vec::new();
        for stone in tombstone::read(&self.tombstones(), rows)? {
            let Some(mut row) = VersionRow::read(place, rows, &stone.uid, stone.version)? else { continue };
            if row.life.state == State::Destroyed {
                continue;
            }
            row.life = Life { state: State::Destroyed, destroy_at: None };
            row.wrapped = None;
            row.write(place, rows)?;
            let name = place.first("SELECT name FROM key WHERE uid = $1", values![stone.uid.as_slice()])?;
            let name = name.and_then(|row| row.get(0)).ok_or(PlaceError::Missing("the key of a destroyed version"))?;
            applied.push((name, stone.version));
        }
        Ok(applied)
    }
}
