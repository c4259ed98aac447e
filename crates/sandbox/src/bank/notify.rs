//! Notifications: outcomes and returns, posted to the platform without being asked.
//!
//! Each is posted once and never again, so one can be lost, as in life. The id is made of the event: what is told
//! twice has the same id twice.

use ark::MacKey;

use super::body::Notification;
use super::names::Serial;
use super::sign;

#[derive(Debug)]
pub(crate) struct Notifier {
    url: String,
    key: MacKey,
    client: reqwest::Client,
}

impl Notifier {
    pub(crate) fn new(url: String, key: MacKey) -> Self {
        Self { url, key, client: reqwest::Client::new() }
    }

    /// Posts it in a task of its own.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub(crate) fn send(&self, serial: Serial, notification: &Notification) {
        let event = match notification {
            Notification::Answered(_) => "answered",
            Notification::Returned(_) => "returned",
        };
        let id = format!("N-{serial}-{event}");
        let body = serde_json::to_vec(notification).expect("texts and whole numbers always have a JSON form");
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-signature", sign::notification(&self.key, &id, &body))
            .header("x-nonce", id)
            .body(body);
        // Nobody waits for the platform's receipt.
        tokio::spawn(async move { drop(request.send().await) });
    }
}
