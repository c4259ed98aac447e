//! The merger: ten neighbouring segments of one accounting date and level become one of the next level.
//!
//! ```text
//!  catalogue ─ a date with ten neighbours of a level ─► merge ─► one row in the place of ten, durable ─► retire ─► sweep
//!                        a stop at any arrow: the catalogue names either the ten or the one, and those files are there
//! ```
//! A step reads the catalogue anew, so nothing is remembered that a crash could lose. Closing, statements and exports read
//! meanwhile: they hold [`History::reading`], and what was merged goes away after them.

use std::sync::Arc;

use history::{History, merge};
use store::{Database, SegmentRow};

use crate::projector::ProjectorError;

/// Entries of a merged segment at most. It bounds how long a merge takes, and what one page of a day's vouchers reads.
const MOST_ENTRIES: u64 = 16_000_000;

/// Merges segments.
#[derive(Debug)]
pub struct Merger {
    store: Arc<Database>,
    history: Arc<History>,
    /// How many segments become one.
    files: usize,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// How many segments became one.
    pub files: usize,
    /// How many entries are in it.
    pub entries: u64,
}

/// What a step found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Files that the catalogue named at its beginning.
    pub committed: u64,
    /// `None` if nothing was to be merged, or it was told to stop.
    pub merged: Option<Merged>,
}

impl Merger {
    /// A merger of so many segments at a time, two at least.
    #[must_use]
    pub fn new(store: Arc<Database>, history: Arc<History>, files: usize) -> Self {
        Self { store, history, files: files.max(2) }
    }

    /// Merges once, if something is to be merged, and removes what nobody reads any more. `go_on` is asked now and then and may
    /// wait; if it says no, nothing was done.
    ///
    /// # Errors
    /// The store's or the files'. The catalogue names the old segments or the new one; the next step finds out which.
    pub fn step(&self, mut go_on: impl FnMut() -> bool) -> Result<Step, ProjectorError> {
        self.history.sweep()?;
        let (committed, dates) = store::run::crowded(&self.store, self.files as u64)?;
        for date in dates {
            let rows = store::run::at_checkpoint(&self.store, date)?.1;
            let Some(due) = due(&rows, self.files) else { continue };
            let Some(merged) = self.history.merge(due, &mut go_on)? else { break };
            store::run::replace(&self.store, due, &merged)?;
            self.history.retire(due);
            self.history.sweep()?;
            return Ok(Step { committed, merged: Some(Merged { files: due.len(), entries: merged.rows }) });
        }
        Ok(Step { committed, merged: None })
    }
}

/// The first `files` neighbours of one level among the segments of a date, in the order of their positions, that may become one.
fn due(rows: &[SegmentRow], files: usize) -> Option<&[SegmentRow]> {
    let fits = |rows: &&[SegmentRow]| {
        let level = rows.first().map(merge::level);
        let entries = rows.iter().map(|row| row.rows).fold(0, u64::saturating_add);
        rows.iter().all(|row| Some(merge::level(row)) == level) && entries <= MOST_ENTRIES
    };
    rows.windows(files).find(fits)
}
