//! The time of an order (订单有效期): until when it may be paid, and what becomes of it then.
//!
//! ```text
//!  CREATED │ PAYING, no try under way ─ its time is over ─► CLOSED
//!  PAYING, a try under way            ─ its time is over ─► closing ─┬ the channel says that nobody paid ─► CLOSED
//!                                                                    └ it succeeds ─► SUCCESS
//! ```
//! A try that began in time ends by its channel's word: what succeeds pays the order, an unknown card is waited for, a payer's page is
//! ended at its channel, a fund that waits for its batch waits no more, and a card that was to follow a fund is not asked any more.
//! A payment that is told of after the close goes to 2243 and back, as any late one.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use super::{Order, OrderStatus, change};
use crate::calendar::Date;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::OrderId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::{front_page, fund_batch};

#[cfg(test)]
mod tests;

/// The longest that an order may wait to be paid, in milliseconds: 31 days. Rent is asked for by the month, and a fund's batch of a
/// month takes no longer; an unpaid order stays in memory until it ends.
pub const MAX_LIFE_MS: i64 = 31 * 86_400_000;

/// Why an order was closed unpaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CloseReason {
    /// Somebody asked for it (关单).
    #[n(0)]
    Requested,
    /// Its time was over.
    #[n(1)]
    Expired,
    /// Nobody paid at the last try's page before that expired.
    #[n(2)]
    PageExpired,
}

impl CloseReason {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Expired => "expired",
            Self::PageExpired => "page_expired",
        }
    }
}

impl Order {
    /// Why it was closed; none of an order that is not.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        // With no try left and nobody closing it, an order ends with its last try: closed only if that was a page which expired.
        let reason = if self.expired {
            CloseReason::Expired
        } else if !self.closing && self.tries >= self.tries_allowed {
            CloseReason::PageExpired
        } else {
            CloseReason::Requested
        };
        (self.status == OrderStatus::Closed).then_some(reason)
    }
}

/// When an order that is not ended, nor being closed, expires.
pub(crate) fn timer(order: &Order) -> Option<((Time, Timer), ())> {
    let waits = matches!(order.status, OrderStatus::Created | OrderStatus::Paying) && !order.closing;
    order.expires_at.filter(|_| waits).map(|at| ((at, Timer::Order(order.id)), ()))
}

/// Refuses an end that has come already, or is too far away.
pub(super) fn check(expires_at: Option<Time>, now: Time) -> Result<(), Refusal> {
    let Some(at) = expires_at.filter(|at| *at <= now || *at > now.plus_ms(MAX_LIFE_MS)) else { return Ok(()) };
    let days = MAX_LIFE_MS / 86_400_000;
    let message = format!("{} is not after now, {}, and at most {days} days from it", time_text(at), time_text(now));
    Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", message))
}

/// Refuses a try of an order whose time is over.
pub(super) fn check_try(order: &Order, now: Time) -> Result<(), Refusal> {
    let unpaid = match order.status {
        OrderStatus::Created | OrderStatus::Paying => true,
        OrderStatus::Closed => order.expired,
        OrderStatus::Success | OrderStatus::Failed => false,
    };
    match order.expires_at.filter(|at| unpaid && now >= *at) {
        None => Ok(()),
        Some(at) => {
            let message = format!("{} could be paid until {}; create another order", order.id, time_text(at));
            Err(Refusal::new(RefusalCode::OrderExpired, "order", message))
        }
    }
}

/// A moment in Shanghai by RFC 3339, to the second.
fn time_text(time: Time) -> String {
    let date = Date::in_shanghai(time);
    let seconds = time.0.saturating_sub(date.starts_at().0) / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{date}T{hours:02}:{minutes:02}:{:02}+08:00", seconds % 60)
}

/// Its time is over: it is closed at once, or once its channels have said what became of the try under way.
///
/// # Errors
/// Those of the try's next step.
pub(crate) fn expire(draft: &mut Draft<'_>, id: OrderId) -> Result<(), Refusal> {
    draft.emit(Event::OrderExpired(id));
    if !draft.state.order(id)?.trying {
        draft.emit(Event::OrderClosed(id));
        return Ok(());
    }
    front_page::withdraw(draft, id)?;
    fund_batch::withdraw(draft, id)
}

pub(crate) fn apply_expired(state: &mut State, id: OrderId) {
    change(state, id, |order| {
        order.expired = true;
        order.closing = true;
    });
}

pub(crate) fn apply_created(state: &mut State, order: &Order) {
    if let Some((key, ())) = timer(order) {
        state.timers.insert(key, ());
    }
    state.orders.insert(order.id.0, order.clone());
}
