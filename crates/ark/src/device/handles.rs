//! The keys of a provider by their handles. What a session keeps of a key goes once the key is forgotten here.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Keys by handle. A handle is never given twice.
pub(crate) struct Handles<H, K> {
    make: fn(u64) -> H,
    keys: RwLock<HashMap<H, Arc<K>>>,
    next: AtomicU64,
    forgotten: AtomicU64,
}

impl<H: Copy + Eq + Hash, K> Handles<H, K> {
    /// No keys; `make` makes a handle of its number.
    pub(crate) fn new(make: fn(u64) -> H) -> Self {
        Self { make, keys: RwLock::default(), next: AtomicU64::new(1), forgotten: AtomicU64::new(0) }
    }

    /// Takes a key in.
    pub(crate) fn keep(&self, key: K) -> H {
        let handle = (self.make)(self.next.fetch_add(1, Ordering::Relaxed));
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(key));
        handle
    }

    /// The key of a handle.
    pub(crate) fn get(&self, handle: H) -> Option<Arc<K>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&handle).cloned()
    }

    /// Whether a handle has its key still.
    pub(crate) fn has(&self, handle: H) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(&handle)
    }

    /// Lets a key go.
    pub(crate) fn forget(&self, handle: H) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&handle);
        // Sessions compare their keys before their next use.
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// Whether keys were forgotten since `seen`, which is that count now.
    pub(crate) fn forgot(&self, seen: &mut u64) -> bool {
        let forgotten = self.forgotten.load(Ordering::Acquire);
        std::mem::replace(seen, forgotten) != forgotten
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
