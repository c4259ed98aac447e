//! The rules of the settings, and what they ask of channels: which are configured, how often each succeeds.
//!
//! ```text
//!  start ─► the file is read and checked: a rule that cannot be, or names only channels that are not there, keeps it from starting
//!  a payment that names no channel ─► rates of success, at most ten seconds old ─► `channels::routing` ─► its instrument
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use channels::routing::{Asked, Known, Route, Routing};
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::rates::Rate;
use domain::rates::channel::Direction;
use store::channel_rate::{self, Ends};
use store::{Database, StoreError};

use super::Clock;
use crate::config::RoutingConfig;

/// How old rates of success may be.
const FRESH: Duration = Duration::from_secs(10);
/// The most days that are looked at.
const DAYS: i32 = 31;

/// Rates of success, and when they were read.
type Read = (Instant, BTreeMap<ChannelName, Rate>);

/// What chooses channels.
#[derive(Clone)]
pub(crate) struct Router {
    routing: Arc<Routing>,
    configured: BTreeSet<ChannelName>,
    days: i32,
    store: Arc<Database>,
    clock: Clock,
    read: Arc<Mutex<Option<Read>>>,
}

/// Reads a file of rules and checks it.
///
/// # Errors
/// A file that does not read, by its line; a rule that cannot be, by its name.
pub(crate) fn read(path: &Path) -> Result<Routing> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading the rules of routing in {}", path.display()))?;
    let routing: Routing = toml::from_str(&text).with_context(|| format!("{} is no file of rules", path.display()))?;
    routing.check().with_context(|| format!("in {}", path.display()))?;
    Ok(routing)
}

impl Router {
    /// The rules of the settings, for the channels that are configured.
    ///
    /// # Errors
    /// As [`read`]; a rule none of whose channels is configured.
    pub(crate) fn new(
        config: &RoutingConfig,
        configured: BTreeSet<ChannelName>,
        store: Arc<Database>,
        clock: Clock,
    ) -> Result<Self> {
        let days = config.success_days;
        if !(1..=DAYS).contains(&days) {
            bail!("routing.success_days is {days}: use 1 to {DAYS} days");
        }
        let routing = if config.file.as_os_str().is_empty() { Routing::default() } else { read(&config.file)? };
        let is_there = |name: &String| ChannelName::parse(name).is_some_and(|name| configured.contains(&name));
        if let Some(rule) = routing.rules.iter().find(|rule| !rule.channels.iter().any(is_there)) {
            let there: Vec<_> = configured.iter().map(ChannelName::to_string).collect();
            bail!(
                "routing.file: rule '{}' names {}, and configured are {}: add the channel, or take the rule out",
                rule.name,
                rule.channels.join(", "),
                if there.is_empty() { "none".to_owned() } else { there.join(", ") },
            );
        }
        let (routing, read) = (Arc::new(routing), Arc::default());
        Ok(Self { routing, configured, days, store, clock, read })
    }

    /// Where this goes, and why.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn route(&self, asked: &Asked) -> Result<Route, StoreError> {
        Ok(self.explain(asked).await?.0)
    }

    /// As [`Self::route`], with the rates of success by which it was chosen.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn explain(&self, asked: &Asked) -> Result<(Route, BTreeMap<ChannelName, Rate>), StoreError> {
        let known = Known { configured: self.configured.clone(), success: self.success().await? };
        Ok((self.routing.route(asked, &known), known.success))
    }

    /// The channels that are configured.
    pub(crate) fn configured(&self) -> Vec<ChannelName> {
        self.configured.iter().cloned().collect()
    }

    async fn success(&self) -> Result<BTreeMap<ChannelName, Rate>, StoreError> {
        let held = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, success)) = held.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(success);
        }
        let (store, to) = (self.store.clone(), Date::in_shanghai(self.clock.now()));
        let from = to.plus_days(1 - self.days);
        let reading = move || channel_rate::between(&store, from, to);
        let rows = match tokio::task::spawn_blocking(reading).await {
            Ok(rows) => rows?,
            Err(error) => {
                let doing = "reading rates of success".to_owned();
                return Err(StoreError::Database { doing, reason: error.to_string() });
            }
        };
        let mut ends: BTreeMap<ChannelName, Ends> = BTreeMap::new();
        for (key, row) in rows.into_iter().filter(|(key, _)| key.direction == Direction::In) {
            ends.entry(key.channel).or_default().add(&row);
        }
        let success: BTreeMap<_, _> = ends.into_iter().map(|(name, ends)| (name, ends.effective())).collect();
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), success.clone()));
        Ok(success)
    }
}
