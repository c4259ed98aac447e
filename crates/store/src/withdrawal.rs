//! Automatic withdrawals as rows.

use domain::ids::{AccountId, WithdrawalBatchId, WithdrawalId, WithdrawalPlanId};
use domain::withdrawal::{Withdrawal, WithdrawalStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Withdrawal {
    type Id = WithdrawalId;
    const TABLE: &'static str = "withdrawals";
    const COLUMNS: &'static [&'static str] = &["plan", "batch", "account", "status"];

    fn id(&self) -> WithdrawalId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.plan.0.into(), self.batch.0.into(), self.snapshot.account.0.into(), self.status.name().into()]
    }
}

/// What lists of automatic withdrawals may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct WithdrawalFilter {
    /// Of this plan.
    pub plan: Option<WithdrawalPlanId>,
    /// Tried last by this batch.
    pub batch: Option<WithdrawalBatchId>,
    /// From this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<WithdrawalStatus>,
}

impl Filter for WithdrawalFilter {
    type Of = Withdrawal;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.plan.map(|plan| Term::equal("plan", plan.0)),
            self.batch.map(|batch| Term::equal("batch", batch.0)),
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
