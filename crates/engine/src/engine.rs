//! The engine: state, keys and the open batch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::emitted::{Emitted, Events};
use domain::envelope::Time;
use domain::recall::{self, Recalled, Row, RowId};
use domain::restore::Core;
use domain::state::Changes;
use domain::voucher::PostedEntry;
use domain::{Actor, Command, Context, Draft, Event, Origin, Refusal, RefusalCode, Reply, State, apply, decide};
use journal::{Batch, Record};

use crate::keys::filter::{KeyFilter, Span};
use crate::keys::{FirstAnswer, Found, KeyBinding, Keys, LookedUp, Retired};
use crate::record::{self, Header, HeaderKeys, LEVEL, Meta, Request};

/// An answer, which may leave once `position` is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What came of the command.
    pub result: Result<Reply, Refusal>,
    /// The position of the state it was computed from.
    pub position: u64,
    /// True if the request was answered before and this is the first answer.
    pub repeated: bool,
}

/// What came of taking a request in.
#[derive(Debug)]
pub enum Admitted {
    /// It was decided, or had been before.
    Answered(Answer),
    /// The store must say first whether its keys were used, or what a row holds that left memory.
    Parked(Parked),
}

/// A request that waits for what the store says of its keys, and of rows that left memory. Others go on meanwhile.
#[derive(Debug)]
pub struct Parked {
    request: Box<Request>,
    rows: Vec<RowId>,
    least: u64,
}

impl Parked {
    /// Whose keys they are.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.request.meta.scope
    }

    /// The keys: the store is asked for all of them at one position.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.request.meta.keys
    }

    /// The rows that it asks for and that are away, at the same position.
    #[must_use]
    pub fn rows(&self) -> &[RowId] {
        &self.rows
    }

    /// Where the store must be at least to be asked for the rows: before, it may not have them, or not as they were left.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.least
    }
}

/// What one batch brought about, for everything that follows the journal.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    /// The position of its first event.
    pub first: u64,
    /// The position of its last event.
    pub last: u64,
    /// The engine's time.
    pub now: Time,
    /// What of the state is no row, at the end.
    pub core: Core,
    /// Every entry posted, in order.
    pub posted: Vec<PostedEntry>,
    /// Every row changed, as it is at the end.
    pub changes: Changes,
    /// Every key bound.
    pub keys: Vec<KeyBinding>,
}

/// A batch ready for the journal.
#[derive(Debug)]
pub struct SealedBatch {
    /// What to append.
    pub batch: Batch,
    /// What may leave once it is durable.
    pub projection: Projection,
}

/// A broken invariant: the engine must be dropped and built again from the journal.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A journal row that this version cannot read.
    #[error(
        "journal row at position {position} is of level {level}; this version reads up to {LEVEL}: run a newer one"
    )]
    Level {
        /// The row's first position.
        position: u64,
        /// Its level.
        level: u16,
    },
    /// A row that does not decode.
    #[error("journal row at position {position} does not decode: {source}")]
    Decode {
        /// The row's first position.
        position: u64,
        /// The decoder's words.
        source: minicbor::decode::Error,
    },
    /// Rows that do not follow on each other.
    #[error("journal row at position {position} holds {found} events, its header says {expected}")]
    Count {
        /// The row's first position.
        position: u64,
        /// By its header.
        expected: u64,
        /// By its payload.
        found: u64,
    },
    /// A row that came back otherwise than replay has it.
    #[error(
        "at position {position} {row:?} came back otherwise than the events before make it; the store was not sound"
    )]
    Recalled {
        /// Where it came back.
        position: u64,
        /// Which.
        row: RowId,
    },
    /// A command failed inside where nothing could be taken back.
    #[error("a command broke an invariant at position {position}; the state is dropped and recovered")]
    Broken {
        /// The position before it.
        position: u64,
    },
    /// A request that the store has to be asked for came where none may.
    #[error("what a request of '{scope}' needs is to be looked up in the store; take it in with `admit`")]
    Elsewhere {
        /// Whose keys.
        scope: String,
    },
}

/// What came of a request that was not answered before.
enum Taken {
    Answered(Answer),
    Misses(Vec<RowId>, Box<Request>),
}

/// What came of a command.
enum Decided {
    Done(Result<(Reply, Emitted), Refusal>),
    Misses(Vec<RowId>, Box<Command>),
}

/// The one writer.
#[derive(Debug)]
pub struct Engine {
    state: State,
    keys: Keys,
    epoch: u64,
    payload: Vec<u8>,
    first: u64,
    bindings: Vec<KeyBinding>,
}

