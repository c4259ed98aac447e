//! Success rates over orders, each with numerator and denominator. A pure function of the state.
//!
//! - Effective success (有效成功率) = success / (success + SYSTEM + still UNKNOWN at T+1): failures of payer, risk rules and
//!   banks are not the platform's.
//! - First try (一次支付成功率) = orders that succeed on their first try / orders with a try, those whose first try failed by
//!   USER or RISK left out. This platform does not reroute yet, so no first try was rerouted.

use crate::attempt::FailureClass;
use crate::calendar::Date;
use crate::leg::LegStatus;
use crate::order::{Order, OrderStatus};
use crate::state::State;

#[cfg(test)]
mod tests;

/// A rate as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// How many of them.
    pub numerator: u64,
    /// Of how many.
    pub denominator: u64,
}

/// The rates of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Effective success.
    pub effective: Rate,
    /// First try.
    pub first_try: Rate,
}

impl Rates {
    /// The rates over all orders with a try, as seen on `today`: an answer still missing counts from the day after its try.
    #[must_use]
    pub fn of(state: &State, today: Date) -> Self {
        let mut rates = Self::default();
        for (_, order) in state.orders.iter().filter(|(_, order)| order.tries > 0) {
            let success = order.status == OrderStatus::Success;
            let lost = is_lost(order) || is_unknown(state, order, today);
            rates.effective.numerator += u64::from(success);
            rates.effective.denominator += u64::from(success || lost);
            let first = success && order.tries == 1;
            rates.first_try.numerator += u64::from(first);
            rates.first_try.denominator += u64::from(first || counts_for_first_try(order));
        }
        rates
    }
}

/// Not paid, and a system's fault.
fn is_lost(order: &Order) -> bool {
    let failed = match order.status {
        OrderStatus::Failed | OrderStatus::Closed => true,
        OrderStatus::Paying => !order.trying,
        OrderStatus::Created | OrderStatus::Success => false,
    };
    failed && order.failure == Some(FailureClass::System)
}

/// Its channel has not said since an earlier day.
fn is_unknown(state: &State, order: &Order, today: Date) -> bool {
    let before = order.tried_at.is_some_and(|time| Date::in_shanghai(time) < today);
    order.trying && before && state.legs_of(order, order.tries).any(|leg| leg.status == LegStatus::Unknown)
}

/// Whether the first try of an order that it did not pay counts against the platform; one under way does not count yet.
fn counts_for_first_try(order: &Order) -> bool {
    match order.first_failure {
        Some(FailureClass::User | FailureClass::Risk) => false,
        Some(FailureClass::Bank | FailureClass::System) => true,
        None => order.tries > 1,
    }
}
