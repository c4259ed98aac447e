//! The projector's two threads: one publishes durable batches to statements at once, one writes checkpoints behind.
//!
//! ```text
//!  writer ─ Take ─► projector ─ tail, `projected` ─► statements
//!                      └ Pending ─► checkpointer ─► files and tables
//!                      └ entries, rows, keys behind ─► admission: past a bound, commands wait
//! ```
//! A checkpoint by time or size is begun only when none is being written, so what is pending grows with the lag and
//! checkpoints with it. Close and a checkpoint asked for stand in line.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use domain::business_day::CheckResult;
use node::close::DaySnapshot;
use node::projector::{Projected, Projector, ProjectorError};
use node::publisher::Publisher;
use tokio::sync::{oneshot, watch};

use super::background;
use super::checkpointer::{Desk, Errand, Job, Said};
use super::pace::Pace;

/// How many batches may wait for the projector before the writer waits for it.
const BATCHES_BEHIND: usize = 64;
/// How much a checkpoint holds, in entries, images of rows and keys, that is written with pauses. Of less they are not worth while,
/// and of more they would still go on when the next one is due.
pub(crate) const PACED: RangeInclusive<u64> = 2_000..=50_000;

/// What the projector is asked.
pub(crate) enum Message {
    /// Take this.
    Take(Box<Projected>),
    /// Write the end of a day and say whether history agrees.
    Close(Box<DaySnapshot>, oneshot::Sender<Result<CheckResult, ProjectorError>>),
    /// Write a checkpoint of everything taken so far.
    Checkpoint(oneshot::Sender<()>),
    /// Say that nothing is under way, then do nothing until told the epoch to go on in, or that nobody will.
    Hold(mpsc::Sender<()>, mpsc::Receiver<u64>),
    /// Write what is left and end.
    Stop,
}

/// The way to the projector, for the writer and for whoever closes a day.
#[derive(Clone)]
pub(crate) struct Handle {
    messages: mpsc::SyncSender<Message>,
    projected: watch::Receiver<u64>,
    behind: watch::Receiver<u64>,
    written: watch::Receiver<u64>,
    said: Said,
}

