//! The tick: the engine says what time it is and what fell due happens, so many at a time.

use alloc::vec::Vec;

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::order::expiry;
use crate::refusal::Refusal;
use crate::state::Timer;
use crate::{approval, freeze, front_page, hold, sign_up, tree, withdrawal};

/// The most timers that one tick carries out; the next tick takes the rest.
pub const MAX_PER_TICK: usize = 1_000;

/// Carries out what fell due.
///
/// # Errors
/// `amount_overflow` of a try of an automatic withdrawal, beyond 64-bit minor units; those of what follows an order that expired, or
/// a page that nobody fetched.
pub fn decide_tick(draft: &mut Draft<'_>) -> Result<Reply, Refusal> {
    let now = draft.context.now;
    let due: Vec<(Time, Timer)> = draft
        .state
        .timers
        .iter()
        .take_while(|((at, _), ())| *at <= now)
        .take(MAX_PER_TICK)
        .map(|(key, ())| *key)
        .collect();
    let mut swept = 0_usize;
    for key in due {
        // What fell due before it may have ended it: an order its page.
        if draft.state.timers.get(&key).is_none() {
            continue;
        }
        match key.1 {
            Timer::Order(id) => expiry::expire(draft, id)?,
            Timer::Hold(id) => hold::expire(draft, id),
            Timer::Freeze(id) => freeze::expire(draft, id),
            Timer::Withdrawal(id) => withdrawal::retry(draft, id)?,
            // A run posts a voucher a child: what is too much for this tick is due still and the next one takes it.
            Timer::TreeRules(_) if swept >= MAX_PER_TICK => {}
            Timer::TreeRules(parent) => swept = swept.saturating_add(tree::run_due(draft, parent)),
            Timer::Approval(id) => approval::expire(draft, id),
            Timer::FrontPage(id) => front_page::expire(draft, id)?,
            Timer::SignUp(id) => sign_up::expire(draft, id),
        }
    }
    Ok(Reply::Done)
}

/// Carries out what fell due and writes down the time. A tick with nothing due leaves nothing in the journal; a clock that
/// was moved by hand has to be where it was after a restart.
///
/// # Errors
/// None yet.
pub fn decide_mark_time(draft: &mut Draft<'_>) -> Result<Reply, Refusal> {
    draft.emit(Event::TimeMarked);
    decide_tick(draft)
}
