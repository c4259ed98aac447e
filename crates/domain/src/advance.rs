//! Advances (垫付, D0): own money pays a merchant today what the reserve settles later.
//!
//! ```text
//!  request ─► SENT ─► SUCCESS ─ every order cleared: repay ─► its line on the reserve account's statement ─► REPAID
//!               ├───► FAILED   └──────── comes back days later (退票), before or after the repayment ──────────┴─► RETURNED
//!               └─► UNKNOWN ─► SUCCESS │ FAILED ─ the bank paid it after all: a claim, see `advance/late.rs`
//! ```
//! The figures, for 4,990:
//!
//! ```text
//!  SENT     OWN Dr 1151 4,990 / Cr 1103 4,990 · Dr 2202 4,990 / Cr 2292 4,990         (a fee: Cr 2212 of it, where it waits)
//!  SUCCESS  nothing                                                     (a fee: Dr 2212 / Cr 2291 · OWN Dr 1291 / Cr 5001)
//!  FAILED   the exact contra of SENT
//!  REPAID   Dr 2292 4,990 / Cr 1101 4,990 · OWN Dr 1103 4,990 / Cr 1151 4,990
//! ```
//! Own money pays from the institution's own bank to the merchant's settlement account. It is booked when it is sent, as a
//! payout is, so that an answer that does not come leaves the books right either way. Until its answer the fee is the merchant's:
//! nothing that takes from 2291 reaches it, so a failure never lacks what it gives back. The merchant's share of each order
//! counts as settled from then on: it is not settled, split or advanced again, and a refund takes it from 2203. One that comes
//! back: `advance/returned.rs`.
//!
//! Who may have one: see [`policy`]. Reserve is never lent: 1151 is paid by 1103, and 2292 is what reserve owes for it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::{self, FailureClass, Operation, Outcome, Purpose, Rail};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AdvanceId, ApprovalId, AttemptId, MerchantId, OrderId, OwnTransferId, VoucherId};
use crate::money::{Currency, Minor, add, subtract};
use crate::order::{self, Order, OrderStatus, Share};
use crate::own_transfer;
use crate::payout::PayoutFailure;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::task::Claim;
use crate::voucher::EventCode;

mod booking;
mod due;
mod late;
pub mod policy;
mod returned;
#[cfg(test)]
mod tests;

pub use due::{RepayPage, Repayable, repay_page};
pub(crate) use late::book as book_claim;
pub use policy::{AdvancePolicy, SetAdvancePolicy, Trading};
pub use returned::ReturnAdvance;

/// The most orders of one advance.
pub const MAX_ORDERS: usize = 100;

/// Where an advance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AdvanceStatus {
    /// With the own bank.
    #[n(0)]
    Sent,
    /// The bank's answer did not come.
    #[n(1)]
    Unknown,
    /// The merchant has it.
    #[n(2)]
    Success,
    /// The merchant does not; its money is back on 2202.
    #[n(3)]
    Failed,
    /// The reserve paid it back.
    #[n(4)]
    Repaid,
    /// The merchant had it, and its bank sent it back.
    #[n(5)]
    Returned,
}

impl AdvanceStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [Self::Sent, Self::Unknown, Self::Success, Self::Failed, Self::Repaid, Self::Returned];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Repaid => "repaid",
            Self::Returned => "returned",
        }
    }
}

/// One order's share in an advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct AdvancedShare {
    /// The order.
    #[n(0)]
    pub order: OrderId,
    /// All that the merchant had unsettled of it, in minor units.
    #[n(1)]
    pub amount: Minor,
}

