//! The wire of a day: what the plan lets go wrong between node and banks, and the connections that lie ready.

use domain::attempt::Rail;

use super::plan::{Faults, WHOLE};
use crate::network::Network;
use crate::sites::{Down, down};
use crate::world::{Event, World};

/// A connection that nobody used for so long is closed, as the server's pools close theirs.
const IDLE_MS: i64 = 90_000;

impl World {
    /// How a site is down now, if it is.
    pub(crate) fn down_now(&self, rail: Rail, site: usize) -> Option<Down> {
        let Some(day) = &self.day else { return down(self.seed, self.weather.site_down, rail, site, self.now) };
        let (sick, at, how) = day.plan.outage();
        let is_down = (rail, site) == (sick, at) && (day.outage.0..day.outage.1).contains(&self.now);
        is_down.then_some(how)
    }

    /// Takes a connection that lies ready; false if there is none.
    pub(crate) fn takes_connection(&mut self, rail: Rail, site: usize) -> bool {
        let now = self.now;
        let Some(day) = &mut self.day else { return false };
        let Some(idle) = day.idle.get_mut(&(rail, site)) else { return false };
        idle.retain(|since| now - since < IDLE_MS);
        idle.pop().is_some()
    }

    /// How long a connection to a site that lets nothing pass is waited for.
    pub(crate) fn connect_ms(&self) -> i64 {
        self.day.as_ref().map_or(1, |day| day.plan.connect_timeout_ms())
    }

    /// Something ended in the outage.
    pub(crate) fn is_cut(&mut self) {
        if let Some(day) = &mut self.day {
            day.counts.cut += 1;
        }
    }

    /// How long each copy of a request is on its way.
    pub(crate) fn request_ways(&mut self) -> Vec<i64> {
        let Some(day) = &mut self.day else { return Network::ways(self.weather, &mut self.random) };
        let Faults { doubled, request_ms: (least, most), .. } = day.plan.faults;
        let twice = self.random.below(WHOLE) < doubled;
        day.counts.doubled += u64::from(twice);
        (0..=u8::from(twice)).map(|_| self.random.between(least, most)).collect()
    }

    /// How long each copy of an answer is on its way, from the bank on; none: it is lost.
    pub(crate) fn answer_ways(&mut self) -> Vec<i64> {
        let timeout_ms = self.terms.timeout_ms;
        let Some(day) = &mut self.day else { return Network::ways(self.weather, &mut self.random) };
        let Faults { lost, slow, slow_ms, doubled, answer_ms: (least, most), .. } = day.plan.faults;
        let (drawn, twice) = (self.random.below(WHOLE), self.random.below(WHOLE) < doubled);
        if drawn < lost {
            day.counts.lost += 1;
            return Vec::new();
        }
        day.counts.doubled += u64::from(twice);
        if drawn < lost + slow {
            day.counts.slow += 1;
            return vec![timeout_ms + self.random.between(1, slow_ms)];
        }
        (0..=u8::from(twice)).map(|_| self.random.between(least, most)).collect()
    }

    /// Probes a site: its answer comes, or its time-out does.
    pub(crate) fn probes_site(&mut self, rail: Rail, site: usize) {
        let (down, life, timeout_ms) = (self.down_now(rail, site), self.life, self.terms.timeout_ms);
        let answers = self.answer_ways().into_iter().min().filter(|ms| *ms <= timeout_ms);
        let (ms, answered) = match (down, answers) {
            (None, Some(ms)) => (ms, true),
            (Some(Down::Refuses), _) => (1, false),
            (Some(Down::Cut | Down::Mute), _) | (None, None) => (timeout_ms, false),
        };
        self.after(ms, Event::Probed(life, rail, site, answered));
    }

    /// A probe ended.
    pub(crate) fn probed(&mut self, rail: Rail, site: usize, answered: bool) {
        let now = self.machine_ms();
        if let Some(sites) = self.node.as_mut().and_then(|node| node.sites.get_mut(&rail)) {
            sites.probed(now, site, answered);
        }
        self.note(rail);
    }
}
