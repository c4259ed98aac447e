//! The threads beside the writer for what left memory: one looks keys and rows up, one builds filters of keys. The writer
//! never waits for either.
//!
//! ```text
//!  writer ─ a parked request ─► look-up thread ─► Input::LookedUp ─► writer
//!                                  └ a row, and the store is behind what left ─► again, a little later
//!         ─ a span is due ────► filter thread ── Input::Filter ────► writer
//!         ─ what retired ─────► filter thread (dropped there: half a million keys take their time)
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::{LookedUp, Parked, Retired, Span};
use node::keys::KeysError;
use store::Database;
use tokio::sync::watch;

use super::{AfterStep, Input, Platform};

/// A store that is behind what left memory is asked again after this.
const CATCH_UP: Duration = Duration::from_millis(5);
/// A filter that waits for a checkpoint is tried again after this.
const PAUSE: Duration = Duration::from_millis(200);
/// One that could not be built, after this.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// What lies beside memory, how many keys are a run, and how far apart batches are.
#[derive(Clone)]
pub(crate) struct Elsewhere {
    /// The tables.
    pub(crate) store: Arc<Database>,
    /// Keys of a run.
    pub(crate) run: usize,
    /// The position of the last checkpoint.
    pub(crate) written: watch::Receiver<u64>,
    /// The least time from the beginning of a batch to that of the next.
    pub(crate) batch_every: Duration,
}

/// What the filter thread is asked.
enum Errand {
    Build(Span),
    Drop(Retired),
}

/// The ends that the writer holds.
struct Queues {
    look_ups: mpsc::Sender<(Parked, AfterStep)>,
    errands: mpsc::Sender<Errand>,
}

/// The writer's way to both threads, which end with it.
pub(crate) struct Threads {
    queues: Option<Queues>,
    running: Vec<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
}

impl Threads {
    /// Starts them.
    pub(crate) fn start(store: &Arc<Database>, platform: &Platform) -> std::io::Result<Self> {
        let (look_ups, to_look_up) = mpsc::channel();
        let (errands, to_do) = mpsc::channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let mut threads = Self { queues: Some(Queues { look_ups, errands }), running: Vec::new(), stopped };
        let (tables, answers) = (store.clone(), platform.clone());
        let named = |name: &str| thread::Builder::new().name(name.into());
        threads.running.push(named("look-up").spawn(move || look_up(&tables, &answers, &to_look_up))?);
        let builder = Builder { store: store.clone(), platform: platform.clone(), stopped: threads.stopped.clone() };
        threads.running.push(named("filters").spawn(move || builder.run(&to_do))?);
        Ok(threads)
    }

    /// Has a request's keys and rows looked up; it comes back as [`Input::LookedUp`].
    pub(crate) fn look_up(&self, parked: Parked, after: AfterStep) {
        if let Some(Queues { look_ups, errands: _ }) = &self.queues {
            // Without its thread nobody is told, and the caller asks again.
            drop(look_ups.send((parked, after)));
        }
    }

    /// Has a filter built; it comes back as [`Input::Filter`].
    pub(crate) fn build(&self, span: Span) {
        self.errand(Errand::Build(span));
    }

    /// Drops what left memory.
    pub(crate) fn retire(&self, retired: Retired) {
        self.errand(Errand::Drop(retired));
    }

    fn errand(&self, errand: Errand) {
        if let Some(Queues { errands, look_ups: _ }) = &self.queues {
            // Without its thread keys stay in memory.
            drop(errands.send(errand));
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.queues = None;
        for thread in self.running.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread for keys panicked; its words are above");
            }
        }
    }
}

fn look_up(store: &Database, platform: &Platform, parked: &mpsc::Receiver<(Parked, AfterStep)>) {
    // Those for which the store is behind.
    let mut waiting = Vec::new();
    loop {
        let asked = if waiting.is_empty() {
            parked.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
        } else {
            parked.recv_timeout(CATCH_UP)
        };
        let asked = match asked {
            Ok(asked) => vec![asked],
            Err(mpsc::RecvTimeoutError::Timeout) => std::mem::take(&mut waiting),
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        };
        for asked in asked {
            match look_up_one(store, asked) {
                Some((asked, None)) => waiting.push(asked),
                Some(((parked, after), Some(looked_up))) => {
                    let sent = platform.send(Input::LookedUp(Box::new((parked, looked_up)), after));
                    if sent.is_err() {
                        return;
                    }
                }
                None => {}
            }
        }
    }
}

/// What the store says; without it if the store is behind, and nothing if it cannot be asked.
fn look_up_one(store: &Database, asked: (Parked, AfterStep)) -> Option<((Parked, AfterStep), Option<LookedUp>)> {
    let (began, parked) = (Instant::now(), &asked.0);
    let looked_up = node::keys::look_up(store, parked);
    let looked_up = looked_up.map_err(|error| {
        // Its caller learns that there is no answer, and asks again.
        tracing::error!(scope = parked.scope(), %error, "what left memory could not be looked up");
    });
    let looked_up = looked_up.ok()?;
    if let Some(LookedUp { bound, rows, .. }) = &looked_up {
        if rows.is_empty() {
            metrics::histogram!("lintel_key_lookup_seconds").record(began.elapsed().as_secs_f64());
            metrics::counter!("lintel_key_lookups_total").increment(1);
            metrics::counter!("lintel_key_false_positives_total").increment(u64::from(bound.is_empty()));
        } else {
            metrics::histogram!("lintel_row_lookup_seconds").record(began.elapsed().as_secs_f64());
            metrics::counter!("lintel_row_lookups_total").increment(rows.len() as u64);
        }
    }
    Some((asked, looked_up))
}

struct Builder {
    store: Arc<Database>,
    platform: Platform,
    stopped: Arc<AtomicBool>,
}

impl Builder {
    fn run(&self, errands: &mpsc::Receiver<Errand>) {
        let mut waiting = VecDeque::new();
        let mut pause = PAUSE;
        loop {
            let errand = if waiting.is_empty() {
                errands.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                errands.recv_timeout(pause)
            };
            match errand {
                Ok(Errand::Build(span)) => waiting.push_back(span),
                Ok(Errand::Drop(retired)) => drop(retired),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            pause = match self.build(&mut waiting) {
                Ok(()) => PAUSE,
                Err(KeysError::Stopped) => return,
                Err(error @ (KeysError::Store(_) | KeysError::Filter(_))) => {
                    tracing::error!(%error, "a filter of keys was not built; they stay in memory");
                    PAUSE_AFTER_ERROR
                }
            };
        }
    }

    /// Builds the filters that wait, in order, as far as the checkpoint goes.
    fn build(&self, waiting: &mut VecDeque<Span>) -> Result<(), KeysError> {
        while let Some(span) = waiting.front() {
            let goes_on = || !self.stopped.load(Ordering::Acquire);
            let Some(filter) = node::keys::build(&self.store, *span, goes_on)? else { return Ok(()) };
            waiting.pop_front();
            if self.platform.send(Input::Filter(Box::new(filter))).is_err() {
                return Err(KeysError::Stopped);
            }
        }
        Ok(())
    }
}
