//! The projector: what follows the journal. It publishes each durable batch to the history's tail at once and writes
//! checkpoints behind: changed rows, keys and segment files in one store transaction at one position.

use std::sync::Arc;

use domain::business_day::CheckResult;
use domain::restore::Core;
use domain::state::Changes;
use engine::{KeyBinding, Projection};
use history::{Chunk, History, HistoryError, Tail};
use journal::Hash;
use store::{Checkpoint, Database, KeyRow, SegmentRow, StoreError};

use crate::close::{self, DaySnapshot};

/// A checkpoint is due after this many entries.
const CHECKPOINT_ENTRIES: u64 = 1_000_000;
/// A checkpoint is due after this long, in milliseconds, if anything changed.
const CHECKPOINT_MS: u64 = 1_000;

/// Why the projector had to stop. The journal is untouched; what follows it can be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The tables.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl ProjectorError {
    /// Whether the same may succeed later, with nobody mending anything: what is pending then stays pending.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) => error.may_pass(),
            Self::History(error) => error.may_pass(),
        }
    }
}

/// What a batch brought about, and the hash of its journal row.
#[derive(Debug)]
pub struct Projected {
    /// What happened.
    pub projection: Projection,
    /// The chain's hash at its end.
    pub hash: Hash,
}

/// What follows the journal.
#[derive(Debug)]
pub struct Projector {
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
    /// What of the state is no row, at the last batch taken or else at the checkpoint.
    core: Option<Core>,
    changes: Changes,
    keys: Vec<KeyRow>,
    /// Position and hash of the last batch taken.
    last: Option<(u64, Hash)>,
    entries: u64,
    since_ms: Option<u64>,
}

impl Projector {
    /// A projector that goes on after the store's last checkpoint.
    ///
    /// # Errors
    /// A store that does not read.
    pub fn new(store: Arc<Database>, history: Arc<History>, tail: Tail, epoch: u64) -> Result<Self, ProjectorError> {
        let (done, core) = (store::checkpoint::latest(&store)?, store::checkpoint::core(&store)?);
        Ok(Self {
            store,
            history,
            tail,
            epoch,
            done,
            doubtful: Vec::new(),
            uncommitted: Vec::new(),
            cut: done.map_or(0, |checkpoint| checkpoint.position),
            core,
            changes: Changes::default(),
            keys: Vec::new(),
            last: None,
            entries: 0,
            since_ms: None,
        })
    }

    /// The position of the last checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> u64 {
        self.done.map_or(0, |checkpoint| checkpoint.position)
    }

    /// Goes on in a new epoch.
    pub fn lead(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    /// Takes a durable batch; those that the last checkpoint holds already are passed over. `at_ms` is any clock.
    pub fn take(&mut self, projected: Projected, at_ms: u64) {
        let Projected { projection, hash } = projected;
        if projection.last <= self.checkpoint() {
            if projection.last == self.checkpoint() {
                self.core = Some(projection.core);
            }
            return;
        }
        self.entries += projection.posted.len() as u64;
        if let Some(chunk) = Chunk::new(projection.posted) {
            self.tail.push(Arc::new(chunk));
        }
        self.changes.extend(projection.changes);
        self.keys.extend(projection.keys.into_iter().map(|binding| key_row(binding, projection.now.0)));
        self.core = Some(projection.core);
        self.last = Some((projection.last, hash));
        self.since_ms.get_or_insert(at_ms);
    }

    /// Whether it is time for a checkpoint.
    #[must_use]
    pub fn is_due(&self, at_ms: u64) -> bool {
        let waited = self.since_ms.is_some_and(|since| at_ms.saturating_sub(since) >= CHECKPOINT_MS);
        self.entries >= CHECKPOINT_ENTRIES || waited
    }

    /// Entries not yet in a checkpoint.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.entries
    }

    /// Writes a checkpoint at the last batch taken, with further files to commit (the end of a day).
    ///
    /// # Errors
    /// The store's or the files'. What is pending stays pending and goes with the next checkpoint. So do the files that were
    /// written for a commit that failed: it may have happened, and a full disk must not fill with a new copy at each try.
    pub fn write(&mut self, further: &[SegmentRow]) -> Result<(), ProjectorError> {
        let last = self.last.or_else(|| self.done.map(|done| (done.position, Hash(done.hash))));
        let Some((position, hash)) = last.filter(|_| self.core.is_some()) else { return Ok(()) };
        self.changes.keep_last();
        self.uncommitted.extend(self.history.cut(self.tail.snapshot().chunks(), self.cut + 1..=position)?);
        self.cut = position;
        let next = Checkpoint { position, hash: hash.0, epoch: self.epoch };
        self.commit(&next, further)?;
        // Only now: a later checkpoint would pass over what a failed one let go of.
        self.changes = Changes::default();
        self.keys.clear();
        self.uncommitted.clear();
        self.doubtful.clear();
        self.done = Some(next);
        self.tail.drop_through(position);
        self.entries = 0;
        self.since_ms = None;
        Ok(())
    }

    fn commit(&mut self, next: &Checkpoint, further: &[SegmentRow]) -> Result<(), StoreError> {
        let Some(core) = &self.core else { return Ok(()) };
        loop {
            let segments = [&self.uncommitted, further].concat();
            let (done, changes, keys) = (self.done.as_ref(), &self.changes, &self.keys);
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

    /// Compares a sealed day, all of whose batches were taken, with its history, and commits its end of day. Asked again
    /// about the same seal it compares again and leaves the file: a committed file is never changed.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn close(&mut self, snapshot: &DaySnapshot) -> Result<CheckResult, ProjectorError> {
        self.write(&[])?;
        let rows = store::run::since_last_end(&self.store, snapshot.date)?;
        let result = close::check_history(&self.history, &rows, snapshot)?;
        let end = close::end_of_day(&rows, snapshot.date);
        if end.is_none_or(|end| end.last_position != snapshot.sealed) {
            let balances = snapshot.balances.iter().copied();
            let row = self.history.write_end_of_day(snapshot.date, snapshot.sealed, balances)?;
            self.write(&[row])?;
        }
        Ok(result)
    }
}

fn key_row(binding: KeyBinding, now_ms: i64) -> KeyRow {
    let date = domain::calendar::Date::in_shanghai(domain::envelope::Time(now_ms));
    let reply = minicbor::to_vec(&binding.answer).expect("writing CBOR to memory does not fail");
    KeyRow {
        scope: binding.scope,
        key: binding.key,
        position: binding.position,
        fingerprint: binding.fingerprint.to_vec(),
        reply,
        month: date.month(),
    }
}

/// The key of a row: the inverse of how it was written.
pub(crate) fn key_binding(row: KeyRow) -> Result<KeyBinding, StoreError> {
    let KeyRow { scope, key, position, fingerprint, reply, month: _ } = row;
    let corrupt = |reason: String| StoreError::Corrupt { table: "idempotency_keys", id: key.clone(), reason };
    let fingerprint = <[u8; 16]>::try_from(fingerprint.as_slice())
        .map_err(|_| corrupt(format!("its fingerprint has {} bytes, not 16", fingerprint.len())))?;
    let answer = minicbor::decode(&reply).map_err(|error| corrupt(format!("its answer cannot be read: {error}")))?;
    Ok(KeyBinding { scope, key, position, fingerprint, answer })
}
