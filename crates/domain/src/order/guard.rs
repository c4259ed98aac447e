//! What may be done with an order now: `decide` and `allowed_actions` ask the same guards.

use alloc::format;

use super::{Order, OrderStatus, expiry};
use crate::envelope::Time;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::{front_page, fund_batch};

fn wrong_state(order: &Order, wanted: &str) -> Refusal {
    Refusal::new(RefusalCode::OrderState, "order", format!("{} is {}; {wanted}", order.id, order.status.name()))
}

/// Whether nothing of the order is on its way at a channel.
fn is_quiet(state: &State, order: &Order) -> Result<(), Refusal> {
    let open = order.legs.iter().filter_map(|id| state.legs.get(id.0)).find(|leg| leg.open.is_some());
    match open {
        None => Ok(()),
        Some(leg) => {
            let message = format!("{} of {} waits for its channel; wait for the answer", leg.id, order.id);
            Err(Refusal::new(RefusalCode::OrderState, "order", message))
        }
    }
}

/// Whether the order takes a try now.
pub(crate) fn can_pay(state: &State, order: &Order, now: Time) -> Result<(), Refusal> {
    expiry::check_try(order, now)?;
    match order.status {
        OrderStatus::Created | OrderStatus::Paying if order.closing => Err(being_closed(order)),
        OrderStatus::Created | OrderStatus::Paying => is_quiet(state, order),
        OrderStatus::Success | OrderStatus::Failed | OrderStatus::Closed => {
            Err(wrong_state(order, "only a created or paying order can be paid"))
        }
    }
}

fn being_closed(order: &Order) -> Refusal {
    let message = format!("{} is being closed; wait for the channel to say that nobody paid", order.id);
    Refusal::new(RefusalCode::OrderState, "order", message)
}

/// How an order is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// Nothing is open at a channel.
    Now,
    /// A payer may be at a channel's page: the channel has the last word. What waits for a batch is taken back at once.
    Asked,
}

/// Whether the order can be closed now, and how. Debits under an agreement leave nothing open at a channel once they are
/// answered, so the channel's confirmation of the close is the answer to every leg.
pub(super) fn can_close(state: &State, order: &Order) -> Result<Close, Refusal> {
    match order.status {
        OrderStatus::Created | OrderStatus::Paying if order.closing => Err(being_closed(order)),
        OrderStatus::Created | OrderStatus::Paying if front_page::open_page(state, order).is_some() => Ok(Close::Asked),
        OrderStatus::Created | OrderStatus::Paying if fund_batch::waiting(state, order).is_some() => Ok(Close::Asked),
        OrderStatus::Created | OrderStatus::Paying => is_quiet(state, order).map(|()| Close::Now),
        OrderStatus::Success | OrderStatus::Failed | OrderStatus::Closed => {
            Err(wrong_state(order, "only a created or paying order can be closed"))
        }
    }
}

/// Whether the merchant has something of the order to split.
pub(crate) fn can_split(order: &Order) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(RefusalCode::SplitState, "order", message));
    match order.status {
        OrderStatus::Success if !order.settles => {
            refuse(format!("{} lies on an agreement account; the agreement says who receives it", order.id))
        }
        OrderStatus::Success if order.share(order.merchant, false) <= 0 => {
            refuse(format!("{} has nothing unsettled left; split before settlement", order.id))
        }
        OrderStatus::Success => Ok(()),
        OrderStatus::Created | OrderStatus::Paying | OrderStatus::Failed | OrderStatus::Closed => {
            refuse(format!("{} is {}; only a paid order can be split", order.id, order.status.name()))
        }
    }
}

/// Whether something of the order is left to refund.
pub(crate) fn can_refund(order: &Order) -> Result<(), Refusal> {
    match order.status {
        OrderStatus::Success if order.refundable() > 0 => Ok(()),
        OrderStatus::Success => {
            let message = format!(
                "{} of {} is refunded and {} charged back already; nothing is left",
                order.refunded,
                order.payable(),
                order.charged_back
            );
            Err(Refusal::new(RefusalCode::RefundExceeded, "order", message))
        }
        OrderStatus::Created | OrderStatus::Paying | OrderStatus::Failed | OrderStatus::Closed => {
            Err(wrong_state(order, "only a paid order can be refunded"))
        }
    }
}
