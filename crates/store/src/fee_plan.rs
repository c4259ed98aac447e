//! Fees of orders, payouts and withdrawals as rows: versions of plans.

use domain::fee_plan::{FeeOwner, FeePlan};
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
        // No merchant has the number 0: it stands for a product, whose plans no list asks for alone.
        let merchant = match self.owner {
            FeeOwner::Merchant(merchant) => merchant.0,
            FeeOwner::Product(_) => 0,
        };
        vec![merchant.into(), self.from.0.into()]
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
