//! What the fund does in part: it holds, or captures, less than it was asked for, and its answer says how much.
//!
//! A part is drawn by seed and serial number, as every fault. What of a hold was not captured is free: the hold is used up.

use serde::{Deserialize, Serialize};

use super::names::{Serial, Verb};
use super::plan::{Draw, WHOLE, draw};

/// Which holds and captures are of a part, and of which. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartPlan {
    /// So many of 10,000 holds.
    pub hold: u32,
    /// So many of 10,000 captures.
    pub capture: u32,
    /// So many of 10,000 of the amount that is asked for, rounded down; a fen at least.
    pub share: u32,
    /// Never more than this, in fen; 0 is no bound.
    pub at_most: i64,
}

impl Default for PartPlan {
    fn default() -> Self {
        Self { hold: 0, capture: 0, share: 5_000, at_most: 0 }
    }
}

impl PartPlan {
    /// The first of its figures that is more than 10,000, by its name; or a bound below 0.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let whole = |rate: u32| u64::from(rate) <= WHOLE;
        let fits = [("hold", whole(self.hold)), ("capture", whole(self.capture)), ("share", whole(self.share))];
        let wrong = fits.into_iter().chain([("at_most", self.at_most >= 0)]).find(|(_, fits)| !fits);
        wrong.map(|(name, _)| name)
    }

    /// What is done of `amount` under a serial number, in fen: all of it, or a part.
    pub(crate) fn done(&self, seed: u64, serial: Serial, verb: Verb, amount: i64) -> i64 {
        let rate = match verb {
            Verb::Hold => self.hold,
            Verb::Capture => self.capture,
            Verb::Debit | Verb::Refund | Verb::Pay | Verb::Release | Verb::Redirect => return amount,
        };
        if draw(seed, Draw::Part, serial) % WHOLE >= u64::from(rate) {
            return amount;
        }
        let share = i128::from(amount) * i128::from(self.share) / i128::from(WHOLE);
        let share = i64::try_from(share).unwrap_or(amount);
        let bounded = if self.at_most > 0 { share.min(self.at_most) } else { share };
        bounded.clamp(amount.min(1), amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_share_or_a_bound_of_what_is_asked_for_and_never_more() {
        let serial = "2026030500000000000000570000057".parse().unwrap();
        let always = PartPlan { hold: 10_000, capture: 10_000, ..PartPlan::default() };
        assert_eq!(always.done(7, serial, Verb::Capture, 300_001), 150_000);
        assert_eq!(always.done(7, serial, Verb::Hold, 1), 1, "a fen is no part");
        assert_eq!(always.done(7, serial, Verb::Debit, 300_001), 300_001);
        let bounded = PartPlan { share: 10_000, at_most: 200_000, ..always };
        assert_eq!(bounded.done(7, serial, Verb::Capture, 300_000), 200_000);
        assert_eq!(bounded.done(7, serial, Verb::Capture, 199_999), 199_999);
        assert_eq!(PartPlan::default().done(7, serial, Verb::Capture, 300_000), 300_000);
    }

    #[test]
    fn a_plan_of_parts_that_cannot_be_is_named() {
        assert_eq!(PartPlan::default().wrong(), None);
        assert_eq!(PartPlan { share: 10_001, ..PartPlan::default() }.wrong(), Some("share"));
        assert_eq!(PartPlan { at_most: -1, ..PartPlan::default() }.wrong(), Some("at_most"));
    }
}
