//! What can go wrong between the platform and its SQL tables.

use std::fmt::Display;

use crate::checkpoint::Checkpoint;

/// A failure of the store. Nothing of it names personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database did not do what it was asked; trying again later may help.
    #[error("{doing}: {reason}")]
    Database {
        /// What was being done, to what.
        doing: String,
        /// The database's own words.
        reason: String,
    },
    /// A setting that cannot work.
    #[error("the setting '{name}' is '{value}'; use {expected}")]
    BadSetting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A text that is no cursor of ours.
    #[error("'{0}' is not a cursor; send back the 'next_cursor' of the page before")]
    BadCursor(String),
    /// The tables are not those of this program.
    #[error("schema file {file}: {reason}")]
    Schema {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another writer committed meanwhile, or the caller missed a commit of its own.
    #[error(
        "the store's checkpoint is {}, not {} as its writer expected; load the store again",
        shown(.found), shown(.expected)
    )]
    Conflict {
        /// The checkpoint the writer went on from.
        expected: Option<Checkpoint>,
        /// The checkpoint in the store.
        found: Option<Checkpoint>,
    },
    /// A commit that would go back.
    #[error("the next checkpoint {next} lies behind the previous one {previous}; a checkpoint only goes forward")]
    Backward {
        /// The one in the store.
        previous: Checkpoint,
        /// The one that was to replace it.
        next: Checkpoint,
    },
    /// The store holds what the journal does not.
    #[error(
        "the store stands at position {store} and the journal ends at {journal}: the journal has lost its tail or is \
         not this store's; restore the journal, or rebuild the store from an empty one"
    )]
    Ahead {
        /// The store's position.
        store: u64,
        /// The journal's last position.
        journal: u64,
    },
    /// The store was built from another journal.
    #[error(
        "the store's hash at position {position} is {store} and the journal's {journal}: the store is of another \
         journal; name the right one, or rebuild the store from an empty one"
    )]
    OtherJournal {
        /// The store's position.
        position: u64,
        /// The hash in the store.
        store: String,
        /// The hash in the journal, or that no row ends there.
        journal: String,
    },
    /// A state that is not the one to compare with.
    #[error("the store stands at position {store} and the state at {state}; replay the journal to {store} first")]
    WrongPosition {
        /// The store's position.
        store: u64,
        /// The state's.
        state: u64,
    },
    /// Files were merged that the catalogue does not name, or not as they were merged.
    #[error("the catalogue does not name {path} as it was merged; nothing was put in its place")]
    FilesChanged {
        /// The first such file.
        path: String,
    },
    /// A row that is not what was written.
    #[error("table {table}, row {id}: {reason}; rebuild the store from the journal")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same may succeed later, with nobody mending anything: the database's disk or the way to it failed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database { .. } => true,
            Self::BadSetting { .. }
            | Self::BadCursor(_)
            | Self::Schema { .. }
            | Self::Conflict { .. }
            | Self::Backward { .. }
            | Self::Ahead { .. }
            | Self::OtherJournal { .. }
            | Self::WrongPosition { .. }
            | Self::FilesChanged { .. }
            | Self::Corrupt { .. } => false,
        }
    }

    pub(crate) fn database(doing: impl Into<String>, reason: impl Display) -> Self {
        Self::Database { doing: doing.into(), reason: reason.to_string() }
    }

    pub(crate) fn corrupt(table: &'static str, id: impl Display, reason: impl Display) -> Self {
        Self::Corrupt { table, id: id.to_string(), reason: reason.to_string() }
    }
}

fn shown(checkpoint: &Option<Checkpoint>) -> String {
    checkpoint.as_ref().map_or_else(|| "none yet".to_owned(), ToString::to_string)
}
