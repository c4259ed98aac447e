//! A refund that its channel had definitely refused, or never seen, and that it carried out after all: the money left, so it is booked.
//!
//! ```text
//!  an order's, nothing refunded in its place, and the payee has the money ─► SUCCESS   Dr the payee, as its start did / Cr the rail
//!  useless, and its money is on 2243 ──────────────────────────────────────► SUCCESS   Dr 2243 / Cr the rail
//!  useless, and tried again: the later refund is under way ────────────────► SUCCESS   Dr 2211 / Cr the rail; that one is OVERTAKEN
//!  anything else: its money went back by another, was settled or is gone ──► FAILED    Dr 1131 / Cr the rail: a claim, and a task
//! ```
//! - **In its place.** An order's refund is taken again if the leg's other refunds come to no more than they did when it failed: then no more
//!   leaves the merchant than while it was under way. If more has gone back since, that was made in its place; but for another that
//!   was taken again, which was asked for before too.
//! - **From the payee alone.** Receivers of splits keep what they had got again; own money covers nothing without two people.
//! - **Overtaken.** Whatever its own channel says of it: there is no money of its own under way. If it comes through too, that is a claim.

use alloc::vec;
use alloc::vec::Vec;

use super::plan::{own, payee_share};
use super::{Answered, ItemRefund, Refund, RefundKind, RefundPart, RefundStatus, item, start_entries};
use crate::attempt::{Attempt, Outcome};
use crate::book::Subject;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::RefundId;
use crate::leg::Leg;
use crate::order::{self, Order, Share};
use crate::refusal::Refusal;
use crate::state::State;
use crate::task::claim;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

/// Whether a channel's answer to a part of a refund is none that the refund still waits for.
pub(super) fn is_late(refund: &Refund, part: &RefundPart) -> bool {
    part.status == RefundStatus::Failed || refund.overtaken_by.is_some()
}

/// Takes such an answer.
pub(super) fn answered(
    draft: &mut Draft<'_>,
    order: &Order,
    refund: &Refund,
    at: usize,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    let part = &refund.parts[at];
    let (mut shares, mut claimed) = (Vec::new(), false);
    let part_status = match outcome {
        Outcome::Success { clearing_date, .. } => {
            if let Some(taken) = take_again(draft, order, refund, part, attempt, *clearing_date)? {
                shares = taken.into_iter().map(|share| Share { amount: -share.amount, ..share }).collect();
                RefundStatus::Success
            } else {
                let dimensions = order.dimensions(part.rail, Some(*clearing_date));
                claim::post(draft, attempt, EventCode::ClaimedLate, dimensions)?;
                claimed = true;
                RefundStatus::Failed
            }
        }
        // It was overtaken: its money left by the earlier one, so none comes back.
        Outcome::Declined { .. } | Outcome::NotFound => RefundStatus::Failed,
        Outcome::Unknown => RefundStatus::Unknown,
    };
    let mut parts = refund.parts.clone();
    parts[at].status = part_status;
    let status = Refund::status_of(&parts);
    let part = u32::try_from(at).expect("a refund has a handful of parts");
    let (refund, suspense, beside) = (refund.id, 0, None);
    draft.emit(Event::RefundAnswered(Answered {
        refund,
        part,
        part_status,
        status,
        shares,
        suspense,
        beside,
        claimed,
        late: true,
    }));
    Ok(())
}

