//! A person of the institution: an operator with a key and one-time codes of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ark::TotpSecret;
use serde_json::{Value, json};

use crate::api::Api;
use crate::play::stage::text;

/// An operator with its key and its codes.
pub(crate) struct Person {
    /// It signs with its own key.
    pub(crate) api: Api,
    secret: TotpSecret,
    /// The last step whose code was used; a code is used once.
    used: u64,
}

impl Person {
    /// Its first act: it enrols its codes. `api` signs with its own key.
    pub(crate) async fn enrol(api: Api, id: &str) -> Result<Self> {
        let made = api.post(&format!("/v1/operators/{id}/totp"), &format!("totp-{id}"), &json!({})).await?.json()?;
        let secret = TotpSecret::from_uri(&text(&made, "uri")?).context("the platform's link holds no secret")?;
        Ok(Self { api, secret, used: 0 })
    }

    /// A code of its own that was not used yet: of the step now, or the next one, which the platform takes too. Who used both waits until
    /// there is another.
    async fn code(&mut self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let step = (now.as_secs() / ark::totp::STEP_SECONDS).max(self.used + 1);
        self.used = step;
        let taken_from = step.saturating_sub(ark::totp::SKEW_STEPS).saturating_mul(ark::totp::STEP_SECONDS);
        tokio::time::sleep(Duration::from_secs(taken_from).saturating_sub(now)).await;
        self.secret.code(step)
    }

    /// Proposes something under an idempotency key; what is to be approved.
    pub(crate) async fn propose(&self, key: &str, proposal: &Value, reason: &str) -> Result<Value> {
        let body = json!({ "proposal": proposal, "reason": reason });
        self.api.post("/v1/approvals", key, &body).await?.json().with_context(|| format!("proposing {key}"))
    }

    /// Approves what another proposed; the id of what came of it.
    pub(crate) async fn approve(&mut self, proposed: &Value) -> Result<String> {
        text(&self.decide(proposed).await?, "outcome")
    }

    /// Approves what another proposed, of which no object comes; the approval.
    pub(crate) async fn decide(&mut self, proposed: &Value) -> Result<Value> {
        let approval = text(proposed, "id")?;
        let code = self.code().await;
        let body = json!({ "totp": code });
        let path = format!("/v1/approvals/{approval}/approve");
        self.api.post(&path, &format!("approve-{approval}"), &body).await?.json()
    }
}
