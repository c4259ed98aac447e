//! Recovery: what the store holds, read back and checked; and the comparison with what replay derives.

use std::fmt;

use domain::State;
use domain::recall::RowId;
use domain::restore::Core;
use domain::state::Changes;

use crate::checkpoint::{self, Checkpoint};
use crate::db::{Database, Session};
use crate::error::StoreError;
use crate::recall;
use crate::run::{self, SegmentRow};
use crate::table::{self, Key, Stored};
use crate::tables;

/// What the store holds, as of one checkpoint. Idempotency keys, which are too many, are read with [`crate::key::each`].
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Where the journal goes on from here; `None` for an empty store.
    pub checkpoint: Option<Checkpoint>,
    /// What of the state is no row; `None` for an empty store and for one that an older program left.
    pub core: Option<Core>,
    /// Every row of every table that was in memory: not what was closed and had left it. Accounts come without balance and
    /// entry count: history has them.
    pub rows: Changes,
    /// When those of kinds that leave memory were written.
    pub written: Vec<(RowId, u64)>,
    /// The committed files of history.
    pub segments: Vec<SegmentRow>,
}

/// Reads it back, each aggregate checked against its checksum.
///
/// # Errors
/// [`StoreError::Corrupt`] naming the first row that is not what was written; [`StoreError::Database`].
pub fn load_all(database: &Database) -> Result<Loaded, StoreError> {
    database.snapshot(|session| {
        let core = checkpoint::read_core(session)?.map(|core| with_last_ids(session, core)).transpose()?;
        let left = core.as_ref().and_then(|core| core.left).unwrap_or_default();
        let (rows, written) = tables::read(session, left)?;
        Ok(Loaded { checkpoint: checkpoint::read(session)?, core, rows, written, segments: run::read_all(session)? })
    })
}

/// The core, with the highest ids that an older program did not write.
fn with_last_ids(session: &dyn Session, core: Core) -> Result<Core, StoreError> {
    let last_ids = core.last_ids.map_or_else(|| recall::last_ids(session), Ok)?;
    Ok(Core { last_ids: Some(last_ids), ..core })
}

/// A row that the journal does not account for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its table.
    pub table: &'static str,
    /// Its id's number.
    pub id: i64,
    /// What is wrong.
    pub kind: DifferenceKind,
}

/// In what a row differs from the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The state has it, the store does not.
    Missing,
    /// The store has it, the state does not.
    Unknown,
    /// Both have it, with different content.
    Changed,
    /// Its content is right; this column, by which lists find it, is not.
    Column(&'static str),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}, row {} {}", self.table, self.id, self.kind)
    }
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing from the store"),
            Self::Unknown => f.write_str("is in the store and not in the journal"),
            Self::Changed => f.write_str("has other content than the journal gives it"),
            Self::Column(column) => write!(f, "has a column '{column}' that does not fit its content"),
        }
    }
}

/// Compares every row with `state`, which the journal gave up to exactly the store's checkpoint, and which let nothing go that
/// is closed ([`State::keep_closed`]).
///
/// # Errors
/// [`StoreError::WrongPosition`] for a state of another position; [`StoreError::Corrupt`], [`StoreError::Database`].
pub fn verify(database: &Database, state: &State) -> Result<Vec<Difference>, StoreError> {
    database.snapshot(|session| {
        let store = checkpoint::read(session)?.map_or(0, |checkpoint| checkpoint.position);
        if store != state.position {
            return Err(StoreError::WrongPosition { store, state: state.position });
        }
        tables::verify(session, state)
    })
}

/// Walks a table and its rows in the state side by side, both in the order of the ids.
pub(crate) fn compare<'s, X: Stored + 's>(
    session: &dyn Session,
    expected: impl Iterator<Item = &'s X>,
    differences: &mut Vec<Difference>,
) -> Result<(), StoreError> {
    let mut expected = expected.peekable();
    let mut note = |id, kind| differences.push(Difference { table: X::TABLE, id, kind });
    table::read_with(session, X::COLUMNS, |found: X, columns| {
        let key = found.id().number();
        while let Some(row) = expected.next_if(|row| row.id().number() < key) {
            note(row.id().number(), DifferenceKind::Missing);
        }
        let Some(row) = expected.next_if(|row| row.id().number() == key) else {
            note(key, DifferenceKind::Unknown);
            return Ok(());
        };
        if *row.image() != found {
            note(key, DifferenceKind::Changed);
            return Ok(());
        }
        for ((column, value), expected) in X::COLUMNS.iter().zip(columns).zip(row.columns()) {
            if *value != expected {
                note(key, DifferenceKind::Column(column));
            }
        }
        Ok(())
    })?;
    expected.for_each(|row| note(row.id().number(), DifferenceKind::Missing));
    Ok(())
}
