//! Plans of automatic withdrawals as rows.

use domain::ids::{AccountId, WithdrawalPlanId};
use domain::withdrawal_plan::{PlanStatus, WithdrawalPlan};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for WithdrawalPlan {
    type Id = WithdrawalPlanId;
    const TABLE: &'static str = "withdrawal_plans";
    const COLUMNS: &'static [&'static str] = &["account", "status"];

    fn id(&self) -> WithdrawalPlanId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.account.0.into(), self.status.name().into()]
    }
}

/// What lists of plans may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct WithdrawalPlanFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<PlanStatus>,
}

impl Filter for WithdrawalPlanFilter {
    type Of = WithdrawalPlan;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
