//! A table of rows by dense id, that can take back what a refused command did, knows what a command touched, and lets
//! closed rows leave memory.
//!
//! ```text
//!  pages of 64 rows ─ nearly all of a page's rows left ─► the page is given back; its last rows stand alone
//! ```
//! A draft works on the state in place: before a row changes its image goes to the undo list, and a refusal puts the
//! images back in reverse order. Reading is then an index into a page, which is what the hot loop does most.
//! An id below [`Table::next_id`] without a row is *away* in a table whose rows leave memory ([`crate::recall`]); reading it
//! is noted, so that a command that needed it can wait for it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::cmp::Ordering;
use core::fmt::{self, Debug, Formatter};

/// Rows of a page.
const PAGE: usize = 64;
/// A page with as many rows or fewer is given back once a row left it.
const THIN: usize = PAGE / 8;

/// Rows whose ids follow on each other.
#[derive(Debug, Clone)]
struct Page<V> {
    /// None at all, or room for [`PAGE`].
    rows: Box<[Option<V>]>,
    count: usize,
    given_back: bool,
}

impl<V> Default for Page<V> {
    fn default() -> Self {
        Self { rows: Box::default(), count: 0, given_back: false }
    }
}

/// Rows by id, from 1. Ids may be left out.
#[derive(Clone)]
pub struct Table<V> {
    pages: Vec<Page<V>>,
    /// Rows of pages that were given back.
    alone: BTreeMap<u64, V>,
    next: u64,
    count: usize,
    undo: Vec<(u64, Option<V>)>,
    recording: bool,
    dirty: Vec<u64>,
    /// How many were dirty, and the next id, when the draft began.
    before: (usize, u64),
    /// Closed rows by id, and the position at which the store must be for them to leave.
    leaving: BTreeMap<u64, u64>,
    /// Rows that were asked for and are away.
    missed: RefCell<Vec<u64>>,
}

impl<V: Debug> Debug for Table<V> {
    /// Shows the rows and what is noted of them, not how they lie in memory.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { next, undo, recording, dirty, leaving, .. } = self;
        f.debug_struct("Table")
            .field("rows", &self.iter().collect::<Vec<_>>())
            .field("next", next)
            .field("undo", undo)
            .field("recording", recording)
            .field("dirty", dirty)
            .field("leaving", leaving)
            .finish_non_exhaustive()
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            alone: BTreeMap::new(),
            next: 1,
            count: 0,
            undo: Vec::new(),
            recording: false,
            dirty: Vec::new(),
            before: (0, 1),
            leaving: BTreeMap::new(),
            missed: RefCell::default(),
        }
    }
}

/// Page and place in it.
fn place(id: u64) -> (usize, usize) {
    let slot = usize::try_from(id.wrapping_sub(1)).unwrap_or(usize::MAX);
    (slot / PAGE, slot % PAGE)
}

fn find_mut<'t, V>(pages: &'t mut [Page<V>], alone: &'t mut BTreeMap<u64, V>, id: u64) -> Option<&'t mut V> {
    let (page, slot) = place(id);
    let page = pages.get_mut(page)?;
    if page.given_back { alone.get_mut(&id) } else { page.rows.get_mut(slot)?.as_mut() }
}

fn note_missed(missed: &RefCell<Vec<u64>>, next: u64, id: u64) {
    if (1..next).contains(&id) {
        missed.borrow_mut().push(id);
    }
}

impl<V> Table<V> {
    /// All rows in memory, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        (1_u64..).step_by(PAGE).zip(&self.pages).flat_map(|(first, page)| {
            let of_page = first..first.saturating_add(PAGE as u64);
            let alone = page.given_back.then(|| self.alone.range(of_page));
            let rows = (first..).zip(&page.rows).filter_map(|(id, row)| row.as_ref().map(|row| (id, row)));
            alone.into_iter().flatten().map(|(id, row)| (*id, row)).chain(rows)
        })
    }
}

impl<V: Clone> Table<V> {
    /// A table of these rows, none of them changed.
    pub(crate) fn restored(rows: impl IntoIterator<Item = (u64, V)>) -> Self {
        let mut table = Self::default();
        rows.into_iter().for_each(|(id, row)| table.put(id, row));
        table
    }

    /// Rows up to this id were there, in memory or not.
    pub(crate) fn reached(&mut self, last: u64) {
        self.next = self.next.max(last.saturating_add(1));
    }

