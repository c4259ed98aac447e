//! The writer thread and the journal thread: decide the next batch while the last one syncs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use domain::envelope::Time;
use engine::{Admitted, Engine, Gate, KeyFilter, Projection};
use journal::{Batch, Journal, JournalError, Sealing};
use node::projector::Projected;
use tokio::sync::watch;

use super::awaited::Awaited;
use super::keys::{Elsewhere, Threads};
use super::{AfterStep, Before, Clock, Input, Leaving, Platform, RowsWanted};

/// A batch is closed at this size even while the one before still syncs.
const BATCH_BYTES: usize = 4 << 20;
/// With the journal idle, a batch of this size is not held back for inputs that wait.
const EAGER_BYTES: usize = 64 << 10;

enum Output {
    Leaving(Leaving),
    Projection(Box<Projection>),
}

/// What the journal thread does, in order.
enum Work {
    Append(Batch),
    Rows(RowsWanted),
}

/// Payload bytes of rows that are handed out at a time: no batch waits longer than reading them takes.
const ROWS_BYTES: usize = 4 << 20;

/// Where durable projections go; it may wait when what follows the journal lags too far.
pub(crate) type ProjectionSink = Box<dyn FnMut(Projected) + Send>;

/// Why the writer ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriterError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::EngineError),
}

/// A writer that ended.
pub(crate) struct Ended {
    /// What it would have taken next: for its successor.
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// Why it ended.
    pub(crate) result: Result<(), WriterError>,
}

impl WriterError {
    /// The journal's error, if the journal may come back by itself.
    pub(crate) fn passing(&self) -> Option<&journal::JournalError> {
        match self {
            Self::Journal(error) if error.may_pass() => Some(error),
            Self::Journal(_) | Self::Engine(_) => None,
        }
    }
}

/// Starts the writer, the journal thread and those for keys; the handle ends with the reason.
pub(crate) fn start(
    mut engine: Engine,
    journal: Box<dyn Journal>,
    clock: Clock,
    platform: Platform,
    inputs: mpsc::Receiver<Input>,
    project: ProjectionSink,
    elsewhere: &Elsewhere,
) -> std::io::Result<thread::JoinHandle<Ended>> {
    let (batches, to_append) = mpsc::channel();
    let acknowledge = platform.clone();
    engine.set_run_keys(elsewhere.run);
    let (keys, written) = (Threads::start(&elsewhere.store, &platform)?, elsewhere.written.clone());
    let batch_every = elsewhere.batch_every;
    let appender =
        thread::Builder::new().name("journal".into()).spawn(move || append(journal, &to_append, &acknowledge))?;
    thread::Builder::new().name("writer".into()).spawn(move || {
        let gate = Gate::new(engine.state().position);
        let stashed = VecDeque::new();
        let awaited = platform.awaited();
        let writer = Writer {
            engine,
            gate,
            clock,
            batches,
            syncing: 0,
            batch_every,
            begun: None,
            project,
            awaited,
            keys,
            written,
            let_go: 0,
            stashed,
        };
        let result = writer.run(&inputs);
        match result.as_ref().err().and_then(WriterError::passing) {
            Some(error) => platform.standing().recover(error.to_string()),
            None => platform.close(),
        }
        // The journal thread ends with the channel of batches, which the writer dropped.
        drop(appender.join());
        Ended { inputs, result }
    })
}

fn append(mut journal: Box<dyn Journal>, work: &mpsc::Receiver<Work>, platform: &Platform) {
    while let Some(next) = next_work(&mut *journal, work, platform) {
        let batch = match next {
            Work::Append(batch) => batch,
            Work::Rows(wanted) => {
                if hand_out(&mut *journal, wanted, platform) {
                    continue;
                }
                return;
            }
        };
        let began = std::time::Instant::now();
        let input = match journal.append(&batch) {
            Ok(tip) => Input::Durable(tip),
            Err(error) => Input::Failed(error),
        };
        metrics::histogram!("lintel_journal_append_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("lintel_journal_bytes_total").increment(batch.payload.len() as u64);
        let failed = matches!(input, Input::Failed(_));
        if platform.send(input).is_err() || failed {
            return;
        }
    }
}

/// Rows for a copy: what lies in the journal here is durable. False if a row is not what was written, which stops service.
fn hand_out(journal: &mut dyn Journal, RowsWanted { from_row, answer }: RowsWanted, platform: &Platform) -> bool {
    let rows = journal.rows(from_row, ROWS_BYTES).map(|rows| {
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| journal::copy::encode(row, &mut bytes));
        bytes
    });
    let corrupt = matches!(rows, Err(JournalError::Corrupt(_)));
    // Whoever asked may be gone.
    drop(answer.send(rows.as_ref().map(Clone::clone).map_err(ToString::to_string)));
    if let Err(error) = rows
        && corrupt
    {
        platform.send(Input::Failed(error)).ok();
    }
    !corrupt
}

