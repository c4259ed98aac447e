//! The shell: the threads and queues around the engine. Everything it runs is a step of `engine` or `node`.
//!
//! ```text
//!  tokio tasks ─ submit │ read ─► writer thread ─ sealed batch ─► journal thread
//!                                   ▲   └ the gate ◄─ durable ───────┘
//!                                   │        ├─► answers to the tasks
//!                                   │        ├─► projector thread (tail) ─► checkpointer thread (store, history)
//!                                   │        │                              merger thread: ten files become one
//!                                   ├─ answers of channels ◄─ executor tasks ◄─ attempts of durable batches, new or settled
//!                                   └─ what left memory ◄─ look-up and filter threads (store)
//!  rewrapper thread: the vault, after a rotation of its key
//!  webhook tasks: what merchants are told, behind the checkpointer
//! ```

pub(crate) mod awaited;
mod background;
pub(crate) mod books;
pub(crate) mod calendar;
pub(crate) mod channel_rate;
pub(crate) mod checkpointer;
pub(crate) mod clearing;
pub(crate) mod clock;
pub(crate) mod close;
pub(crate) mod executor;
pub(crate) mod flights;
pub(crate) mod fund_batch;
pub(crate) mod journal_place;
pub(crate) mod key_devices;
pub(crate) mod key_service;
pub(crate) mod key_slot;
pub(crate) mod keys;
pub(crate) mod lease;
pub(crate) mod merger;
pub(crate) mod notification;
mod outflow;
mod pace;
pub(crate) mod projector;
pub(crate) mod real_name_check;
pub(crate) mod recall;
pub(crate) mod remote_keys;
pub(crate) mod rewrapper;
pub(crate) mod routing;
pub(crate) mod sign_up;
pub(crate) mod site;
pub(crate) mod standing;
pub(crate) mod term;
pub(crate) mod unanswered;
pub(crate) mod webhook;
pub(crate) mod working_day;
pub(crate) mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use domain::recall::Row;
use domain::{Refusal, Reply, State};
use engine::{Answer, Engine, KeyFilter, LookedUp, Parked, Request};
use tokio::sync::{oneshot, watch};

use awaited::Awaited;
pub(crate) use clock::Clock;
use lease::Leadership;
use standing::{Phase, Standing};

/// How many requests may wait for the writer before callers are told to come back later.
pub(crate) const QUEUE_BOUND: usize = 10_000;

/// How many entries, images of rows and keys may be in no checkpoint yet before commands wait: of entries about 100 bytes of
/// memory each.
pub(crate) const BEHIND_BOUND: u64 = 2_000_000;

/// How long a command waits for history to catch up before it is told to come back later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    /// The queue is full.
    #[error("the platform has {QUEUE_BOUND} requests waiting; try again in a second")]
    Overloaded,
    /// What follows the journal is too far behind.
    #[error(
        "history is more than {BEHIND_BOUND} entries, rows and keys behind the journal and catches up; try again in a second"
    )]
    Behind,
    /// The platform stops.
    #[error("the platform is stopping; try again shortly")]
    Stopped,
    /// The journal failed before this came.
    #[error("the journal cannot be written and the platform recovers by itself; nothing was done, try again shortly")]
    Recovering,
    /// What left memory is not in the tables yet.
    #[error("the tables do not show yet what this is read from; try again shortly")]
    Elsewhere,
    /// What left memory does not read.
    #[error("what this is read from left memory and its row does not read; the log names it, `lintel verify` too")]
    Damaged,
    /// The journal failed before this was known to be durable.
    #[error(
        "the journal failed before it had this for certain: it may be done or not; ask again under the same key, and what \
         was done is not done twice"
    )]
    Unknown,
}

/// Something that leaves once the gate opens for it.
pub(crate) type Leaving = Box<dyn FnOnce() + Send>;
type ReadStep = Box<dyn FnOnce(&mut Engine) -> Leaving + Send>;
type AfterStep = Box<dyn FnOnce(&State, Answer) -> Leaving + Send>;
pub(crate) type BeforeStep = Box<dyn FnOnce(&State) -> Before + Send>;

/// What a look at the state comes to, before a request is decided on it.
pub(crate) enum Before {
    /// Decide it, then let out what is made of the answer.
    Decide(AfterStep),
    /// It is not decided. Let this out.
    Leave(Leaving),
}

/// What came of a request, seen as the caller wants to see it.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    /// The view, or why it was refused.
    pub(crate) result: Result<T, Refusal>,
    /// The position of the state it was computed from.
    pub(crate) position: u64,
    /// True if this request was answered before.
    pub(crate) repeated: bool,
}

impl<T> Seen<T> {
    fn of(state: &State, answer: Answer, view: impl FnOnce(&State, &Reply) -> T) -> Self {
        let Answer { result, position, repeated } = answer;
        Self { result: result.map(|reply| view(state, &reply)), position, repeated }
    }
}

