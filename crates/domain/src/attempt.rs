//! Attempts: one try at a channel, kept in the outbox until its answer is certain.
//!
//! ```text
//!  AttemptRequested ─► REQUESTED ─ no answer, or "in progress" ─► UNKNOWN
//!          │           ▲  └─────────── success │ declined │ not found ──┴──► SETTLED (leaves the outbox)
//!          │           └ released                                                ▲
//!          └ outflow stopped ─► WAITING ─────────────────────── refused ─────────┘
//! ```
//! An answer that did not come is unknown, never failed. Whoever carries attempts out reports `NotFound` only when it is
//! conclusive: after `send_before` and the channel's settling delay. A redirect is sent by the payer's browser: it turns UNKNOWN
//! when its page is handed out, see [`front_page`].

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::calendar::Date;
use crate::channel::ChannelName;
pub use crate::channel::Rail;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::fund_batch::FundRoute;
use crate::ids::{AdvanceId, AttemptId, LegId, PayoutId, RefundId, TopUpId};
use crate::money::{Currency, Minor};
use crate::payout::Bank;
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;
use crate::{advance, clearing, front_page, fund_batch, outflow, payment, payout, rates, refund, top_up};

/// How long a request may wait before it is written to the channel.
pub const SEND_WITHIN_MS: i64 = 30_000;
/// What a monthly batch carries waits for it, however long that takes: a hundred years.
const BATCH_WITHIN_MS: i64 = 36_500 * 86_400_000;

/// What a channel is asked to do, with everything its request is built from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Operation {
    /// Debit a card or bank account under a signed agreement (协议支付).
    #[n(0)]
    Debit {
        /// The agreement's number at the network; a token of class C1.
        #[n(0)]
        agreement: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Its currency.
        #[n(2)]
        currency: Currency,
    },
    /// Hold provident-fund money for a rent item.
    #[n(1)]
    FundHold {
        /// The lease's number at the centre; a token of class C1.
        #[n(0)]
        contract: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Its currency.
        #[n(2)]
        currency: Currency,
    },
    /// Capture what an earlier serial holds.
    #[n(2)]
    FundCapture {
        /// The hold's serial.
        #[n(0)]
        original: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Its currency.
        #[n(2)]
        currency: Currency,
    },
    /// Release what an earlier serial holds.
    #[n(3)]
    FundRelease {
        /// The hold's serial.
        #[n(0)]
        original: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Its currency.
        #[n(2)]
        currency: Currency,
    },
    /// Give back part or all of an earlier debit or capture.
    #[n(4)]
    Refund {
        /// The debit's or capture's serial.
        #[n(0)]
        original: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Its currency.
        #[n(2)]
        currency: Currency,
    },
    /// Pay to a bank account.
    #[n(5)]
    Pay {
        /// The bank account's number.
        #[n(0)]
        account: Sealed,
        /// The account holder's name.
        #[n(1)]
        name: Sealed,
        /// Minor units.
        #[n(2)]
        amount: Minor,
        /// Its currency.
        #[n(3)]
        currency: Currency,
        /// The receiver's bank, where it is known.
        #[n(4)]
        bank: Option<Bank>,
    },
    /// Let the payer pay at the channel's own page (网关支付): the payer's browser sends it, see [`front_page`].
    #[n(6)]
    Redirect {
        /// Minor units.
        #[n(0)]
        amount: Minor,
        /// Its currency.
        #[n(1)]
        currency: Currency,
        /// The channel takes no payment later.
        #[n(2)]
        expires_at: Time,
        /// Where the browser goes afterwards; the channel's setting if none.
        #[n(3)]
        return_url: Option<String>,
    },
    /// Have the centre pay by its monthly batch: no request of its own carries it, see [`fund_batch`](crate::fund_batch). Once the
    /// centre has paid in part, the amount is what it paid.
    #[n(7)]
    FundBatch {
        /// The lease's number at the centre; a token of class C1.
        #[n(0)]
        contract: String,
        /// The month, `2026-03`.
        #[n(1)]
        period: String,
        /// To whom the centre pays.
        #[n(2)]
        route: FundRoute,
        /// Minor units.
        #[n(3)]
        amount: Minor,
        /// Its currency.
        #[n(4)]
        currency: Currency,
    },
}

