//! The plan of a day: one committed TOML file with its load curve, its faults and its seed. [`DEFAULT`] is it, and explains each
//! field.

use std::collections::BTreeMap;
use std::sync::Arc;

use channels::{Channel, ChannelError};
use domain::attempt::Rail;
use node::executor::Patience;
use node::site::BreakerTerms;
use node::site::circuit::CircuitTerms;
use sandbox::bank;
use serde::Deserialize;

use crate::node::Channels;
use crate::sites::Down;
use crate::terms::Terms;

/// The plan that is run unless another is named.
pub(crate) const DEFAULT: &str = sandbox::day_plan::DAY_PLAN;

/// What rates are of.
pub(crate) const WHOLE: u64 = 10_000;
/// Sites of each rail.
const SITES: usize = 2;
/// A call lasts no longer: less than the channels' settling delay, on which "not found" rests.
const LATEST_MS: i64 = 4_000;

/// A day.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) orders: u64,
    pub(crate) people: u64,
    pub(crate) merchants: u64,
    pub(crate) file_at_minutes: u32,
    pub(crate) laws_every: u64,
    pub(crate) curve: Vec<u32>,
    pub(crate) mix: Mix,
    pub(crate) faults: Faults,
    pub(crate) bank: bank::Plan,
    pub(crate) outage: Outage,
    pub(crate) sites: SitesPlan,
    executor: ExecutorPlan,
    breaker: BreakerPlan,
    pub(crate) channels: BTreeMap<String, ChannelPlan>,
    pub(crate) aims: Aims,
}

/// Of 10,000 orders.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mix {
    pub(crate) card_by_epcc: u64,
    pub(crate) card_by_unionpay: u64,
    pub(crate) fund_and_card: u64,
    pub(crate) payout: u64,
}

/// Of 10,000 messages.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) slow: u64,
    pub(crate) slow_ms: i64,
    pub(crate) doubled: u64,
    pub(crate) request_ms: (i64, i64),
    pub(crate) answer_ms: (i64, i64),
}

/// A site that is down in the busiest minutes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outage {
    rail: String,
    site: usize,
    pub(crate) minutes: u32,
    how: How,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Cut,
    Refuses,
    Mute,
}

/// The sites of each rail.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SitesPlan {
    pub(crate) weights: [u32; SITES],
    capacity: u32,
    connections: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecutorPlan {
    timeout_ms: i64,
    connect_timeout_ms: i64,
    query_first_ms: u64,
    query_max_ms: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerPlan {
    probe_every_ms: u64,
    probe_failures: u32,
    probe_answers: u32,
    window_ms: u64,
    calls_min: u32,
    confirm_percent: u32,
    trip_percent: u32,
    hold_down_ms: u64,
    hold_down_max_ms: u64,
    ramp_step_ms: u64,
    channel_percent: u32,
    channel_open_ms: u64,
    channel_trial_ms: u64,
    channel_answers: u32,
}

/// A channel of the registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelPlan {
    pub(crate) name: String,
    pub(crate) settings: serde_json::Value,
}

impl ChannelPlan {
    fn open(&self) -> Result<Arc<dyn Channel>, ChannelError> {
        channels::by_name(&self.name, &self.settings)
    }
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aims {
    pub(crate) effective_in_percent: f64,
    pub(crate) effective_out_percent: f64,
    pub(crate) first_try_percent: f64,
    pub(crate) found_within_ms: i64,
    pub(crate) drained_within_ms: i64,
}

/// A plan that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not TOML, or an unknown, missing or ill-typed field.
    #[error("the plan of the day cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value that no day can have.
    #[error("the plan of the day: {0}")]
    Value(String),
}

