//! A slab of rows by dense id, that can take back what a refused command did and knows what a command touched.
//!
//! A draft works on the state in place: before a row changes its image goes to the undo list, and a refusal puts the
//! images back in reverse order. Reading is then a plain index, which is what the hot loop does most.

use alloc::vec::Vec;

/// Rows by id, from 1. Ids may be left out.
#[derive(Debug, Clone)]
pub struct Table<V> {
    rows: Vec<Option<V>>,
    count: usize,
    undo: Vec<(u64, Option<V>)>,
    recording: bool,
    dirty: Vec<u64>,
    dirty_before: usize,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { rows: Vec::new(), count: 0, undo: Vec::new(), recording: false, dirty: Vec::new(), dirty_before: 0 }
    }
}

fn slot(id: u64) -> usize {
    usize::try_from(id.wrapping_sub(1)).unwrap_or(usize::MAX)
}

impl<V: Clone> Table<V> {
    /// A table of these rows, none of them changed.
    pub(crate) fn restored(rows: impl IntoIterator<Item = (u64, V)>) -> Self {
        let mut table = Self::default();
        rows.into_iter().for_each(|(id, row)| table.put(id, row));
        table
    }

    /// The row, if there is one.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&V> {
        self.rows.get(slot(id)).and_then(Option::as_ref)
    }

    /// The id after the highest one.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        (self.rows.len() as u64).saturating_add(1)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The row, to be changed; the change is noted for the store.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut V> {
        self.dirty.push(id);
        self.change(id)
    }

    /// The row, to be changed in numbers that the store reads from history instead of rows.
    pub fn change(&mut self, id: u64) -> Option<&mut V> {
        let row = self.rows.get_mut(slot(id))?;
        if self.recording {
            self.undo.push((id, row.clone()));
        }
        row.as_mut()
    }

    /// The row, to be changed as by [`Self::change`]; where there is none, the default is put there first.
    pub fn change_or_put(&mut self, id: u64) -> &mut V
    where
        V: Default,
    {
        let at = slot(id);
        if self.rows.get(at).is_none_or(Option::is_none) {
            self.put(id, V::default());
        } else if self.recording {
            self.undo.push((id, self.rows[at].clone()));
        }
        self.rows[at].as_mut().expect("there is one since the line above")
    }

    /// Puts a row at `id`, new or not.
    pub fn insert(&mut self, id: u64, value: V) {
        self.dirty.push(id);
        self.put(id, value);
    }

    /// As [`Self::insert`], without a note for the store.
    pub fn put(&mut self, id: u64, value: V) {
        let at = slot(id);
        if self.recording {
            self.undo.push((id, self.rows.get(at).cloned().flatten()));
        }
        if at >= self.rows.len() {
            self.rows.resize(at.saturating_add(1), None);
        }
        if let Some(row) = self.rows.get_mut(at) {
            self.count += usize::from(row.is_none());
            *row = Some(value);
        }
    }

    /// All rows in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        (1_u64..).zip(&self.rows).filter_map(|(id, row)| row.as_ref().map(|row| (id, row)))
    }

    /// Begins to note images. `None` notes nothing: for commands that check everything before they change anything.
    pub fn begin(&mut self, recording: bool) {
        self.recording = recording;
        self.undo.clear();
        self.dirty_before = self.dirty.len();
    }

    /// Keeps the changes since [`Self::begin`].
    pub fn commit(&mut self) {
        self.recording = false;
        self.undo.clear();
    }

    /// Takes the changes since [`Self::begin`] back.
    pub fn rollback(&mut self) {
        self.recording = false;
        while let Some((id, image)) = self.undo.pop() {
            if let Some(row) = self.rows.get_mut(slot(id)) {
                self.count -= usize::from(row.is_some());
                self.count += usize::from(image.is_some());
                *row = image;
            }
        }
        while self.rows.last().is_some_and(Option::is_none) {
            self.rows.pop();
        }
        self.dirty.truncate(self.dirty_before);
    }

    /// The rows changed since the last call, each once, as they are now.
    pub fn take_dirty(&mut self) -> Vec<(u64, V)> {
        let mut ids = core::mem::take(&mut self.dirty);
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.get(id).map(|row| (id, row.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_restores_every_image() {
        let mut table = Table::default();
        table.insert(1, 10);
        table.begin(true);
        *table.get_mut(1).unwrap() = 11;
        *table.get_mut(1).unwrap() = 12;
        table.insert(2, 20);
        table.insert(5, 50);
        assert_eq!((table.next_id(), table.len()), (6, 3));
        table.rollback();
        assert_eq!(table.iter().collect::<Vec<_>>(), [(1, &10)]);
        assert_eq!((table.next_id(), table.len()), (2, 1));
        assert_eq!(table.take_dirty(), [(1, 10)], "the insert before, and not what was taken back");
    }

    #[test]
    fn dirty_rows_come_once() {
        let mut table = Table::default();
        table.insert(1, 10);
        *table.get_mut(1).unwrap() = 11;
        assert_eq!(table.take_dirty(), [(1, 11)]);
        assert!(table.take_dirty().is_empty());
    }
}
