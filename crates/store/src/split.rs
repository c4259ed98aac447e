//! Splits as rows: what is kept of each, and what lists filter by.

use domain::ids::{MerchantId, OrderId, SplitId};
use domain::recall::{Kind, Leaves};
use domain::split::Split;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Split {
    type Id = SplitId;
    const TABLE: &'static str = "splits";
    const COLUMNS: &'static [&'static str] = &["order_id", "out_split_no", "payee", "closed"];
    const KIND: Option<Kind> = Some(Kind::Split);

    fn id(&self) -> SplitId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.order.0.into(), self.out_split_no.as_str().into(), self.payee.0.into(), closed]
    }
}

/// What lists of splits may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct SplitFilter {
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of exactly this number of the caller's.
    pub out_split_no: Option<String>,
    /// Of this merchant's share.
    pub payee: Option<MerchantId>,
}

impl Filter for SplitFilter {
    type Of = Split;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.order.map(|order| Term::equal("order_id", order.0)),
            self.out_split_no.as_deref().map(|number| Term::equal("out_split_no", number)),
            self.payee.map(|payee| Term::equal("payee", payee.0)),
        ]
    }
}
