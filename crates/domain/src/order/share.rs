//! Who has what of an order's money, and from when on it may be settled.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::{Order, expiry};
use crate::calendar::Date;
use crate::ids::{AccountId, MerchantId, OrderId};
use crate::money::Minor;
use crate::rates::Rates;
use crate::state::State;

/// What one account has of an order's money; in an event, how much that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Share {
    /// Whose.
    #[n(0)]
    pub merchant: MerchantId,
    /// Where: 2202 before its settlement, 2203 after it; an agreement account for good.
    #[n(1)]
    pub account: AccountId,
    /// Minor units; below zero where a refund took more than the order had brought.
    #[n(2)]
    pub amount: Minor,
    /// Whether it was settled. A merchant may have a part of each.
    #[n(3)]
    pub settled: bool,
}

impl Order {
    /// Its places in the index of what is due.
    pub(crate) fn dues(&self) -> Vec<((MerchantId, Date, OrderId), Minor)> {
        let shares = self.shares.iter().filter(|share| self.settles && !share.settled && share.amount != 0);
        let overdrawn = Date::in_shanghai(self.created_at);
        let due_of = |share: &Share| self.due.or((share.amount < 0).then_some(overdrawn));
        shares.filter_map(|share| due_of(share).map(|due| ((share.merchant, due, self.id), share.amount))).collect()
    }
}

/// Changes an order and keeps in step the index of what is due with its shares, and its timer.
pub(crate) fn change(state: &mut State, id: OrderId, change: impl FnOnce(&mut Order)) {
    let order = state.orders.get_mut(id.0).expect("decide checked the order");
    let (before, counted, expires) = (order.dues(), Rates::settled(order), expiry::timer(order));
    change(order);
    let after = order.dues();
    state.rates.count(&counted, &Rates::settled(order));
    if let Some((key, ())) = expires.filter(|_| expiry::timer(order).is_none()) {
        state.timers.remove(&key);
    }
    if before == after {
        return;
    }
    for (key, _) in &before {
        state.due.remove(key);
    }
    for (key, amount) in after {
        state.due.insert(key, amount);
    }
}

/// Adds changes to an order's shares.
pub(crate) fn add_shares(order: &mut Order, changes: &[Share]) {
    for change in changes {
        let known =
            order.shares.iter_mut().find(|share| share.merchant == change.merchant && share.settled == change.settled);
        match known {
            Some(share) => share.amount += change.amount,
            None => order.shares.push(*change),
        }
    }
}

/// An order's money is matched in clearing files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ClearedOrder {
    /// The order.
    #[n(0)]
    pub order: OrderId,
    /// From when on its shares may be settled.
    #[n(1)]
    pub due: Date,
}

pub(crate) fn apply_cleared(state: &mut State, orders: &[ClearedOrder]) {
    for cleared in orders {
        change(state, cleared.order, |order| order.due = Some(cleared.due));
    }
}
