//! Payouts (代付), to others, and withdrawals (提现), one's own: money from an account to a bank account.
//!
//! ```text
//!  CREATED ─► HELD ─ send ─► SENT ─► SUCCESS ─ comes back days later (退票) ─► RETURNED
//!     └─────────┤             ├────► FAILED
//!               │             └─► UNKNOWN ─► SUCCESS │ FAILED
//!               └ cancel, or the account is restricted or frozen ─► CANCELLED
//!  FAILED ─ the bank paid it after all ─► FAILED: Dr 1131 / Cr 1121, a claim on it, for two people; if that comes back, RETURNED: it
//!                                         stays on 2241, to be allocated to 1131 or to the account
//! ```
//! A payout is created with its hold in one command, so CREATED is passed at once. An answer that does not come leaves it
//! UNKNOWN: nothing is sent again, only the attempt's final answer ends it. The figures, for 1,000 and a fee of 1:
//!
//! ```text
//!  HELD      a hold of 1,001 on the account
//!  SENT      Dr account 1,001 / Cr 2212 1,001
//!  SUCCESS   Dr 2212 1,001 / Cr 1121 1,000, Cr 2291 1 · OWN Dr 1291 1 / Cr 5001 1
//!  FAILED    Dr 2212 1,001 / Cr account 1,001              (the contra of SENT)
//!  RETURNED  Dr 1121 1,000 / Cr 2241 1,000, then Dr 2241 1,000 / Cr account 1,000; the fee is kept
//! ```
//! 2203 pays only its merchant's own settlement account or its own 2206; 2201 only an own card; 2206 also others. After a
//! return nothing more goes to that settlement account, or that own card, until it is verified again. Who takes part is
//! asked of the block lists, and what leaves 2201 of the limits; what comes back is given back to them. A deduction from a
//! freeze is SENT as it is created, see [`crate::freeze`]; neither lists nor limits stand in a court's way.
//!
//! Of several channels of the rail it leaves by the one that the rules of routing chose before it was created, which stands in it: whatever
//! becomes of it is asked of that one, and a failure there goes on to no other.
//!
//! The fee is what the plan of the account's merchant, or of its user's product, says when the payout is created, unless
//! the institution names one above zero; see [`crate::fee_plan`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::{FailureClass, Rail};
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::clearing::returns;
use crate::envelope::Time;
use crate::ids::{AccountId, AttemptId, FeePlanId, FreezeId, HoldId, PayoutId, VoucherId, WithdrawalId};
use crate::limit::Count;
use crate::money::{Currency, Minor};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;
use crate::task::Claim;
use crate::tree;

mod booking;
mod deduction;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use deduction::{Deduction, deduct};
pub use steps::{CreatePayout, PayTo, decide_cancel, decide_create, decide_return, decide_send};
pub(crate) use steps::{
    NewPayout, answered, cancel_unsent, cancel_unsent_where, check, check_reference, come_back, create_and_send,
    settlement_receiver, suspend_settlement,
};

/// The way on which payouts go out and come back.
pub const RAIL: Rail = Rail::Epcc;

/// To whom a payout goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PayoutKind {
    /// To another (代付).
    #[n(0)]
    Payout,
    /// To oneself (提现).
    #[n(1)]
    Withdrawal,
    /// To an authority that ordered it (扣划).
    #[n(2)]
    Deduction,
}

impl PayoutKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payout => "payout",
            Self::Withdrawal => "withdrawal",
            Self::Deduction => "deduction",
        }
    }
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PayoutStatus {
    /// Known; nothing is held yet.
    #[n(0)]
    Created,
    /// Amount and fee are held.
    #[n(1)]
    Held,
    /// With the channel.
    #[n(2)]
    Sent,
    /// The channel's answer did not come.
    #[n(3)]
    Unknown,
    /// The money arrived.
    #[n(4)]
    Success,
    /// It did not, and is back on the account.
    #[n(5)]
    Failed,
    /// It was never sent.
    #[n(6)]
    Cancelled,
    /// It arrived and came back.
    #[n(7)]
    Returned,
}

