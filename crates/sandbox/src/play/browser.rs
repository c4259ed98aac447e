//! A payer's browser: posts the form that the platform gave to the shop, and clicks on UnionPay's page or leaves it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::text;
use crate::bank::unionpay::form::Form;

/// A browser of one payer.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    http: reqwest::Client,
    bank: String,
}

impl Browser {
    /// One that finds UnionPay at `bank`.
    pub(super) fn new(http: reqwest::Client, bank: &str) -> Self {
        Self { http, bank: bank.to_owned() }
    }

    /// Posts the form of a front page; where the page does not come, once more, as a payer does. Then the payer pays, or leaves.
    /// What the browser is told goes back to the shop, which is none of the platform's business.
    ///
    /// # Errors
    /// If the page does not come the second time either.
    pub(super) async fn visit(&self, front_page: &Value, pays: bool) -> Result<()> {
        let action = text(front_page, "action")?;
        let fields = front_page.get("fields").and_then(Value::as_array).context("a front page without 'fields'")?;
        let pair = |field: &Value| Ok((text(field, "name")?, text(field, "value")?));
        let pairs = fields.iter().map(pair).collect::<Result<Vec<_>>>()?;
        let form = Form::default().with(pairs.iter().map(|(name, value)| (name.as_str(), value.clone())));
        if !self.post(&action, &form).await {
            ensure!(self.post(&action, &form).await, "UnionPay's page does not come, twice");
        }
        let order = form.get("orderId").context("a form without 'orderId'")?.to_owned();
        let click = if pays { "pay" } else { "leave" };
        let click = Form::default().with([("orderId", order), ("action", click.to_owned())]);
        self.post(&format!("{}/gateway/pay.do", self.bank), &click).await;
        Ok(())
    }

    /// Whether a page came.
    async fn post(&self, url: &str, form: &Form) -> bool {
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.posted()).send().await.is_ok_and(|response| response.status().is_success())
    }
}
