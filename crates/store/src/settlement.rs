//! Settlements as rows: what is kept of each, and what lists filter by.

use domain::calendar::Date;
use domain::ids::{MerchantId, SettlementId};
use domain::recall::{Kind, Leaves};
use domain::settlement::Settlement;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Settlement {
    type Id = SettlementId;
    const TABLE: &'static str = "settlements";
    const COLUMNS: &'static [&'static str] = &["merchant", "date", "closed"];
    const KIND: Option<Kind> = Some(Kind::Settlement);

    fn id(&self) -> SettlementId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.merchant.0.into(), self.date.0.into(), closed]
    }
}

/// What lists of settlements may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettlementFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Made for that date or later.
    pub from: Option<Date>,
    /// Made for that date or earlier.
    pub to: Option<Date>,
}

impl Filter for SettlementFilter {
    type Of = Settlement;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.from.map(|date| Term::from("date", date.0)),
            self.to.map(|date| Term::to("date", date.0)),
        ]
    }
}
