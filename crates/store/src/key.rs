//! The idempotency table (幂等键): which key was used for what, and what was answered.
//!
//! One table holds `Idempotency-Key`, `out_trade_no` and (business number, event code), told apart by their scope. All keys
//! ever used are here; the engine's memory holds the last of them, and filters of the others. Each row has a checksum over all of
//! it, and one that is not what was written is an error for whoever reads it, never an answer.

use std::fmt;

use crate::checkpoint;
use crate::db::{Database, Row, Session, Value};
use crate::error::StoreError;
use crate::table::Upsert;

/// One used key. One commit takes a scope and key once.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose key and of which kind.
    pub scope: String,
    /// The key, any text.
    pub key: String,
    /// The position it was used at.
    pub position: u64,
    /// The keyed digest of the request's body.
    pub fingerprint: Vec<u8>,
    /// The answer, as its writer encoded it.
    pub reply: Vec<u8>,
    /// The month it was used in, as in 202603.
    pub month: u32,
}

impl KeyRow {
    /// CRC-32 over every field, each text with its length before it.
    fn checksum(&self) -> u32 {
        let Self { scope, key, position, fingerprint, reply, month } = self;
        let mut checksum = crc32fast::Hasher::new();
        for bytes in [scope.as_bytes(), key.as_bytes(), fingerprint, reply] {
            checksum.update(&(bytes.len() as u64).to_be_bytes());
            checksum.update(bytes);
        }
        checksum.update(&position.to_be_bytes());
        checksum.update(&month.to_be_bytes());
        checksum.finalize()
    }
}

impl fmt::Debug for KeyRow {
    /// Shows the length of the answer only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, key, position, fingerprint: _, reply, month } = self;
        write!(f, "KeyRow({scope}, {key}, position {position}, month {month}, answer of {} bytes)", reply.len())
    }
}

const COLUMNS: &str = "scope, key, position, fingerprint, reply, month, checksum";
/// The table.
const TABLE: &str = "idempotency_keys";

/// Rows that are read at once.
const PAGE_ROWS: u32 = 4_096;

/// The key is kept in bytes: every text fits, and both databases order bytes in the same way.
pub(crate) fn upsert(session: &dyn Session, keys: &[KeyRow]) -> Result<(), StoreError> {
    let others = ["position", "fingerprint", "reply", "month", "checksum"];
    let mut upsert = Upsert::new(session, TABLE, &["scope", "key"], &others);
    for row in keys {
        let KeyRow { scope, key, position, fingerprint, reply, month } = row;
        let identity = [scope.as_bytes().into(), key.as_bytes().into()];
        let body: [Value; 2] = [fingerprint.as_slice().into(), reply.as_slice().into()];
        let others = [Value::from(*position)].into_iter().chain(body).chain([(*month).into(), row.checksum().into()]);
        upsert.add(identity.into_iter().chain(others))?;
    }
    upsert.finish()
}

/// A row, if it is what was written.
fn decode(row: &Row) -> Result<KeyRow, StoreError> {
    let (found, is_sound) = decode_any(row)?;
    if is_sound {
        return Ok(found);
    }
    // A key is its caller's own text, so it is not named.
    let id = format!("bound at position {}", found.position);
    Err(StoreError::corrupt(TABLE, id, "its checksum is not that of the row"))
}

/// A row as it stands, and whether it is what was written, as far as can be told.
fn decode_any(row: &Row) -> Result<(KeyRow, bool), StoreError> {
    let text = |column: usize| {
        let text = String::from_utf8(row.bytes(column)?.to_vec());
        text.map_err(|_| StoreError::corrupt(TABLE, format!("{row:?}"), "its key is not UTF-8"))
    };
    let corrupt = |column: &str| StoreError::corrupt(TABLE, format!("{row:?}"), format!("its {column} is none"));
    let found = KeyRow {
        scope: text(0)?,
        key: text(1)?,
        position: row.unsigned(2).map_err(|_| corrupt("position"))?,
        fingerprint: row.bytes(3)?.to_vec(),
        reply: row.bytes(4)?.to_vec(),
        month: u32::try_from(row.int(5)?).map_err(|_| corrupt("month"))?,
    };
    let is_sound = row.is_null(6) || row.int(6)? == i64::from(found.checksum());
    Ok((found, is_sound))
}

