//! An undo, a reversal or a release that its channel refused, asked for again because a person wants it: a new attempt under a
//! serial of its own. If that is refused too, the leg needs a person as before.

use alloc::format;

use super::{give_back, release, undo_card};
use crate::attempt::{Attempt, Operation};
use crate::draft::Draft;
use crate::leg::{Leg, LegStatus};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

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

/// Whether a success of an attempt would give back what went back before, or was settled by hand. A line of a clearing file that says so
/// is a difference, and the file's other lines are taken.
pub(crate) fn gives_twice(state: &State, attempt: &Attempt) -> bool {
    let gives = matches!(attempt.operation, Operation::Refund { .. });
    let leg = attempt.purpose.leg().filter(|_| gives).and_then(|leg| state.legs.get(leg.0));
    leg.is_some_and(|leg| leg.open != Some(attempt.id) && is_over(leg))
}

/// Whether the leg's money went back, or two people settled it by hand.
fn is_over(leg: &Leg) -> bool {
    leg.status == LegStatus::Reversed || leg.settled_by.is_some()
}

/// What went back once, or was settled by hand, does not go back again on these books: the channel did it, and a person must see.
pub(super) fn refuse_twice(leg: &Leg, attempt: &Attempt) -> Result<(), Refusal> {
    if !is_over(leg) {
        return Ok(());
    }
    let message = format!("{} gave {} back, which went back or was settled by hand before", attempt.id, leg.id);
    Err(Refusal::new(RefusalCode::LegState, "leg", message))
}
