//! Front pages (前台页面): the form that takes the payer's browser to the channel's own page (网关支付), where the payer pays.
//!
//! ```text
//!  PayOrder by a redirect ─► REQUESTED ─ HandOutPage ─► UNKNOWN: maybe sent ─ notification │ query ─► SETTLED
//!                                │                        (the same page again, until it expires or the order is being closed)
//!                                └─ nobody fetched it in time, or the order is closed ─► SETTLED: not found
//! ```
//! A top-up goes the same way, from its creation by a page on (网银充值). The platform sends nothing: whoever has the form may post
//! it. So the form goes out only once `PageHandedOut` is durable, and from then on the attempt is maybe sent. One that is still
//! REQUESTED cannot have been paid: it ends by itself.
//!
//! Invariants:
//! - What becomes of a page that was handed out is said by the channel alone: its signed notification, or its answer to a
//!   query. The browser's coming back settles nothing.
//! - The page leads to one site of its channel, which the platform chose at the first time: a payer who reloads meets what he
//!   had begun.
//! - A page is handed out before it expires and while nobody closes what it pays; the channel refuses it later by the same time.

use alloc::format;
use alloc::string::String;

use crate::attempt::{self, Attempt, AttemptStatus, Operation, Outcome};
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AttemptId, OrderId, TopUpId};
use crate::leg::{Leg, LegStatus};
use crate::money::{Currency, Minor};
use crate::order::Order;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::top_up::{self, TopUpEvent};

#[cfg(test)]
mod tests;

/// How long a payer may take, from the request to the last click on the channel's page.
pub const PAGE_MS: i64 = 15 * 60 * 1_000;
/// The longest address that a browser is sent back to, in bytes: what UnionPay's frontUrl takes.
pub const RETURN_URL_MAX: usize = 256;

/// What a payer pays at a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOf {
    /// An order, by its try.
    Order(OrderId),
    /// A top-up.
    TopUp(TopUpId),
}

/// Hands out the page of an order's try or of a top-up, the first time and again: a page that somebody has leads where it led, whatever
/// `site` is.
///
/// # Errors
/// `order_unknown`, `top_up_unknown`; `order_state`, `top_up_state` if no page waits for its payer, it has expired, what it pays is
/// being closed, or `site` is of another channel than the page of the try that was made meanwhile.
pub fn decide_hand_out(
    draft: &mut Draft<'_>,
    of: PageOf,
    site: Option<(ChannelName, String)>,
) -> Result<Reply, Refusal> {
    let now = draft.context.now;
    let (page, moved) = match of {
        PageOf::Order(id) => {
            let (leg, page) = can_hand_out(draft.state, draft.state.order(id)?, now)?;
            (page, Event::LegMoved(Leg { status: LegStatus::Unknown, ..leg.clone() }))
        }
        PageOf::TopUp(id) => {
            let page = top_up::can_hand_out(draft.state, draft.state.top_up(id)?, now)?;
            (page, Event::TopUp(TopUpEvent::Unknown(id)))
        }
    };
    let (attempt, is_first, channel) = (page.id, page.status == AttemptStatus::Requested, page.channel_name());
    if is_first {
        let site = site.map(|site| of_channel(of, &channel, site)).transpose()?;
        draft.emit(Event::PageHandedOut { attempt, site });
        draft.emit(moved);
    }
    Ok(Reply::Attempt(attempt))
}

/// The name of a site that was chosen among those of the page's channel.
fn of_channel(of: PageOf, channel: &ChannelName, (chosen, site): (ChannelName, String)) -> Result<String, Refusal> {
    if chosen == *channel {
        return Ok(site);
    }
    let (code, param) = match of {
        PageOf::Order(_) => (RefusalCode::OrderState, "order"),
        PageOf::TopUp(_) => (RefusalCode::TopUpState, "top_up"),
    };
    let message = format!("the page is one of {channel} now, not of {chosen}; fetch it again");
    Err(Refusal::new(code, param, message))
}

