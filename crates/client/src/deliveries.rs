//! What a webhook was told or is to be told, and having it told again: for a receiver that was down, or lost what it had taken.

use serde::{Deserialize, Serialize};

use crate::calls::narrowed;
use crate::client::Client;
use crate::error::Error;
use crate::model::statuses;
use crate::pages::Pages;
use crate::webhook::Received;

statuses! {
    /// Where a delivery stands.
    DeliveryState {
        /// Nobody looked at it yet.
        New,
        /// It is sent at [`Delivery::next_at`].
        Ready,
        /// An earlier one of the same object is outstanding.
        Behind,
        /// The receiver took it.
        Accepted,
        /// It is sent no more, unless it is told again.
        GivenUp,
    }
}

/// One thing that a webhook is to be told, and how that stands.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// `whd_…`: the same at every try, and when it is told again.
    pub id: String,
    /// `order.paid`, `refund.succeeded`, …
    pub kind: String,
    /// What it is about: `ord_7`.
    pub object: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many tries were made.
    pub tries: u32,
    /// When it is sent next, while it is ready, by RFC 3339.
    #[serde(default)]
    pub next_at: Option<String>,
    /// Since when it is outstanding.
    #[serde(default)]
    pub since: Option<String>,
    /// When it was accepted or given up.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// What is sent.
    pub body: Received,
    /// Every try, the oldest first; empty in a list.
    #[serde(default)]
    pub log: Vec<DeliveryTry>,
}

/// One try at a receiver.
#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryTry {
    /// From 1.
    pub number: u32,
    /// When, by RFC 3339.
    pub at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// HTTP's status; none where no answer came.
    #[serde(default)]
    pub status: Option<u16>,
    /// Why it was not taken; empty if it was.
    pub error: String,
}

#[derive(Serialize)]
struct Replay<'a> {
    since: &'a str,
}

#[derive(Deserialize)]
struct Replayed {
    replayed: u64,
}

impl Client {
    /// What a webhook was told or is to be told, the newest first: `state=given_up`, `object=ord_7`. Kept for thirty days.
    #[must_use]
    pub fn deliveries(&self, webhook: &str, query: &str) -> Pages<Delivery> {
        self.list(&narrowed(&format!("/v1/webhooks/{webhook}/deliveries"), query))
    }

    /// A delivery, with every try at its receiver.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delivery(&self, delivery: &str) -> Result<Delivery, Error> {
        self.get(&format!("/v1/webhook-deliveries/{delivery}")).await
    }

    /// Has a delivery that was accepted or given up told again, under the same id. It takes no idempotency key: one that is outstanding
    /// stays so, and a receiver keeps the ids.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn replay_delivery(&self, delivery: &str) -> Result<Delivery, Error> {
        self.post_unkeyed(&format!("/v1/webhook-deliveries/{delivery}/replay"), None::<&()>).await
    }

    /// Has everything told again that happened at `since` or later (RFC 3339, with its offset) and was accepted or given up; answers how
    /// many deliveries that are. As [`Client::replay_delivery`] it takes no idempotency key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn replay_webhook(&self, webhook: &str, since: &str) -> Result<u64, Error> {
        let body = Replay { since };
        let told: Replayed = self.post_unkeyed(&format!("/v1/webhooks/{webhook}/replay"), Some(&body)).await?;
        Ok(told.replayed)
    }
}