impl PayoutStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }
}

/// What may be done with a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutAction {
    /// Send it.
    Send,
    /// Cancel it.
    Cancel,
    /// Book its return.
    Return,
}

impl PayoutAction {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Cancel => "cancel",
            Self::Return => "return",
        }
    }
}

/// Why a payout was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CancelReason {
    /// Someone asked.
    #[n(0)]
    Asked,
    /// The account was barred from paying.
    #[n(1)]
    Restricted,
    /// A freeze was placed on the account.
    #[n(2)]
    Frozen,
    /// An earlier payout to the same settlement account came back.
    #[n(3)]
    SettlementSuspended,
    /// An earlier withdrawal to the same bank card came back.
    #[n(20)]
    CardStopped,
}

impl CancelReason {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Restricted => "restricted",
            Self::Frozen => "frozen",
            Self::SettlementSuspended => "settlement_suspended",
            Self::CardStopped => "card_stopped",
        }
    }
}

/// A bank account as a payout names it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receiver {
    /// The bank account's number.
    #[n(0)]
    pub account: Sealed,
    /// The holder's name.
    #[n(1)]
    pub name: Sealed,
    /// Whether the holder is the payer itself, as whoever sealed the names has compared.
    #[n(2)]
    pub own: bool,
    /// The token that the server gives this bank account's number; the same number has the same token.
    #[n(3)]
    pub token: Option<String>,
}

/// A bank, as an enrichment service names it for a bank account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bank {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its number in the interbank system (联行号): 12 digits.
    #[n(1)]
    pub code: String,
}

