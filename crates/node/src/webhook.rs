//! Whose turn it is among webhooks, and when a delivery is tried again: a step machine without clock, table or socket.
//!
//! ```text
//!  something of a webhook is ready ─► its lane wakes at that time
//!  turn ─► the next lane in a circle that is due, has a place of its merchant and of all, and does not rest ─► a look at its rows
//!  try ended ─ taken ─► the lane is well: as many at once as its merchant may
//!            └ not   ─► the lane is tried: one at once, and it rests 1, 2, 4 … seconds, at most a minute
//!                        the delivery ─► again after first, ×3, ×9 … at most `max`, until `give_up` after it came up ─► given up
//! ```
//! A dead receiver so costs one place a minute, not all that its merchant has; and no merchant has more than its share of the
//! places of all. What was outstanding for longer than `give_up` is tried once more all the same: the platform itself may have
//! stood still, or the webhook been disabled.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::ids::{MerchantId, WebhookId};
use store::webhook_delivery::{DeliveryId, Next};

/// The first rest of a lane whose receiver fails, and the longest.
const REST_MS: (i64, i64) = (1_000, 60_000);
/// Failures of a lane in a row before it rests: one may be anything.
const RESTS_AFTER: u32 = 2;

/// What the machine goes by. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookTerms {
    /// Deliveries of one merchant at once, at least 1.
    pub per_merchant: usize,
    /// Deliveries of all at once, at least 1.
    pub overall: usize,
    /// The pause after the first failure of a delivery.
    pub first_retry_ms: i64,
    /// The longest pause.
    pub max_retry_ms: i64,
    /// How long a delivery is tried.
    pub give_up_ms: i64,
}

impl WebhookTerms {
    /// What follows of a failed try that ended at `now`, of a delivery outstanding since `since` with so many tries, this one
    /// among them.
    #[must_use]
    pub fn after_failure(&self, now: i64, since: i64, tries: u32) -> Next {
        let end = since.saturating_add(self.give_up_ms);
        if now >= end {
            return Next::GivenUp;
        }
        let grown = 3_i64.saturating_pow(tries.saturating_sub(1)).saturating_mul(self.first_retry_ms);
        // The last try is at the very end.
        Next::Again { at: now.saturating_add(grown.min(self.max_retry_ms)).min(end) }
    }
}

/// One webhook.
#[derive(Debug)]
struct Lane {
    merchant: MerchantId,
    /// When its rows are worth a look; `None` while nothing is ready.
    due_at: Option<i64>,
    under_way: BTreeSet<u64>,
    failures: u32,
    rests_until: i64,
}

/// A look at the rows of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which one.
    pub webhook: WebhookId,
    /// How many may be sent now.
    pub places: usize,
    /// The positions of those that are under way: they are not sent twice.
    pub under_way: BTreeSet<u64>,
}

/// All webhooks for which something is outstanding.
#[derive(Debug)]
pub struct WebhookLanes {
    terms: WebhookTerms,
    lanes: BTreeMap<WebhookId, Lane>,
    by_merchant: BTreeMap<MerchantId, usize>,
    under_way: usize,
    /// Whose turn it was last.
    last: WebhookId,
}

impl WebhookLanes {
    /// Without anything outstanding.
    #[must_use]
    pub const fn new(terms: WebhookTerms) -> Self {
        Self { terms, lanes: BTreeMap::new(), by_merchant: BTreeMap::new(), under_way: 0, last: WebhookId(0) }
    }

    /// By what it goes.
    #[must_use]
    pub const fn terms(&self) -> &WebhookTerms {
        &self.terms
    }

    /// Deliveries under way.
    #[must_use]
    pub const fn under_way(&self) -> usize {
        self.under_way
    }

    /// Something of this webhook is ready at `at`.
    pub fn wake(&mut self, webhook: WebhookId, merchant: MerchantId, at: i64) {
        let new = || Lane { merchant, due_at: None, under_way: BTreeSet::new(), failures: 0, rests_until: 0 };
        let lane = self.lanes.entry(webhook).or_insert_with(new);
        lane.due_at = Some(lane.due_at.map_or(at, |due| due.min(at)));
    }

    /// The webhook was changed: whatever was wrong with it may be over.
    pub fn changed(&mut self, webhook: WebhookId, merchant: MerchantId, now: i64) {
        self.wake(webhook, merchant, now);
        if let Some(lane) = self.lanes.get_mut(&webhook) {
            (lane.failures, lane.rests_until) = (0, 0);
        }
    }

