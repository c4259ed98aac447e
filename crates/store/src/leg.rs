//! Legs of payments as rows.

use domain::ids::{LegId, OrderId};
use domain::leg::{Leg, LegStatus};
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Leg {
    type Id = LegId;
    const TABLE: &'static str = "legs";
    const COLUMNS: &'static [&'static str] = &["order_id", "status", "needs_person", "closed"];
    const KIND: Option<Kind> = Some(Kind::Leg);

    fn id(&self) -> LegId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.order.0.into(), self.status.name().into(), self.needs_person.into(), closed]
    }
}

/// What lists of legs may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct LegFilter {
    /// Of this order.
    pub order: Option<OrderId>,
    /// Standing so.
    pub status: Option<LegStatus>,
    /// Whether only a person can move its money.
    pub needs_person: Option<bool>,
}

impl Filter for LegFilter {
    type Of = Leg;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.order.map(|order| Term::equal("order_id", order.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.needs_person.map(|needs| Term::equal("needs_person", needs)),
        ]
    }
}
