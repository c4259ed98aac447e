//! The sites of a channel (网联 and banks have several): through which one the next call goes, and which is to be let alone.
//! A step machine; whoever owns network and clock drives it.
//!
//! ```text
//!          N probes in a row fail, and the traffic agrees │ the traffic alone says so
//!  UP ────────┬─ the others can carry the peak ─────────────────► DRAINED  weight 0
//!   ▲         └─ they cannot ─► KEPT  an alarm; looked at again        │ hold-down over (or nobody else is well), M probes answer
//!   │                            └ well again ─► UP                    ▼
//!   └───────────────── 100 % ◄─ hold ─ 25 % ◄─ hold ─ 5 % ◄─ hold ─ 1 %  RAMP ─ sick again ─► DRAINED, held down for twice as long
//! ```
//! - New requests go by smooth weighted round robin over weight × share ([`Wheel`]): at 8:1 any nine picks are 8 and 1.
//!   Queries and requests that could not be written go by a wheel of their own, around the site that just failed them, so
//!   that they do not bend it. Pages that payers' browsers are sent to go by a third, for no call of ours tells how they end.
//! - One site's failures never stop a channel, and a channel's [`circuit`] stops sends only, never queries.
//! - The last site is never drained: there is nobody to carry the peak.
//! - Nothing here sends anything a second time: a call under way at a site that is drained ends by its time-out, and its
//!   flight ([`crate::executor`]) queries the same serial, through another site.
//! - Times are milliseconds of a clock that never goes back. A site is known by its place in the settings.

use std::collections::BTreeMap;

pub mod circuit;
mod traffic;
mod wheel;

use circuit::{Circuit, CircuitState, CircuitTerms};
pub use traffic::Sums;
use traffic::{Peak, Window};
pub use wheel::Wheel;

/// The shares of its weight that a site which comes back gets one after the other, in percent; then all of it.
pub const RAMP: [u32; 3] = [1, 5, 25];
/// The largest weight.
pub const WEIGHT_MAX: u32 = 1_000;
/// How long a call waits that finds every site full, in milliseconds.
const FULL_MS: u64 = 20;

/// A site as the settings have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTerms {
    /// What it is called.
    pub name: String,
    /// Its share of new requests, against the others'; at most [`WEIGHT_MAX`]. 0 takes it out.
    pub weight: u32,
    /// Calls a second that it can carry; 0: as many as come.
    pub capacity: u32,
    /// Calls that may be under way there at once; at least 1.
    pub connections: u32,
}

/// When a site is taken out, and how it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerTerms {
    /// The distance between probes of a site, in milliseconds.
    pub probe_every_ms: u64,
    /// So many probes in a row that fail make a site suspect.
    pub probe_failures: u32,
    /// So many that are answered let it come back.
    pub probe_answers: u32,
    /// How far back the traffic is looked at, in milliseconds.
    pub window_ms: u64,
    /// Fewer calls in the window say nothing.
    pub calls_min: u32,
    /// The share of failed calls that confirms what probes say, in percent.
    pub confirm_percent: u32,
    /// The share that needs no probes, in percent.
    pub trip_percent: u32,
    /// How long a drained site stays out, in milliseconds; twice as long each time it fails while it comes back.
    pub hold_down_ms: u64,
    /// At most so long, in milliseconds.
    pub hold_down_max_ms: u64,
    /// How long it stays at each share of [`RAMP`], in milliseconds.
    pub ramp_step_ms: u64,
    /// Calls a second that the channel must be able to carry, if more than were seen in the last hour.
    pub peak: u32,
    /// The breaker of the whole channel.
    pub circuit: CircuitTerms,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// An operation: it moves money and is written once.
    Send,
    /// A question that changes nothing.
    Query,
}

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Through this site. Say how it ended: [`Sites::ended`].
    Site(usize),
    /// Nowhere now; ask again after so many milliseconds.
    Later {
        /// Milliseconds.
        ms: u64,
    },
}

/// Why a site is taken for sick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Probes, and the traffic does not say otherwise.
    Probes,
    /// The traffic.
    Traffic,
}

impl Cause {
    /// The name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probes => "probes",
            Self::Traffic => "traffic",
        }
    }
}

/// Where a site stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It gets its weight.
    Up,
    /// It is sick, and the others cannot carry the peak.
    Kept,
    /// It gets nothing new before `until_ms`.
    Drained {
        /// The end of its hold-down.
        until_ms: u64,
    },
    /// It gets the share of [`RAMP`] with this number since `since_ms`.
    Ramp {
        /// Which share.
        step: usize,
        /// Since when.
        since_ms: u64,
    },
}

