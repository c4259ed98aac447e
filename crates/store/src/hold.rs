//! Holds as rows: what is kept of each, and what lists filter by.

use domain::hold::{Hold, HoldDirection, HoldStatus};
use domain::ids::{AccountId, HoldId};
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Hold {
    type Id = HoldId;
    const TABLE: &'static str = "holds";
    const COLUMNS: &'static [&'static str] = &["account", "status", "expires_at", "direction", "reference", "closed"];
    const KIND: Option<Kind> = Some(Kind::Hold);

    fn id(&self) -> HoldId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { account, status, expires_at, direction, reference, .. } = self;
        let reference = reference.as_deref().into();
        let closed = i64::from(self.is_closed()).into();
        vec![account.0.into(), status.name().into(), expires_at.0.into(), direction.name().into(), reference, closed]
    }
}

/// What lists of holds may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct HoldFilter {
    /// On this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<HoldStatus>,
    /// Of this direction.
    pub direction: Option<HoldDirection>,
    /// Known to its placer by exactly this.
    pub reference: Option<String>,
}

impl Filter for HoldFilter {
    type Of = Hold;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.direction.map(|direction| Term::equal("direction", direction.name())),
            self.reference.as_deref().map(|reference| Term::equal("reference", reference)),
        ]
    }
}
