//! The network's files of card transactions as rows, one a part.

use domain::calendar::Date;
use domain::card_clearing::CardClearing;
use domain::ids::CardClearingId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for CardClearing {
    type Id = CardClearingId;
    const TABLE: &'static str = "card_clearings";
    const COLUMNS: &'static [&'static str] = &["date", "different"];

    fn id(&self) -> CardClearingId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.date.0.into(), u64::from(self.different).into()]
    }
}

/// What lists of parts may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardClearingFilter {
    /// Of this clearing date.
    pub date: Option<Date>,
}

impl Filter for CardClearingFilter {
    type Of = CardClearing;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.date.map(|date| Term::equal("date", date.0))]
    }
}
