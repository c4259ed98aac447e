//! Settlement (结算): a merchant's cleared money becomes available at T+1 working days.
//!
//! ```text
//!  share cleared ─ its due date comes ─ Settle { merchant, today } ─► Dr 2202 / Cr 2203, one voucher for all that is due
//! ```
//! A share below zero (a refund took more than the order had brought) is due at once and lowers the sum; while the sum is
//! not above zero there is nothing to settle. A card transaction has one share, due one working day after the network's file
//! named it ([`crate::card_clearing`]), less what is held for a refund of it. What the merchant owes is collected from what was settled, in the same command.

use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::arrears;
use crate::calendar::Date;
use crate::card_transaction;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, CardTransactionId, MerchantId, OrderId, SettlementId, VoucherId};
use crate::money::{Currency, Minor, add};
use crate::order::{self, Share};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// The most shares of one settlement; the next takes the rest.
pub const MAX_SHARES: usize = 10_000;

/// One order's share in a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SettledShare {
    /// The order.
    #[n(0)]
    pub order: OrderId,
    /// Minor units; below zero where a refund took more than the order had brought.
    #[n(1)]
    pub amount: Minor,
}

/// One card transaction's share in a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SettledCard {
    /// The transaction.
    #[n(0)]
    pub transaction: CardTransactionId,
    /// Fen.
    #[n(1)]
    pub amount: Minor,
}

/// What is due to a merchant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Σ of both.
    pub amount: Minor,
    /// Of which orders.
    pub shares: Vec<SettledShare>,
    /// Of which card transactions.
    pub cards: Vec<SettledCard>,
}

/// A settlement of one merchant.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Settlement {
    /// Its id.
    #[n(0)]
    pub id: SettlementId,
    /// The merchant.
    #[n(1)]
    pub merchant: MerchantId,
    /// The day it was made for.
    #[n(2)]
    pub date: Date,
    /// Σ shares.
    #[n(3)]
    pub amount: Minor,
    /// Its currency.
    #[n(4)]
    pub currency: Currency,
    /// What it is made of.
    #[n(5)]
    pub shares: Vec<SettledShare>,
    /// 2202.
    #[n(6)]
    pub from: AccountId,
    /// 2203.
    #[n(7)]
    pub to: AccountId,
    /// Its voucher.
    #[n(8)]
    pub voucher: VoucherId,
    /// When it was made.
    #[n(9)]
    pub created_at: Time,
    /// What of it is of cards at terminals.
    #[n(10)]
    #[cbor(default)]
    pub cards: Vec<SettledCard>,
}

impl Leaves for Settlement {
    /// It is over once it is made.
    fn is_closed(&self) -> bool {
        true
    }
}

/// Settles what is due to a merchant.
///
/// # Errors
/// `merchant_unknown`, `value_invalid` for a day to come, `not_cleared` if nothing is due, and those of the voucher.
pub fn decide_settle(draft: &mut Draft<'_>, merchant: MerchantId, today: Date) -> Result<Reply, Refusal> {
    let (from, to) = draft.state.merchant(merchant).map(|merchant| (merchant.pending, merchant.available))?;
    let date = Date::in_shanghai(draft.context.now);
    if today > date {
        let message = format!("{today} has not come; today is {date}");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "today", message));
    }
    let Due { amount, shares, cards } = due(draft.state, merchant, today)?;
    if amount <= 0 {
        let message =
            format!("{amount} is due to {merchant} by {today}; payments are due one working day after clearing");
        return Err(Refusal::new(RefusalCode::NotCleared, "merchant", message));
    }
    let id = SettlementId(draft.state.settlements.next_id());
    let currency = draft.state.account(from, "merchant")?.currency;
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Settlement, id.0);
    let dimensions = Dimensions { merchant: Some(merchant), ..Dimensions::default() };
    let voucher = draft.post(business, EventCode::Settled, entries, dimensions)?;
    draft.emit(Event::MerchantSettled(Settlement {
        id,
        merchant,
        date: today,
        amount,
        currency,
        shares,
        from,
        to,
        voucher,
        created_at: draft.context.now,
        cards,
    }));
    if draft.state.has_arrears(merchant) {
        arrears::collect(draft, merchant)?;
    }
    Ok(Reply::Settlement(id))
}