fn no<T>(what: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError::Value(what.into()))
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`] naming the value that is wrong and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let Mix { card_by_epcc, card_by_unionpay, fund_and_card, payout } = self.mix;
        let mixed = card_by_epcc + card_by_unionpay + fund_and_card + payout;
        if mixed != WHOLE {
            return no(format!("[mix] makes {mixed} of 10,000 orders; it must make 10,000"));
        }
        if self.orders == 0 || self.people == 0 || self.merchants == 0 || self.laws_every == 0 {
            return no("`orders`, `people`, `merchants` and `laws_every` are 1 at least");
        }
        if self.curve.len() != 24 || self.curve.iter().all(|weight| *weight == 0) {
            return no(format!("`curve` has {} hours; a day has 24, not all of them 0", self.curve.len()));
        }
        let Faults { lost, slow, slow_ms, doubled, request_ms, answer_ms } = self.faults;
        if lost + slow > WHOLE || doubled > WHOLE {
            return no(format!(
                "[faults]: lost {lost} and slow {slow} of 10,000, doubled {doubled}: that is more than all"
            ));
        }
        let ordered = |(least, most): (i64, i64)| 0 < least && least <= most && most < self.executor.timeout_ms;
        if !ordered(request_ms) || !ordered(answer_ms) || slow_ms < 1 {
            return no(
                "[faults]: `request_ms` and `answer_ms` are [least, most] below `timeout_ms`; `slow_ms` is above 0",
            );
        }
        let timeout_ms = self.executor.timeout_ms;
        if timeout_ms > LATEST_MS {
            return no(format!(
                "[executor]: timeout_ms is {timeout_ms}; {LATEST_MS} is the most, below the settling delay"
            ));
        }
        if self.file_at_minutes >= 24 * 60 {
            return no(format!("`file_at_minutes` is {}; the next day has 1440", self.file_at_minutes));
        }
        self.check_outage()
    }

    fn check_outage(&self) -> Result<(), PlanError> {
        let Outage { rail, site, minutes, .. } = &self.outage;
        if !(1..=SITES).contains(site) || *minutes == 0 || *minutes > 24 * 60 {
            return no(format!(
                "[outage]: site {site} for {minutes} minutes; the sites are 1 and 2, minutes 1 to 1440"
            ));
        }
        if Rail::parse(rail).is_none() || !self.channels.contains_key(rail) {
            return no(format!("[outage]: `{rail:.20}` is no rail of [channels]"));
        }
        for (rail, channel) in &self.channels {
            if Rail::parse(rail).is_none() {
                return no(format!("[channels]: `{rail:.20}` is no rail: epcc, unionpay and fund are"));
            }
            if let Err(error) = channel.open() {
                return no(format!("[channels.{rail}]: {error}"));
            }
        }
        Ok(())
    }

    /// The rail and the site, from 0, that is down, and how.
    pub(crate) fn outage(&self) -> (Rail, usize, Down) {
        let how = match self.outage.how {
            How::Cut => Down::Cut,
            How::Refuses => Down::Refuses,
            How::Mute => Down::Mute,
        };
        (Rail::parse(&self.outage.rail).unwrap_or(Rail::Epcc), self.outage.site.saturating_sub(1), how)
    }

    /// The channels by rail.
    pub(crate) fn channels(&self) -> Channels {
        self.channels.iter().filter_map(|(rail, channel)| Some((Rail::parse(rail)?, channel.open().ok()?))).collect()
    }

    /// How long a connection is waited for, in milliseconds.
    pub(crate) const fn connect_timeout_ms(&self) -> i64 {
        self.executor.connect_timeout_ms
    }

    /// The node's settings.
    pub(crate) fn terms(&self) -> Terms {
        let ExecutorPlan { timeout_ms, query_first_ms, query_max_ms, .. } = self.executor;
        let from = self.breaker;
        let circuit = CircuitTerms {
            percent: from.channel_percent,
            open_ms: from.channel_open_ms,
            trial_ms: from.channel_trial_ms,
            answers: from.channel_answers,
        };
        let breaker = BreakerTerms {
            probe_every_ms: from.probe_every_ms,
            probe_failures: from.probe_failures,
            probe_answers: from.probe_answers,
            window_ms: from.window_ms,
            calls_min: from.calls_min,
            confirm_percent: from.confirm_percent,
            trip_percent: from.trip_percent,
            hold_down_ms: from.hold_down_ms,
            hold_down_max_ms: from.hold_down_max_ms,
            ramp_step_ms: from.ramp_step_ms,
            peak: 0,
            circuit,
        };
        Terms {
            timeout_ms,
            patience: Patience { first_ms: query_first_ms, max_ms: query_max_ms },
            breaker,
            weights: self.sites.weights,
            capacity: self.sites.capacity,
            connections: self.sites.connections,
            at_once: true,
            tick_ms: (250, 250),
            checkpoint_ms: (30_000, 30_000),
            merged: 10,
            laws_every: self.laws_every,
            // An order takes some thirty steps, time itself half a million.
            steps_max: self.orders.saturating_mul(100).saturating_add(2_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_plan_is_a_plan_with_the_issues_figures() {
        let plan = Plan::parse(DEFAULT).unwrap();
        let Faults { lost, slow, doubled, .. } = plan.faults;
        assert_eq!((plan.orders, lost, slow, doubled), (200_000, 100, 50, 10));
        assert_eq!((plan.outage(), plan.outage.minutes), ((Rail::Epcc, 0, Down::Cut), 10));
        assert_eq!(plan.sites.weights, [8, 1]);
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_by_name() {
        let refused = |from: &str, to: &str| {
            assert!(DEFAULT.contains(from), "{from}");
            Plan::parse(&DEFAULT.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert!(refused("payout = 1_800", "payout = 1_801").contains("makes 10001 of 10,000"));
        assert!(refused("lost = 100", "lost = 9_999").contains("more than all"));
        assert!(refused("lost = 100", "lots = 100").contains("lots"));
        assert!(refused("site = 1", "site = 3").contains("site 3"));
        assert!(refused("rail = \"epcc\"\nsite", "rail = \"epic\"\nsite").contains("`epic` is no rail"));
        assert!(refused("[channels.fund]", "[channels.fond]").contains("`fond` is no rail"));
        assert!(refused("timeout_ms = 2_000", "timeout_ms = 9_000").contains("settling delay"));
        assert!(refused("curve = [6, ", "curve = [").contains("`curve` has 23 hours"));
        assert!(refused("how = \"cut\"", "how = \"gone\"").contains("gone"));
    }
}
