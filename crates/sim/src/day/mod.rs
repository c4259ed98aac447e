//! A day of many orders under one committed plan: load curve, faults, an outage in the busiest minutes. What comes of it is counted
//! as `docs/simulator.md`, "A day", says.
//!
//! ```text
//!  plan ─► opening (wallets filled) ─► midnight: the day before is cut, later closed
//!           └ orders by the curve ─► World, as for a seed: engine, executor, sites, bank ─► midnight: cut
//!                └ faults of the plan ─┘                                                      └ next day's file ─► figures, laws
//! ```
//! The world is that of the seeds; this module adds customers that come by a curve ([`curve`], [`orders`]), a wire with the plan's
//! faults ([`wire`]), and what is watched meanwhile ([`picks`], [`Watch`]).

use std::collections::{BTreeMap, BTreeSet};

use domain::attempt::Rail;
use domain::ids::{AccountId, MerchantId, OrderId, PayoutId};
use domain::{Refusal, Reply};
use node::site::{Change, Errand};

mod chances;
mod curve;
mod figures;
mod money;
mod orders;
mod picks;
mod plan;
mod run;
mod wire;

pub use figures::{Figures, Rate};
pub(crate) use plan::Plan;
pub use plan::PlanError;
pub(crate) use run::date;
pub use run::{DayOutcome, run_day};

use picks::Picks;

/// How often what happened on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Answers that never came.
    pub(crate) lost: u64,
    /// Answers that came after their caller gave up.
    pub(crate) slow: u64,
    /// Messages that arrived twice.
    pub(crate) doubled: u64,
    /// Messages and connections that ended in the outage.
    pub(crate) cut: u64,
    /// Operations that were written.
    pub(crate) operations: u64,
    /// Queries that were written.
    pub(crate) queries: u64,
}

/// What is seen of the outage. Times are the world's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// When the site was first taken for sick.
    pub(crate) found_at: Option<i64>,
    /// When the last call through it ended that was begun before it came back.
    pub(crate) ended_at: Option<i64>,
    /// When it came back with a share of its weight.
    pub(crate) back_at: Option<i64>,
    /// When it had all of it again.
    pub(crate) up_at: Option<i64>,
    /// Sites that were taken out though nothing ailed them.
    pub(crate) mistaken: u64,
}

/// A day under way.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) plan: Plan,
    /// Midnight.
    starts_at: i64,
    /// When each order comes, after midnight.
    arrivals: Vec<i64>,
    /// When the outage begins and ends.
    outage: (i64, i64),
    wallets: Vec<AccountId>,
    merchants: Vec<MerchantId>,
    /// Requests without an answer.
    waiting: BTreeSet<u64>,
    orders: Vec<OrderId>,
    payouts: Vec<PayoutId>,
    /// Refusals by code.
    refused: BTreeMap<&'static str, u64>,
    /// Connections that nobody uses, by rail and site: since when.
    idle: BTreeMap<(Rail, usize), Vec<i64>>,
    picks: BTreeMap<Rail, Picks>,
    watch: Watch,
    counts: Counts,
}

impl Day {
    /// A day that begins at `starts_at`.
    pub(crate) fn new(plan: Plan, starts_at: i64) -> Self {
        let busiest = curve::busiest(&plan.curve, usize::try_from(plan.outage.minutes).unwrap_or(1));
        let begins = starts_at + i64::try_from(busiest).unwrap_or(0) * curve::MINUTE_MS;
        let outage = (begins, begins + i64::from(plan.outage.minutes) * curve::MINUTE_MS);
        let rails = plan.channels.keys().filter_map(|rail| Rail::parse(rail));
        let picks = rails.map(|rail| (rail, Picks::new(&plan.sites.weights))).collect();
        Self {
            plan,
            starts_at,
            arrivals: Vec::new(),
            outage,
            wallets: Vec::new(),
            merchants: Vec::new(),
            waiting: BTreeSet::new(),
            orders: Vec::new(),
            payouts: Vec::new(),
            refused: BTreeMap::new(),
            idle: BTreeMap::new(),
            picks,
            watch: Watch::default(),
            counts: Counts::default(),
        }
    }

    /// A customer hears an answer.
    fn hears(&mut self, number: u64, result: &Result<Reply, Refusal>) {
        if !self.waiting.remove(&number) {
            return;
        }
        match result {
            Ok(Reply::Order(id)) => self.orders.push(*id),
            Ok(Reply::Payout(id)) => self.payouts.push(*id),
            Ok(_) => {}
            Err(refusal) => *self.refused.entry(refusal.code.name()).or_default() += 1,
        }
    }

    /// A site was picked for a call.
    pub(crate) fn picked(&mut self, rail: Rail, site: usize, errand: Errand, is_again: bool) {
        match errand {
            Errand::Send => self.counts.operations += 1,
            Errand::Query => self.counts.queries += 1,
        }
        if errand == Errand::Send
            && !is_again
            && let Some(picks) = self.picks.get_mut(&rail)
        {
            picks.add(site);
        }
    }

    /// A call through a site ended, by an answer or without one.
    pub(crate) fn ended(&mut self, now: i64, rail: Rail, site: usize, answered: Option<bool>) {
        if answered == Some(true) {
            self.idle.entry((rail, site)).or_default().push(now);
        }
        let (sick, at, _) = self.plan.outage();
        if (rail, site) == (sick, at) && now >= self.outage.0 && self.watch.back_at.is_none() {
            self.watch.ended_at = Some(now);
        }
    }

    /// A rail's sites changed; `even`: all have all of their weight now.
    pub(crate) fn changed(&mut self, now: i64, rail: Rail, change: &Change, even: bool) {
        if let Some(picks) = self.picks.get_mut(&rail) {
            picks.changed(even);
        }
        let (sick, at, _) = self.plan.outage();
        let is_it = |site: usize| (rail, site) == (sick, at);
        let begun = now >= self.outage.0;
        let watch = &mut self.watch;
        match change {
            Change::Drained { site, .. } | Change::Kept { site, .. } => {
                let ailing = is_it(*site) && begun && now < self.outage.1;
                watch.mistaken += u64::from(!ailing);
                if ailing {
                    watch.found_at = watch.found_at.or(Some(now));
                }
            }
            Change::Ramped { site, .. } if is_it(*site) && begun => watch.back_at = watch.back_at.or(Some(now)),
            Change::Up { site } if is_it(*site) && begun => watch.up_at = watch.up_at.or(Some(now)),
            Change::Ramped { .. } | Change::Up { .. } | Change::Circuit(_) | Change::Weights => {}
        }
    }
}
