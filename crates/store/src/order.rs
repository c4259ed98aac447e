//! Orders as rows: what is kept of each, and what lists filter by.

use domain::calendar::Date;
use domain::ids::{MerchantId, OrderId, UserId};
use domain::order::{Order, OrderStatus};
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Order {
    type Id = OrderId;
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static [&'static str] = &["merchant", "out_trade_no", "payer", "status", "created_at", "closed"];
    const KIND: Option<Kind> = Some(Kind::Order);

    fn id(&self) -> OrderId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { merchant, out_trade_no, payer, status, created_at, .. } = self;
        let (out_trade_no, closed) = (out_trade_no.as_str().into(), i64::from(self.is_closed()).into());
        vec![merchant.0.into(), out_trade_no, payer.0.into(), status.name().into(), created_at.0.into(), closed]
    }
}

/// What lists of orders may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Of exactly this number of the merchant's.
    pub out_trade_no: Option<String>,
    /// Of this payer.
    pub payer: Option<UserId>,
    /// Standing so.
    pub status: Option<OrderStatus>,
    /// Created on that date in Shanghai or later.
    pub created_from: Option<Date>,
    /// Created on that date in Shanghai or earlier.
    pub created_to: Option<Date>,
}

impl Filter for OrderFilter {
    type Of = Order;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.out_trade_no.as_deref().map(|number| Term::equal("out_trade_no", number)),
            self.payer.map(|payer| Term::equal("payer", payer.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.created_from.map(|date| Term::since("created_at", date)),
            self.created_to.map(|date| Term::until("created_at", date)),
        ]
    }
}
