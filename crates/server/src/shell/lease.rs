//! The lease on a journal in PostgreSQL: who tries to lead. On the embedded journal the directory's lock is enough.
//!
//! It only decides who tries; what keeps two leaders apart is the journal's fence. But an answer that appends nothing meets
//! no fence, so it leaves only while the lease is held, and so does a request to a bank. A node that loses its lease stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use journal::{JournalError, Lease, PostgresConfig};

use super::Platform;
use crate::config::JournalConfig;

/// How long a lease lasts unless renewed.
const LENGTH: Duration = Duration::from_secs(5);
/// How often it is renewed, and how often a node that waits looks again.
const EVERY: Duration = Duration::from_millis(1_000);

/// Until when this node may act as the leader. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Leadership {
    began: Instant,
    /// Milliseconds after `began`.
    until: Arc<AtomicU64>,
}

impl Leadership {
    /// For ever, as the directory's lock gives it; or, with a lease, until that ends.
    pub(crate) fn new(lease: Option<&Lease>) -> Self {
        let leadership = Self { began: Instant::now(), until: Arc::new(AtomicU64::new(u64::MAX)) };
        if let Some(lease) = lease {
            leadership.prolong(lease.held_until());
        }
        leadership
    }

    /// Whether this node may act now.
    pub(crate) fn is_held(&self) -> bool {
        self.began.elapsed().as_millis() < u128::from(self.until.load(Ordering::Acquire))
    }

    fn prolong(&self, until: Option<Instant>) {
        let after = until.map_or(0, |until| until.saturating_duration_since(self.began).as_millis());
        self.until.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Release);
    }
}

/// Waits for the lease of a journal in PostgreSQL; none is needed for the embedded one.
///
/// # Errors
/// A database that does not answer.
pub(crate) fn hold(place: &JournalConfig) -> Result<Option<Lease>, JournalError> {
    if place.is_embedded() {
        return Ok(None);
    }
    let holder = format!("lintel-{}", std::process::id());
    let mut lease = Lease::new(PostgresConfig::new(place.url.expose(), &place.schema), holder, LENGTH)?;
    let mut told = false;
    while lease.acquire()?.is_none() {
        if !std::mem::replace(&mut told, true) {
            tracing::info!("another node leads this journal; waiting for its lease to end");
        }
        thread::sleep(EVERY);
    }
    Ok(Some(lease))
}

/// Does something that may take longer than a lease lasts, as a start does, and renews the lease meanwhile.
pub(crate) fn kept_while<T>(lease: Option<&mut Lease>, work: impl FnOnce() -> T) -> T {
    let Some(lease) = lease else { return work() };
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(move |scope| {
        scope.spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // One that is lost, or not renewed in time, is found to be so by whoever acts under it.
                if matches!(lease.renew(), Ok(None)) {
                    return;
                }
            }
        });
        let done = work();
        drop(stop);
        done
    })
}

/// A journal that no node leads, for as long as a command works on what follows it; nodes that start meanwhile wait. On the
/// embedded journal the directory's lock does that.
#[derive(Debug)]
pub(crate) struct Idle {
    leadership: Leadership,
    renewing: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

impl Idle {
    /// Sees that no node leads; `None` if one does.
    ///
    /// # Errors
    /// A database that does not answer.
    pub(crate) fn hold(place: &JournalConfig) -> Result<Option<Self>, JournalError> {
        if place.is_embedded() {
            return Ok(Some(Self { leadership: Leadership::new(None), renewing: None }));
        }
        let holder = format!("lintel-command-{}", std::process::id());
        let mut lease = Lease::new(PostgresConfig::new(place.url.expose(), &place.schema), holder, LENGTH)?;
        if lease.acquire()?.is_none() {
            return Ok(None);
        }
        let leadership = Leadership::new(Some(&lease));
        let (stop, stopped) = mpsc::channel();
        let known = leadership.clone();
        let renewing = thread::spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                match lease.renew() {
                    Ok(until @ Some(_)) => known.prolong(until),
                    // It is asked again, and holds as long as it did before.
                    Err(_) => {}
                    Ok(None) => return,
                }
            }
            // One that was not given back ends by itself.
            drop(lease.release());
        });
        Ok(Some(Self { leadership, renewing: Some((stop, renewing)) }))
    }

    /// Whether it is still so.
    pub(crate) fn is_held(&self) -> bool {
        self.leadership.is_held()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some((stop, renewing)) = self.renewing.take() {
            drop(stop);
            drop(renewing.join());
        }
    }
}

/// Renews the lease until the platform stops, and stops the platform if it is lost.
pub(crate) fn renew(
    mut lease: Lease,
    leadership: Leadership,
    platform: Platform,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("lease".into()).spawn(move || {
        while platform.is_running() {
            thread::sleep(EVERY);
            match lease.renew() {
                Ok(Some(until)) => leadership.prolong(Some(until)),
                Err(error) if lease.held_until().is_some_and(|until| Instant::now() < until) => {
                    tracing::warn!(%error, "the lease could not be renewed yet");
                }
                Ok(None) | Err(_) => {
                    tracing::error!("the lease is lost; this node stops");
                    platform.close();
                    platform.stop();
                    return;
                }
            }
        }
        if let Err(error) = lease.release() {
            tracing::warn!(%error, "the lease was not given back; it ends by itself");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_ended_is_not_held_and_a_directory_is_held_for_ever() {
        let leadership = Leadership::new(None);
        assert!(leadership.is_held());
        leadership.prolong(Some(Instant::now() + Duration::from_secs(60)));
        assert!(leadership.is_held());
        leadership.prolong(Some(leadership.began));
        assert!(!leadership.is_held());
        leadership.prolong(None);
        assert!(!leadership.is_held());
    }
}
