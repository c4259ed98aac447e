//! Merchants' webhooks as rows. What they are told lies in [`crate::webhook_delivery`].

use domain::ids::{MerchantId, WebhookId};
use domain::webhook::{Webhook, WebhookStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Webhook {
    type Id = WebhookId;
    const TABLE: &'static str = "webhooks";
    const COLUMNS: &'static [&'static str] = &["merchant", "status"];

    fn id(&self) -> WebhookId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.status.name().into()]
    }
}

/// What lists of webhooks may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct WebhookFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Standing like this.
    pub status: Option<WebhookStatus>,
}

impl Filter for WebhookFilter {
    type Of = Webhook;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
