//! The projector's two threads: one publishes durable batches to statements at once, one writes checkpoints behind.
//!
//! ```text
//!  writer ─ Take ─► projector ─ tail, `projected` ─► statements
//!                      └ Pending ─► checkpointer ─► files and tables
//!                      └ entries behind ─► admission: past a bound, commands wait
//! ```
//! A checkpoint by time or size is begun only when none is being written, so what is pending grows with the lag and
//! checkpoints with it. Close and a checkpoint asked for stand in line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use domain::business_day::CheckResult;
use node::checkpointer::Checkpointer;
use node::close::DaySnapshot;
use node::projector::{Projected, Projector, ProjectorError};
use node::publisher::{Pending, Publisher};
use tokio::sync::{oneshot, watch};

/// How many batches may wait for the projector before the writer waits for it.
const BATCHES_BEHIND: usize = 64;

/// What the projector is asked.
pub(crate) enum Message {
    /// Take this.
    Take(Box<Projected>),
    /// Write the end of a day and say whether history agrees.
    Close(Box<DaySnapshot>, oneshot::Sender<Result<CheckResult, ProjectorError>>),
    /// Write a checkpoint of everything taken so far.
    Checkpoint(oneshot::Sender<()>),
    /// Write what is left and end.
    Stop,
}

/// The way to the projector, for the writer and for whoever closes a day.
#[derive(Clone)]
pub(crate) struct Handle {
    messages: mpsc::SyncSender<Message>,
    projected: watch::Receiver<u64>,
    behind: watch::Receiver<u64>,
}

impl Handle {
    /// Passes a message; false if the projector is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.messages.send(message).is_ok()
    }

    /// Waits until everything up to `position` is published; false if the projector is gone.
    pub(crate) async fn projected(&self, position: u64) -> bool {
        self.projected.clone().wait_for(|projected| *projected >= position).await.is_ok()
    }

    /// How many entries are in no checkpoint yet, as it changes.
    pub(crate) fn behind(&self) -> watch::Receiver<u64> {
        self.behind.clone()
    }

    /// Waits until everything up to `position` is in files and tables; false if the projector is gone.
    pub(crate) async fn checkpointed(&self, position: u64) -> bool {
        if !self.projected(position).await {
            return false;
        }
        let (sender, receiver) = oneshot::channel();
        self.pass(Message::Checkpoint(sender)).await && receiver.await.is_ok()
    }

    /// Passes a message beside the runtime: the queue may be full.
    async fn pass(&self, message: Message) -> bool {
        let messages = self.messages.clone();
        let sent = tokio::task::spawn_blocking(move || messages.send(message).is_ok()).await;
        matches!(sent, Ok(true))
    }

    /// Writes the end of a day and says whether history agrees; `None` if the projector is gone.
    pub(crate) async fn close(&self, snapshot: DaySnapshot) -> Option<Result<CheckResult, ProjectorError>> {
        let (sender, receiver) = oneshot::channel();
        if !self.pass(Message::Close(Box::new(snapshot), sender)).await {
            return None;
        }
        receiver.await.ok()
    }
}

/// Starts both; `position` is what was taken so far. The handle ends with the reason.
pub(crate) fn start(
    projector: Projector,
    position: u64,
) -> std::io::Result<(Handle, thread::JoinHandle<Result<(), ProjectorError>>)> {
    let (messages, inbox) = mpsc::sync_channel(BATCHES_BEHIND);
    let (published, projected) = watch::channel(position);
    let (publisher, checkpointer) = projector.split();
    let (entries_behind, behind) = watch::channel(publisher.pending());
    let (jobs, wanted) = mpsc::channel();
    let line = Line::default();
    let writing = line.clone();
    let checkpointing = thread::Builder::new()
        .name("checkpointer".into())
        .spawn(move || checkpointer_thread(checkpointer, &wanted, &writing))?;
    let work = Work { publisher, published, entries_behind, jobs, line, checkpointing, began: Instant::now() };
    let thread = thread::Builder::new().name("projector".into()).spawn(move || work.run(&inbox))?;
    Ok((Handle { messages, projected, behind }, thread))
}

