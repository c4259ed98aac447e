//! An undo, a reversal or a release that its channel refused, asked for again because a person wants it: a new attempt under a
//! serial of its own. If that is refused too, the leg needs a person as before. What comes through a second time is claimed back.

use super::{give_back, move_leg, release, undo_card};
use crate::attempt::{Attempt, Operation};
use crate::calendar::Date;
use crate::draft::Draft;
use crate::leg::{Leg, LegStatus};
use crate::order::Order;
use crate::refusal::Refusal;
use crate::task::claim;
use crate::voucher::EventCode;

/// Whether the channel of a leg that needs a person can be asked again: the earlier attempt is final, and what is asked is known.
pub(crate) fn is_possible(leg: &Leg) -> bool {
    let known = match leg.status {
        // Held at a centre that did not release it.
        LegStatus::Failed => leg.held_by.is_some(),
        // What the centre paid to a landlord it does not take back.
        LegStatus::Captured => leg.captured_by.is_some() && !leg.instrument.pays_directly(),
        LegStatus::Created
        | LegStatus::Sent
        | LegStatus::Held
        | LegStatus::Unknown
        | LegStatus::Released
        | LegStatus::Reversed => false,
    };
    known && leg.needs_person && leg.open.is_none()
}

/// Asks the channel of a leg again for what it refused.
pub(crate) fn ask(draft: &mut Draft<'_>, leg: &Leg) -> Result<(), Refusal> {
    let leg = Leg { needs_person: false, ..leg.clone() };
    if leg.status == LegStatus::Failed {
        release(draft, &leg);
    } else if leg.instrument.is_fund() {
        give_back(draft, &leg);
    } else {
        let order = draft.state.order(leg.order)?.clone();
        undo_card(draft, &order, &leg)?;
    }
    Ok(())
}

/// Whether an answer that brings nothing is of an attempt that the leg waits for no more: an earlier one was carried out after all,
/// or the leg was settled by hand.
pub(super) fn is_superseded(leg: &Leg, attempt: &Attempt) -> bool {
    let undoes = matches!(attempt.operation, Operation::Refund { .. } | Operation::FundRelease { .. });
    undoes && leg.open != Some(attempt.id)
}

/// Whether the leg's money went back, or two people settled it by hand: what a channel gives back of it now, it gives a second time.
pub(super) fn is_over(leg: &Leg) -> bool {
    leg.status == LegStatus::Reversed || leg.settled_by.is_some()
}

/// A channel gave back what went back, or was settled by hand, before. The money left, and is claimed from the bank that carried out
/// what it had refused: Dr 1131 / Cr the rail. The claim is a task for a person.
pub(super) fn gave_twice(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    let dimensions = order.dimensions(Some(attempt.rail), Some(clearing_date));
    claim::post(draft, attempt, EventCode::LegReversedTwice, dimensions)?;
    let owes = if leg.status == LegStatus::Reversed && leg.needs_person { leg.waiting() } else { 0 };
    let claimed = owes.saturating_add(attempt.operation.money().0);
    move_leg(draft, leg, LegStatus::Reversed, |leg| (leg.needs_person, leg.claimed) = (true, claimed));
    Ok(())
}