/// What is due to a merchant by `today`.
///
/// # Errors
/// `amount_overflow`.
pub fn due(state: &State, merchant: MerchantId, today: Date) -> Result<Due, Refusal> {
    let mut due = Due::default();
    let range = (merchant, Date(i32::MIN), OrderId(0))..=(merchant, today, OrderId(u64::MAX));
    for (&(_, _, order), &amount) in state.due.range(range).take(MAX_SHARES) {
        due.amount = add(due.amount, amount, "merchant")?;
        due.shares.push(SettledShare { order, amount });
    }
    let range = (merchant, Date(i32::MIN), CardTransactionId(0))..=(merchant, today, CardTransactionId(u64::MAX));
    for (&(_, _, transaction), &amount) in state.card_due.range(range).take(MAX_SHARES) {
        due.amount = add(due.amount, amount, "merchant")?;
        due.cards.push(SettledCard { transaction, amount });
    }
    Ok(due)
}

/// The merchants to whom something is due by `today`, in the order of their ids.
#[must_use]
pub fn merchants_due(state: &State, today: Date) -> Vec<MerchantId> {
    due_page(state, today, MerchantId(0), usize::MAX).merchants
}

/// Some of the merchants to whom something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    /// They, in the order of their ids.
    pub merchants: Vec<MerchantId>,
    /// From whom on the next page looks; none after the last.
    pub next: Option<MerchantId>,
}

/// The merchants from `from` on to whom something is due by `today`. The page ends with the merchant by whom `most` merchants, orders
/// and card transactions were looked at, so that nobody waits long for it.
#[must_use]
pub fn due_page(state: &State, today: Date, from: MerchantId, most: usize) -> DuePage {
    let (mut merchants, mut next, mut looked_at) = (Vec::new(), next_due(state, from), 0_usize);
    while let Some(merchant) = next.filter(|_| looked_at < most.max(1)) {
        let Due { amount, shares, cards } = due(state, merchant, today).unwrap_or_default();
        if amount > 0 {
            merchants.push(merchant);
        }
        looked_at = looked_at.saturating_add(1).saturating_add(shares.len()).saturating_add(cards.len());
        next = next_due(state, MerchantId(merchant.0.saturating_add(1)));
    }
    DuePage { merchants, next }
}

/// The first merchant from `from` on to whom anything will be due.
fn next_due(state: &State, from: MerchantId) -> Option<MerchantId> {
    let orders = state.due.range((from, Date(i32::MIN), OrderId(0))..).next().map(|((merchant, ..), _)| *merchant);
    let cards = state.card_due.range((from, Date(i32::MIN), CardTransactionId(0))..).next();
    orders.into_iter().chain(cards.map(|((merchant, ..), _)| *merchant)).min()
}

impl State {
    /// The settlement.
    ///
    /// # Errors
    /// `settlement_unknown`.
    pub fn settlement(&self, id: SettlementId) -> Result<&Settlement, Refusal> {
        self.settlements.get(id.0).ok_or_else(|| {
            let message = format!("there is no settlement {id}");
            Refusal::new(RefusalCode::SettlementUnknown, "settlement", message)
        })
    }
}

pub(crate) fn apply_settled(state: &mut State, settlement: &Settlement) {
    let Settlement { merchant, from, to, .. } = *settlement;
    for SettledShare { order, amount } in settlement.shares.iter().copied() {
        order::change(state, order, |order| {
            let moved = [
                Share { merchant, account: from, amount: -amount, settled: false },
                Share { merchant, account: to, amount, settled: true },
            ];
            order::add_shares(order, &moved);
        });
    }
    for SettledCard { transaction, amount } in settlement.cards.iter().copied() {
        card_transaction::change(state, transaction, |row| {
            row.money.pending -= amount;
            row.money.settled += amount;
        });
    }
    state.settlements.insert(settlement.id.0, settlement.clone());
}
