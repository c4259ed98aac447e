//! The second look before money leaves (资金安全校验): whoever sends an attempt asks the books anew whether what it is for, what
//! was held for it, who receives it and how much agree. It shares no code with what made the attempt.

use core::fmt::{self, Display, Formatter};

use crate::advance::AdvanceStatus;
use crate::attempt::{Attempt, AttemptStatus, Operation, Outcome, Purpose, attempt_of_serial};
use crate::freeze::Change;
use crate::ids::{AdvanceId, AttemptId, FreezeId, LegId, PayoutId, RefundId, TopUpId};
use crate::money::{Currency, Minor};
use crate::payout::{Payout, PayoutKind, PayoutStatus};
use crate::refund::{RefundKind, RefundStatus};
use crate::sealed::Sealed;
use crate::state::State;

/// What of an attempt the books do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// What it is for is not there, is at an end, or is sent by another attempt.
    Object,
    /// The amount or its currency is another.
    Amount,
    /// Nothing, or another amount, was held and taken for it.
    Hold,
    /// It would go to somebody else.
    Receiver,
    /// What it gives back is not what came in, or more than that, or came by another channel.
    Original,
    /// It would leave by another channel.
    Channel,
}

impl Disagreement {
    /// The name in codes, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Amount => "amount",
            Self::Hold => "hold",
            Self::Receiver => "receiver",
            Self::Original => "original",
            Self::Channel => "channel",
        }
    }
}

impl Display for Disagreement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "what it is for is not there, has ended, or is sent by another attempt",
            Self::Amount => "the books name another amount or currency",
            Self::Hold => "the books hold nothing or another amount for it",
            Self::Receiver => "the books name another receiver",
            Self::Original => "it gives back more than came in, or what did not come in by it",
            Self::Channel => "the books name another channel",
        })
    }
}

/// What an attempt wants: who gets how much.
struct Wanted<'a> {
    id: AttemptId,
    amount: Minor,
    currency: Currency,
    to: To<'a>,
    /// The word of the rail's further channel.
    channel: Option<&'a str>,
}

enum To<'a> {
    Account(&'a Sealed, &'a Sealed),
    /// The serial of what brought the money.
    Payer(&'a str),
}

/// Whether the books agree that this attempt may take money out. Rows that left memory count as missed ([`crate::recall`]): whoever
/// asks reads them and asks again. What takes nothing out always agrees.
///
/// # Errors
/// What they disagree on.
pub fn agree(state: &State, attempt: &Attempt) -> Result<(), Disagreement> {
    let (to, amount, currency) = match &attempt.operation {
        Operation::Pay { account, name, amount, currency, .. } => (To::Account(account, name), *amount, *currency),
        Operation::Refund { original, amount, currency } => (To::Payer(original), *amount, *currency),
        Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Redirect { .. }
        | Operation::FundBatch { .. } => return Ok(()),
    };
    let wanted = Wanted { id: attempt.id, amount, currency, to, channel: attempt.channel.as_deref() };
    match attempt.purpose {
        Purpose::Payout(id) => payout(state, id, &wanted),
        Purpose::Refund(id) => refund(state, id, &wanted),
        Purpose::Advance(id) => advance(state, id, &wanted),
        Purpose::Leg(id) => undo(state, id, &wanted),
        Purpose::TopUp(id) => top_up(state, id, &wanted),
    }
}

fn require(holds: bool, otherwise: Disagreement) -> Result<(), Disagreement> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn payout(state: &State, id: PayoutId, wanted: &Wanted<'_>) -> Result<(), Disagreement> {
    let payout = state.payouts.get(id.0).ok_or(Disagreement::Object)?;
    let open = matches!(payout.status, PayoutStatus::Sent | PayoutStatus::Unknown);
    require(open && payout.attempt == Some(wanted.id), Disagreement::Object)?;
    require((payout.amount, payout.currency) == (wanted.amount, wanted.currency), Disagreement::Amount)?;
    require(payout.channel.as_deref() == wanted.channel, Disagreement::Channel)?;
    held(state, payout)?;
    let To::Account(account, name) = wanted.to else { return Err(Disagreement::Receiver) };
    let receiver = payout.destination.receiver().ok_or(Disagreement::Receiver)?;
    require((&receiver.account, &receiver.name) == (account, name), Disagreement::Receiver)
}

/// A payout's hold was taken whole, from the account that pays; an authority's deduction has its freeze in its place.
fn held(state: &State, payout: &Payout) -> Result<(), Disagreement> {
    if let Some(freeze) = payout.freeze {
        return deducted(state, payout, freeze);
    }
    let total = payout.amount.checked_add(payout.fee).ok_or(Disagreement::Hold)?;
    let hold = payout.hold.and_then(|hold| state.holds.get(hold.0)).ok_or(Disagreement::Hold)?;
    let its = hold.payout == Some(payout.id) && hold.account == payout.account;
    require(its && hold.amount == total && hold.confirmed == total, Disagreement::Hold)
}

