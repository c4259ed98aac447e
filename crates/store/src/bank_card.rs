//! Bank cards that sent money back, as rows.

use domain::bank_card::BankCard;
use domain::ids::{BankCardId, CustomerId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for BankCard {
    type Id = BankCardId;
    const TABLE: &'static str = "bank_cards";
    const COLUMNS: &'static [&'static str] = &["customer", "verified"];

    fn id(&self) -> BankCardId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.0.into(), self.verified.is_some().into()]
    }
}

/// What lists of such cards may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct BankCardFilter {
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Verified again, or not.
    pub verified: Option<bool>,
}

impl Filter for BankCardFilter {
    type Of = BankCard;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.customer.map(|customer| Term::equal("customer", customer.0)),
            self.verified.map(|verified| Term::equal("verified", verified)),
        ]
    }
}
