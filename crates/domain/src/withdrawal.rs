//! Automatic withdrawals (自动提现), each over all its tries. A try is a payout of its own, with its own serial number.
//!
//! ```text
//!  a batch makes it ─► TRYING ─ the try arrived ─► SUCCESS ─ it came back days later ─► RETURNED
//!                       ▲  ├─ no answer: nothing is sent until there is one
//!                       │  ├─ failed, worth another try ─┬ tries left in the batch ─► WAITING ─ the timer ─┐
//!                       │  │                             ├ tries left ─► CARRIED ─ the next batch ─────────┤
//!                       │  │                             └ none left ─► FAILED                             │
//!                       │  └─ failed otherwise, or no try may be made any more ─► FAILED                   │
//!                       └──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! Invariants:
//! - The snapshot is taken once, when the withdrawal is made, and never changes. Every try is built from it alone and is
//!   validated before it is sent: nothing is asked of an outside service again.
//! - A try follows only a final failure of the one before, over the same channel; while that is unknown nothing is sent.
//! - At most [`MAX_TRIES_IN_BATCH`] tries a batch and [`MAX_TRIES`] in all.
//! - The customer is told when it is final, once; see [`crate::notice`].
//!
//! Between two tries the money is on the account and may be spent: then the withdrawal fails, with the code of the refusal.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::FailureClass;
use crate::channel::ChannelName;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{
    AccountId, CustomerId, FeePlanId, NoticeId, PayoutId, WithdrawalBatchId, WithdrawalId, WithdrawalPlanId,
};
use crate::limit::Count;
use crate::money::{Currency, Minor};
use crate::notice::{self, Notice, NoticeKind};
use crate::payout::{self, Bank, Destination, NewPayout, PayoutFailure, PayoutKind, PayoutStatus};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::withdrawal_batch;
use crate::withdrawal_plan::PlanStatus;

/// The most tries of one withdrawal in one batch.
pub const MAX_TRIES_IN_BATCH: u8 = 3;
/// The most tries of one withdrawal in all.
pub const MAX_TRIES: usize = 9;
/// How long after a failure the next try of the same batch follows.
pub const RETRY_AFTER_MS: i64 = 60_000;

/// What a withdrawal is: what every try is built from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Snapshot {
    /// The account that pays.
    #[n(0)]
    pub account: AccountId,
    /// Where it goes.
    #[n(1)]
    pub destination: Destination,
    /// The receiver's bank, as the enrichment named it.
    #[n(2)]
    pub bank: Bank,
    /// Minor units that shall arrive.
    #[n(3)]
    pub amount: Minor,
    /// Minor units of fee beside them.
    #[n(4)]
    pub fee: Minor,
    /// The account's currency.
    #[n(5)]
    pub currency: Currency,
    /// The version of the fee plan that gave its fee; none if it has none or its plan of withdrawals names it.
    #[n(6)]
    pub fee_plan: Option<FeePlanId>,
    /// The word of the rail's further channel that every try leaves by; the rail's first if none. Read it by [`Self::channel_name`]
    /// (level 18).
    #[n(7)]
    pub channel: Option<String>,
}

impl Snapshot {
    /// The channel that every try leaves by.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: payout::RAIL, word: self.channel.clone() }
    }

    /// Whether a request can be built from it.
    ///
    /// # Errors
    /// `value_invalid` for a bank, a receiver or a channel that no request can name.
    pub fn validate(&self) -> Result<(), Refusal> {
        let refuse = |message| Err(Refusal::new(RefusalCode::ValueInvalid, "snapshot", message));
        if !self.bank.is_valid() {
            return refuse("the bank has no name or no number of 12 digits");
        }
        self.channel_name().check()?;
        match self.destination.receiver() {
            Some(receiver) if receiver.account.ciphertext.is_empty() || receiver.name.ciphertext.is_empty() => {
                refuse("the bank account has no number or no holder")
            }
            Some(_) => Ok(()),
            None => refuse("it goes to no bank account"),
        }
    }

    /// The try that is built from it.
    pub(crate) fn payout(&self, withdrawal: WithdrawalId) -> NewPayout {
        NewPayout {
            kind: PayoutKind::Withdrawal,
            account: self.account,
            destination: self.destination.clone(),
            amount: self.amount,
            fee: self.fee,
            currency: self.currency,
            bank: Some(self.bank.clone()),
            withdrawal: Some(withdrawal),
            fee_plan: self.fee_plan,
            channel: self.channel.clone(),
        }
    }
}

