//! What left in the last hour, and in each hour of the last seven days.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::Outflow;
use crate::envelope::Time;
use crate::money::Minor;

/// The last hour is kept in so many parts, so "the last hour" is 50 to 60 minutes long.
pub const SLOTS: i64 = 6;
/// So many hours give the baseline: seven days.
pub const HOURS: i64 = 7 * 24;

const HOUR_MS: i64 = 3_600_000;

/// What left in a sixth of an hour, or in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Part {
    /// Which, since 1970.
    #[n(0)]
    pub number: i64,
    /// Minor units.
    #[n(1)]
    pub amount: Minor,
}

fn slot_at(at: Time) -> i64 {
    at.0.div_euclid(HOUR_MS / SLOTS)
}

fn hour_at(at: Time) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

impl Outflow {
    /// What of the last hour counts against the bound.
    #[must_use]
    pub fn last_hour(&self, now: Time) -> Minor {
        let first = slot_at(now) - SLOTS + 1;
        let counted = self.recent.iter().filter(|slot| slot.number >= first);
        counted.fold(0, |sum, slot| sum.saturating_add(slot.amount))
    }

    /// What left in the busiest hour of the last seven days, the running one left out: the baseline.
    #[must_use]
    pub fn busiest_hour(&self, now: Time) -> Minor {
        let running = hour_at(now);
        let earlier = self.hours.iter().filter(|hour| (running - HOURS..running).contains(&hour.number));
        earlier.map(|hour| hour.amount).max().unwrap_or(0)
    }

    /// What an hour may come to now, in minor units; none if no bound was set.
    #[must_use]
    pub fn bound_at(&self, now: Time) -> Option<Minor> {
        let bound = self.bound.as_ref()?;
        let usual = i128::from(self.busiest_hour(now)) * i128::from(bound.percent) / 100;
        Some(bound.floor.max(Minor::try_from(usual).unwrap_or(Minor::MAX)))
    }

    /// Takes note of what leaves, and lets go of what is too old to matter.
    pub(super) fn add(&mut self, at: Time, amount: Minor, counts: bool) {
        if counts {
            add(&mut self.recent, slot_at(at), amount, SLOTS - 1);
        }
        add(&mut self.hours, hour_at(at), amount, HOURS);
    }
}

/// Adds to a part, and lets go of those that are more than `kept` before it.
fn add(parts: &mut Vec<Part>, number: i64, amount: Minor, kept: i64) {
    match parts.iter_mut().rev().find(|part| part.number == number) {
        Some(part) => part.amount = part.amount.saturating_add(amount),
        None => parts.push(Part { number, amount }),
    }
    parts.retain(|part| part.number >= number - kept);
}
