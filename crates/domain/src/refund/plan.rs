//! What a refund will do: how much fee it returns and who gives the money; which leg gets it is in `leg`. Nothing changes here.

use alloc::vec::Vec;
use alloc::{format, vec};

use super::leg::{self, LegShare};
use super::{CreateRefund, Lack, item};
use crate::fee_plan::{self, FeePayer};
use crate::ids::MerchantId;
use crate::money::{Minor, add, positive, proportion, subtract};
use crate::order::{Order, Share, can_refund, name_fits};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What a refund needs, found before anything is changed.
pub(super) struct Plan {
    pub(super) order: Order,
    /// What goes back to the payer.
    pub(super) amount: Minor,
    /// Whether the fee goes back, in proportion.
    pub(super) returns_fee: bool,
    pub(super) fee: Minor,
    /// From receivers of splits.
    pub(super) returned: Vec<Share>,
    /// The payee's account that they return to.
    pub(super) payee: Share,
    /// From the payee, the returned parts included.
    pub(super) own: Vec<Share>,
    pub(super) legs: Vec<LegShare>,
}

/// Plans a refund.
pub(super) fn plan(state: &State, command: &CreateRefund, lack: Lack) -> Result<Plan, Refusal> {
    let order = state.order(command.order)?.clone();
    can_refund(&order)?;
    name_fits(&command.out_refund_no, "out_refund_no")?;
    let amount = positive(command.amount, "amount")?;
    if amount > order.refundable() {
        let message = format!("{} of {} are left to refund, not {amount}", order.refundable(), order.id);
        return Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message));
    }
    item::check(&order, &command.items, amount)?;
    let returns_fee = fee_plan::returned_on_refund(state, order.fee_plan, command.return_fee)?;
    let fee = if returns_fee { fee_to_return(&order, amount)? } else { 0 };
    let (amount, net) = match order.fee_payer() {
        FeePayer::Merchant => (amount, subtract(amount, fee, "amount")?),
        FeePayer::Payer => (beside(&order, amount, fee)?, amount),
    };
    let mut returned = returned_by_receivers(&order, net, &command.take_from)?;
    if lack == Lack::Covered {
        returned
            .iter_mut()
            .for_each(|share| share.amount = share.amount.min(state.usable(share.account, order.currency)));
        returned.retain(|share| share.amount > 0);
    }
    let from_receivers: Minor = returned.iter().map(|share| share.amount).sum();
    let payee = payee_share(state, &order, from_receivers)?;
    let own = own(state, &order, payee, net, net - from_receivers)?;
    let legs = leg::allocate(state, &order, command, amount)?;
    Ok(Plan { order, amount, returns_fee, fee, returned, payee, own, legs })
}

/// round(fee × refunded with fee so far / paid) − returned before; of what was bought, where the fee is on top.
fn fee_to_return(order: &Order, amount: Minor) -> Result<Minor, Refusal> {
    let whole = order.bought(order.carried(), order.fee);
    let so_far = proportion(order.fee, order.refunded_with_fee.saturating_add(amount), whole)?;
    Ok((so_far - order.fee_returned).max(0))
}

/// What the payer gets, where a fee that had been on top goes back beside the amount: never more than is left of the payment.
fn beside(order: &Order, amount: Minor, fee: Minor) -> Result<Minor, Refusal> {
    let (all, left) = (add(amount, fee, "amount")?, order.returnable());
    if all <= left {
        return Ok(all);
    }
    let message =
        format!("{left} of what was paid for {} are left to refund, not {amount} and a fee of {fee}", order.id);
    Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message))
}

/// The payee's account that pays: 2203 once any of the order was settled to it.
pub(crate) fn payee_share(state: &State, order: &Order, amount: Minor) -> Result<Share, Refusal> {
    let merchant = order.merchant;
    let settled = order.shares.iter().any(|share| share.merchant == merchant && share.settled);
    let account = if settled { state.merchant(merchant)?.available } else { order.destination };
    Ok(Share { merchant, account, amount, settled })
}

/// From which of its accounts the payee gives `net`: once some of the order was settled, what was not comes first, at most so much.
pub(super) fn own(
    state: &State,
    order: &Order,
    payee: Share,
    net: Minor,
    at_most: Minor,
) -> Result<Vec<Share>, Refusal> {
    let unsettled = order.share(order.merchant, false).clamp(0, at_most);
    if !payee.settled || unsettled == 0 {
        return Ok(vec![Share { amount: net, ..payee }]);
    }
    let account = state.merchant(order.merchant)?.pending;
    let first = Share { merchant: order.merchant, account, amount: unsettled, settled: false };
    Ok(vec![first, Share { amount: net - unsettled, ..payee }])
}

fn returned_by_receivers(order: &Order, net: Minor, take_from: &[(MerchantId, Minor)]) -> Result<Vec<Share>, Refusal> {
    let mut returned = Vec::new();
    let mut left = net;
    for (merchant, amount) in take_from {
        let has = order.share(*merchant, false).max(0).saturating_add(order.share(*merchant, true).max(0));
        let repeated = returned.iter().any(|share: &Share| share.merchant == *merchant);
        if *merchant == order.merchant || has == 0 || repeated {
            let message = format!(
                "{merchant} has no part of {} to return, or stands there twice; the payee bears the rest",
                order.id
            );
            return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "take_from", message));
        }
        let amount = positive(*amount, "take_from")?;
        if amount > has || amount > left {
            let message =
                format!("{merchant} can return {has} of the {left} that the refund still needs, not {amount}");
            return Err(Refusal::new(RefusalCode::RefundExceeded, "take_from", message));
        }
        take(order, *merchant, amount, &mut left, &mut returned);
    }
    if take_from.is_empty() {
        for merchant in &order.return_order {
            take(order, *merchant, left, &mut left, &mut returned);
        }
    }
    Ok(returned)
}

/// Takes up to `limit` from a receiver's shares, the unsettled one first.
pub(crate) fn take(order: &Order, merchant: MerchantId, limit: Minor, left: &mut Minor, returned: &mut Vec<Share>) {
    let mut limit = limit.min(*left);
    let mut shares: Vec<&Share> =
        order.shares.iter().filter(|share| share.merchant == merchant && share.amount > 0).collect();
    shares.sort_by_key(|share| share.settled);
    for share in shares {
        let amount = share.amount.min(limit);
        if amount > 0 {
            returned.push(Share { amount, ..*share });
            limit -= amount;
            *left -= amount;
        }
    }
}