impl Engine {
    /// An engine over a state and the keys that belong to it, leading in `epoch`.
    #[must_use]
    pub fn new(state: State, keys: Keys, epoch: u64) -> Self {
        let first = state.position + 1;
        Self { state, keys, epoch, payload: Vec::new(), first, bindings: Vec::new() }
    }

    /// The state with everything decided so far. What is computed from it waits at the gate for [`State::position`].
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The keys in use.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes in the open batch.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Looks at the state as if these rows, as a store at `as_of` has them, were in memory: [`State::with_rows`].
    pub fn look<T>(&mut self, as_of: u64, rows: &[Row], look: impl FnOnce(&State) -> T) -> T {
        self.state.with_rows(as_of, rows, look)
    }

    /// Whether something leaves memory by a checkpoint at `position`.
    #[must_use]
    pub fn would_leave(&self, position: u64) -> bool {
        self.state.would_leave(position)
    }

    /// Whether a timer fell due by `clock`.
    #[must_use]
    pub fn is_due(&self, clock: Time) -> bool {
        self.state.timers.first().is_some_and(|((at, _), ())| *at <= clock.max(self.state.now))
    }

    /// From now on so many keys are a run.
    pub fn set_run_keys(&mut self, keys: usize) {
        self.keys.set_run_keys(keys);
    }

    /// The next span of keys whose filter is to be built: [`Keys::take_due`].
    pub fn take_due(&mut self) -> Option<Span> {
        self.keys.take_due()
    }

    /// Gives a span back whose filter was not built: [`Keys::put_back`].
    pub fn put_back(&mut self, span: Span) {
        self.keys.put_back(span);
    }

    /// Lets keys leave memory for their filter: [`Keys::install`].
    #[must_use]
    pub fn install(&mut self, filter: KeyFilter) -> Option<Retired> {
        self.keys.install(filter)
    }

    /// Takes a request in: decides it on the state as it is, unless its keys or rows that left memory must be looked up
    /// first. Its events join the open batch. Time never goes back, and all of one batch happens at one time.
    ///
    /// # Errors
    /// [`EngineError::Broken`]: drop this engine.
    pub fn admit(&mut self, request: Request, clock: Time) -> Result<Admitted, EngineError> {
        self.take_in(request, Vec::new(), None, clock)
    }

