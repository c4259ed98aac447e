//! Limits as rows: their versions, the class and sum of each account, the sums of each customer.

use domain::calendar::Date;
use domain::ids::{AccountId, CustomerId, LimitPolicyId};
use domain::limit::{AccountClass, AccountLimit, CustomerUse, LimitPolicy};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for LimitPolicy {
    type Id = LimitPolicyId;
    const TABLE: &'static str = "limit_policies";
    const COLUMNS: &'static [&'static str] = &["begins"];

    fn id(&self) -> LimitPolicyId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.from.0.into()]
    }
}

/// What lists of versions may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimitPolicyFilter {
    /// Holding from that day on or later.
    pub begins_from: Option<Date>,
}

impl Filter for LimitPolicyFilter {
    type Of = LimitPolicy;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.begins_from.map(|date| Term::from("begins", date.0))]
    }
}

impl Stored for AccountLimit {
    type Id = AccountId;
    const TABLE: &'static str = "account_limits";
    const COLUMNS: &'static [&'static str] = &["class"];

    fn id(&self) -> AccountId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.class.map(AccountClass::name).into()]
    }
}

/// What lists of accounts' classes and sums may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountLimitFilter {
    /// Of this class.
    pub class: Option<AccountClass>,
}

impl Filter for AccountLimitFilter {
    type Of = AccountLimit;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.class.map(|class| Term::equal("class", class.name()))]
    }
}

impl Stored for CustomerUse {
    type Id = CustomerId;
    const TABLE: &'static str = "customer_uses";
    const COLUMNS: &'static [&'static str] = &["year"];

    fn id(&self) -> CustomerId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![i32::from(self.year).into()]
    }
}

/// What lists of customers' sums may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct CustomerUseFilter {
    /// Of this year.
    pub year: Option<i16>,
}

impl Filter for CustomerUseFilter {
    type Of = CustomerUse;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.year.map(|year| Term::equal("year", i32::from(year)))]
    }
}