    /// The webhook whose rows are to be looked at now, and that is then waited for by [`Self::looked`].
    #[must_use]
    pub fn turn(&mut self, now: i64) -> Option<Turn> {
        let behind = (Bound::Excluded(self.last), Bound::Unbounded);
        let before = (Bound::Unbounded, Bound::Included(self.last));
        let mut circle = self.lanes.range(behind).chain(self.lanes.range(before));
        let (webhook, places) = circle.find_map(|(webhook, lane)| {
            let due = lane.due_at.is_some_and(|due| due <= now) && lane.rests_until <= now;
            let places = if due { self.places(lane) } else { 0 };
            (places > 0).then_some((*webhook, places))
        })?;
        self.last = webhook;
        let under_way = self.lanes.get(&webhook).map(|lane| lane.under_way.clone()).unwrap_or_default();
        Some(Turn { webhook, places, under_way })
    }

    fn places(&self, lane: &Lane) -> usize {
        let of_merchant = self.by_merchant.get(&lane.merchant).copied().unwrap_or_default();
        let left = self.terms.per_merchant.saturating_sub(of_merchant);
        let of_lane = if lane.failures == 0 { left } else { 1_usize.saturating_sub(lane.under_way.len()) };
        of_lane.min(left).min(self.terms.overall.saturating_sub(self.under_way))
    }

    /// The rows were looked at, and what of them is due has begun: of the others the next is ready at `next`, if there is one.
    pub fn looked(&mut self, webhook: WebhookId, next: Option<i64>) {
        if let Some(lane) = self.lanes.get_mut(&webhook) {
            lane.due_at = next;
        }
        self.drop_idle(webhook);
    }

    /// A delivery is under way.
    pub fn begin(&mut self, id: DeliveryId) {
        let Some(lane) = self.lanes.get_mut(&id.webhook) else { return };
        if lane.under_way.insert(id.position) {
            self.under_way += 1;
            *self.by_merchant.entry(lane.merchant).or_default() += 1;
        }
    }

    /// It ended at `now`, and what follows was written down; `next` is when something of its webhook is ready.
    pub fn ended(&mut self, id: DeliveryId, taken: bool, now: i64, next: Option<i64>) {
        let Some(lane) = self.lanes.get_mut(&id.webhook) else { return };
        if lane.under_way.remove(&id.position) {
            self.under_way -= 1;
            if let Some(count) = self.by_merchant.get_mut(&lane.merchant) {
                *count -= 1;
                if *count == 0 {
                    self.by_merchant.remove(&lane.merchant);
                }
            }
        }
        if taken {
            (lane.failures, lane.rests_until) = (0, 0);
        } else {
            lane.failures = lane.failures.saturating_add(1);
            if let Some(times) = lane.failures.checked_sub(RESTS_AFTER) {
                let rest = REST_MS.0.saturating_mul(2_i64.saturating_pow(times)).min(REST_MS.1);
                lane.rests_until = now.saturating_add(rest);
            }
        }
        if let Some(next) = next {
            lane.due_at = Some(lane.due_at.map_or(next, |due| due.min(next)));
        }
        self.drop_idle(id.webhook);
    }

    /// When the next turn comes, if nothing else happens; `None` if nothing is ready or all places are taken.
    #[must_use]
    pub fn next_at(&self) -> Option<i64> {
        let free = self.lanes.values().filter(|lane| self.places(lane) > 0);
        free.filter_map(|lane| Some(lane.due_at?.max(lane.rests_until))).min()
    }

