//! Accounting days as rows; a day's id is its date.

use domain::business_day::{Day, DayStatus};
use domain::calendar::Date;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Day {
    type Id = Date;
    const TABLE: &'static str = "business_days";
    const COLUMNS: &'static [&'static str] = &["status", "sealed"];

    fn id(&self) -> Date {
        self.date
    }

    fn columns(&self) -> Vec<Value> {
        vec![status_text(self.status).into(), self.sealed.into()]
    }
}

const fn status_text(status: DayStatus) -> &'static str {
    match status {
        DayStatus::Open => "open",
        DayStatus::Cutting => "cutting",
        DayStatus::Closed => "closed",
    }
}

/// What lists of days may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct DayFilter {
    /// Standing so.
    pub status: Option<DayStatus>,
}

impl Filter for DayFilter {
    type Of = Day;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.status.map(|status| Term::equal("status", status_text(status)))]
    }
}
