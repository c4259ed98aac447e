//! Rows of the key service. Each carries an HMAC-SM3 over all of it, so that a row altered or put in another's place is found.

use super::{
    Kind, Purpose, Rotation, State,
    life::Life,
    place::{PlaceError, Row, Transaction, values},
};
use crate::financial::Purpose as Duty;
use crate::provider::{Authentication, KeyError, KeyHandle, Provider};

/// 2: keys of terminals and zones; used approvals and one-time codes beside the rights.
pub(super) const FORMAT: i64 = 2;
pub(super) const SCHEMA: &str = "
CREATE TABLE root (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    check_value BLOB NOT NULL                        -- of the root key, which is not here
) STRICT;
CREATE TABLE system_key (
    name       TEXT NOT NULL,                        -- kek, rows, audit; root: as its device wrapped it
    generation INTEGER NOT NULL,
    wrapped    BLOB NOT NULL,                        -- under the root key
    PRIMARY KEY (name, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE key (
    uid        BLOB PRIMARY KEY,                     -- random: never given twice, also after a restore
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    exportable INTEGER NOT NULL,
    rotate_age INTEGER,
    rotate_uses INTEGER,
    wait_ms    INTEGER NOT NULL,
    versions   INTEGER NOT NULL,
    mac        BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE version (
    uid        BLOB NOT NULL REFERENCES key (uid),
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL,
    created    INTEGER NOT NULL,
    destroy_at INTEGER,
    reserved   INTEGER NOT NULL,                     -- uses counted ahead
    kek        INTEGER NOT NULL,                     -- generation it is wrapped under
    wrapped    BLOB,                                 -- NULL once destroyed; of a terminal or zone: behind its check value
    mac        BLOB NOT NULL,
    PRIMARY KEY (uid, version)
) STRICT;
CREATE INDEX version_by_kek ON version (kek);
";

/// Makes and checks the MAC of rows.
#[derive(Clone, Copy)]
pub(super) struct RowKey<'a> {
    pub(super) provider: &'a dyn Provider,
    pub(super) key: KeyHandle,
}

impl RowKey<'_> {
    pub(super) fn tag(self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.provider.authenticate(self.key, Authentication::HmacSm3, bytes)
    }

    pub(super) fn fits(self, bytes: &[u8], tag: &[u8]) -> bool {
        self.provider.check_tag(self.key, Authentication::HmacSm3, bytes, tag).is_ok()
    }
}

#[derive(Clone)]
pub(super) struct KeyRow {
    pub(super) uid: [u8; 16],
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) purpose: Purpose,
    pub(super) exportable: bool,
    pub(super) rotation: Rotation,
    pub(super) wait_ms: i64,
    pub(super) versions: u32,
}

