//! The merger's thread: merges segments in the background, one merge after another, until it is told to stop.
//!
//! ```text
//!  look ─ something to merge ─► a row group ─ commands near waiting for history? pause ─► … ─► look again at once
//!    └─ nothing ─► a second         └ told to stop: the file in the making goes away
//! ```
//! Nothing waits for it. What a disk refused is tried again after pauses that grow; on a broken file it stops, says so, and
//! the platform goes on with the files as they are.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use node::merger::{Merger, Step};
use node::projector::ProjectorError;
use tokio::sync::watch;

use super::{BEHIND_BOUND, background};

/// How long to wait when there is nothing to merge.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause after a disk or a database failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What is pending from which on merging gives way to checkpoints, before commands have to wait for those.
const BUSY: u64 = BEHIND_BOUND / 4;
/// How long it gives way before each row group (131,072 entries) at most: merging never stands still for good.
const GIVE_WAY: Duration = Duration::from_millis(250);
/// How often it is looked whether checkpoints have caught up.
const GLANCE: Duration = Duration::from_millis(25);

/// A merger at work.
pub(crate) struct Merging {
    stop: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Merging {
    /// Has it stop, and waits until it has: at most for one row group.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the merger panicked; its words are above, and the files are as the catalogue says");
        }
    }
}

/// Starts it; `behind` says how much is in no checkpoint yet.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn start(merger: Merger, behind: watch::Receiver<u64>) -> std::io::Result<Merging> {
    let (stop, told) = mpsc::channel();
    let thread = background::spawn("merger", move || run(&merger, &behind, &told))?;
    Ok(Merging { stop, thread })
}

fn run(merger: &Merger, behind: &watch::Receiver<u64>, told: &mpsc::Receiver<()>) {
    let mut pause = LOOK;
    loop {
        let began = Instant::now();
        let wait = match merger.step(|| goes_on(behind, told)) {
            Ok(step) => {
                pause = LOOK;
                count(step, began.elapsed());
                if step.merged.is_some() { Duration::ZERO } else { LOOK }
            }
            Err(error) if is_final(&error) => {
                tracing::error!(%error, "segments are not merged any more until a restart; everything else goes on");
                return;
            }
            Err(error) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                metrics::counter!("lintel_merge_failures_total").increment(1);
                tracing::warn!(%error, next_try_ms = pause.as_millis() as u64, "segments could not be merged");
                pause
            }
        };
        if !matches!(told.recv_timeout(wait), Err(mpsc::RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

/// Gives way while too much waits for a checkpoint; false once it is told to stop.
fn goes_on(behind: &watch::Receiver<u64>, told: &mpsc::Receiver<()>) -> bool {
    let began = Instant::now();
    loop {
        let is_busy = *behind.borrow() > BUSY && began.elapsed() < GIVE_WAY;
        let wait = if is_busy { GLANCE } else { Duration::ZERO };
        match told.recv_timeout(wait) {
            Err(mpsc::RecvTimeoutError::Timeout) if is_busy => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return true,
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Whether trying again cannot help.
fn is_final(error: &ProjectorError) -> bool {
    !error.may_pass()
}

fn count(step: Step, took: Duration) {
    let merged = step.merged.map_or(0, |merged| merged.files as u64 - 1);
    let files = u32::try_from(step.committed.saturating_sub(merged)).unwrap_or(u32::MAX);
    metrics::gauge!("lintel_history_files").set(f64::from(files));
    if let Some(merged) = step.merged {
        metrics::counter!("lintel_merges_total").increment(1);
        metrics::counter!("lintel_merged_entries_total").increment(merged.entries);
        metrics::histogram!("lintel_merge_seconds").record(took.as_secs_f64());
    }
}
