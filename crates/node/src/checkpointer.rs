//! The checkpointer: writes what the publisher gathered. Entries become segment files, and one store transaction commits
//! them with rows and keys, as a compare-and-set on the checkpoint before.
//!
//! ```text
//!  publisher ─ Pending ─► cut segments ─► commit(previous, next, rows, keys, files) ─► the tail lets go of them
//! ```
//! One checkpoint is written at a time, in the order of the journal. Until it is committed, its files are no one's and its
//! entries are read from the tail.

use std::sync::Arc;

use domain::business_day::CheckResult;
use domain::restore::Core;
use history::{History, Tail};
use journal::Hash;
use store::{Checkpoint, Database, SegmentRow};

use crate::close::{self, DaySnapshot};
use crate::projector::ProjectorError;
use crate::publisher::Pending;

/// Writes checkpoints.
#[derive(Debug)]
pub struct Checkpointer {
    store: Arc<Database>,
    history: Arc<History>,
    tail: Tail,
    epoch: u64,
    /// The last checkpoint.
    done: Option<Checkpoint>,
    /// What of the state is no row, at the last checkpoint.
    core: Option<Core>,
}

impl Checkpointer {
    pub(crate) fn new(
        store: Arc<Database>,
        history: Arc<History>,
        tail: Tail,
        epoch: u64,
    ) -> Result<Self, ProjectorError> {
        let (done, core) = (store::checkpoint::latest(&store)?, store::checkpoint::core(&store)?);
        Ok(Self { store, history, tail, epoch, done, core })
    }

    /// The position of the last checkpoint.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.done.map_or(0, |checkpoint| checkpoint.position)
    }

    /// Writes a checkpoint of what is pending, with further files to commit (the end of a day), and empties it.
    ///
    /// # Errors
    /// The store's or the files'. What is pending stays pending: it goes with the next checkpoint, and had this one
    /// been committed after all, the next is refused and replay tells.
    pub fn write(&mut self, pending: &mut Pending, further: &[SegmentRow]) -> Result<(), ProjectorError> {
        let last = pending.last.or_else(|| self.done.map(|done| (done.position, Hash(done.hash))));
        let core = pending.core.as_ref().or(self.core.as_ref());
        let (Some((position, hash)), Some(core)) = (last, core) else { return Ok(()) };
        pending.changes.keep_last();
        let mut segments = self.history.cut(self.tail.snapshot().chunks(), self.position() + 1..=position)?;
        segments.extend_from_slice(further);
        let next = Checkpoint { position, hash: hash.0, epoch: self.epoch };
        let (changes, keys) = (&pending.changes, &pending.keys);
        store::checkpoint::commit(&self.store, self.done.as_ref(), &next, core, changes, &segments, keys)?;
        // Only now: a later checkpoint would pass over what a failed one let go of.
        self.done = Some(next);
        self.core = std::mem::take(pending).core.or(self.core.take());
        self.tail.drop_through(position);
        Ok(())
    }

    /// Compares a sealed day, all of whose batches are pending or written, with its history, and commits its end of day.
    /// Asked again about the same seal it compares again and leaves the file: a committed file is never changed.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn close(&mut self, pending: &mut Pending, snapshot: &DaySnapshot) -> Result<CheckResult, ProjectorError> {
        self.write(pending, &[])?;
        let rows = store::run::since_last_end(&self.store, snapshot.date)?;
        let result = close::check_history(&self.history, &rows, snapshot)?;
        let end = close::end_of_day(&rows, snapshot.date);
        if end.is_none_or(|end| end.last_position != snapshot.sealed) {
            let balances = snapshot.balances.iter().copied();
            let row = self.history.write_end_of_day(snapshot.date, snapshot.sealed, balances)?;
            self.write(&mut Pending::default(), &[row])?;
        }
        Ok(result)
    }
}
