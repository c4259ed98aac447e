//! The executor: carries one attempt to the end of its uncertainty. A flight is a step machine; whoever owns the network
//! drives it.
//!
//! ```text
//!  requested in this epoch ─► SEND ─ answered ─► report ─► done
//!                              ├ the books do not agree that this money may leave, or a person stopped it ─► report "not sent" ─► done
//!                              ├ not written (no connection, no key) ─► SEND again until send_before ─► report "not sent"
//!                              │    what leaves: the books are asked again right before each SEND
//!                              └ no answer, pending, duplicate ─► report UNKNOWN ─► QUERY ─ answered ─► report ─► done
//!  older epoch, or UNKNOWN ─────────────── maybe sent ──────────────────────────────► QUERY   ▲
//!                                                                                       └ later ┘
//!  redirect, REQUESTED ─► can its page be built? ─ no ─► report "not sent" ─► done
//!                              └ yes ─► done: handed out, it comes back as UNKNOWN ─► pause ─► QUERY
//!                                  what it pays is being closed: QUERY asks the channel to end the page ─ "closed" ─► report not found
//!  report ─ the books refuse the answer ─► it stays in doubt: report UNKNOWN if they do not know that yet ─► pause ─► QUERY
//!  whatever it does, once a notification or a file settled the attempt ─────────────────────────────────────► done
//! ```
//! What a fund's monthly batch carries has no flight: see [`domain::fund_batch`].
//!
//! A redirect is never sent from here: the payer's browser does that, and the journal says that it may have. Its notification is
//! the usual end; the queries are for the one that is lost, and for the payer who never pays.
//!
//! What may have been sent is never sent again; a call whose end nobody told counts as sent. `NotFound` is believed only
//! from a query that was asked after `send_before` and the channel's settling delay: an earlier one may have overtaken
//! the operation, however late its answer comes.

use std::sync::Arc;

use ark::{Secret, Vault};
use channels::{Answer, Channel, Doubt, Original, Request, Response, Try};
use domain::State;
use domain::attempt::{Attempt, AttemptStatus, FailureClass, Operation, Outcome, Purpose, attempt_of_serial};
use domain::envelope::Time;
use domain::ids::AttemptId;
use domain::outflow::{self, Disagreement};
use domain::sealed::Sealed;
use domain::top_up::TopUp;
use engine::Projection;

use crate::fields;
use crate::site::Errand;

/// The new attempts that a batch brought, and those whose page was handed out in it. No other flight is about the latter:
/// the one of when they were requested has ended.
pub fn requested(projection: &Projection) -> impl Iterator<Item = &Attempt> {
    let attempts = projection.changes.attempts.iter().map(|(_, attempt)| attempt);
    attempts.filter(|attempt| match attempt.status {
        AttemptStatus::Requested | AttemptStatus::Unknown if is_batched(attempt) => false,
        AttemptStatus::Requested => true,
        AttemptStatus::Unknown => is_redirect(attempt),
        AttemptStatus::Settled(_) | AttemptStatus::Waiting => false,
    })
}

/// Who carries an attempt to its channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// A request from here.
    Request,
    /// The payer's browser.
    Page,
    /// A monthly batch: its answer is a row of the batch's result file.
    Batch,
}

const fn carrier(attempt: &Attempt) -> Carrier {
    match attempt.operation {
        Operation::Redirect { .. } => Carrier::Page,
        Operation::FundBatch { .. } => Carrier::Batch,
        Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. } => Carrier::Request,
    }
}

fn is_redirect(attempt: &Attempt) -> bool {
    carrier(attempt) == Carrier::Page
}

fn is_batched(attempt: &Attempt) -> bool {
    carrier(attempt) == Carrier::Batch
}

/// The legs of orders that are being closed, and the top-ups that are: a flight for one asks the channel to end its page.
pub fn closing(projection: &Projection) -> impl Iterator<Item = Purpose> {
    let orders = projection.changes.orders.iter().map(|(_, order)| order);
    let orders = orders.filter(|order| order.closing && order.trying);
    let top_ups = projection.changes.top_ups.iter().filter(|(_, top_up)| top_up.is_closing());
    let legs = orders.flat_map(|order| order.legs.iter().map(|leg| Purpose::Leg(*leg)));
    legs.chain(top_ups.map(|(_, top_up)| Purpose::TopUp(top_up.id)))
}

/// The attempts whose answer is certain now, whoever brought it.
pub fn settled(projection: &Projection) -> impl Iterator<Item = AttemptId> {
    let attempts = projection.changes.attempts.iter().map(|(_, attempt)| attempt);
    attempts.filter(|attempt| matches!(attempt.status, AttemptStatus::Settled(_))).map(|attempt| attempt.id)
}

