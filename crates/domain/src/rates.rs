//! Success rates over orders, each with numerator and denominator. A pure function of the state: what each order counts for by
//! itself is kept as a sum over all of them, since closed ones leave memory; answers that are missing are looked for among
//! the open ones.
//!
//! - Effective success (有效成功率) = success / (success + SYSTEM + still UNKNOWN at T+1): failures of payer, risk rules and
//!   banks are not the platform's.
//! - First try (一次支付成功率) = orders that succeed on their first try / orders with a try, those whose first try failed by
//!   USER or RISK left out. A try that cascaded to another channel is another try.

use alloc::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::attempt::FailureClass;
use crate::calendar::Date;
use crate::ids::OrderId;
use crate::leg::{Leg, LegStatus};
use crate::order::{Order, OrderStatus};
use crate::state::State;

pub mod channel;
#[cfg(test)]
mod tests;

/// A rate as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Rate {
    /// How many of them.
    #[n(0)]
    pub numerator: u64,
    /// Of how many.
    #[n(1)]
    pub denominator: u64,
}

/// The rates of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Rates {
    /// Effective success.
    #[n(0)]
    pub effective: Rate,
    /// First try.
    #[n(1)]
    pub first_try: Rate,
}

impl Rates {
    /// The rates over all orders with a try, as seen on `today`: an answer still missing counts from the day after its try.
    #[must_use]
    pub fn of(state: &State, today: Date) -> Self {
        // Its leg's attempt is in the outbox, which is small beside the orders in memory.
        let legs = state.in_outbox().filter_map(|attempt| state.legs.get(attempt.purpose.leg()?.0));
        let orders: BTreeSet<OrderId> = legs.map(|leg| leg.order).collect();
        let open =
            orders.iter().filter_map(|id| state.orders.get(id.0)).filter(|order| order.trying && !is_lost(order));
        let unknown = open.filter(|order| is_unknown(state, order, today)).count();
        let mut rates = state.rates.get();
        rates.effective.denominator += unknown as u64;
        rates
    }

    /// What one order counts for by itself, whatever the day.
    #[must_use]
    pub fn settled(order: &Order) -> Self {
        if order.tries == 0 {
            return Self::default();
        }
        let success = order.status == OrderStatus::Success;
        let first = success && order.tries == 1;
        let rate =
            |numerator, denominator| Rate { numerator: u64::from(numerator), denominator: u64::from(denominator) };
        Self {
            effective: rate(success, success || is_lost(order)),
            first_try: rate(first, first || counts_for_first_try(order)),
        }
    }

    /// What orders count for by themselves.
    pub(crate) fn of_all<'o>(orders: impl Iterator<Item = &'o Order>) -> Self {
        let mut rates = Self::default();
        orders.for_each(|order| rates.count(&Self::default(), &Self::settled(order)));
        rates
    }

    /// One order counts for something else than before.
    fn count(&mut self, before: &Self, after: &Self) {
        let add = |sum: &mut Rate, before: Rate, after: Rate| {
            sum.numerator = sum.numerator + after.numerator - before.numerator;
            sum.denominator = sum.denominator + after.denominator - before.denominator;
        };
        add(&mut self.effective, before.effective, after.effective);
        add(&mut self.first_try, before.first_try, after.first_try);
    }
}

/// What all orders count for by themselves; a refused command gives back what it changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateSums {
    sums: Rates,
    before: Rates,
}

impl RateSums {
    /// As they were kept.
    pub(crate) fn restored(sums: Rates) -> Self {
        Self { sums, before: sums }
    }

    /// The sums.
    #[must_use]
    pub const fn get(&self) -> Rates {
        self.sums
    }

    /// One order counts for something else than before.
    pub(crate) fn count(&mut self, before: &Rates, after: &Rates) {
        self.sums.count(before, after);
    }

    pub(crate) fn begin(&mut self) {
        self.before = self.sums;
    }

    pub(crate) fn rollback(&mut self) {
        self.sums = self.before;
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
    // A fund that pays by the month is not late because it is not the same day's.
    let late = |leg: &Leg| leg.status == LegStatus::Unknown && leg.instrument.monthly().is_none();
    order.trying && before && state.legs_of(order, order.tries).any(late)
}

/// Whether the first try of an order that it did not pay counts against the platform; one under way does not count yet.
fn counts_for_first_try(order: &Order) -> bool {
    match order.first_failure {
        Some(FailureClass::User | FailureClass::Risk) => false,
        Some(FailureClass::Bank | FailureClass::System) => true,
        None => order.tries > 1,
    }
}
