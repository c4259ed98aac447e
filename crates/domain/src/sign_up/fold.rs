//! What events make of a signing, and by what it is found.

use alloc::string::String;

use super::{SignUp, SignUpEvent, SignUpStatus};
use crate::attempt::{FailureClass, Rail};
use crate::envelope::Time;
use crate::ids::{CustomerId, SignUpId};
use crate::rates::channel::{self, TryEnd};
use crate::state::{State, Timer};

/// Network, agreement's number, the word of the channel, signing.
pub(crate) type AgreementPlace = (Rail, String, Option<String>, SignUpId);

/// Its place in the index of those that wait or are signed.
pub(crate) fn customer_key(row: &SignUp) -> Option<((CustomerId, SignUpId), ())> {
    (row.status.waits() || row.status == SignUpStatus::Signed).then_some(((row.customer, row.id), ()))
}

/// Its place in the index of agreements.
pub(crate) fn agreement_key(row: &SignUp) -> Option<(AgreementPlace, ())> {
    Some(((row.rail, row.agreement.clone()?, row.channel.clone(), row.id), ()))
}

/// Its place in the index of those whose channel has not answered.
pub(crate) fn asked_key(row: &SignUp) -> Option<(SignUpId, ())> {
    match row.status {
        SignUpStatus::Requested | SignUpStatus::Confirming => Some((row.id, ())),
        SignUpStatus::CodeSent
        | SignUpStatus::Signed
        | SignUpStatus::Failed
        | SignUpStatus::Expired
        | SignUpStatus::Cancelled => None,
    }
}

/// How it counts as a try at its channel, once it has ended. What time or a caller ended is the holder's, who brought no code; but a
/// system's where the channel never said anything.
pub(crate) fn end(row: &SignUp) -> Option<TryEnd> {
    match row.status {
        SignUpStatus::Requested | SignUpStatus::CodeSent | SignUpStatus::Confirming => None,
        SignUpStatus::Signed => Some(TryEnd::Success),
        SignUpStatus::Failed => row.failure.as_ref().map(|failure| TryEnd::Failure(failure.class)),
        // It was signed before, or the bank's answer came after.
        SignUpStatus::Cancelled if row.agreement.is_some() => Some(TryEnd::Success),
        SignUpStatus::Expired | SignUpStatus::Cancelled => {
            let heard = row.verdict.is_some() || row.failure.is_some();
            Some(TryEnd::Failure(if heard { FailureClass::User } else { FailureClass::System }))
        }
    }
}

/// When time ends it: never while a code is under way.
pub(crate) fn timer(row: &SignUp) -> Option<((Time, Timer), ())> {
    match row.status {
        SignUpStatus::Requested | SignUpStatus::CodeSent => Some(((row.expires_at, Timer::SignUp(row.id)), ())),
        SignUpStatus::Confirming
        | SignUpStatus::Signed
        | SignUpStatus::Failed
        | SignUpStatus::Expired
        | SignUpStatus::Cancelled => None,
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &SignUpEvent) {
    let now = state.now;
    match event {
        SignUpEvent::Requested(row) => {
            state.sign_ups.insert(row.id.0, (**row).clone());
            state.timers.insert((row.expires_at, Timer::SignUp(row.id)), ());
            state.customer_sign_ups.insert((row.customer, row.id), ());
            state.asked_sign_ups.insert(row.id, ());
        }
        SignUpEvent::CodeSent { sign_up, verdict } => change(state, *sign_up, |row| {
            row.status = SignUpStatus::CodeSent;
            row.verdict = Some(verdict.clone());
        }),
        SignUpEvent::Refused { sign_up, failure, verdict } => change(state, *sign_up, |row| {
            row.status = SignUpStatus::Failed;
            row.failure = Some(failure.clone());
            row.verdict.clone_from(verdict);
            row.ended_at = Some(now);
        }),
        SignUpEvent::CodeBrought(id) => change(state, *id, |row| {
            row.status = SignUpStatus::Confirming;
            row.codes = row.codes.saturating_add(1);
        }),
        SignUpEvent::CodeRefused { sign_up, failure, wrong_codes, status } => change(state, *sign_up, |row| {
            row.status = *status;
            row.failure = Some(failure.clone());
            row.wrong_codes = *wrong_codes;
            row.ended_at = (*status == SignUpStatus::Failed).then_some(now);
        }),
        SignUpEvent::Signed { sign_up, agreement, status } => change(state, *sign_up, |row| {
            row.agreement = Some(agreement.clone());
            row.signed_at = Some(now);
            if *status == SignUpStatus::Signed {
                (row.failure, row.ended_at) = (None, None);
            }
            row.status = *status;
        }),
        SignUpEvent::Expired(id) => change(state, *id, |row| {
            row.status = SignUpStatus::Expired;
            row.ended_at = Some(now);
        }),
        SignUpEvent::Cancelled(id) => change(state, *id, |row| {
            row.status = SignUpStatus::Cancelled;
            row.ended_at = Some(now);
        }),
    }
}

/// Changes a row and what is found by it, and notes how its try ended.
fn change(state: &mut State, id: SignUpId, change: impl FnOnce(&mut SignUp)) {
    let row = state.sign_ups.get_mut(id.0).expect("decide checked the signing");
    let (timer_before, customer_before, end_before) = (timer(row), customer_key(row), end(row));
    change(row);
    let (timer_after, customer_after, agreement) = (timer(row), customer_key(row), agreement_key(row));
    match asked_key(row) {
        Some((key, ())) => state.asked_sign_ups.insert(key, ()),
        None => state.asked_sign_ups.remove(&id),
    }
    if let Some((key, ())) = timer_before {
        state.timers.remove(&key);
    }
    if let Some((key, ())) = timer_after {
        state.timers.insert(key, ());
    }
    if let Some((key, ())) = customer_before {
        state.customer_sign_ups.remove(&key);
    }
    if let Some((key, ())) = customer_after {
        state.customer_sign_ups.insert(key, ());
    }
    if let Some((key, ())) = agreement {
        state.sign_up_agreements.insert(key, ());
    }
    channel::note_sign_up(state, id, end_before);
}