impl Bank {
    /// Whether a request may be built from it: a name of 1 to 128 bytes, not only blanks, and a number of 12 digits.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let name = !self.name.trim().is_empty() && self.name.len() <= 128;
        name && Self::is_code(&self.code)
    }

    /// Whether a text has the form of a number in the interbank system.
    #[must_use]
    pub fn is_code(text: &str) -> bool {
        text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// Where a payout goes: the snapshot that every try is built from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Destination {
    /// A bank account.
    #[n(0)]
    Bank(#[n(0)] Receiver),
    /// The merchant's settlement account as it was then.
    #[n(1)]
    Settlement(#[n(0)] Receiver),
    /// The merchant's own 2206.
    #[n(2)]
    Company(#[n(0)] AccountId),
}

impl Destination {
    /// The bank account, if it goes to one.
    #[must_use]
    pub const fn receiver(&self) -> Option<&Receiver> {
        match self {
            Self::Bank(receiver) | Self::Settlement(receiver) => Some(receiver),
            Self::Company(_) => None,
        }
    }
}

/// Why a payout failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PayoutFailure {
    /// Whose failure.
    #[n(0)]
    pub class: FailureClass,
    /// The channel's code.
    #[n(1)]
    pub code: String,
}

/// A payout or withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Payout {
    /// Its id.
    #[n(0)]
    pub id: PayoutId,
    /// To another or to oneself.
    #[n(1)]
    pub kind: PayoutKind,
    /// The account that pays.
    #[n(2)]
    pub account: AccountId,
    /// Where it goes.
    #[n(3)]
    pub destination: Destination,
    /// Minor units that arrive.
    #[n(4)]
    pub amount: Minor,
    /// Minor units of fee beside them.
    #[n(5)]
    pub fee: Minor,
    /// The account's currency.
    #[n(6)]
    pub currency: Currency,
    /// Where it stands.
    #[n(7)]
    pub status: PayoutStatus,
    /// When it was created.
    #[n(8)]
    pub created_at: Time,
    /// Its hold, from HELD on.
    #[n(9)]
    pub hold: Option<HoldId>,
    /// Its attempt, from SENT on, if it goes to a bank.
    #[n(10)]
    pub attempt: Option<AttemptId>,
    /// The voucher of SENT.
    #[n(11)]
    pub sent: Option<VoucherId>,
    /// When it ended: success, failure, cancelling or return.
    #[n(12)]
    pub ended_at: Option<Time>,
    /// Why it failed.
    #[n(13)]
    pub failure: Option<PayoutFailure>,
    /// Why it was cancelled.
    #[n(14)]
    pub cancelled: Option<CancelReason>,
    /// The channel's reference of its success.
    #[n(15)]
    pub reference: Option<String>,
    /// The channel's reference of its return.
    #[n(16)]
    pub return_reference: Option<String>,
    /// The network's clearing date of its return.
    #[n(17)]
    pub return_date: Option<Date>,
    /// The date of the clearing file that its return was matched in.
    #[n(18)]
    pub return_cleared: Option<Date>,
    /// The freeze that a deduction was taken from, which gets it back if the money comes back.
    #[n(20)]
    pub freeze: Option<FreezeId>,
    /// What the limits counted it as.
    #[n(24)]
    pub counted: Option<Count>,
    /// The automatic withdrawal that it is a try of.
    #[n(25)]
    pub withdrawal: Option<WithdrawalId>,
    /// The receiver's bank, where it is known.
    #[n(26)]
    pub bank: Option<Bank>,
    /// The version of the plan that gave its fee; none if it has none or the institution named it.
    #[n(27)]
    pub fee_plan: Option<FeePlanId>,
    /// Its bank paid it after it had failed, and owes that, see [`task`](crate::task).
    #[n(28)]
    pub claim: Option<Claim>,
    /// The word of the rail's further channel that it leaves by; the rail's first if none. Read it by [`Self::channel_name`] (level 18).
    #[n(29)]
    pub channel: Option<String>,
}

impl Leaves for Payout {
    /// Whether it ended, and, if it came back, a clearing file has its return. What arrived may come back still.
    fn is_closed(&self) -> bool {
        match self.status {
            PayoutStatus::Created | PayoutStatus::Held | PayoutStatus::Sent | PayoutStatus::Unknown => false,
            PayoutStatus::Success | PayoutStatus::Failed | PayoutStatus::Cancelled => true,
            PayoutStatus::Returned => self.return_cleared.is_some() || returns::uncleared_key(self).is_none(),
        }
    }
}

impl Payout {
    /// The channel that it leaves by, and that alone is believed about it, if it goes to a bank account.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: RAIL, word: self.channel.clone() }
    }

    /// Amount and fee. The sum was checked when the payout was created.
    #[must_use]
    pub fn total(&self) -> Minor {
        self.amount.saturating_add(self.fee)
    }

    /// Whether its bank owes it, and nobody has settled that.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.claim == Some(Claim::Open)
    }

    /// What may be done with it now; `decide` goes by the same list.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [PayoutAction] {
        match (self.status, &self.destination) {
            (PayoutStatus::Created, _) => &[PayoutAction::Cancel],
            (PayoutStatus::Held, _) => &[PayoutAction::Send, PayoutAction::Cancel],
            (PayoutStatus::Success, Destination::Bank(_) | Destination::Settlement(_)) => &[PayoutAction::Return],
            // Its bank paid it after all, and may get it back.
            (PayoutStatus::Failed, _) if self.claim.is_some() => &[PayoutAction::Return],
            (PayoutStatus::Success, Destination::Company(_))
            | (
                PayoutStatus::Sent
                | PayoutStatus::Unknown
                | PayoutStatus::Failed
                | PayoutStatus::Cancelled
                | PayoutStatus::Returned,
                _,
            ) => &[],
        }
    }

    fn require(&self, action: PayoutAction) -> Result<(), Refusal> {
        if self.allowed_actions().contains(&action) {
            return Ok(());
        }
        let allowed: Vec<&str> = self.allowed_actions().iter().map(|action| action.name()).collect();
        let message = format!(
            "{} is {} and cannot {}; allowed now: {}",
            self.id,
            self.status.name(),
            action.name(),
            if allowed.is_empty() { String::from("nothing") } else { allowed.join(", ") }
        );
        Err(Refusal::new(RefusalCode::PayoutState, "payout", message))
    }
}

