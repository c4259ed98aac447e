//! Pay passwords (支付密码): six digits by which a user proves that it pays from its balance or by its agreements.
//!
//! ```text
//!  (none) ─ set ─► SET ─ try, wrong, five in all ─► LOCKED ─ 24 hours, or reset ─► SET
//!                   └─ change (the old one), reset (a fresh real-name check, or the institution) ─► SET
//! ```
//! The password is never here: what is kept is the tag of it under a key that does not leave the key service, sealed for the customer,
//! so that erasing the customer erases it. A try is counted before it is compared, and a match takes the count back: whoever asks many
//! times at once has five tries all the same, and a node that dies in between has counted.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{SignUpId, UserId};
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::sign_up::SignUpStatus;
use crate::state::State;

#[cfg(test)]
mod tests;

/// How many tries there are before it is locked.
pub const MAX_TRIES: u32 = 5;
/// For how long it is locked.
pub const LOCK_MS: i64 = 24 * 3_600_000;
/// How old a real-name check may be that resets it.
pub const FRESH_MS: i64 = 15 * 60_000;

/// A user's pay password.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PayPassword {
    /// Whose.
    #[n(0)]
    pub id: UserId,
    /// Salt and tag, sealed for the customer.
    #[n(1)]
    pub verifier: Sealed,
    /// Whether payments by agreement ask for it too; payments from the balance always do.
    #[n(2)]
    pub agreements: bool,
    /// When it was set, changed or reset.
    #[n(3)]
    pub set_at: Time,
    /// How often it was set, changed or reset.
    #[n(4)]
    pub version: u32,
    /// Tries since the last match.
    #[n(5)]
    pub tries: u32,
    /// When the last of them was made.
    #[n(6)]
    pub tried_at: Option<Time>,
}

impl PayPassword {
    /// Until when no try is taken, if that is not over.
    #[must_use]
    pub fn locked_until(&self, now: Time) -> Option<Time> {
        let until = self.tried_at.filter(|_| self.tries >= MAX_TRIES)?.plus_ms(LOCK_MS);
        (now < until).then_some(until)
    }

    /// How many tries are left.
    #[must_use]
    pub fn tries_left(&self, now: Time) -> u32 {
        match self.locked_until(now) {
            Some(_) => 0,
            None if self.tries >= MAX_TRIES => MAX_TRIES,
            None => MAX_TRIES.saturating_sub(self.tries),
        }
    }
}

/// How a password comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// There is none yet.
    First,
    /// The old one was brought, and matched.
    Old,
    /// The bank compared name, certificate, card and phone just now, and the phone had the code.
    SignUp(SignUpId),
    /// The institution vouches for the user.
    Institution,
}

/// What is wanted of a pay password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayPasswordCommand {
    /// Keep one.
    Set {
        /// Whose.
        user: UserId,
        /// As [`PayPassword::verifier`].
        verifier: Sealed,
        /// As [`PayPassword::agreements`]; as it is unless said.
        agreements: Option<bool>,
        /// How it came to be.
        by: SetBy,
    },
    /// One is about to be compared.
    Try(UserId),
    /// It was the right one.
    Match {
        /// Whose.
        user: UserId,
        /// Of which version.
        version: u32,
    },
    /// Nothing: asked under the key of a request, it has the first answer of that request if there was one, and binds nothing otherwise.
    Again(UserId),
}