/// An advance.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Advance {
    /// Its id.
    #[n(0)]
    pub id: AdvanceId,
    /// Who has it.
    #[n(1)]
    pub merchant: MerchantId,
    /// What it is made of.
    #[n(2)]
    pub shares: Vec<AdvancedShare>,
    /// Σ shares.
    #[n(3)]
    pub amount: Minor,
    /// Minor units of it that the institution keeps.
    #[n(4)]
    pub fee: Minor,
    /// Its currency.
    #[n(5)]
    pub currency: Currency,
    /// 2202, which gave the shares.
    #[n(6)]
    pub from: AccountId,
    /// 2203, where the shares count from then on.
    #[n(7)]
    pub to: AccountId,
    /// The accounting day, for the merchant's quota.
    #[n(8)]
    pub date: Date,
    /// Where it stands.
    #[n(9)]
    pub status: AdvanceStatus,
    /// The try at the own bank.
    #[n(10)]
    pub attempt: AttemptId,
    /// The voucher of SENT.
    #[n(11)]
    pub voucher: VoucherId,
    /// When it was sent.
    #[n(12)]
    pub sent_at: Time,
    /// Who asked for it.
    #[n(13)]
    pub operator: String,
    /// The bank's reference of its success.
    #[n(14)]
    pub reference: Option<String>,
    /// Why it failed.
    #[n(15)]
    pub failure: Option<PayoutFailure>,
    /// The transfer that pays it back, once instructed.
    #[n(16)]
    pub repayment: Option<OwnTransferId>,
    /// When it failed, was paid back or came back.
    #[n(17)]
    pub ended_at: Option<Time>,
    /// The bank's reference of its return.
    #[n(18)]
    pub return_reference: Option<String>,
    /// The date on which it came back.
    #[n(19)]
    pub return_date: Option<Date>,
    /// 2212, where its fee waits until the merchant has the rest; none without a fee, nor of before level 15, whose fee was on 2291 at once.
    #[n(20)]
    pub fee_on: Option<AccountId>,
    /// What its bank paid after the advance had failed, and is owed (level 16).
    #[n(21)]
    pub claim: Option<Claim>,
    /// The voucher of that claim; none while own money does not have what left.
    #[n(22)]
    pub claim_voucher: Option<VoucherId>,
}

impl Advance {
    /// What own money paid, and gets back.
    #[must_use]
    pub const fn outlay(&self) -> Minor {
        self.amount.saturating_sub(self.fee)
    }

    /// What of it own money has not got back, on 1151; a claim is not among it.
    #[must_use]
    pub const fn outstanding(&self) -> Minor {
        match self.status {
            AdvanceStatus::Sent | AdvanceStatus::Unknown | AdvanceStatus::Success => self.outlay(),
            AdvanceStatus::Failed | AdvanceStatus::Repaid | AdvanceStatus::Returned => 0,
        }
    }

    /// Whether the bank may still say that it failed.
    #[must_use]
    pub const fn is_uncertain(&self) -> bool {
        match self.status {
            AdvanceStatus::Sent | AdvanceStatus::Unknown => true,
            AdvanceStatus::Success | AdvanceStatus::Failed | AdvanceStatus::Repaid | AdvanceStatus::Returned => false,
        }
    }

    /// Whether its bank paid it after it had failed, and that is neither settled nor back.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.status == AdvanceStatus::Failed && self.claim == Some(Claim::Open)
    }

    /// What may be done with it now, by the guards that `decide` asks.
    #[must_use]
    pub fn allowed_actions(&self, state: &State) -> Vec<&'static str> {
        let guards = [("repay", can_repay(state, self)), ("return", returned::can_return(self))];
        guards.into_iter().filter(|(_, guard)| guard.is_ok()).map(|(action, _)| action).collect()
    }
}

/// Asks for an advance of all that is unsettled of some orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAdvance {
    /// Who asks.
    pub merchant: MerchantId,
    /// Its orders, each once.
    pub orders: Vec<OrderId>,
}

/// A step of an advance, or its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvanceCommand {
    /// Replace the rules; two people.
    SetPolicy(SetAdvancePolicy),
    /// Ask for an advance.
    Request(RequestAdvance),
    /// Instruct the repayment of an advance whose orders are cleared.
    Repay(AdvanceId),
    /// Book the return of an advance that had arrived.
    Return(ReturnAdvance),
}