impl Handle {
    /// Passes a message; false if the projector is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.messages.send(message).is_ok()
    }

    /// Why tables and files stand still, while they do.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until everything up to `position` is published; false if the projector is gone.
    pub(crate) async fn projected(&self, position: u64) -> bool {
        self.projected.clone().wait_for(|projected| *projected >= position).await.is_ok()
    }

    /// How many entries, images of rows and keys are in no checkpoint yet, as it changes.
    pub(crate) fn behind(&self) -> watch::Receiver<u64> {
        self.behind.clone()
    }

    /// The position of the last checkpoint, as it changes.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Waits until everything up to `position` is in files and tables; false if the projector is gone.
    pub(crate) async fn checkpointed(&self, position: u64) -> bool {
        if !self.projected(position).await {
            return false;
        }
        let (sender, receiver) = oneshot::channel();
        self.pass(Message::Checkpoint(sender)).await && receiver.await.is_ok()
    }

    /// Has it stand still, with nothing under way, until the answer is dropped; `None` if it is gone. Blocks.
    pub(crate) fn hold(&self) -> Option<Held> {
        let (standing, stands) = mpsc::channel();
        let (go_on, told) = mpsc::channel();
        let sent = self.send(Message::Hold(standing, told));
        (sent && stands.recv().is_ok()).then_some(Held(go_on))
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

/// A projector that does nothing until this is dropped.
pub(crate) struct Held(mpsc::Sender<u64>);

impl Held {
    /// Lets it go on, on behalf of a new epoch.
    pub(crate) fn go_on(self, epoch: u64) {
        // A projector that is gone said why before.
        self.0.send(epoch).ok();
    }
}

/// Starts both threads; `position` is what was taken so far. The handle ends with the reason.
pub(crate) fn start(
    projector: Projector,
    position: u64,
) -> std::io::Result<(Handle, thread::JoinHandle<Result<(), ProjectorError>>)> {
    let (messages, inbox) = mpsc::sync_channel(BATCHES_BEHIND);
    let (published, projected) = watch::channel(position);
    let (publisher, checkpointer) = projector.split();
    let (weight_behind, behind) = watch::channel(publisher.weight());
    let (jobs, wanted) = mpsc::channel();
    let line = Line::default();
    let mut pace = Pace::new(line.clone());
    checkpointer.pause_by(move || pace.step()).map_err(std::io::Error::other)?;
    let desk = Desk::new(checkpointer, line.clone());
    let (said, written) = (desk.said(), desk.last());
    let checkpointing = background::spawn("checkpointer", move || desk.run(&wanted))?;
    let work = Work { publisher, published, weight_behind, jobs, line, checkpointing, began: Instant::now() };
    let thread = background::spawn("projector", move || work.run(&inbox))?;
    Ok((Handle { messages, projected, behind, written, said }, thread))
}

/// What stands in line for the checkpointer.
#[derive(Clone, Default)]
pub(crate) struct Line {
    jobs: Arc<AtomicUsize>,
    weight: Arc<AtomicU64>,
    is_awaited: Arc<AtomicBool>,
}

impl Line {
    pub(crate) fn joined(&self, weight: u64) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.weight.fetch_add(weight, Ordering::Relaxed);
    }

    /// Jobs that are done, and how much they held.
    pub(crate) fn left(&self, jobs: usize, weight: u64) {
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        self.jobs.fetch_sub(jobs, Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.jobs.load(Ordering::Relaxed) == 0
    }

    /// Somebody waits for what is written now, or nobody does.
    pub(crate) fn hurry(&self, is_awaited: bool) {
        self.is_awaited.store(is_awaited, Ordering::Relaxed);
    }

    /// Whether a checkpoint is written that nobody waits for, with nothing behind it, and not too little or too much for
    /// pauses.
    pub(crate) fn is_in_no_hurry(&self) -> bool {
        self.jobs.load(Ordering::Relaxed) == 1
            && !self.is_awaited.load(Ordering::Relaxed)
            && PACED.contains(&self.weight.load(Ordering::Relaxed))
    }
}

struct Work {
    publisher: Publisher,
    published: watch::Sender<u64>,
    weight_behind: watch::Sender<u64>,
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
                    let (position, at_ms) = (projected.projection.last, self.at_ms());
                    self.publisher.take(*projected, at_ms);
                    self.published.send_replace(position);
                }
                Ok(Message::Close(snapshot, sender)) => self.queue(Errand::Close(snapshot, sender)),
                Ok(Message::Checkpoint(sender)) => self.queue(Errand::Tell(sender)),
                Ok(Message::Hold(standing, told)) => {
                    let (done, ended) = mpsc::channel();
                    self.queue(Errand::Hold(standing, told, done));
                    // Its end, or that of the thread, either way without a word.
                    ended.recv().ok();
                }
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    // As if somebody waited for it: whoever stops the platform does.
                    self.queue(Errand::Tell(oneshot::channel().0));
                    return self.end();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.checkpointing.is_finished() {
                return self.end();
            }
            if self.line.is_empty() && self.publisher.is_due(self.at_ms()) {
                self.queue(Errand::Write);
            }
            let behind = self.publisher.weight() + self.line.weight.load(Ordering::Relaxed);
            self.weight_behind.send_replace(behind);
            metrics::gauge!("lintel_projector_behind").set(u32::try_from(behind).unwrap_or(u32::MAX));
        }
    }

    /// Passes everything pending on, with what is to be done about it.
    fn queue(&mut self, errand: Errand) {
        let pending = self.publisher.begin();
        self.line.joined(pending.weight());
        // A checkpointer that ended is noticed, with its reason, where its thread is joined.
        drop(self.jobs.send(Job { pending, errand }));
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
