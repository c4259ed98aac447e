//! What can go wrong with files of entries: the system's word, or a file that is not what was written.

use domain::ids::AccountId;
use parquet::errors::ParquetError;

/// A failed operation on the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The Parquet library could not write or read a file.
    #[error("{doing}: {source}")]
    Parquet {
        /// What was being done, to what.
        doing: String,
        /// What the library said.
        source: ParquetError,
    },
    /// A file is not what its row in the catalogue says. A person decides; statements over it stop.
    #[error("{0}")]
    Broken(#[from] Break),
    /// End-of-day balances were not given in the order of their accounts.
    #[error("end-of-day balances come by account, each once: {next} was given after {before}")]
    Unsorted {
        /// The account before.
        before: AccountId,
        /// The account that may not follow it.
        next: AccountId,
    },
    /// The entries of an account add up to more than 64-bit minor units hold: some of them are not its own.
    #[error("the entries of {account} add up to {sum}, beyond 64-bit minor units")]
    Overflow {
        /// The account.
        account: AccountId,
        /// The sum.
        sum: i128,
    },
}

/// Where a committed file is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}: {what}", at(*row))]
pub struct Break {
    /// The file, below the data directory.
    pub path: String,
    /// The row in it, from 0, where it can be told.
    pub row: Option<u64>,
    /// What was found and what was expected.
    pub what: String,
}

fn at(row: Option<u64>) -> String {
    row.map_or_else(String::new, |row| format!(" row {row}"))
}

impl HistoryError {
    /// Whether the same may succeed later, with nobody mending anything: the files' disk failed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Parquet { .. } => true,
            Self::Broken(_) | Self::Unsorted { .. } | Self::Overflow { .. } => false,
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    pub(crate) fn parquet(doing: impl Into<String>, source: ParquetError) -> Self {
        Self::Parquet { doing: doing.into(), source }
    }

    pub(crate) fn broken(path: &str, row: Option<u64>, what: impl Into<String>) -> Self {
        Self::Broken(Break { path: path.to_owned(), row, what: what.into() })
    }
}
