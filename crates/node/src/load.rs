//! Loading: the journal from its first row to its tip gives the state, and what follows the journal is brought up to it.

use domain::State;
use engine::{Engine, EngineError, Keys};
use journal::{Journal, JournalError};

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
}

/// Replays a journal that this node leads. `project` gets what each row brought about, in order.
///
/// # Errors
/// A journal that does not read, or a row that this version cannot fold in.
pub fn load(journal: &mut dyn Journal, mut project: impl FnMut(Projected)) -> Result<Engine, LoadError> {
    let tip = journal.tip();
    let mut engine = Engine::new(State::default(), Keys::default(), tip.epoch);
    let mut next = 1;
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