/// A deduction takes what its freeze fell by for it, to the minor unit, from the account that pays, and nothing of that was given
/// back. The freeze's changes come to what it says was deducted of it.
fn deducted(state: &State, payout: &Payout, freeze: FreezeId) -> Result<(), Disagreement> {
    require(payout.kind == PayoutKind::Deduction && payout.fee == 0 && payout.hold.is_none(), Disagreement::Hold)?;
    let freeze = state.freezes.get(freeze.0).ok_or(Disagreement::Hold)?;
    let (mut all, mut its): (Minor, Minor) = (0, 0);
    for change in &freeze.changes {
        let (of, amount) = match &change.what {
            Change::Deducted { payout: of, account, amount } => {
                require(*of != payout.id || *account == payout.account, Disagreement::Hold)?;
                (*of, *amount)
            }
            Change::GivenBack { payout: of, amount, .. } => (*of, amount.checked_neg().ok_or(Disagreement::Hold)?),
            Change::Placed
            | Change::Renewed { .. }
            | Change::Released { .. }
            | Change::Expired
            | Change::Lapsed
            | Change::Followed { .. } => continue,
        };
        all = all.checked_add(amount).ok_or(Disagreement::Hold)?;
        if of == payout.id {
            its = its.checked_add(amount).ok_or(Disagreement::Hold)?;
        }
    }
    require(its == payout.amount && all == freeze.deducted, Disagreement::Hold)
}

fn refund(state: &State, id: RefundId, wanted: &Wanted<'_>) -> Result<(), Disagreement> {
    let refund = state.refunds.get(id.0).ok_or(Disagreement::Object)?;
    let part = refund.parts.iter().find(|part| part.attempt == Some(wanted.id)).ok_or(Disagreement::Object)?;
    // What an earlier one overtook is not sent any more, if it was not yet.
    let open = matches!(part.status, RefundStatus::InTransit | RefundStatus::Unknown) && refund.overtaken_by.is_none();
    require(open, Disagreement::Object)?;
    require((part.amount, refund.currency) == (wanted.amount, wanted.currency), Disagreement::Amount)?;
    let leg = state.legs.get(part.leg.0).ok_or(Disagreement::Object)?;
    require(leg.order == refund.order, Disagreement::Object)?;
    match refund.kind {
        RefundKind::Order => {
            let came = brought(state, leg.captured_by, Purpose::Leg(part.leg), wanted)?;
            require(leg.refunded >= part.amount && leg.refunded <= came, Disagreement::Original)
        }
        // It came late, by whichever try: whole it goes back.
        RefundKind::Useless => {
            let To::Payer(serial) = wanted.to else { return Err(Disagreement::Receiver) };
            let came = brought(state, attempt_of_serial(serial), Purpose::Leg(part.leg), wanted)?;
            require(came == part.amount, Disagreement::Original)
        }
    }
}

/// A combined payment that cannot be finished gives its card's money back, whole.
fn undo(state: &State, id: LegId, wanted: &Wanted<'_>) -> Result<(), Disagreement> {
    let leg = state.legs.get(id.0).ok_or(Disagreement::Object)?;
    require(leg.open == Some(wanted.id), Disagreement::Object)?;
    require(leg.currency == wanted.currency, Disagreement::Amount)?;
    let came = brought(state, leg.captured_by, Purpose::Leg(id), wanted)?;
    require(came == wanted.amount, Disagreement::Original)
}

/// Money of another amount than a top-up asked for goes back, whole.
fn top_up(state: &State, id: TopUpId, wanted: &Wanted<'_>) -> Result<(), Disagreement> {
    let top_up = state.top_ups.get(id.0).ok_or(Disagreement::Object)?;
    let back = top_up.back.filter(|back| back.attempt == wanted.id).ok_or(Disagreement::Object)?;
    require(matches!(back.status, RefundStatus::InTransit | RefundStatus::Unknown), Disagreement::Object)?;
    require((back.amount, top_up.currency) == (wanted.amount, wanted.currency), Disagreement::Amount)?;
    let came = brought(state, top_up.attempt, Purpose::TopUp(id), wanted)?;
    require(came == back.amount, Disagreement::Original)
}

/// What the attempt that brought the money of a leg or a top-up brought: it must be the one that is named to the channel.
fn brought(state: &State, by: Option<AttemptId>, purpose: Purpose, wanted: &Wanted<'_>) -> Result<Minor, Disagreement> {
    let To::Payer(serial) = wanted.to else { return Err(Disagreement::Receiver) };
    require(by.is_some() && attempt_of_serial(serial) == by, Disagreement::Original)?;
    let original = by.and_then(|by| state.attempts.get(by.0)).ok_or(Disagreement::Original)?;
    let succeeded = matches!(original.status, AttemptStatus::Settled(Outcome::Success { .. }));
    let (amount, currency) = original.operation.money();
    let its = original.purpose == purpose && original.serial() == serial && currency == wanted.currency;
    let its = its && original.channel.as_deref() == wanted.channel;
    require(its && succeeded && wanted.amount <= amount, Disagreement::Original)?;
    Ok(amount)
}

fn advance(state: &State, id: AdvanceId, wanted: &Wanted<'_>) -> Result<(), Disagreement> {
    let advance = state.advances.get(id.0).ok_or(Disagreement::Object)?;
    let is_open = matches!(advance.status, AdvanceStatus::Sent | AdvanceStatus::Unknown);
    require(advance.attempt == wanted.id && is_open, Disagreement::Object)?;
    let outlay = advance.amount.checked_sub(advance.fee).ok_or(Disagreement::Amount)?;
    require((outlay, advance.currency) == (wanted.amount, wanted.currency), Disagreement::Amount)?;
    require(wanted.channel.is_none(), Disagreement::Channel)?;
    let To::Account(account, name) = wanted.to else { return Err(Disagreement::Receiver) };
    let merchant = state.merchants.get(advance.merchant.0).ok_or(Disagreement::Object)?;
    let settlement = &merchant.settlement;
    require((&settlement.account, &settlement.name) == (account, name), Disagreement::Receiver)
}
