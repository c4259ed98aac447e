//! The outflow breaker (资金流出熔断): what leaves by a channel stops when it leaves its baseline.
//!
//! ```text
//!  LET ─ an hour's outflow would pass its bound, or a person stops it ─► STOPPED ─ two people ─► LET
//!    a payout or refund: REQUESTED                  WAITING, nothing is sent ────┬─ send ──► REQUESTED
//!                                                                                └─ refuse ► declined, the money goes back
//!
//!  bound = the larger of `floor` and `percent` of the busiest hour of the last seven days
//!
//!  asked for before a person's stop, not written yet ─ whoever sends it looks before each writing ─► declined, the money goes back
//! ```
//! Payouts, refunds and advances leave; debits and holds at the fund do not. Whoever is paid out is booked as ever: the money is in
//! transit, and only its attempt waits. What waits was not written to the channel, so it can be sent or refused without
//! asking anyone. A person's stop reaches what was asked for before it as well, see [`is_stopped_by_person`]: that cannot wait any more,
//! for the books have let it, so it ends. What the breaker let was within the bound, and goes though the next one stops the
//! channel. Stopping needs one person and must be quick; a bound, and what becomes of what waits, need two. A channel and
//! currency is measured from its first bound or stop on.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::attempt::{self, Attempt, AttemptStatus, FailureClass, Operation, Outcome, Rail};
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AttemptId, OutflowId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod agree;
mod meter;
#[cfg(test)]
mod tests;

pub use agree::{Disagreement, agree};
pub use meter::{HOURS, Part, SLOTS};

/// The channel's code of an attempt that two people refused.
pub const REFUSED: &str = "not_sent:outflow_refused";
/// The channel's code of an attempt that was asked for before a person stopped its channel, and was not written by then.
pub const STOPPED: &str = "not_sent:outflow_stopped";
/// The largest percentage of a bound: a hundred times the busiest hour.
pub const MAX_PERCENT: u32 = 10_000;
/// The most bytes of a reason.
const MAX_REASON: usize = 256;

/// What an hour's outflow may come to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bound {
    /// Minor units that an hour may always reach.
    #[n(0)]
    pub floor: Minor,
    /// Percent of the busiest hour of the last seven days that an hour may reach.
    #[n(1)]
    pub percent: u32,
    /// When it was set.
    #[n(2)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(3)]
    pub set_by: String,
    /// Who approved it.
    #[n(4)]
    pub approver: Option<String>,
}

/// Why nothing leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stop {
    /// Since when.
    #[n(0)]
    pub at: Time,
    /// What the hour would have come to; what it came to, if a person stopped it.
    #[n(1)]
    pub hour: Minor,
    /// What it might come to; none if a person stopped it.
    #[n(2)]
    pub bound: Option<Minor>,
    /// The attempt that would have passed the bound.
    #[n(3)]
    pub attempt: Option<AttemptId>,
    /// Who stopped it, if a person did.
    #[n(4)]
    pub by: Option<String>,
    /// Why, if a person did.
    #[n(5)]
    pub reason: Option<String>,
}

/// What leaves by a channel in a currency.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Outflow {
    /// Its id, which its channel and currency give.
    #[n(0)]
    pub id: OutflowId,
    /// The channel, by the rail that it carries.
    #[n(1)]
    pub rail: Rail,
    /// The currency.
    #[n(2)]
    pub currency: Currency,
    /// What an hour may come to, if that was set.
    #[n(3)]
    pub bound: Option<Bound>,
    /// Why nothing leaves now.
    #[n(4)]
    pub stopped: Option<Stop>,
    /// What of the last hour counts against the bound, by sixths of an hour.
    #[n(5)]
    pub recent: Vec<Part>,
    /// What left in each hour of the last seven days.
    #[n(6)]
    pub hours: Vec<Part>,
}

