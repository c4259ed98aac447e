//! Receivers of splits as rows.

use domain::ids::{MerchantId, ReceiverId};
use domain::receiver::SplitReceiver;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for SplitReceiver {
    type Id = ReceiverId;
    const TABLE: &'static str = "split_receivers";
    const COLUMNS: &'static [&'static str] = &["payee", "receiver", "removed"];

    fn id(&self) -> ReceiverId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.payee.0.into(), self.receiver.0.into(), self.removed.is_some().into()]
    }
}

/// What lists of receivers may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ReceiverFilter {
    /// Of this payee's orders.
    pub payee: Option<MerchantId>,
    /// This one, at whatever payee.
    pub receiver: Option<MerchantId>,
    /// Removed, or not.
    pub removed: Option<bool>,
}

impl Filter for ReceiverFilter {
    type Of = SplitReceiver;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.payee.map(|payee| Term::equal("payee", payee.0)),
            self.receiver.map(|receiver| Term::equal("receiver", receiver.0)),
            self.removed.map(|removed| Term::equal("removed", removed)),
        ]
    }
}