impl State {
    /// The payout.
    ///
    /// # Errors
    /// `payout_unknown`.
    pub fn payout(&self, id: PayoutId) -> Result<&Payout, Refusal> {
        let unknown = || Refusal::new(RefusalCode::PayoutUnknown, "payout", format!("there is no payout {id}"));
        self.payouts.get(id.0).ok_or_else(unknown)
    }

    /// Whether the account has payouts that have not ended.
    pub(crate) fn has_open_payouts(&self, account: AccountId) -> bool {
        self.open_payouts.range((account, PayoutId(0))..=(account, PayoutId(u64::MAX))).next().is_some()
    }
}

fn row(state: &mut State, id: PayoutId) -> &mut Payout {
    state.payouts.get_mut(id.0).expect("decide checked the payout before it emitted the event")
}

fn end(state: &mut State, id: PayoutId, status: PayoutStatus) -> &mut Payout {
    let now = state.now;
    let account = row(state, id).account;
    state.open_payouts.remove(&(account, id));
    let payout = row(state, id);
    payout.status = status;
    payout.ended_at = Some(now);
    payout
}

/// A payout was created.
pub(crate) fn apply_created(state: &mut State, payout: &Payout) {
    state.open_payouts.insert((payout.account, payout.id), ());
    state.payouts.insert(payout.id.0, payout.clone());
}

/// Its money was held.
pub(crate) fn apply_held(state: &mut State, id: PayoutId, hold: HoldId) {
    let payout = row(state, id);
    payout.hold = Some(hold);
    payout.status = PayoutStatus::Held;
}

/// It was sent.
pub(crate) fn apply_sent(state: &mut State, id: PayoutId, voucher: VoucherId, attempt: Option<AttemptId>) {
    let payout = row(state, id);
    payout.sent = Some(voucher);
    payout.attempt = attempt;
    payout.status = PayoutStatus::Sent;
}

/// The answer did not come.
pub(crate) fn apply_unknown(state: &mut State, id: PayoutId) {
    row(state, id).status = PayoutStatus::Unknown;
}

/// It arrived.
pub(crate) fn apply_succeeded(state: &mut State, id: PayoutId, reference: Option<&String>) {
    end(state, id, PayoutStatus::Success).reference = reference.cloned();
}

/// It failed.
pub(crate) fn apply_failed(state: &mut State, id: PayoutId, failure: &PayoutFailure) {
    let payout = end(state, id, PayoutStatus::Failed);
    payout.failure = Some(failure.clone());
    let (hold, total) = (payout.hold, payout.total());
    if let Some(hold) = hold {
        tree::quota::apply_given_back(state, hold, total);
    }
}

/// It was cancelled.
pub(crate) fn apply_cancelled(state: &mut State, id: PayoutId, reason: CancelReason) {
    end(state, id, PayoutStatus::Cancelled).cancelled = Some(reason);
}

/// It came back.
pub(crate) fn apply_returned(state: &mut State, id: PayoutId, reference: &str, date: Date) {
    end(state, id, PayoutStatus::Returned);
    let payout = state.payouts.get_mut(id.0).expect("it ended just now");
    payout.return_reference = Some(reference.into());
    payout.return_date = Some(date);
    // What its failure gave back is not given back again.
    let (hold, amount) = (payout.hold.filter(|_| payout.claim.is_none()), payout.amount);
    if let Some(key) = returns::uncleared_key(payout) {
        state.uncleared_returns.insert(key, ());
    }
    if let Some(hold) = hold {
        tree::quota::apply_given_back(state, hold, amount);
    }
}
