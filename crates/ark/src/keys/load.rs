//! From rows to keys that serve, at unsealing: rows that are not as they were written are named, and what a tombstone
//! names is destroyed before anything is served.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
};

use rusqlite::{Connection, params};

use super::{
    Error, KeyService, State,
    held::Held,
    life::Life,
    row::{KeyRow, VersionRow},
    service::{Key, Open, Slot, Uses, Version},
    tombstone,
};
use crate::{
    hash::sm3,
    provider::{Authentication, KeyError, KeyHandle, KeyKind},
};

impl KeyService {
    pub(super) fn load(&self, file: &Connection, root: KeyHandle) -> Result<Open, Error> {
        let system = |name: &str, generation: i64, kind| -> Result<KeyHandle, Error> {
            let sql = "SELECT wrapped FROM system_key WHERE name = ?1 AND generation = ?2";
            let wrapped: Vec<u8> = file.query_row(sql, params![name, generation], |row| row.get(0))?;
            self.provider.unwrap(&wrapped, kind, root).map_err(|error| {
                // A device that is gone damaged nothing.
                let gone = matches!(error, KeyError::Device(_));
                if gone { error.into() } else { self.damaged(format!("system key {name}")) }
            })
        };
        let generations: Vec<i64> = file
            .prepare("SELECT generation FROM system_key WHERE name = 'kek'")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut keks = BTreeMap::new();
        for generation in generations {
            keks.insert(generation, system("kek", generation, KeyKind::Sm4)?);
        }
        let (rows, audit) = (system("rows", 1, KeyKind::HmacSm3)?, system("audit", 1, KeyKind::Sm2)?);
        Ok(Open { root, rows, audit, keks: RwLock::new(keks), keys: RwLock::default(), access: RwLock::default() })
    }

    /// All keys, or the one of this name.
    pub(super) fn load_keys(
        &self,
        file: &Connection,
        open: &Open,
        only: Option<&str>,
    ) -> Result<HashMap<String, Slot>, Error> {
        let rows = self.row_key(open);
        let found: Vec<(String, Option<KeyRow>)> = file
            .prepare("SELECT * FROM key WHERE ?1 IS NULL OR name = ?1 ORDER BY name")?
            .query_map([only], |row| Ok((row.get(1)?, KeyRow::read(row, rows))))?
            .collect::<Result<_, _>>()?;
        let mut keys = HashMap::new();
        for (name, row) in found {
            let slot = match row {
                Some(row) => self.load_versions(file, open, row)?,
                None => Slot::Damaged(format!("key `{name}`")),
            };
            keys.insert(name, slot);
        }
        Ok(keys)
    }

    fn load_versions(&self, file: &Connection, open: &Open, row: KeyRow) -> Result<Slot, Error> {
        let mut versions = Vec::new();
        for number in 1..=row.versions {
            let damaged = || Slot::Damaged(format!("version {number} of key `{}`", row.name));
            let Some(found) = VersionRow::read(file, self.row_key(open), &row.uid, number)? else {
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
    pub(super) fn apply_tombstones(&self, file: &Connection, open: &Open) -> Result<Vec<(String, u32)>, Error> {
        let rows = self.row_key(open);
        let mut applied = Vec::new();
        for stone in tombstone::read(&self.tombstones(), rows)? {
            let Some(mut row) = VersionRow::read(file, rows, &stone.uid, stone.version)? else { continue };
            if row.life.state == State::Destroyed {
                continue;
            }
            row.life = Life { state: State::Destroyed, destroy_at: None };
            row.wrapped = None;
            row.write(file, rows)?;
            let sql = "SELECT name FROM key WHERE uid = ?1";
            applied.push((file.query_row(sql, params![stone.uid.as_slice()], |row| row.get(0))?, stone.version));
        }
        Ok(applied)
    }
}
