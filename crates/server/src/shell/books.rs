//! What readers see beside the state: tables, files and the tail, at a position they can wait for.

use std::sync::Arc;

use history::{History, HistoryError, Statement, StatementQuery, Tail};
use store::{Database, StoreError};

use super::projector::Handle;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BooksError {
    /// The tables.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// What follows the journal.
#[derive(Clone)]
pub(crate) struct Books {
    /// Tables; every call blocks.
    pub(crate) store: Arc<Database>,
    /// Files; every call blocks.
    pub(crate) history: Arc<History>,
    /// The newest entries.
    pub(crate) tail: Tail,
    /// Who writes all three.
    pub(crate) projector: Handle,
}

impl Books {
    /// An account statement; blocks.
    ///
    /// # Errors
    /// Tables or files that do not read.
    pub(crate) fn statement(&self, query: &StatementQuery) -> Result<Statement, BooksError> {
        // The tail first: what a checkpoint moves in between is then seen twice and told apart, not missed.
        let tail = self.tail.snapshot();
        let _reading = self.history.reading();
        let rows = store::run::segments(&self.store, None, None, Some(query.to), Some(query.account))?;
        Ok(self.history.statement(query, &tail, &rows)?)
    }
}