/// What is to be done next; while there is nothing the journal rests, and moves old rows to files bit by bit.
fn next_work(journal: &mut dyn Journal, work: &mpsc::Receiver<Work>, platform: &Platform) -> Option<Work> {
    loop {
        match work.try_recv() {
            Ok(next) => return Some(next),
            Err(mpsc::TryRecvError::Disconnected) => return None,
            Err(mpsc::TryRecvError::Empty) => {}
        }
        match journal.rest().and_then(|()| journal.seal()) {
            Ok(sealing) if is_more(&sealing) => {}
            Ok(_) => return work.recv().ok(),
            Err(error) => {
                // A writer that is gone needs no word.
                platform.send(Input::Failed(error)).ok();
                return None;
            }
        }
    }
}

/// Counts what a step of sealing came to; whether another one follows.
fn is_more(sealing: &Sealing) -> bool {
    match sealing {
        Sealing::Idle | Sealing::Waiting => false,
        Sealing::More => true,
        Sealing::Sealed => {
            metrics::counter!("lintel_journal_sealed_total").increment(1);
            true
        }
        Sealing::Failed(error) => {
            metrics::counter!("lintel_journal_seal_failures_total").increment(1);
            tracing::warn!(%error, "old rows of the journal stay in its database for now");
            false
        }
    }
}

struct Writer {
    engine: Engine,
    gate: Gate<Output>,
    clock: Clock,
    batches: mpsc::Sender<Work>,
    /// Batches at the journal: none or one.
    syncing: usize,
    /// The least time from the beginning of a batch to that of the next.
    batch_every: Duration,
    /// When the last one was begun.
    begun: Option<Instant>,
    project: ProjectionSink,
    awaited: Arc<Awaited>,
    keys: Threads,
    /// The position of the last checkpoint.
    written: watch::Receiver<u64>,
    /// The last of them at which what is closed could leave.
    let_go: u64,
    /// Inputs taken while only the journal's word counted.
    stashed: VecDeque<Input>,
}

impl Writer {
    fn run(mut self, inputs: &mpsc::Receiver<Input>) -> Result<(), WriterError> {
        let mut stopping = false;
        self.pass_on_due();
        loop {
            let full = self.syncing > 0 && self.engine.open_bytes() >= BATCH_BYTES;
            let next = if full { None } else { self.stashed.pop_front() };
            let input = match next {
                Some(input) => input,
                None => match self.next(inputs, full) {
                    Some(input) => input,
                    None => return Ok(()),
                },
            };
            if matches!(input, Input::Stop) {
                stopping = true;
            } else if full && !matches!(input, Input::Durable(_) | Input::Failed(_)) {
                self.stashed.push_back(input);
            } else {
                self.take(input)?;
            }
            if self.engine.open_bytes() >= EAGER_BYTES {
                self.seal();
            }
            if stopping && self.syncing == 0 && self.engine.open_bytes() == 0 && self.stashed.is_empty() {
                return Ok(());
            }
        }
    }

    /// The next input; before waiting for one, the open batch goes to the journal if that is idle and it is time.
    fn next(&mut self, inputs: &mpsc::Receiver<Input>, full: bool) -> Option<Input> {
        if let Ok(input) = inputs.try_recv() {
            return Some(input);
        }
        if let Some(left) = self.put_off()
            && let Ok(input) = inputs.recv_timeout(left)
        {
            return Some(input);
        }
        if !full {
            self.seal();
        }
        inputs.recv().ok()
    }

    /// For how long the open batch takes further commands though the journal is idle.
    fn put_off(&self) -> Option<Duration> {
        let waits = self.syncing == 0 && !self.batch_every.is_zero() && self.engine.open_bytes() > 0;
        let left = self.batch_every.checked_sub(self.begun.filter(|_| waits)?.elapsed())?;
        (!left.is_zero()).then_some(left)
    }

