//! Notices as rows: an outbox, read in the order of their ids.

use domain::ids::{CustomerId, NoticeId, WithdrawalId};
use domain::notice::{Notice, NoticeKind};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Notice {
    type Id = NoticeId;
    const TABLE: &'static str = "notices";
    const COLUMNS: &'static [&'static str] = &["customer", "kind", "withdrawal"];

    fn id(&self) -> NoticeId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.0.into(), self.kind.name().into(), self.withdrawal.0.into()]
    }
}

/// What lists of notices may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoticeFilter {
    /// To this customer.
    pub customer: Option<CustomerId>,
    /// Of this kind.
    pub kind: Option<NoticeKind>,
    /// About this withdrawal.
    pub withdrawal: Option<WithdrawalId>,
}

impl Filter for NoticeFilter {
    type Of = Notice;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.customer.map(|customer| Term::equal("customer", customer.0)),
            self.kind.map(|kind| Term::equal("kind", kind.name())),
            self.withdrawal.map(|withdrawal| Term::equal("withdrawal", withdrawal.0)),
        ]
    }
}
