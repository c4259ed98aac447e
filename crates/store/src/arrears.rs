//! What merchants owe, as rows.

use domain::arrears::Arrears;
use domain::ids::{ArrearsId, MerchantId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Arrears {
    type Id = ArrearsId;
    const TABLE: &'static str = "arrears";
    const COLUMNS: &'static [&'static str] = &["merchant", "status"];

    fn id(&self) -> ArrearsId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.status().into()]
    }
}

/// What lists of arrears may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArrearsFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// `open` or `settled`.
    pub status: Option<&'static str>,
}

impl Filter for ArrearsFilter {
    type Of = Arrears;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.status.map(|status| Term::equal("status", status)),
        ]
    }
}
