//! What seldom happens, counted at the end of a run: laws that are never put to the test hold by nothing.

use std::fmt;

use domain::State;
use domain::calendar::Date;
use domain::leg::{Leg, LegStatus};
use domain::order::{Order, OrderStatus};
use domain::refund::{Refund, RefundKind, RefundStatus};
use domain::reserve_line::{LineDirection, ReserveLine};

use crate::sessions::session_of;

/// What is counted, in the order of [`Rare`].
pub const RARE: [&str; 22] = [
    "rows that a fund paid",
    "rows paid in part",
    "rows refused",
    "orders paid with the fee on top",
    "fees on top returned",
    "orders paid from a balance",
    "refunds to a balance",
    "orders that expired",
    "refunds by item",
    "refunds of two legs",
    "refunds refused",
    "parts returned by receivers",
    "returns of splits",
    "money that no order could use",
    "refunds asked for again",
    "refunds settled by hand",
    "legs given back",
    "legs that wait for a person",
    "legs settled by hand",
    "files of a batch after its first",
    "lines of sessions a day after",
    "lines of sessions that took out",
];

/// How often each of [`RARE`] happened.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rare([u64; RARE.len()]);

impl fmt::Debug for Rare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(RARE.iter().zip(self.0)).finish()
    }
}

impl Rare {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// What never happened.
    pub fn never(&self) -> impl Iterator<Item = &'static str> {
        RARE.into_iter().zip(self.0).filter(|(_, count)| *count == 0).map(|(name, _)| name)
    }
}

fn count(each: impl Iterator<Item = bool>) -> u64 {
    each.map(u64::from).sum()
}

/// Counts what is in a state that kept all.
pub(crate) fn of(state: &State) -> Rare {
    let rows = || state.fund_batches.iter().flat_map(|(_, batch)| &batch.rows);
    let paid = |at_least: i64, part: bool| {
        count(rows().map(move |row| {
            row.result.as_ref().is_some_and(|it| it.paid >= at_least && (it.paid < row.applied) == part)
        }))
    };
    let orders = |is: fn(&Order) -> bool| count(state.orders.iter().map(|(_, order)| is(order)));
    let refunds = |is: fn(&Refund) -> bool| count(state.refunds.iter().map(|(_, refund)| is(refund)));
    let legs = |is: fn(&Leg) -> bool| count(state.legs.iter().map(|(_, leg)| is(leg)));
    let lines = |is: fn(&ReserveLine, Date) -> bool| {
        let of_sessions = state.reserve_lines.iter().filter_map(|(_, line)| Some((line, session_of(line)?)));
        count(of_sessions.map(|(line, (_, date))| is(line, date)))
    };
    let refused = rows().map(|row| row.result.as_ref().is_some_and(|it| it.paid == 0));
    Rare([
        paid(1, false),
        paid(1, true),
        count(refused),
        orders(|order| order.on_top() > 0 && order.status == OrderStatus::Success),
        orders(|order| order.on_top() > 0 && order.fee_returned > 0),
        legs(|leg| leg.instrument.is_balance() && leg.status == LegStatus::Captured),
        legs(|leg| leg.instrument.is_balance() && leg.refunded > 0),
        orders(|order| order.expired),
        refunds(|refund| !refund.items.is_empty()),
        refunds(|refund| refund.parts.len() > 1),
        refunds(|refund| refund.kind == RefundKind::Order && refund.status == RefundStatus::Failed),
        refunds(|refund| !refund.returned.is_empty()),
        state.splits.iter().map(|(_, split)| split.returns.len() as u64).sum(),
        refunds(|refund| refund.kind == RefundKind::Useless),
        refunds(|refund| refund.retried_as.is_some()),
        refunds(|refund| refund.settled_by.is_some()),
        legs(|leg| leg.status == LegStatus::Reversed),
        legs(|leg| leg.needs_person),
        legs(|leg| leg.settled_by.is_some()),
        state.fund_batches.iter().map(|(_, batch)| u64::from(batch.files.saturating_sub(1))).sum(),
        lines(|line, date| Date::in_shanghai(line.taken_at) > date),
        lines(|line, _| line.direction == LineDirection::Out),
    ])
}
