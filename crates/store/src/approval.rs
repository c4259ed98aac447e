//! Approvals as rows: the proposal itself lies in the blob.

use domain::approval::{Approval, ApprovalStatus};
use domain::ids::{ApprovalId, OperatorId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Approval {
    type Id = ApprovalId;
    const TABLE: &'static str = "approvals";
    const COLUMNS: &'static [&'static str] = &["kind", "status", "maker"];

    fn id(&self) -> ApprovalId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.proposal.kind().into(), self.status.name().into(), self.maker.0.into()]
    }
}

/// What lists of approvals may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// Of this kind, by [`domain::approval::Proposal::kind`].
    pub kind: Option<String>,
    /// Standing so.
    pub status: Option<ApprovalStatus>,
    /// Proposed by this operator.
    pub maker: Option<OperatorId>,
}

impl Filter for ApprovalFilter {
    type Of = Approval;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.kind.as_deref().map(|kind| Term::equal("kind", kind)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.maker.map(|maker| Term::equal("maker", maker.0)),
        ]
    }
}