impl Operation {
    /// Minor units and currency.
    #[must_use]
    pub const fn money(&self) -> (Minor, Currency) {
        match self {
            Self::Debit { amount, currency, .. }
            | Self::FundHold { amount, currency, .. }
            | Self::FundCapture { amount, currency, .. }
            | Self::FundRelease { amount, currency, .. }
            | Self::Refund { amount, currency, .. }
            | Self::Pay { amount, currency, .. }
            | Self::Redirect { amount, currency, .. }
            | Self::FundBatch { amount, currency, .. } => (*amount, *currency),
        }
    }

    /// Sets what it brought, where that is not what was asked for.
    pub(crate) const fn set_amount(&mut self, brought: Minor) {
        match self {
            Self::Debit { amount, .. }
            | Self::FundHold { amount, .. }
            | Self::FundCapture { amount, .. }
            | Self::FundRelease { amount, .. }
            | Self::Refund { amount, .. }
            | Self::Pay { amount, .. }
            | Self::Redirect { amount, .. }
            | Self::FundBatch { amount, .. } => *amount = brought,
        }
    }

    /// After this an operation that is asked for now is not sent any more.
    #[must_use]
    pub const fn send_before(&self, now: Time) -> Time {
        match self {
            Self::Redirect { expires_at, .. } => *expires_at,
            // It waits for its batch, however long that takes.
            Self::FundBatch { .. } => now.plus_ms(BATCH_WITHIN_MS),
            Self::Debit { .. }
            | Self::FundHold { .. }
            | Self::FundCapture { .. }
            | Self::FundRelease { .. }
            | Self::Refund { .. }
            | Self::Pay { .. } => now.plus_ms(SEND_WITHIN_MS),
        }
    }

    /// The serial number of the earlier operation that this one is about, if it is about one.
    #[must_use]
    pub fn original(&self) -> Option<&str> {
        match self {
            Self::FundCapture { original, .. } | Self::FundRelease { original, .. } | Self::Refund { original, .. } => {
                Some(original)
            }
            Self::Debit { .. }
            | Self::FundHold { .. }
            | Self::Pay { .. }
            | Self::Redirect { .. }
            | Self::FundBatch { .. } => None,
        }
    }
}

/// What an attempt is for: who is told its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Purpose {
    /// A leg of a payment.
    #[n(0)]
    Leg(#[n(0)] LegId),
    /// A refund.
    #[n(1)]
    Refund(#[n(0)] RefundId),
    /// A payout or withdrawal.
    #[n(2)]
    Payout(#[n(0)] PayoutId),
    /// An advance of own money.
    #[n(3)]
    Advance(#[n(0)] AdvanceId),
    /// A top-up.
    #[n(30)]
    TopUp(#[n(0)] TopUpId),
}

impl Purpose {
    /// The leg that it is for, if it is for one.
    #[must_use]
    pub const fn leg(self) -> Option<LegId> {
        match self {
            Self::Leg(leg) => Some(leg),
            Self::Refund(_) | Self::Payout(_) | Self::Advance(_) | Self::TopUp(_) => None,
        }
    }
}

/// Whose failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum FailureClass {
    /// The payer: no money, wrong code.
    #[n(0)]
    User,
    /// A risk rule.
    #[n(1)]
    Risk,
    /// The bank.
    #[n(2)]
    Bank,
    /// A system between.
    #[n(3)]
    System,
}

impl FailureClass {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Risk => "risk",
            Self::Bank => "bank",
            Self::System => "system",
        }
    }
}

/// What a channel said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// Done.
    #[n(0)]
    Success {
        /// The channel's own reference.
        #[n(0)]
        reference: String,
        /// The network's clearing date.
        #[n(1)]
        clearing_date: Date,
        /// What was done, in minor units, where that is less than was asked for: a fund's part.
        #[n(2)]
        part: Option<Minor>,
    },
    /// Refused for good.
    #[n(1)]
    Declined {
        /// Whose failure.
        #[n(0)]
        class: FailureClass,
        /// The channel's code.
        #[n(1)]
        code: String,
    },
    /// The channel never saw it, and by now never will.
    #[n(2)]
    NotFound,
    /// No answer, or none that settles it.
    #[n(3)]
    Unknown,
}

