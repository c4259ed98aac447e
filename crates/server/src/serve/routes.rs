//! The channels of the settings, with their sites, for the executor.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ark::Vault;
use ark::keys::KeyUse;
use node::executor::Patience;
use store::Database;

use crate::config::{ArkProfile, ChannelConfig, Config};
use crate::shell::executor::{Executor, Route, Routes};
use crate::shell::flights::Flights;
use crate::shell::site::ChannelSites;
use crate::shell::{Clock, Platform};

/// What carries attempts out over the channels of the settings.
///
/// # Errors
/// What is wrong with a channel, by its name.
pub(super) fn executor(
    config: &Config,
    platform: &Platform,
    clock: &Clock,
    (vault, store): (&Arc<Vault>, &Arc<Database>),
    keys: &Arc<dyn KeyUse>,
) -> Result<Executor> {
    let mut routes = BTreeMap::new();
    for entry in &config.channels {
        let route = route(config, entry, keys).with_context(|| format!("channel {}", entry.name))?;
        let rail = route.channel.manifest().rail;
        if routes.insert(rail, route).is_some() {
            bail!(
                "channel {}: another channel carries {} already; one channel carries one rail",
                entry.name,
                rail.name()
            );
        }
    }
    Ok(Executor {
        platform: platform.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        store: store.clone(),
        routes: Routes::new(routes),
        flights: Flights::default(),
        patience: Patience { first_ms: config.executor.query_first_ms, max_ms: config.executor.query_max_ms },
    })
}

fn route(config: &Config, entry: &ChannelConfig, keys: &Arc<dyn KeyUse>) -> Result<Route> {
    refuse_clear_key(config, entry)?;
    let channel = channels::registry::with_keys(&entry.name, &entry.settings, keys)?;
    let settles_ms = u64::try_from(channel.manifest().settle_delay_ms).unwrap_or_default();
    for site in entry.sites(&config.executor)? {
        if settles_ms <= site.timeout_ms {
            // Else a query could overtake a request that is still on its way and take "not found" for the end of it.
            bail!(
                "site '{}' waits {} ms for an answer, and the channel settles after {settles_ms} ms: set a shorter timeout_ms \
                 for it, or for the executor",
                site.name,
                site.timeout_ms
            );
        }
    }
    let sites = Arc::new(ChannelSites::new(channel.manifest().rail, entry, &config.executor)?);
    Ok(Route { channel, sites })
}

/// Refuses a channel's key in the settings of a production: whoever reads them would sign as the institution.
fn refuse_clear_key(config: &Config, entry: &ChannelConfig) -> Result<()> {
    let key = entry.settings.get("key").and_then(serde_json::Value::as_str);
    if config.ark.profile == ArkProfile::Production && key.is_some_and(|key| !key.starts_with("ark:")) {
        bail!(
            "ark.profile = \"production\", and its key stands in the settings: bring it with `lintel ark keys take-in \
             channel/NAME` and name it there, as \"ark:channel/NAME\""
        );
    }
    Ok(())
}