    /// The row, if there is one in memory. If there is one elsewhere, that is noted: [`Self::missed`].
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&V> {
        let row = self.find(id);
        if row.is_none() {
            self.miss(id);
        }
        row
    }

    fn find(&self, id: u64) -> Option<&V> {
        let (page, slot) = place(id);
        let page = self.pages.get(page)?;
        if page.given_back { self.alone.get(&id) } else { page.rows.get(slot)?.as_ref() }
    }

    fn miss(&self, id: u64) {
        note_missed(&self.missed, self.next, id);
    }

    /// Whether there was a row of this id that is not in memory: in a table whose ids are dense and whose rows leave memory,
    /// the store has it.
    #[must_use]
    pub fn is_away(&self, id: u64) -> bool {
        (1..self.next).contains(&id) && self.find(id).is_none()
    }

    /// From now on nothing was asked for that is away.
    pub(crate) fn forget_missed(&self) {
        self.missed.borrow_mut().clear();
    }

    /// The rows that were asked for since [`Self::forget_missed`] and are away, each once, in the order of their ids.
    pub(crate) fn missed(&self) -> Vec<u64> {
        let mut ids = self.missed.borrow().clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The id after the highest one there ever was.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next
    }

    /// How many rows there are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True without rows in memory.
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
        let Self { pages, alone, undo, recording, missed, next, .. } = self;
        let Some(row) = find_mut(pages, alone, id) else {
            note_missed(missed, *next, id);
            return None;
        };
        if *recording {
            undo.push((id, Some(row.clone())));
        }
        Some(row)
    }

    /// The row, to be changed as by [`Self::change`]; where there is none, the default is put there first.
    pub fn change_or_put(&mut self, id: u64) -> &mut V
    where
        V: Default,
    {
        if self.find(id).is_none() {
            self.put(id, V::default());
        } else if self.recording {
            self.undo.push((id, self.find(id).cloned()));
        }
        find_mut(&mut self.pages, &mut self.alone, id).expect("there is one since the line above")
    }

    /// Puts a row at `id`, new or not.
    pub fn insert(&mut self, id: u64, value: V) {
        self.dirty.push(id);
        self.put(id, value);
    }

    /// As [`Self::insert`], without a note for the store.
    pub fn put(&mut self, id: u64, value: V) {
        let before = self.set(id, Some(value));
        if self.recording {
            self.undo.push((id, before));
        }
        self.reached(id);
    }

    /// Sets what is at `id` and gives what was there.
    fn set(&mut self, id: u64, value: Option<V>) -> Option<V> {
        let (at, slot) = place(id);
        if at >= self.pages.len() {
            value.as_ref()?;
            self.pages.resize_with(at.saturating_add(1), Page::default);
        }
        let page = self.pages.get_mut(at)?;
        let is_there = usize::from(value.is_some());
        let before = if page.given_back {
            match value {
                Some(value) => self.alone.insert(id, value),
                None => self.alone.remove(&id),
            }
        } else {
            if page.rows.is_empty() {
                page.rows = (0..PAGE).map(|_| None).collect();
            }
            let row = page.rows.get_mut(slot)?;
            let before = core::mem::replace(row, value);
            page.count = page.count + is_there - usize::from(before.is_some());
            before
        };
        self.count = self.count + is_there - usize::from(before.is_some());
        before
    }

    /// Begins to note images. `None` notes nothing: for commands that check everything before they change anything.
    pub fn begin(&mut self, recording: bool) {
        self.recording = recording;
        self.undo.clear();
        self.before = (self.dirty.len(), self.next);
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
            self.set(id, image);
        }
        let (dirty, next) = self.before;
        self.dirty.truncate(dirty);
        self.next = next;
    }

    /// The rows changed since the last call, each once, as they are now.
    pub fn take_dirty(&mut self) -> Vec<(u64, V)> {
        let mut ids = core::mem::take(&mut self.dirty);
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.find(id).map(|row| (id, row.clone()))).collect()
    }

    /// Notes which of the rows that changed or came back since [`Self::take_dirty`] are closed: they leave once the store is
    /// at `position`, the batch's last.
    pub(crate) fn note_closed(&mut self, position: u64, closed: impl Fn(&V) -> bool) {
        for at in 0..self.dirty.len() {
            let Some(id) = self.dirty.get(at).copied() else { break };
            if self.find(id).is_some_and(&closed) {
                self.leaving.insert(id, position);
            } else {
                self.leaving.remove(&id);
            }
        }
    }

    /// As [`Self::note_closed`], for all rows of a table that was restored from a store at `position`; where it says of a row when it
    /// was written, [`Self::note_written`] follows.
    pub(crate) fn note_restored(&mut self, position: u64, closed: impl Fn(&V) -> bool) {
        self.leaving = self.iter().filter(|(_, row)| closed(row)).map(|(id, _)| (id, position)).collect();
    }

    /// A closed row was written at `position`: it leaves once the store is there.
    pub(crate) fn note_written(&mut self, id: u64, position: u64) {
        if let Some(at) = self.leaving.get_mut(&id) {
            *at = position;
        }
    }

    /// How many rows in memory are not closed; by those that were noted, and those that changed or came back since.
    pub(crate) fn open_count(&self, closed: impl Fn(&V) -> bool) -> usize {
        let mut fresh = self.dirty.clone();
        fresh.sort_unstable();
        fresh.dedup();
        fresh.retain(|id| !self.leaving.contains_key(id) && self.find(*id).is_some_and(&closed));
        self.count.saturating_sub(self.leaving.len()).saturating_sub(fresh.len())
    }

    /// Whether a row would leave at `position`.
    pub(crate) fn has_leaving(&self, position: u64) -> bool {
        self.leaving.values().any(|at| *at <= position)
    }

    /// Lets go of the closed rows that the store has, now that it is at `position`. A row that the open batch changed or
    /// brought back stays: the store does not have that.
    pub(crate) fn leave(&mut self, position: u64) {
        debug_assert!(!self.recording, "what leaves cannot be taken back");
        let mut open = self.dirty.clone();
        open.sort_unstable();
        let mut ids = Vec::new();
        self.leaving.retain(|id, at| {
            let stays = *at > position || open.binary_search(id).is_ok();
            if !stays {
                ids.push(*id);
            }
            stays
        });
        let mut last = None;
        for id in ids {
            self.set(id, None);
            let at = place(id).0;
            if last.is_some_and(|last| last != at) {
                self.give_back(last);
            }
            last = Some(at);
        }
        self.give_back(last);
    }

    /// Gives a page back if it is thin and no new row will come to it.
    fn give_back(&mut self, at: Option<usize>) {
        let newest = place(self.next).0;
        let page = at.filter(|at| *at < newest).and_then(|at| self.pages.get_mut(at));
        let Some(page) = page.filter(|page| !page.given_back && page.count <= THIN) else { return };
        let first = (at.unwrap_or_default() as u64).saturating_mul(PAGE as u64).saturating_add(1);
        let rows = core::mem::take(page).rows;
        page.given_back = true;
        self.alone.extend((first..).zip(rows).filter_map(|(id, row)| Some((id, row?))));
    }

    /// Puts a row back that left, as the store has it; one that is in memory stays as it is. Either counts as a change: what
    /// the store writes of a row again says that it was in memory then, which a start goes by.
    pub(crate) fn put_back(&mut self, id: u64, value: V) {
        self.dirty.push(id);
        if self.find(id).is_none() {
            self.put(id, value);
        }
    }

    /// Takes rows out of memory as if they had left.
    #[cfg(test)]
    pub(crate) fn set_aside(&mut self, closed: impl Fn(&V) -> bool) -> Vec<(u64, V)> {
        let ids: Vec<u64> = self.iter().filter(|(_, row)| closed(row)).map(|(id, _)| id).collect();
        ids.into_iter().filter_map(|id| Some((id, self.set(id, None)?))).collect()
    }
}

