//! The rules of the settings, and what they ask of channels: which are configured, how often each succeeds.
//!
//! ```text
//!  start ─► the file is read and checked: a rule that cannot be, or names only channels that are not there, or for payouts one that pays
//!           nothing out, keeps it from starting
//!  a payment that names no channel ─► rates of success, at most ten seconds old ─► `channels::routing` ─► its instrument
//!  a payout, where several pay out ─► the same, of what left                    ─► `channels::routing` ─► its row
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use channels::routing::{Asked, Known, Paying, Route, Routing};
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

/// Rates of success of what comes in, and of what goes out.
#[derive(Clone)]
struct Success {
    paid_in: BTreeMap<ChannelName, Rate>,
    paid_out: BTreeMap<ChannelName, Rate>,
}

/// Rates of success, and when they were read.
type Read = (Instant, Success);

/// How tries ended, by channel.
type Counted = BTreeMap<ChannelName, Ends>;

/// What chooses channels.
#[derive(Clone)]
pub(crate) struct Router {
    routing: Arc<Routing>,
    configured: BTreeSet<ChannelName>,
    /// Those that payouts may leave by.
    paying_out: Vec<ChannelName>,
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
    /// The rules of the settings, for the channels that are configured, and whether each pays to bank accounts.
    ///
    /// # Errors
    /// As [`read`]; a rule none of whose channels is configured; one for payouts with a channel that pays nothing out.
    pub(crate) fn new(
        config: &RoutingConfig,
        channels: &BTreeMap<ChannelName, bool>,
        store: Arc<Database>,
        clock: Clock,
    ) -> Result<Self> {
        let days = config.success_days;
        if !(1..=DAYS).contains(&days) {
            bail!("routing.success_days is {days}: use 1 to {DAYS} days");
        }
        let routing = if config.file.as_os_str().is_empty() { Routing::default() } else { read(&config.file)? };
        let configured: BTreeSet<_> = channels.keys().cloned().collect();
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
        let cannot =
            |name: &&String| ChannelName::parse(name).and_then(|name| channels.get(&name)).is_some_and(|pays| !pays);
        for rule in routing.rules.iter().filter(|rule| rule.is_for_payouts()) {
            if let Some(name) = rule.channels.iter().find(cannot) {
                bail!(
                    "routing.file: rule '{}' sends payouts over {name}, which pays nothing to bank accounts: take it out of \
                     the rule",
                    rule.name
                );
            }
        }
        let pays = |(name, pays): &(&ChannelName, &bool)| **pays && Paying::Payout.travels(name.rail);
        let paying_out = channels.iter().filter(pays).map(|(name, _)| name.clone()).collect();
        let (routing, read) = (Arc::new(routing), Arc::default());
        Ok(Self { routing, configured, paying_out, days, store, clock, read })
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
        let Success { paid_in, paid_out } = self.success().await?;
        let success = match asked.paying {
            Paying::DebitCard | Paying::CreditCard | Paying::Redirect => paid_in,
            Paying::Payout => paid_out,
        };
        let known = Known { configured: self.configured.clone(), success };
        Ok((self.routing.route(asked, &known), known.success))
    }

    /// The channels that are configured and may carry this.
    pub(crate) fn offered(&self, paying: Paying) -> Vec<ChannelName> {
        match paying {
            Paying::DebitCard | Paying::CreditCard | Paying::Redirect => self.configured.iter().cloned().collect(),
            Paying::Payout => self.paying_out.clone(),
        }
    }

    /// The channels that payouts may leave by, the first before further ones. With fewer than two there is nothing to choose.
    pub(crate) fn paying_out(&self) -> &[ChannelName] {
        &self.paying_out
    }

    async fn success(&self) -> Result<Success, StoreError> {
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
        let (mut came_in, mut went_out) = (Counted::new(), Counted::new());
        for (key, row) in rows {
            match key.direction {
                Direction::In => came_in.entry(key.channel).or_default().add(&row),
                Direction::Out => went_out.entry(key.channel).or_default().add(&row),
                Direction::Back | Direction::Check | Direction::SignUp => {}
            }
        }
        let rates = |counted: Counted| counted.into_iter().map(|(name, ends)| (name, ends.effective())).collect();
        let success = Success { paid_in: rates(came_in), paid_out: rates(went_out) };
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), success.clone()));
        Ok(success)
    }
}
