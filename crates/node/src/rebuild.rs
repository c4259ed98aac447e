//! Rebuilding what follows the journal: an empty store and an empty history are filled by a replay of the whole journal,
//! with the end of each day that was sealed on the way.
//!
//! ```text
//!  journal ─ checked row by row ─► replay ─► projector ─► segments, rows, keys ─┐
//!                                    └ a day is sealed ─► its end-of-day file ──┴─► the new store and history
//!           └ a damaged row ─► refused by name; what was built so far is thrown away by the caller
//! ```
//! Files are cut where this walk writes checkpoints and not where the running platform did: entries and balances are the
//! same, names and sizes of segments are not. An end-of-day file has balances, debits and credits of its day; holds,
//! freezes and entry numbers in it are of the batch that sealed it.

use std::sync::Arc;

use domain::State;
use domain::calendar::Date;
use engine::{Engine, EngineError, Keys};
use history::{History, Tail};
use journal::{Fault, JournalError, Reader, Record};
use store::Database;

use crate::close::{self, Seals};
use crate::projector::{Projected, Projector, ProjectorError};

/// A checkpoint is written after so many bytes of the journal, so that memory stays bounded whatever the rows hold.
const CHECKPOINT_BYTES: usize = 32 << 20;

/// Why nothing was rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The journal is damaged itself.
    #[error("the journal is damaged, so nothing can be rebuilt from it; restore it from a backup: {0}")]
    Damaged(Fault),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A row that this version cannot fold in.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The new tables or files cannot be written.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
    /// What was rebuilt of a day is not what the journal says of it.
    #[error("the rebuilt history of {date} does not equal its books: {detail}")]
    Day {
        /// The day.
        date: Date,
        /// What differs.
        detail: String,
    },
}

/// What was rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Up to this position of the journal.
    pub position: u64,
    /// Ends of days that were written.
    pub days: u64,
}

/// Fills an empty store and history. `progress` is told the position reached and the last one.
///
/// # Errors
/// [`RebuildError`]: the new store and history are then of no use.
pub fn rebuild(
    journal: &mut Reader,
    store: Arc<Database>,
    history: Arc<History>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Rebuilt, RebuildError> {
    let tip = match journal.tip() {
        Ok(tip) => tip,
        Err(JournalError::Corrupt(fault)) => return Err(RebuildError::Damaged(fault)),
        Err(error) => return Err(error.into()),
    };
    let projector = Projector::new(store, history, Tail::new(), tip.epoch)?;
    // Each row that came back must be what the events make it.
    let state = State { keep_closed: true, ..State::default() };
    let engine = Engine::new(state, Keys::default(), tip.epoch);
    let mut work = Work { engine, projector, seals: Seals::default(), bytes: 0, days: 0 };
    let mut failed = None;
    let report = journal.verify(|record| {
        if failed.is_none() && record.count > 0 {
            failed = work.take(record).err();
            progress(record.next().saturating_sub(1), tip.next.saturating_sub(1));
        }
    })?;
    if let Some(fault) = report.fault {
        return Err(RebuildError::Damaged(fault));
    }
    if let Some(failed) = failed {
        return Err(failed);
    }
    work.projector.write(&[])?;
    Ok(Rebuilt { position: work.engine.state().position, days: work.days })
}

struct Work {
    engine: Engine,
    projector: Projector,
    seals: Seals,
    /// Bytes of the journal since the last checkpoint.
    bytes: usize,
    days: u64,
}

impl Work {
    fn take(&mut self, record: &Record) -> Result<(), RebuildError> {
        let projection = self.engine.replay(record)?;
        self.projector.take(Projected { projection, hash: record.hash }, 0);
        self.bytes += record.payload.len();
        for date in self.seals.take(self.engine.state()) {
            self.end(date)?;
        }
        // Time stands still here: this is the bound on entries.
        if self.bytes >= CHECKPOINT_BYTES || self.projector.is_due(0) {
            self.projector.write(&[])?;
            self.bytes = 0;
        }
        Ok(())
    }

    fn end(&mut self, date: Date) -> Result<(), RebuildError> {
        // A day that the same batch closed has no figures left in the state.
        let Ok(snapshot) = close::snapshot(self.engine.state(), date) else { return Ok(()) };
        let result = self.projector.close(&snapshot)?;
        if !result.holds {
            return Err(RebuildError::Day { date, detail: result.detail });
        }
        (self.days, self.bytes) = (self.days + 1, 0);
        Ok(())
    }
}