impl<V: Clone + PartialEq> Table<V> {
    /// Whether `other` has the same rows, however they lie in memory; of rows that leave it when they are `closed` some may be
    /// in one of both only.
    pub(crate) fn is_same(&self, other: &Self, closed: Option<fn(&V) -> bool>) -> bool {
        let Some(closed) = closed else { return self.iter().eq(other.iter()) };
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let fits = |row: Option<(u64, &V)>| row.is_none_or(|(_, row)| closed(row));
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (None, None) => return self.next == other.next,
                (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            let same = match order {
                Ordering::Equal => ours.next() == theirs.next(),
                Ordering::Less => fits(ours.next()),
                Ordering::Greater => fits(theirs.next()),
            };
            if !same {
                return false;
            }
        }
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

    /// Odd rows are closed.
    const CLOSED: fn(&u64) -> bool = |row| row % 2 == 1;

    /// Rows 1 to `last`, each its own id, of a batch that ended at `position`.
    fn filled(last: u64, position: u64) -> Table<u64> {
        let mut table = Table::default();
        (1..=last).for_each(|id| table.insert(id, id));
        table.note_closed(position, CLOSED);
        drop(table.take_dirty());
        table
    }

    #[test]
    fn closed_rows_leave_and_come_back() {
        let mut table = filled(5, 20);
        assert!(!table.has_leaving(19) && table.has_leaving(20));
        table.leave(19);
        assert_eq!(table.len(), 5, "the store is not there yet");
        table.leave(20);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(2, &2), (4, &4)]);
        assert_eq!((table.next_id(), table.len(), table.missed()), (6, 2, Vec::new()));
        assert_eq!((table.get(2), table.missed()), (Some(&2), Vec::new()));
        assert_eq!((table.get(6), table.missed()), (None, Vec::new()), "there was none ever");
        assert!(table.get(3).is_none() && table.get_mut(1).is_none() && table.get(3).is_none());
        assert_eq!(table.missed(), [1, 3], "whoever asked, to read it or to change it");
        assert!(table.is_away(3) && !table.is_away(2) && !table.is_away(6) && !table.is_away(0));
        table.forget_missed();
        assert!(table.missed().is_empty());
        drop(table.take_dirty());
        table.begin(true);
        table.put_back(3, 3);
        assert_eq!(table.get(3), Some(&3));
        table.rollback();
        assert!(table.is_away(3), "what a refused command brought back is away again");
        table.put_back(3, 3);
        table.note_closed(30, CLOSED);
        assert_eq!(table.take_dirty(), [(3, 3)], "the store learns that it was in memory");
        table.leave(29);
        assert_eq!(table.get(3), Some(&3), "it stays until the store is at the batch that brought it back");
        table.leave(30);
        assert!(table.is_away(3));
    }

    #[test]
    fn what_the_open_batch_changed_does_not_leave() {
        let mut table = filled(3, 20);
        *table.get_mut(1).unwrap() = 7;
        table.leave(25);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(1, &7), (2, &2)], "3 left");
        table.note_closed(30, CLOSED);
        assert_eq!(table.take_dirty(), [(1, 7)], "the change is not lost");
        table.leave(29);
        assert_eq!(table.len(), 2, "the store has an older image");
        table.leave(30);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(2, &2)]);
        // And one that is open again stays.
        table.put_back(3, 3);
        *table.get_mut(3).unwrap() = 8;
        table.note_closed(40, CLOSED);
        table.leave(40);
        assert_eq!(table.get(3), Some(&8));
    }

    #[test]
    fn pages_are_given_back_and_their_last_rows_stay_in_order() {
        let mut table: Table<u64> = Table::default();
        for id in 1..=1_000 {
            table.insert(id, if id % 100 == 0 { id } else { 1 });
        }
        table.note_closed(1, CLOSED);
        drop(table.take_dirty());
        table.leave(1);
        let held = table.pages.iter().filter(|page| !page.rows.is_empty()).count();
        assert_eq!((held, table.alone.len(), table.len()), (1, 9, 10), "only the page that new rows come to is left");
        let ids: Vec<u64> = table.iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
        table.begin(true);
        *table.get_mut(100).unwrap() = 2;
        table.put_back(1, 1);
        assert_eq!((table.get(100), table.get(1), table.len()), (Some(&2), Some(&1), 11));
        table.rollback();
        assert_eq!((table.get(100), table.get(1), table.len()), (Some(&100), None, 10));
        table.insert(1_001, 5);
        assert_eq!(table.get(1_001), Some(&5));
    }

    #[test]
    fn tables_are_the_same_but_for_closed_rows() {
        let (all, mut some) = (filled(5, 20), filled(5, 20));
        some.leave(20);
        assert!(all.is_same(&some, Some(CLOSED)) && some.is_same(&all, Some(CLOSED)));
        assert!(!all.is_same(&some, None), "in a table that none leave");
        some.set(2, None);
        assert!(!all.is_same(&some, Some(CLOSED)), "2 is open");
        assert!(!all.is_same(&filled(7, 20), Some(CLOSED)), "and the next id counts");
    }
}
