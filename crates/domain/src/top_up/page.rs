//! A top-up at the channel's page: who may still have it, and giving it up.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{TopUp, TopUpEvent, TopUpPage, TopUpStatus};
use crate::attempt::{Attempt, AttemptStatus};
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::front_page;
use crate::ids::TopUpId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

impl TopUp {
    /// When its page ends, while that waits for its payer.
    #[must_use]
    pub fn page_ends(&self, state: &State) -> Option<Time> {
        open(state, self).ok().map(|page| page.send_before)
    }

    /// What may be done with it now, by the guards that `decide` asks.
    #[must_use]
    pub fn allowed_actions(&self, state: &State) -> Vec<&'static str> {
        let guards =
            [("front_page", can_hand_out(state, self, state.now).is_ok()), ("close", can_close(state, self).is_ok())];
        guards.into_iter().filter(|(_, may)| *may).map(|(action, _)| action).collect()
    }
}

fn refuse<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::new(RefusalCode::TopUpState, "top_up", message))
}

/// The attempt that waits for the payer at a page.
fn open<'s>(state: &'s State, top_up: &TopUp) -> Result<&'s Attempt, Refusal> {
    let waits = match top_up.status {
        TopUpStatus::Created | TopUpStatus::Sent | TopUpStatus::Unknown => top_up.page.is_some(),
        TopUpStatus::Success | TopUpStatus::Failed => false,
    };
    let page = top_up.attempt.filter(|_| waits).and_then(|id| state.attempts.get(id.0));
    match page {
        Some(page) => Ok(page),
        None => refuse(format!("{} is {} and no page waits for its payer", top_up.id, top_up.status.name())),
    }
}

/// Whether the top-up has a page to hand out: its attempt.
///
/// # Errors
/// `top_up_state`.
pub(crate) fn can_hand_out<'s>(state: &'s State, top_up: &TopUp, now: Time) -> Result<&'s Attempt, Refusal> {
    let page = open(state, top_up)?;
    if top_up.is_closing() {
        return refuse(format!("{} is being closed; its page is not handed out any more", top_up.id));
    }
    if now >= page.send_before {
        return refuse(format!("the page of {} has expired; ask for another top-up", top_up.id));
    }
    Ok(page)
}

/// Whether the top-up can be given up: the attempt of its page.
fn can_close<'s>(state: &'s State, top_up: &TopUp) -> Result<&'s Attempt, Refusal> {
    let page = open(state, top_up)?;
    if top_up.is_closing() {
        return refuse(format!("{} is being closed; wait for the channel to say that nobody paid", top_up.id));
    }
    Ok(page)
}

/// Gives a top-up up: at once if nobody has its page, else once the channel has said that nobody paid.
///
/// # Errors
/// `top_up_unknown`; `top_up_state` if no page waits for its payer, or it is being closed.
pub(super) fn close(draft: &mut Draft<'_>, id: TopUpId) -> Result<Reply, Refusal> {
    let page = can_close(draft.state, draft.state.top_up(id)?)?;
    let unseen = (page.status == AttemptStatus::Requested).then_some(page.id);
    draft.emit(Event::TopUp(TopUpEvent::Closing(id)));
    if let Some(page) = unseen {
        front_page::expire(draft, page)?;
    }
    Ok(Reply::TopUp(id))
}

/// The channel has said what became of it.
pub(super) const fn ended(top_up: &mut TopUp) {
    if top_up.page.is_some() {
        top_up.page = Some(TopUpPage { closing: false });
    }
}
