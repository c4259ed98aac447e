//! Two sites for each channel: when they are down, which is the seed's to say, and the step machine of `node::site` that sends
//! each call through one of them, as the server's shell drives it. The bank behind them is one.

use std::collections::BTreeMap;

use domain::attempt::Rail;
use domain::ids::AttemptId;
use node::site::{Change, Errand, Health, Pick, SiteTerms, Sites};

use crate::node::Channels;
use crate::random::Random;
use crate::terms::Terms;
use crate::world::World;

/// The sites of a channel.
const NAMES: [&str; 2] = ["first", "second"];
/// A site is down, or not, for so long.
const SPELL_MS: i64 = 20_000;
/// What a site that is down does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    /// It takes no connection.
    Refuses,
    /// What comes in reaches the bank, and nothing comes back.
    Mute,
    /// Nothing passes: what is written on a connection that was open is lost, and no new one is made.
    Cut,
}

/// The sites of all channels, for a life that begins.
pub(crate) fn fresh(channels: &Channels, terms: &Terms) -> BTreeMap<Rail, Sites> {
    let Terms { capacity, connections, breaker, .. } = *terms;
    let site = |(name, weight): (&str, u32)| SiteTerms { name: name.to_owned(), weight, capacity, connections };
    let sites = || NAMES.into_iter().zip(terms.weights).map(site).collect();
    channels.keys().map(|rail| (*rail, Sites::new(sites(), breaker))).collect()
}

/// Whether a site is down at `now`, in so many of 1,000 spells.
pub(crate) fn down(seed: u64, rate: u64, rail: Rail, site: usize, now: i64) -> Option<Down> {
    let spell = u64::try_from(now / SPELL_MS).expect("time is after 1970");
    let site = u64::try_from(site).expect("there are two");
    let place = ((rail as u64 + 1) << 56) | ((site + 1) << 48);
    let mut random = Random::new(seed ^ place ^ spell);
    random.chance(rate).then(|| if random.chance(500) { Down::Refuses } else { Down::Mute })
}

impl World {
    /// The clock of the sites.
    pub(crate) fn machine_ms(&self) -> u64 {
        u64::try_from(self.now).expect("time is after 1970")
    }

    /// The site of a call, and how it is down; or how long to wait.
    pub(crate) fn picks(&mut self, id: AttemptId, rail: Rail, errand: Errand) -> Result<Option<Down>, i64> {
        let now = self.machine_ms();
        let Some(node) = &mut self.node else { return Ok(None) };
        let (Some(sites), Some(carried)) = (node.sites.get_mut(&rail), node.flights.get_mut(&id)) else {
            return Ok(None);
        };
        let is_again = carried.avoid.is_some();
        let picked = sites.pick(now, errand, carried.avoid);
        match picked {
            Pick::Site(site) => {
                carried.site = Some(site);
                self.note(rail);
                if let Some(day) = &mut self.day {
                    day.picked(rail, site, errand, is_again);
                }
                let down = self.down_now(rail, site);
                self.say("executor", format_args!("{id} goes through the {} site, {down:?}", NAMES[site]));
                Ok(down)
            }
            Pick::Later { ms } => Err(i64::try_from(ms).expect("a wait is short")),
        }
    }

    /// A call ended: `None` if its end will never be known.
    pub(crate) fn site_ended(&mut self, id: AttemptId, answered: Option<bool>) {
        let now = self.machine_ms();
        let Some(node) = &mut self.node else { return };
        let Some(carried) = node.flights.get_mut(&id) else { return };
        let rail = carried.flight.attempt().rail;
        let (Some(site), Some(sites)) = (carried.site.take(), node.sites.get_mut(&rail)) else { return };
        match answered {
            Some(answered) => {
                carried.avoid = (!answered).then_some(site);
                sites.ended(now, site, answered);
            }
            None => sites.abandoned(site),
        }
        let at = self.now;
        if let Some(day) = &mut self.day {
            day.ended(at, rail, site, answered);
        }
        self.note(rail);
    }

    /// Time passes for the sites, and those that are due are probed.
    pub(crate) fn probes_sites(&mut self) {
        let now = self.machine_ms();
        let Some(node) = &mut self.node else { return };
        let mut due = Vec::new();
        for (rail, sites) in &mut node.sites {
            sites.tick(now);
            due.extend(sites.probes(now).into_iter().map(|site| (*rail, site)));
        }
        for (rail, site) in due {
            if self.day.is_some() {
                self.probes_site(rail, site);
                continue;
            }
            let is_up = self.down_now(rail, site).is_none();
            if let Some(sites) = self.node.as_mut().and_then(|node| node.sites.get_mut(&rail)) {
                sites.probed(now, site, is_up);
            }
        }
        for rail in self.network.channels.keys().copied().collect::<Vec<_>>() {
            self.note(rail);
        }
    }

    /// Takes down what changed at a rail's sites.
    pub(crate) fn note(&mut self, rail: Rail) {
        let (at, now) = (self.now, self.machine_ms());
        let Some(sites) = self.node.as_mut().and_then(|node| node.sites.get_mut(&rail)) else { return };
        let changes = sites.changes();
        if changes.is_empty() {
            return;
        }
        let even = sites.standing(now).iter().all(|site| site.health == Health::Up);
        for change in changes {
            self.stats.drained += u64::from(matches!(change, Change::Drained { .. }));
            self.say("sites", format_args!("{}: {change:?}", rail.name()));
            if let Some(day) = &mut self.day {
                day.changed(at, rail, &change, even);
            }
        }
    }
}
