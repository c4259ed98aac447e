//! Items of suspense as rows.

use domain::ids::SuspenseId;
use domain::money::Currency;
use domain::suspense::{SuspenseItem, SuspenseStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for SuspenseItem {
    type Id = SuspenseId;
    const TABLE: &'static str = "suspense_items";
    const COLUMNS: &'static [&'static str] = &["status", "currency", "source", "needs_person"];

    fn id(&self) -> SuspenseId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.status.name().into(),
            self.currency.code().into(),
            self.source.to_string().into(),
            self.needs_person().into(),
        ]
    }
}

/// What lists of items may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct SuspenseFilter {
    /// Standing so.
    pub status: Option<SuspenseStatus>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Brought by a voucher of exactly this business number.
    pub source: Option<String>,
    /// Whether something of it lies on 2243, where only a person moves it on.
    pub needs_person: Option<bool>,
}

impl Filter for SuspenseFilter {
    type Of = SuspenseItem;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.status.map(|status| Term::equal("status", status.name())),
            self.currency.map(|currency| Term::equal("currency", currency.code())),
            self.source.as_deref().map(|source| Term::equal("source", source)),
            self.needs_person.map(|needs| Term::equal("needs_person", needs)),
        ]
    }
}