    /// What has nothing outstanding, and nothing to remember, needs no lane.
    fn drop_idle(&mut self, webhook: WebhookId) {
        let idle = |lane: &Lane| lane.due_at.is_none() && lane.under_way.is_empty() && lane.failures == 0;
        if self.lanes.get(&webhook).is_some_and(idle) {
            self.lanes.remove(&webhook);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: WebhookTerms = WebhookTerms {
        per_merchant: 3,
        overall: 5,
        first_retry_ms: 5_000,
        max_retry_ms: 7_200_000,
        give_up_ms: 86_400_000,
    };

    fn id(webhook: u64, position: u64) -> DeliveryId {
        DeliveryId { webhook: WebhookId(webhook), position }
    }

    /// Lanes of webhooks, one a merchant, with something ready at 0.
    fn lanes(webhooks: u64) -> WebhookLanes {
        let mut lanes = WebhookLanes::new(TERMS);
        (1..=webhooks).for_each(|number| lanes.wake(WebhookId(number), MerchantId(number), 0));
        lanes
    }

    /// Takes the next turn and fills all its places from `position` on, with more ready at `next`.
    fn fill(lanes: &mut WebhookLanes, now: i64, position: u64, next: Option<i64>) -> Option<(u64, usize)> {
        let turn = lanes.turn(now)?;
        (0..turn.places as u64).for_each(|at| lanes.begin(id(turn.webhook.0, position + at)));
        lanes.looked(turn.webhook, next);
        Some((turn.webhook.0, turn.places))
    }

    #[test]
    fn merchants_take_turns_and_none_has_more_than_its_share() {
        let mut lanes = lanes(3);
        let turns = [0; 3].map(|now| fill(&mut lanes, now, 10, Some(0)));
        assert_eq!(turns, [Some((1, 3)), Some((2, 2)), None], "five of all, three of each");
        assert_eq!((lanes.under_way(), lanes.next_at()), (5, None));
        lanes.ended(id(1, 10), true, 0, Some(0));
        assert_eq!(fill(&mut lanes, 0, 20, Some(0)), Some((3, 1)), "the one that waited longest");
        lanes.ended(id(2, 10), true, 0, Some(0));
        assert_eq!(fill(&mut lanes, 0, 30, Some(0)), Some((1, 1)));
    }

    #[test]
    fn two_webhooks_of_a_merchant_share_its_places() {
        let mut lanes = WebhookLanes::new(TERMS);
        (1..=2).for_each(|webhook| lanes.wake(WebhookId(webhook), MerchantId(7), 0));
        assert_eq!(fill(&mut lanes, 0, 10, None), Some((1, 3)));
        assert_eq!(fill(&mut lanes, 0, 10, None), None);
        lanes.ended(id(1, 11), true, 0, None);
        assert_eq!(fill(&mut lanes, 0, 10, None), Some((2, 1)));
    }

    #[test]
    fn a_receiver_that_fails_is_tried_one_at_a_time_and_rests_longer_and_longer() {
        let mut lanes = lanes(1);
        let mut now = 0;
        assert_eq!(fill(&mut lanes, now, 10, Some(0)), Some((1, 3)));
        (10..13).for_each(|position| lanes.ended(id(1, position), false, now, Some(0)));
        for rest in [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            assert_eq!((lanes.turn(now + rest - 1), lanes.next_at()), (None, Some(now + rest)));
            now += rest;
            assert_eq!(fill(&mut lanes, now, 20, Some(0)), Some((1, 1)));
            assert_eq!(lanes.turn(now), None, "one at once");
            lanes.ended(id(1, 20), false, now, Some(0));
        }
        now += 60_000;
        assert_eq!(fill(&mut lanes, now, 20, Some(0)), Some((1, 1)));
        lanes.ended(id(1, 20), true, now, None);
        assert_eq!(fill(&mut lanes, now, 30, None), Some((1, 3)), "well again");
    }

    #[test]
    fn a_change_of_the_webhook_ends_its_rest() {
        let mut lanes = lanes(1);
        fill(&mut lanes, 0, 10, Some(0));
        (10..13).for_each(|position| lanes.ended(id(1, position), false, 0, Some(0)));
        assert_eq!(lanes.turn(0), None);
        lanes.changed(WebhookId(1), MerchantId(1), 0);
        assert_eq!(lanes.turn(0).map(|turn| turn.places), Some(3));
    }

    #[test]
    fn what_is_under_way_is_named_so_that_it_is_not_sent_twice() {
        let mut lanes = lanes(1);
        lanes.begin(id(1, 10));
        lanes.begin(id(1, 10));
        let turn = lanes.turn(0).unwrap();
        assert_eq!((turn.places, turn.under_way), (2, BTreeSet::from([10])));
        lanes.ended(id(1, 10), true, 0, None);
        lanes.ended(id(1, 10), true, 0, None);
        assert_eq!(lanes.under_way(), 0);
    }

    #[test]
    fn a_lane_with_nothing_outstanding_is_forgotten() {
        let mut lanes = lanes(1);
        assert_eq!(fill(&mut lanes, 0, 10, None), Some((1, 3)));
        (10..13).for_each(|position| lanes.ended(id(1, position), true, 0, None));
        assert!(lanes.lanes.is_empty() && lanes.by_merchant.is_empty());
        assert_eq!(lanes.next_at(), None);
    }

    #[test]
    fn a_delivery_is_tried_for_a_day_with_growing_pauses_and_a_last_time_at_its_end() {
        let (mut now, mut pauses) = (0, Vec::new());
        for tries in 1.. {
            match TERMS.after_failure(now, 0, tries) {
                Next::Again { at } => {
                    pauses.push((at - now) / 1_000);
                    now = at;
                }
                Next::GivenUp => break,
                Next::Accepted => panic!("it failed"),
            }
        }
        assert_eq!(pauses[..8], [5, 15, 45, 135, 405, 1_215, 3_645, 7_200]);
        assert_eq!((now, pauses.len()), (TERMS.give_up_ms, 19));
        assert_eq!(TERMS.after_failure(TERMS.give_up_ms - 1, 0, 2), Next::Again { at: TERMS.give_up_ms });
        assert_eq!(TERMS.after_failure(TERMS.give_up_ms, 0, 1), Next::GivenUp, "also if the platform stood still");
        assert_eq!(TERMS.after_failure(0, 0, u32::MAX), Next::Again { at: TERMS.max_retry_ms });
    }
}
