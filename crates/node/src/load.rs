//! Loading: the store's checkpoint and the journal's rows after it give the state at the tip.
//!
//! ```text
//!  no checkpoint ──────────────────────────────────► replay from the first row
//!  checkpoint at n ─ the journal's row that ends at n has its hash ─► restore at n ─► check rows to n ─► replay from n + 1
//!                  ├ it has another one, or none ends there ─► refused: the store is of another journal
//!                  └ the journal ends before n ─► refused: the store is ahead
//! ```
//! [`replay`] gives the same state from the journal alone; it is what the tests compare with.

use std::time::{Duration, Instant};

use domain::State;
use domain::restore::RestoreError;
use engine::keys::RUN_KEYS;
use engine::{Engine, EngineError, Keys};
use history::{History, HistoryError};
use journal::{Journal, JournalError};
use store::{Checkpoint, Database, StoreError};

use crate::balances::Sums;
use crate::keys::{self, KeysError};
use crate::projector::Projected;

/// How much of the journal is read at once.
const PAGE_BYTES: usize = 8 << 20;

/// Why the node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A row that the engine cannot fold in.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The tables, or that they do not belong to the journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys of requests, or their filters.
    #[error(transparent)]
    Keys(Box<KeysError>),
    /// The files of history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Tables and files that do not fit together.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The amounts of an account that no balance can hold.
    #[error("the entries of {0} add up to more than a balance holds; rebuild the store from the journal")]
    Amount(domain::ids::AccountId),
}

impl From<KeysError> for LoadError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => Self::Store(error),
            KeysError::Filter(_) | KeysError::Stopped => Self::Keys(Box::new(error)),
        }
    }
}

impl LoadError {
    /// Whether loading again later may succeed, with nobody mending anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Journal(error) => error.may_pass(),
            Self::Store(error) => error.may_pass(),
            Self::History(error) => error.may_pass(),
            Self::Engine(_) | Self::Restore(_) | Self::Amount(_) | Self::Keys(_) => false,
        }
    }
}

/// A loaded engine, and how it was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The engine at the journal's tip.
    pub engine: Engine,
    /// The position of the checkpoint that the state was restored at; 0 if the whole journal was replayed.
    pub restored: u64,
    /// How long the restore took.
    pub restoring: Duration,
    /// The end of the span of a filter of keys that was damaged, if there was one; it was built again.
    pub refused_filter: Option<u64>,
}

/// Loads the state that a journal and the store behind it give. `project` gets what each replayed row brought about, in
/// order.
///
/// # Errors
/// A journal, a table or a file that does not read; [`StoreError::Ahead`] and [`StoreError::OtherJournal`].
pub fn load(
    journal: &mut dyn Journal,
    store: &Database,
    history: &History,
    project: impl FnMut(Projected),
) -> Result<Loaded, LoadError> {
    let began = Instant::now();
    let (mut engine, mut refused_filter) = (empty(journal), None);
    if let Some(checkpoint) = store::checkpoint::latest(store)? {
        check(journal, &checkpoint)?;
        if let Some(restored) = restore(store, history, journal.tip().epoch)? {
            read_through(journal, checkpoint.position)?;
            (engine, refused_filter) = restored;
        }
    }
    let (restored, restoring) = (engine.state().position, began.elapsed());
    let engine = go_on(engine, journal, project)?;
    Ok(Loaded { engine, restored, restoring, refused_filter })
}

/// Replays a whole journal, without the store. It keeps what is closed in memory, so it checks each row that came back
/// against the events before, and has everything that the store must have.
///
/// # Errors
/// A journal that does not read, or a row that this version cannot fold in.
pub fn replay(journal: &mut dyn Journal, project: impl FnMut(Projected)) -> Result<Engine, LoadError> {
    let state = State { keep_closed: true, ..State::default() };
    go_on(Engine::new(state, Keys::default(), journal.tip().epoch), journal, project)
}

fn empty(journal: &dyn Journal) -> Engine {
    Engine::new(State::default(), Keys::default(), journal.tip().epoch)
}

/// Reads the rows up to `position`, which checks each: a start stops at a damaged row though the checkpoint holds what it
/// said.
fn read_through(journal: &mut dyn Journal, position: u64) -> Result<(), LoadError> {
    let mut next = 1;
    while next <= position {
        match journal.read(next, PAGE_BYTES)?.last() {
            Some(last) => next = last.next(),
            None => break,
        }
    }
    Ok(())
}

/// Refuses a store that is ahead of the journal or follows another one.
fn check(journal: &mut dyn Journal, checkpoint: &Checkpoint) -> Result<(), LoadError> {
    let last = journal.tip().next.saturating_sub(1);
    let rows = if checkpoint.position <= last { journal.read(checkpoint.position, 1)? } else { Vec::new() };
    let ends_there = rows.first().filter(|row| row.next().checked_sub(1) == Some(checkpoint.position));
    Ok(checkpoint.check_against(last, ends_there.map(|row| row.hash.0))?)
}

/// The engine at the store's checkpoint; `None` if an older program wrote that, without the core.
fn restore(store: &Database, history: &History, epoch: u64) -> Result<Option<(Engine, Option<u64>)>, LoadError> {
    // Before the catalogue: a node that goes on in the same process may be merging.
    let _reading = history.reading();
    let store::Loaded { checkpoint, core, rows, written, segments } = store::recovery::load_all(store)?;
    let (Some(core), Some(checkpoint)) = (core, checkpoint) else { return Ok(None) };
    let sums = Sums::read(history, &segments, &rows.days)?;
    let balances = sums.balances(&rows.accounts)?;
    let state = State::restore(core, rows, &written, balances.into_iter(), sums.turnovers())?;
    let (keys, refused_filter) = keys::load(store, checkpoint.position, RUN_KEYS)?;
    Ok(Some((Engine::new(state, keys, epoch), refused_filter)))
}

/// Replays what comes after the engine's position.
fn go_on(
    mut engine: Engine,
    journal: &mut dyn Journal,
    mut project: impl FnMut(Projected),
) -> Result<Engine, LoadError> {
    let tip = journal.tip();
    let mut next = engine.state().position + 1;
    while next < tip.next {
        let rows = journal.read(next, PAGE_BYTES)?;
        let Some(last) = rows.last() else { break };
        next = last.next();
        for row in &rows {
            project(Projected { projection: engine.replay(row)?, hash: row.hash });
        }
    }
    Ok(engine)
}
