//! Merchants as rows: what is kept of each, and what lists filter by.

use domain::ids::{CustomerId, MerchantId};
use domain::merchant::{Merchant, MerchantKind};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Merchant {
    type Id = MerchantId;
    const TABLE: &'static str = "merchants";
    const COLUMNS: &'static [&'static str] = &["customer", "kind", "name"];

    fn id(&self) -> MerchantId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.0.into(), self.kind.name().into(), self.name.as_str().into()]
    }
}

/// What lists of merchants may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct MerchantFilter {
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Landlords, agencies or agents.
    pub kind: Option<MerchantKind>,
    /// Trading under exactly this name.
    pub name: Option<String>,
}

impl Filter for MerchantFilter {
    type Of = Merchant;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.customer.map(|customer| Term::equal("customer", customer.0)),
            self.kind.map(|kind| Term::equal("kind", kind.name())),
            self.name.as_deref().map(|name| Term::equal("name", name)),
        ]
    }
}
