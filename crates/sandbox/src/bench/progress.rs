//! What is said while a benchmark runs: a line on standard error now and then, so that standard output is the report alone.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The least time between two lines that are due by time.
const EVERY: Duration = Duration::from_secs(1);
/// From this long on a line is said only so often.
const LONG: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(5));

/// Says how far a run is.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    quiet: bool,
    /// Milliseconds from the beginning to the last line.
    last: AtomicU64,
}

impl Progress {
    /// Begins; `quiet` says nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { began: Instant::now(), quiet, last: AtomicU64::new(0) }
    }

    /// Says a line.
    pub(crate) fn line(&self, text: &str) {
        if !self.quiet {
            // A closed pipe must not end the run.
            drop(writeln!(std::io::stderr(), "[{:7.1} s] {text}", self.began.elapsed().as_secs_f64()));
        }
    }

    /// Says a line if it is time for one.
    pub(crate) fn now_and_then(&self, text: impl FnOnce() -> String) {
        let elapsed = self.began.elapsed();
        let every = if elapsed < LONG.0 { EVERY } else { LONG.1 };
        let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let last = self.last.load(Ordering::Relaxed);
        let due = u128::from(now.saturating_sub(last)) >= every.as_millis();
        if due && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.line(&text());
        }
    }
}

/// A count with its thousands apart.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let written = [0, 7, 999, 1_000, 12_345, 1_000_000].map(thousands);
        assert_eq!(written, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }
}
