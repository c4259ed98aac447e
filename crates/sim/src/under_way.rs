//! The laws of orders, legs, refunds, tasks and batches. They need every row that there ever was, so they are asked of the state that
//! keeps them, the disk's.

use std::collections::{BTreeMap, BTreeSet};

use domain::State;
use domain::attempt::{AttemptStatus, Outcome};
use domain::book::Subject;
use domain::ids::{LegId, OrderId};
use domain::leg::{Leg, LegStatus};
use domain::money::{Currency, Minor};
use domain::order::{Order, OrderStatus};
use domain::refund::{ItemRefund, Refund, RefundKind, RefundPart, RefundStatus};

use crate::check::{Checked, broken};

/// What goes back, or went, in sum.
#[derive(Default)]
struct Back<'a> {
    /// On its way.
    moving: i128,
    /// Money that no order can use and no source took.
    due: i128,
    of_legs: BTreeMap<LegId, i128>,
    /// Of an order: money, the fee in it, and what of which items.
    of_orders: BTreeMap<OrderId, (i128, i128, Vec<&'a ItemRefund>)>,
    /// How often what came by an attempt, and no order could use, goes back or went.
    of_useless: BTreeMap<&'a str, u32>,
}

/// Every law of what is under way.
pub(crate) fn sound(state: &State) -> Checked {
    let own = |subject| {
        let account = state.institution(subject, Currency::Cny).ok().and_then(|id| state.accounts.get(id.0));
        account.map(|account| i128::from(account.balance))
    };
    let (Some(in_progress), Some(transit), Some(due)) =
        (own(Subject::PaymentInProgress), own(Subject::RefundTransit), own(Subject::RefundDue))
    else {
        return Ok(());
    };
    let mut back = refunds(state)?;
    let (mut waiting, mut undone) = (0_i128, 0_i128);
    for (_, leg) in state.legs.iter() {
        of_leg(leg, &back)?;
        undone += if leg.undo.is_some() { i128::from(leg.amount()) } else { 0 };
        waiting += if waits(state, leg) { i128::from(leg.amount()) } else { 0 };
    }
    back.moving += of_top_ups(state);
    back.due += state.suspense_items.iter().filter_map(|(_, item)| item.due).map(i128::from).sum::<i128>();
    let law = "what is under way is what its accounts hold";
    let sums = [("2205", in_progress, waiting), ("2211", transit, back.moving + undone), ("2243", due, back.due)];
    if let Some((account, balance, sum)) = sums.iter().find(|(_, balance, sum)| balance != sum) {
        return broken(law, format!("{account} is {balance}, legs and refunds are {sum}"));
    }
    for (_, order) in state.orders.iter() {
        of_order(state, order, &back)?;
    }
    batches(state)
}

/// What top-ups brought of another amount, and is on its way back.
fn of_top_ups(state: &State) -> i128 {
    let backs = state.top_ups.iter().filter_map(|(_, top_up)| top_up.back).filter(|back| !back.is_final());
    backs.map(|back| i128::from(back.amount)).sum()
}

/// Adds up what goes back. A part goes the way that its leg came; what no order can use goes back once.
fn refunds(state: &State) -> Checked<Back<'_>> {
    let mut back = Back::default();
    for (_, refund) in state.refunds.iter() {
        back.due += if refund.is_due() { i128::from(refund.amount) } else { 0 };
        for part in &refund.parts {
            let leg = state.legs.get(part.leg.0);
            if leg.is_none_or(|leg| leg.instrument.rail() != part.rail) {
                return broken("money goes back the way it came", format!("{} of {:?}", refund.id, part.leg));
            }
            answered(state, refund, part)?;
            let amount = i128::from(part.amount);
            match part.status {
                // Of what an earlier one overtook no money is under way.
                RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Unknown => {
                    back.moving += if refund.overtaken_by.is_none() { amount } else { 0 };
                }
                RefundStatus::Success | RefundStatus::Failed => {}
            }
            match refund.kind {
                RefundKind::Order if part.status != RefundStatus::Failed => {
                    *back.of_legs.entry(part.leg).or_default() += amount;
                    let (money, fee, items) = back.of_orders.entry(refund.order).or_default();
                    *money += amount;
                    *fee += i128::from(part.fee);
                    items.extend(&part.items);
                }
                RefundKind::Order => {}
                RefundKind::Useless => useless(state, refund, part, &mut back)?,
            }
        }
    }
    let other = back.of_useless.iter().find(|(_, times)| **times != 1);
    let found = other.map(|(serial, times)| format!("{serial} goes back {times} times"));
    found.map_or(Ok(back), |found| broken("what came once goes back once", found))
}

/// Of what came by one attempt and no order could use, one refund counts: the last, or an earlier one that its source carried out
/// after all.
fn useless<'a>(state: &'a State, refund: &Refund, part: &RefundPart, back: &mut Back<'a>) -> Checked {
    let attempt = part.attempt.and_then(|id| state.attempts.get(id.0));
    let Some(serial) = attempt.and_then(|attempt| attempt.operation.original()) else {
        return broken("money goes back the way it came", format!("{} names nothing that came", refund.id));
    };
    let ways = [refund.retried_as.is_some(), refund.settled_by.is_some(), refund.overtaken_by.is_some()];
    if ways.iter().filter(|is| **is).count() > 1 {
        return broken("what came once goes back once", format!("{} was tried again and ended too", refund.id));
    }
    let elsewhere = refund.retried_as.is_some() || refund.overtaken_by.is_some();
    *back.of_useless.entry(serial).or_default() += u32::from(part.status == RefundStatus::Success || !elsewhere);
    Ok(())
}

