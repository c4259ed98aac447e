//! Acquiring as rows: listed by merchant, number and where it stands.

use domain::acquiring::{Acquiring, MerchantNumber};
use domain::ids::{AcquiringId, MerchantId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Acquiring {
    type Id = AcquiringId;
    const TABLE: &'static str = "acquirings";
    const COLUMNS: &'static [&'static str] = &["merchant", "number", "status"];

    fn id(&self) -> AcquiringId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.number.to_string().into(), self.status().into()]
    }
}

/// What lists of acquiring may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AcquiringFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Of exactly this number.
    pub number: Option<MerchantNumber>,
    /// `active` or `suspended`.
    pub status: Option<&'static str>,
}

impl Filter for AcquiringFilter {
    type Of = Acquiring;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.number.map(|number| Term::equal("number", number.to_string())),
            self.status.map(|status| Term::equal("status", status)),
        ]
    }
}
