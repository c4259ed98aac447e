//! The journal in PostgreSQL 15 or later: one table in a schema of its own, written by one leader
//! at a time.
//!
//! What an append can meet:
//!
//! ```text
//!            insert
//!  at rest ─────────► sent ──clean success──► at rest
//!                      │ ├──row before changed, or number taken──► Deposed
//!                      │ └──anything else: connection lost, a notice, no answer in time
//!                      ▼
//!                   in doubt ◄──────────── anything unclear, until patience ends ──► InDoubt
//!                      │ new connection; end the backends of own and older epochs;        ▲
//!                      │ send the byte-identical row again                                │
//!                      ├──number taken by another row──► Deposed                          │
//!                      ▼                                                                  │
//!                   in place (inserted now, or found: same epoch, same hash) ─────────────┘
//!                      │ append one more row, without events
//!                      └──clean success of that later row──► at rest
//! ```
//!
//! Invariants:
//! - A row that was in doubt counts as durable only once a *later* row was cleanly acknowledged: a
//!   row that can be seen may still be waiting for its standby.
//! - Opening treats the tail it reads in the same way: what an earlier writer left is durable by
//!   the clean success of the new leader's first row, before which nothing is returned.
//! - Every first row carries a mark of its writer, so that no two writers ever send the same bytes.
//! - No connection ever sends a cancel request; an unclear connection is closed and its backend
//!   ended.

mod connection;
mod fill;
mod rows;
mod table;

use std::fmt;
use std::time::{Duration, Instant};

pub use connection::PostgresConfig;
pub(crate) use connection::{Connection, Role};
pub(crate) use fill::Filling;
use rows::PostgresRows;
use table::{Inserted, Table};

use crate::Journal;
use crate::chain::{Chain, NewRow};
use crate::error::JournalError;
use crate::record::{Batch, Record, Tip};
use crate::rows::{self as reading, Rows};
use crate::sealer::{Keep, Sealer, Sealing};

/// How often an opening starts over because others were writing at the same time.
const OPEN_ROUNDS: u32 = 5;

/// The pause before each further try to settle a row in doubt.
const PAUSE: Duration = Duration::from_millis(100);

/// The journal of several machines.
pub struct Postgres {
    config: PostgresConfig,
    rows: PostgresRows,
    chain: Chain,
    stopped: bool,
    sealer: Option<Sealer>,
    /// Bytes appended since it was last found that nothing is to be sealed; none while something is.
    unsealed: Option<usize>,
}

/// What one try to settle rows in doubt came to.
enum Settled {
    Durable,
    Deposed,
    Unclear(String),
}

impl Postgres {
    /// Opens the journal, creating schema and table where they are missing; ends the backends of
    /// earlier writers, checks the last row, and appends the row that begins the next epoch,
    /// stamped `now_ms` or the last row's time, whichever is later.
    ///
    /// Whoever wrote before is deposed by this: call it only while holding the lease.
    ///
    /// # Errors
    /// [`JournalError::BadSetting`]; [`JournalError::Corrupt`] naming the last row if it is not
    /// what was written; [`JournalError::Deposed`] if others kept taking the journal meanwhile;
    /// [`JournalError::Database`], [`JournalError::InDoubt`].
    ///
    /// # Panics
    /// As everything here, if called from inside an asynchronous runtime.
    pub fn open(config: &PostgresConfig, now_ms: i64) -> Result<Self, JournalError> {
        let mut rows = PostgresRows::create(config)?;
        let mark = rows.table.writer_mark()?;
        let mut lost = JournalError::Stopped;
        for _ in 0..OPEN_ROUNDS {
            let epoch = reading::tail(&mut rows)?.tip.epoch + 1;
            // First the name, so that whoever opens later ends this backend; then no earlier
            // writer; then the tail.
            rows.table.rename(Role::Writer(epoch))?;
            rows.table.end_writers(epoch - 1)?;
            let chain = reading::tail(&mut rows)?;
            let row = chain.seal_empty(epoch, now_ms, &mark);
            lost = JournalError::Deposed { row: row.header.row, epoch };
            if chain.tip.epoch + 1 != epoch {
                continue;
            }
            rows.write_in(epoch);
            let config = config.clone();
            let mut journal = Self { config, rows, chain, stopped: false, sealer: None, unsealed: None };
            match journal.rows.table.insert(&row) {
                Inserted::Clean => {
                    journal.chain.advance(&row);
                    return Ok(journal);
                }
                Inserted::Taken => rows = journal.rows,
                Inserted::Unclear(why) => {
                    journal.settle(row, why)?;
                    return Ok(journal);
                }
            }
        }
        Err(lost)
    }

    /// Has old rows move to the ranges of its settings while no batch waits, once the table holds more than it is to keep. Without
    /// a place for ranges nothing moves.
    #[must_use]
    pub fn keeping(mut self, keep: Keep) -> Self {
        self.sealer = self.config.ranges.is_some().then(|| Sealer::new(keep));
        self
    }

