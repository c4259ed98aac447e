//! The projector's thread: takes durable batches, publishes them to history, writes checkpoints behind.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use domain::business_day::CheckResult;
use node::close::DaySnapshot;
use node::projector::{Projected, Projector, ProjectorError};
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

/// Starts it; `position` is what it has taken so far. The handle ends with the reason.
pub(crate) fn start(
    projector: Projector,
    position: u64,
) -> std::io::Result<(Handle, thread::JoinHandle<Result<(), ProjectorError>>)> {
    let (messages, inbox) = mpsc::sync_channel(BATCHES_BEHIND);
    let (published, projected) = watch::channel(position);
    let work = Work { projector, published, began: Instant::now() };
    let thread = thread::Builder::new().name("projector".into()).spawn(move || work.run(&inbox))?;
    Ok((Handle { messages, projected }, thread))
}

struct Work {
    projector: Projector,
    published: watch::Sender<u64>,
    began: Instant,
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
                    self.projector.write(&[])?;
                    // Whoever asked may be gone; the checkpoint stands.
                    sender.send(()).ok();
                }
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return self.projector.write(&[]);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.projector.is_due(self.at_ms()) {
                let began = Instant::now();
                self.projector.write(&[])?;
                metrics::histogram!("lintel_checkpoint_seconds").record(began.elapsed().as_secs_f64());
            }
            metrics::gauge!("lintel_projector_entries_behind")
                .set(u32::try_from(self.projector.behind()).unwrap_or(u32::MAX));
        }
    }

    fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
