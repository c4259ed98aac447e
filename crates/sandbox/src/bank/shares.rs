//! Shares: faults of answers that so many of all operations have, whatever they are, exactly. They are counted as operations arrive, so
//! that a day of a few hundred has each of them, where rates that are drawn for each serial number could leave one out.
//!
//! ```text
//!  operation ─ owed[kind] += share ─ 10,000 are owed, and nothing else goes wrong with it ─► it is this one, owed −= 10,000
//! ```
//! How many there are depends on the seed and the number of operations alone; which serial numbers they are, on the order of arrival too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Bank;
use super::names::{Serial, Verb};
use super::plan::{Fault, WHOLE, mix};

/// The first of each kind is among so many operations.
const FIRST: u64 = 100;

/// How many of 10,000 operations have which fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
    /// Carried out, but the answer never comes.
    pub lost: u32,
    /// Carried out and answered after `late_ms`.
    pub slow: u32,
    /// Of debits, payments and refunds: answered, and told twice more by notification.
    pub doubled: u32,
}

/// What was given to whom so far.
#[derive(Debug)]
pub(super) struct Counted {
    shares: Shares,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Of lost, slow and doubled, by 10,000.
    owed: [u64; 3],
    known: HashMap<Serial, Fault>,
}

impl Shares {
    fn kinds(self) -> [(u64, Fault); 3] {
        let kinds = [(self.lost, Fault::LostAfter), (self.slow, Fault::Late), (self.doubled, Fault::Twice)];
        kinds.map(|(share, fault)| (u64::from(share), fault))
    }

    /// Their sum, for the plan's bound.
    pub(super) fn sum(self) -> u64 {
        self.kinds().iter().map(|(share, _)| share).sum()
    }
}

impl Counted {
    pub(super) fn new(shares: Shares, seed: u64) -> Self {
        let mut place = seed;
        let owed = shares.kinds().map(|(share, _)| {
            place = mix(place);
            WHOLE.saturating_sub(share * (1 + place % FIRST))
        });
        Self { shares, inner: Mutex::new(Inner { owed, known: HashMap::new() }) }
    }

    /// What goes wrong with a serial number with which `drawn` would: the same whenever it is asked.
    fn fault(&self, serial: Serial, verb: Verb, drawn: impl FnOnce() -> Fault) -> Fault {
        if self.shares.sum() == 0 {
            return drawn();
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = inner.known.get(&serial) {
            return *fault;
        }
        let fault = inner.next(self.shares, verb, drawn());
        inner.known.insert(serial, fault);
        fault
    }
}

impl Inner {
    fn next(&mut self, shares: Shares, verb: Verb, drawn: Fault) -> Fault {
        let mut fault = drawn;
        for ((share, kind), owed) in shares.kinds().into_iter().zip(&mut self.owed) {
            if share == 0 || (kind == Fault::Twice && !is_told(verb)) {
                continue;
            }
            *owed += share;
            if fault == Fault::None && *owed >= WHOLE {
                *owed -= WHOLE;
                fault = kind;
            }
        }
        fault
    }
}

/// Whether there is somebody to tell: who leaves a page pays nothing, and the fund tells nobody.
const fn is_told(verb: Verb) -> bool {
    match verb {
        Verb::Debit | Verb::Refund | Verb::Pay => true,
        Verb::Hold | Verb::Capture | Verb::Release | Verb::Redirect => false,
    }
}

impl Bank {
    /// What happens on the way of a serial number: by the shares of all, or by the rates of its verb.
    pub(super) fn fault(&self, serial: Serial, verb: Verb) -> Fault {
        self.counted.fault(serial, verb, || self.plan.fault(self.seed, serial, verb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serials(count: u64) -> impl Iterator<Item = Serial> {
        (0..count).map(|number| format!("20260305{number:016}0{:06}", number % 1_000_000).parse().unwrap())
    }

    fn count(faults: &[Fault], kind: Fault) -> u64 {
        faults.iter().filter(|fault| **fault == kind).count() as u64
    }

    #[test]
    fn shares_are_exact_and_a_small_day_has_each() {
        let shares = Shares { lost: 100, slow: 50, doubled: 10 };
        for seed in 1..=50 {
            for operations in [200, 300, 10_000] {
                let counted = Counted::new(shares, seed);
                let faults: Vec<Fault> =
                    serials(operations).map(|serial| counted.fault(serial, Verb::Debit, || Fault::None)).collect();
                for (share, kind) in shares.kinds() {
                    let (found, due) = (count(&faults, kind), operations * share / WHOLE);
                    assert!(
                        found >= 1 && found + 1 >= due && found <= due + 1,
                        "{found} of {due} {kind:?}, seed {seed}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_a_serial_number_has_is_the_same_whenever_it_is_asked() {
        let counted = Counted::new(Shares { lost: 5_000, slow: 2_000, doubled: 0 }, 7);
        let ask = || serials(100).map(|serial| counted.fault(serial, Verb::Pay, || Fault::None)).collect::<Vec<_>>();
        let first = ask();
        assert_eq!(first, ask());
        assert_eq!(count(&first, Fault::Twice), 0);
        assert!(count(&first, Fault::LostAfter) >= 49 && count(&first, Fault::Late) >= 19);
    }

    #[test]
    fn nobody_is_told_twice_of_what_is_not_told_and_drawn_faults_stay() {
        let counted = Counted::new(Shares { doubled: 10_000, ..Shares::default() }, 1);
        let faults: Vec<Fault> =
            serials(10).map(|serial| counted.fault(serial, Verb::Hold, || Fault::InProgress)).collect();
        assert_eq!(count(&faults, Fault::InProgress), 10);
        let faults: Vec<Fault> =
            serials(20).skip(10).map(|serial| counted.fault(serial, Verb::Refund, || Fault::None)).collect();
        assert_eq!(count(&faults, Fault::Twice), 10);
    }
}
