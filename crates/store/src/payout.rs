//! Payouts and withdrawals as rows.

use domain::calendar::Date;
use domain::ids::{AccountId, PayoutId};
use domain::payout::{Payout, PayoutKind, PayoutStatus};
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Payout {
    type Id = PayoutId;
    const TABLE: &'static str = "payouts";
    const COLUMNS: &'static [&'static str] = &["kind", "account", "status", "created_at", "closed", "needs_person"];
    const KIND: Option<Kind> = Some(Kind::Payout);

    fn id(&self) -> PayoutId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { kind, account, status, created_at, .. } = self;
        let closed = i64::from(self.is_closed()).into();
        vec![
            kind.name().into(),
            account.0.into(),
            status.name().into(),
            created_at.0.into(),
            closed,
            self.needs_person().into(),
        ]
    }
}

/// What lists of payouts may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct PayoutFilter {
    /// To others or to oneself.
    pub kind: Option<PayoutKind>,
    /// From this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<PayoutStatus>,
    /// Created on that date in Shanghai or later.
    pub created_from: Option<Date>,
    /// Created on that date in Shanghai or earlier.
    pub created_to: Option<Date>,
    /// Whether its bank owes it.
    pub needs_person: Option<bool>,
}

impl Filter for PayoutFilter {
    type Of = Payout;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.kind.map(|kind| Term::equal("kind", kind.name())),
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.created_from.map(|date| Term::since("created_at", date)),
            self.created_to.map(|date| Term::until("created_at", date)),
            self.needs_person.map(|needs| Term::equal("needs_person", needs)),
        ]
    }
}
