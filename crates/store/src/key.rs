//! The idempotency table (幂等键): which key was used for what, and what was answered.
//!
//! One table holds `Idempotency-Key`, `out_trade_no` and (business number, event code), told apart by their scope. Keys
//! are kept by month, so that a sealed month can go behind a filter while the current one stays in memory.

use std::fmt;

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
const PAGE_ROWS: i64 = 4_096;

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
    let sql = format!("SELECT {COLUMNS} FROM idempotency_keys WHERE scope = $1 AND key = $2");
    database.query(&sql, &[scope.as_bytes().into(), key.as_bytes().into()])?.first().map(decode).transpose()
}

/// The keys used in a month, as in 202603.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn of_month(database: &Database, month: u32) -> Result<Vec<KeyRow>, StoreError> {
    database.snapshot(|session| read(session, month, month))
}

/// Every key.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn all(database: &Database) -> Result<Vec<KeyRow>, StoreError> {
    database.snapshot(read_all)
}

pub(crate) fn read_all(session: &dyn Session) -> Result<Vec<KeyRow>, StoreError> {
    read(session, 0, u32::MAX)
}

fn read(session: &dyn Session, first_month: u32, last_month: u32) -> Result<Vec<KeyRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM idempotency_keys WHERE (scope, key) > ($1, $2) AND month BETWEEN $3 AND $4 \
         ORDER BY scope, key LIMIT $5"
    );
    let mut keys: Vec<KeyRow> = Vec::new();
    loop {
        let (scope, key) = keys.last().map_or(("", ""), |last| (&last.scope, &last.key));
        let parameters: [Value; 5] =
            [scope.as_bytes().into(), key.as_bytes().into(), first_month.into(), last_month.into(), PAGE_ROWS.into()];
        let page = session.query(&sql, &parameters)?;
        if page.is_empty() {
            return Ok(keys);
        }
        keys.extend(page.iter().map(decode).collect::<Result<Vec<_>, _>>()?);
    }
}
