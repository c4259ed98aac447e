//! What a chargeback takes back: a leg of an order, or a card transaction at a terminal; and what of that its merchant still
//! has.

use alloc::vec::Vec;

use super::Chargeback;
use crate::attempt::Rail;
use crate::card_transaction::{self, dimensions};
use crate::ids::{CardTransactionId, LegId, OrderId};
use crate::money::Minor;
use crate::order::{self, Share};
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::Dimensions;

/// What a chargeback takes back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Leg(LegId, OrderId),
    Card(CardTransactionId),
}

impl Chargeback {
    pub(super) fn target(&self) -> Target {
        match (self.leg.zip(self.order), self.card) {
            (Some((leg, order)), _) => Target::Leg(leg, order),
            (None, card) => Target::Card(card.expect("a chargeback is of a leg or of a card transaction")),
        }
    }
}

/// The rail that it goes over, and what its vouchers are counted under.
pub(super) fn counted_under(state: &State, chargeback: &Chargeback) -> Result<(Rail, Dimensions), Refusal> {
    match chargeback.target() {
        Target::Leg(leg, order) => {
            let rail = state.leg(leg)?.instrument.rail().expect("only what a network carried is charged back");
            Ok((rail, state.order(order)?.dimensions(Some(rail), None)))
        }
        Target::Card(card) => {
            let dimensions = Dimensions { clearing_date: None, ..dimensions(state.card_transaction(card)?) };
            Ok((Rail::UnionPay, dimensions))
        }
    }
}

/// What the merchant has for it: the order's or the transaction's own unsettled money, then what 2203 has free.
pub(super) fn take(state: &State, chargeback: &Chargeback) -> Result<Vec<Share>, Refusal> {
    let Chargeback { merchant, amount, currency, .. } = *chargeback;
    let (pending, has) = match chargeback.target() {
        Target::Leg(_, order) => {
            let order = state.order(order)?;
            (order.destination, order.share(merchant, false))
        }
        Target::Card(card) => {
            let money = &state.card_transaction(card)?.money;
            (state.merchant(merchant)?.pending, money.pending.saturating_sub(money.reserved))
        }
    };
    let available = state.merchant(merchant)?.available;
    let mut left = amount;
    let mut taken = Vec::new();
    let unsettled = has.max(0).min(state.usable(pending, currency));
    let settled = state.usable(available, currency);
    for (account, has, settled) in [(pending, unsettled, false), (available, settled, true)] {
        let amount = has.min(left);
        if amount > 0 {
            taken.push(Share { merchant, account, amount, settled });
            left = left.saturating_sub(amount);
        }
    }
    Ok(taken)
}

/// How the order's shares shrink: 2203 gives other orders' money too, which is no share of this one. A card transaction has
/// none.
pub(super) fn less(state: &State, chargeback: &Chargeback, taken: &[Share]) -> Result<Vec<Share>, Refusal> {
    let Target::Leg(_, order) = chargeback.target() else { return Ok(Vec::new()) };
    let order = state.order(order)?;
    let shrink = |share: &Share| {
        let has = if share.settled { order.share(share.merchant, true).max(0) } else { share.amount };
        Share { amount: share.amount.min(has).saturating_neg(), ..*share }
    };
    Ok(taken.iter().map(shrink).filter(|share| share.amount != 0).collect())
}

/// Changes what is charged back of an order and its leg, or of a card transaction; the order's shares; and what of the
/// transaction is still to be settled.
pub(super) fn charge(state: &mut State, target: Target, amount: Minor, shares: &[Share], unsettled: Minor) {
    match target {
        Target::Leg(leg, order) => {
            order::change(state, order, |order| {
                order.charged_back += amount;
                order::add_shares(order, shares);
            });
            state.legs.get_mut(leg.0).expect("decide checked the leg").charged_back += amount;
        }
        Target::Card(card) => card_transaction::change(state, card, |row| {
            row.charged_back += amount;
            row.money.pending -= unsettled;
        }),
    }
}