/// What the books say of an attempt before it is carried out.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the channel called the earlier operation that this one is about, if it is about one that succeeded.
    pub original: Option<Original>,
    /// Whether they agree that it may take money out.
    pub agreed: Result<(), Disagreement>,
    /// Whether a person stopped what leaves by its channel, and it is one that takes money out.
    pub stopped: bool,
    /// Whether what it pays, an order or a top-up, is being closed.
    pub closing: bool,
}

/// Whether the books must be asked at all before an attempt is carried out.
#[must_use]
pub fn is_looked_up(attempt: &Attempt) -> bool {
    let operation = &attempt.operation;
    operation.original().is_some() || outflow::leaving(operation).is_some() || is_redirect(attempt)
}

/// Asks the books about an attempt. Rows may have left memory: the state notes that they were missed, and whoever asks reads them
/// from the store and asks again.
#[must_use]
pub fn see(state: &State, attempt: &Attempt) -> Seen {
    let (original, agreed) = (original(state, &attempt.operation), outflow::agree(state, attempt));
    let stopped = outflow::is_stopped_by_person(state, attempt);
    Seen { original, agreed, stopped, closing: is_redirect(attempt) && is_closing(state, attempt) }
}

fn is_closing(state: &State, attempt: &Attempt) -> bool {
    match attempt.purpose {
        Purpose::Leg(leg) => {
            let leg = state.legs.get(leg.0);
            leg.and_then(|leg| state.orders.get(leg.order.0)).is_some_and(|order| order.closing)
        }
        Purpose::TopUp(top_up) => state.top_ups.get(top_up.0).is_some_and(TopUp::is_closing),
        Purpose::Refund(_) | Purpose::Payout(_) | Purpose::Advance(_) => false,
    }
}

fn original(state: &State, operation: &Operation) -> Option<Original> {
    let serial = operation.original()?;
    let attempt = state.attempts.get(attempt_of_serial(serial)?.0).filter(|attempt| attempt.serial() == serial)?;
    let AttemptStatus::Settled(Outcome::Success { reference, .. }) = &attempt.status else { return None };
    let agreement = match &attempt.operation {
        Operation::Debit { agreement, .. } => Some(agreement.clone()),
        Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. }
        | Operation::Redirect { .. }
        | Operation::FundBatch { .. } => None,
    };
    Some(Original { reference: reference.clone(), requested_at: attempt.requested_at, agreement })
}

/// How a call ended.
#[derive(Debug)]
pub enum Call {
    /// An answer came.
    Answered(Response),
    /// Nothing was written: the channel cannot have seen it.
    NotWritten,
    /// Written, and no answer came.
    Lost,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send these bytes and say how the call ended.
    Send(Request),
    /// Tell the engine, say so with [`Flight::reported`], then step again.
    Report(Outcome),
    /// Wait this long, then step again.
    Wait {
        /// Milliseconds.
        ms: u64,
    },
    /// Nothing is left to do.
    Done,
}

/// How long to wait between queries.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Before the first, in milliseconds.
    pub first_ms: u64,
    /// At most, in milliseconds; distances double up to it.
    pub max_ms: u64,
}

#[derive(Debug)]
enum Phase {
    /// To be sent, unless it is too late.
    Send,
    /// A page that nobody has yet: only whether it can be made.
    Page,
    /// To be queried after a pause.
    Pause,
    /// To be queried now.
    Query,
    /// The network has a request since `asked_at`; `sent` if it is the operation itself.
    Calling { request: Request, sent: bool, asked_at: Time },
    /// The engine is to be told, and said again until it was.
    Report(Outcome),
    /// The end.
    Done,
}

/// One attempt on its way.
#[derive(Debug)]
pub struct Flight {
    attempt: Attempt,
    seen: Seen,
    channel: Arc<dyn Channel>,
    vault: Arc<Vault>,
    patience: Patience,
    phase: Phase,
    pause_ms: u64,
    reported_unknown: bool,
    /// Something was waited for since the books were asked: a place at the channel, or a try to send that could not be written.
    is_stale: bool,
    doubt: Option<Doubt>,
}

impl Flight {
    /// The flight of an attempt over a channel, for the leader of `epoch`; `seen` is what [`see`] found for it.
    #[must_use]
    pub fn new(
        attempt: Attempt,
        seen: Seen,
        channel: Arc<dyn Channel>,
        vault: Arc<Vault>,
        epoch: u64,
        patience: Patience,
    ) -> Self {
        let (phase, reported_unknown) = match &attempt.status {
            AttemptStatus::Requested | AttemptStatus::Unknown if is_batched(&attempt) => (Phase::Done, true),
            AttemptStatus::Requested if is_redirect(&attempt) => (Phase::Page, false),
            AttemptStatus::Unknown if is_redirect(&attempt) => (Phase::Pause, true),
            AttemptStatus::Requested if attempt.epoch == epoch => (Phase::Send, false),
            AttemptStatus::Requested => (Phase::Query, false),
            AttemptStatus::Unknown => (Phase::Query, true),
            AttemptStatus::Settled(_) | AttemptStatus::Waiting => (Phase::Done, true),
        };
        // What they do not agree with is not asked about again, for it was told as an alarm.
        let is_stale = seen.agreed.is_ok();
        Self {
            attempt,
            seen,
            channel,
            vault,
            patience,
            phase,
            pause_ms: patience.first_ms,
            reported_unknown,
            is_stale,
            doubt: None,
        }
    }

