//! The durable ordered log: what it holds is what happened.
//!
//! One batch of events is one row, and the payload of a row is opaque bytes to this crate:
//!
//! ```text
//!  row  first count epoch level time  previous  hash  checksum  payload
//!   1     1     0     1     1    t₀   000…000   h₁      c₁      writer       epoch row: a leader begins
//!   2     1     3     1     1    t₁     h₁      h₂      c₂      events 1–3
//!   3     4     2     1     1    t₂     h₂      h₃      c₃      events 4–5
//!   4     6     0     2     1    t₃     h₃      h₄      c₄      writer       the next leader begins
//! ```
//!
//! Invariants:
//! - Rows are numbered from 1 without a gap; positions of events too. A row without events (a
//!   leader's first, or the one that confirms a row in doubt) takes no position.
//! - `hash = SM3(previous ‖ header ‖ SM3(payload))`; the first row's `previous` is 32 zero bytes.
//! - A row is inserted only behind the row, with the hash, that its writer saw last (the fence); so
//!   of two writers at most one goes on, and the other learns [`JournalError::Deposed`].
//! - A writer whose append failed appends nothing more: it is dropped, and the journal opened
//!   again.
//! - Whatever is read has been checked: numbers, positions, checksum and chain.
//!
//! Where to find what: [`Sqlite`] and [`Postgres`] write, [`Reader`] reads beside them and
//! verifies, [`copy`] turns rows into bytes and back, [`Lease`] decides who tries to lead, [`DirectoryLock`] keeps a data directory to one
//! process. [`chain`] and [`rows`] are what every implementation shares; they are public so that a simulated disk runs the
//! same code.
//!
//! Everything here blocks. Call it from a thread of its own, never from inside an asynchronous
//! runtime.

pub mod chain;
pub mod copy;
mod error;
mod lease;
mod lock;
mod page_cache;
mod postgres;
mod ranges;
mod reader;
mod record;
pub mod rows;
mod sealer;
mod sqlite;
mod storage;
mod verify;

pub use error::{Fault, JournalError};
pub use lease::Lease;
pub use lock::DirectoryLock;
pub use postgres::{Postgres, PostgresConfig};
pub use reader::Reader;
pub use record::{Batch, Hash, Record, Tip};
pub use sealer::{Keep, Sealing};
pub use sqlite::Sqlite;
pub use storage::{RangePlace, Storage};
pub use verify::Report;

/// The journal as its one writer sees it; a boundary to the outside with two implementations,
/// [`Sqlite`] and [`Postgres`].
pub trait Journal: Send {
    /// Where the next event goes, and what lies before it.
    fn tip(&self) -> Tip;

    /// Appends one batch and returns the new tip once the batch is durable.
    ///
    /// # Errors
    /// [`JournalError::OutOfOrder`] and [`JournalError::BadBatch`] mean that nothing was tried.
    /// After any other error the batch may or may not be in the journal: this writer then refuses
    /// every further append ([`JournalError::Stopped`]), and its owner drops its memory state,
    /// opens the journal again and recovers.
    fn append(&mut self, batch: &Batch) -> Result<Tip, JournalError>;

    /// Does what an append would have to do sooner or later, now that no batch waits.
    ///
    /// # Errors
    /// As [`Self::append`]; what was appended before is durable all the same.
    fn rest(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Does a little of moving old rows out of the way, now that no batch waits: some milliseconds.
    ///
    /// # Errors
    /// As [`Self::append`].
    fn seal(&mut self) -> Result<Sealing, JournalError> {
        Ok(Sealing::Idle)
    }

    /// The rows with events at or after position `from`, in order: at least one if there is any,
    /// and no more after their payloads have reached `max_bytes`. The first of them may begin
    /// before `from`.
    ///
    /// Rows without events are checked but not returned, so the next page begins at
    /// [`Record::next`] of the last row, and an empty page is the end.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] naming the first row that is not what was written.
    fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError>;

    /// The rows from number `from_row` on, those without events included: for copies. At least one if there is any, and no
    /// more after their payloads have reached `max_bytes`; an empty page is the end.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn rows(&mut self, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError>;
}
