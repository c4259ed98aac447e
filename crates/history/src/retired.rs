//! Files that the catalogue no longer names, and when they may go.
//!
//! ```text
//!  reading() ─ catalogue ─ files … dropped          who began before the merge was committed may hold its old rows
//!       merge committed ─ retire(old rows) ─ sweep: not yet ─ … ─ sweep: removed
//! ```
//! Whoever takes rows from the catalogue and opens their files later takes [`History::reading`] *before* the catalogue, and
//! keeps it until the last file was read. What a crash leaves behind is removed at the next start, where the catalogue names
//! a file of the same date that goes over the same positions: of one that it names no neighbour of, nothing is known, and it
//! stays.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::error::HistoryError;

/// Readers under way, and files that wait for them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Retired(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Rises with each retirement.
    turn: u64,
    /// How many readers began in which turn.
    reading: BTreeMap<u64, usize>,
    /// Files, each with the turn in which it was retired: who began later never saw its row.
    waiting: Vec<(u64, String)>,
}

impl Retired {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of the catalogue and its files: none that was committed when it began is removed before it is dropped.
#[derive(Debug)]
#[must_use = "files may be removed as soon as it is dropped"]
pub struct Reading {
    retired: Retired,
    turn: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.retired.lock();
        if let Some(readers) = state.reading.get_mut(&self.turn) {
            *readers -= 1;
            if *readers == 0 {
                state.reading.remove(&self.turn);
            }
        }
    }
}

impl History {
    /// Begins to read: take it before the rows of the catalogue, drop it after the last of their files was read.
    pub fn reading(&self) -> Reading {
        let mut state = self.retired.lock();
        let turn = state.turn;
        *state.reading.entry(turn).or_default() += 1;
        Reading { retired: self.retired.clone(), turn }
    }

    /// Says that the catalogue does not name these files any more, durably.
    pub fn retire(&self, rows: &[SegmentRow]) {
        let mut state = self.retired.lock();
        let turn = state.turn;
        state.waiting.extend(rows.iter().map(|row| (turn, row.path.clone())));
        state.turn += 1;
    }

    /// Removes the retired files that no reader can still want, and says how many.
    ///
    /// # Errors
    /// `Io`; what was not removed stays retired.
    pub fn sweep(&self) -> Result<usize, HistoryError> {
        let due = {
            let mut state = self.retired.lock();
            let oldest = state.reading.keys().next().copied().unwrap_or(u64::MAX);
            let (due, waiting) = std::mem::take(&mut state.waiting).into_iter().partition(|(turn, _)| *turn < oldest);
            state.waiting = waiting;
            due
        };
        self.remove_all(due)
    }

    fn remove_all(&self, mut due: Vec<(u64, String)>) -> Result<usize, HistoryError> {
        let mut removed = 0;
        while let Some((turn, path)) = due.pop() {
            if let Err(error) = self.remove(&path) {
                due.push((turn, path));
                self.retired.lock().waiting.extend(due);
                return Err(error);
            }
            removed += 1;
        }
        Ok(removed)
    }

    fn remove(&self, path: &str) -> Result<(), HistoryError> {
        self.footers.gone(path);
        match fs::remove_file(self.directory.join(path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(HistoryError::io(format!("removing {path}, which was merged"), error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what a crash left of merges: files of entries that the catalogue does not name, of a date of which it names
    /// one that goes over the same positions, and files that were never finished. Says how many. Only for a start, before
    /// anyone writes.
    ///
    /// # Errors
    /// `Io`.
    pub fn remove_orphans(&self, committed: &[SegmentRow]) -> Result<usize, HistoryError> {
        let mut removed = 0;
        let mut by_date: BTreeMap<String, Vec<&SegmentRow>> = BTreeMap::new();
        for row in committed.iter().filter(|row| row.kind == SegmentKind::Entries) {
            by_date.entry(format!("lake/entries/dt={}", row.date)).or_default().push(row);
        }
        for (folder, rows) in by_date {
            for name in self.names(&folder)? {
                let path = format!("{folder}/{name}");
                if !rows.iter().any(|row| row.path == path) && is_superfluous(&name, &rows) {
                    self.remove(&path)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// The names in a folder; none if it is not there.
    fn names(&self, folder: &str) -> Result<Vec<String>, HistoryError> {
        let failed = |error| HistoryError::io(format!("reading the folder {folder}"), error);
        let entries = match fs::read_dir(self.directory.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}

/// Whether a file that the catalogue does not name is none of its future: unfinished, or of positions that it has.
fn is_superfluous(name: &str, rows: &[&SegmentRow]) -> bool {
    let Some(name) = name.strip_prefix("seg-") else { return false };
    if name.ends_with(".part") {
        return true;
    }
    let mut numbers = name.strip_suffix(".parquet").unwrap_or_default().splitn(3, '-').map(str::parse::<u64>);
    let (Some(Ok(first)), Some(Ok(last))) = (numbers.next(), numbers.next()) else { return false };
    rows.iter().any(|row| row.first_position <= last && first <= row.last_position)
}
