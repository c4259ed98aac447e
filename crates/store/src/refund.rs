//! Refunds as rows: what is kept of each, and what lists filter by.

use domain::calendar::Date;
use domain::ids::{OrderId, RefundId};
use domain::recall::{Kind, Leaves};
use domain::refund::{Refund, RefundStatus};

use crate::db::{Session, Value};
use crate::error::StoreError;
use crate::list::{Filter, Term};
use crate::table::{self, Stored};

impl Stored for Refund {
    type Id = RefundId;
    const TABLE: &'static str = "refunds";
    const COLUMNS: &'static [&'static str] =
        &["order_id", "out_refund_no", "status", "created_at", "closed", "needs_person"];
    const KIND: Option<Kind> = Some(Kind::Refund);

    fn id(&self) -> RefundId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { order, out_refund_no, status, created_at, .. } = self;
        let closed = i64::from(self.is_closed()).into();
        vec![
            order.0.into(),
            out_refund_no.as_str().into(),
            status.name().into(),
            created_at.0.into(),
            closed,
            self.needs_person().into(),
        ]
    }
}

/// What lists of refunds may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct RefundFilter {
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of exactly this number of the merchant's.
    pub out_refund_no: Option<String>,
    /// Standing so.
    pub status: Option<RefundStatus>,
    /// Created on that date in Shanghai or later.
    pub created_from: Option<Date>,
    /// Created on that date in Shanghai or earlier.
    pub created_to: Option<Date>,
    /// Whether only a person can move its money on.
    pub needs_person: Option<bool>,
}

impl Filter for RefundFilter {
    type Of = Refund;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.order.map(|order| Term::equal("order_id", order.0)),
            self.out_refund_no.as_deref().map(|number| Term::equal("out_refund_no", number)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.created_from.map(|date| Term::since("created_at", date)),
            self.created_to.map(|date| Term::until("created_at", date)),
            self.needs_person.map(|needs| Term::equal("needs_person", needs)),
        ]
    }
}

/// Marks what a program of before left unmarked.
pub(crate) fn mark_needs_person(session: &dyn Session) -> Result<(), StoreError> {
    let mut marked = Vec::new();
    table::read_each(session, &[], |id, row: Result<Refund, StoreError>, _| {
        if row.is_ok_and(|row| row.needs_person()) {
            marked.push(id);
        }
    })?;
    for id in marked {
        session.execute("UPDATE refunds SET needs_person = 1 WHERE id = $1", &[id.into()])?;
    }
    Ok(())
}
