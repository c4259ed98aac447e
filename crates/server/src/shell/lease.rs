//! The lease on a journal in PostgreSQL: who tries to lead. On the embedded journal the directory's lock is enough.
//!
//! It only decides who tries; what keeps two leaders apart is the journal's fence. A node that loses its lease stops
//! taking requests at once.

use std::thread;
use std::time::{Duration, Instant};

use journal::{JournalError, Lease, PostgresConfig};

use super::{Input, Platform};
use crate::config::Place;

/// How long a lease lasts unless renewed.
const LENGTH: Duration = Duration::from_secs(5);
/// How often it is renewed, and how often a node that waits looks again.
const EVERY: Duration = Duration::from_millis(1_000);

/// Waits for the lease of a journal in PostgreSQL; none is needed for the embedded one.
///
/// # Errors
/// A database that does not answer.
pub(crate) fn hold(place: &Place) -> Result<Option<Lease>, JournalError> {
    if place.is_embedded() {
        return Ok(None);
    }
    let holder = format!("lintel-{}", std::process::id());
    let mut lease = Lease::new(PostgresConfig::new(&place.url, &place.schema), holder, LENGTH)?;
    let mut told = false;
    while lease.acquire()?.is_none() {
        if !std::mem::replace(&mut told, true) {
            tracing::info!("another node leads this journal; waiting for its lease to end");
        }
        thread::sleep(EVERY);
    }
    Ok(Some(lease))
}

/// Renews the lease until the platform stops, and stops the platform if it is lost.
pub(crate) fn renew(mut lease: Lease, platform: Platform) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("lease".into()).spawn(move || {
        while platform.is_running() {
            thread::sleep(EVERY);
            match lease.renew() {
                Ok(Some(_)) => {}
                Err(error) if lease.held_until().is_some_and(|until| Instant::now() < until) => {
                    tracing::warn!(%error, "the lease could not be renewed yet");
                }
                Ok(None) | Err(_) => {
                    tracing::error!("the lease is lost; this node stops");
                    platform.close();
                    // A writer that has ended already needs no telling.
                    platform.send(Input::Stop).ok();
                    return;
                }
            }
        }
        if let Err(error) = lease.release() {
            tracing::warn!(%error, "the lease was not given back; it ends by itself");
        }
    })
}