/// Rows of the journal that someone wants.
pub(crate) struct RowsWanted {
    /// From this one on.
    pub(crate) from_row: u64,
    /// Gets them as [`journal::copy::encode`] writes them, or the reason why they do not read.
    pub(crate) answer: oneshot::Sender<Result<Vec<u8>, String>>,
}

/// What the writer takes.
pub(crate) enum Input {
    /// Decide this, then let out what is made of the answer.
    Request(Box<Request>, AfterStep),
    /// Look at the state, and decide this unless that speaks against it.
    Unless(Box<Request>, BeforeStep),
    /// Take this request up again, with what the store says of its keys and rows.
    LookedUp(Box<(Parked, LookedUp)>, AfterStep),
    /// Put this in the place of the keys it knows.
    Filter(Box<KeyFilter>),
    /// Compute this from the state.
    Read(ReadStep),
    /// Read rows of the journal.
    Rows(RowsWanted),
    /// The journal is durable up to this tip.
    Durable(journal::Tip),
    /// The journal failed.
    Failed(journal::JournalError),
    /// Look at the clock.
    Tick,
    /// Finish what waits and stop.
    Stop,
}

/// What callers hold: the way to the one writer.
#[derive(Clone)]
pub(crate) struct Platform {
    inputs: mpsc::Sender<Input>,
    leadership: Leadership,
    waiting: Arc<AtomicUsize>,
    standing: Standing,
    behind: watch::Receiver<u64>,
    awaited: Arc<Awaited>,
}

impl Platform {
    /// The handle of a writer whose inputs these are; `behind` says how many entries, images of rows and keys are in no
    /// checkpoint yet.
    pub(crate) fn new(
        inputs: mpsc::Sender<Input>,
        leadership: Leadership,
        epoch: u64,
        behind: watch::Receiver<u64>,
    ) -> Self {
        Self {
            inputs,
            leadership,
            waiting: Arc::default(),
            standing: Standing::new(epoch),
            behind,
            awaited: Arc::default(),
        }
    }

    /// Decides a request; the answer comes once it is durable.
    pub(crate) async fn submit(&self, request: Request) -> Result<Seen<Reply>, Unavailable> {
        self.submit_and_view(request, |_, reply| reply.clone()).await
    }

