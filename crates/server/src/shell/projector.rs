//! The projector's thread: takes durable batches, publishes them to history, writes checkpoints behind.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use domain::business_day::CheckResult;
use node::close::DaySnapshot;
use node::projector::{Projected, Projector, ProjectorError};
use tokio::sync::{oneshot, watch};

/// How many batches may wait for the projector before the writer waits for it.
const BATCHES_BEHIND: usize = 64;

/// The first pause after a checkpoint could not be written.
const FIRST_PAUSE_MS: u64 = 200;
/// The longest.
const LONGEST_PAUSE_MS: u64 = 5_000;

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
    said: Said,
}

/// Why no checkpoint can be written, while none can.
type Said = Arc<Mutex<Option<String>>>;

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

/// Starts it; `position` is what it has taken so far. The handle ends with the reason.
pub(crate) fn start(
    projector: Projector,
    position: u64,
) -> std::io::Result<(Handle, thread::JoinHandle<Result<(), ProjectorError>>)> {
    let (messages, inbox) = mpsc::sync_channel(BATCHES_BEHIND);
    let (published, projected) = watch::channel(position);
    let work = Work { projector, published, began: Instant::now(), trouble: Trouble::default() };
    let said = work.trouble.said.clone();
    let thread = thread::Builder::new().name("projector".into()).spawn(move || work.run(&inbox))?;
    Ok((Handle { messages, projected, said }, thread))
}

struct Work {
    projector: Projector,
    published: watch::Sender<u64>,
    began: Instant,
    trouble: Trouble,
}

impl Work {
    fn run(mut self, inbox: &mpsc::Receiver<Message>) -> Result<(), ProjectorError> {
        loop {
            match inbox.recv_timeout(Duration::from_millis(100)) {
                Ok(Message::Take(projected)) => {
                    let position = projected.projection.last;
                    self.projector.take(*projected, self.at_ms());
                    self.published.send_replace(position);
                }
                Ok(Message::Close(snapshot, sender)) => {
                    // Whoever asked may be gone; the files stand.
                    drop(sender.send(self.projector.close(&snapshot)));
                }
                Ok(Message::Checkpoint(sender)) => {
                    if self.write()? {
                        // Whoever asked may be gone; the checkpoint stands.
                        sender.send(()).ok();
                    }
                }
                Ok(Message::Hold(standing, told)) => {
                    standing.send(()).ok();
                    if let Ok(epoch) = told.recv() {
                        self.projector.lead(epoch);
                    }
                }
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return self.projector.write(&[]);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.projector.is_due(self.at_ms()) && self.trouble.is_over(self.at_ms()) {
                let began = Instant::now();
                if self.write()? {
                    metrics::histogram!("lintel_checkpoint_seconds").record(began.elapsed().as_secs_f64());
                }
            }
            metrics::gauge!("lintel_projector_entries_behind")
                .set(u32::try_from(self.projector.behind()).unwrap_or(u32::MAX));
        }
    }

    /// Writes a checkpoint; false if the disk or the database failed, and it is to be tried again after a pause.
    fn write(&mut self) -> Result<bool, ProjectorError> {
        match self.projector.write(&[]) {
            Ok(()) => {
                self.trouble.passed();
                Ok(true)
            }
            Err(error) if error.may_pass() => {
                self.trouble.came(self.at_ms(), &error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
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
