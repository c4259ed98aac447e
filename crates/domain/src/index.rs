//! An ordered index from a business key to an id, that can take back what a refused command added.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Keys in order, each with one value.
#[derive(Debug, Clone)]
pub struct Index<K, V> {
    map: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
    recording: bool,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), undo: Vec::new(), recording: false }
    }
}

impl<K: Ord + Clone, V: Clone> Index<K, V> {
    /// An index of these keys.
    pub(crate) fn restored(keys: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { map: keys.into_iter().collect(), undo: Vec::new(), recording: false }
    }

    /// The value at `key`.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: core::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get(key)
    }

    /// Sets the value at `key`.
    pub fn insert(&mut self, key: K, value: V) {
        let before = self.map.insert(key.clone(), value);
        if self.recording {
            self.undo.push((key, before));
        }
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &K) {
        let before = self.map.remove(key);
        if self.recording {
            self.undo.push((key.clone(), before));
        }
    }

    /// All, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    /// Those within `range`, in order.
    pub fn range(&self, range: impl core::ops::RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.map.range(range)
    }

    /// The smallest key.
    #[must_use]
    pub fn first(&self) -> Option<(&K, &V)> {
        self.map.first_key_value()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// True without keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// See [`crate::table::Table::begin`].
    pub fn begin(&mut self, recording: bool) {
        self.recording = recording;
        self.undo.clear();
    }

    /// Keeps the changes.
    pub fn commit(&mut self) {
        self.recording = false;
        self.undo.clear();
    }

    /// Takes the changes back.
    pub fn rollback(&mut self) {
        self.recording = false;
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_restores_keys_and_values() {
        let mut index = Index::default();
        index.insert("a", 1);
        index.begin(true);
        index.insert("a", 2);
        index.insert("b", 3);
        index.remove(&"a");
        index.rollback();
        assert_eq!(index.iter().collect::<Vec<_>>(), [(&"a", &1)]);
    }
}
