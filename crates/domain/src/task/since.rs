//! Since when a task waits for a person, by what the books keep anyway.
//!
//! | task | since |
//! |---|---|
//! | a leg | its order failed, which is when its channel said no; a retry that is refused too begins nothing anew |
//! | a refund on 2243 | it failed |
//! | an item of suspense on 2243 | people allocated what lies there; of several times the first that still lies there |
//! | what a bank owes (a claim) | its order, refund, payout or advance ended, or its item was opened |
//!
//! When a bank carried out what it had refused is kept nowhere but in the journal. So a claim's time is that of the refusal, or of the
//! order's end, which is before it: a claim looks older than it is. Younger look only a payout that its bank sent back since, and a leg
//! whose order went on, and ended later.

use super::TaskOf;
use crate::advance::Advance;
use crate::book::Subject;
use crate::envelope::Time;
use crate::leg::Leg;
use crate::money::Minor;
use crate::payout::Payout;
use crate::refund::Refund;
use crate::state::State;
use crate::suspense::SuspenseItem;

/// Since when a task waits; none if it waits for nobody, or is not there.
#[must_use]
pub fn waits_since(state: &State, task: TaskOf) -> Option<Time> {
    match task {
        TaskOf::Leg(id) => since_of_leg(state, state.legs.get(id.0)?),
        TaskOf::Refund(id) => since_of_refund(state.refunds.get(id.0)?),
        TaskOf::Payout(id) => since_of_payout(state.payouts.get(id.0)?),
        TaskOf::Suspense(id) => since_of_suspense(state, state.suspense_items.get(id.0)?),
        TaskOf::Advance(id) => since_of_advance(state.advances.get(id.0)?),
    }
}

/// Since when a leg waits; of an order that goes on, since its last try.
#[must_use]
pub fn since_of_leg(state: &State, leg: &Leg) -> Option<Time> {
    if !leg.needs_person {
        return None;
    }
    let order = state.orders.get(leg.order.0)?;
    order.ended_at.or(order.tried_at)
}

/// Since when a refund waits.
#[must_use]
pub fn since_of_refund(refund: &Refund) -> Option<Time> {
    refund.ended_at.filter(|_| refund.needs_person())
}

/// Since when a payout waits.
#[must_use]
pub fn since_of_payout(payout: &Payout) -> Option<Time> {
    payout.ended_at.filter(|_| payout.needs_person())
}

/// Since when an advance waits: it failed then, and its bank paid it some time after.
#[must_use]
pub fn since_of_advance(advance: &Advance) -> Option<Time> {
    advance.ended_at.filter(|_| advance.needs_person())
}

/// Since when an item of suspense waits: what lies on 2243 of it is what was allocated there last.
#[must_use]
pub fn since_of_suspense(state: &State, item: &SuspenseItem) -> Option<Time> {
    if !item.needs_person() {
        return None;
    }
    let Some(due) = item.due else { return Some(item.opened_at) };
    let account = state.institution(Subject::RefundDue, item.currency).ok()?;
    let (mut found, mut since): (Minor, _) = (0, None);
    for allocation in item.allocations.iter().rev().filter(|allocation| allocation.to == account) {
        if found >= due {
            break;
        }
        found = found.saturating_add(allocation.amount);
        since = Some(allocation.at);
    }
    since
}