/// Where a withdrawal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum WithdrawalStatus {
    /// A try is with the channel.
    #[n(0)]
    Trying,
    /// The timer makes the next try.
    #[n(1)]
    Waiting,
    /// The next batch makes the next try.
    #[n(2)]
    Carried,
    /// The money arrived.
    #[n(3)]
    Success,
    /// It did not; it is on the account.
    #[n(4)]
    Failed,
    /// It arrived and came back.
    #[n(5)]
    Returned,
}

impl WithdrawalStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Trying, Self::Waiting, Self::Carried, Self::Success, Self::Failed, Self::Returned];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Waiting => "waiting",
            Self::Carried => "carried",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Returned => "returned",
        }
    }

    /// Whether nothing more is tried.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Trying | Self::Waiting | Self::Carried => false,
            Self::Success | Self::Failed | Self::Returned => true,
        }
    }
}

/// Why a withdrawal failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WithdrawalFailure {
    /// Whose failure, if a channel said so; none where no try could be made.
    #[n(0)]
    pub class: Option<FailureClass>,
    /// The channel's code, or that of the refusal.
    #[n(1)]
    pub code: String,
}

/// An automatic withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Withdrawal {
    /// Its id.
    #[n(0)]
    pub id: WithdrawalId,
    /// The plan it is of.
    #[n(1)]
    pub plan: WithdrawalPlanId,
    /// Who is told.
    #[n(2)]
    pub customer: CustomerId,
    /// What it is; never changes.
    #[n(3)]
    pub snapshot: Snapshot,
    /// The batch that made it.
    #[n(4)]
    pub made_by: WithdrawalBatchId,
    /// The batch that tried it last.
    #[n(5)]
    pub batch: WithdrawalBatchId,
    /// Where it stands.
    #[n(6)]
    pub status: WithdrawalStatus,
    /// Its tries, oldest first.
    #[n(7)]
    pub tries: Vec<PayoutId>,
    /// How many of them the last batch made.
    #[n(8)]
    pub tries_in_batch: u8,
    /// When the next try is made, while it waits.
    #[n(9)]
    pub retry_at: Option<Time>,
    /// Why it failed.
    #[n(10)]
    pub failure: Option<WithdrawalFailure>,
    /// When it was made.
    #[n(11)]
    pub made_at: Time,
    /// When it became final.
    #[n(12)]
    pub ended_at: Option<Time>,
}

