//! Card transactions as rows: listed by merchant, by what a terminal knows them by, by kind, day and where they stand.

use domain::calendar::Date;
use domain::card_transaction::{CardKind, CardStatus, CardTransaction};
use domain::ids::{CardTransactionId, MerchantId, TerminalId};
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for CardTransaction {
    type Id = CardTransactionId;
    const TABLE: &'static str = "card_transactions";
    const COLUMNS: &'static [&'static str] =
        &["merchant", "terminal", "batch", "trace", "kind", "status", "requested_at", "original", "closed"];
    const KIND: Option<Kind> = Some(Kind::CardTransaction);

    fn id(&self) -> CardTransactionId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.merchant.0.into(),
            self.key.map(|key| key.terminal.0).into(),
            self.key.map(|key| u64::from(key.batch)).into(),
            self.key.map(|key| u64::from(key.trace)).into(),
            self.kind.name().into(),
            self.status.name().into(),
            self.requested_at.0.into(),
            self.original.map(|original| original.0).into(),
            i64::from(self.is_closed()).into(),
        ]
    }
}

/// What lists of card transactions may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardTransactionFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Of this terminal.
    pub terminal: Option<TerminalId>,
    /// In this batch.
    pub batch: Option<u32>,
    /// Under this trace.
    pub trace: Option<u32>,
    /// Of this kind.
    pub kind: Option<CardKind>,
    /// Standing so.
    pub status: Option<CardStatus>,
    /// About this one.
    pub original: Option<CardTransactionId>,
    /// Asked for on that date in Shanghai or later.
    pub requested_from: Option<Date>,
    /// Asked for on that date in Shanghai or earlier.
    pub requested_to: Option<Date>,
}

impl Filter for CardTransactionFilter {
    type Of = CardTransaction;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.terminal.map(|terminal| Term::equal("terminal", terminal.0)),
            self.batch.map(|batch| Term::equal("batch", u64::from(batch))),
            self.trace.map(|trace| Term::equal("trace", u64::from(trace))),
            self.kind.map(|kind| Term::equal("kind", kind.name())),
            self.status.map(|status| Term::equal("status", status.name())),
            self.original.map(|original| Term::equal("original", original.0)),
            self.requested_from.map(|date| Term::since("requested_at", date)),
            self.requested_to.map(|date| Term::until("requested_at", date)),
        ]
    }
}