/// Says what an hour's outflow may come to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetOutflowBound {
    /// The channel.
    #[n(0)]
    pub rail: Rail,
    /// The currency.
    #[n(1)]
    pub currency: Currency,
    /// Minor units, zero or above.
    #[n(2)]
    pub floor: Minor,
    /// 100 to [`MAX_PERCENT`].
    #[n(3)]
    pub percent: u32,
}

impl SetOutflowBound {
    /// The command that carries it out once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::Outflow(OutflowCommand::Bound(self))
    }
}

/// What becomes of what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Waiting {
    /// It is sent: two people looked at it.
    #[n(0)]
    Send,
    /// It is refused, and its money goes back.
    #[n(1)]
    Refuse,
}

impl Waiting {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Refuse => "refuse",
        }
    }
}

/// Lets money leave again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ResumeOutflow {
    /// The channel.
    #[n(0)]
    pub rail: Rail,
    /// The currency.
    #[n(1)]
    pub currency: Currency,
    /// What becomes of what waits.
    #[n(2)]
    pub waiting: Waiting,
}

impl ResumeOutflow {
    /// The command that carries it out once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::Outflow(OutflowCommand::Resume(self))
    }
}

/// What is wanted of what leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutflowCommand {
    /// Set its bound; two people.
    Bound(SetOutflowBound),
    /// Stop it.
    Stop {
        /// The channel.
        rail: Rail,
        /// The currency.
        currency: Currency,
        /// Why.
        reason: String,
    },
    /// Let it again; two people.
    Resume(ResumeOutflow),
}

/// What happened to what leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OutflowEvent {
    /// Its bound was set.
    #[n(0)]
    Bounded {
        /// The channel.
        #[n(0)]
        rail: Rail,
        /// The currency.
        #[n(1)]
        currency: Currency,
        /// The bound.
        #[n(2)]
        bound: Bound,
    },
    /// Nothing leaves any more.
    #[n(1)]
    Stopped {
        /// The channel.
        #[n(0)]
        rail: Rail,
        /// The currency.
        #[n(1)]
        currency: Currency,
        /// Why.
        #[n(2)]
        stop: Stop,
    },
    /// It leaves again, and its hour begins anew.
    #[n(2)]
    Resumed {
        /// The channel.
        #[n(0)]
        rail: Rail,
        /// The currency.
        #[n(1)]
        currency: Currency,
    },
    /// An attempt that waited may be sent.
    #[n(3)]
    Released {
        /// The attempt.
        #[n(0)]
        attempt: AttemptId,
        /// The leader's epoch by now.
        #[n(1)]
        epoch: u64,
        /// After this it is not sent any more.
        #[n(2)]
        send_before: Time,
    },
}

/// The amount of an operation by which money leaves.
#[must_use]
pub const fn leaving(operation: &Operation) -> Option<(Minor, Currency)> {
    match operation {
        Operation::Pay { amount, currency, .. } | Operation::Refund { amount, currency, .. } => {
            Some((*amount, *currency))
        }
        Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Redirect { .. }
        | Operation::FundBatch { .. } => None,
    }
}

/// Whether a person stopped what leaves by an attempt's channel, so that it must not be written now. Whoever sends it asks before each
/// writing; what may have been written already is not asked about here, but at its channel. What takes nothing out never stops.
#[must_use]
pub fn is_stopped_by_person(state: &State, attempt: &Attempt) -> bool {
    let outflow = leaving(&attempt.operation).and_then(|(_, currency)| state.outflow(attempt.rail, currency));
    let stop = outflow.and_then(|outflow| outflow.stopped.as_ref());
    stop.is_some_and(|stop| stop.by.is_some())
}

