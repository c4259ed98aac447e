//! What was looked up in the state and is kept in this process until something of its kind is taken back.
//!
//! ```text
//!  find ─┬─ kept ───────────────────────────────────────────────────────────────────────► used
//!        └─ not kept, with the epoch ─► the state ─► keep, unless it was all forgotten meanwhile
//! ```
//! Invariant: once [`Kept::forget`] returned, nothing that was read before it is found.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key. Past the most that it keeps, all are asked for anew.
pub(crate) struct Kept<K, V> {
    most: usize,
    now: Mutex<Now<K, V>>,
}

struct Now<K, V> {
    /// Counts how often all was forgotten.
    epoch: u64,
    found: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Nothing yet, and at most so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, now: Mutex::new(Now { epoch: 0, found: HashMap::new() }) }
    }

    /// What is kept, and the epoch that [`Self::keep`] takes.
    pub(crate) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> (Option<V>, u64)
    where
        K: Borrow<Q>,
    {
        let now = self.now();
        (now.found.get(key).cloned(), now.epoch)
    }

    /// Keeps what was read since that epoch was told.
    pub(crate) fn keep(&self, epoch: u64, key: K, value: V) {
        let mut now = self.now();
        if now.epoch != epoch {
            return;
        }
        if now.found.len() >= self.most {
            now.found.clear();
        }
        now.found.insert(key, value);
    }

    /// Asks for everything anew: something was taken back.
    pub(crate) fn forget(&self) {
        let mut now = self.now();
        now.epoch = now.epoch.wrapping_add(1);
        now.found.clear();
    }

    fn now(&self) -> MutexGuard<'_, Now<K, V>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_all_was_forgotten_is_not_kept() {
        let kept = Kept::new(2);
        let (none, before) = kept.find("a");
        assert_eq!(none, None);
        kept.keep(before, "a".to_owned(), 1);
        assert_eq!(kept.find("a").0, Some(1));
        kept.forget();
        kept.keep(before, "a".to_owned(), 1);
        assert_eq!(kept.find("a").0, None);
    }

    #[test]
    fn past_the_most_all_are_asked_for_anew() {
        let kept = Kept::new(2);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            kept.keep(0, key.to_owned(), value);
        }
        assert_eq!(["a", "b", "c"].map(|key| kept.find(key).0), [None, None, Some(3)]);
    }
}
