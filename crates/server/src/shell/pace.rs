//! How a checkpoint's rows are written where nothing waits for them: a little work, a longer pause, so that a second's rows do not
//! take a core from those that answer for as long as they take together (ADR 0116).
//!
//! ```text
//!  SQLite, every few rows ─ step ─► worked a stretch? ─ in no hurry ─► sleep REST times as long
//! ```

use std::thread;
use std::time::{Duration, Instant};

use super::projector::Line;

/// Work between two pauses.
const STRETCH: Duration = Duration::from_micros(500);
/// How much longer than the work before it a pause is.
const REST: u32 = 9;
/// What counts of a stretch that was longer, as where the system gave the core to another thread in it.
const LONGEST: Duration = Duration::from_millis(2);
/// The pauses of a transaction in all: what lists show of it comes later by no more.
const MOST: Duration = Duration::from_millis(500);
/// From one call to the next: after a longer time another transaction has begun, or something else was done.
const GAP: Duration = Duration::from_millis(20);

/// Pauses of one thread that writes.
pub(crate) struct Pace {
    line: Line,
    began: Instant,
    last: Instant,
    /// How long this transaction has paused.
    rested: Duration,
}

impl Pace {
    pub(crate) fn new(line: Line) -> Self {
        let now = Instant::now();
        Self { line, began: now, last: now, rested: Duration::ZERO }
    }

    /// Pauses, if it is time to.
    pub(crate) fn step(&mut self) {
        let Some(pause) = self.due(Instant::now()) else { return };
        if self.line.is_in_no_hurry() {
            thread::sleep(pause);
            self.rested += pause;
        }
        self.began = Instant::now();
        self.last = self.began;
    }

    /// How long to pause, once a stretch was worked.
    fn due(&mut self, now: Instant) -> Option<Duration> {
        if now.duration_since(self.last) > GAP {
            (self.began, self.rested) = (now, Duration::ZERO);
        }
        self.last = now;
        let worked = now.duration_since(self.began);
        (worked >= STRETCH && self.rested < MOST).then(|| worked.min(LONGEST) * REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_due_after_a_stretch_and_not_after_time_in_which_nothing_was_written() {
        let mut pace = Pace::new(Line::default());
        let began = pace.began;
        let mut due = |ms: f64| pace.due(began + Duration::from_secs_f64(ms / 1_000.0));
        assert_eq!(due(0.2), None);
        assert_eq!(due(0.6), Some(Duration::from_micros(5_400)));
        assert_eq!(due(15.0), Some(LONGEST * REST), "a core that others had in between");
        assert_eq!(due(100.0), None, "another transaction");
        assert_eq!(due(100.4), None);
        assert_eq!(due(101.0), Some(Duration::from_millis(9)));
        pace.rested = MOST;
        let mut due = |ms: f64| pace.due(began + Duration::from_secs_f64(ms / 1_000.0));
        assert_eq!(due(102.0), None, "it has paused enough");
        assert_eq!((due(200.0), due(201.0)), (None, Some(Duration::from_millis(9))), "the next one");
    }

    #[test]
    fn nobody_pauses_in_a_hurry() {
        let line = Line::default();
        assert!(!line.is_in_no_hurry(), "nothing is written, or something else than a checkpoint");
        line.joined(1_999);
        assert!(!line.is_in_no_hurry(), "it is over at once");
        line.left(1, 1_999);
        line.joined(2_000);
        assert!(line.is_in_no_hurry());
        line.hurry(true);
        assert!(!line.is_in_no_hurry(), "somebody waits for it");
        line.hurry(false);
        line.joined(1);
        assert!(!line.is_in_no_hurry(), "something stands behind it");
        line.left(2, 2_001);
        line.joined(50_001);
        assert!(!line.is_in_no_hurry(), "more than can be written with pauses before the next");
    }
}
