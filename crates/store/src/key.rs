//! The idempotency table (幂等键): which key was used for what, and what was answered.
//!
//! One table holds `Idempotency-Key`, `out_trade_no` and (business number, event code), told apart by their scope. All keys
//! ever used are here; the engine's memory holds the last of them, and filters of the others.

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

impl fmt::Debug for KeyRow {
    /// Shows the length of the answer only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, key, position, fingerprint: _, reply, month } = self;
        write!(f, "KeyRow({scope}, {key}, position {position}, month {month}, answer of {} bytes)", reply.len())
    }
}

const COLUMNS: &str = "scope, key, position, fingerprint, reply, month";

/// Rows that are read at once.
const PAGE_ROWS: u32 = 4_096;

/// The key is kept in bytes: every text fits, and both databases order bytes in the same way.
pub(crate) fn upsert(session: &dyn Session, keys: &[KeyRow]) -> Result<(), StoreError> {
    let others = ["position", "fingerprint", "reply", "month"];
    let mut upsert = Upsert::new(session, "idempotency_keys", &["scope", "key"], &others);
    for KeyRow { scope, key, position, fingerprint, reply, month } in keys {
        let identity = [scope.as_bytes().into(), key.as_bytes().into()];
        let others = [(*position).into(), fingerprint.as_slice().into(), reply.as_slice().into(), Value::from(*month)];
        upsert.add(identity.into_iter().chain(others))?;
    }
    upsert.finish()
}

fn decode(row: &Row) -> Result<KeyRow, StoreError> {
    let text = |column: usize| {
        let text = String::from_utf8(row.bytes(column)?.to_vec());
        text.map_err(|_| StoreError::corrupt("idempotency_keys", format!("{row:?}"), "its key is not UTF-8"))
    };
    Ok(KeyRow {
        scope: text(0)?,
        key: text(1)?,
        position: row.unsigned(2)?,
        fingerprint: row.bytes(3)?.to_vec(),
        reply: row.bytes(4)?.to_vec(),
        month: u32::try_from(row.int(5)?).unwrap_or_default(),
    })
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
    let mut from = behind(after);
    loop {
        let page = by_position(database, &from, through, PAGE_ROWS)?;
        let Some(last) = page.last() else { return Ok(()) };
        from = (last.position, last.scope.as_bytes().to_vec(), last.key.as_bytes().to_vec());
        page.into_iter().try_for_each(&mut each)?;
    }
}

/// The first keys of those that [`each`] gives, `most` at most.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn first(database: &Database, after: u64, through: u64, most: u32) -> Result<Vec<KeyRow>, StoreError> {
    by_position(database, &behind(after), through, most)
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
) -> Result<Vec<KeyRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM idempotency_keys WHERE (position, scope, key) > ($1, $2, $3) AND position <= $4 \
         ORDER BY position, scope, key LIMIT $5"
    );
    let parameters: [Value; 5] =
        [(*position).into(), scope.as_slice().into(), key.as_slice().into(), through.into(), most.into()];
    database.query(&sql, &parameters)?.iter().map(decode).collect()
}