impl Outcome {
    /// What was done, in minor units, where that is less than was asked for.
    #[must_use]
    pub const fn part(&self) -> Option<Minor> {
        match self {
            Self::Success { part, .. } => *part,
            Self::Declined { .. } | Self::NotFound | Self::Unknown => None,
        }
    }
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AttemptStatus {
    /// To be sent, or being sent.
    #[n(0)]
    Requested,
    /// To be queried.
    #[n(1)]
    Unknown,
    /// Answered for good.
    #[n(2)]
    Settled(#[n(0)] Outcome),
    /// Not to be sent while its channel's outflow is stopped, see [`outflow`].
    #[n(3)]
    Waiting,
}

/// One try at a channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// Its id.
    #[n(0)]
    pub id: AttemptId,
    /// The way.
    #[n(1)]
    pub rail: Rail,
    /// What is asked.
    #[n(2)]
    pub operation: Operation,
    /// For whom.
    #[n(3)]
    pub purpose: Purpose,
    /// The leader's epoch when it was requested: an older one may have been sent.
    #[n(4)]
    pub epoch: u64,
    /// When it was requested.
    #[n(5)]
    pub requested_at: Time,
    /// After this it is not sent any more.
    #[n(6)]
    pub send_before: Time,
    /// Where it stands.
    #[n(7)]
    pub status: AttemptStatus,
    /// The date of the clearing file that it was matched in.
    #[n(8)]
    pub cleared: Option<Date>,
    /// The site of the channel, by its name in the settings, that a redirect's page leads to once it was handed out.
    #[n(9)]
    pub page_site: Option<String>,
    /// The word of the rail's further channel that it goes to; the rail's first if none. Read it by [`Self::channel_name`].
    #[n(10)]
    pub channel: Option<String>,
}

impl Leaves for Attempt {
    /// Whether its answer is certain, and in a clearing file if it moved money over a network.
    fn is_closed(&self) -> bool {
        match self.status {
            AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => false,
            AttemptStatus::Settled(_) => self.cleared.is_some() || clearing::uncleared_key(self).is_none(),
        }
    }
}

impl Attempt {
    /// The channel that is asked, and that alone is believed about it.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }

