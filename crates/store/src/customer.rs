//! Customers as rows. No column repeats a personal field: the sealed values lie in the blob only.

use domain::customer::{Customer, CustomerKind};
use domain::ids::CustomerId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Customer {
    type Id = CustomerId;
    const TABLE: &'static str = "customers";
    const COLUMNS: &'static [&'static str] = &["kind"];

    fn id(&self) -> CustomerId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![kind_text(self.kind).into()]
    }
}

const fn kind_text(kind: CustomerKind) -> &'static str {
    match kind {
        CustomerKind::Person => "person",
        CustomerKind::Company => "company",
    }
}

/// What lists of customers may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct CustomerFilter {
    /// Persons or companies.
    pub kind: Option<CustomerKind>,
}

impl Filter for CustomerFilter {
    type Of = Customer;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.kind.map(|kind| Term::equal("kind", kind_text(kind)))]
    }
}
