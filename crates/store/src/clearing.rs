//! Clearing files as rows, one a part.

use domain::attempt::Rail;
use domain::calendar::Date;
use domain::clearing::Clearing;
use domain::ids::ClearingId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Clearing {
    type Id = ClearingId;
    const TABLE: &'static str = "clearings";
    const COLUMNS: &'static [&'static str] = &["rail", "date", "different"];

    fn id(&self) -> ClearingId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.rail.name().into(), self.date.0.into(), self.different.into()]
    }
}

/// What lists of clearing files may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClearingFilter {
    /// Of this way.
    pub rail: Option<Rail>,
    /// Of this clearing date.
    pub date: Option<Date>,
}

impl Filter for ClearingFilter {
    type Of = Clearing;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.rail.map(|rail| Term::equal("rail", rail.name())), self.date.map(|date| Term::equal("date", date.0))]
    }
}
