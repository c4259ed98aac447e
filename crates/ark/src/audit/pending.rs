//! Uses that were counted and are not written yet.
//!
//! ```text
//!  a use ─ counted ─► pending ─ taken ─► in a transaction ─ committed ─► written
//!                        ▲                      │ did not commit
//!                        └──────────────────────┘
//! ```
//! Who takes them holds no lock of theirs while it writes: uses go on meanwhile.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Act, Trail};
use crate::keys::place::{Place, PlaceError, Transaction};

/// Different uses kept in memory at most.
const MOST: usize = 16_384;
/// A use that is not written when this many seconds have begun since its own keeps the next ones from going on.
const LATE_SECONDS: i64 = 3;

/// Uses by the second they fell in.
type Seconds = BTreeMap<i64, BTreeMap<Act, u64>>;

/// Uses that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    seconds: Seconds,
    different: usize,
    /// Whether the last one who tried could not write.
    is_failing: bool,
}

impl Pending {
    /// Whether those before must be written before another use may be counted.
    pub(crate) fn due(&self, now: i64) -> bool {
        let is_late = |first: &i64| now.div_euclid(1_000).saturating_sub(*first) >= LATE_SECONDS;
        self.is_failing || self.different >= MOST || self.seconds.keys().next().is_some_and(is_late)
    }

    /// The place of the trail does not serve: no use is counted until something was written again.
    pub(crate) fn fail(&mut self) {
        self.is_failing = true;
    }

    /// Counts a use.
    pub(crate) fn count(&mut self, act: Act, now: i64) {
        self.add(now.div_euclid(1_000), act, 1);
    }

    fn add(&mut self, second: i64, act: Act, count: u64) {
        let counted = self.seconds.entry(second).or_default().entry(act).or_insert_with(|| {
            self.different += 1;
            0
        });
        *counted += count;
    }

    fn take(&mut self) -> Seconds {
        self.different = 0;
        std::mem::take(&mut self.seconds)
    }
}

/// Uses on their way to the disk; dropped before [`Taken::written`], they are pending again.
pub(crate) struct Taken<'a> {
    pending: &'a Mutex<Pending>,
    seconds: Seconds,
}

impl<'a> Taken<'a> {
    /// Everything that is pending.
    pub(crate) fn of(pending: &'a Mutex<Pending>) -> Self {
        Self { seconds: lock(pending).take(), pending }
    }

    /// Writes them into a transaction.
    pub(crate) fn write(&self, transaction: &Transaction<'_>) -> Result<(), PlaceError> {
        if self.seconds.is_empty() {
            return Ok(());
        }
        let mut trail = Trail::of(transaction)?;
        for (second, acts) in &self.seconds {
            for (act, count) in acts {
                trail.append(second.saturating_mul(1_000), act, *count)?;
            }
        }
        Ok(())
    }

    /// Says that the transaction was committed.
    pub(crate) fn written(mut self) {
        self.seconds.clear();
        lock(self.pending).is_failing = false;
    }

    /// Writes them in a transaction of their own, and one more record. If that fails, uses wait until it is done.
    pub(crate) fn commit(self, place: &mut Place, more: Option<(i64, Act)>) -> Result<(), PlaceError> {
        let written = place.begin().and_then(|transaction| {
            self.write(&transaction)?;
            if let Some((at, act)) = more {
                super::append(&transaction, at, &act, 1)?;
            }
            transaction.commit()
        });
        match written {
            Ok(()) => self.written(),
            Err(_) => lock(self.pending).fail(),
        }
        written
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut pending = lock(self.pending);
        for (second, acts) in std::mem::take(&mut self.seconds) {
            for (act, count) in acts {
                pending.add(second, act, count);
            }
        }
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(key: usize) -> Act {
        let text = String::new;
        Act { caller: text(), key: key.to_string(), version: 1, operation: text(), reason: text(), outcome: text() }
    }

    #[test]
    fn uses_are_due_by_age_by_number_and_after_a_failure() {
        let pending = Mutex::new(Pending::default());
        assert!(!lock(&pending).due(i64::MAX), "nothing is pending");
        lock(&pending).count(act(1), 10_999);
        // Two in one statement would wait for each other.
        assert!(!lock(&pending).due(12_999));
        assert!(lock(&pending).due(13_000));
        assert!(!lock(&pending).due(0), "a clock that was set back");
        for key in 2..=MOST {
            lock(&pending).count(act(key), 10_999);
            lock(&pending).count(act(key), 10_999);
            assert_eq!(lock(&pending).due(10_999), key == MOST);
        }
        let taken = Taken::of(&pending);
        assert!(!lock(&pending).due(20_000), "they are on their way");
        lock(&pending).count(act(1), 11_000);
        drop(taken);
        assert_eq!(lock(&pending).seconds[&10][&act(2)], 2, "not written, so pending again");
        assert_eq!(lock(&pending).different, MOST + 1);
        Taken::of(&pending).written();
        assert!(lock(&pending).seconds.is_empty());
        lock(&pending).fail();
        assert!(lock(&pending).due(11_000));
        Taken::of(&pending).written();
        lock(&pending).count(act(1), 11_000);
        assert!(!lock(&pending).due(11_000));
    }
}