    /// Takes a parked request up again, with what the store said; it may have to wait once more.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub fn resume(&mut self, parked: Parked, looked_up: &LookedUp, clock: Time) -> Result<Admitted, EngineError> {
        let Parked { request, rows, least: _ } = parked;
        self.take_in(*request, rows, Some(looked_up), clock)
    }

    /// Decides a request that binds no keys, or on an engine that has all keys in memory.
    ///
    /// # Errors
    /// As for [`Self::admit`]; [`EngineError::Elsewhere`] if a key has to be looked up, and nothing is decided.
    pub fn submit(&mut self, request: Request, clock: Time) -> Result<Answer, EngineError> {
        match self.take_in(request, Vec::new(), None, clock)? {
            Admitted::Answered(answer) => Ok(answer),
            Admitted::Parked(parked) => Err(EngineError::Elsewhere { scope: parked.request.meta.scope }),
        }
    }

    fn take_in(
        &mut self,
        request: Request,
        mut rows: Vec<RowId>,
        looked_up: Option<&LookedUp>,
        clock: Time,
    ) -> Result<Admitted, EngineError> {
        let meta = &request.meta;
        let answer = match self.keys.search(&meta.scope, &meta.keys, meta.fingerprint, looked_up) {
            Ok(Found::New) => {
                self.recall(looked_up, clock);
                match self.decide_new(request, clock)? {
                    Taken::Answered(answer) => answer,
                    Taken::Misses(missed, request) => {
                        rows.extend(missed);
                        rows.sort_unstable();
                        rows.dedup();
                        return Ok(self.park(request, rows));
                    }
                }
            }
            Ok(Found::First(first_answer)) => self.answer(first_answer.result(), true),
            Ok(Found::Elsewhere) => return Ok(self.park(Box::new(request), rows)),
            Err(refusal) => self.answer(Err(refusal), false),
        };
        Ok(Admitted::Answered(answer))
    }

    fn park(&self, request: Box<Request>, rows: Vec<RowId>) -> Admitted {
        let least = if rows.is_empty() { 0 } else { self.state.checkpointed };
        Admitted::Parked(Parked { request, rows, least })
    }

    /// Brings rows back that the store was asked for, if it had them as they left: since then others may have left, and
    /// what was changed meanwhile with them.
    fn recall(&mut self, looked_up: Option<&LookedUp>, clock: Time) {
        let Some(LookedUp { through, bound: _, rows }) = looked_up else { return };
        if *through < self.state.checkpointed {
            return;
        }
        let mut events = Emitted::default();
        for row in rows.iter().filter(|row| self.state.is_away(row.id())).cloned().collect::<Vec<_>>() {
            self.begin_batch(clock);
            let event = Event::Recalled(Recalled { as_of: *through, row });
            apply(&mut self.state, &event);
            events.push(&event);
        }
        if !events.is_empty() {
            let meta = Meta::unkeyed(Actor::Timer, Origin::Timer);
            record::encode(&mut self.payload, &header(&meta, events.count(), FirstAnswer::Done(Reply::Done)), &events);
        }
    }

    /// All of one batch happens at one time.
    fn begin_batch(&mut self, clock: Time) {
        if self.payload.is_empty() {
            self.state.now = self.state.now.max(clock);
        }
    }

    fn decide_new(&mut self, request: Request, clock: Time) -> Result<Taken, EngineError> {
        let Request { command, meta } = request;
        self.begin_batch(clock);
        let decided = match self.decide(command, &meta)? {
            Decided::Misses(rows, command) => {
                return Ok(Taken::Misses(rows, Box::new(Request { command: *command, meta })));
            }
            Decided::Done(decided) => decided,
        };
        self.journal(decided, &meta).map(Taken::Answered)
    }

    /// Adds what a command came to to the open batch.
    fn journal(&mut self, decided: Result<(Reply, Emitted), Refusal>, meta: &Meta) -> Result<Answer, EngineError> {
        let (events, first_answer) = match decided {
            // Nothing happened: a posting that was answered before, or a timer with nothing due.
            Ok((reply, events)) if events.is_empty() => return Ok(self.answer(Ok(reply), meta.keys.is_empty())),
            Ok((reply, events)) => (events, FirstAnswer::Done(reply)),
            Err(refusal) if meta.keys.is_empty() || !refusal.code.depends_on_state() => {
                return Ok(self.answer(Err(refusal), false));
            }
            Err(refusal) => {
                apply(&mut self.state, &Event::Refused);
                let mut events = Emitted::default();
                events.push(&Event::Refused);
                (events, FirstAnswer::Refused(refusal))
            }
        };
        let header = header(meta, events.count(), first_answer.clone());
        record::encode(&mut self.payload, &header, &events);
        self.bind(header);
        Ok(self.answer(first_answer.result(), false))
    }

    fn answer(&self, result: Result<Reply, Refusal>, repeated: bool) -> Answer {
        Answer { result, position: self.state.position, repeated }
    }

    fn decide(&mut self, command: Command, meta: &Meta) -> Result<Decided, EngineError> {
        let context = Context {
            now: self.state.now,
            actor: meta.actor.clone(),
            approval: meta.approval,
            origin: meta.origin,
            epoch: self.epoch,
        };
        let position = self.state.position;
        let recording = command.needs_undo();
        let wanted = recall::wanted(&self.state, &command);
        if !wanted.is_empty() {
            return Ok(Decided::Misses(wanted, Box::new(command)));
        }
        // If something is away, the command may have to come again; but not one that named all it asks for.
        let may_miss = recording && self.state.has_left() && !matches!(command, Command::PostBulk(_));
        let again = may_miss.then(|| Box::new(command.clone()));
        let mut draft = Draft::begin(&mut self.state, &context, recording);
        let decided = catch_unwind(AssertUnwindSafe(|| decide(&mut draft, command)));
        // Whatever came of it: it saw a gap where rows should be.
        let missed = draft.state.missed();
        debug_assert!(missed.is_empty() || may_miss, "`recall::wanted` names what such a command asks for");
        if let (false, Some(command)) = (missed.is_empty(), again) {
            draft.rollback();
            return Ok(Decided::Misses(missed, command));
        }
        match decided {
            Ok(Ok(reply)) => Ok(Decided::Done(Ok((reply, draft.commit())))),
            Ok(Err(refusal)) => {
                draft.rollback();
                Ok(Decided::Done(Err(refusal)))
            }
            Err(_) if recording => {
                draft.rollback();
                let message =
                    "the command broke a rule of the platform itself and was put aside; report it with its request id";
                Ok(Decided::Done(Err(Refusal::new(RefusalCode::CommandFailed, "command", message))))
            }
            Err(_) => Err(EngineError::Broken { position }),
        }
    }

    fn bind(&mut self, header: Header) {
        let Some(HeaderKeys { scope, keys, fingerprint, answer }) = header.keys else { return };
        for key in keys {
            let binding = KeyBinding {
                scope: scope.clone(),
                key,
                position: self.state.position,
                fingerprint: *fingerprint,
                answer: answer.clone(),
            };
            self.keys.bind(binding.clone());
            self.bindings.push(binding);
        }
    }

    /// Closes the open batch, if it holds anything.
    pub fn seal(&mut self) -> Option<SealedBatch> {
        if self.payload.is_empty() {
            return None;
        }
        let capacity = self.payload.capacity().min(1 << 20);
        let payload = std::mem::replace(&mut self.payload, Vec::with_capacity(capacity));
        let (first, last) = (self.first, self.state.position);
        let count = u32::try_from(last + 1 - first).expect("a batch is bounded far below 2^32 events");
        let projection = self.take_projection();
        let batch = Batch { first, count, level: LEVEL, time_ms: self.state.now.0, payload };
        Some(SealedBatch { batch, projection })
    }

    fn take_projection(&mut self) -> Projection {
        let first = std::mem::replace(&mut self.first, self.state.position + 1);
        // Before the core, which counts what they note.
        let changes = self.state.take_changes();
        Projection {
            first,
            last: self.state.position,
            now: self.state.now,
            core: self.state.core(),
            posted: self.take_posted(),
            changes,
            keys: std::mem::take(&mut self.bindings),
        }
    }

    /// Leaves room for as many again: grown from nothing, the entries of a large batch would be copied twice.
    fn take_posted(&mut self) -> Vec<PostedEntry> {
        let room = Vec::with_capacity(self.state.posted.len().min(1 << 16));
        std::mem::replace(&mut self.state.posted, room)
    }

    /// Folds a row of the journal into the state: recovery, and what a follower does for ever.
    ///
    /// # Errors
    /// A row that this version cannot read or that does not follow on the state: drop this engine, since the events before
    /// the bad one are in it.
    pub fn replay(&mut self, row: &Record) -> Result<Projection, EngineError> {
        let position = row.first;
        if row.level > LEVEL {
            return Err(EngineError::Level { position, level: row.level });
        }
        self.state.now = self.state.now.max(Time(row.time_ms));
        self.fold(position, &row.payload)?;
        let (expected, found) = (u64::from(row.count), (self.state.position + 1).saturating_sub(row.first));
        if expected != found {
            return Err(EngineError::Count { position, expected, found });
        }
        Ok(self.take_projection())
    }

    /// Event by event: a row of a large posting would be many megabytes of them.
    fn fold(&mut self, position: u64, payload: &[u8]) -> Result<(), EngineError> {
        let undecoded = |source| EngineError::Decode { position, source };
        let mut decoder = minicbor::Decoder::new(payload);
        while decoder.position() < payload.len() {
            let header: Header = decoder.decode().map_err(undecoded)?;
            for event in Events::new(&mut decoder, header.events) {
                let event = event.map_err(undecoded)?;
                if let Event::Recalled(recalled) = &event
                    && !self.state.agrees_with(recalled)
                {
                    let position = self.state.position + 1;
                    return Err(EngineError::Recalled { position, row: recalled.row.id() });
                }
                apply(&mut self.state, &event);
            }
            self.bind(header);
        }
        Ok(())
    }
}

fn header(meta: &Meta, events: u32, answer: FirstAnswer) -> Header {
    let keys = (!meta.keys.is_empty()).then(|| HeaderKeys {
        scope: meta.scope.clone(),
        keys: meta.keys.clone(),
        fingerprint: meta.fingerprint.into(),
        answer,
    });
    Header { actor: meta.actor.clone(), origin: meta.origin, events, approval: meta.approval, keys }
}

/// The request of the platform's own timer.
#[must_use]
pub fn tick() -> Request {
    Request { command: Command::Tick, meta: Meta::unkeyed(Actor::Timer, Origin::Timer) }
}

/// The request of the checkpointer: the store is at a position, and what is closed may leave memory.
#[must_use]
pub fn checkpoint(position: u64) -> Request {
    Request { command: Command::Checkpoint { position }, meta: Meta::unkeyed(Actor::Timer, Origin::Timer) }
}

/// The request of a clock that was moved by hand.
#[must_use]
pub fn mark_time() -> Request {
    Request { command: Command::MarkTime, meta: Meta::unkeyed(Actor::Timer, Origin::Timer) }
}
