//! Terms: the platform goes on after its journal failed, in the same process and under the same listener.
//!
//! ```text
//!  term n: writer and journal threads ─ the journal fails ─► all that waits at the gate is dropped: its callers get 503
//!     ▲                                                       state and journal are dropped; requests are refused
//!     │    try again, with growing pauses:
//!     │      the disk takes a probe ─ the journal opens, in epoch n + 1 ─ nothing durable is missing ─ state loads
//!     └────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! What follows the journal (store, history, tail) has only ever seen durable batches, so it stays; a batch whose append
//! failed and that turns out to be in the journal reaches it here. Attempts at banks are all looked at again in the new
//! epoch, as maybe sent.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use engine::Engine;
use history::History;
use journal::{DirectoryLock, Hash, Journal, JournalError};
use node::executor;
use node::load::{LoadError, Loaded};
use node::projector::Projected;
use store::Database;
use tokio::sync::mpsc::UnboundedSender;

use super::executor::{Told, told_of};
use super::journal_place::JournalPlace;
use super::keys::Elsewhere;
use super::projector::{Handle, Message};
use super::writer::{self, ProjectionSink, WriterError};
use super::{Clock, Input, Platform, channel_rate, outflow};

/// The first pause before the journal is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What the disk must take before the journal is tried: two full batches. Else a nearly full disk would fail it at once.
const PROBE_BYTES: usize = 8 << 20;
/// The probe, below the data directory.
const PROBE_NAME: &str = "probe";

/// Why the terms ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TermError {
    /// The writer, by something that does not pass.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The journal was there again, but the state could not be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The journal came back with less than was answered.
    #[error(
        "the journal came back and ends at position {found}; answers up to {durable} have left: its disk lost what it had \
         confirmed. Restore it from a backup and its copies before starting again"
    )]
    Lost {
        /// Where it ends.
        found: u64,
        /// What had been durable.
        durable: u64,
    },
    /// The journal came back with another row than the one that was answered.
    #[error("the journal came back with another row at position {position} than was written there; stopping")]
    Changed {
        /// Where the row ends.
        position: u64,
    },
    /// Another node may lead.
    #[error("the lease was lost while the journal was not there; this node stops")]
    Deposed,
    /// A defect: its words are in the log.
    #[error("the writer's thread panicked")]
    Panicked,
    /// The system gave no thread.
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a term begins with.
pub(crate) struct Term {
    /// The state at the journal's tip.
    pub(crate) engine: Engine,
    /// The journal, led in the term's epoch.
    pub(crate) journal: Box<dyn Journal>,
}

/// What stays from term to term.
pub(crate) struct Terms {
    /// Where the journal is.
    pub(crate) place: JournalPlace,
    /// The data directory, held.
    pub(crate) lock: DirectoryLock,
    pub(crate) store: Arc<Database>,
    pub(crate) history: Arc<History>,
    pub(crate) projector: Handle,
    pub(crate) platform: Platform,
    pub(crate) clock: Clock,
    /// The way to the executor.
    pub(crate) attempts: UnboundedSender<Told>,
    /// Position and hash of the last batch known to be durable.
    pub(crate) durable: Durable,
    /// Keys of a run.
    pub(crate) run_keys: usize,
    /// The least time from the beginning of a batch to that of the next.
    pub(crate) batch_every: Duration,
}

/// Position and hash of the last batch that was passed on as durable; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Durable(Arc<Mutex<(u64, Option<Hash>)>>);

impl Durable {
    /// Durable up to where the first load ended.
    pub(crate) fn new(position: u64) -> Self {
        Self(Arc::new(Mutex::new((position, None))))
    }

    fn get(&self) -> (u64, Option<Hash>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, position: u64, hash: Hash) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (position, Some(hash));
    }
}

/// Starts the terms; the handle ends with the reason.
pub(crate) fn start(
    terms: Terms,
    first: Term,
    inputs: mpsc::Receiver<Input>,
) -> std::io::Result<thread::JoinHandle<Result<(), TermError>>> {
    thread::Builder::new().name("terms".into()).spawn(move || {
        let _closed_at_the_end = Closing(terms.platform.clone());
        terms.run(first, inputs)
    })
}

/// Closes the platform however the terms end, by a panic too: nobody would lead it any more.
struct Closing(Platform);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Terms {
    fn run(&self, first: Term, mut inputs: mpsc::Receiver<Input>) -> Result<(), TermError> {
        let mut term = first;
        loop {
            let Term { engine, journal } = term;
            let sink = self.sink(journal.tip().epoch);
            let (store, written) = (self.store.clone(), self.projector.written());
            let (run, batch_every) = (self.run_keys, self.batch_every);
            let elsewhere = Elsewhere { store, run, written, batch_every };
            let (clock, platform) = (self.clock.clone(), self.platform.clone());
            let writer = writer::start(engine, journal, clock, platform, inputs, sink, &elsewhere)?;
            let ended = writer.join().map_err(|_| TermError::Panicked)?;
            let Err(error) = ended.result else { return Ok(()) };
            if error.passing().is_none() || self.platform.standing().is_ending() {
                return Err(error.into());
            }
            tracing::error!(%error, "the journal failed; the state is dropped, requests are refused until it is there again");
            inputs = ended.inputs;
            term = match self.next(&inputs)? {
                Some(next) => next,
                None => return Err(error.into()),
            };
        }
    }