/// What happened to a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WithdrawalEvent {
    /// A batch made it.
    #[n(0)]
    Made(#[n(0)] Box<Withdrawal>),
    /// A try was sent.
    #[n(1)]
    Tried {
        /// The withdrawal.
        #[n(0)]
        withdrawal: WithdrawalId,
        /// The try.
        #[n(1)]
        payout: PayoutId,
    },
    /// A try failed; the timer makes the next one.
    #[n(2)]
    RetrySet {
        /// The withdrawal.
        #[n(0)]
        withdrawal: WithdrawalId,
        /// When.
        #[n(1)]
        at: Time,
    },
    /// A try failed; the next batch makes the next one.
    #[n(3)]
    Carried(#[n(0)] WithdrawalId),
    /// A batch took it up again.
    #[n(4)]
    TakenUp {
        /// The withdrawal.
        #[n(0)]
        withdrawal: WithdrawalId,
        /// The batch.
        #[n(1)]
        batch: WithdrawalBatchId,
    },
    /// It is final.
    #[n(5)]
    Ended {
        /// The withdrawal.
        #[n(0)]
        withdrawal: WithdrawalId,
        /// As what.
        #[n(1)]
        status: WithdrawalStatus,
        /// Why it failed.
        #[n(2)]
        failure: Option<WithdrawalFailure>,
    },
}

/// Makes a withdrawal that [`check`] let through, and sends its first try.
///
/// # Errors
/// `amount_overflow`; what else a try may be refused for was checked.
pub(crate) fn make(
    draft: &mut Draft<'_>,
    plan: WithdrawalPlanId,
    customer: CustomerId,
    snapshot: Snapshot,
    batch: WithdrawalBatchId,
) -> Result<(), Refusal> {
    let id = WithdrawalId(draft.state.withdrawals.next_id());
    let (made_at, status) = (draft.context.now, WithdrawalStatus::Trying);
    emit(
        draft,
        WithdrawalEvent::Made(Box::new(Withdrawal {
            id,
            plan,
            customer,
            snapshot,
            made_by: batch,
            batch,
            status,
            tries: Vec::new(),
            tries_in_batch: 0,
            retry_at: None,
            failure: None,
            made_at,
            ended_at: None,
        })),
    );
    send_try(draft, id)
}

/// Whether a try may be built from the snapshot and sent now.
///
/// # Errors
/// `value_invalid`, `withdrawal_plan_state`, and those of a payout.
pub(crate) fn check(
    state: &State,
    now: Time,
    plan: WithdrawalPlanId,
    id: WithdrawalId,
    snapshot: &Snapshot,
) -> Result<Option<Count>, Refusal> {
    snapshot.validate()?;
    let plan = state.withdrawal_plan(plan)?;
    match plan.status {
        PlanStatus::Active => payout::check(state, now, &snapshot.payout(id)),
        PlanStatus::Suspended | PlanStatus::Ended => {
            let message = format!("{} is {}", plan.id, plan.status.name());
            Err(Refusal::new(RefusalCode::WithdrawalPlanState, "plan", message))
        }
    }
}

/// The next try of a withdrawal whose last one failed for good; a withdrawal that no try may be made for fails.
pub(crate) fn retry(draft: &mut Draft<'_>, id: WithdrawalId) -> Result<(), Refusal> {
    let withdrawal = draft.state.withdrawals.get(id.0).expect("what is tried again is there");
    let may = check(draft.state, draft.context.now, withdrawal.plan, id, &withdrawal.snapshot);
    match may {
        Ok(_) => send_try(draft, id),
        Err(refusal) => {
            let failure = WithdrawalFailure { class: None, code: String::from(refusal.code.name()) };
            end(draft, id, WithdrawalStatus::Failed, Some(failure));
            Ok(())
        }
    }
}

/// Takes up a carried withdrawal in a batch.
pub(crate) fn take_up(draft: &mut Draft<'_>, id: WithdrawalId, batch: WithdrawalBatchId) -> Result<(), Refusal> {
    emit(draft, WithdrawalEvent::TakenUp { withdrawal: id, batch });
    retry(draft, id)
}

fn send_try(draft: &mut Draft<'_>, id: WithdrawalId) -> Result<(), Refusal> {
    let new = draft.state.withdrawals.get(id.0).expect("what is tried is there").snapshot.payout(id);
    let payout = payout::create_and_send(draft, new)?;
    emit(draft, WithdrawalEvent::Tried { withdrawal: id, payout });
    Ok(())
}

/// A payout moved: if it is a try of a withdrawal, that moves too.
pub(crate) fn told(draft: &mut Draft<'_>, payout: PayoutId) {
    let payout = draft.state.payouts.get(payout.0).expect("what moved is there");
    let Some(id) = payout.withdrawal else { return };
    let by_channel =
        |failure: &PayoutFailure| WithdrawalFailure { class: Some(failure.class), code: failure.code.clone() };
    match (payout.status, &payout.failure) {
        (PayoutStatus::Created | PayoutStatus::Held | PayoutStatus::Sent | PayoutStatus::Unknown, _) => {}
        (PayoutStatus::Success, _) => end(draft, id, WithdrawalStatus::Success, None),
        (PayoutStatus::Returned, _) => end(draft, id, WithdrawalStatus::Returned, None),
        (PayoutStatus::Failed, Some(failure)) if withdrawal_batch::is_retryable(draft.state, failure) => {
            let failure = by_channel(failure);
            put_off(draft, id, failure);
        }
        (PayoutStatus::Failed | PayoutStatus::Cancelled, failure) => {
            let cancelled = || WithdrawalFailure { class: None, code: String::from("cancelled") };
            let failure = failure.as_ref().map_or_else(cancelled, by_channel);
            end(draft, id, WithdrawalStatus::Failed, Some(failure));
        }
    }
}

/// A try failed and is worth another: when that is made.
fn put_off(draft: &mut Draft<'_>, id: WithdrawalId, failure: WithdrawalFailure) {
    let withdrawal = draft.state.withdrawals.get(id.0).expect("a try names its withdrawal");
    if withdrawal.tries.len() >= MAX_TRIES {
        end(draft, id, WithdrawalStatus::Failed, Some(failure));
    } else if withdrawal.tries_in_batch >= MAX_TRIES_IN_BATCH {
        emit(draft, WithdrawalEvent::Carried(id));
    } else {
        let at = draft.context.now.plus_ms(RETRY_AFTER_MS);
        emit(draft, WithdrawalEvent::RetrySet { withdrawal: id, at });
    }
}

fn end(draft: &mut Draft<'_>, id: WithdrawalId, status: WithdrawalStatus, failure: Option<WithdrawalFailure>) {
    let withdrawal = draft.state.withdrawals.get(id.0).expect("what ends is there").clone();
    let kind = match status {
        WithdrawalStatus::Success => NoticeKind::WithdrawalSucceeded,
        WithdrawalStatus::Returned => NoticeKind::WithdrawalReturned,
        WithdrawalStatus::Failed => NoticeKind::WithdrawalFailed,
        WithdrawalStatus::Trying | WithdrawalStatus::Waiting | WithdrawalStatus::Carried => return,
    };
    let code = failure.as_ref().map(|failure| failure.code.clone());
    emit(draft, WithdrawalEvent::Ended { withdrawal: id, status, failure });
    let Withdrawal { customer, snapshot, .. } = withdrawal;
    let mask = snapshot.destination.receiver().map(|receiver| receiver.account.mask.clone()).unwrap_or_default();
    let Snapshot { account, amount, currency, .. } = snapshot;
    let (unset, raised_at) = (NoticeId(0), draft.context.now);
    let notice = Notice { id: unset, customer, kind, withdrawal: id, account, amount, currency, mask, code, raised_at };
    notice::raise(draft, notice);
}

fn emit(draft: &mut Draft<'_>, event: WithdrawalEvent) {
    draft.emit(Event::Withdrawal(event));
}

impl State {
    /// The automatic withdrawal.
    ///
    /// # Errors
    /// `withdrawal_unknown`.
    pub fn withdrawal(&self, id: WithdrawalId) -> Result<&Withdrawal, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::WithdrawalUnknown, "withdrawal", format!("there is no withdrawal {id}"));
        self.withdrawals.get(id.0).ok_or_else(unknown)
    }
}

