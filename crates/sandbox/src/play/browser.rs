//! A payer's browser: posts the form that the platform gave to the shop, and clicks on the network's page or leaves it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::stage::text;
use crate::bank::unionpay::form::Form;

/// How long a payer tries to get to a page, and the pause between two tries.
const TRIES_FOR: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// A browser of one payer.
#[derive(Debug, Clone)]
pub(super) struct Browser(pub(super) reqwest::Client);

impl Browser {
    /// Posts the form of a front page; where the page does not come, again for a while, as a payer does who reloads. Then the payer
    /// pays, or leaves. What the browser is told goes back to the shop, which is none of the platform's business. False if the
    /// page never came: its site went down after the form was made, and the payer gave up.
    ///
    /// # Errors
    /// If the form is none, or the page has nothing to click.
    pub(super) async fn visit(&self, front_page: &Value, pays: bool) -> Result<bool> {
        let action = text(front_page, "action")?;
        let fields = front_page.get("fields").and_then(Value::as_array).context("a front page without 'fields'")?;
        let pair = |field: &Value| Ok((text(field, "name")?, text(field, "value")?));
        let pairs = fields.iter().map(pair).collect::<Result<Vec<_>>>()?;
        let form = Form::default().with(pairs.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let began = Instant::now();
        let page = loop {
            if let Some(page) = self.post(&action, &form).await {
                break page;
            }
            if began.elapsed() > TRIES_FOR {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        };
        let click = if pays { "pay" } else { "leave" };
        let (path, form) = clicked(&page, click).with_context(|| format!("no '{click}' on the page: {page}"))?;
        let house: Vec<&str> = action.splitn(4, '/').take(3).collect();
        self.post(&format!("{}{path}", house.join("/")), &form).await;
        Ok(true)
    }

    /// The page that came, if one did.
    async fn post(&self, url: &str, form: &Form) -> Option<String> {
        let request = self.0.post(url).header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form.posted()).send().await.ok()?;
        if response.status().is_success() { response.text().await.ok() } else { None }
    }
}

/// Where the form of a page goes that does this, and its fields.
fn clicked(page: &str, click: &str) -> Option<(String, Form)> {
    let value = |text: &str, name: &str| -> Option<String> {
        let (_, rest) = text.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    page.split("<form ").skip(1).find_map(|form| {
        let inputs = form.split("<input ").skip(1);
        let pairs: Vec<_> = inputs.filter_map(|input| Some((value(input, "name")?, value(input, "value")?))).collect();
        pairs.iter().any(|(name, value)| name == "action" && value == click).then_some(())?;
        let fields = pairs.iter().map(|(name, value)| (name.as_str(), value.clone()));
        Some((value(form, "action")?, Form::default().with(fields)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_posts_the_form_that_does_it() {
        let page = "<form method=\"post\" action=\"/a\"><input type=\"hidden\" name=\"o\" value=\"7\">\
            <input type=\"hidden\" name=\"action\" value=\"pay\"></form><form method=\"post\" action=\"/b\">\
            <input name=\"action\" value=\"leave\"></form>";
        let (path, form) = clicked(page, "pay").unwrap();
        assert_eq!((path.as_str(), form.posted().as_str()), ("/a", "action=pay&o=7"));
        assert_eq!(clicked(page, "leave").unwrap().0, "/b");
        assert!(clicked(page, "steal").is_none());
    }
}