/// What a key was used for, if it was.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn find(database: &Database, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
    database.snapshot(|session| read_one(session, scope, key))
}

fn read_one(session: &dyn Session, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM idempotency_keys WHERE scope = $1 AND key = $2");
    session.query(&sql, &[scope.as_bytes().into(), key.as_bytes().into()])?.first().map(decode).transpose()
}

/// What keys of one scope were used for, those that were; and the position up to which the store knows every key.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn find_all(database: &Database, scope: &str, keys: &[String]) -> Result<(u64, Vec<KeyRow>), StoreError> {
    database.snapshot(|session| {
        let position = checkpoint::read(session)?.map_or(0, |checkpoint| checkpoint.position);
        Ok((position, read_some(session, scope, keys)?))
    })
}

pub(crate) fn read_some(session: &dyn Session, scope: &str, keys: &[String]) -> Result<Vec<KeyRow>, StoreError> {
    let mut found = Vec::new();
    for key in keys {
        found.extend(read_one(session, scope, key)?);
    }
    Ok(found)
}

/// Every key.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn all(database: &Database) -> Result<Vec<KeyRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM idempotency_keys WHERE (scope, key) > ($1, $2) ORDER BY scope, key LIMIT $3");
    database.snapshot(|session| {
        let mut keys: Vec<KeyRow> = Vec::new();
        loop {
            let (scope, key) = keys.last().map_or(("", ""), |last| (&last.scope, &last.key));
            let page = session.query(&sql, &[scope.as_bytes().into(), key.as_bytes().into(), PAGE_ROWS.into()])?;
            if page.is_empty() {
                return Ok(keys);
            }
            keys.extend(page.iter().map(decode).collect::<Result<Vec<_>, _>>()?);
        }
    })
}

/// Gives every key bound behind position `after` and up to `through`, in the order of the positions. Up to a checkpoint's
/// position nothing changes any more, so each page is read by itself and keeps nobody waiting.
///
/// # Errors
/// Those of `each`; [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn each<E: From<StoreError>>(
    database: &Database,
    after: u64,
    through: u64,
    mut each: impl FnMut(KeyRow) -> Result<(), E>,
) -> Result<(), E> {
    pages(database, after, through, |row| each(decode(row)?))
}

/// As [`each`], with rows that are not what was written among them; whether a row is, stands beside it.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] for a row that cannot even be told from others.
pub fn audit(
    database: &Database,
    after: u64,
    through: u64,
    mut each: impl FnMut(KeyRow, bool),
) -> Result<(), StoreError> {
    pages(database, after, through, |row| {
        let (row, is_sound) = decode_any(row)?;
        each(row, is_sound);
        Ok(())
    })
}

fn pages<E: From<StoreError>>(
    database: &Database,
    after: u64,
    through: u64,
    mut each: impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut from = behind(after);
    loop {
        let page = by_position(database, &from, through, PAGE_ROWS)?;
        let Some(last) = page.last() else { return Ok(()) };
        from = (last.unsigned(2)?, last.bytes(0)?.to_vec(), last.bytes(1)?.to_vec());
        page.iter().try_for_each(&mut each)?;
    }
}

/// The first keys of those that [`each`] gives, `most` at most.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn first(database: &Database, after: u64, through: u64, most: u32) -> Result<Vec<KeyRow>, StoreError> {
    by_position(database, &behind(after), through, most)?.iter().map(decode).collect()
}

/// Behind all keys of a position: no UTF-8 text holds this byte.
fn behind(position: u64) -> (u64, Vec<u8>, Vec<u8>) {
    (position, vec![0xff], Vec::new())
}

fn by_position(
    database: &Database,
    (position, scope, key): &(u64, Vec<u8>, Vec<u8>),
    through: u64,
    most: u32,
) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM idempotency_keys WHERE (position, scope, key) > ($1, $2, $3) AND position <= $4 \
         ORDER BY position, scope, key LIMIT $5"
    );
    let parameters: [Value; 5] =
        [(*position).into(), scope.as_slice().into(), key.as_slice().into(), through.into(), most.into()];
    database.query(&sql, &parameters)
}
