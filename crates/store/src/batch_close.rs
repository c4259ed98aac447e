//! Batch closes as rows: listed by terminal, batch and where they stand.

use domain::batch_close::{BatchClose, BatchCloseStatus};
use domain::ids::{BatchCloseId, TerminalId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for BatchClose {
    type Id = BatchCloseId;
    const TABLE: &'static str = "batch_closes";
    const COLUMNS: &'static [&'static str] = &["terminal", "batch", "status"];

    fn id(&self) -> BatchCloseId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.terminal.0.into(), u64::from(self.batch).into(), self.status.name().into()]
    }
}

/// What lists of batch closes may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchCloseFilter {
    /// Of this terminal.
    pub terminal: Option<TerminalId>,
    /// Of this batch.
    pub batch: Option<u32>,
    /// Standing so.
    pub status: Option<BatchCloseStatus>,
}

impl Filter for BatchCloseFilter {
    type Of = BatchClose;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.terminal.map(|terminal| Term::equal("terminal", terminal.0)),
            self.batch.map(|batch| Term::equal("batch", u64::from(batch))),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