impl Health {
    /// The name in API, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Kept => "kept",
            Self::Drained { .. } => "drained",
            Self::Ramp { .. } => "ramp",
        }
    }

    /// The number that metrics show: 0 up, 1 ramp, 2 kept, 3 drained.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Up => 0,
            Self::Ramp { .. } => 1,
            Self::Kept => 2,
            Self::Drained { .. } => 3,
        }
    }

    /// How much of its weight it gets, in percent.
    #[must_use]
    pub fn percent(self) -> u32 {
        match self {
            Self::Up | Self::Kept => 100,
            Self::Drained { .. } => 0,
            Self::Ramp { step, .. } => RAMP.get(step).copied().unwrap_or(100),
        }
    }
}

/// Something that changed, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A site is sick, and gets nothing new.
    Drained {
        /// Which.
        site: usize,
        /// By what it was seen.
        cause: Cause,
        /// How long at least, in milliseconds.
        hold_down_ms: u64,
    },
    /// A site is sick, and the others cannot carry the peak.
    Kept {
        /// Which.
        site: usize,
        /// By what it was seen.
        cause: Cause,
        /// The peak, in calls a second.
        peak: u32,
    },
    /// A site comes back with a share of its weight.
    Ramped {
        /// Which.
        site: usize,
        /// The share, in percent.
        percent: u32,
    },
    /// A site is well, with all of its weight.
    Up {
        /// Which.
        site: usize,
    },
    /// The channel's breaker moved.
    Circuit(CircuitState),
    /// Other weights are in force.
    Weights,
}

/// A site as it stands, for whoever looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is called.
    pub name: String,
    /// The weight in force.
    pub weight: u32,
    /// The weight of the settings.
    pub settings_weight: u32,
    /// Calls a second that it can carry; 0: as many as come.
    pub capacity: u32,
    /// Where it stands.
    pub health: Health,
    /// Calls under way.
    pub open: u32,
    /// How its calls of late ended.
    pub sums: Sums,
    /// Probes in a row that failed.
    pub probe_failures: u32,
}

#[derive(Debug, Clone)]
struct Site {
    terms: SiteTerms,
    weight: u32,
    health: Health,
    /// How long it stays out the next time.
    hold_down_ms: u64,
    window: Window,
    failures: u32,
    answers: u32,
    probe_at_ms: u64,
    probing: bool,
    open: u32,
}

/// The sites of a channel.
#[derive(Debug, Clone)]
pub struct Sites {
    sites: Vec<Site>,
    terms: BreakerTerms,
    fresh: Wheel,
    again: Wheel,
    pages: Wheel,
    /// The weights that the wheels turn by.
    shares: Vec<u32>,
    circuit: Circuit,
    /// Where the breaker stood at the last look.
    noted: CircuitState,
    peak: Peak,
    changes: Vec<Change>,
}

impl Sites {
    /// A channel's sites, all up; there must be one.
    #[must_use]
    pub fn new(sites: Vec<SiteTerms>, terms: BreakerTerms) -> Self {
        let count = sites.len();
        let circuit = Circuit::new(terms.circuit, terms.calls_min, terms.window_ms);
        let apart = terms.probe_every_ms / (count as u64).max(1);
        let begun = (0_u64..).zip(sites).map(|(number, site)| Site {
            weight: site.weight.min(WEIGHT_MAX),
            health: Health::Up,
            hold_down_ms: terms.hold_down_ms,
            window: Window::new(terms.window_ms),
            failures: 0,
            answers: 0,
            probe_at_ms: number.saturating_mul(apart),
            probing: false,
            open: 0,
            terms: site,
        });
        let (fresh, again, pages, peak) = (Wheel::new(count), Wheel::new(count), Wheel::new(count), Peak::new());
        let (sites, shares, noted, changes) = (begun.collect(), Vec::new(), circuit.state(), Vec::new());
        let mut all = Self { sites, terms, fresh, again, pages, shares, circuit, noted, peak, changes };
        all.share();
        all
    }

    /// Chooses the site of a call that is written at once; `avoid` is the one that just failed it. The caller says how the
    /// call ended.
    pub fn pick(&mut self, now_ms: u64, errand: Errand, avoid: Option<usize>) -> Pick {
        if errand == Errand::Send {
            let admitted = self.circuit.admit(now_ms);
            self.note_circuit();
            if let Err(ms) = admitted {
                return Pick::Later { ms };
            }
        }
        let free = |at: usize| self.sites.get(at).is_some_and(|site| site.open < site.terms.connections.max(1));
        let open_to = |but: Option<usize>| -> Vec<u32> {
            let shares = self.shares.iter().enumerate();
            shares.map(|(at, share)| if Some(at) != but && free(at) { *share } else { 0 }).collect()
        };
        let mut weights = open_to(avoid);
        if avoid.is_some() && weights.iter().all(|weight| *weight == 0) {
            weights = open_to(None);
        }
        let wheel = if errand == Errand::Send && avoid.is_none() { &mut self.fresh } else { &mut self.again };
        let Some(at) = wheel.next(&weights) else { return Pick::Later { ms: FULL_MS } };
        self.sites[at].open = self.sites[at].open.saturating_add(1);
        self.peak.add(now_ms);
        Pick::Site(at)
    }

