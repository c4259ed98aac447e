//! Conversions between currencies as rows: what lists filter by.

use domain::conversion::Conversion;
use domain::ids::{AccountId, ConversionId, ExchangeRateId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Conversion {
    type Id = ConversionId;
    const TABLE: &'static str = "conversions";
    const COLUMNS: &'static [&'static str] = &["source", "target", "rate", "status"];

    fn id(&self) -> ConversionId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let (source, target) = (self.sold.account, self.bought.account);
        vec![source.0.into(), target.0.into(), self.rate.0.into(), self.status().into()]
    }
}

/// What lists of conversions may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConversionFilter {
    /// Out of this account.
    pub from: Option<AccountId>,
    /// Into this account.
    pub to: Option<AccountId>,
    /// At this rate.
    pub rate: Option<ExchangeRateId>,
    /// `done` or `reversed`.
    pub status: Option<&'static str>,
}

impl Filter for ConversionFilter {
    type Of = Conversion;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.from.map(|from| Term::equal("source", from.0)),
            self.to.map(|to| Term::equal("target", to.0)),
            self.rate.map(|rate| Term::equal("rate", rate.0)),
            self.status.map(|status| Term::equal("status", status)),
        ]
    }
}
