//! Monthly batches of provident-fund centres as rows.

use domain::fund_batch::FundBatch;
use domain::ids::FundBatchId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for FundBatch {
    type Id = FundBatchId;
    const TABLE: &'static str = "fund_batches";
    const COLUMNS: &'static [&'static str] = &["period", "open"];

    fn id(&self) -> FundBatchId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.period.clone().into(), self.is_open().into()]
    }
}

/// What lists of batches may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct FundBatchFilter {
    /// Of this month, `2026-03`.
    pub period: Option<String>,
    /// Whether the centre has rows to answer still.
    pub open: Option<bool>,
}

impl Filter for FundBatchFilter {
    type Of = FundBatch;

    fn terms(&self) -> Vec<Option<Term>> {
        let period = self.period.clone().map(|period| Term::equal("period", period));
        vec![period, self.open.map(|open| Term::equal("open", open))]
    }
}
