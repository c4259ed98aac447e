//! Tables of multiples for public keys that are verified with again and again, and a bound on them.
//!
//! A table costs as much as several verifications, so a key gets one when it was seen a few times. Beyond the bound the
//! key that was not used for longest gives way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{point::Point, verify::VerifyingTable};

/// Seen this often, a key gets its table with the next use.
const USES_BEFORE_TABLE: u32 = 4;

/// Keys that are counted at most, with and without table.
const COUNTED_MAX: usize = 8192;

pub(crate) struct KnownKeys {
    /// How many may have a table.
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: u64,
    tables: usize,
    entries: HashMap<[u8; 64], Entry>,
}

struct Entry {
    uses: u32,
    last: u64,
    table: Option<Arc<VerifyingTable>>,
}

impl KnownKeys {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    /// Counts a use of `key`; gives its table if it has one or has earned it.
    pub(crate) fn table(&self, key: &Point) -> Option<Arc<VerifyingTable>> {
        if self.capacity == 0 {
            return None;
        }
        let coordinates = key.coordinates();
        if !self.use_once(&coordinates)? {
            return self.state().entries.get(&coordinates)?.table.clone();
        }
        // Outside the lock: it takes milliseconds. Two threads may make the same one; the first stays.
        let table = Arc::new(VerifyingTable::new(key));
        Some(self.keep(coordinates, table))
    }

    /// Whether the key has earned a table that it does not have; `None` if it has not earned one.
    fn use_once(&self, coordinates: &[u8; 64]) -> Option<bool> {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        if state.entries.len() >= COUNTED_MAX && !state.entries.contains_key(coordinates) {
            // Rare: it takes as many keys as are counted, none of which was seen often.
            let State { entries, .. } = &mut *state;
            entries.retain(|_, entry| entry.table.is_some());
            if entries.len() >= COUNTED_MAX {
                return None;
            }
        }
        let entry = state.entries.entry(*coordinates).or_insert(Entry { uses: 0, last: now, table: None });
        entry.uses = entry.uses.saturating_add(1);
        entry.last = now;
        (entry.uses > USES_BEFORE_TABLE).then(|| entry.table.is_none())
    }

    fn keep(&self, coordinates: [u8; 64], table: Arc<VerifyingTable>) -> Arc<VerifyingTable> {
        let mut state = self.state();
        let now = state.clock;
        let State { tables, entries, .. } = &mut *state;
        if let Some(table) = entries.get(&coordinates).and_then(|entry| entry.table.clone()) {
            return table;
        }
        if *tables >= self.capacity {
            let oldest = entries.iter().filter(|(_, entry)| entry.table.is_some()).min_by_key(|(_, entry)| entry.last);
            if let Some(oldest) = oldest.map(|(coordinates, _)| *coordinates) {
                entries.remove(&oldest);
                *tables -= 1;
            }
        }
        let uses = USES_BEFORE_TABLE + 1;
        entries.insert(coordinates, Entry { uses, last: now, table: Some(Arc::clone(&table)) });
        *tables += 1;
        table
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // What a panicking thread leaves is counts and whole tables: nothing that could be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn tables(&self) -> usize {
        self.state().entries.values().filter(|entry| entry.table.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownKeys, USES_BEFORE_TABLE};
    use crate::sm2::key::PrivateKey;

    #[test]
    fn a_key_earns_its_table_and_the_bound_holds() {
        let keys: Vec<_> =
            (1..=4).map(|number| PrivateKey::from_bytes(&[number; 32]).expect("a key").public()).collect();
        let known = KnownKeys::new(2);
        for _ in 0..USES_BEFORE_TABLE {
            assert!(known.table(&keys[0]).is_none());
        }
        assert!(known.table(&keys[0]).is_some());
        for key in &keys[1..] {
            for _ in 0..=USES_BEFORE_TABLE {
                let _ = known.table(key);
            }
            assert!(known.tables() <= 2);
        }
        assert!(known.table(&keys[3]).is_some(), "the newest has one");
        assert!(known.table(&keys[0]).is_none(), "the one not used for longest gave way");
        assert!(KnownKeys::new(0).table(&keys[0]).is_none());
    }
}
