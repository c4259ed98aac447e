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
use store::{Checkpoint, Database, SegmentRow, StoreError};

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
    /// Checkpoints after it whose commits failed: one whose answer was lost on its way may have happened all the same.
    doubtful: Vec<Checkpoint>,
    /// Files that were cut for them: the next checkpoint names them too.
    uncommitted: Vec<SegmentRow>,
    /// The position up to which the tail was cut into files, committed or not.
    cut: u64,
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
        let cut = done.map_or(0, |checkpoint| checkpoint.position);
        Ok(Self { store, history, tail, epoch, done, doubtful: Vec::new(), uncommitted: Vec::new(), cut, core })
    }

    /// The position of the last checkpoint.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.done.map_or(0, |checkpoint| checkpoint.position)
    }

    /// Has `pause` called now and then while rows are written on this machine's processor.
    ///
    /// # Errors
    /// The store's.
    pub fn pause_by(&self, pause: impl FnMut() + Send + 'static) -> Result<(), ProjectorError> {
        Ok(self.store.pause_by(pause)?)
    }

    /// Goes on in a new epoch.
    pub fn lead(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    /// Writes a checkpoint of what is pending, with further files to commit (the end of a day), and empties it.
    ///
    /// # Errors
    /// The store's or the files'. What is pending stays pending and goes with the next checkpoint. So do the files that were
    /// written for a commit that failed: it may have happened, and a full disk must not fill with a new copy at each try.
    pub fn write(&mut self, pending: &mut Pending, further: &[SegmentRow]) -> Result<(), ProjectorError> {
        let last = pending.last.or_else(|| self.done.map(|done| (done.position, Hash(done.hash))));
        let core = pending.core.clone().or_else(|| self.core.clone());
        let (Some((position, hash)), Some(core)) = (last, core) else { return Ok(()) };
        pending.changes.keep_last();
        self.uncommitted.extend(self.history.cut(self.tail.snapshot().chunks(), self.cut + 1..=position)?);
        self.cut = position;
        let next = Checkpoint { position, hash: hash.0, epoch: self.epoch };
        self.commit(&next, &core, pending, further)?;
        // Only now: a later checkpoint would pass over what a failed one let go of.
        *pending = Pending::default();
        self.uncommitted.clear();
        self.doubtful.clear();
        (self.done, self.core) = (Some(next), Some(core));
        self.tail.drop_through(position);
        Ok(())
    }

    fn commit(
        &mut self,
        next: &Checkpoint,
        core: &Core,
        pending: &Pending,
        further: &[SegmentRow],
    ) -> Result<(), StoreError> {
        loop {
            let segments = [&self.uncommitted, further].concat();
            let (done, changes, keys) = (self.done.as_ref(), &pending.changes, &pending.keys);
            let Err(error) = store::checkpoint::commit(&self.store, done, next, core, changes, &segments, keys) else {
                return Ok(());
            };
            if let StoreError::Conflict { found: Some(found), .. } = error
                && self.doubtful.contains(&found)
                && done != Some(&found)
            {
                // It had happened: its files are in the catalogue. Rows and keys are written once more, to the same effect.
                self.uncommitted.retain(|file| file.last_position > found.position);
                self.done = Some(found);
            } else {
                self.doubtful.push(*next);
                return Err(error);
            }
        }
    }

    /// Compares a sealed day, all of whose batches are pending or written, with its history, and commits its end of day.
    /// Asked again about the same seal it compares again and leaves the file: a committed file is never changed.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn close(&mut self, pending: &mut Pending, snapshot: &DaySnapshot) -> Result<CheckResult, ProjectorError> {
        self.write(pending, &[])?;
        // Before the catalogue: segments may be merged meanwhile.
        let _reading = self.history.reading();
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