/// What happened to an advance.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AdvanceEvent {
    /// The rules were replaced.
    #[n(0)]
    PolicySet(#[n(0)] AdvancePolicy),
    /// It was sent; its attempt was requested and its voucher posted before.
    #[n(1)]
    Sent(#[n(0)] Advance),
    /// The bank's answer did not come.
    #[n(2)]
    Unknown(#[n(0)] AdvanceId),
    /// The merchant has it; the voucher of the fee that waited for that was posted before.
    #[n(3)]
    Succeeded {
        /// The advance.
        #[n(0)]
        advance: AdvanceId,
        /// The bank's reference.
        #[n(1)]
        reference: String,
    },
    /// It failed; the contra was posted before.
    #[n(4)]
    Failed {
        /// The advance.
        #[n(0)]
        advance: AdvanceId,
        /// The contra.
        #[n(1)]
        voucher: VoucherId,
        /// Why.
        #[n(2)]
        failure: PayoutFailure,
    },
    /// It came back after success; its voucher was posted before.
    #[n(5)]
    Returned {
        /// The advance.
        #[n(0)]
        advance: AdvanceId,
        /// The voucher.
        #[n(1)]
        voucher: VoucherId,
        /// Who has the money: 2202 and the shares are unsettled again; else 2203, or suspense; of a claim what bore it, 1241 or 1103.
        #[n(2)]
        credited: AccountId,
        /// The bank's reference.
        #[n(3)]
        reference: String,
        /// The date on which it came back.
        #[n(4)]
        date: Date,
    },
    /// The bank paid it after it had failed. The voucher that claims that was posted before, if own money had it.
    #[n(6)]
    Claimed {
        /// The advance, which stays failed.
        #[n(0)]
        advance: AdvanceId,
        /// The bank's reference.
        #[n(1)]
        reference: String,
        /// The voucher.
        #[n(2)]
        voucher: Option<VoucherId>,
    },
    /// Own money had what left by then: the voucher of the claim was posted before.
    #[n(7)]
    ClaimBooked {
        /// The advance.
        #[n(0)]
        advance: AdvanceId,
        /// The voucher.
        #[n(1)]
        voucher: VoucherId,
    },
}

/// Decides a step of an advance, or its rules.
///
/// # Errors
/// Those of the step.
pub fn decide(draft: &mut Draft<'_>, command: AdvanceCommand) -> Result<Reply, Refusal> {
    match command {
        AdvanceCommand::SetPolicy(command) => policy::decide_set(draft, command),
        AdvanceCommand::Request(command) => request(draft, &command),
        AdvanceCommand::Repay(id) => repay(draft, id),
        AdvanceCommand::Return(command) => returned::decide(draft, command),
    }
}

/// # Errors
/// `merchant_unknown`, `order_unknown`, `checks_failed`, `advance_barred`, `account_restricted`, `settlement_suspended`,
/// `value_invalid` for no orders, too many, or one twice, and those of the voucher: `insufficient_funds` if 1103 has too
/// little.
fn request(draft: &mut Draft<'_>, command: &RequestAdvance) -> Result<Reply, Refusal> {
    let merchant = draft.state.merchant(command.merchant)?.clone();
    own_transfer::without_break(draft.state, "own money advances nothing")?;
    let rules = policy::eligible(draft.state, &merchant)?;
    let shares = shares(draft.state, merchant.id, &command.orders)?;
    let amount = shares.iter().try_fold(0, |sum, share| add(sum, share.amount, "orders"))?;
    let fee = crate::money::fee(amount, rules.fee_rate)?;
    let outlay = subtract(amount, fee, "orders")?;
    policy::within_quotas(draft.state, &rules, merchant.id, amount, outlay)?;
    let id = AdvanceId(draft.state.advances.next_id());
    let (from, to, currency) = (merchant.pending, merchant.available, Currency::Cny);
    let fee_on = if fee > 0 { Some(draft.state.institution(Subject::PayoutTransit, currency)?) } else { None };
    let entries = booking::sent(draft.state, from, amount, (fee, fee_on), currency)?;
    let voucher = booking::post(draft, id, merchant.id, EventCode::AdvanceSent, entries, None)?;
    let operation = Operation::Pay {
        account: merchant.settlement.account.clone(),
        name: merchant.settlement.name.clone(),
        amount: outlay,
        currency,
        bank: None,
    };
    let attempt = attempt::request(draft, Rail::OwnBank, operation, Purpose::Advance(id));
    let (sent_at, operator) = (draft.context.now, draft.operator());
    let date = draft.state.days.posting_date(None)?;
    draft.emit(Event::Advance(AdvanceEvent::Sent(Advance {
        id,
        merchant: merchant.id,
        shares,
        amount,
        fee,
        currency,
        from,
        to,
        date,
        status: AdvanceStatus::Sent,
        attempt,
        voucher,
        sent_at,
        operator,
        reference: None,
        failure: None,
        repayment: None,
        ended_at: None,
        return_reference: None,
        return_date: None,
        fee_on,
        claim: None,
        claim_voucher: None,
    })));
    Ok(Reply::Advance(id))
}

/// What of each order can be advanced: all that its payee has unsettled.
fn shares(state: &State, merchant: MerchantId, orders: &[OrderId]) -> Result<Vec<AdvancedShare>, Refusal> {
    let distinct: BTreeSet<OrderId> = orders.iter().copied().collect();
    if orders.is_empty() || orders.len() > MAX_ORDERS || distinct.len() != orders.len() {
        let message =
            format!("{} orders, {} of them distinct; name 1 to {MAX_ORDERS}, each once", orders.len(), distinct.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "orders", message));
    }
    orders
        .iter()
        .map(|id| {
            let order = state.order(*id)?;
            let amount = can_advance(order, merchant)?;
            Ok(AdvancedShare { order: *id, amount })
        })
        .collect()
}

/// What can be advanced of an order: captured, not yet settled, and nothing of it on its way back.
fn can_advance(order: &Order, merchant: MerchantId) -> Result<Minor, Refusal> {
    let refuse = |what: String| Err(Refusal::new(RefusalCode::AdvanceBarred, "orders", what));
    if order.merchant != merchant {
        return refuse(format!("{} is not an order of {merchant}", order.id));
    }
    if order.status != OrderStatus::Success || !order.settles {
        return refuse(format!(
            "{} is {}; only a paid order that is settled can be advanced",
            order.id,
            order.status.name()
        ));
    }
    if order.refunded > 0 || order.charged_back > 0 {
        let message = format!(
            "{} of {} are refunded and {} charged back; nothing of it is advanced",
            order.refunded, order.id, order.charged_back
        );
        return refuse(message);
    }
    let amount = order.share(merchant, false);
    if amount <= 0 {
        return refuse(format!("{} has nothing unsettled left: it was settled, split or advanced", order.id));
    }
    Ok(amount)
}

/// Takes the own bank's answer.
///
/// # Errors
/// Those of the voucher; none while sums fit: 2202 stays open while an advance is uncertain.
pub(crate) fn answered(draft: &mut Draft<'_>, id: AdvanceId, outcome: &Outcome) -> Result<(), Refusal> {
    match outcome {
        Outcome::Success { reference, .. } if draft.state.advance(id)?.status == AdvanceStatus::Failed => {
            late::paid(draft, id, reference);
            Ok(())
        }
        Outcome::Success { reference, .. } => {
            booking::earn(draft, id)?;
            let reference = reference.clone();
            draft.emit(Event::Advance(AdvanceEvent::Succeeded { advance: id, reference }));
            Ok(())
        }
        Outcome::Declined { class, code } => fail(draft, id, PayoutFailure { class: *class, code: code.clone() }),
        Outcome::NotFound => {
            fail(draft, id, PayoutFailure { class: FailureClass::System, code: String::from("not_found") })
        }
        Outcome::Unknown => {
            draft.emit(Event::Advance(AdvanceEvent::Unknown(id)));
            Ok(())
        }
    }
}

fn fail(draft: &mut Draft<'_>, id: AdvanceId, failure: PayoutFailure) -> Result<(), Refusal> {
    let advance = draft.state.advance(id)?.clone();
    // What was advanced of them is unsettled again.
    advance.shares.iter().try_for_each(|share| draft.state.order(share.order).map(drop))?;
    let entries = booking::contra(draft.state, &advance, advance.from)?;
    let voucher = booking::post(draft, id, advance.merchant, EventCode::AdvanceFailed, entries, Some(advance.voucher))?;
    draft.emit(Event::Advance(AdvanceEvent::Failed { advance: id, voucher, failure }));
    Ok(())
}

/// # Errors
/// `advance_unknown`, `advance_state`, `not_cleared`, `checks_failed`.
fn repay(draft: &mut Draft<'_>, id: AdvanceId) -> Result<Reply, Refusal> {
    let advance = draft.state.advance(id)?;
    can_repay(draft.state, advance)?;
    let (amount, currency) = (advance.outlay(), advance.currency);
    Ok(own_transfer::instruct_repayment(draft, id, amount, currency))
}

/// Whether the reserve may pay it back now: the merchant has it and the network has brought what it stands for.
fn can_repay(state: &State, advance: &Advance) -> Result<(), Refusal> {
    if let (AdvanceStatus::Success, Some(transfer)) = (advance.status, advance.repayment) {
        let message = format!("{} is paid back by {transfer}", advance.id);
        return Err(Refusal::new(RefusalCode::AdvanceState, "advance", message));
    }
    if advance.status != AdvanceStatus::Success {
        let message = format!("{} is {}; only one that succeeded is paid back", advance.id, advance.status.name());
        return Err(Refusal::new(RefusalCode::AdvanceState, "advance", message));
    }
    for share in &advance.shares {
        if state.order(share.order)?.due.is_none() {
            let message = format!("{} is not matched in a clearing file yet", share.order);
            return Err(Refusal::new(RefusalCode::NotCleared, "advance", message));
        }
    }
    own_transfer::without_break(state, "nothing is paid back")
}

impl State {
    /// The advance.
    ///
    /// # Errors
    /// `advance_unknown`.
    pub fn advance(&self, id: AdvanceId) -> Result<&Advance, Refusal> {
        let unknown = || Refusal::new(RefusalCode::AdvanceUnknown, "advance", format!("there is no advance {id}"));
        self.advances.get(id.0).ok_or_else(unknown)
    }

    /// Whether money of the merchant's advances may still come back to its 2202.
    pub(crate) fn has_uncertain_advances(&self, merchant: MerchantId) -> bool {
        self.open_advances.range((merchant, AdvanceId(0))..=(merchant, AdvanceId(u64::MAX))).next().is_some()
    }
}

/// Folds what happened to an advance into the state.
pub(crate) fn apply(state: &mut State, event: &AdvanceEvent) {
    match event {
        AdvanceEvent::PolicySet(policy) => state.advance_policies.insert(policy.id.0, policy.clone()),
        AdvanceEvent::Sent(advance) => {
            move_shares(state, advance, 1);
            state.merchant_advances.insert((advance.merchant, advance.date, advance.id), ());
            state.open_advances.insert((advance.merchant, advance.id), ());
            state.advances.insert(advance.id.0, advance.clone());
        }
        AdvanceEvent::Unknown(id) => row(state, *id).status = AdvanceStatus::Unknown,
        AdvanceEvent::Succeeded { advance, reference } => {
            let advance = row(state, *advance);
            advance.status = AdvanceStatus::Success;
            advance.reference = Some(reference.clone());
            let key = (advance.merchant, advance.id);
            state.open_advances.remove(&key);
        }
        AdvanceEvent::Failed { advance, failure, .. } => {
            let now = state.now;
            let advance = row(state, *advance);
            advance.status = AdvanceStatus::Failed;
            advance.failure = Some(failure.clone());
            advance.ended_at = Some(now);
            let advance = advance.clone();
            state.open_advances.remove(&(advance.merchant, advance.id));
            move_shares(state, &advance, -1);
        }
        AdvanceEvent::Returned { advance, credited, reference, date, .. } => {
            returned::apply(state, *advance, *credited, reference, *date);
        }
        AdvanceEvent::Claimed { advance, reference, voucher } => late::apply(state, *advance, reference, *voucher),
        AdvanceEvent::ClaimBooked { advance, voucher } => row(state, *advance).claim_voucher = Some(*voucher),
    }
}

/// The shares count as settled (`sign` 1) or as unsettled again (−1).
fn move_shares(state: &mut State, advance: &Advance, sign: Minor) {
    let Advance { merchant, from, to, .. } = *advance;
    for AdvancedShare { order, amount } in advance.shares.iter().copied() {
        let amount = amount * sign;
        order::change(state, order, |order| {
            let moved = [
                Share { merchant, account: from, amount: -amount, settled: false },
                Share { merchant, account: to, amount, settled: true },
            ];
            order::add_shares(order, &moved);
        });
    }
}

/// Its repayment was instructed, or that instruction ended without its line.
pub(crate) fn apply_repayment(state: &mut State, id: AdvanceId, transfer: Option<OwnTransferId>) {
    row(state, id).repayment = transfer;
}

/// The reserve paid it back.
pub(crate) fn apply_repaid(state: &mut State, id: AdvanceId) {
    let now = state.now;
    let advance = row(state, id);
    advance.status = AdvanceStatus::Repaid;
    advance.ended_at = Some(now);
}

/// Two people settled what its bank owed.
pub(crate) fn apply_settled(state: &mut State, id: AdvanceId, approval: ApprovalId) {
    row(state, id).claim = Some(Claim::Settled(approval));
    state.claimed_advances.remove(&id);
}

fn row(state: &mut State, id: AdvanceId) -> &mut Advance {
    state.advances.get_mut(id.0).expect("decide checked the advance")
}
