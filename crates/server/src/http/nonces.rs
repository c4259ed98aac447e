//! Nonces of the last minutes, so that a request caught on the wire cannot be sent again.
//!
//! ```text
//!  signed before they began to be known ─► put off: nobody here knows whether it was taken before
//!  digest of (id, nonce) ─► one of 64 shards ─► in `now` or `before`? used ─ else into `now`
//!                                                 every 10 minutes `before` goes and `now` becomes it
//! ```
//! A timestamp is taken for 5 minutes on either side, so a nonce must be known for 10. It is kept as 8 bytes of a keyed digest
//! whose key the process draws at its start: at 10,000 requests a second 12 million of them, some 200 MB. That two fall together
//! has a probability of one in 10¹² a request then, and costs that request a second sending. Shards keep a table that grows from
//! holding up everyone.
//!
//! They are this process's own, and begin when it leads: the node before took what was signed until then
//! (`docs/adr/0117-what-was-signed-before-a-start.md`).

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ark::signing::SKEW_MAX_SECONDS;

const SHARDS: usize = 64;
/// For how long a nonce is known at least.
const KNOWN_SECONDS: u64 = 2 * SKEW_MAX_SECONDS;

/// Nonces in use.
#[derive(Debug)]
pub(crate) struct Nonces {
    digest: RandomState,
    /// Since when they are known.
    since: Instant,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    /// When `now` began, in seconds.
    began: u64,
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Default for Nonces {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { digest: RandomState::new(), since: Instant::now(), shards }
    }
}

impl Nonces {
    /// The second, since 1970, in which they began to be known: what was signed in an earlier one may have been taken by the
    /// node before.
    pub(crate) fn began(&self) -> u64 {
        second_of(SystemTime::now(), self.since.elapsed())
    }

    /// Whether `id` did not send this nonce before; from now on it did.
    pub(crate) fn is_new(&self, id: &str, nonce: &str, now: u64) -> bool {
        let digest = self.digest.hash_one((id, nonce));
        let at = usize::try_from(digest % SHARDS as u64).unwrap_or_default();
        let shard = self.shards.get(at).expect("a remainder is below its divisor");
        shard.lock().unwrap_or_else(PoisonError::into_inner).take(digest, now)
    }
}

/// The second of what was so long ago, by the clock as it stands now. A clock that was wrong at the start and is set later
/// takes the start with it, or it would keep everyone out until it is where it was.
fn second_of(now: SystemTime, ago: Duration) -> u64 {
    let then = now.checked_sub(ago).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    then.unwrap_or_default().as_secs()
}

impl Shard {
    fn take(&mut self, digest: u64, now: u64) -> bool {
        let age = now.saturating_sub(self.began);
        if age > KNOWN_SECONDS {
            let last = std::mem::take(&mut self.now);
            // What began two turns ago or earlier is too old altogether.
            self.before = if age > 2 * KNOWN_SECONDS { HashSet::new() } else { last };
            self.began = now;
        }
        !self.before.contains(&digest) && self.now.insert(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_used_once_for_as_long_as_its_timestamp_is_taken() {
        let nonces = Nonces::default();
        for began in [1_000_000, 1_000_000 + KNOWN_SECONDS - 1, 1_000_000 + KNOWN_SECONDS + 1] {
            let nonce = format!("n-{began}");
            assert!(nonces.is_new("operator", &nonce, began));
            for later in [0, 1, KNOWN_SECONDS / 2, KNOWN_SECONDS] {
                assert!(!nonces.is_new("operator", &nonce, began + later), "{began} {later}");
            }
        }
    }

    #[test]
    fn the_second_of_the_start_goes_with_the_clock() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        let started = |now, ago_ms| second_of(at(now), Duration::from_millis(ago_ms));
        assert_eq!([started(7_000_000, 0), started(7_000_999, 999), started(7_060_999, 60_999)], [7_000; 3]);
        assert_eq!((started(7_000_000, 1), started(7_001_000, 0)), (6_999, 7_001));
        // Started an hour ahead, and set right after ten seconds.
        assert_eq!((started(10_600_000, 0), started(7_010_000, 10_000)), (10_600, 7_000));
        assert_eq!(started(5, 6), 0, "a clock that stands before 1970");
        let began = Nonces::default().began();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((now - 60..=now).contains(&began), "{began} of {now}");
    }

    #[test]
    fn each_caller_has_its_own_and_what_is_old_is_forgotten() {
        let nonces = Nonces::default();
        assert!(nonces.is_new("mch_1", "n", 5_000));
        assert!(nonces.is_new("mch_2", "n", 5_000));
        assert!(!nonces.is_new("mch_1", "n", 5_000));
        assert!(nonces.is_new("mch_1", "n", 5_000 + 3 * KNOWN_SECONDS));
        for shard in 0..20 * SHARDS {
            assert!(nonces.is_new("mch_3", &shard.to_string(), 5_000 + 6 * KNOWN_SECONDS));
        }
        let held = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.now.len() + shard.before.len()
        };
        assert_eq!(nonces.shards.iter().map(held).sum::<usize>(), 20 * SHARDS, "those of before are gone");
    }
}