    /// The attempt.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Whether the next step may ask its channel something, for which [`Self::step`] needs a nonce; none is drawn for the others.
    #[must_use]
    pub fn needs_nonce(&self) -> bool {
        match &self.phase {
            Phase::Query => true,
            Phase::Send | Phase::Page | Phase::Pause | Phase::Calling { .. } | Phase::Report(_) | Phase::Done => false,
        }
    }

    /// What to do at `now`, the engine's time. `nonce` is new for each call where [`Self::needs_nonce`].
    pub fn step(&mut self, now: Time, nonce: &str) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Send if now >= self.attempt.send_before => self.report(not_sent("too_late")),
            Phase::Send if self.seen.agreed.is_err() => self.report(not_sent("disagrees")),
            // Somebody stopped it: no failure of the channel's, and nothing of it was ever written.
            Phase::Send if self.seen.stopped => self.report(held_back()),
            Phase::Send => match self.build() {
                Ok(request) => self.call(request, true, now),
                // The key service is sealed or out of reach: as a bank that is, until it is too late.
                Err(error) if error.of_keys().is_some() => {
                    (self.phase, self.is_stale) = (Phase::Send, true);
                    Step::Wait { ms: self.patience.first_ms }
                }
                Err(error) => self.report(not_sent(error.code())),
            },
            Phase::Page => match self.channel.build_redirect(&self.asked(&self.attempt.serial())) {
                Err(error) if error.of_keys().is_none() => self.report(not_sent(error.code())),
                // Without its keys it cannot be handed out either: then it expires.
                Ok(_) | Err(_) => Step::Done,
            },
            Phase::Pause => self.pause(),
            Phase::Query => {
                let (serial, channel) = (self.attempt.serial(), &self.channel);
                let about = self.asked(&serial).about();
                let built = if self.seen.closing {
                    channel.build_close(&about, nonce)
                } else {
                    channel.build_query(&about, nonce)
                };
                match built {
                    Ok(request) => self.call(request, false, now),
                    // What cannot even be asked stays unknown: a person must look.
                    Err(_) => self.uncertain(now, nonce),
                }
            }
            // Nobody said how the call ended, so it may have been written.
            Phase::Calling { .. } => self.uncertain(now, nonce),
            Phase::Report(outcome) => self.report(outcome),
            Phase::Done => Step::Done,
        }
    }

    /// What the call is for that [`Step::Send`] gave: nothing between calls.
    #[must_use]
    pub fn errand(&self) -> Option<Errand> {
        match &self.phase {
            Phase::Calling { sent: true, .. } => Some(Errand::Send),
            Phase::Calling { sent: false, .. } => Some(Errand::Query),
            Phase::Send | Phase::Page | Phase::Pause | Phase::Query | Phase::Report(_) | Phase::Done => None,
        }
    }

    /// Whether the next step may send money out, and something was waited for since the books were asked: right before the step, with
    /// a place at the channel, they are to be asked once more, for [`Self::seen_again`]. They may not agree any more, or somebody has
    /// stopped what leaves.
    #[must_use]
    pub fn is_to_be_seen_again(&self) -> bool {
        self.is_stale && matches!(self.phase, Phase::Send) && outflow::leaving(&self.attempt.operation).is_some()
    }

    /// Says whether the books agree by now, and whether somebody stopped what leaves, as [`see`] found.
    pub fn seen_again(&mut self, seen: &Seen) {
        (self.seen.agreed, self.seen.stopped, self.is_stale) = (seen.agreed, seen.stopped, false);
    }

    /// Says that the engine knows the attempt's end from elsewhere: nothing is left to do or to ask.
    pub fn settled(&mut self) {
        self.phase = Phase::Done;
    }

    /// Says that what the attempt pays is being closed: from now on the channel is asked to end the page, soon.
    pub fn close(&mut self) {
        if is_redirect(&self.attempt) && !std::mem::replace(&mut self.seen.closing, true) {
            self.pause_ms = self.patience.first_ms;
        }
    }

    /// Why the answer of the last call is not believed, if that is why the attempt is in doubt.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Says how the last call ended.
    pub fn ended(&mut self, call: Call) {
        self.doubt = None;
        let phase = std::mem::replace(&mut self.phase, Phase::Done);
        let Phase::Calling { request, sent, asked_at } = phase else {
            self.phase = phase;
            return;
        };
        self.phase = match call {
            Call::NotWritten if sent => {
                self.is_stale = true;
                Phase::Send
            }
            Call::NotWritten | Call::Lost => self.in_doubt(),
            Call::Answered(response) => match self.channel.parse(&request, &response) {
                Answer::Success { reference, clearing_date, part } => {
                    Phase::Report(Outcome::Success { reference, clearing_date, part })
                }
                Answer::Declined { class, code } => Phase::Report(Outcome::Declined { class, code }),
                Answer::NotFound if !sent && self.is_conclusive(asked_at) => Phase::Report(Outcome::NotFound),
                Answer::Closed if is_redirect(&self.attempt) => Phase::Report(Outcome::NotFound),
                Answer::Disbelieved(doubt) => {
                    self.doubt = Some(doubt);
                    self.in_doubt()
                }
                Answer::Closed | Answer::NotFound | Answer::Pending | Answer::Unknown => self.in_doubt(),
            },
        };
    }

    /// How long to wait before a call that could not be written is tried again, in milliseconds.
    #[must_use]
    pub fn retry_ms(&self) -> u64 {
        self.patience.first_ms
    }

    fn build(&self) -> Result<Request, channels::ChannelError> {
        let open = |sealed: &Sealed| -> Result<Secret, ark::Error> {
            let field = match &self.attempt.operation {
                Operation::Pay { account, .. } if account == sealed => fields::BANK_ACCOUNT,
                Operation::Pay { .. }
                | Operation::Debit { .. }
                | Operation::FundHold { .. }
                | Operation::FundCapture { .. }
                | Operation::FundRelease { .. }
                | Operation::Refund { .. }
                | Operation::Redirect { .. }
                | Operation::FundBatch { .. } => fields::BANK_ACCOUNT_NAME,
            };
            fields::open(&self.vault, field, sealed)
        };
        self.channel.build(&self.asked(&self.attempt.serial()), &open)
    }

    fn asked<'a>(&'a self, serial: &'a str) -> Try<'a> {
        let Attempt { requested_at, operation, .. } = &self.attempt;
        Try { serial, requested_at: *requested_at, operation, original: self.seen.original.as_ref() }
    }

    fn call(&mut self, request: Request, sent: bool, asked_at: Time) -> Step {
        self.phase = Phase::Calling { request: request.clone(), sent, asked_at };
        Step::Send(request)
    }

    fn report(&mut self, outcome: Outcome) -> Step {
        self.phase = Phase::Report(outcome.clone());
        Step::Report(outcome)
    }

    fn pause(&mut self) -> Step {
        self.phase = Phase::Query;
        let ms = self.pause_ms;
        self.pause_ms = ms.saturating_mul(2).min(self.patience.max_ms);
        Step::Wait { ms }
    }

    /// The engine hears of the doubt once; then the channel is asked.
    fn in_doubt(&mut self) -> Phase {
        if std::mem::replace(&mut self.reported_unknown, true) {
            return Phase::Pause;
        }
        Phase::Report(Outcome::Unknown)
    }

    fn uncertain(&mut self, now: Time, nonce: &str) -> Step {
        self.phase = self.in_doubt();
        self.step(now, nonce)
    }

    /// To be called once the engine knows what was reported: an unknown attempt is then queried.
    pub fn reported(&mut self, outcome: &Outcome) {
        if !matches!(&self.phase, Phase::Report(told) if told == outcome) {
            return;
        }
        self.phase = match outcome {
            Outcome::Unknown => Phase::Pause,
            Outcome::Success { .. } | Outcome::Declined { .. } | Outcome::NotFound => Phase::Done,
        };
    }

    /// To be called if the engine refused what was reported: nothing is settled, so the attempt stays in doubt and the channel is asked
    /// again, each time later. An answer that its attempt had before is [`Self::reported`].
    pub fn refused(&mut self) {
        if matches!(&self.phase, Phase::Report(_)) {
            self.phase = self.in_doubt();
        }
    }

    /// Whether "not found" is the last word of a query asked at `asked_at`.
    fn is_conclusive(&self, asked_at: Time) -> bool {
        asked_at > self.attempt.send_before.plus_ms(self.channel.manifest().settle_delay_ms)
    }
}

fn not_sent(code: &str) -> Outcome {
    Outcome::Declined { class: FailureClass::System, code: format!("not_sent:{code}") }
}

fn held_back() -> Outcome {
    Outcome::Declined { class: FailureClass::Risk, code: outflow::STOPPED.to_owned() }
}
