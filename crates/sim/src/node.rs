//! One life of the node: engine, gate, journal, projector and flights, put together as the server's shell puts them
//! together, without threads. What leaves it leaves through [`World`](crate::world::World), which asks whether it may.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use channels::Channel;
use domain::attempt::{Attempt, Outcome, Rail};
use domain::envelope::Time;
use domain::ids::{AccountId, AttemptId};
use domain::money::Minor;
use engine::{Answer, Engine, Gate, Keys, Projection};
use history::{History, Tail};
use journal::{Batch, Journal as _, JournalError};
use node::close::DaySnapshot;
use node::executor::{self, Flight, Patience};
use node::load::{self, LoadError};
use node::projector::{Projected, Projector};
use node::site::Sites;
use store::Database;

use crate::check::{Checked, broken};
use crate::disk::{Disk, SimJournal};
use crate::fault::Fault;
use crate::files::Files;
use crate::follower::Follower;
use crate::fund_batch;
use crate::secrets::secrets;
use crate::sites;
use crate::terms::Terms;

/// Who waits for an answer: a client's number, and the number of its request.
pub(crate) type Asker = (usize, u64);

/// What leaves the node once the journal holds the state that it was computed from.
#[derive(Debug)]
pub(crate) enum Output {
    /// The answer to a request.
    Answer(Asker, Answer),
    /// What a reader saw of an account.
    Seen(AccountId, Minor),
    /// The executor hears that the engine knows an outcome.
    Reported(AttemptId, Outcome),
    /// What a batch brought about, for projector and executor.
    Projection(Box<Projection>),
    /// A sealed day, for the check of it.
    Snapshot(Box<DaySnapshot>),
}

/// What a flight waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// The time of its next step.
    Time,
    /// The end of the call with this number.
    Call(u64),
    /// The engine.
    Report,
}

/// A flight and what it waits for.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) flight: Flight,
    pub(crate) waits: Waits,
    /// The site of the open call.
    pub(crate) site: Option<usize>,
    /// The site that failed the last one.
    pub(crate) avoid: Option<usize>,
}

/// A life.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) gate: Gate<(u64, Output)>,
    pub(crate) journal: SimJournal,
    pub(crate) projector: Projector,
    pub(crate) store: Arc<Database>,
    pub(crate) history: Arc<History>,
    pub(crate) tail: Tail,
    pub(crate) flights: BTreeMap<AttemptId, Carried>,
    /// The sites of each channel.
    pub(crate) sites: BTreeMap<Rail, Sites>,
    /// The batch at the journal.
    pub(crate) syncing: Option<Batch>,
    pub(crate) epoch: u64,
    /// How long flights wait between queries.
    patience: Patience,
    /// By how much this machine's clock is ahead, in milliseconds.
    pub(crate) skew_ms: i64,
    /// Durable batches that the projector has not taken yet.
    pub(crate) behind: VecDeque<Projected>,
    /// The position up to which the projector has taken everything.
    pub(crate) projected: u64,
    /// The day that waits for the projector.
    pub(crate) closing: Option<Box<DaySnapshot>>,
}

/// The channels by rail.
pub(crate) type Channels = BTreeMap<Rail, Arc<dyn Channel>>;

/// Why a start came to nothing.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The machine or the disk: try again.
    Again(String),
    /// A law is broken.
    Broken(crate::check::Violation),
}

impl From<crate::check::Violation> for Stopped {
    fn from(violation: crate::check::Violation) -> Self {
        Self::Broken(violation)
    }
}

/// A disk that fails is tried again; whatever else a journal says at a start is a law broken.
fn again(error: &JournalError) -> Stopped {
    let fails = matches!(error, JournalError::Io { .. } | JournalError::Full { .. });
    if fails { Stopped::Again(error.to_string()) } else { recovery(&error.to_string()) }
}

