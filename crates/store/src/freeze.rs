//! Precise freezes as rows.

use domain::freeze::{Freeze, FreezeStatus};
use domain::ids::{AccountId, FreezeId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Freeze {
    type Id = FreezeId;
    const TABLE: &'static str = "freezes";
    const COLUMNS: &'static [&'static str] = &["account", "status", "document"];

    fn id(&self) -> FreezeId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.account.0.into(), self.status.name().into(), self.document.as_str().into()]
    }
}

/// What lists of freezes may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct FreezeFilter {
    /// On this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<FreezeStatus>,
    /// By exactly this document of an authority.
    pub document: Option<String>,
}

impl Filter for FreezeFilter {
    type Of = Freeze;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.document.as_deref().map(|document| Term::equal("document", document)),
        ]
    }
}
