//! The projector: what follows the journal. It publishes each durable batch to the history's tail at once and writes
//! checkpoints behind: changed rows, keys and segment files in one store transaction at one position.
//!
//! ```text
//!  durable batch ─► Publisher ─ tail ─► statements
//!                       └ Pending ─► Checkpointer ─► store, files
//! ```
//! Two halves, so that two threads may have them: a statement waits for the publisher alone, and a checkpoint takes a
//! third of a second for a million entries.

use std::sync::Arc;

use domain::business_day::CheckResult;
use engine::{KeyBinding, Projection};
use history::{History, HistoryError, Tail};
use journal::Hash;
use store::{Database, KeyRow, SegmentRow, StoreError};

use crate::checkpointer::Checkpointer;
use crate::close::DaySnapshot;
use crate::publisher::Publisher;

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

/// What follows the journal, both halves in one thread.
#[derive(Debug)]
pub struct Projector {
    publisher: Publisher,
    checkpointer: Checkpointer,
}

impl Projector {
    /// A projector that goes on after the store's last checkpoint.
    ///
    /// # Errors
    /// A store that does not read.
    pub fn new(store: Arc<Database>, history: Arc<History>, tail: Tail, epoch: u64) -> Result<Self, ProjectorError> {
        let checkpointer = Checkpointer::new(store, history, tail.clone(), epoch)?;
        Ok(Self { publisher: Publisher::new(tail, checkpointer.position()), checkpointer })
    }

    /// Its halves, for a thread each.
    #[must_use]
    pub fn split(self) -> (Publisher, Checkpointer) {
        (self.publisher, self.checkpointer)
    }

    /// The position of the last checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> u64 {
        self.checkpointer.position()
    }

    /// Goes on in a new epoch.
    pub fn lead(&mut self, epoch: u64) {
        self.checkpointer.lead(epoch);
    }

    /// As [`Publisher::take`].
    pub fn take(&mut self, projected: Projected, at_ms: u64) {
        self.publisher.take(projected, at_ms);
    }

    /// As [`Publisher::is_due`].
    #[must_use]
    pub fn is_due(&self, at_ms: u64) -> bool {
        self.publisher.is_due(at_ms)
    }

    /// Entries not yet in a checkpoint.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.publisher.pending()
    }

    /// Writes a checkpoint at the last batch taken, with further files to commit (the end of a day).
    ///
    /// # Errors
    /// As for [`Checkpointer::write`].
    pub fn write(&mut self, further: &[SegmentRow]) -> Result<(), ProjectorError> {
        let mut pending = self.publisher.begin();
        let written = self.checkpointer.write(&mut pending, further);
        if written.is_err() {
            self.publisher.put_back(pending);
        }
        written
    }

    /// As [`Checkpointer::close`], with what is pending.
    ///
    /// # Errors
    /// As for [`Checkpointer::write`].
    pub fn close(&mut self, snapshot: &DaySnapshot) -> Result<CheckResult, ProjectorError> {
        let mut pending = self.publisher.begin();
        let closed = self.checkpointer.close(&mut pending, snapshot);
        if closed.is_err() {
            self.publisher.put_back(pending);
        }
        closed
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