/// Where an attempt begins that is asked for now: what leaves waits while its channel is stopped, and stops it if it would pass the
/// bound.
pub(crate) fn status(draft: &mut Draft<'_>, id: AttemptId, rail: Rail, operation: &Operation) -> AttemptStatus {
    let Some((amount, currency)) = leaving(operation) else { return AttemptStatus::Requested };
    let now = draft.context.now;
    let Some(outflow) = draft.state.outflow(rail, currency) else { return AttemptStatus::Requested };
    if outflow.stopped.is_some() {
        return AttemptStatus::Waiting;
    }
    let hour = outflow.last_hour(now).saturating_add(amount);
    match outflow.bound_at(now) {
        Some(bound) if hour > bound => {
            let stop = Stop { at: now, hour, bound: Some(bound), attempt: Some(id), by: None, reason: None };
            draft.emit(Event::Outflow(OutflowEvent::Stopped { rail, currency, stop }));
            AttemptStatus::Waiting
        }
        Some(_) | None => AttemptStatus::Requested,
    }
}

/// Changes what may leave.
///
/// # Errors
/// `value_invalid`, `outflow_state`; for a bound and for letting it again, `approval_required`.
pub fn decide(draft: &mut Draft<'_>, command: OutflowCommand) -> Result<Reply, Refusal> {
    match command {
        OutflowCommand::Bound(command) => set_bound(draft, command),
        OutflowCommand::Stop { rail, currency, reason } => stop(draft, rail, currency, reason),
        OutflowCommand::Resume(command) => resume(draft, &command),
    }
}

fn set_bound(draft: &mut Draft<'_>, command: SetOutflowBound) -> Result<Reply, Refusal> {
    approval::require(draft, "setting the bound of what leaves by a channel")?;
    let SetOutflowBound { rail, currency, floor, percent } = command;
    if floor < 0 {
        return Err(invalid("floor", format!("{floor} is below zero; name zero or more minor units")));
    }
    if !(100..=MAX_PERCENT).contains(&percent) {
        let message = format!("{percent} % of the busiest hour; name 100 to {MAX_PERCENT}");
        return Err(invalid("percent", message));
    }
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    let bound = Bound { floor, percent, set_at, set_by, approver };
    draft.emit(Event::Outflow(OutflowEvent::Bounded { rail, currency, bound }));
    Ok(Reply::Outflow(OutflowId::of(rail, currency)))
}

fn stop(draft: &mut Draft<'_>, rail: Rail, currency: Currency, reason: String) -> Result<Reply, Refusal> {
    if reason.trim().is_empty() || reason.len() > MAX_REASON {
        let message = format!("the reason has {} bytes; use 1 to {MAX_REASON}, not only blanks", reason.len());
        return Err(invalid("reason", message));
    }
    let now = draft.context.now;
    let outflow = draft.state.outflow(rail, currency);
    if outflow.is_some_and(|outflow| outflow.stopped.is_some()) {
        return Err(wrong_state(rail, currency, "stopped already"));
    }
    let hour = outflow.map_or(0, |outflow| outflow.last_hour(now));
    let by = Some(draft.operator());
    let stop = Stop { at: now, hour, bound: None, attempt: None, by, reason: Some(reason) };
    draft.emit(Event::Outflow(OutflowEvent::Stopped { rail, currency, stop }));
    Ok(Reply::Outflow(OutflowId::of(rail, currency)))
}

fn resume(draft: &mut Draft<'_>, command: &ResumeOutflow) -> Result<Reply, Refusal> {
    approval::require(draft, "letting money leave by a channel again")?;
    let ResumeOutflow { rail, currency, waiting } = *command;
    if draft.state.outflow(rail, currency).is_none_or(|outflow| outflow.stopped.is_none()) {
        return Err(wrong_state(rail, currency, "not stopped"));
    }
    let all: Vec<AttemptId> = draft.state.waiting(rail, currency).map(|attempt| attempt.id).collect();
    draft.emit(Event::Outflow(OutflowEvent::Resumed { rail, currency }));
    let (now, epoch) = (draft.context.now, draft.context.epoch);
    for attempt in all {
        match waiting {
            Waiting::Send => {
                let send_before = now.plus_ms(attempt::SEND_WITHIN_MS);
                draft.emit(Event::Outflow(OutflowEvent::Released { attempt, epoch, send_before }));
            }
            Waiting::Refuse => {
                let refused = Outcome::Declined { class: FailureClass::Risk, code: String::from(REFUSED) };
                attempt::decide_answer(draft, attempt, &refused)?;
            }
        }
    }
    Ok(Reply::Outflow(OutflowId::of(rail, currency)))
}

