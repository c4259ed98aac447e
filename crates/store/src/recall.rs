//! What left memory, read back by its id. A store that is behind is not believed: it may not have the row yet, or have it as
//! it was before its last change.

use domain::hold::Hold;
use domain::recall::{LastIds, Row, RowId};

use crate::checkpoint;
use crate::db::{Database, Session};
use crate::error::StoreError;
use crate::key::{self, KeyRow};
use crate::table::{Key, Stored, decode};

/// What the store says of a request's keys and rows, all at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The store's position.
    pub position: u64,
    /// Those of the keys that were used up to there.
    pub keys: Vec<KeyRow>,
    /// The rows, in the order in which they were asked for.
    pub rows: Vec<Row>,
}

/// Reads keys of one scope, and rows that left memory, in one snapshot; `None` if the store is not at `least` yet: ask again.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row that is damaged, or not there though the store is far enough; [`StoreError::Database`].
pub fn look_up(
    database: &Database,
    scope: &str,
    keys: &[String],
    rows: &[RowId],
    least: u64,
) -> Result<Option<Told>, StoreError> {
    database.snapshot(|session| {
        let position = checkpoint::read(session)?.map_or(0, |checkpoint| checkpoint.position);
        if position < least {
            return Ok(None);
        }
        let keys = key::read_some(session, scope, keys)?;
        let rows = rows.iter().map(|row| read(session, *row)).collect::<Result<_, _>>()?;
        Ok(Some(Told { position, keys, rows }))
    })
}

/// Reads one row that left memory; `None` if the store is not at `least` yet: ask again.
///
/// # Errors
/// As for [`look_up`].
pub fn find(database: &Database, row: RowId, least: u64) -> Result<Option<Row>, StoreError> {
    let told = look_up(database, "", &[], &[row], least)?;
    Ok(told.and_then(|told| told.rows.into_iter().next()))
}

fn read(session: &dyn Session, row: RowId) -> Result<Row, StoreError> {
    match row {
        RowId::Hold(id) => one(session, id, Hold::is_closed).map(Row::Hold),
    }
}

fn one<X: Stored>(session: &dyn Session, id: X::Id, closed: fn(&X) -> bool) -> Result<X, StoreError> {
    let sql = format!("SELECT id, checksum, blob FROM {} WHERE id = $1", X::TABLE);
    let rows = session.query(&sql, &[id.number().into()])?;
    let missing = || StoreError::corrupt(X::TABLE, id.number(), "it left memory and is not in the store");
    let row = decode(rows.first().ok_or_else(missing)?, 0)?;
    // What is open never leaves: a start did not see it, because its column said otherwise.
    if closed(&row) { Ok(row) } else { Err(StoreError::corrupt(X::TABLE, id.number(), "it left memory and is open")) }
}

/// The highest ids, by the rows.
pub(crate) fn last_ids(session: &dyn Session) -> Result<LastIds, StoreError> {
    Ok(LastIds { holds: last::<Hold>(session)? })
}

fn last<X: Stored>(session: &dyn Session) -> Result<u64, StoreError> {
    let rows = session.query(&format!("SELECT id FROM {} ORDER BY id DESC LIMIT 1", X::TABLE), &[])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}
