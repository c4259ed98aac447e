//! Order fees as rows: versions of merchants' plans.

use domain::fee_plan::FeePlan;
use domain::ids::{FeePlanId, MerchantId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for FeePlan {
    type Id = FeePlanId;
    const TABLE: &'static str = "fee_plans";
    const COLUMNS: &'static [&'static str] = &["merchant", "begins"];

    fn id(&self) -> FeePlanId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.from.0.into()]
    }
}

/// What lists of plans may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeePlanFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
}

impl Filter for FeePlanFilter {
    type Of = FeePlan;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.merchant.map(|merchant| Term::equal("merchant", merchant.0))]
    }
}