/// What the checkpointer is asked.
enum Job {
    /// Write this.
    Write(Pending),
    /// Write this, then say so.
    Tell(Pending, oneshot::Sender<()>),
    /// Write this and the end of a day, and say whether history agrees.
    Close(Pending, Box<DaySnapshot>, oneshot::Sender<Result<CheckResult, ProjectorError>>),
}

/// What stands in line for the checkpointer.
#[derive(Clone, Default)]
struct Line {
    jobs: Arc<AtomicUsize>,
    entries: Arc<AtomicU64>,
}

impl Line {
    fn joined(&self, pending: &Pending) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(pending.entries(), Ordering::Relaxed);
    }

    fn left(&self, entries: u64) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        self.jobs.fetch_sub(1, Ordering::Relaxed);
    }
}

fn checkpointer_thread(
    mut checkpointer: Checkpointer,
    jobs: &mpsc::Receiver<Job>,
    line: &Line,
) -> Result<(), ProjectorError> {
    while let Ok(job) = jobs.recv() {
        let began = Instant::now();
        let entries = match job {
            Job::Write(mut pending) => {
                let entries = pending.entries();
                checkpointer.write(&mut pending, &[])?;
                entries
            }
            Job::Tell(mut pending, sender) => {
                let entries = pending.entries();
                checkpointer.write(&mut pending, &[])?;
                // Whoever asked may be gone; the checkpoint stands.
                sender.send(()).ok();
                entries
            }
            Job::Close(mut pending, snapshot, sender) => {
                let entries = pending.entries();
                let closed = checkpointer.close(&mut pending, &snapshot);
                // What could not be written must not be missing from the next checkpoint.
                let failed = closed.is_err();
                // Whoever asked may be gone; the files stand.
                drop(sender.send(closed));
                if failed {
                    checkpointer.write(&mut pending, &[])?;
                }
                entries
            }
        };
        line.left(entries);
        metrics::histogram!("lintel_checkpoint_seconds").record(began.elapsed().as_secs_f64());
    }
    Ok(())
}

struct Work {
    publisher: Publisher,
    published: watch::Sender<u64>,
    entries_behind: watch::Sender<u64>,
    jobs: mpsc::Sender<Job>,
    line: Line,
    checkpointing: thread::JoinHandle<Result<(), ProjectorError>>,
    began: Instant,
}

impl Work {
    fn run(mut self, inbox: &mpsc::Receiver<Message>) -> Result<(), ProjectorError> {
        loop {
            match inbox.recv_timeout(Duration::from_millis(100)) {
                Ok(Message::Take(projected)) => {
                    let position = projected.projection.last;
                    let at_ms = self.at_ms();
                    self.publisher.take(*projected, at_ms);
                    self.published.send_replace(position);
                }
                Ok(Message::Close(snapshot, sender)) => {
                    self.queue(|pending| Job::Close(pending, snapshot, sender));
                }
                Ok(Message::Checkpoint(sender)) => self.queue(|pending| Job::Tell(pending, sender)),
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    self.queue(Job::Write);
                    return self.end();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.checkpointing.is_finished() {
                return self.end();
            }
            if self.line.jobs.load(Ordering::Relaxed) == 0 && self.publisher.is_due(self.at_ms()) {
                self.queue(Job::Write);
            }
            let behind = self.publisher.pending() + self.line.entries.load(Ordering::Relaxed);
            self.entries_behind.send_replace(behind);
            metrics::gauge!("lintel_projector_entries_behind").set(u32::try_from(behind).unwrap_or(u32::MAX));
        }
    }

    fn queue(&mut self, job: impl FnOnce(Pending) -> Job) {
        let pending = self.publisher.begin();
        self.line.joined(&pending);
        // A checkpointer that ended is noticed, with its reason, where its thread is joined.
        drop(self.jobs.send(job(pending)));
    }

    /// Lets the checkpointer finish its line and says how it ended.
    fn end(self) -> Result<(), ProjectorError> {
        drop(self.jobs);
        self.checkpointing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
