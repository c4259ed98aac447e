//! The checkpointer's thread: writes what the projector passes on, and tries again what a disk or a database refused.
//!
//! ```text
//!  job ─► carried ─ write ─► committed: the line is shorter
//!            ▲        └ the disk failed ─┐
//!            └──── a pause that grows ◄──┘    new jobs join what is carried
//! ```
//! The projector begins no checkpoint of its own while one is carried, and statements go on from memory.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use domain::business_day::CheckResult;
use node::checkpointer::Checkpointer;
use node::close::DaySnapshot;
use node::projector::ProjectorError;
use node::publisher::Pending;
use tokio::sync::{oneshot, watch};

use super::projector::Line;

/// The first pause after a checkpoint could not be written.
const FIRST_PAUSE_MS: u64 = 200;
/// The longest.
const LONGEST_PAUSE_MS: u64 = 5_000;
/// How often it is looked whether a pause is over.
const LOOK: Duration = Duration::from_millis(100);

/// Why no checkpoint can be written, while none can.
pub(crate) type Said = Arc<Mutex<Option<String>>>;

/// Something to write, and what for.
pub(crate) struct Job {
    pub(crate) pending: Pending,
    pub(crate) errand: Errand,
}

/// What is to be done about what is written.
pub(crate) enum Errand {
    /// Nothing.
    Write,
    /// Say that it is written.
    Tell(oneshot::Sender<()>),
    /// Write the end of a day and say whether history agrees.
    Close(Box<DaySnapshot>, oneshot::Sender<Result<CheckResult, ProjectorError>>),
    /// Say that nothing is under way, then do nothing until told the epoch to go on in, or that nobody will; the last is
    /// dropped when this is over.
    Hold(mpsc::Sender<()>, mpsc::Receiver<u64>, mpsc::Sender<()>),
}

/// Where checkpoints are written.
pub(crate) struct Desk {
    checkpointer: Checkpointer,
    line: Line,
    /// What is not written yet, of how many jobs and of what weight.
    carried: Pending,
    jobs: usize,
    weight: u64,
    trouble: Trouble,
    /// The position of the last checkpoint.
    last: watch::Sender<u64>,
    began: Instant,
}

impl Desk {
    pub(crate) fn new(checkpointer: Checkpointer, line: Line) -> Self {
        let (carried, trouble) = (Pending::default(), Trouble::default());
        let last = watch::Sender::new(checkpointer.position());
        Self { checkpointer, line, carried, jobs: 0, weight: 0, trouble, last, began: Instant::now() }
    }

    /// Why no checkpoint can be written, while none can.
    pub(crate) fn said(&self) -> Said {
        self.trouble.said.clone()
    }

    /// The position of the last checkpoint, as it changes: what is closed may leave memory.
    pub(crate) fn last(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Works until nobody can send a job any more.
    pub(crate) fn run(mut self, jobs: &mpsc::Receiver<Job>) -> Result<(), ProjectorError> {
        loop {
            let job = if self.jobs == 0 {
                jobs.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(LOOK)
            };
            match job {
                Ok(Job { pending, errand }) => {
                    self.weight += pending.weight();
                    self.carried.extend(pending);
                    self.jobs += 1;
                    self.line.hurry(!matches!(errand, Errand::Write));
                    self.do_errand(errand)?;
                }
                Err(mpsc::RecvTimeoutError::Timeout) if self.trouble.is_over(self.at_ms()) => {
                    self.write()?;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) if self.jobs == 0 => return Ok(()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.checkpointer.write(&mut self.carried, &[]),
            }
        }
    }

    fn do_errand(&mut self, errand: Errand) -> Result<(), ProjectorError> {
        match errand {
            Errand::Write => {
                self.write()?;
            }
            Errand::Tell(sender) => {
                if self.write()? {
                    // Whoever asked may be gone; the checkpoint stands.
                    sender.send(()).ok();
                }
            }
            Errand::Close(snapshot, sender) => {
                let closed = self.checkpointer.close(&mut self.carried, &snapshot);
                let is_written = closed.is_ok();
                // Whoever asked may be gone; the files stand.
                drop(sender.send(closed));
                if is_written {
                    self.written();
                } else {
                    self.write()?;
                }
            }
            Errand::Hold(standing, told, _done) => {
                standing.send(()).ok();
                if let Ok(epoch) = told.recv() {
                    self.checkpointer.lead(epoch);
                }
                self.write()?;
            }
        }
        Ok(())
    }

    /// Writes a checkpoint; false if the disk or the database failed, and it is to be tried again after a pause.
    fn write(&mut self) -> Result<bool, ProjectorError> {
        let began = Instant::now();
        match self.checkpointer.write(&mut self.carried, &[]) {
            Ok(()) => {
                self.written();
                metrics::histogram!("lintel_checkpoint_seconds").record(began.elapsed().as_secs_f64());
                Ok(true)
            }
            Err(error) if error.may_pass() => {
                self.trouble.came(self.at_ms(), &error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn written(&mut self) {
        self.trouble.passed();
        self.last.send_replace(self.checkpointer.position());
        self.line.left(std::mem::take(&mut self.jobs), std::mem::take(&mut self.weight));
    }

    fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A disk or a database that failed, and when it is tried again: the pauses grow. Batches are taken meanwhile, so statements
/// go on from the tail.
#[derive(Debug, Default)]
struct Trouble {
    pause_ms: u64,
    until_ms: u64,
    said: Said,
}

impl Trouble {
    /// Whether it may be tried again.
    fn is_over(&self, at_ms: u64) -> bool {
        at_ms >= self.until_ms
    }

    fn came(&mut self, at_ms: u64, error: &ProjectorError) {
        self.pause_ms = (self.pause_ms * 2).clamp(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
        self.until_ms = at_ms.saturating_add(self.pause_ms);
        self.say(Some(error.to_string()));
        metrics::gauge!("lintel_projector_failing").set(1.0);
        metrics::counter!("lintel_projector_failures_total").increment(1);
        tracing::error!(%error, next_try_ms = self.pause_ms, "no checkpoint could be written; statements go on from memory");
    }

    fn passed(&mut self) {
        self.until_ms = 0;
        if std::mem::take(&mut self.pause_ms) > 0 {
            self.say(None);
            metrics::gauge!("lintel_projector_failing").set(0.0);
            tracing::warn!("checkpoints are written again");
        }
    }

    fn say(&self, what: Option<String>) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }
}

#[cfg(test)]
mod tests {
    use store::StoreError;

    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_a_success() {
        let error = ProjectorError::Store(StoreError::Database { doing: "writing".into(), reason: "disk full".into() });
        assert!(error.may_pass());
        let mut trouble = Trouble::default();
        assert!(trouble.is_over(0));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            trouble.came(1_000, &error);
            assert!(!trouble.is_over(1_000) && trouble.is_over(trouble.until_ms));
            pauses.push(trouble.until_ms - 1_000);
        }
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
        trouble.passed();
        assert!(trouble.is_over(0));
        trouble.came(0, &error);
        assert_eq!(trouble.until_ms, 200);
    }
}