fn invalid(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

fn wrong_state(rail: Rail, currency: Currency, word: &str) -> Refusal {
    let message = format!("what leaves by {} in {} is {word}", rail.name(), currency.code());
    Refusal::new(RefusalCode::OutflowState, "channel", message)
}

impl OutflowId {
    /// The id of a channel's outflow in a currency.
    #[must_use]
    pub const fn of(rail: Rail, currency: Currency) -> Self {
        Self(1 + (rail as u64) * 256 + currency as u64)
    }
}

impl State {
    /// What leaves by a channel in a currency; none if nothing was said of it yet.
    #[must_use]
    pub fn outflow(&self, rail: Rail, currency: Currency) -> Option<&Outflow> {
        self.outflows.get(OutflowId::of(rail, currency).0)
    }

    /// The attempts that wait since their channel was stopped, oldest first.
    pub fn waiting(&self, rail: Rail, currency: Currency) -> impl Iterator<Item = &Attempt> {
        self.in_outbox().filter(move |attempt| {
            let leaves = leaving(&attempt.operation).is_some_and(|(_, of)| of == currency);
            attempt.status == AttemptStatus::Waiting && attempt.rail == rail && leaves
        })
    }
}

fn change(state: &mut State, rail: Rail, currency: Currency, change: impl FnOnce(&mut Outflow)) {
    let id = OutflowId::of(rail, currency);
    if state.outflows.get(id.0).is_none() {
        let (bound, stopped, recent, hours) = (None, None, Vec::new(), Vec::new());
        state.outflows.insert(id.0, Outflow { id, rail, currency, bound, stopped, recent, hours });
    }
    change(state.outflows.get_mut(id.0).expect("it was put there"));
}

/// Counts what an attempt that was asked for takes out, once something was said of its channel: a journal of before says nothing, and
/// gives the rows that it gave. What waits is counted when it is sent.
pub(crate) fn note(state: &mut State, attempt: &Attempt) {
    let Some((amount, currency)) = leaving(&attempt.operation) else { return };
    if attempt.status == AttemptStatus::Requested && state.outflow(attempt.rail, currency).is_some() {
        change(state, attempt.rail, currency, |outflow| outflow.add(attempt.requested_at, amount, true));
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &OutflowEvent) {
    match event {
        OutflowEvent::Bounded { rail, currency, bound } => {
            change(state, *rail, *currency, |outflow| outflow.bound = Some(bound.clone()));
        }
        OutflowEvent::Stopped { rail, currency, stop } => {
            change(state, *rail, *currency, |outflow| outflow.stopped = Some(stop.clone()));
        }
        OutflowEvent::Resumed { rail, currency } => change(state, *rail, *currency, |outflow| {
            outflow.stopped = None;
            outflow.recent.clear();
        }),
        OutflowEvent::Released { attempt, epoch, send_before } => released(state, *attempt, *epoch, *send_before),
    }
}

fn released(state: &mut State, id: AttemptId, epoch: u64, send_before: Time) {
    let attempt = state.attempts.get_mut(id.0).expect("decide checked the attempt");
    attempt.status = AttemptStatus::Requested;
    attempt.epoch = epoch;
    attempt.send_before = send_before;
    let rail = attempt.rail;
    // Two people looked at it: it belongs to what is usual, and not to what may stop the channel again.
    if let Some((amount, currency)) = leaving(&attempt.operation) {
        let at = send_before.plus_ms(-attempt::SEND_WITHIN_MS);
        change(state, rail, currency, |outflow| outflow.add(at, amount, false));
    }
}
