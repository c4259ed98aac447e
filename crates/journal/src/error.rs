//! What can go wrong with a journal, by what its owner does next.

use std::path::PathBuf;

/// A failed operation on the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another writer has taken over. Nothing more may be answered; only recovery leads back.
    #[error(
        "deposed at row {row}: the writer of epoch {epoch} found the row taken or the row before it changed; \
         open the journal again before leading"
    )]
    Deposed {
        /// The row that this writer wanted to append.
        row: u64,
        /// The epoch of this writer.
        epoch: u64,
    },
    /// A row is not what was written. Start-up stops here; a person decides.
    #[error("corrupt journal: {0}")]
    Corrupt(Fault),
    /// A file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused or could not be reached.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done, to what.
        doing: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No space is left; the journal is whole and can be opened again once there is.
    #[error("{doing}: no space left on the journal's disk; free some, then recover")]
    Full {
        /// What was being done, to what.
        doing: String,
    },
    /// Another process holds the data directory.
    #[error("{} is in use by {holder}: only one process may hold a data directory; stop that one first", directory.display())]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// Who holds it, as far as it said so.
        holder: String,
    },
    /// The batch does not begin where the journal ends: its writer's memory is wrong.
    #[error("a batch that begins at position {first} was offered; the journal goes on at {next}")]
    OutOfOrder {
        /// Position of the batch's first event.
        first: u64,
        /// The position that comes next.
        next: u64,
    },
    /// A batch that no row can hold.
    #[error("a batch that cannot be a row: {what}")]
    BadBatch {
        /// What is wrong and what would be right.
        what: String,
    },
    /// A setting that cannot be used.
    #[error("journal setting {name} is {value:?}: expected {expected}")]
    BadSetting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// An earlier append of this writer failed.
    #[error("this writer stopped when an append failed; open the journal again and recover")]
    Stopped,
    /// It could not be found out in time whether a row is durable.
    #[error(
        "row {row} is in doubt: no clean answer within {patience_ms} ms; open the journal again, recovery decides ({last})"
    )]
    InDoubt {
        /// The row.
        row: u64,
        /// How long was tried.
        patience_ms: u128,
        /// The last thing that went wrong.
        last: String,
    },
}

/// A row that is not what was written, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row}{}: {what}", at(*position))]
pub struct Fault {
    /// The row's number, from 1.
    pub row: u64,
    /// The position at which its first event was expected, where the rows before it were read too.
    pub position: Option<u64>,
    /// What was found and what was expected.
    pub what: String,
}

fn at(position: Option<u64>) -> String {
    position.map_or_else(String::new, |position| format!(" (expected at position {position})"))
}

impl From<Fault> for JournalError {
    fn from(fault: Fault) -> Self {
        Self::Corrupt(fault)
    }
}

impl JournalError {
    /// Whether the journal's place may come back by itself, so that its owner, its memory state dropped, may open it again
    /// later. Where not, another leader has taken over or a person is needed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Database { .. } | Self::Full { .. } | Self::Stopped | Self::InDoubt { .. } => true,
            Self::Deposed { .. }
            | Self::Corrupt(_)
            | Self::Locked { .. }
            | Self::OutOfOrder { .. }
            | Self::BadBatch { .. }
            | Self::BadSetting { .. } => false,
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    pub(crate) fn database(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Database { doing: doing.into(), source: source.into() }
    }
}