    /// The next term; `None` if the process was asked to stop before the journal was there again.
    fn next(&self, inputs: &mpsc::Receiver<Input>) -> Result<Option<Term>, TermError> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            if !self.wait(inputs, pause) {
                return Ok(None);
            }
            if !self.platform.leads() {
                return Err(TermError::Deposed);
            }
            match self.open_again() {
                Ok(term) => {
                    let (position, epoch) = (term.engine.state().position, term.journal.tip().epoch);
                    self.platform.standing().resume(epoch);
                    for told in told_of(term.engine.state(), epoch) {
                        // Without an executor the platform is stopping; the outbox keeps the attempt.
                        drop(self.attempts.send(told));
                    }
                    tracing::warn!(
                        position,
                        epoch,
                        seconds = began.elapsed().as_secs_f64(),
                        "recovered; requests are taken"
                    );
                    return Ok(Some(term));
                }
                Err(error) if error.may_pass() => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    tracing::warn!(%error, next_try_ms = pause.as_millis() as u64, "the journal is not there yet");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets a pause pass, dropping what comes in: its callers get no answer from a state that is gone. False if the process
    /// was asked to stop.
    fn wait(&self, inputs: &mpsc::Receiver<Input>, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match inputs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Input::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                Ok(
                    Input::Request(..)
                    | Input::Unless(..)
                    | Input::LookedUp(..)
                    | Input::Filter(_)
                    | Input::Read(_)
                    | Input::Rows(_)
                    | Input::Durable(_)
                    | Input::Failed(_)
                    | Input::Tick,
                ) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => return !self.platform.standing().is_ending(),
            }
        }
    }

    /// One try: probe, open, compare, load.
    fn open_again(&self) -> Result<Term, TermError> {
        if self.place.is_embedded() {
            probe(self.lock.directory()).map_err(LoadError::Journal)?;
        }
        let mut journal = self.place.reopen(&self.lock).map_err(LoadError::Journal)?;
        let (durable, hash) = self.durable.get();
        let tip = journal.tip();
        let found = tip.next.saturating_sub(1);
        if found < durable {
            return Err(TermError::Lost { found, durable });
        }
        // A checkpoint in the middle of loading would move what is being loaded.
        let held = self.projector.hold();
        let (mut late, mut changed) = (Vec::new(), None);
        let loaded = node::load::load(journal.as_mut(), &self.store, &self.history, |projected| {
            let position = projected.projection.last;
            if position > durable {
                late.push(projected);
            } else if position == durable && hash.is_some_and(|hash| hash != projected.hash) {
                changed = Some(position);
            }
        });
        let Loaded { engine, .. } = loaded?;
        if let Some(position) = changed {
            return Err(TermError::Changed { position });
        }
        if let Some(held) = held {
            held.go_on(tip.epoch);
        }
        for projected in late {
            self.project(projected);
        }
        Ok(Term { engine, journal })
    }

    /// Passes a durable batch to the projector.
    fn project(&self, projected: Projected) {
        pass_on(&self.projector, &self.durable, projected);
    }

    /// Durable batches go to the projector, new and settled attempts to the executor.
    fn sink(&self, epoch: u64) -> ProjectionSink {
        let (projector, durable, attempts) = (self.projector.clone(), self.durable.clone(), self.attempts.clone());
        let (mut outflow, clock) = (outflow::Watch::default(), self.clock.clone());
        let mut tries = channel_rate::Counters::default();
        Box::new(move |projected: Projected| {
            for (_, row) in &projected.projection.changes.outflows {
                outflow.see(row, clock.now());
            }
            for attempt in executor::requested(&projected.projection) {
                // Without an executor the platform is stopping; the outbox keeps the attempt.
                drop(attempts.send(Told::Fly(epoch, Box::new(attempt.clone()))));
            }
            for attempt in executor::settled(&projected.projection) {
                drop(attempts.send(Told::Settled(attempt)));
            }
            for closing in executor::closing(&projected.projection) {
                drop(attempts.send(Told::Closing(closing)));
            }
            for (_, weights) in &projected.projection.changes.site_weights {
                drop(attempts.send(Told::Weights(Box::new(weights.clone()))));
            }
            tries.count(&projected.projection.changes.ended_tries);
            pass_on(&projector, &durable, projected);
        })
    }
}

fn pass_on(projector: &Handle, durable: &Durable, projected: Projected) {
    durable.set(projected.projection.last, projected.hash);
    if !projector.send(Message::Take(Box::new(projected))) {
        tracing::error!("the projector is gone; lists and statements stand still until a restart");
    }
}

impl TermError {
    /// Whether trying again later may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Load(error) => error.may_pass(),
            Self::Writer(_)
            | Self::Lost { .. }
            | Self::Changed { .. }
            | Self::Deposed
            | Self::Panicked
            | Self::Thread(_) => false,
        }
    }
}

/// Writes and syncs a file of [`PROBE_BYTES`] in the directory, and takes it away again.
fn probe(directory: &Path) -> Result<(), JournalError> {
    let path = directory.join(PROBE_NAME);
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(&vec![0x5a; PROBE_BYTES])?;
        file.sync_all()
    };
    let written = write();
    // A probe that could not be written must not keep the space that is missing.
    let removed = std::fs::remove_file(&path);
    let outcome = match (written, removed) {
        (Ok(()), removed) => removed,
        (Err(error), _) => Err(error),
    };
    outcome.map_err(|source| JournalError::Io { doing: format!("probing the disk with {}", path.display()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind_and_a_directory_that_is_gone_may_come_back() {
        let directory = tempfile::tempdir().unwrap();
        probe(directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let error = probe(&directory.path().join("gone")).unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(error.to_string().contains("gone"), "{error}");
    }
}
