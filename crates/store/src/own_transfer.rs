//! Transfers between own money and reserve as rows.

use domain::ids::OwnTransferId;
use domain::own_transfer::{OwnTransfer, OwnTransferStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for OwnTransfer {
    type Id = OwnTransferId;
    const TABLE: &'static str = "own_transfers";
    const COLUMNS: &'static [&'static str] = &["kind", "status", "instructed_at"];

    fn id(&self) -> OwnTransferId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.kind.name().into(), self.status.name().into(), self.instructed_at.0.into()]
    }
}

/// What lists of transfers may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnTransferFilter {
    /// Of this kind.
    pub kind: Option<&'static str>,
    /// Standing so.
    pub status: Option<OwnTransferStatus>,
}

impl Filter for OwnTransferFilter {
    type Of = OwnTransfer;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.kind.map(|kind| Term::equal("kind", kind)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
