//! The clock: the machine's, or one that stands until it is moved by hand (demo and tests only).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::envelope::Time;

/// Milliseconds of the machine's clock.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What time it is for the engine.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The machine's.
    Wall,
    /// Standing until moved.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now`.
    pub(crate) fn manual(now: Time) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.0)))
    }

    /// The time.
    pub(crate) fn now(&self) -> Time {
        match self {
            Self::Wall => Time(wall_ms()),
            Self::Manual(at) => Time(at.load(Ordering::Acquire)),
        }
    }

    /// Moves a standing clock forward; false for the machine's clock or a step back.
    pub(crate) fn move_to(&self, now: Time) -> bool {
        match self {
            Self::Wall => false,
            Self::Manual(at) => at.fetch_max(now.0, Ordering::AcqRel) <= now.0,
        }
    }
}
