//! Where the platform stands, as everyone who holds a handle sees it.
//!
//! ```text
//!  running in epoch n ─ the journal fails ─► recovering ─ opened and loaded again ─► running in epoch n + 1
//!        └────── asked to stop, lease lost, a broken invariant ──────┴──► stopped, for ever
//! ```

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// They are.
    Running,
    /// The journal failed; they will be again.
    Recovering,
    /// Never again in this process.
    Stopped,
}

/// Why the platform recovers, and since when.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// The journal's words.
    pub(crate) cause: String,
    began: Instant,
}

impl Trouble {
    /// How long it has lasted.
    pub(crate) fn lasted(&self) -> Duration {
        self.began.elapsed()
    }
}

/// The one place where it stands; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Standing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: AtomicU8,
    epoch: AtomicU64,
    stopping: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
}

const RUNNING: u8 = 0;
const RECOVERING: u8 = 1;
const STOPPED: u8 = 2;

impl Standing {
    /// Running in its first epoch.
    pub(crate) fn new(epoch: u64) -> Self {
        let phase = AtomicU8::new(RUNNING);
        let inner =
            Inner { phase, epoch: AtomicU64::new(epoch), stopping: AtomicBool::new(false), trouble: Mutex::new(None) };
        Self(Arc::new(inner))
    }

    /// Whether requests are taken.
    pub(crate) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            RUNNING => Phase::Running,
            RECOVERING => Phase::Recovering,
            _ => Phase::Stopped,
        }
    }

    /// The epoch that is led, or was led last.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Why it recovers, while it does.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The journal failed. Nothing changes once stopped.
    pub(crate) fn recover(&self, cause: String) {
        if self.0.phase.compare_exchange(RUNNING, RECOVERING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.set(Some(Trouble { cause, began: Instant::now() }));
            metrics::gauge!("lintel_recovering").set(1.0);
            metrics::counter!("lintel_journal_failures_total").increment(1);
        }
    }

    /// The journal is there again, led in `epoch`. Nothing changes once stopped.
    pub(crate) fn resume(&self, epoch: u64) {
        self.0.epoch.store(epoch, Ordering::Release);
        if let Some(trouble) = self.trouble() {
            metrics::histogram!("lintel_recovery_seconds").record(trouble.lasted().as_secs_f64());
        }
        self.set(None);
        metrics::gauge!("lintel_recovering").set(0.0);
        // A platform that was stopped meanwhile stays so.
        self.0.phase.compare_exchange(RECOVERING, RUNNING, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// Takes no further requests, ever.
    pub(crate) fn close(&self) {
        self.0.phase.store(STOPPED, Ordering::Release);
    }

    /// Notes that the process was asked to stop: a journal that fails from now on is not waited for.
    pub(crate) fn ask_to_stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Whether the process was asked to stop, or has stopped.
    pub(crate) fn is_ending(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire) || self.phase() == Phase::Stopped
    }

    fn set(&self, trouble: Option<Trouble>) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_recovers_into_the_next_epoch_and_says_why_meanwhile() {
        let standing = Standing::new(3);
        assert_eq!((standing.phase(), standing.epoch()), (Phase::Running, 3));
        standing.recover("the disk is full".to_owned());
        assert_eq!((standing.phase(), standing.epoch()), (Phase::Recovering, 3));
        assert_eq!(standing.trouble().map(|trouble| trouble.cause).as_deref(), Some("the disk is full"));
        standing.resume(4);
        assert_eq!((standing.phase(), standing.epoch()), (Phase::Running, 4));
        assert!(standing.trouble().is_none());
    }

    #[test]
    fn what_was_stopped_stays_stopped() {
        let standing = Standing::new(1);
        standing.recover("input/output error".to_owned());
        assert!(!standing.is_ending());
        standing.close();
        standing.resume(2);
        assert_eq!(standing.phase(), Phase::Stopped);
        standing.recover("input/output error".to_owned());
        assert_eq!(standing.phase(), Phase::Stopped);
        assert!(standing.is_ending());
    }
}
