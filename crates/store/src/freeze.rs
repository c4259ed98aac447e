//! Freezes as rows: account or customer is null; what each bites on is computed, so no column has it.

use domain::freeze::{Freeze, FreezeKind, FreezeStatus};
use domain::ids::{AccountId, CustomerId, FreezeId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Freeze {
    type Id = FreezeId;
    const TABLE: &'static str = "freezes";
    const COLUMNS: &'static [&'static str] = &["kind", "account", "customer", "status", "document", "authority"];

    fn id(&self) -> FreezeId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.kind.name().into(),
            self.account.map(|account| account.0).into(),
            self.customer.map(|customer| customer.0).into(),
            self.status.name().into(),
            self.document.as_str().into(),
            self.authority.as_str().into(),
        ]
    }
}

/// What lists of freezes may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct FreezeFilter {
    /// Precise, whole or stop-payments.
    pub kind: Option<FreezeKind>,
    /// On this account itself.
    pub account: Option<AccountId>,
    /// On this customer itself.
    pub customer: Option<CustomerId>,
    /// Standing so.
    pub status: Option<FreezeStatus>,
    /// Placed by exactly this document of an authority.
    pub document: Option<String>,
    /// Ordered by exactly this authority.
    pub authority: Option<String>,
}

impl Filter for FreezeFilter {
    type Of = Freeze;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.kind.map(|kind| Term::equal("kind", kind.name())),
            self.account.map(|account| Term::equal("account", account.0)),
            self.customer.map(|customer| Term::equal("customer", customer.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.document.as_deref().map(|document| Term::equal("document", document)),
            self.authority.as_deref().map(|authority| Term::equal("authority", authority)),
        ]
    }
}