    fn take(&mut self, input: Input) -> Result<(), WriterError> {
        match input {
            Input::Request(request, after) => {
                let admitted = self.engine.admit(*request, self.clock.now())?;
                self.admitted(admitted, after);
            }
            Input::Unless(request, before) => match before(self.engine.state()) {
                Before::Decide(after) => {
                    let admitted = self.engine.admit(*request, self.clock.now())?;
                    self.admitted(admitted, after);
                }
                Before::Leave(leaving) => self.give(leaving),
            },
            Input::LookedUp(looked_up, after) => {
                let (parked, looked_up) = *looked_up;
                let admitted = self.engine.resume(parked, &looked_up, self.clock.now())?;
                self.admitted(admitted, after);
            }
            Input::Filter(filter) => self.install(*filter),
            Input::Read(look) => {
                let leaving = look(&mut self.engine);
                self.give(leaving);
            }
            Input::Tick => {
                let now = self.clock.now();
                if self.engine.is_due(now) {
                    let ticked = self.engine.admit(engine::engine::tick(), now)?;
                    // What it asks for may have left memory; nobody waits for its answer.
                    self.admitted(ticked, Box::new(|_, _| Box::new(|| {})));
                }
                self.let_go(now)?;
                self.gauge_memory();
            }
            Input::Durable(tip) => {
                self.syncing = self.syncing.saturating_sub(1);
                self.release(tip);
                if self.put_off().is_none() {
                    self.seal();
                }
                self.pass_on_due();
            }
            Input::Rows(wanted) => drop(self.batches.send(Work::Rows(wanted))),
            Input::Failed(error) => return Err(error.into()),
            Input::Stop => {}
        }
        Ok(())
    }

    /// Lets out what waited for this tip, and looks at what somebody waits for.
    fn release(&mut self, tip: journal::Tip) {
        let Self { gate, project, awaited, .. } = self;
        let mut looks = Vec::new();
        for output in gate.release(tip.next.saturating_sub(1)) {
            match output {
                Output::Leaving(leaving) => leaving(),
                // One batch is under way at a time, so the tip's hash is this batch's.
                Output::Projection(projection) => {
                    let orders = projection.changes.orders.iter().map(|(_, order)| order);
                    looks.extend(awaited.ended(orders.map(|order| (order.id, order.trying, order.legs.as_slice()))));
                    project(Projected { projection: *projection, hash: tip.hash });
                }
            }
        }
        for look in looks {
            let leaving = look(self.engine.state());
            self.give(leaving);
        }
    }

    /// What is closed and in a new checkpoint leaves memory.
    fn let_go(&mut self, now: Time) -> Result<(), WriterError> {
        let written = *self.written.borrow();
        if written > self.let_go {
            self.let_go = written;
            self.engine.submit(engine::engine::checkpoint(written), now)?;
        }
        Ok(())
    }

    /// Lets the answer out, or has what left memory looked up while others go on.
    fn admitted(&mut self, admitted: Admitted, after: AfterStep) {
        match admitted {
            Admitted::Answered(answer) => {
                let leaving = after(self.engine.state(), answer);
                self.give(leaving);
            }
            Admitted::Parked(parked) => self.keys.look_up(parked, after),
        }
    }

    fn pass_on_due(&mut self) {
        while let Some(span) = self.engine.take_due() {
            self.keys.build(span);
        }
    }

    fn install(&mut self, filter: KeyFilter) {
        let span = filter.span();
        match self.engine.install(filter) {
            Some(retired) => self.keys.retire(retired),
            None => {
                tracing::warn!(?span, "a filter of keys does not fit and is left out; the keys stay where they are")
            }
        }
        self.pass_on_due();
    }

    /// What memory holds, for `/metrics`.
    fn gauge_memory(&self) {
        let gauge = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let (keys, (bytes, filters)) = (self.engine.keys(), self.engine.keys().filters());
        let in_memory = keys.len_in_memory();
        metrics::gauge!("lintel_keys_in_memory").set(gauge(in_memory));
        metrics::gauge!("lintel_keys_behind_filters").set(gauge(keys.len() - in_memory));
        metrics::gauge!("lintel_key_filters").set(gauge(filters));
        metrics::gauge!("lintel_key_filter_bytes").set(gauge(bytes));
        for (kind, count) in self.engine.state().counts() {
            metrics::gauge!("lintel_objects_in_memory", "kind" => kind).set(gauge(count));
        }
    }

    fn give(&mut self, leaving: Leaving) {
        let position = self.engine.state().position;
        if position <= self.gate.durable() {
            leaving();
        } else {
            self.gate.park(position, Output::Leaving(leaving));
        }
    }

    fn seal(&mut self) {
        if self.syncing > 0 {
            return;
        }
        if let Some(sealed) = self.engine.seal() {
            self.gate.park(sealed.projection.last, Output::Projection(Box::new(sealed.projection)));
            self.syncing += 1;
            self.begun = Some(Instant::now());
            // A journal thread that ended said why before.
            drop(self.batches.send(Work::Append(sealed.batch)));
        }
    }
}
