//! Chargebacks as rows: listed by merchant, order, case and where they stand.

use domain::chargeback::{Chargeback, ChargebackStatus};
use domain::ids::{ChargebackId, MerchantId, OrderId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Chargeback {
    type Id = ChargebackId;
    const TABLE: &'static str = "chargebacks";
    const COLUMNS: &'static [&'static str] = &["merchant", "order_id", "case_number", "status"];

    fn id(&self) -> ChargebackId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        // None of an order has the number of no order.
        let order = self.order.map_or(0, |order| order.0);
        vec![self.merchant.0.into(), order.into(), self.case_number.as_str().into(), self.status.name().into()]
    }
}

/// What lists of chargebacks may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ChargebackFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of exactly this case.
    pub case_number: Option<String>,
    /// Standing so.
    pub status: Option<ChargebackStatus>,
}

impl Filter for ChargebackFilter {
    type Of = Chargeback;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.order.map(|order| Term::equal("order_id", order.0)),
            self.case_number.as_deref().map(|case| Term::equal("case_number", case)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
