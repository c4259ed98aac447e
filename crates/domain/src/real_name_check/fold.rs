//! What events make of a real-name check, and by what it is found.

use super::{RealNameCheck, RealNameCheckEvent, RealNameCheckStatus};
use crate::ids::{CustomerId, RealNameCheckId};
use crate::rates::channel;
use crate::state::State;

/// Its place in the index of those without an answer.
pub(crate) fn open_key(row: &RealNameCheck) -> Option<((CustomerId, RealNameCheckId), ())> {
    row.status.is_open().then_some(((row.customer, row.id), ()))
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &RealNameCheckEvent) {
    let now = state.now;
    match event {
        RealNameCheckEvent::Requested(row) => {
            state.real_name_checks.insert(row.id.0, (**row).clone());
            state.open_real_name_checks.insert((row.customer, row.id), ());
        }
        RealNameCheckEvent::Unknown(id) => change(state, *id, |row| row.status = RealNameCheckStatus::Unknown),
        RealNameCheckEvent::Ended { check, status, failure } => {
            change(state, *check, |row| {
                row.status = *status;
                row.failure.clone_from(failure);
                row.ended_at = Some(now);
            });
            channel::note_check(state, *check);
        }
        RealNameCheckEvent::Verified { customer, verification } => {
            let row = state.customers.get_mut(customer.0).expect("decide checked the customer");
            row.verification = Some(*verification);
        }
    }
}

/// Changes a row and what is found by it.
fn change(state: &mut State, id: RealNameCheckId, change: impl FnOnce(&mut RealNameCheck)) {
    let row = state.real_name_checks.get_mut(id.0).expect("decide checked the real-name check");
    change(row);
    let key = (row.customer, row.id);
    if !row.status.is_open() {
        state.open_real_name_checks.remove(&key);
    }
}
