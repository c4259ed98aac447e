//! The statement of the reserve account as rows: lines and closing balances.

use domain::calendar::Date;
use domain::ids::{ReserveBalanceId, ReserveLineId};
use domain::reserve_line::{LineDirection, ReserveBalance, ReserveLine};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for ReserveLine {
    type Id = ReserveLineId;
    const TABLE: &'static str = "reserve_lines";
    const COLUMNS: &'static [&'static str] = &["reference", "date", "direction", "suspended"];

    fn id(&self) -> ReserveLineId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.reference.as_str().into(),
            self.date.0.into(),
            self.direction.name().into(),
            self.target.is_none().into(),
        ]
    }
}

impl Stored for ReserveBalance {
    type Id = ReserveBalanceId;
    const TABLE: &'static str = "reserve_balances";
    const COLUMNS: &'static [&'static str] = &["date"];

    fn id(&self) -> ReserveBalanceId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.date.0.into()]
    }
}

/// What lists of lines may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ReserveLineFilter {
    /// Of exactly this reference.
    pub reference: Option<String>,
    /// Of this day.
    pub date: Option<Date>,
    /// In or out.
    pub direction: Option<LineDirection>,
    /// Whether nothing awaited them.
    pub suspended: Option<bool>,
}

impl Filter for ReserveLineFilter {
    type Of = ReserveLine;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.reference.as_deref().map(|reference| Term::equal("reference", reference)),
            self.date.map(|date| Term::equal("date", date.0)),
            self.direction.map(|direction| Term::equal("direction", direction.name())),
            self.suspended.map(|suspended| Term::equal("suspended", suspended)),
        ]
    }
}

/// What lists of closing balances may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReserveBalanceFilter {
    /// Of this day.
    pub date: Option<Date>,
}

impl Filter for ReserveBalanceFilter {
    type Of = ReserveBalance;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.date.map(|date| Term::equal("date", date.0))]
    }
}