impl KeyRow {
    /// The first version that must be there. Of a terminal's work keys those before the last two are dropped with the next
    /// one: each sign-in makes one, and nothing that they protected is kept.
    pub(super) fn first_kept(&self) -> u32 {
        match self.purpose {
            Purpose::Terminal(Duty::Pin | Duty::Mac | Duty::Data) => self.versions.saturating_sub(1).max(1),
            Purpose::Terminal(Duty::Master | Duty::Derive)
            | Purpose::Zone(_)
            | Purpose::Encrypt
            | Purpose::Decrypt
            | Purpose::Sign
            | Purpose::Mac
            | Purpose::Wrap => 1,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"lintel/ark/row/key/1/".to_vec();
        bytes.extend(self.uid);
        for text in [self.name.as_str(), self.kind.name(), self.purpose.name()] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.push(u8::from(self.exportable));
        number(&mut bytes, self.rotation.age);
        number(&mut bytes, self.rotation.uses.map(signed));
        bytes.extend(self.wait_ms.to_be_bytes());
        bytes.extend(self.versions.to_be_bytes());
        bytes
    }

    pub(super) fn write(&self, place: &Transaction<'_>, key: RowKey<'_>) -> Result<(), super::Error> {
        let sql = "INSERT INTO key VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (uid) DO UPDATE SET \
             name = excluded.name, kind = excluded.kind, purpose = excluded.purpose, exportable = excluded.exportable, \
             rotate_age = excluded.rotate_age, rotate_uses = excluded.rotate_uses, wait_ms = excluded.wait_ms, \
             versions = excluded.versions, mac = excluded.mac";
        let row = values![
            self.uid.as_slice(),
            &self.name,
            self.kind.name(),
            self.purpose.name(),
            self.exportable,
            self.rotation.age,
            self.rotation.uses.map(signed),
            self.wait_ms,
            self.versions,
            key.tag(&self.bytes())?,
        ];
        place.execute(sql, row)?;
        Ok(())
    }

    /// The row, or `None` if it is not as it was written.
    pub(super) fn read(row: &Row, key: RowKey<'_>) -> Option<Self> {
        let kind: String = row.get(2)?;
        let uses: Option<i64> = row.get(6)?;
        let purpose = Purpose::of(&row.get::<String>(3)?)?;
        let found = Self {
            uid: row.get(0)?,
            name: row.get(1)?,
            kind: Kind::of(&kind, purpose)?,
            purpose,
            exportable: row.get(4)?,
            rotation: Rotation { age: row.get(5)?, uses: uses.map(i64::cast_unsigned) },
            wait_ms: row.get(7)?,
            versions: row.get(8)?,
        };
        key.fits(&found.bytes(), &row.get::<Vec<u8>>(9)?).then_some(found)
    }
}

#[derive(Clone)]
pub(super) struct VersionRow {
    pub(super) uid: [u8; 16],
    pub(super) version: u32,
    pub(super) life: Life,
    pub(super) created: i64,
    pub(super) reserved: u64,
    pub(super) kek: i64,
    pub(super) wrapped: Option<Vec<u8>>,
}

impl VersionRow {
    /// Drops the rows of versions before this one: the ciphertext is all there is of such a key.
    pub(super) fn drop_before(place: &Transaction<'_>, uid: &[u8; 16], version: u32) -> Result<(), PlaceError> {
        place.execute("DELETE FROM version WHERE uid = $1 AND version < $2", values![uid.as_slice(), version])?;
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"lintel/ark/row/version/1/".to_vec();
        bytes.extend(self.uid);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend((self.life.state.name().len() as u64).to_be_bytes());
        bytes.extend(self.life.state.name().as_bytes());
        bytes.extend(self.created.to_be_bytes());
        number(&mut bytes, self.life.destroy_at);
        bytes.extend(self.reserved.to_be_bytes());
        bytes.extend(self.kek.to_be_bytes());
        bytes.push(u8::from(self.wrapped.is_some()));
        bytes.extend(self.wrapped.iter().flatten());
        bytes
    }

    pub(super) fn write(&self, place: &Transaction<'_>, key: RowKey<'_>) -> Result<(), super::Error> {
        let sql = "INSERT INTO version VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (uid, version) DO UPDATE SET \
             state = excluded.state, created = excluded.created, destroy_at = excluded.destroy_at, \
             reserved = excluded.reserved, kek = excluded.kek, wrapped = excluded.wrapped, mac = excluded.mac";
        let row = values![
            self.uid.as_slice(),
            self.version,
            self.life.state.name(),
            self.created,
            self.life.destroy_at,
            signed(self.reserved),
            self.kek,
            self.wrapped.as_ref(),
            key.tag(&self.bytes())?,
        ];
        place.execute(sql, row)?;
        Ok(())
    }

    /// The row, or `None` if it is not as it was written.
    pub(super) fn from(row: &Row, key: RowKey<'_>) -> Option<Self> {
        let life = Life { state: State::of(&row.get::<String>(2)?)?, destroy_at: row.get(4)? };
        let found = Self {
            uid: row.get(0)?,
            version: row.get(1)?,
            life,
            created: row.get(3)?,
            reserved: row.get::<i64>(5)?.cast_unsigned(),
            kek: row.get(6)?,
            wrapped: row.get(7)?,
        };
        key.fits(&found.bytes(), &row.get::<Vec<u8>>(8)?).then_some(found)
    }

    /// The row, or `None` if it is missing or not as it was written.
    pub(super) fn read(
        place: &Transaction<'_>,
        key: RowKey<'_>,
        uid: &[u8; 16],
        version: u32,
    ) -> Result<Option<Self>, PlaceError> {
        let found =
            place.first("SELECT * FROM version WHERE uid = $1 AND version = $2", values![uid.as_slice(), version])?;
        Ok(found.and_then(|row| Self::from(&row, key)))
    }
}

fn signed(value: u64) -> i64 {
    value.cast_signed()
}

fn number(bytes: &mut Vec<u8>, value: Option<i64>) {
    bytes.push(u8::from(value.is_some()));
    bytes.extend(value.unwrap_or(0).to_be_bytes());
}
