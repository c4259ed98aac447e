//! Card fees as rows: versions of plans and of what schemes cost.

use domain::card_fee::{CardCost, CardFeePlan, CardScheme};
use domain::ids::{CardCostId, CardFeePlanId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for CardFeePlan {
    type Id = CardFeePlanId;
    const TABLE: &'static str = "card_fee_plans";
    const COLUMNS: &'static [&'static str] = &["code", "begins"];

    fn id(&self) -> CardFeePlanId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.code.as_str().into(), self.from.0.into()]
    }
}

/// What lists of plans may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct CardFeePlanFilter {
    /// Of this name.
    pub code: Option<String>,
}

impl Filter for CardFeePlanFilter {
    type Of = CardFeePlan;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.code.as_deref().map(|code| Term::equal("code", code))]
    }
}

impl Stored for CardCost {
    type Id = CardCostId;
    const TABLE: &'static str = "card_costs";
    const COLUMNS: &'static [&'static str] = &["scheme", "begins"];

    fn id(&self) -> CardCostId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.scheme.name().into(), self.from.0.into()]
    }
}

/// What lists of costs may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardCostFilter {
    /// Of this scheme.
    pub scheme: Option<CardScheme>,
}

impl Filter for CardCostFilter {
    type Of = CardCost;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.scheme.map(|scheme| Term::equal("scheme", scheme.name()))]
    }
}
