//! Top-ups as rows: listed by account, status and day.

use domain::calendar::Date;
use domain::ids::{AccountId, TopUpId};
use domain::recall::{Kind, Leaves};
use domain::top_up::{TopUp, TopUpStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for TopUp {
    type Id = TopUpId;
    const TABLE: &'static str = "top_ups";
    const COLUMNS: &'static [&'static str] = &["account", "status", "created_at", "closed"];
    const KIND: Option<Kind> = Some(Kind::TopUp);

    fn id(&self) -> TopUpId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.account.0.into(), self.status.name().into(), self.created_at.0.into(), closed]
    }
}

/// What lists of top-ups may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct TopUpFilter {
    /// To this account.
    pub account: Option<AccountId>,
    /// Standing so.
    pub status: Option<TopUpStatus>,
    /// Asked for on that date in Shanghai or later.
    pub created_from: Option<Date>,
    /// Asked for on that date in Shanghai or earlier.
    pub created_to: Option<Date>,
}

impl Filter for TopUpFilter {
    type Of = TopUp;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.created_from.map(|date| Term::since("created_at", date)),
            self.created_to.map(|date| Term::until("created_at", date)),
        ]
    }
}
