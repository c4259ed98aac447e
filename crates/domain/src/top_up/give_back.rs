//! Money of another amount than a top-up asked for, by the channel's own file: it goes back to its source.
//!
//! ```text
//!  Dr 1121 1,100 / Cr 2243 1,100      it came, and its top-up, of 1,000, has failed
//!  Dr 2243 1,100 / Cr 2211 1,100      the channel is asked to take it back
//!  Dr 2211 1,100 / Cr 1121 1,100      it did
//!  Dr 2211 1,100 / Cr 2241 1,100      it refused: suspense, for an operator to allocate
//!  Dr 2241 1,100 / Cr 1121 1,100      it did so after all
//!  Dr 1131 1,100 / Cr 1121 1,100      it did so after all, and people had allocated it: a claim on its bank, and the item a task
//! ```
//! (1122 over UnionPay.) The payer wanted another amount, and a channel that debits what nobody asked for is not to be believed. What the
//! channel refused to take back is asked for no more.

use alloc::vec;

use minicbor::{Decode, Encode};

use super::{TopUp, TopUpEvent};
use crate::attempt::{self, Attempt, Operation, Outcome, Purpose};
use crate::book::Subject;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AttemptId, TopUpId, VoucherId};
use crate::money::Minor;
use crate::refund::RefundStatus;
use crate::refusal::{Refusal, RefusalCode};
use crate::suspense::{self, SuspenseEvent};
use crate::task::claim;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

/// What goes back of a top-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct GivenBack {
    /// The try at the channel.
    #[n(0)]
    pub attempt: AttemptId,
    /// Minor units: what came.
    #[n(1)]
    pub amount: Minor,
    /// The voucher that put it on its way.
    #[n(2)]
    pub voucher: VoucherId,
    /// Where it stands; what failed lies in suspense.
    #[n(3)]
    pub status: RefundStatus,
}

impl GivenBack {
    /// Whether the channel has said what became of it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self.status {
            RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Unknown => false,
            RefundStatus::Success | RefundStatus::Failed => true,
        }
    }
}

/// Takes what `attempt` brought, and sends it back.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(super) fn start(draft: &mut Draft<'_>, id: TopUpId, attempt: &Attempt, clearing_date: Date) -> Result<(), Refusal> {
    let (amount, currency) = attempt.operation.money();
    let dimensions = draft.state.top_up(id)?.dimensions(draft.state, Some(clearing_date))?;
    let from = draft.state.institution(attempt.rail.subject(), currency)?;
    let due = draft.state.institution(Subject::RefundDue, currency)?;
    let transit = draft.state.institution(Subject::RefundTransit, currency)?;
    let came = vec![Entry::debit(from, amount, currency), Entry::credit(due, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    draft.post(business, EventCode::RefundDue, came, dimensions.clone())?;
    let operation = Operation::Refund { original: attempt.serial(), amount, currency };
    let back = attempt::request(draft, attempt.channel_name(), operation, Purpose::TopUp(id));
    let goes = vec![Entry::debit(due, amount, currency), Entry::credit(transit, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Attempt, back.0);
    let voucher = draft.post(business, EventCode::RefundStarted, goes, dimensions)?;
    let back = GivenBack { attempt: back, amount, voucher, status: RefundStatus::InTransit };
    draft.emit(Event::TopUp(TopUpEvent::GivenBack { top_up: id, back }));
    Ok(())
}

/// Takes the channel's answer to what goes back.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(super) fn answered(
    draft: &mut Draft<'_>,
    id: TopUpId,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    let top_up = draft.state.top_up(id)?;
    let back = top_up.back.expect("a top-up whose money goes back says so");
    if let (RefundStatus::Failed, Outcome::Success { clearing_date, .. }) = (back.status, outcome) {
        return came_through(draft, id, attempt, *clearing_date);
    }
    let (amount, currency) = (back.amount, top_up.currency);
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    let transit = draft.state.institution(Subject::RefundTransit, currency)?;
    let status = match outcome {
        Outcome::Success { clearing_date, .. } => {
            let dimensions = top_up.dimensions(draft.state, Some(*clearing_date))?;
            let rail = draft.state.institution(attempt.rail.subject(), currency)?;
            let entries = vec![Entry::debit(transit, amount, currency), Entry::credit(rail, amount, currency)];
            draft.post(business, EventCode::RefundSucceeded, entries, dimensions)?;
            RefundStatus::Success
        }
        Outcome::Declined { .. } | Outcome::NotFound => {
            let dimensions = top_up.dimensions(draft.state, None)?;
            let suspense = draft.state.institution(Subject::Suspense, currency)?;
            let entries = vec![Entry::debit(transit, amount, currency), Entry::credit(suspense, amount, currency)];
            draft.post_contra(business, EventCode::RefundFailed, entries, dimensions, Some(back.voucher))?;
            RefundStatus::Failed
        }
        Outcome::Unknown => RefundStatus::Unknown,
    };
    draft.emit(Event::TopUp(TopUpEvent::BackAnswered { top_up: id, status }));
    Ok(())
}

/// The channel took back what it had refused: it is taken from the item that lies in suspense, unless people allocated any of that.
///
/// # Errors
/// Those of the voucher but for what suspense has too little of; none while sums fit.
fn came_through(draft: &mut Draft<'_>, id: TopUpId, attempt: &Attempt, clearing_date: Date) -> Result<(), Refusal> {
    let (amount, currency) = attempt.operation.money();
    let dimensions = draft.state.top_up(id)?.dimensions(draft.state, Some(clearing_date))?;
    let lies_on = draft.state.institution(Subject::Suspense, currency)?;
    let rail = draft.state.institution(attempt.rail.subject(), currency)?;
    let entries = vec![Entry::debit(lies_on, amount, currency), Entry::credit(rail, amount, currency)];
    // The number under which the refusal opened the item: no other item gives anything for it.
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    match draft.post(business.clone(), EventCode::TopUpReturnedLate, entries, dimensions.clone()) {
        Ok(_) => {
            let status = RefundStatus::Success;
            draft.emit(Event::TopUp(TopUpEvent::BackAnswered { top_up: id, status }));
            return Ok(());
        }
        // 2241 has less, or its item has, since other items lie there: people allocated it. Nothing else is their doing.
        Err(lacks) if matches!(lacks.code, RefusalCode::InsufficientFunds | RefusalCode::SuspenseExceeded) => {}
        Err(other) => return Err(other),
    }
    claim::post(draft, attempt, EventCode::ClaimedLate, dimensions)?;
    if let Some(item) = suspense::opened_by(draft.state, &business) {
        draft.emit(Event::Suspense(SuspenseEvent::Claimed(item)));
    }
    Ok(())
}

pub(super) fn apply_answered(top_up: &mut TopUp, status: RefundStatus) {
    if let Some(back) = &mut top_up.back {
        back.status = status;
    }
}