    /// Decides a request and makes a view of what it brought about, from the same state.
    pub(crate) async fn submit_and_view<T: Send + 'static>(
        &self,
        request: Request,
        view: impl FnOnce(&State, &Reply) -> T + Send + 'static,
    ) -> Result<Seen<T>, Unavailable> {
        let _place = self.admit()?;
        self.caught_up().await?;
        let (sender, receiver) = oneshot::channel();
        let after = move |state: &State, answer: Answer| -> Leaving {
            let seen = Seen::of(state, answer, view);
            // A caller that went away needs no answer.
            Box::new(move || drop(sender.send(seen)))
        };
        self.send(Input::Request(Box::new(request), Box::new(after)))?;
        self.answered(receiver).await
    }

    /// As [`Self::submit_and_view`], unless `before` finds something against it in the state that it would be decided on: then
    /// that comes, and nothing is decided. It spares a caller who must look first a way to the writer, and a batch's sync.
    pub(crate) async fn submit_unless<T: Send + 'static, E: Send + 'static>(
        &self,
        request: Request,
        before: impl FnOnce(&State) -> Result<(), E> + Send + 'static,
        view: impl FnOnce(&State, &Reply) -> T + Send + 'static,
    ) -> Result<Result<Seen<T>, E>, Unavailable> {
        let _place = self.admit()?;
        self.caught_up().await?;
        let (sender, receiver) = oneshot::channel();
        let step = move |state: &State| -> Before {
            if let Err(error) = before(state) {
                // A caller that went away needs no answer.
                return Before::Leave(Box::new(move || drop(sender.send(Err(error)))));
            }
            Before::Decide(Box::new(move |state: &State, answer: Answer| -> Leaving {
                let seen = Seen::of(state, answer, view);
                Box::new(move || drop(sender.send(Ok(seen))))
            }))
        };
        self.send(Input::Unless(Box::new(request), Box::new(step)))?;
        self.answered(receiver).await
    }

    /// Decides a request for a caller to whom it is the same whether the journal loses what was decided: the answer comes with the
    /// decision, and may never become durable. The place in the queue is given back once it is.
    pub(crate) async fn pass(&self, request: Request) -> Result<Result<Reply, Refusal>, Unavailable> {
        let place = self.admit()?;
        self.caught_up().await?;
        let (sender, receiver) = oneshot::channel();
        let after = move |_: &State, answer: Answer| -> Leaving {
            // A caller that went away needs no answer.
            drop(sender.send(answer.result));
            Box::new(move || drop(place))
        };
        self.send(Input::Request(Box::new(request), Box::new(after)))?;
        self.answered(receiver).await
    }

    /// Has a request decided by a step of the caller's own, which says itself when its sender is used: with what leaves for the
    /// decision, or later. It gets the place in the queue too, to give it back once the decision is durable.
    pub(crate) async fn submit_by<T: Send + 'static>(
        &self,
        request: Request,
        step: impl FnOnce(Place, oneshot::Sender<T>) -> BeforeStep + Send,
    ) -> Result<oneshot::Receiver<T>, Unavailable> {
        let place = self.admit()?;
        self.caught_up().await?;
        let (sender, receiver) = oneshot::channel();
        self.send(Input::Unless(Box::new(request), step(place, sender)))?;
        Ok(receiver)
    }

    /// Why a sender was dropped unused.
    pub(crate) fn unanswered(&self) -> Unavailable {
        if self.is_running() { Unavailable::Unknown } else { Unavailable::Stopped }
    }

    /// Computes something from the state; it comes, with its position, once that state is durable.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<(T, u64), Unavailable> {
        self.read_with(0, Vec::new(), look).await
    }

    /// As [`Self::read`], as if `rows`, which a store at `as_of` has, were in memory: [`Engine::look`].
    pub(crate) async fn read_with<T: Send + 'static>(
        &self,
        as_of: u64,
        rows: Vec<Row>,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<(T, u64), Unavailable> {
        let _place = self.admit()?;
        let (sender, receiver) = oneshot::channel();
        self.send(Input::Read(Box::new(move |engine| {
            let seen = (engine.look(as_of, &rows, look), engine.state().position);
            // A caller that went away needs no answer.
            Box::new(move || drop(sender.send(seen)))
        })))?;
        self.answered(receiver).await
    }

    /// Rows of the journal from number `from_row` on, some megabytes of them, as bytes; none at its end. They are durable.
    pub(crate) async fn rows(&self, from_row: u64) -> Result<Result<Vec<u8>, String>, Unavailable> {
        let _place = self.admit()?;
        let (answer, receiver) = oneshot::channel();
        self.send(Input::Rows(RowsWanted { from_row, answer }))?;
        self.answered(receiver).await
    }

    /// What came out of the gate, if this node still leads: an answer that appended nothing met no fence.
    async fn answered<T>(&self, receiver: oneshot::Receiver<T>) -> Result<T, Unavailable> {
        let Ok(answer) = receiver.await else {
            return Err(self.unanswered());
        };
        if self.leads() { Ok(answer) } else { Err(Unavailable::Stopped) }
    }

    /// Whether this node may act as the leader now.
    pub(crate) fn leads(&self) -> bool {
        self.leadership.is_held()
    }

    /// Passes an input of the platform's own to the writer.
    pub(crate) fn send(&self, input: Input) -> Result<(), Unavailable> {
        self.inputs.send(input).map_err(|_| Unavailable::Stopped)
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether requests are taken, or will be once the journal is there again.
    pub(crate) fn is_running(&self) -> bool {
        self.standing.phase() != Phase::Stopped
    }

    /// Whether requests are taken in this epoch.
    pub(crate) fn runs_in(&self, epoch: u64) -> bool {
        self.standing.phase() == Phase::Running && self.standing.epoch() == epoch
    }

    /// Where it stands.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Orders that somebody waits for.
    pub(crate) fn awaited(&self) -> Arc<Awaited> {
        Arc::clone(&self.awaited)
    }

    /// Takes no further requests.
    pub(crate) fn close(&self) {
        self.standing.close();
        self.awaited.give_up();
    }

    /// Has the writer finish what waits and end.
    pub(crate) fn stop(&self) {
        self.standing.ask_to_stop();
        // A writer that has ended already needs no telling.
        self.send(Input::Stop).ok();
    }

    /// Waits while history lags too far: its entries are in memory, and memory is not to grow with the lag. A client that
    /// waits for its answers thus goes as fast as history does.
    async fn caught_up(&self) -> Result<(), Unavailable> {
        if *self.behind.borrow() <= BEHIND_BOUND {
            return Ok(());
        }
        let began = std::time::Instant::now();
        let mut behind = self.behind.clone();
        let waited = tokio::time::timeout(PATIENCE, behind.wait_for(|behind| *behind <= BEHIND_BOUND)).await;
        metrics::counter!("lintel_admission_throttled_total").increment(1);
        metrics::histogram!("lintel_admission_wait_seconds").record(began.elapsed().as_secs_f64());
        // A projector that is gone holds no more entries in memory; lists stand still until the restart.
        waited.map_or(Err(Unavailable::Behind), |_| Ok(()))
    }

    fn admit(&self) -> Result<Place, Unavailable> {
        match self.standing.phase() {
            Phase::Running => {}
            Phase::Recovering => return Err(Unavailable::Recovering),
            Phase::Stopped => return Err(Unavailable::Stopped),
        }
        let place = Place(self.waiting.clone());
        if place.0.fetch_add(1, Ordering::Relaxed) >= QUEUE_BOUND {
            return Err(Unavailable::Overloaded);
        }
        Ok(place)
    }
}

