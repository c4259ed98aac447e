//! What a breaker knows of the traffic: how calls ended of late, and the busiest second of the last hour.

/// Parts of a window: it forgets a tenth of itself at a time.
const PARTS: usize = 10;
/// Minutes that the busiest second is remembered for.
const MINUTES: usize = 60;
/// Milliseconds of a second, and of a minute.
const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;

/// Calls that ended within a window of time.
#[derive(Debug, Clone)]
pub(super) struct Window {
    part_ms: u64,
    /// The part that `now` was in at the last look, counted from time zero.
    newest: u64,
    /// Calls and failures by part.
    parts: [(u32, u32); PARTS],
}

/// What ended in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Calls.
    pub calls: u32,
    /// Those that got no answer, or one that is an error of the other side's own.
    pub failed: u32,
}

impl Sums {
    /// Whether at least `percent` of at least `least` calls failed.
    pub(super) fn fail(self, least: u32, percent: u32) -> bool {
        let failed = u64::from(self.failed).saturating_mul(100);
        self.calls >= least.max(1) && failed >= u64::from(self.calls).saturating_mul(u64::from(percent))
    }
}

impl Window {
    pub(super) fn new(window_ms: u64) -> Self {
        let part_ms = (window_ms / PARTS as u64).max(1);
        Self { part_ms, newest: 0, parts: [(0, 0); PARTS] }
    }

    pub(super) fn add(&mut self, now_ms: u64, failed: bool) {
        let at = self.turn(now_ms);
        let (calls, failures) = &mut self.parts[at];
        *calls = calls.saturating_add(1);
        *failures = failures.saturating_add(u32::from(failed));
    }

    /// What is in it at `now`.
    pub(super) fn sums(&mut self, now_ms: u64) -> Sums {
        self.turn(now_ms);
        self.parts.iter().fold(Sums::default(), |sums, (calls, failed)| Sums {
            calls: sums.calls.saturating_add(*calls),
            failed: sums.failed.saturating_add(*failed),
        })
    }

    pub(super) fn clear(&mut self) {
        self.parts = [(0, 0); PARTS];
    }

    /// Forgets what is too old; the index of the part that `now` is in.
    fn turn(&mut self, now_ms: u64) -> usize {
        let part = (now_ms / self.part_ms).max(self.newest);
        let passed = (part - self.newest).min(PARTS as u64);
        for back in 0..passed {
            self.parts[index(part - back, PARTS)] = (0, 0);
        }
        self.newest = part;
        index(part, PARTS)
    }
}

/// The most calls that were begun in one second, over the last hour.
#[derive(Debug, Clone)]
pub(super) struct Peak {
    second: u64,
    in_second: u32,
    minute: u64,
    by_minute: [u32; MINUTES],
}

impl Peak {
    pub(super) fn new() -> Self {
        Self { second: 0, in_second: 0, minute: 0, by_minute: [0; MINUTES] }
    }

    pub(super) fn add(&mut self, now_ms: u64) {
        let at = self.turn(now_ms);
        let second = now_ms / SECOND_MS;
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        self.in_second = self.in_second.saturating_add(1);
        self.by_minute[at] = self.by_minute[at].max(self.in_second);
    }

    /// Calls a second.
    pub(super) fn get(&mut self, now_ms: u64) -> u32 {
        self.turn(now_ms);
        self.by_minute.iter().copied().max().unwrap_or(0)
    }

    fn turn(&mut self, now_ms: u64) -> usize {
        let minute = (now_ms / MINUTE_MS).max(self.minute);
        let passed = (minute - self.minute).min(MINUTES as u64);
        for back in 0..passed {
            self.by_minute[index(minute - back, MINUTES)] = 0;
        }
        self.minute = minute;
        index(minute, MINUTES)
    }
}

fn index(number: u64, of: usize) -> usize {
    usize::try_from(number % of as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_by_tenths_and_a_clock_that_goes_back_changes_nothing() {
        let mut window = Window::new(10_000);
        window.add(500, true);
        window.add(1_500, false);
        assert_eq!(window.sums(9_999), Sums { calls: 2, failed: 1 });
        assert_eq!(window.sums(10_000), Sums { calls: 1, failed: 0 });
        window.add(3_000, true);
        assert_eq!(window.sums(10_500), Sums { calls: 2, failed: 1 });
        assert_eq!(window.sums(1_000_000), Sums::default());
    }

    #[test]
    fn the_busiest_second_is_remembered_for_an_hour() {
        let mut peak = Peak::new();
        (0..7).for_each(|call| peak.add(2_000 + call));
        (0..3).for_each(|call| peak.add(61_000 + call));
        assert_eq!(peak.get(61_500), 7);
        assert_eq!(peak.get(60 * MINUTE_MS), 3, "the minute of the seven is an hour ago");
        assert_eq!(peak.get(200 * MINUTE_MS), 0);
    }

    #[test]
    fn too_few_calls_prove_nothing() {
        assert!(!Sums { calls: 9, failed: 9 }.fail(10, 50));
        assert!(Sums { calls: 10, failed: 5 }.fail(10, 50));
        assert!(!Sums { calls: 11, failed: 5 }.fail(10, 50));
        assert!(!Sums::default().fail(0, 0), "nothing ended, so nothing failed");
    }
}
