use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::step::steps;
use crate::walk::Walk;

/// How many walks of how many steps.
const CASES: u32 = 64;
const STEPS: usize = 60;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_law_holds_after_every_step(steps in steps(STEPS)) {
        let mut walk = Walk::begin();
        for step in &steps {
            walk.step(step);
        }
        walk.replay_from_genesis();
    }
}

/// The walks must be able to find what they look for: together they bring about every event there is for them.
#[test]
fn walks_reach_every_event_of_their_features() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::new();
    for _ in 0..CASES {
        let mut walk = Walk::begin();
        for step in &steps(STEPS).new_tree(&mut runner).expect("steps are never rejected").current() {
            walk.take(step);
        }
        for (kind, count) in walk.kinds() {
            *reached.entry(kind).or_insert(0_u32) += count;
        }
    }
    let wanted = [
        "VoucherPosted",
        "DayCut",
        "DaySealed",
        "DayChecksFailed",
        "DayClosed",
        "AccountOpened",
        "AccountClosed",
        "AccountRestricted",
        "StreamOpened",
        "StreamAdvanced",
        "HoldPlaced",
        "HoldConfirmed",
        "HoldCancelled",
        "HoldExpired",
        "AttemptRequested",
        "AttemptAnswered",
        "PayoutCreated",
        "PayoutHeld",
        "PayoutSent",
        "PayoutUnknown",
        "PayoutSucceeded",
        "PayoutFailed",
        "PayoutCancelled",
        "PayoutReturned",
        "SettlementSuspended",
        "SettlementVerified",
        "AgreementCreated",
        "AgreementPaid",
        "AgreementClosed",
        "FreezePlaced",
        "FreezeChanged",
        "Hold Moved",
        "Tree Linked",
        "Tree Unlinked",
        "Tree RunDone",
    ];
    for kind in wanted {
        assert!(reached.contains_key(kind), "no walk reached {kind}: {reached:?}");
    }
}