/// A place in the queue, given back when it is dropped: when the caller has its answer or goes away.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use domain::{Actor, Command, Origin};
    use engine::Meta;

    use super::*;

    fn request() -> Request {
        let meta = Meta::unkeyed(Actor::Operator("test".into()), Origin::Cli);
        Request { command: Command::CancelHold(domain::ids::HoldId(1)), meta }
    }

    #[tokio::test]
    async fn a_command_waits_while_history_is_too_far_behind_and_a_read_does_not() {
        let (sender, inputs) = mpsc::channel();
        let (entries, behind) = watch::channel(BEHIND_BOUND + 1);
        let platform = Platform::new(sender, Leadership::new(None), 1, behind);
        let mut submitted = Box::pin(platform.submit(request()));
        assert!(matches!(looked_at(&mut submitted).await, Poll::Pending));
        assert!(inputs.try_recv().is_err(), "the writer has not seen it");
        let mut read = Box::pin(platform.read(|state| state.position));
        assert!(matches!(looked_at(&mut read).await, Poll::Pending));
        assert!(matches!(inputs.try_recv(), Ok(Input::Read(_))));
        entries.send_replace(BEHIND_BOUND);
        assert!(matches!(looked_at(&mut submitted).await, Poll::Pending));
        assert!(matches!(inputs.try_recv(), Ok(Input::Request(..))));
    }

    #[tokio::test]
    async fn a_command_that_waited_in_vain_is_told_to_come_back() {
        let (sender, inputs) = mpsc::channel();
        let (_entries, behind) = watch::channel(BEHIND_BOUND + 1);
        let platform = Platform::new(sender, Leadership::new(None), 1, behind);
        assert_eq!(platform.submit(request()).await.unwrap_err(), Unavailable::Behind);
        assert!(inputs.try_recv().is_err(), "nothing was done");
    }

    #[tokio::test]
    async fn a_command_is_not_decided_where_a_look_before_it_speaks_against_it() {
        let (sender, inputs) = mpsc::channel();
        let (_entries, behind) = watch::channel(0);
        let platform = Platform::new(sender, Leadership::new(None), 1, behind);
        let before = |state: &State| if state.position == 0 { Err("no") } else { Ok(()) };
        let view = |_: &State, reply: &Reply| reply.clone();
        let mut submitted = Box::pin(platform.submit_unless(request(), before, view));
        assert!(matches!(looked_at(&mut submitted).await, Poll::Pending));
        let Ok(Input::Unless(_, before)) = inputs.try_recv() else { panic!("the writer gets it with its look") };
        let Before::Leave(leaving) = before(&State::default()) else { panic!("it is not to be decided") };
        leaving();
        assert!(matches!(submitted.await, Ok(Err("no"))));

        let (before, state) = (|_: &State| Ok::<_, ()>(()), State::default());
        let mut submitted = Box::pin(platform.submit_unless(request(), before, view));
        assert!(matches!(looked_at(&mut submitted).await, Poll::Pending));
        let Ok(Input::Unless(_, before)) = inputs.try_recv() else { panic!("the writer gets it with its look") };
        let Before::Decide(after) = before(&state) else { panic!("it is to be decided") };
        after(&state, Answer { result: Ok(Reply::Done), position: 7, repeated: true })();
        let seen = submitted.await.unwrap().unwrap();
        assert_eq!((seen.result, seen.position, seen.repeated), (Ok(Reply::Done), 7, true));
    }

    #[tokio::test]
    async fn a_command_that_is_passed_on_is_answered_where_it_is_decided_and_keeps_its_place_until_it_leaves() {
        let (sender, inputs) = mpsc::channel();
        let (_entries, behind) = watch::channel(0);
        let platform = Platform::new(sender, Leadership::new(None), 1, behind);
        let mut passed = Box::pin(platform.pass(request()));
        assert!(matches!(looked_at(&mut passed).await, Poll::Pending));
        let Ok(Input::Request(_, after)) = inputs.try_recv() else { panic!("the writer gets it") };
        let leaving = after(&State::default(), Answer { result: Ok(Reply::Done), position: 1, repeated: false });
        assert_eq!((passed.await.unwrap(), platform.waiting()), (Ok(Reply::Done), 1));
        leaving();
        assert_eq!(platform.waiting(), 0);
    }

    /// One look at a future, whatever it says.
    async fn looked_at<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }
}