    /// Chooses the site of a page that a payer's browser is sent to, by the shares of new requests. A site that is drained gets
    /// none; where nobody is well, the weights alone count, as for what is to be asked.
    pub fn page(&mut self) -> usize {
        self.pages.next(&self.shares).unwrap_or_default()
    }

    /// Says how a call through a site ended: `answered` unless no answer came, or one that is an error of the other side's
    /// own.
    pub fn ended(&mut self, now_ms: u64, site: usize, answered: bool) {
        let Some(site) = self.sites.get_mut(site) else { return };
        site.open = site.open.saturating_sub(1);
        site.window.add(now_ms, !answered);
        self.circuit.ended(now_ms, !answered);
        self.note_circuit();
        if !answered {
            self.judge(now_ms);
        }
    }

    /// Says that nobody waits for a call through a site any more: how it ends is not known and proves nothing.
    pub fn abandoned(&mut self, site: usize) {
        if let Some(site) = self.sites.get_mut(site) {
            site.open = site.open.saturating_sub(1);
        }
    }

    /// The sites to probe now. Each is probed again only after [`Self::probed`].
    pub fn probes(&mut self, now_ms: u64) -> Vec<usize> {
        let mut due = Vec::new();
        for (at, site) in self.sites.iter_mut().enumerate() {
            if !site.probing && now_ms >= site.probe_at_ms {
                site.probing = true;
                site.probe_at_ms = now_ms.saturating_add(self.terms.probe_every_ms);
                due.push(at);
            }
        }
        due
    }

    /// Says whether a probe was answered.
    pub fn probed(&mut self, now_ms: u64, site: usize, answered: bool) {
        let Some(site) = self.sites.get_mut(site) else { return };
        site.probing = false;
        (site.failures, site.answers) =
            if answered { (0, site.answers.saturating_add(1)) } else { (site.failures.saturating_add(1), 0) };
        self.judge(now_ms);
    }

    /// Time passes. To be called some times a second.
    pub fn tick(&mut self, now_ms: u64) {
        self.circuit.pass(now_ms);
        self.note_circuit();
        self.judge(now_ms);
    }

