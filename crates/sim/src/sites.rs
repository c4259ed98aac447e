//! Two sites for each channel: when they are down, which is the seed's to say, and the step machine of `node::site` that sends
//! each call through one of them, as the server's shell drives it. The bank behind them is one.

use std::collections::BTreeMap;

use domain::attempt::Rail;
use domain::ids::AttemptId;
use node::site::circuit::CircuitTerms;
use node::site::{BreakerTerms, Change, Errand, Pick, SiteTerms, Sites};

use crate::node::Channels;
use crate::random::Random;
use crate::world::World;

/// The sites of a channel.
const NAMES: [&str; 2] = ["first", "second"];
/// A site is down, or not, for so long.
const SPELL_MS: i64 = 20_000;
/// A breaker for days that last minutes.
const TERMS: BreakerTerms = BreakerTerms {
    probe_every_ms: 1_000,
    probe_failures: 3,
    probe_answers: 3,
    window_ms: 10_000,
    calls_min: 10,
    confirm_percent: 20,
    trip_percent: 50,
    hold_down_ms: 5_000,
    hold_down_max_ms: 20_000,
    ramp_step_ms: 5_000,
    peak: 0,
    circuit: CircuitTerms { percent: 90, open_ms: 2_000, trial_ms: 500, answers: 3 },
};

/// What a site that is down does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    /// It takes no connection.
    Refuses,
    /// What comes in reaches the bank, and nothing comes back.
    Mute,
}

/// The sites of all channels, for a life that begins.
pub(crate) fn fresh(channels: &Channels) -> BTreeMap<Rail, Sites> {
    let site = |name: &str| SiteTerms { name: name.to_owned(), weight: 1, capacity: 0, connections: 1_000 };
    channels.keys().map(|rail| (*rail, Sites::new(NAMES.map(site).into(), TERMS))).collect()
}

/// Whether a site is down at `now`, in so many of 1,000 spells.
fn down(seed: u64, rate: u64, rail: Rail, site: usize, now: i64) -> Option<Down> {
    let spell = u64::try_from(now / SPELL_MS).expect("time is after 1970");
    let site = u64::try_from(site).expect("there are two");
    let place = ((rail as u64 + 1) << 56) | ((site + 1) << 48);
    let mut random = Random::new(seed ^ place ^ spell);
    random.chance(rate).then(|| if random.chance(500) { Down::Refuses } else { Down::Mute })
}

impl World {
    fn machine_ms(&self) -> u64 {
        u64::try_from(self.now).expect("time is after 1970")
    }

    /// The site of a call, and how it is down; or how long to wait.
    pub(crate) fn picks(&mut self, id: AttemptId, rail: Rail, errand: Errand) -> Result<Option<Down>, i64> {
        let now = self.machine_ms();
        let Some(node) = &mut self.node else { return Ok(None) };
        let (Some(sites), Some(carried)) = (node.sites.get_mut(&rail), node.flights.get_mut(&id)) else {
            return Ok(None);
        };
        let picked = sites.pick(now, errand, carried.avoid);
        match picked {
            Pick::Site(site) => {
                carried.site = Some(site);
                self.note(rail);
                let down = down(self.seed, self.weather.site_down, rail, site, self.now);
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
        self.note(rail);
    }

    /// Time passes for the sites, and those that are due are probed.
    pub(crate) fn probes_sites(&mut self) {
        let now = self.machine_ms();
        let Some(node) = &mut self.node else { return };
        for (rail, sites) in &mut node.sites {
            sites.tick(now);
            for site in sites.probes(now) {
                let is_up = down(self.seed, self.weather.site_down, *rail, site, self.now).is_none();
                sites.probed(now, site, is_up);
            }
        }
        let rails: Vec<Rail> = node.sites.keys().copied().collect();
        rails.into_iter().for_each(|rail| self.note(rail));
    }

    fn note(&mut self, rail: Rail) {
        let Some(sites) = self.node.as_mut().and_then(|node| node.sites.get_mut(&rail)) else { return };
        for change in sites.changes() {
            self.stats.drained += u64::from(matches!(change, Change::Drained { .. }));
            self.say("sites", format_args!("{}: {change:?}", rail.name()));
        }
    }
}