impl Node {
    /// Starts on what disk and files hold, and compares what it finds with the truth.
    pub(crate) fn start(
        disk: &Disk,
        files: &Files,
        follower: &mut Follower,
        channels: &Channels,
        terms: &Terms,
        (now, skew_ms): (Time, i64),
        fault: Option<Fault>,
    ) -> Result<Self, Stopped> {
        let opened = SimJournal::open(disk.clone(), now.plus_ms(skew_ms).0);
        follower.catch_up(disk)?;
        let mut journal = opened.map_err(|error| again(&error))?;
        let epoch = journal.tip().epoch;
        let (store, history) = files.open().map_err(|error| recovery(&error.to_string()))?;
        let tail = Tail::new();
        let projector = Projector::new(store.clone(), history.clone(), tail.clone(), epoch);
        let mut projector = projector.map_err(|error| recovery(&error.to_string()))?;
        let loaded = load::load(&mut journal, &store, &history, |projected| projector.take(projected, 0));
        let loaded = loaded.map_err(|error| {
            if let LoadError::Journal(of_journal) = &error { again(of_journal) } else { recovery(&error.to_string()) }
        })?;
        let mut engine = loaded.engine;
        if fault == Some(Fault::DoubleApply) {
            engine = applied_twice(engine, &mut journal)?;
        }
        if fault == Some(Fault::ForgottenKeys) {
            engine = Engine::new(engine.state().clone(), Keys::default(), epoch);
        }
        follower.is(engine.state(), "the recovered state")?;
        if engine.keys().len() != follower.keys().len() && fault != Some(Fault::ForgottenKeys) {
            let (found, expected) = (engine.keys().len(), follower.keys().len());
            broken("state is the replay of the journal", format!("{found} keys were recovered of {expected}"))?;
        }
        let gate = Gate::new(engine.state().position);
        let projected = engine.state().position;
        let (flights, sites, behind) = (BTreeMap::new(), sites::fresh(channels, terms), VecDeque::new());
        let (syncing, closing) = (None, None);
        Ok(Self {
            engine,
            gate,
            journal,
            projector,
            store,
            history,
            tail,
            flights,
            sites,
            syncing,
            epoch,
            patience: terms.patience,
            skew_ms,
            behind,
            projected,
            closing,
        })
    }

    /// Takes up an attempt; false if it is carried already.
    pub(crate) fn carry(&mut self, attempt: Attempt, channels: &Channels) -> bool {
        let id = attempt.id;
        let Some(channel) = channels.get(&attempt.rail) else { return false };
        let state = self.engine.state();
        state.forget_missed();
        let mut seen = executor::see(state, &attempt);
        // A platform reads what left memory; a simulated one has no reader, so it believes what it cannot see.
        if !state.missed().is_empty() {
            seen.agreed = Ok(());
        }
        let flight = Flight::new(attempt, seen, channel.clone(), secrets().vault.clone(), self.epoch, self.patience);
        let carried = Carried { flight, waits: Waits::Time, site: None, avoid: None };
        self.flights.insert(id, carried).is_none()
    }

    /// Whether every attempt of the durable outbox is being carried.
    pub(crate) fn carries_all(&self, follower: &Follower) -> Checked {
        if follower.position() != self.gate.durable() {
            return Ok(());
        }
        let state = follower.state();
        // What a fund's batch carries has no flight.
        let batched = |id: AttemptId| state.attempts.get(id.0).is_some_and(fund_batch::is_batched);
        match state.outbox.iter().find(|(id, ())| !self.flights.contains_key(id) && !batched(**id)) {
            None => Ok(()),
            Some((id, ())) => broken("nothing in the outbox is forgotten", format!("nobody carries {id}")),
        }
    }
}

fn recovery(text: &str) -> Stopped {
    Stopped::Broken(crate::check::Violation { law: "recovery", found: text.to_owned() })
}

/// The planted fault: the last row again, as if it stood behind itself.
fn applied_twice(mut engine: Engine, journal: &mut SimJournal) -> Result<Engine, Stopped> {
    let position = engine.state().position;
    let rows = journal.read(position, usize::MAX).map_err(|error| recovery(&error.to_string()))?;
    if let Some(mut row) = rows.into_iter().next_back() {
        row.first = position + 1;
        engine.replay(&row).map_err(|error| {
            // What the row brings back is there already, as the row left it: the replay itself sees that.
            let law = "state is the replay of the journal";
            Stopped::Broken(crate::check::Violation { law, found: error.to_string() })
        })?;
    }
    Ok(engine)
}
