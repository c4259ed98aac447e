//! Settings of webhooks: how many deliveries at once, how long each is tried, what is kept of them.

use anyhow::{Result, bail};
use node::webhook::WebhookTerms;
use serde::Deserialize;

/// The most deliveries at once: each takes a connection.
const MOST_AT_ONCE: usize = 10_000;
/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// How webhooks are told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhooksConfig {
    pub(crate) at_once: usize,
    pub(crate) at_once_per_merchant: usize,
    pub(crate) timeout_ms: u64,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) retry_first_ms: i64,
    pub(crate) retry_max_ms: i64,
    pub(crate) give_up_ms: i64,
    pub(crate) keep_days: i64,
    pub(crate) private_addresses: bool,
}

impl WebhooksConfig {
    /// What the turns go by.
    ///
    /// # Errors
    /// A number that sends nothing or has no end, by the name of its setting.
    pub(crate) fn terms(&self) -> Result<WebhookTerms> {
        let Self { at_once, at_once_per_merchant, retry_first_ms, retry_max_ms, give_up_ms, .. } = *self;
        if !(1..=MOST_AT_ONCE).contains(&at_once) {
            bail!("webhooks.at_once is {at_once}: use 1 to {MOST_AT_ONCE} deliveries");
        }
        if !(1..=at_once).contains(&at_once_per_merchant) {
            bail!(
                "webhooks.at_once_per_merchant is {at_once_per_merchant}: use 1 to webhooks.at_once, which is {at_once}"
            );
        }
        for (name, value) in [("timeout_ms", self.timeout_ms), ("connect_timeout_ms", self.connect_timeout_ms)] {
            if !(1..=60_000).contains(&value) {
                bail!("webhooks.{name} is {value}: use 1 to 60000 ms, for a slow receiver holds a place so long");
            }
        }
        let times = [
            ("retry_first_ms", retry_first_ms, DAY_MS),
            ("retry_max_ms", retry_max_ms, DAY_MS),
            ("give_up_ms", give_up_ms, 30 * DAY_MS),
            ("keep_days", self.keep_days, 3_650),
        ];
        for (name, value, most) in times {
            if !(1..=most).contains(&value) {
                bail!("webhooks.{name} is {value}: use 1 to {most}");
            }
        }
        Ok(WebhookTerms {
            per_merchant: at_once_per_merchant,
            overall: at_once,
            first_retry_ms: retry_first_ms,
            max_retry_ms: retry_max_ms,
            give_up_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_setting_that_sends_nothing_or_never_ends_is_refused_by_name() {
        let load = |line: &str| Config::load(None, &[line.to_owned()]).map(|config| config.webhooks);
        let terms = load("log=text").unwrap().terms().unwrap();
        assert_eq!((terms.give_up_ms, terms.first_retry_ms), (86_400_000, 5_000));
        for (name, wrong) in [
            ("at_once", "0"),
            ("at_once_per_merchant", "1000"),
            ("timeout_ms", "60001"),
            ("connect_timeout_ms", "0"),
            ("retry_first_ms", "0"),
            ("retry_max_ms", "-1"),
            ("give_up_ms", "0"),
            ("keep_days", "0"),
        ] {
            let refused = load(&format!("webhooks.{name}={wrong}")).unwrap_err();
            assert!(format!("{refused:#}").contains(&format!("webhooks.{name} is {wrong}")), "{refused:#}");
        }
    }
}