/// Takes the money from where it lies: what of it from whose shares of the order; nothing is taken that is not there.
fn take_again(
    draft: &mut Draft<'_>,
    order: &Order,
    refund: &Refund,
    part: &RefundPart,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<Option<Vec<Share>>, Refusal> {
    let (amount, currency) = (part.amount, refund.currency);
    let rail = draft.state.institution(attempt.rail.subject(), currency)?;
    let (entries, taken) = match refund.kind {
        RefundKind::Order => {
            let Some(taken) = from_payee(draft.state, order, refund, part)? else { return Ok(None) };
            let transit = draft.state.institution(Subject::RefundTransit, currency)?;
            let mut entries = start_entries(draft.state, &taken, amount, part.fee, 0, currency)?;
            for entry in entries.iter_mut().filter(|entry| entry.account == transit) {
                entry.account = rail;
            }
            (entries, taken)
        }
        RefundKind::Useless => {
            let Some(lies_on) = lies_on(last_of(draft.state, refund)?) else { return Ok(None) };
            let from = draft.state.institution(lies_on, currency)?;
            (vec![Entry::debit(from, amount, currency), Entry::credit(rail, amount, currency)], Vec::new())
        }
    };
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    let dimensions = order.dimensions(part.rail, Some(clearing_date));
    // A payee that lacks it, or gives nothing now, does not make an answer of a bank untrue.
    let posted = draft.post(business, EventCode::RefundedLate, entries, dimensions);
    Ok(posted.is_ok().then_some(taken))
}

/// What the payee gives for a part; nothing if other refunds were made in its place, or its money went into suspense.
fn from_payee(state: &State, order: &Order, refund: &Refund, part: &RefundPart) -> Result<Option<Vec<Share>>, Refusal> {
    let leg = state.leg(part.leg)?;
    if refund.suspense > 0 || !fits(order, refund, part, leg) {
        return Ok(None);
    }
    let net = part.amount - part.fee;
    let mut taken = own(state, order, payee_share(state, order, 0)?, net, net)?;
    taken.retain(|share| share.amount > 0);
    Ok(Some(taken))
}

/// Whether the leg and the order have room for a part as they had when it was made, and nothing was made in its place.
fn fits(order: &Order, refund: &Refund, part: &RefundPart, leg: &Leg) -> bool {
    let replaced = leg.asked_back() > part.beside.unwrap_or(0);
    // A part of an earlier journal does not say of which items it was, if there were others.
    let items_known = !part.items.is_empty() || refund.items.is_empty() || refund.parts.len() == 1;
    !replaced
        && part.amount <= leg.refundable().min(order.returnable())
        && order.bought(part.amount, part.fee) <= order.refundable()
        && order.fee_returned.saturating_add(part.fee) <= order.fee
        && items_known
        && item::fits(order, items_of(refund, part))
}

/// What of which items a part is.
fn items_of<'a>(refund: &'a Refund, part: &'a RefundPart) -> &'a [ItemRefund] {
    if part.items.is_empty() { &refund.items } else { &part.items }
}

/// The refund by which the same money was tried last: itself, unless it was tried again.
fn last_of<'a>(state: &'a State, refund: &'a Refund) -> Result<&'a Refund, Refusal> {
    let mut last = refund;
    while let Some(again) = last.retried_as {
        last = state.refund(again)?;
    }
    Ok(last)
}

/// Where the money lies that no order can use, if it did not leave.
fn lies_on(last: &Refund) -> Option<Subject> {
    if last.overtaken_by.is_some() || last.settled_by.is_some() {
        return None;
    }
    match last.status {
        RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Unknown => Some(Subject::RefundTransit),
        RefundStatus::Failed => Some(Subject::RefundDue),
        RefundStatus::Success => None,
    }
}

/// Folds into the state that what had failed reached the payer after all.
pub(super) fn apply(state: &mut State, refund: &Refund, at: usize, shares: &[Share]) {
    let part = &refund.parts[at];
    match refund.kind {
        RefundKind::Order => {
            order::change(state, refund.order, |order| {
                order.refunded += part.amount;
                item::count(order, items_of(refund, part));
                order.fee_returned += part.fee;
                if refund.returns_fee {
                    order.refunded_with_fee += order.bought(part.amount, part.fee);
                }
                order::add_shares(order, shares);
            });
            let leg = state.legs.get_mut(part.leg.0).expect("decide asked for the leg");
            leg.refunded += part.amount;
            leg.taken_again += part.amount;
        }
        RefundKind::Useless => {
            let last: RefundId = last_of(state, refund).expect("decide asked for the later ones").id;
            if last != refund.id {
                state.refunds.get_mut(last.0).expect("it was there").overtaken_by = Some(refund.id);
            }
        }
    }
}
