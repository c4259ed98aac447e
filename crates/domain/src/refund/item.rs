//! Refunds by item: what of which line of an order goes back, and never more of a line than it cost.
//!
//! A refund that names no items takes from the order as a whole, as before; the sum of all refunds is bounded by what the legs brought
//! in either case. What fails is counted back from the refund's last item on.

use alloc::collections::BTreeSet;
use alloc::format;

use minicbor::{Decode, Encode};

use crate::money::{Minor, add, positive};
use crate::order::Order;
use crate::refusal::{Refusal, RefusalCode};

/// What of an item goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ItemRefund {
    /// Its place in the order, from 0.
    #[n(0)]
    pub item: u32,
    /// Minor units above zero.
    #[n(1)]
    pub amount: Minor,
}

/// Whether an order's items can give back so much of `amount`.
pub(super) fn check(order: &Order, items: &[ItemRefund], amount: Minor) -> Result<(), Refusal> {
    if items.is_empty() {
        return Ok(());
    }
    let wrong = |message| Refusal::new(RefusalCode::ValueInvalid, "items", message);
    let (mut sum, mut seen) = (0, BTreeSet::new());
    for &ItemRefund { item, amount } in items {
        let at = item as usize;
        let cost = order.items.get(at).map(|line| line.amount);
        let cost = cost.ok_or_else(|| wrong(format!("{} has no item {item}; they count from 0", order.id)))?;
        if !seen.insert(item) {
            return Err(wrong(format!("item {item} stands there twice; add it up")));
        }
        sum = add(sum, positive(amount, "items")?, "items")?;
        let left = cost.saturating_sub(order.items_refunded.get(at).copied().unwrap_or_default());
        if amount > left {
            let message = format!("{left} of item {item} of {} are left to refund, not {amount}", order.id);
            return Err(Refusal::new(RefusalCode::RefundExceeded, "items", message));
        }
    }
    if sum == amount { Ok(()) } else { Err(wrong(format!("the items add up to {sum}, the refund is of {amount}"))) }
}

/// Counts what goes back of the items.
pub(super) fn count(order: &mut Order, items: &[ItemRefund]) {
    if items.is_empty() {
        return;
    }
    order.items_refunded.resize(order.items.len(), 0);
    for part in items {
        order.items_refunded[part.item as usize] += part.amount;
    }
}

/// Counts `failed` back, of which `before` had been: from the last item on.
pub(super) fn count_back(order: &mut Order, items: &[ItemRefund], mut before: Minor, mut failed: Minor) {
    for part in items.iter().rev() {
        let counted = before.min(part.amount);
        before -= counted;
        let back = failed.min(part.amount - counted);
        failed -= back;
        order.items_refunded[part.item as usize] -= back;
    }
}
