//! The publisher: takes each durable batch, shows its entries to statements at once, and gathers what the next checkpoint
//! will hold. It never touches a file or a table, so a reader never waits for a checkpoint.

use std::sync::Arc;

use domain::restore::Core;
use domain::state::Changes;
use engine::KeyBinding;
use history::{Chunk, Tail};
use journal::Hash;
use store::KeyRow;

use crate::projector::Projected;

/// A checkpoint is due after this many entries.
const CHECKPOINT_ENTRIES: u64 = 1_000_000;
/// A checkpoint is due after this long, in milliseconds, if anything changed.
const CHECKPOINT_MS: u64 = 1_000;

/// What batches brought about that no checkpoint holds yet.
#[derive(Debug, Default)]
pub struct Pending {
    pub(crate) changes: Changes,
    pub(crate) keys: Vec<KeyRow>,
    /// What of the state is no row, at the last of these batches or else at the checkpoint before.
    pub(crate) core: Option<Core>,
    /// Position and hash of the last of these batches.
    pub(crate) last: Option<(u64, Hash)>,
    entries: u64,
    since_ms: Option<u64>,
}

impl Pending {
    /// How many entries it holds.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// How much it holds in memory, in entries, images of rows and keys.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.entries + self.changes.len() as u64 + self.keys.len() as u64
    }

    /// Adds what came behind it.
    pub fn extend(&mut self, newer: Self) {
        self.changes.extend(newer.changes);
        self.keys.extend(newer.keys);
        self.entries += newer.entries;
        self.core = newer.core.or(self.core.take());
        self.last = newer.last.or(self.last);
        self.since_ms = self.since_ms.or(newer.since_ms);
    }
}

/// Publishes batches and gathers the next checkpoint.
#[derive(Debug)]
pub struct Publisher {
    tail: Tail,
    /// The checkpoint that the store stood at in the beginning: batches up to there are passed over.
    passed: u64,
    pending: Pending,
}

impl Publisher {
    pub(crate) fn new(tail: Tail, passed: u64) -> Self {
        Self { tail, passed, pending: Pending::default() }
    }

    /// Takes a durable batch; those that the store held in the beginning are passed over. `at_ms` is any clock.
    pub fn take(&mut self, projected: Projected, at_ms: u64) {
        let Projected { projection, hash } = projected;
        let pending = &mut self.pending;
        if projection.last <= self.passed {
            if projection.last == self.passed {
                pending.core = Some(projection.core);
            }
            return;
        }
        pending.entries += projection.posted.len() as u64;
        if let Some(chunk) = Chunk::new(projection.posted) {
            // Here, off the writer's way and out of the first reader's.
            chunk.index();
            self.tail.push(Arc::new(chunk));
        }
        pending.changes.extend(projection.changes);
        pending.keys.extend(projection.keys.into_iter().map(|binding| key_row(binding, projection.now.0)));
        pending.core = Some(projection.core);
        pending.last = Some((projection.last, hash));
        pending.since_ms.get_or_insert(at_ms);
    }

    /// Whether it is time for a checkpoint of what is pending.
    #[must_use]
    pub fn is_due(&self, at_ms: u64) -> bool {
        let waited = self.pending.since_ms.is_some_and(|since| at_ms.saturating_sub(since) >= CHECKPOINT_MS);
        self.pending.entries >= CHECKPOINT_ENTRIES || waited
    }

    /// Entries pending.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.pending.entries
    }

    /// Entries, images of rows and keys pending.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.pending.weight()
    }

    /// Hands out what is pending, for a checkpoint of it.
    #[must_use]
    pub fn begin(&mut self) -> Pending {
        std::mem::take(&mut self.pending)
    }

    /// Takes back what a checkpoint could not be written of; it goes with the next one.
    pub(crate) fn put_back(&mut self, older: Pending) {
        let newer = std::mem::replace(&mut self.pending, older);
        self.pending.extend(newer);
    }
}

/// A key as the store keeps it.
pub(crate) fn key_row(binding: KeyBinding, now_ms: i64) -> KeyRow {
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