    /// Finds out what became of `row`, and returns once it is durable.
    fn settle(&mut self, row: NewRow<'_>, why: String) -> Result<(), JournalError> {
        let (number, epoch) = (row.header.row, row.header.epoch);
        let began = Instant::now();
        let mut last = why;
        let mut chain = self.chain;
        chain.advance(&row);
        let mut pending = vec![row];
        while began.elapsed() < self.config.patience {
            match self.try_to_settle(&mut pending, &mut chain) {
                Ok(Settled::Durable) => {
                    self.chain = chain;
                    return Ok(());
                }
                Ok(Settled::Deposed) => {
                    return Err(JournalError::Deposed { row: number, epoch });
                }
                Ok(Settled::Unclear(why)) => last = why,
                Err(error @ JournalError::Corrupt(_)) => return Err(error),
                Err(error) => last = error.to_string(),
            }
            std::thread::sleep(PAUSE);
        }
        let patience_ms = self.config.patience.as_millis();
        Err(JournalError::InDoubt { row: number, patience_ms, last })
    }

    /// One try, over a new connection. `pending` are the rows sent so far and not known to be
    /// durable, oldest first; `chain` is the journal's end behind them.
    fn try_to_settle(&mut self, pending: &mut Vec<NewRow<'_>>, chain: &mut Chain) -> Result<Settled, JournalError> {
        let epoch = chain.tip.epoch;
        self.rows.table = Table::open(&self.config, Role::Writer(epoch))?;
        self.rows.table.end_writers(epoch)?;
        let mut last_was_clean = false;
        for row in pending.iter() {
            last_was_clean = match self.rows.table.insert(row) {
                Inserted::Clean => true,
                Inserted::Taken if self.rows.table.holds(row)? => false,
                Inserted::Taken => return Ok(Settled::Deposed),
                Inserted::Unclear(why) => return Ok(Settled::Unclear(why)),
            };
        }
        // Later than the row in doubt, which is the first, and cleanly acknowledged.
        if last_was_clean && pending.len() > 1 {
            return Ok(Settled::Durable);
        }
        let later = chain.seal_empty(epoch, i64::MIN, &[]);
        chain.advance(&later);
        let answer = self.rows.table.insert(&later);
        pending.push(later);
        Ok(match answer {
            Inserted::Clean => Settled::Durable,
            Inserted::Taken => Settled::Deposed,
            Inserted::Unclear(why) => Settled::Unclear(why),
        })
    }
}

impl Postgres {
    /// Reads need a connection; the last one may have broken since.
    fn open_table(&mut self) -> Result<(), JournalError> {
        if self.rows.table.is_closed() {
            self.rows.table = Table::open(&self.config, Role::Writer(self.chain.tip.epoch))?;
        }
        Ok(())
    }
}

impl Journal for Postgres {
    fn tip(&self) -> Tip {
        self.chain.tip
    }

    fn append(&mut self, batch: &Batch) -> Result<Tip, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        let row = self.chain.seal(batch)?;
        self.stopped = true;
        match self.rows.table.insert(&row) {
            Inserted::Clean => self.chain.advance(&row),
            Inserted::Taken => {
                let (row, epoch) = (row.header.row, row.header.epoch);
                return Err(JournalError::Deposed { row, epoch });
            }
            Inserted::Unclear(why) => self.settle(row, why)?,
        }
        self.stopped = false;
        self.unsealed = self.unsealed.map(|bytes| bytes + batch.payload.len());
        Ok(self.chain.tip)
    }

    /// What fails here is tried again later, but for a row that is not what was written: no append hangs on it.
    fn seal(&mut self) -> Result<Sealing, JournalError> {
        let waits = |sealer: &Sealer| self.unsealed.is_some_and(|bytes| bytes < sealer.step_bytes());
        if self.stopped || self.sealer.as_ref().is_none_or(waits) {
            return Ok(Sealing::Idle);
        }
        let opened = self.open_table();
        let Some(sealer) = &mut self.sealer else { return Ok(Sealing::Idle) };
        let sealing = match opened.and_then(|()| sealer.step(&mut self.rows)) {
            Ok(sealing) => sealing,
            Err(error @ JournalError::Corrupt(_)) => return Err(error),
            Err(error) => Sealing::Failed(error),
        };
        self.unsealed = match sealing {
            Sealing::Idle | Sealing::Failed(_) => Some(0),
            Sealing::More | Sealing::Sealed | Sealing::Waiting => None,
        };
        Ok(sealing)
    }

    fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        self.open_table()?;
        reading::read(&mut self.rows, from, max_bytes)
    }

    fn rows(&mut self, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        self.open_table()?;
        reading::all(&mut self.rows, from_row, max_bytes)
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Postgres")
            .field("config", &self.config)
            .field("chain", &self.chain)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

/// The rows for a reader, who may read beside a running writer.
pub(crate) fn open_rows(config: &PostgresConfig) -> Result<Box<dyn Rows>, JournalError> {
    Ok(Box::new(PostgresRows::open(config, Role::Reader)?))
}