/// What a channel gave back is booked once: as the refund, or as a claim on its bank.
fn answered(state: &State, refund: &Refund, part: &RefundPart) -> Checked {
    let Some(attempt) = part.attempt.and_then(|id| state.attempts.get(id.0)) else { return Ok(()) };
    let done = matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }));
    let times = u32::from(part.status == RefundStatus::Success) + u32::from(part.claim.is_some());
    if times == u32::from(done) {
        return Ok(());
    }
    let found = format!("{} of {} is {:?}, and is booked {times} times", attempt.id, refund.id, attempt.status);
    broken("an answer is booked once", found)
}

/// No leg gives back more than it brought, and what was settled by hand is on no way back. That its bank gave it back all the same is
/// said by the leg, REVERSED then.
fn of_leg(leg: &Leg, back: &Back<'_>) -> Checked {
    let refunded = back.of_legs.get(&leg.id).copied().unwrap_or_default();
    if i128::from(leg.refunded) != refunded || leg.refunded > leg.amount() {
        let (counts, brought) = (leg.refunded, leg.amount());
        let found = format!("{} brought {brought}, counts {counts} as refunded, its refunds are {refunded}", leg.id);
        return broken("no leg gives back more than it brought", found);
    }
    let moves = leg.undo.is_some() || (leg.needs_person && leg.status != LegStatus::Reversed);
    if leg.settled_by.is_some() && moves {
        return broken("what came once goes back once", format!("{} was settled by hand and moves", leg.id));
    }
    Ok(())
}

/// Whether a leg's money lies on 2205: it waits for the other leg of its try, for a person, or to go back at its centre.
fn waits(state: &State, leg: &Leg) -> bool {
    if leg.status != LegStatus::Captured || leg.undo.is_some() {
        return false;
    }
    let Some(order) = state.orders.get(leg.order.0) else { return false };
    if !(order.trying || leg.needs_person || leg.open.is_some()) {
        return false;
    }
    let carried = |leg: &Leg| leg.amount() > 0 && !leg.instrument.pays_directly();
    let legs = || state.legs_of(order, leg.try_number);
    // A fund that paid in part, and no card for the rest, waits to go back.
    let short = legs().map(Leg::amount).sum::<Minor>() != order.payable();
    carried(leg) && (short || legs().filter(|leg| carried(leg)).count() > 1)
}

fn of_order(state: &State, order: &Order, back: &Back<'_>) -> Checked {
    let nothing = (0, 0, Vec::new());
    let (money, fee, items) = back.of_orders.get(&order.id).unwrap_or(&nothing);
    if (i128::from(order.refunded), i128::from(order.fee_returned)) != (*money, *fee) {
        let (counts, returned) = (order.refunded, order.fee_returned);
        let found = format!("{} counts {counts} with {returned} of fee, its refunds are {money} with {fee}", order.id);
        return broken("an order counts what goes back", found);
    }
    let bought = order.bought(order.refunded, order.fee_returned);
    if order.refunded > order.payable() || bought > order.amount || !(0..=order.fee).contains(&order.fee_returned) {
        return broken("no more goes back than was paid", format!("{order:?}"));
    }
    for ((at, item), refunded) in (0_u32..).zip(&order.items).zip(&order.items_refunded) {
        let of_item: i128 = items.iter().filter(|of| of.item == at).map(|of| i128::from(of.amount)).sum();
        if i128::from(*refunded) != of_item || *refunded > item.amount {
            let found = format!("item {at} of {} counts {refunded}, its refunds are {of_item}", order.id);
            return broken("an order counts what goes back", found);
        }
    }
    if order.fee_on_top.is_some_and(|on_top| on_top != order.fee) {
        return broken("a paid order adds up", format!("the payer of {} does not pay its fee: {order:?}", order.id));
    }
    if order.status != OrderStatus::Success {
        return Ok(());
    }
    let paid: Minor = state.legs_of(order, order.tries).map(Leg::amount).sum();
    if (paid, order.net + order.fee) == (order.payable(), order.carried()) {
        return Ok(());
    }
    broken("a paid order adds up", format!("{paid} was paid: {order:?}"))
}

/// A try is in one batch at most, and what a row paid is what its try brought.
fn batches(state: &State) -> Checked {
    let law = "a row of a batch is its try";
    let mut tries = BTreeSet::new();
    for row in state.fund_batches.iter().flat_map(|(_, batch)| &batch.rows) {
        if !tries.insert(row.attempt) {
            return broken(law, format!("{} is in two batches", row.attempt));
        }
        let paid = row.result.as_ref().map_or(0, |result| result.paid);
        let attempt = state.attempts.get(row.attempt.0);
        let brought =
            attempt.filter(|attempt| matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. })));
        let brought = brought.map_or(0, |attempt| attempt.operation.money().0);
        if paid > 0 && paid != brought {
            return broken(law, format!("{} brought {brought}, its row pays {paid}", row.attempt));
        }
    }
    Ok(())
}
