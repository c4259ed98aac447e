//! The newest entries, in memory: immutable chunks that one thread publishes and any thread reads.
//!
//! ```text
//!  push ─► [chunk 1–40] [41–90] [91–97] ─ drop_through(90), after the checkpoint that cut them ─► [91–97]
//! ```
//! A chunk holds whole vouchers, so positions never straddle two chunks. A chunk that a checkpoint cut in part stays
//! until the next one; its entries are then in a segment too, which a statement tells by their numbers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use domain::calendar::Date;
use domain::ids::AccountId;
use domain::voucher::PostedEntry;

use crate::radix;

/// Some entries in journal order. Immutable once published.
#[derive(Debug)]
pub struct Chunk {
    entries: Vec<PostedEntry>,
    index: OnceLock<Index>,
}

/// What look-ups in a chunk need.
#[derive(Debug)]
struct Index {
    /// Offsets into the entries, sorted by (account, offset).
    by_account: Box<[u32]>,
    /// The accounting date, if all have the same.
    date: Option<Date>,
}

/// Entries of one account in one chunk, in the order of their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    chunk: &'a Chunk,
    offsets: &'a [u32],
}

impl Chunk {
    /// A chunk of whole vouchers in journal order; `None` if there is no entry.
    ///
    /// # Panics
    /// Above 2^32 entries.
    #[must_use]
    pub fn new(entries: Vec<PostedEntry>) -> Option<Self> {
        assert!(u32::try_from(entries.len()).is_ok(), "{} entries in one chunk; publish smaller ones", entries.len());
        debug_assert!(entries.is_sorted_by_key(|entry| entry.voucher), "entries are given in journal order");
        (!entries.is_empty()).then(|| Self { entries, index: OnceLock::new() })
    }

    /// Its entries, in journal order.
    #[must_use]
    pub fn entries(&self) -> &[PostedEntry] {
        &self.entries
    }

    /// The position of its first voucher.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.entries.first().map_or(0, |entry| entry.voucher.0)
    }

    /// The position of its last voucher.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.voucher.0)
    }

    /// Builds the index that look-ups need, once. Whoever publishes may call it, off the writer's thread; else the
    /// first query does.
    pub fn index(&self) {
        self.indexed();
    }

    fn indexed(&self) -> &Index {
        self.index.get_or_init(|| {
            // Beside each other, so that the passes of the sort do not walk the entries.
            let mut places: Vec<(u64, u32)> = Vec::with_capacity(self.entries.len());
            let mut date = self.entries.first().map(|entry| entry.date);
            for (entry, offset) in self.entries.iter().zip(0..) {
                places.push((entry.account.0, offset));
                date = date.filter(|date| *date == entry.date);
            }
            radix::sort_by_key(&mut places, &mut Vec::new(), |(account, _)| *account);
            Index { by_account: places.into_iter().map(|(_, offset)| offset).collect(), date }
        })
    }

    /// The accounting date of its entries, if all have the same.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        self.indexed().date
    }

    /// The entries of one account, in the order of their numbers.
    #[must_use]
    pub fn of(&self, account: AccountId) -> Rows<'_> {
        let index = &self.indexed().by_account;
        let start = index.partition_point(|offset| self.entry(*offset).account < account);
        let from = index.get(start..).unwrap_or_default();
        let end = from.partition_point(|offset| self.entry(*offset).account == account);
        Rows { chunk: self, offsets: from.get(..end).unwrap_or_default() }
    }

    fn entry(&self, offset: u32) -> &PostedEntry {
        &self.entries[offset as usize]
    }
}

impl<'a> Rows<'a> {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The first and the last.
    #[must_use]
    pub fn ends(&self) -> Option<(&'a PostedEntry, &'a PostedEntry)> {
        Some((self.chunk.entry(*self.offsets.first()?), self.chunk.entry(*self.offsets.last()?)))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a PostedEntry> + use<'a> {
        let chunk = self.chunk;
        self.offsets.iter().map(move |offset| chunk.entry(*offset))
    }

    /// The first `count` of them, and the others.
    #[must_use]
    pub fn split(self, count: usize) -> (Self, Self) {
        let (first, rest) = self.offsets.split_at(count.min(self.offsets.len()));
        (Self { offsets: first, ..self }, Self { offsets: rest, ..self })
    }

    /// Without those at the beginning for which `is_out` is true, and it is true of none behind them.
    #[must_use]
    pub fn without(self, is_out: impl Fn(&PostedEntry) -> bool) -> Self {
        let out = self.offsets.partition_point(|offset| is_out(self.chunk.entry(*offset)));
        self.split(out).1
    }
}

/// The chunks not yet dropped. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    chunks: Arc<Mutex<VecDeque<Arc<Chunk>>>>,
}

impl Tail {
    /// An empty tail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Publishes a chunk. Only one thread pushes.
    ///
    /// # Panics
    /// If the chunk does not begin behind the last one: entries would be read twice or out of order.
    pub fn push(&self, chunk: Arc<Chunk>) {
        let mut chunks = self.lock();
        let last = chunks.back().map(|last| last.last());
        assert!(last.is_none_or(|last| chunk.first() > last), "chunk at {} after {last:?}", chunk.first());
        chunks.push_back(chunk);
    }

    /// The chunks as they are now. Holds the writer only while it copies one pointer a chunk.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { chunks: self.lock().iter().cloned().collect() }
    }

    /// Lets go of the chunks that lie wholly at or before `position`, which a checkpoint has cut and committed.
    pub fn drop_through(&self, position: u64) {
        let mut chunks = self.lock();
        let gone = chunks.partition_point(|chunk| chunk.last() <= position);
        let dropped: Vec<Arc<Chunk>> = chunks.drain(..gone).collect();
        // The entries are freed after the writer may go on.
        drop(chunks);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Chunk>>> {
        // Every change is one call on the queue, so a panic elsewhere cannot leave it half done.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tail at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    chunks: Vec<Arc<Chunk>>,
}

impl Snapshot {
    /// Its chunks, in journal order.
    #[must_use]
    pub fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// The position of its last voucher; `None` if it is empty.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.chunks.last().map(|chunk| chunk.last())
    }

    /// How many entries it holds.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.entries().len() as u64).sum()
    }

    /// The entries of one account, in the order of their numbers.
    pub fn of(&self, account: AccountId) -> impl Iterator<Item = &PostedEntry> {
        self.chunks.iter().flat_map(move |chunk| chunk.of(account).iter())
    }
}
