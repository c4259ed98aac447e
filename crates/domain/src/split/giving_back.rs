//! Returns of splits (分账回退): a receiver gives what it got of an order, or a part of it, back to the payee, without a refund.
//!
//! Dr receiver / Cr payee, the receiver's unsettled money first. Never more than the split gave it less what it returned of that split,
//! and never more than it still has of the order: what refunds took back is gone. The payee has the money as the rest of its share:
//! on 2202 until it is settled, on 2203 after that. What the network has not cleared yet goes to 2202 also where an advance had the
//! payee's share count as settled: it waits for the file as the receiver's did.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::Split;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{MerchantId, SplitId, VoucherId};
use crate::money::{Minor, positive};
use crate::order::{self, Order, Share, name_fits};
use crate::refund;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, EventCode};

/// A receiver gives money of a split back to the payee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnSplit {
    /// The split.
    pub split: SplitId,
    /// The receiver's own number; the engine keeps it unique.
    pub out_return_no: String,
    /// Who gives it back.
    pub receiver: MerchantId,
    /// Minor units above zero.
    pub amount: Minor,
}

/// What a receiver gave back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SplitReturn {
    /// The receiver's own number.
    #[n(0)]
    pub out_return_no: String,
    /// Who gave it back.
    #[n(1)]
    pub receiver: MerchantId,
    /// Minor units.
    #[n(2)]
    pub amount: Minor,
    /// The changes of the order's shares.
    #[n(3)]
    pub shares: Vec<Share>,
    /// Its voucher.
    #[n(4)]
    pub voucher: VoucherId,
    /// When it was made.
    #[n(5)]
    pub created_at: Time,
}

/// Gives money of a split back to the payee.
///
/// # Errors
/// `split_unknown`, `value_invalid`, `amount_not_positive`, `receiver_not_allowed` for a merchant that the split gave nothing,
/// `split_amount` for more than it can return, and those of the voucher (`insufficient_funds` above all).
pub fn decide_return(draft: &mut Draft<'_>, command: ReturnSplit) -> Result<Reply, Refusal> {
    let ReturnSplit { split: id, out_return_no, receiver, amount } = command;
    let split = draft.state.split(id)?.clone();
    let order = draft.state.order(split.order)?.clone();
    name_fits(&out_return_no, "out_return_no")?;
    let amount = positive(amount, "amount")?;
    if !split.parts.iter().any(|part| part.merchant == receiver) {
        let message = format!("{id} gave {receiver} nothing; only its receivers return what they got");
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "receiver", message));
    }
    let most = split.returnable(&order, receiver);
    if amount > most {
        let message = format!("{receiver} can return {most} of {id}, not {amount}");
        return Err(Refusal::new(RefusalCode::SplitAmount, "amount", message));
    }
    let (mut left, mut shares) = (amount, Vec::new());
    refund::take(&order, receiver, amount, &mut left, &mut shares);
    let mut payee = refund::payee_share(draft.state, &order, amount)?;
    if order.due.is_none_or(|due| due > Date::in_shanghai(draft.context.now)) {
        payee = Share { account: order.destination, settled: false, ..payee };
    }
    let entries = refund::return_entries(&shares, &payee, order.currency);
    let step = u32::try_from(split.returns.len()).unwrap_or(u32::MAX).saturating_add(1);
    let business = BusinessNumber::step(BusinessKind::Split, id.0, step);
    let voucher = draft.post(business, EventCode::SplitReturned, entries, order.dimensions(None, None))?;
    shares.iter_mut().for_each(|share| share.amount = -share.amount);
    shares.push(payee);
    let created_at = draft.context.now;
    let given = SplitReturn { out_return_no, receiver, amount, shares, voucher, created_at };
    draft.emit(Event::SplitReturned { split: id, given });
    Ok(Reply::Split(id))
}

impl Split {
    /// What a receiver can give back of it now: what it got and has not returned, if it still has so much of the order.
    #[must_use]
    pub fn returnable(&self, order: &Order, receiver: MerchantId) -> Minor {
        self.not_returned(receiver).clamp(0, held(order, receiver))
    }

    /// What a receiver has of it still, where `earlier` are the splits before it that gave the receiver of the same order. The order
    /// keeps one sum of a receiver's parts, so what refunds took is counted against the latest, whenever they came.
    #[must_use]
    pub fn kept(&self, earlier: &[&Self], order: &Order, receiver: MerchantId) -> Minor {
        let before: Minor = earlier.iter().map(|split| split.not_returned(receiver)).sum();
        self.not_returned(receiver).clamp(0, held(order, receiver).saturating_sub(before).max(0))
    }

    /// What a receiver got of it and has not returned.
    fn not_returned(&self, receiver: MerchantId) -> Minor {
        let parts = self.parts.iter().filter(|part| part.merchant == receiver).map(|part| part.amount);
        let got: Minor = parts.sum();
        let returns = self.returns.iter().filter(|given| given.receiver == receiver).map(|given| given.amount);
        let returned: Minor = returns.sum();
        got.saturating_sub(returned)
    }

    /// What may be done with it now, by what `decide` asks.
    #[must_use]
    pub fn allowed_actions(&self, state: &State) -> Vec<&'static str> {
        let Ok(order) = state.order(self.order) else { return Vec::new() };
        let returnable = self.parts.iter().any(|part| self.returnable(order, part.merchant) > 0);
        returnable.then_some("return").into_iter().collect()
    }
}

/// What a receiver has of an order, settled or not.
fn held(order: &Order, receiver: MerchantId) -> Minor {
    order.share(receiver, false).max(0).saturating_add(order.share(receiver, true).max(0))
}

pub(crate) fn apply_returned(state: &mut State, id: SplitId, given: &SplitReturn) {
    let split = state.splits.get_mut(id.0).expect("decide asked for the split");
    split.returns.push(given.clone());
    let order = split.order;
    order::change(state, order, |order| order::add_shares(order, &given.shares));
}