    /// Puts other weights in force, by name; a site that is not named gets that of the settings. Names that are no site's
    /// are given back.
    pub fn set_weights<'a>(&mut self, weights: &'a BTreeMap<String, u32>) -> Vec<&'a str> {
        for site in &mut self.sites {
            site.weight = weights.get(&site.terms.name).copied().unwrap_or(site.terms.weight).min(WEIGHT_MAX);
        }
        self.changes.push(Change::Weights);
        self.share();
        let known = |name: &str| self.sites.iter().any(|site| site.terms.name == name);
        weights.keys().map(String::as_str).filter(|name| !known(name)).collect()
    }

    /// What changed since the last time this was asked.
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// How the sites stand.
    pub fn standing(&mut self, now_ms: u64) -> Vec<Standing> {
        let stands = |site: &mut Site| Standing {
            name: site.terms.name.clone(),
            weight: site.weight,
            settings_weight: site.terms.weight,
            capacity: site.terms.capacity,
            health: site.health,
            open: site.open,
            sums: site.window.sums(now_ms),
            probe_failures: site.failures,
        };
        self.sites.iter_mut().map(stands).collect()
    }

    /// How the channel's breaker stands, and how calls over all its sites ended of late.
    pub fn circuit(&mut self, now_ms: u64) -> (CircuitState, Sums) {
        (self.circuit.state(), self.circuit.sums(now_ms))
    }

    /// Calls a second that the channel must be able to carry.
    pub fn peak(&mut self, now_ms: u64) -> u32 {
        self.peak.get(now_ms).max(self.terms.peak)
    }

    /// Looks at every site, and moves those that are due.
    fn judge(&mut self, now_ms: u64) {
        for at in 0..self.sites.len() {
            let sick = self.sickness(at, now_ms);
            match (self.sites[at].health, sick) {
                (Health::Up | Health::Kept | Health::Ramp { .. }, Some(cause)) if self.others_carry(at, now_ms) => {
                    self.drain(at, cause, now_ms);
                }
                (Health::Up, Some(cause)) => {
                    let peak = self.peak(now_ms);
                    self.becomes(at, Health::Kept, Change::Kept { site: at, cause, peak });
                }
                (Health::Kept, None) => self.becomes(at, Health::Up, Change::Up { site: at }),
                (Health::Drained { until_ms }, _) => {
                    let answers = self.sites[at].answers >= self.terms.probe_answers.max(1);
                    if answers && (now_ms >= until_ms || self.nobody_else_is_well(at, now_ms)) {
                        self.sites[at].window.clear();
                        self.ramp(at, 0, now_ms);
                    }
                }
                (Health::Ramp { step, since_ms }, None) => {
                    if now_ms.saturating_sub(since_ms) >= self.terms.ramp_step_ms {
                        self.ramp(at, step.saturating_add(1), now_ms);
                    }
                }
                (Health::Up, None) | (Health::Kept | Health::Ramp { .. }, Some(_)) => {}
            }
        }
    }

    /// Why a site is sick, if it is.
    fn sickness(&mut self, at: usize, now_ms: u64) -> Option<Cause> {
        let (terms, site) = (self.terms, self.sites.get_mut(at)?);
        let sums = site.window.sums(now_ms);
        let probes_fail = site.failures >= terms.probe_failures.max(1);
        // Who comes back is on trial, and few calls go there: as many as probes would take are enough.
        let least = match site.health {
            Health::Ramp { .. } => terms.probe_failures.min(terms.calls_min),
            Health::Up | Health::Kept | Health::Drained { .. } => terms.calls_min,
        };
        if sums.fail(least, terms.trip_percent) {
            return Some(Cause::Traffic);
        }
        // Where there is too little traffic to ask, the probes are all there is.
        let agrees = sums.calls < terms.calls_min.max(1) || sums.fail(terms.calls_min, terms.confirm_percent);
        (probes_fail && agrees).then_some(Cause::Probes)
    }

    /// Whether the channel can do without a site at its busiest.
    fn others_carry(&mut self, without: usize, now_ms: u64) -> bool {
        let peak = self.peak(now_ms);
        let mut carried = 0_u32;
        for at in (0..self.sites.len()).filter(|at| *at != without) {
            let Site { weight, health, terms, .. } = &self.sites[at];
            let (weight, capacity) = (*weight, terms.capacity);
            // One that comes back is taken for whole: if all others fail, it is what there is.
            let takes = weight > 0 && !matches!(health, Health::Drained { .. });
            if !takes || self.sickness(at, now_ms).is_some() {
                continue;
            }
            if capacity == 0 {
                return true;
            }
            carried = carried.saturating_add(capacity);
        }
        carried > 0 && carried >= peak
    }

    fn nobody_else_is_well(&mut self, but: usize, now_ms: u64) -> bool {
        let others = (0..self.sites.len()).filter(|at| *at != but);
        let mut others = others.filter(|at| self.sites[*at].weight > 0).collect::<Vec<_>>().into_iter();
        others.all(|at| matches!(self.sites[at].health, Health::Drained { .. }) || self.sickness(at, now_ms).is_some())
    }

    fn drain(&mut self, at: usize, cause: Cause, now_ms: u64) {
        let site = &mut self.sites[at];
        let hold_down_ms = site.hold_down_ms;
        site.hold_down_ms = hold_down_ms.saturating_mul(2).min(self.terms.hold_down_max_ms.max(hold_down_ms));
        site.answers = 0;
        let until_ms = now_ms.saturating_add(hold_down_ms);
        self.becomes(at, Health::Drained { until_ms }, Change::Drained { site: at, cause, hold_down_ms });
    }

    fn ramp(&mut self, at: usize, step: usize, now_ms: u64) {
        let health = Health::Ramp { step, since_ms: now_ms };
        match RAMP.get(step) {
            Some(percent) => self.becomes(at, health, Change::Ramped { site: at, percent: *percent }),
            None => {
                self.sites[at].hold_down_ms = self.terms.hold_down_ms;
                self.becomes(at, Health::Up, Change::Up { site: at });
            }
        }
    }

    fn becomes(&mut self, at: usize, health: Health, change: Change) {
        self.sites[at].health = health;
        self.changes.push(change);
        self.share();
    }

    /// Makes the weights that the wheels turn by: weight × share. If nobody has any, the weights alone, for something must
    /// carry what is to be asked; and if those are zero, everyone alike.
    fn share(&mut self) {
        let shares = |of: &dyn Fn(&Site) -> u32| self.sites.iter().map(of).collect::<Vec<_>>();
        let ways = [
            shares(&|site| site.weight.saturating_mul(site.health.percent())),
            shares(&|site| site.weight),
            shares(&|_| 1),
        ];
        let found = ways.into_iter().find(|shares| shares.iter().any(|share| *share > 0)).unwrap_or_default();
        if found != self.shares {
            self.shares = found;
            self.fresh.reset();
            self.again.reset();
            self.pages.reset();
        }
    }

    fn note_circuit(&mut self) {
        let state = self.circuit.state();
        if std::mem::replace(&mut self.noted, state) != state {
            self.changes.push(Change::Circuit(state));
        }
    }
}
