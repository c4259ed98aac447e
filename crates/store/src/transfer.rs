//! Transfers as rows: listed by either account and day.

use domain::calendar::Date;
use domain::ids::{AccountId, TransferId};
use domain::recall::{Kind, Leaves};
use domain::transfer::Transfer;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Transfer {
    type Id = TransferId;
    const TABLE: &'static str = "transfers";
    const COLUMNS: &'static [&'static str] = &["payer", "payee", "made_at", "closed"];
    const KIND: Option<Kind> = Some(Kind::Transfer);

    fn id(&self) -> TransferId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.from.0.into(), self.to.0.into(), self.made_at.0.into(), closed]
    }
}

/// What lists of transfers may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransferFilter {
    /// From this account.
    pub from: Option<AccountId>,
    /// To this account.
    pub to: Option<AccountId>,
    /// Made on that date in Shanghai or later.
    pub made_from: Option<Date>,
    /// Made on that date in Shanghai or earlier.
    pub made_to: Option<Date>,
}

impl Filter for TransferFilter {
    type Of = Transfer;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.from.map(|from| Term::equal("payer", from.0)),
            self.to.map(|to| Term::equal("payee", to.0)),
            self.made_from.map(|date| Term::since("made_at", date)),
            self.made_to.map(|date| Term::until("made_at", date)),
        ]
    }
}
