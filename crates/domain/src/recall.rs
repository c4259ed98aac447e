//! Leaving memory: what is closed leaves, and comes back when a command needs it. Memory grows with what is open.
//!
//! ```text
//!  open row ─ closed ─► in memory ─ Checkpointed at or behind its batch ─► away: the store has it
//!                           ▲                                               │ a command asks for it
//!                           └────────── Recalled, with what the store has ◄─┘ and waits
//! ```
//! - A row leaves when the store has its last change for certain, by an event: a replay lets go of the same rows.
//! - `decide` never loads. A table notes that a row was asked for which is away; whoever runs the command takes it back, has
//!   the store asked, lets `Recalled` happen and runs it again. So what a command comes to never hangs on what is in memory.
//! - A kind may leave only if no event changes a closed row, and only rows that are open stand in an index or are walked.
//! - A state that is told to keep what is closed lets nothing go: by it a replay checks each `Recalled`.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::bulk;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::event::Event;
use crate::hold::Hold;
use crate::ids::HoldId;
use crate::refusal::Refusal;
use crate::state::State;

#[cfg(test)]
mod tests;

/// Which row of a kind that leaves memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    /// A hold.
    Hold(HoldId),
}

/// A row of a kind that leaves memory.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Row {
    /// A hold.
    #[n(0)]
    Hold(#[n(0)] Hold),
}

impl Row {
    /// Which one it is.
    #[must_use]
    pub const fn id(&self) -> RowId {
        match self {
            Self::Hold(hold) => RowId::Hold(hold.id),
        }
    }
}

/// A row that came back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Recalled {
    /// The position of the store that had it so; the row left before it.
    #[n(0)]
    pub as_of: u64,
    /// What it holds.
    #[n(1)]
    pub row: Row,
}

/// The highest ids there ever were, of the kinds whose rows leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct LastIds {
    /// Of holds.
    #[n(0)]
    pub holds: u64,
}

/// How many rows are open, of the kinds whose closed rows leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct OpenRows {
    /// Holds.
    #[n(0)]
    pub holds: u64,
}

/// Lets go of what is closed, now that the store is at `position`. Nothing happens if nothing would leave.
///
/// # Errors
/// None yet.
pub fn decide(draft: &mut Draft<'_>, position: u64) -> Result<Reply, Refusal> {
    if draft.state.would_leave(position) {
        draft.emit(Event::Checkpointed { position });
    }
    Ok(Reply::Done)
}

/// The rows that a bulk posting will ask for and that are away, all at once: it may not be to be taken back, and else would come
/// again for each. Any other command is run, and taken back where it asks for one.
#[must_use]
pub fn wanted(state: &State, command: &Command) -> Vec<RowId> {
    let Command::PostBulk(posting) = command else { return Vec::new() };
    let mut rows: Vec<RowId> = bulk::holds_named(state, posting).map(RowId::Hold).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.retain(|row| state.is_away(*row));
    rows
}

impl State {
    /// Whether a checkpoint at `position` lets something go.
    #[must_use]
    pub fn would_leave(&self, position: u64) -> bool {
        let is_behind = position >= self.checkpointed && position <= self.position;
        is_behind && !self.keep_closed && self.holds.has_leaving(position)
    }

    /// From now on nothing was asked for that is away.
    pub(crate) fn forget_missed(&self) {
        self.holds.forget_missed();
    }

    /// The last row that was asked for since the draft began, and is away.
    #[must_use]
    pub fn missed(&self) -> Option<RowId> {
        self.holds.missed().map(|id| RowId::Hold(HoldId(id)))
    }

    /// Whether rows are away.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.last_ids().holds > self.holds.len() as u64
    }

    /// Whether a row was there and is not in memory: the store has it, once it is at [`State::checkpointed`].
    #[must_use]
    pub fn is_away(&self, row: RowId) -> bool {
        match row {
            RowId::Hold(id) => self.holds.is_away(id.0),
        }
    }

    /// Whether a row that comes back is not otherwise than the one in memory, if there is one: a replay that keeps what is
    /// closed has each.
    #[must_use]
    pub fn agrees_with(&self, recalled: &Recalled) -> bool {
        match &recalled.row {
            Row::Hold(hold) => {
                let is_there = self.holds.next_id() > hold.id.0;
                is_there && (self.holds.is_away(hold.id.0) || self.holds.get(hold.id.0) == Some(hold))
            }
        }
    }

    /// How many rows are open: as many as a start must find.
    #[must_use]
    pub fn open_rows(&self) -> OpenRows {
        OpenRows { holds: self.holds.open_count(Hold::is_closed) as u64 }
    }

    /// The highest ids there ever were.
    #[must_use]
    pub fn last_ids(&self) -> LastIds {
        LastIds { holds: self.holds.next_id().saturating_sub(1) }
    }
}

/// The store is at a position.
pub(crate) fn apply_checkpointed(state: &mut State, position: u64) {
    state.checkpointed = state.checkpointed.max(position);
    if !state.keep_closed {
        state.leave(position);
    }
}

/// A row came back.
pub(crate) fn apply_recalled(state: &mut State, Recalled { as_of: _, row }: &Recalled) {
    match row {
        Row::Hold(hold) => state.holds.put_back(hold.id.0, hold.clone()),
    }
}
