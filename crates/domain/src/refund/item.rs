//! Refunds by item: what of which line of an order goes back, and never more of a line than it cost.
//!
//! A refund that names no items takes from the order as a whole, as before; the sum of all refunds is bounded by what the legs brought
//! in either case. What fails is counted back of the items that it was of. Of rent that a fund's centre paid the merchant directly
//! nothing was brought, so nothing of it goes back.

use alloc::collections::BTreeSet;
use alloc::format;

use minicbor::{Decode, Encode};

use crate::money::{Minor, add, positive};
use crate::order::{ItemKind, Order};
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
    let (mut sum, mut rent, mut seen) = (0, 0, BTreeSet::new());
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
        rent += if is_rent(order, item) { amount } else { 0 };
    }
    let rent_left = rent_left(order);
    if rent > rent_left {
        let message = format!("{rent_left} of the rent of {} came here and are left to refund, not {rent}", order.id);
        return Err(Refusal::new(RefusalCode::RefundExceeded, "items", message));
    }
    if sum == amount { Ok(()) } else { Err(wrong(format!("the items add up to {sum}, the refund is of {amount}"))) }
}

/// Whether an item is rent, which a fund may have paid.
pub(super) fn is_rent(order: &Order, item: u32) -> bool {
    order.items.get(item as usize).is_some_and(|line| line.kind == ItemKind::Rent)
}

/// What refunds that named items gave back of rent, and of anything else.
fn named(order: &Order) -> (Minor, Minor) {
    let of = |rent: bool| {
        let refunded = order.items.iter().zip(&order.items_refunded);
        refunded.filter(|(line, _)| (line.kind == ItemKind::Rent) == rent).map(|(_, amount)| *amount).sum::<Minor>()
    };
    (of(true), of(false))
}

/// What refunds by item may still give back of the rent: all but what a centre paid the merchant directly.
fn rent_left(order: &Order) -> Minor {
    order.sum_of(ItemKind::Rent).saturating_sub(order.outside).saturating_sub(named(order).0).max(0)
}

/// What is left of all but the rent: what refunds that named no items gave back was of this first.
pub(super) fn other_left(order: &Order) -> Minor {
    let (rent, other) = named(order);
    let left = order.amount.saturating_sub(order.sum_of(ItemKind::Rent)).saturating_sub(other);
    let unnamed = order.bought(order.refunded, order.fee_returned).saturating_sub(rent).saturating_sub(other);
    left.saturating_sub(unnamed).max(0)
}

/// Whether the items have room for so much more of each that goes back.
pub(super) fn fits(order: &Order, items: &[ItemRefund]) -> bool {
    let left = |part: &ItemRefund| {
        let refunded = order.items_refunded.get(part.item as usize).copied().unwrap_or_default();
        order.items.get(part.item as usize).map_or(0, |line| line.amount.saturating_sub(refunded))
    };
    let rents = items.iter().filter(|part| is_rent(order, part.item));
    let rent: Minor = rents.map(|part| part.amount).sum();
    // Of what names no rent nothing is asked of it.
    items.iter().all(|part| part.amount <= left(part)) && (rent == 0 || rent <= rent_left(order))
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

/// Counts the items of a part that failed back.
pub(super) fn count_part_back(order: &mut Order, items: &[ItemRefund]) {
    for part in items {
        order.items_refunded[part.item as usize] -= part.amount;
    }
}

/// Counts `failed` back, of which `before` had been, for a refund whose parts do not say of which items they are: from the last item on.
pub(super) fn count_back(order: &mut Order, items: &[ItemRefund], mut before: Minor, mut failed: Minor) {
    for part in items.iter().rev() {
        let counted = before.min(part.amount);
        before -= counted;
        let back = failed.min(part.amount - counted);
        failed -= back;
        order.items_refunded[part.item as usize] -= back;
    }
}
