//! What happened, line by line, for a person to read; and how much of it.

use std::fmt::{self, Write as _};

use crate::rare::Rare;

/// The lines of one run; nothing is kept unless asked for.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Option<String>,
    start_ms: i64,
}

impl Trace {
    /// A trace that keeps its lines or not; times are told from `start_ms` on.
    pub(crate) fn new(keeps: bool, start_ms: i64) -> Self {
        Self { lines: keeps.then(String::new), start_ms }
    }

    /// Writes one line: when it was, who it is about, what happened.
    pub(crate) fn say(&mut self, now_ms: i64, who: &str, what: fmt::Arguments<'_>) {
        let Some(lines) = &mut self.lines else { return };
        let since = now_ms - self.start_ms;
        let (seconds, ms) = (since / 1_000, since % 1_000);
        writeln!(lines, "{seconds:>7}.{ms:03}  {who:<9} {what}").expect("a String takes every text");
    }

    /// The lines.
    pub(crate) fn into_text(self) -> String {
        self.lines.unwrap_or_default()
    }
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Things that the scheduler let happen.
    pub steps: u64,
    /// Requests of clients and operators that were answered.
    pub answered: u64,
    /// Of them refused.
    pub refused: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Events in the journal at the end.
    pub events: u64,
    /// Rows in the journal at the end.
    pub rows: u64,
    /// Starts that succeeded.
    pub starts: u64,
    /// Crashes and failed appends that ended a life, and starts that failed.
    pub crashes: u64,
    /// Rows that were durable without an acknowledgement.
    pub kept: u64,
    /// Calls to banks.
    pub calls: u64,
    /// Attempts that were unknown at some time.
    pub unknown: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Merges of files.
    pub merges: u64,
    /// Rows that came back to memory.
    pub recalled: u64,
    /// Look-ups that had to wait for the store to catch up.
    pub behind: u64,
    /// Attempts that ended.
    pub settled: u64,
    /// Debits and refunds that were found to be done after the bank had declined them.
    pub lies: u64,
    /// Sites that were drained.
    pub drained: u64,
    /// Times that the node's state was compared with the disk's.
    pub compared: u64,
    /// What seldom happens, of runs that came to their end.
    pub rare: Rare,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        let Self { steps, answered, refused, reads, events, rows, starts, crashes, kept, calls, unknown, .. } = other;
        self.steps += steps;
        self.answered += answered;
        self.refused += refused;
        self.reads += reads;
        self.events += events;
        self.rows += rows;
        self.starts += starts;
        self.crashes += crashes;
        self.kept += kept;
        self.calls += calls;
        self.unknown += unknown;
        self.checkpoints += other.checkpoints;
        self.merges += other.merges;
        self.recalled += other.recalled;
        self.behind += other.behind;
        self.settled += other.settled;
        self.lies += other.lies;
        self.drained += other.drained;
        self.compared += other.compared;
        self.rare.add(&other.rare);
    }
}
