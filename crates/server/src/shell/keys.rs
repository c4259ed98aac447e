//! The threads beside the writer for keys that left memory: one looks keys up, one builds filters. The writer never waits
//! for either.
//!
//! ```text
//!  writer ─ a parked request ─► look-up thread ─► Input::LookedUp ─► writer
//!         ─ a span is due ────► filter thread ── Input::Filter ────► writer
//!         ─ what retired ─────► filter thread (dropped there: half a million keys take their time)
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::{Parked, Retired, Span};
use node::keys::KeysError;
use store::Database;

use super::{AfterStep, Input, Platform};

/// A filter that waits for a checkpoint is tried again after this.
const PAUSE: Duration = Duration::from_millis(200);
/// One that could not be built, after this.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Where keys lie beside memory, and how many of them are a run.
#[derive(Clone)]
pub(crate) struct Elsewhere {
    /// The tables.
    pub(crate) store: Arc<Database>,
    /// Keys of a run.
    pub(crate) run: usize,
}

/// What the filter thread is asked.
enum Errand {
    Build(Span),
    Drop(Retired),
}

/// The writer's way to both threads, which end with it.
pub(crate) struct Threads {
    queues: Option<(mpsc::Sender<(Parked, AfterStep)>, mpsc::Sender<Errand>)>,
    running: Vec<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
}

impl Threads {
    /// Starts them.
    pub(crate) fn start(store: &Arc<Database>, platform: &Platform) -> std::io::Result<Self> {
        let (look_ups, to_look_up) = mpsc::channel();
        let (errands, to_do) = mpsc::channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let mut threads = Self { queues: Some((look_ups, errands)), running: Vec::new(), stopped };
        let (tables, answers) = (store.clone(), platform.clone());
        let named = |name: &str| thread::Builder::new().name(name.into());
        threads.running.push(named("look-up").spawn(move || look_up(&tables, &answers, &to_look_up))?);
        let builder = Builder { store: store.clone(), platform: platform.clone(), stopped: threads.stopped.clone() };
        threads.running.push(named("filters").spawn(move || builder.run(&to_do))?);
        Ok(threads)
    }

    /// Has a request's keys looked up; it comes back as [`Input::LookedUp`].
    pub(crate) fn look_up(&self, parked: Parked, after: AfterStep) {
        if let Some((look_ups, _)) = &self.queues {
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
        if let Some((_, errands)) = &self.queues {
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
    while let Ok((parked, after)) = parked.recv() {
        let began = Instant::now();
        let looked_up = node::keys::look_up(store, &parked);
        metrics::histogram!("lintel_key_lookup_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("lintel_key_lookups_total").increment(1);
        match looked_up {
            Ok(looked_up) => {
                if looked_up.bound.is_empty() {
                    metrics::counter!("lintel_key_false_positives_total").increment(1);
                }
                if platform.send(Input::LookedUp(Box::new((parked, looked_up)), after)).is_err() {
                    return;
                }
            }
            // Its caller learns that there is no answer, and asks again.
            Err(error) => tracing::error!(scope = parked.scope(), %error, "keys could not be looked up"),
        }
    }
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
