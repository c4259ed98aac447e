//! Batches of automatic withdrawals, and rules of retries, as rows.

use domain::calendar::Date;
use domain::ids::{RetryRuleId, WithdrawalBatchId};
use domain::withdrawal_batch::{RetryRule, WithdrawalBatch};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for WithdrawalBatch {
    type Id = WithdrawalBatchId;
    const TABLE: &'static str = "withdrawal_batches";
    const COLUMNS: &'static [&'static str] = &["date", "number"];

    fn id(&self) -> WithdrawalBatchId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.date.0.into(), self.number.into()]
    }
}

/// What lists of batches may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct WithdrawalBatchFilter {
    /// Of this accounting day.
    pub date: Option<Date>,
}

impl Filter for WithdrawalBatchFilter {
    type Of = WithdrawalBatch;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.date.map(|date| Term::equal("date", date.0))]
    }
}

impl Stored for RetryRule {
    type Id = RetryRuleId;
    const TABLE: &'static str = "retry_rules";
    const COLUMNS: &'static [&'static str] = &["code"];

    fn id(&self) -> RetryRuleId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.code.as_str().into()]
    }
}

/// What lists of rules may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct RetryRuleFilter {
    /// For this code of a channel.
    pub code: Option<String>,
}

impl Filter for RetryRuleFilter {
    type Of = RetryRule;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.code.as_deref().map(|code| Term::equal("code", code))]
    }
}