    /// The serial number that the channel knows it by: date 8, serial 16, reserved 1, control 6.
    #[must_use]
    pub fn serial(&self) -> String {
        serial(self.id, self.requested_at)
    }
}

/// The serial of an attempt requested at `requested_at`.
#[must_use]
pub fn serial(id: AttemptId, requested_at: Time) -> String {
    let date = format!("{}", Date::in_shanghai(requested_at)).replace('-', "");
    format!("{date}{:016}0{:06}", id.0, id.0 % 1_000_000)
}

/// The attempt whose serial this is, if the text has a serial's form.
#[must_use]
pub fn attempt_of_serial(serial: &str) -> Option<AttemptId> {
    let digits = serial.get(8..24).filter(|_| serial.len() == 31)?;
    digits.parse().ok().map(AttemptId)
}

/// Puts an attempt at a channel, or at a rail's first one, into the outbox.
pub(crate) fn request(
    draft: &mut Draft<'_>,
    channel: impl Into<ChannelName>,
    operation: Operation,
    purpose: Purpose,
) -> AttemptId {
    let ChannelName { rail, word: channel } = channel.into();
    let id = AttemptId(draft.state.attempts.next_id());
    let now = draft.context.now;
    let (epoch, send_before) = (draft.context.epoch, operation.send_before(now));
    let status = outflow::status(draft, id, rail, &operation);
    draft.emit(Event::AttemptRequested(Attempt {
        id,
        rail,
        operation,
        purpose,
        epoch,
        requested_at: now,
        send_before,
        status,
        cleared: None,
        page_site: None,
        channel,
    }));
    id
}

/// Takes a channel's answer to an attempt in the outbox and tells the one it is for.
///
/// A success after a refusal, or after the attempt had never been seen, is taken: the money that came is passed on or given back, what left
/// is claimed.
///
/// # Errors
/// `attempt_unknown`, `attempt_state` if it is settled already, `part_not_taken` of a part of what may not be done in part.
pub fn decide_answer(draft: &mut Draft<'_>, id: AttemptId, outcome: &Outcome) -> Result<Reply, Refusal> {
    let mut attempt = draft.state.attempt(id)?.clone();
    let failed = matches!(attempt.status, AttemptStatus::Settled(Outcome::Declined { .. } | Outcome::NotFound));
    let is_late = failed && matches!(outcome, Outcome::Success { .. });
    if matches!(attempt.status, AttemptStatus::Settled(_)) && !is_late {
        return Err(Refusal::new(RefusalCode::AttemptState, "attempt", format!("{id} is settled already")));
    }
    if attempt.status == AttemptStatus::Unknown && *outcome == Outcome::Unknown {
        return Ok(Reply::Attempt(id));
    }
    if let Some(part) = outcome.part() {
        payment::part::check(draft.state, &attempt, part)?;
        // From here on it is about what was done.
        attempt.operation.set_amount(part);
    }
    draft.emit(Event::AttemptAnswered { attempt: id, outcome: outcome.clone() });
    tell(draft, &attempt, outcome)?;
    Ok(Reply::Attempt(id))
}

fn tell(draft: &mut Draft<'_>, attempt: &Attempt, outcome: &Outcome) -> Result<(), Refusal> {
    match attempt.purpose {
        Purpose::Leg(id) => payment::answered(draft, id, attempt, outcome),
        Purpose::Refund(id) => refund::answered(draft, id, attempt, outcome),
        Purpose::Payout(id) => payout::answered(draft, id, attempt, outcome),
        Purpose::Advance(id) => advance::answered(draft, id, outcome),
        Purpose::TopUp(id) => top_up::answered(draft, id, attempt, outcome),
    }
}

impl State {
    /// The attempt.
    ///
    /// # Errors
    /// `attempt_unknown`.
    pub fn attempt(&self, id: AttemptId) -> Result<&Attempt, Refusal> {
        let unknown = || Refusal::new(RefusalCode::AttemptUnknown, "attempt", format!("there is no attempt {id}"));
        self.attempts.get(id.0).ok_or_else(unknown)
    }

    /// The attempts whose answer is not certain, oldest first.
    pub fn in_outbox(&self) -> impl Iterator<Item = &Attempt> {
        self.outbox.iter().filter_map(|(id, ())| self.attempts.get(id.0))
    }
}

pub(crate) fn apply_requested(state: &mut State, attempt: &Attempt) {
    state.outbox.insert(attempt.id, ());
    if let Some(key) = fund_batch::quota::lease_key(attempt) {
        state.lease_tries.insert(key, ());
    }
    if let Some((key, ())) = front_page::timer(attempt) {
        state.timers.insert(key, ());
    }
    state.attempts.insert(attempt.id.0, attempt.clone());
    outflow::note(state, attempt);
}

pub(crate) fn apply_brought(state: &mut State, id: AttemptId, brought: Minor) {
    let attempt = state.attempts.get_mut(id.0).expect("decide checked the attempt");
    attempt.operation.set_amount(brought);
}

pub(crate) fn apply_answered(state: &mut State, id: AttemptId, outcome: &Outcome) {
    if let Some(attempt) = state.attempts.get(id.0).cloned() {
        rates::channel::note(state, &attempt, outcome);
    }
    let attempt = state.attempts.get_mut(id.0).expect("decide checked the attempt");
    if let Some((key, ())) = front_page::timer(attempt) {
        state.timers.remove(&key);
    }
    match outcome {
        Outcome::Unknown => attempt.status = AttemptStatus::Unknown,
        Outcome::Success { .. } | Outcome::Declined { .. } | Outcome::NotFound => {
            if let Some(part) = outcome.part() {
                attempt.operation.set_amount(part);
            }
            attempt.status = AttemptStatus::Settled(outcome.clone());
            let (uncleared, lease) = (clearing::uncleared_key(attempt), fund_batch::quota::lease_key(attempt));
            state.outbox.remove(&id);
            if let Some(key) = lease {
                state.lease_tries.remove(&key);
            }
            if let Some(key) = uncleared {
                state.uncleared.insert(key, ());
            }
        }
    }
}
