//! Holds as rows: what is kept of each, and what lists filter by.

use domain::hold::{Hold, HoldStatus};
use domain::ids::{AccountId, HoldId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Hold {
    type Id = HoldId;
    const TABLE: &'static str = "holds";
    const COLUMNS: &'static [&'static str] = &["account", "status", "expires_at"];

    fn id(&self) -> HoldId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.account.0.into(), status_text(self.status).into(), self.expires_at.0.into()]
    }
}

const fn status_text(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Open => "open",
        HoldStatus::Confirmed => "confirmed",
        HoldStatus::Cancelled => "cancelled",
        HoldStatus::Expired => "expired",
    }
}

/// What lists of holds may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct HoldFilter {
    /// On this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<HoldStatus>,
}

impl Filter for HoldFilter {
    type Of = Hold;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status_text(status))),
        ]
    }
}
