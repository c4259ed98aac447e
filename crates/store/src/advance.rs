//! Advances of own money as rows, and the versions of their rules.

use domain::advance::{Advance, AdvancePolicy, AdvanceStatus};
use domain::calendar::Date;
use domain::ids::{AdvanceId, AdvancePolicyId, MerchantId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Advance {
    type Id = AdvanceId;
    const TABLE: &'static str = "advances";
    const COLUMNS: &'static [&'static str] = &["merchant", "status", "date", "needs_person"];

    fn id(&self) -> AdvanceId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.status.name().into(), self.date.0.into(), self.needs_person().into()]
    }
}

impl Stored for AdvancePolicy {
    type Id = AdvancePolicyId;
    const TABLE: &'static str = "advance_policies";
    const COLUMNS: &'static [&'static str] = &[];

    fn id(&self) -> AdvancePolicyId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// What lists of advances may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AdvanceFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Standing so.
    pub status: Option<AdvanceStatus>,
    /// Sent on this accounting day.
    pub date: Option<Date>,
    /// Those that wait for a person, or those that do not.
    pub needs_person: Option<bool>,
}

impl Filter for AdvanceFilter {
    type Of = Advance;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.date.map(|date| Term::equal("date", date.0)),
            self.needs_person.map(|needs| Term::equal("needs_person", needs)),
        ]
    }
}

/// Lists of rules are not narrowed.
#[derive(Debug, Clone, Copy, Default)]
pub struct AdvancePolicyFilter;

impl Filter for AdvancePolicyFilter {
    type Of = AdvancePolicy;

    fn terms(&self) -> Vec<Option<Term>> {
        Vec::new()
    }
}
