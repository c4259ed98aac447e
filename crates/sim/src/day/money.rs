//! What the banks say of a day's money: each serial is asked for over the channel's wire, and what was taken and given back for an
//! order is compared with what the order came to. Nothing here asks the platform what a bank did.

use std::collections::BTreeMap;

use channels::{Answer, Try};
use domain::attempt::{Attempt, Operation, Purpose};
use domain::ids::{OrderId, PayoutId};
use domain::order::OrderStatus;
use domain::payout::PayoutStatus;

use crate::world::World;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Money {
    /// Orders and payouts that took more from a payer, or paid more to a receiver, than they came to.
    pub(crate) duplicates: u64,
    /// Paid orders that the banks took less for, and payouts that succeeded and the banks did not make.
    pub(crate) lost: u64,
}

/// What an operation takes from whom it is about (above zero), or gives back; payouts count by what they pay.
fn moved(operation: &Operation) -> i64 {
    match operation {
        Operation::Debit { amount, .. }
        | Operation::FundCapture { amount, .. }
        | Operation::Redirect { amount, .. }
        | Operation::FundBatch { amount, .. }
        | Operation::Pay { amount, .. } => *amount,
        Operation::Refund { amount, .. } => -amount,
        Operation::FundHold { .. } | Operation::FundRelease { .. } => 0,
    }
}

impl World {
    /// Whether the bank says that it did this; a channel that cannot even ask was never asked to.
    pub(crate) fn bank_did(&mut self, attempt: &Attempt) -> bool {
        let nonce = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        let Some(channel) = self.network.channel(attempt.rail) else { return false };
        // A centre books what a row of a batch pays as it books a capture.
        let capture = match attempt.operation {
            Operation::FundBatch { amount, currency, .. } => {
                Some(Operation::FundCapture { original: String::new(), amount, currency })
            }
            Operation::Debit { .. }
            | Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            | Operation::Refund { .. }
            | Operation::Pay { .. }
            | Operation::Redirect { .. } => None,
        };
        let operation = capture.as_ref().unwrap_or(&attempt.operation);
        let (serial, requested_at) = (attempt.serial(), attempt.requested_at);
        let asked = Try { serial: &serial, requested_at, operation, original: None };
        let Ok(query) = channel.build_query(&asked.about(), &nonce) else { return false };
        let response = self.network.exchange(&query);
        matches!(channel.parse(&query, &response), Answer::Success { .. })
    }

    /// Compares the banks' money with the day's orders and payouts.
    pub(crate) fn money_of_day(&mut self) -> Money {
        let attempts: Vec<Attempt> =
            self.follower.state().attempts.iter().map(|(_, attempt)| attempt.clone()).collect();
        let (mut taken, mut paid) = (BTreeMap::<OrderId, i64>::new(), BTreeMap::<PayoutId, i64>::new());
        for attempt in attempts {
            if !self.bank_did(&attempt) {
                continue;
            }
            let (state, amount) = (self.follower.state(), moved(&attempt.operation));
            let order = match attempt.purpose {
                Purpose::Leg(leg) => state.legs.get(leg.0).map(|leg| leg.order),
                Purpose::Refund(refund) => state.refunds.get(refund.0).map(|refund| refund.order),
                Purpose::Payout(payout) => {
                    *paid.entry(payout).or_default() += amount;
                    None
                }
                Purpose::Advance(_) | Purpose::TopUp(_) => None,
            };
            if let Some(order) = order {
                *taken.entry(order).or_default() += amount;
            }
        }
        let state = self.follower.state();
        let orders = state.orders.iter().map(|(_, order)| {
            let due = if order.status == OrderStatus::Success { order.payable() } else { 0 };
            (taken.get(&order.id).copied().unwrap_or(0), due)
        });
        let payouts = state.payouts.iter().map(|(_, payout)| {
            let due = if payout.status == PayoutStatus::Success { payout.amount } else { 0 };
            (paid.get(&payout.id).copied().unwrap_or(0), due)
        });
        orders.chain(payouts).fold(Money::default(), |money, (found, due)| Money {
            duplicates: money.duplicates + u64::from(found > due),
            lost: money.lost + u64::from(found < due),
        })
    }
}
