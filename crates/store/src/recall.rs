//! What left memory, read back by its id. A store that is behind is not believed: it may not have the row yet, or have it as
//! it was before its last change.

use std::collections::{BTreeMap, BTreeSet};

use domain::agreement::AgreementPayment;
use domain::attempt::Attempt;
use domain::card_transaction::CardTransaction;
use domain::leg::Leg;
use domain::order::Order;
use domain::payout::Payout;
use domain::recall::{Kind, Leaves, PerKind, Row, RowId};
use domain::refund::Refund;
use domain::settlement::Settlement;
use domain::split::Split;
use domain::top_up::TopUp;
use domain::transfer::Transfer;

use crate::checkpoint;
use crate::db::{Database, Session};
use crate::error::StoreError;
use crate::key::{self, KeyRow};
use crate::table::{self, Stored, decode};

/// How many rows come beside those that were asked for, at most.
const FAMILY: usize = 64;
/// Rows that one statement marks.
const MARKED: usize = 1_000;

/// What the store says of a request's keys and rows, all at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The store's position.
    pub position: u64,
    /// Those of the keys that were used up to there.
    pub keys: Vec<KeyRow>,
    /// The rows, in the order in which they were asked for, and behind them some of those that go with them.
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
        let rows = with_families(session, rows)?;
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

/// A row as the store has it, closed or not; `None` if it has none.
fn read(session: &dyn Session, row: RowId) -> Result<Option<(Row, bool)>, StoreError> {
    match row.kind {
        Kind::Hold => one(session, row.id, Row::Hold),
        Kind::Order => one(session, row.id, Row::Order),
        Kind::Leg => one(session, row.id, Row::Leg),
        Kind::Attempt => one(session, row.id, Row::Attempt),
        Kind::Split => one(session, row.id, Row::Split),
        Kind::Refund => one(session, row.id, Row::Refund),
        Kind::Payout => one(session, row.id, Row::Payout),
        Kind::Settlement => one(session, row.id, Row::Settlement),
        Kind::TopUp => one(session, row.id, Row::TopUp),
        Kind::Transfer => one(session, row.id, Row::Transfer),
        Kind::AgreementPayment => one(session, row.id, Row::AgreementPayment),
        Kind::CardTransaction => one(session, row.id, |row| Row::CardTransaction(Box::new(row))),
    }
}

fn one<X: Stored + Leaves>(
    session: &dyn Session,
    id: u64,
    row: impl FnOnce(X) -> Row,
) -> Result<Option<(Row, bool)>, StoreError> {
    let sql = format!("SELECT id, checksum, blob FROM {} WHERE id = $1", X::TABLE);
    let rows = session.query(&sql, &[id.into()])?;
    let Some(found) = rows.first() else { return Ok(None) };
    let value: X = decode(found, 0)?;
    let closed = value.is_closed();
    Ok(Some((row(value), closed)))
}

/// A row that left memory.
fn left(session: &dyn Session, id: RowId) -> Result<Row, StoreError> {
    let corrupt = |what: &str| StoreError::corrupt(id.kind.name(), id.id.cast_signed(), what);
    match read(session, id)? {
        Some((row, true)) => Ok(row),
        // What is open never leaves: a start did not see it, because its column said otherwise.
        Some((_, false)) => Err(corrupt("it left memory and is open")),
        None => Err(corrupt("it left memory and is not in the store")),
    }
}

/// The rows, and behind them those of their families that are closed: whoever asked for them likely asks for these next.
fn with_families(session: &dyn Session, ids: &[RowId]) -> Result<Vec<Row>, StoreError> {
    let mut rows = ids.iter().map(|id| left(session, *id)).collect::<Result<Vec<_>, _>>()?;
    let mut seen: BTreeSet<RowId> = ids.iter().copied().collect();
    let mut at = 0;
    while let Some(row) = rows.get(at).filter(|_| rows.len() < ids.len() + FAMILY) {
        at += 1;
        for id in row.family() {
            if seen.insert(id)
                && let Some((row, true)) = read(session, id)?
            {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// The highest ids, by the rows.
pub(crate) fn last_ids(session: &dyn Session) -> Result<PerKind, StoreError> {
    let mut last = BTreeMap::new();
    for kind in Kind::ALL {
        let rows = session.query(&format!("SELECT id FROM {} ORDER BY id DESC LIMIT 1", kind.name()), &[])?;
        last.insert(kind, rows.first().map_or(Ok(0), |row| row.unsigned(0))?);
    }
    Ok(PerKind::of(|kind| last.get(&kind).copied().unwrap_or_default()))
}

/// Marks the rows that an older program left unmarked, by their content; damaged ones stay for whoever reads them.
pub(crate) fn mark_closed(session: &dyn Session) -> Result<(), StoreError> {
    mark::<Order>(session)?;
    mark::<Leg>(session)?;
    mark::<Attempt>(session)?;
    mark::<Split>(session)?;
    mark::<Refund>(session)?;
    mark::<Payout>(session)?;
    mark::<Settlement>(session)?;
    mark::<TopUp>(session)?;
    mark::<Transfer>(session)?;
    mark::<AgreementPayment>(session)
}

/// As [`mark_closed`], for card transactions, which began to leave later.
pub(crate) fn mark_closed_cards(session: &dyn Session) -> Result<(), StoreError> {
    mark::<CardTransaction>(session)
}

fn mark<X: Stored + Leaves>(session: &dyn Session) -> Result<(), StoreError> {
    let mut closed = Vec::new();
    table::read_each(session, &[], |id, row: Result<X, StoreError>, _| {
        if row.is_ok_and(|row| row.is_closed()) {
            closed.push(id.to_string());
        }
    })?;
    for ids in closed.chunks(MARKED) {
        session.batch(&format!("UPDATE {} SET closed = 1 WHERE id IN ({})", X::TABLE, ids.join(", ")))?;
    }
    Ok(())
}
