//! Checkpoints: what the store holds is one journal position, and everything of it.
//!
//! ```text
//!  commit(previous, next, …)                one transaction
//!    the checkpoint is `previous` ─► becomes `next`; rows, segments and keys with it
//!    it is `next` already         ─► done before: a commit whose answer was lost is simply sent again
//!    it is anything else          ─► Conflict; nothing is written
//! ```
//! Only positions that are durable in the journal may be committed, and a commit is durable when it returns. A store that stands
//! behind the journal, as after a crash or from an older copy, is made good by replay; ahead of it, or of another one, it is refused at
//! start-up.

use std::fmt;

use domain::restore::Core;
use domain::state::Changes;

use crate::db::{Database, Session, Value};
use crate::error::StoreError;
use crate::key::{self, KeyRow};
use crate::run::{self, SegmentRow};
use crate::tables;
use crate::webhook_delivery;

const TABLE: &str = "checkpoint";

/// A position of the journal, by the row that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event's position.
    pub position: u64,
    /// The chain's hash of the journal row that ends with that event.
    pub hash: [u8; 32],
    /// The epoch of the leader that wrote the checkpoint.
    pub epoch: u64,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {} (epoch {}, hash {})", self.position, self.epoch, hex(&self.hash))
    }
}

impl Checkpoint {
    /// Whether a journal that ends at `journal_position`, with `hash_at` as the hash of its row that ends at this
    /// checkpoint's position, is the one the store was built from.
    ///
    /// # Errors
    /// [`StoreError::Ahead`]; [`StoreError::OtherJournal`], also if no row ends there.
    pub fn check_against(&self, journal_position: u64, hash_at: Option<[u8; 32]>) -> Result<(), StoreError> {
        if self.position > journal_position {
            return Err(StoreError::Ahead { store: self.position, journal: journal_position });
        }
        if hash_at == Some(self.hash) {
            return Ok(());
        }
        let journal = hash_at.map_or_else(|| "has no row that ends there".to_owned(), |hash| hex(&hash));
        Err(StoreError::OtherJournal { position: self.position, store: hex(&self.hash), journal })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes one checkpoint: `next` in place of `previous`, with the state's core at it and all that changed between them.
///
/// # Errors
/// [`StoreError::Conflict`] if the store stands at neither; [`StoreError::Backward`] if `next` lies behind `previous`;
/// [`StoreError::Database`], after which the commit may be sent again as it was.
pub fn commit(
    database: &Database,
    previous: Option<&Checkpoint>,
    next: &Checkpoint,
    core: &Core,
    changes: &Changes,
    segments: &[SegmentRow],
    keys: &[KeyRow],
) -> Result<(), StoreError> {
    if let Some(previous) = previous.filter(|it| next.position < it.position || next.epoch < it.epoch) {
        return Err(StoreError::Backward { previous: *previous, next: *next });
    }
    database.durable_transaction(|session| {
        // First the comparison: it also keeps a second writer waiting until this one is done.
        if !set(session, previous, next, core)? {
            let found = read(session)?;
            if found == Some(*next) {
                return Ok(());
            }
            return Err(StoreError::Conflict { expected: previous.copied(), found });
        }
        tables::write(session, next.position, changes)?;
        if previous.is_none() {
            webhook_delivery::settle_replayed(session, core.now.0)?;
        }
        run::insert(session, segments)?;
        key::upsert(session, keys)
    })
}

/// The checkpoint the store stands at; `None` before the first.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn latest(database: &Database) -> Result<Option<Checkpoint>, StoreError> {
    database.snapshot(read)
}

pub(crate) fn read(session: &dyn Session) -> Result<Option<Checkpoint>, StoreError> {
    let rows = session.query("SELECT position, hash, epoch FROM checkpoint WHERE id = 1", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let hash = row.bytes(1)?.try_into();
    let hash = hash.map_err(|_| StoreError::corrupt(TABLE, 1, "its hash does not have 32 bytes"))?;
    Ok(Some(Checkpoint { position: row.unsigned(0)?, hash, epoch: row.unsigned(2)? }))
}

/// The state's core at the checkpoint; `None` before the first, and in a store whose last one an older program wrote.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn core(database: &Database) -> Result<Option<Core>, StoreError> {
    database.snapshot(read_core)
}

pub(crate) fn read_core(session: &dyn Session) -> Result<Option<Core>, StoreError> {
    let sql = "SELECT core, core_checksum FROM checkpoint WHERE id = 1 AND core IS NOT NULL";
    let rows = session.query(sql, &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (blob, stored) = (row.bytes(0)?, row.int(1)?);
    let computed = i64::from(crc32fast::hash(blob));
    if stored != computed {
        let reason = format!("the checksum of its core is {stored} and that of the blob {computed}");
        return Err(StoreError::corrupt(TABLE, 1, reason));
    }
    minicbor::decode(blob)
        .map(Some)
        .map_err(|error| StoreError::corrupt(TABLE, 1, format!("its core cannot be read: {error}")))
}

/// Compare and set; false if the checkpoint is not `previous`.
fn set(
    session: &dyn Session,
    previous: Option<&Checkpoint>,
    next: &Checkpoint,
    core: &Core,
) -> Result<bool, StoreError> {
    let blob = minicbor::to_vec(core).expect("writing CBOR to memory cannot fail");
    let checksum = crc32fast::hash(&blob);
    let mut parameters: Vec<Value> = values(next).into();
    parameters.extend([Value::Bytes(blob), checksum.into()]);
    let sql = if let Some(previous) = previous {
        parameters.extend(values(previous));
        "UPDATE checkpoint SET position = $1, hash = $2, epoch = $3, core = $4, core_checksum = $5 \
         WHERE id = 1 AND position = $6 AND hash = $7 AND epoch = $8"
    } else {
        "INSERT INTO checkpoint (id, position, hash, epoch, core, core_checksum) VALUES (1, $1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO NOTHING"
    };
    Ok(session.execute(sql, &parameters)? == 1)
}

fn values(checkpoint: &Checkpoint) -> [Value; 3] {
    [checkpoint.position.into(), checkpoint.hash.as_slice().into(), checkpoint.epoch.into()]
}