/// The place of a withdrawal that is not final in the index by plan.
pub(crate) fn open_key(withdrawal: &Withdrawal) -> Option<(WithdrawalPlanId, WithdrawalId)> {
    (!withdrawal.status.is_final()).then_some((withdrawal.plan, withdrawal.id))
}

/// The place of a withdrawal that the next batch takes up in the index of those.
pub(crate) fn carried_key(withdrawal: &Withdrawal) -> Option<(WithdrawalId, ())> {
    (withdrawal.status == WithdrawalStatus::Carried).then_some((withdrawal.id, ()))
}

/// The timer of a withdrawal that waits for its next try.
pub(crate) fn timer(withdrawal: &Withdrawal) -> Option<((Time, Timer), ())> {
    withdrawal.retry_at.map(|at| ((at, Timer::Withdrawal(withdrawal.id)), ()))
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &WithdrawalEvent) {
    let now = state.now;
    match event {
        WithdrawalEvent::Made(withdrawal) => {
            state.open_withdrawals.insert(withdrawal.plan, withdrawal.id);
            state.withdrawals.insert(withdrawal.id.0, withdrawal.as_ref().clone());
        }
        WithdrawalEvent::Tried { withdrawal, payout } => {
            let row = moved(state, *withdrawal, WithdrawalStatus::Trying);
            row.tries.push(*payout);
            row.tries_in_batch = row.tries_in_batch.saturating_add(1);
        }
        WithdrawalEvent::RetrySet { withdrawal, at } => {
            moved(state, *withdrawal, WithdrawalStatus::Waiting).retry_at = Some(*at);
            state.timers.insert((*at, Timer::Withdrawal(*withdrawal)), ());
        }
        WithdrawalEvent::Carried(id) => {
            moved(state, *id, WithdrawalStatus::Carried);
            state.carried_withdrawals.insert(*id, ());
        }
        WithdrawalEvent::TakenUp { withdrawal, batch } => {
            let row = moved(state, *withdrawal, WithdrawalStatus::Trying);
            row.batch = *batch;
            row.tries_in_batch = 0;
        }
        WithdrawalEvent::Ended { withdrawal, status, failure } => {
            let row = moved(state, *withdrawal, *status);
            row.failure.clone_from(failure);
            row.ended_at = Some(now);
            let (plan, id) = (row.plan, row.id);
            if state.open_withdrawals.get(&plan) == Some(&id) {
                state.open_withdrawals.remove(&plan);
            }
        }
    }
}

/// The row with its new status, out of the queues that its old one was in.
fn moved(state: &mut State, id: WithdrawalId, status: WithdrawalStatus) -> &mut Withdrawal {
    state.carried_withdrawals.remove(&id);
    let row = state.withdrawals.get_mut(id.0).expect("decide checked the withdrawal before it emitted the event");
    if let Some(at) = row.retry_at.take() {
        state.timers.remove(&(at, Timer::Withdrawal(id)));
    }
    row.status = status;
    row
}