/// What happened to a pay password.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PayPasswordEvent {
    /// It was set, changed or reset.
    #[n(0)]
    Set(#[n(0)] PayPassword),
    /// A try was taken.
    #[n(1)]
    Tried {
        /// Whose.
        #[n(0)]
        user: UserId,
        /// Tries by now.
        #[n(1)]
        tries: u32,
    },
    /// The right one was brought.
    #[n(2)]
    Matched(#[n(0)] UserId),
}

/// Sets or tries a pay password.
///
/// # Errors
/// Set: `user_unknown`; `pay_password_state` where there is one already, or none to change; `sign_up_unknown`, and
/// `pay_password_proof` for a real-name check that is another customer's, not signed, too old or used. Else `pay_password_unknown`,
/// `pay_password_locked`; `pay_password_state` for a match of a version before.
pub fn decide(draft: &mut Draft<'_>, command: PayPasswordCommand) -> Result<Reply, Refusal> {
    let now = draft.context.now;
    let (user, event) = match command {
        PayPasswordCommand::Set { user, verifier, agreements, by } => {
            (user, PayPasswordEvent::Set(set(draft.state, now, user, verifier, agreements, by)?))
        }
        PayPasswordCommand::Try(user) => {
            let row = draft.state.pay_password(user)?;
            if row.locked_until(now).is_some() {
                let message = format!("{MAX_TRIES} tries were wrong; wait a day, or reset it by a real-name check");
                return Err(Refusal::new(RefusalCode::PayPasswordLocked, "pay_password", message));
            }
            let before = if row.tries >= MAX_TRIES { 0 } else { row.tries };
            (user, PayPasswordEvent::Tried { user, tries: before.saturating_add(1) })
        }
        PayPasswordCommand::Match { user, version } => {
            let row = draft.state.pay_password(user)?;
            if row.version != version {
                return Err(state("it was set anew meanwhile; bring the new one"));
            }
            (user, PayPasswordEvent::Matched(user))
        }
        // A refusal would bind the key.
        PayPasswordCommand::Again(user) => return Ok(Reply::PayPassword(user)),
    };
    draft.emit(Event::PayPassword(event));
    Ok(Reply::PayPassword(user))
}

fn set(
    of: &State,
    now: Time,
    user: UserId,
    verifier: Sealed,
    agreements: Option<bool>,
    by: SetBy,
) -> Result<PayPassword, Refusal> {
    let customer = of.user(user)?.customer;
    let before = of.pay_passwords.get(user.0);
    match (by, before) {
        (SetBy::First, None) | (SetBy::Old | SetBy::Institution, Some(_)) => {}
        (SetBy::First, Some(_)) => return Err(state("there is one already; change it, or reset it")),
        (SetBy::Old | SetBy::SignUp(_) | SetBy::Institution, None) => return Err(state("there is none yet; set it")),
        (SetBy::SignUp(id), Some(before)) => {
            let row = of.sign_up(id)?;
            let signed = row.signed_at.filter(|_| row.status == SignUpStatus::Signed && row.customer == customer);
            let fresh = signed.is_some_and(|at| now < at.plus_ms(FRESH_MS) && at > before.set_at);
            if !fresh {
                let message = format!(
                    "{id} is no agreement that this customer signed within fifteen minutes, and since the password was last set"
                );
                return Err(Refusal::new(RefusalCode::PayPasswordProof, "sign_up", message));
            }
        }
    }
    Ok(PayPassword {
        id: user,
        verifier,
        agreements: agreements.unwrap_or_else(|| before.is_some_and(|before| before.agreements)),
        set_at: now,
        version: before.map_or(1, |before| before.version.saturating_add(1)),
        tries: 0,
        tried_at: None,
    })
}

fn state(why: &str) -> Refusal {
    Refusal::new(RefusalCode::PayPasswordState, "pay_password", String::from(why))
}

impl State {
    /// The pay password of a user.
    ///
    /// # Errors
    /// `pay_password_unknown`.
    pub fn pay_password(&self, user: UserId) -> Result<&PayPassword, Refusal> {
        let unknown = || {
            let message = format!("{user} has no pay password; set one first");
            Refusal::new(RefusalCode::PayPasswordUnknown, "pay_password", message)
        };
        self.pay_passwords.get(user.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &PayPasswordEvent) {
    let now = state.now;
    let row = |state: &mut State, user: UserId, change: &dyn Fn(&mut PayPassword)| {
        change(state.pay_passwords.get_mut(user.0).expect("decide checked the password"));
    };
    match event {
        PayPasswordEvent::Set(password) => state.pay_passwords.insert(password.id.0, password.clone()),
        PayPasswordEvent::Tried { user, tries } => row(state, *user, &|row| {
            row.tries = *tries;
            row.tried_at = Some(now);
        }),
        PayPasswordEvent::Matched(user) => row(state, *user, &|row| row.tries = 0),
    }
}
