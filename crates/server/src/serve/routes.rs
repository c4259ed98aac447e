//! The ways out of the settings: channels with their sites, for the executor; receivers of webhooks.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ark::Vault;
use ark::keys::KeyUse;
use channels::OperationKind;
use domain::channel::ChannelName;
use node::executor::Patience;
use store::Database;
use tokio::sync::watch;

use super::left_off::LeftOff;
use crate::config::{ArkProfile, ChannelConfig, Config};
use crate::shell::executor::{Executor, Route, Routes};
use crate::shell::flights::Flights;
use crate::shell::routing::Router;
use crate::shell::site::ChannelSites;
use crate::shell::webhook::{Receivers, WebhookDesk, Webhooks};
use crate::shell::{Clock, Platform};
use crate::tls;

/// What carries attempts out over the channels of the settings; what is off at one is told in the log.
///
/// # Errors
/// What is wrong with a channel, by its name.
pub(super) fn executor(
    config: &Config,
    (platform, clock): (&Platform, &Clock),
    (vault, store): (&Arc<Vault>, &Arc<Database>),
    (keys, off): (&Arc<dyn KeyUse>, &LeftOff),
) -> Result<Executor> {
    let mut routes = BTreeMap::new();
    for entry in &config.channels {
        let (name, route) = route(config, entry, keys).with_context(|| format!("channel {}", entry.name))?;
        off.tell((&name, route.channel.manifest()), entry);
        if routes.insert(name.clone(), route).is_some() {
            let remedy = if name.rail.has_further() {
                format!("a further one has an id of its own, such as id = \"{}_b\"", name.rail.name())
            } else {
                "one channel alone does".to_owned()
            };
            bail!("channel {}: another channel carries {name} already; {remedy}", entry.name);
        }
    }
    refuse_further_alone(&routes)?;
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

/// What chooses channels.
///
/// # Errors
/// Rules that cannot be.
pub(super) fn router(config: &Config, executor: &Executor, (store, clock): (&Arc<Database>, &Clock)) -> Result<Router> {
    let pays_out = |route: &Route| route.channel.manifest().supported(OperationKind::Pay).is_some();
    let channels = executor.routes.iter().map(|(name, route)| (name.clone(), pays_out(route))).collect();
    Router::new(&config.routing, &channels, store.clone(), clock.clone())
}

/// What tells webhooks, and the way to it; `written` is the position of the last checkpoint.
///
/// # Errors
/// Settings that cannot be.
pub(super) fn webhooks(
    config: &Config,
    platform: &Platform,
    (store, written): (&Arc<Database>, watch::Receiver<u64>),
    keys: &Arc<dyn KeyUse>,
    sandbox: bool,
) -> Result<(Webhooks, WebhookDesk)> {
    let receivers = Receivers::new(&config.webhooks, sandbox, keys.clone())?;
    Webhooks::new(&config.webhooks, platform.clone(), store.clone(), receivers, written)
}

/// Refuses a further channel of a rail without the first: whatever names none, and what went out before there were others, goes there.
fn refuse_further_alone(routes: &BTreeMap<ChannelName, Route>) -> Result<()> {
    let alone = |name: &&ChannelName| !routes.contains_key(&ChannelName::from(name.rail));
    match routes.keys().find(alone) {
        None => Ok(()),
        Some(name) => {
            let first = name.rail.name();
            bail!("channel {name}: no channel is called {first}; leave the id of one out, which is called so then")
        }
    }
}

fn route(config: &Config, entry: &ChannelConfig, keys: &Arc<dyn KeyUse>) -> Result<(ChannelName, Route)> {
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
    let name = entry.called(channel.manifest().rail)?;
    let sites = Arc::new(ChannelSites::new(&name, entry, &config.executor)?);
    Ok((name, Route { channel, sites }))
}

/// Refuses secrets in the settings of a production: of channels, whatever they call them, since whoever reads them would sign as the
/// institution; passwords in addresses of databases, but in the environment; and private keys in files that others may read.
pub(super) fn refuse_clear_secrets(config: &Config) -> Result<()> {
    if config.ark.profile != ArkProfile::Production {
        return Ok(());
    }
    for ChannelConfig { name, settings, .. } in &config.channels {
        if let Some(setting) = channels::registry::clear_secrets(name, settings).first() {
            bail!(
                "ark.profile = \"production\", and `{setting}` of channel {name} stands in the settings: bring it with `lintel ark keys \
                 take-in channel/NAME` and name it there, as \"ark:channel/NAME\" (a secret that the channel hashes: as \
                 \"ark:NAME=ark:v1:…\", which `lintel ark encrypt NAME --context channel={name}` writes)"
            );
        }
    }
    if let Some(setting) = config.clear_passwords.first() {
        let variable = format!("LINTEL_SET_{}", setting.to_uppercase().replace('.', "__"));
        bail!(
            "ark.profile = \"production\", and {setting} has a password in the settings file or on the command line: give the address by \
             the environment ({variable}=…), or let the database know this process without one (peer, on its own socket)"
        );
    }
    for (setting, path) in config.key_files() {
        tls::refuse_shared(&setting, path)?;
    }
    Ok(())
}

/// Refuses channels without TLS, or without a certificate of this side, unless the books are a sandbox's or the settings say so by
/// name.
///
/// # Errors
/// The channel, the site and what is missing.
pub(super) fn refuse_open_channels(config: &Config, sandbox: bool) -> Result<()> {
    if sandbox {
        return Ok(());
    }
    for channel in &config.channels {
        channel.refuse_open_ways(&config.executor).with_context(|| format!("channel {}", channel.name))?;
    }
    Ok(())
}