/// Whether the order has a page to hand out, and for which leg and attempt.
pub(crate) fn can_hand_out<'s>(
    state: &'s State,
    order: &'s Order,
    now: Time,
) -> Result<(&'s Leg, &'s Attempt), Refusal> {
    let id = order.id;
    let refuse = |message| Err(Refusal::new(RefusalCode::OrderState, "order", message));
    let Some((leg, attempt)) = open_page(state, order) else {
        return refuse(format!(
            "{id} is {} and no page waits for its payer; pay it by a redirect",
            order.status.name()
        ));
    };
    if order.closing {
        return refuse(format!("{id} is being closed; its page is not handed out any more"));
    }
    if now >= attempt.send_before {
        return refuse(format!("the page of {id} has expired; wait for the try to end and pay again"));
    }
    Ok((leg, attempt))
}

/// The leg and attempt of the order that wait for the payer at a page, if there are such.
pub(crate) fn open_page<'s>(state: &'s State, order: &'s Order) -> Option<(&'s Leg, &'s Attempt)> {
    let leg = state.legs_of(order, order.tries).find(|leg| leg.open.is_some() && leg.instrument.is_redirect())?;
    let attempt = state.attempts.get(leg.open?.0)?;
    // Its leg may wait for another step: the money being given back.
    matches!(attempt.operation, Operation::Redirect { .. }).then_some((leg, attempt))
}

/// The order is being closed: a page that nobody has cannot be paid any more.
pub(crate) fn withdraw(draft: &mut Draft<'_>, id: OrderId) -> Result<(), Refusal> {
    let order = draft.state.order(id)?;
    let unseen = open_page(draft.state, order).filter(|(_, page)| page.status == AttemptStatus::Requested);
    match unseen.map(|(_, page)| page.id) {
        Some(page) => attempt::decide_answer(draft, page, &Outcome::NotFound).map(|_| ()),
        None => Ok(()),
    }
}

/// Nobody fetched the page in time, or it is wanted no more: nothing can have been paid there.
///
/// # Errors
/// Those of the try's next step.
pub(crate) fn expire(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    attempt::decide_answer(draft, id, &Outcome::NotFound).map(|_| ())
}

/// The address that a payer's browser may be sent back to.
pub(crate) fn check_return_url(url: &str) -> Result<(), Refusal> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let fits = rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    if fits && url.len() <= RETURN_URL_MAX {
        return Ok(());
    }
    let message = format!("use http:// or https:// and at most {RETURN_URL_MAX} visible ASCII characters");
    Err(Refusal::new(RefusalCode::ValueInvalid, "return_url", message))
}

/// What a leg asks of the channel now: the page ends where the payer's time does, and no later than its order.
pub(crate) fn operation(
    amount: Minor,
    currency: Currency,
    return_url: Option<String>,
    now: Time,
    order_ends: Option<Time>,
) -> Operation {
    let page_ends = now.plus_ms(PAGE_MS);
    let expires_at = order_ends.map_or(page_ends, |order_ends| order_ends.min(page_ends));
    Operation::Redirect { amount, currency, expires_at, return_url }
}

/// When a page that nobody has fetched yet expires.
pub(crate) fn timer(attempt: &Attempt) -> Option<((Time, Timer), ())> {
    let unseen = attempt.status == AttemptStatus::Requested && matches!(attempt.operation, Operation::Redirect { .. });
    unseen.then_some(((attempt.send_before, Timer::FrontPage(attempt.id)), ()))
}

pub(crate) fn apply_handed_out(state: &mut State, id: AttemptId, site: &Option<String>) {
    let attempt = state.attempts.get_mut(id.0).expect("decide checked the attempt");
    let timer = timer(attempt);
    attempt.status = AttemptStatus::Unknown;
    attempt.page_site.clone_from(site);
    if let Some((key, ())) = timer {
        state.timers.remove(&key);
    }
}

impl State {
    /// The attempt whose page the payer of an order or of a top-up is to be given now.
    ///
    /// # Errors
    /// As [`decide_hand_out`].
    pub fn page_of(&self, of: PageOf) -> Result<&Attempt, Refusal> {
        match of {
            PageOf::Order(id) => can_hand_out(self, self.order(id)?, self.now).map(|(_, attempt)| attempt),
            PageOf::TopUp(id) => top_up::can_hand_out(self, self.top_up(id)?, self.now),
        }
    }
}
