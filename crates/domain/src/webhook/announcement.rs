//! What a webhook is told: the outcome itself, as it stood when it happened, without anything of a person.
//!
//! ```text
//!  applied event ─ its row ─► kind, merchant ─► each enabled webhook that wants the kind ─► Announcement
//! ```
//! Announcements are gathered beside the entries that were posted: a refused command takes its own back, and the batch that
//! journals the event hands them to what follows. Only rows that the event itself touched are looked at, which are in memory
//! whenever it is applied.

use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::{Webhook, WebhookEvent, WebhookKind, WebhookStatus};
use crate::account::Owner;
use crate::advance::{Advance, AdvanceEvent};
use crate::attempt::FailureClass;
use crate::calendar::Date;
use crate::card_transaction::{CardKind, CardTransactionEvent};
use crate::envelope::Time;
use crate::event::Event;
use crate::fund_batch::FundBatchEvent;
use crate::ids::{
    AccountId, AdvanceId, CardTransactionId, MerchantId, OrderId, PayoutId, RefundId, SettlementId, TerminalId,
    TopUpId, TransferId, WebhookId,
};
use crate::money::{Currency, Minor};
use crate::order::OrderStatus;
use crate::order::expiry::CloseReason;
use crate::payout::PayoutKind;
use crate::refund::{RefundKind, RefundStatus};
use crate::state::State;
use crate::top_up::{TopUp, TopUpEvent};
use crate::transfer::{Transfer, TransferEvent};

/// What one webhook is to be told of one event.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Announcement {
    /// Which webhook.
    #[n(0)]
    pub webhook: WebhookId,
    /// Whose it is.
    #[n(1)]
    pub merchant: MerchantId,
    /// The event's position in the journal: with the webhook it names the delivery, the same after every recovery.
    #[n(2)]
    pub position: u64,
    /// What happened.
    #[n(3)]
    pub kind: WebhookKind,
    /// When, in the engine's time.
    #[n(4)]
    pub at: Time,
    /// To what.
    #[n(5)]
    pub object: Announced,
}

/// What it happened to, as it stood then. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Announced {
    /// An order.
    #[n(0)]
    Order {
        /// Its id.
        #[n(0)]
        id: OrderId,
        /// The merchant's own number.
        #[n(1)]
        out_trade_no: String,
        /// Σ items.
        #[n(2)]
        amount: Minor,
        /// The institution's fee.
        #[n(3)]
        fee: Minor,
        /// Of both.
        #[n(4)]
        currency: Currency,
        /// Whose failure it was.
        #[n(5)]
        failure: Option<FailureClass>,
        /// Why it was closed; none if it was not, or if an older program told of it.
        #[n(6)]
        close_reason: Option<CloseReason>,
        /// The fee, where the payer pays it beside the amount.
        #[n(7)]
        fee_on_top: Option<Minor>,
    },
    /// A refund.
    #[n(1)]
    Refund {
        /// Its id.
        #[n(0)]
        id: RefundId,
        /// Of which order.
        #[n(1)]
        order: OrderId,
        /// The merchant's own number.
        #[n(2)]
        out_refund_no: String,
        /// What was to go back.
        #[n(3)]
        amount: Minor,
        /// What did go back: less where a part of it failed.
        #[n(4)]
        refunded: Minor,
        /// Of both.
        #[n(5)]
        currency: Currency,
    },
    /// A payout or withdrawal.
    #[n(2)]
    Payout {
        /// Its id.
        #[n(0)]
        id: PayoutId,
        /// To another or to the merchant itself.
        #[n(1)]
        kind: PayoutKind,
        /// The account that pays.
        #[n(2)]
        account: AccountId,
        /// What arrives.
        #[n(3)]
        amount: Minor,
        /// The fee beside it.
        #[n(4)]
        fee: Minor,
        /// Of both.
        #[n(5)]
        currency: Currency,
        /// Whose failure it was.
        #[n(6)]
        failure: Option<FailureClass>,
    },
    /// A settlement.
    #[n(3)]
    Settlement {
        /// Its id.
        #[n(0)]
        id: SettlementId,
        /// The day it was made for.
        #[n(1)]
        date: Date,
        /// What became available.
        #[n(2)]
        amount: Minor,
        /// Its currency.
        #[n(3)]
        currency: Currency,
    },
    /// A top-up.
    #[n(4)]
    TopUp {
        /// Its id.
        #[n(0)]
        id: TopUpId,
        /// The account that is credited.
        #[n(1)]
        account: AccountId,
        /// Minor units.
        #[n(2)]
        amount: Minor,
        /// Its currency.
        #[n(3)]
        currency: Currency,
        /// Whether its money went to suspense, as the account took none any more.
        #[n(4)]
        suspended: bool,
        /// Whose failure it was.
        #[n(5)]
        failure: Option<FailureClass>,
    },
    /// A transfer.
    #[n(5)]
    Transfer {
        /// Its id.
        #[n(0)]
        id: TransferId,
        /// The account that paid.
        #[n(1)]
        from: AccountId,
        /// The account that was paid.
        #[n(2)]
        to: AccountId,
        /// Minor units.
        #[n(3)]
        amount: Minor,
        /// Its currency.
        #[n(4)]
        currency: Currency,
    },
    /// A card transaction.
    #[n(6)]
    CardTransaction {
        /// Its id.
        #[n(0)]
        id: CardTransactionId,
        /// What was asked of the card.
        #[n(1)]
        kind: CardKind,
        /// The terminal; none of a credit adjustment.
        #[n(2)]
        terminal: Option<TerminalId>,
        /// What it is about.
        #[n(3)]
        original: Option<CardTransactionId>,
        /// Fen.
        #[n(4)]
        amount: Minor,
        /// The network's answer (F39), where there was one.
        #[n(5)]
        code: Option<String>,
    },
    /// The webhook itself: a ping.
    #[n(7)]
    Webhook {
        /// Its id.
        #[n(0)]
        id: WebhookId,
    },
    /// An advance of own money.
    #[n(8)]
    Advance {
        /// Its id.
        #[n(0)]
        id: AdvanceId,
        /// What was unsettled of its orders.
        #[n(1)]
        amount: Minor,
        /// What the institution keeps of that: the rest is paid.
        #[n(2)]
        fee: Minor,
        /// Of both.
        #[n(3)]
        currency: Currency,
        /// Whose failure it was.
        #[n(4)]
        failure: Option<FailureClass>,
    },
}

/// Who is told.
enum To {
    /// Each webhook of the merchant that wants the kind.
    Merchant(MerchantId),
    /// The same of both, if they are two.
    Both(Option<MerchantId>, Option<MerchantId>),
    /// This one.
    Webhook(WebhookId),
}

impl To {
    fn takes(&self, webhook: &Webhook, kind: WebhookKind) -> bool {
        let wants = webhook.kinds.binary_search(&kind).is_ok();
        webhook.status == WebhookStatus::Enabled
            && match self {
                Self::Merchant(merchant) => webhook.merchant == *merchant && wants,
                Self::Both(one, other) => [one, other].contains(&&Some(webhook.merchant)) && wants,
                Self::Webhook(id) => webhook.id == *id,
            }
    }
}

/// Notes what the event just applied is to be told to, if anyone waits for it.
pub(crate) fn announce(state: &mut State, event: &Event) {
    if state.webhooks.is_empty() {
        return;
    }
    let Some((to, kind, object)) = of(state, event) else { return };
    let (position, at) = (state.position, state.now);
    let mut told = Vec::new();
    let mut tell = |webhook: &Webhook| {
        let (webhook, merchant, object) = (webhook.id, webhook.merchant, object.clone());
        told.push(Announcement { webhook, merchant, position, kind, at, object });
    };
    match &to {
        To::Merchant(merchant) => {
            state.webhooks_of(*merchant).filter(|webhook| to.takes(webhook, kind)).for_each(&mut tell);
        }
        To::Both(one, other) => {
            let other = other.filter(|other| Some(*other) != *one);
            for merchant in one.iter().chain(&other) {
                state.webhooks_of(*merchant).filter(|webhook| to.takes(webhook, kind)).for_each(&mut tell);
            }
        }
        To::Webhook(id) => {
            state.webhooks.get(id.0).filter(|webhook| to.takes(webhook, kind)).into_iter().for_each(&mut tell);
        }
    }
    state.announced.extend(told);
}

/// What of an event concerns which merchant: of most, nothing.
fn of(state: &State, event: &Event) -> Option<(To, WebhookKind, Announced)> {
    if let Event::OrderSucceeded { order, .. } = event {
        of_order(state, *order, WebhookKind::OrderPaid)
    } else if let Event::FundBatch(FundBatchEvent::OrderPaid(order)) = event {
        of_order(state, *order, WebhookKind::OrderPaid)
    } else if let Event::OrderTryFailed { order, status: OrderStatus::Failed, .. } = event {
        of_order(state, *order, WebhookKind::OrderFailed)
    } else if let Event::OrderClosed(order) = event {
        of_order(state, *order, WebhookKind::OrderClosed)
    } else if let Event::RefundAnswered(answered) = event {
        match answered.status {
            RefundStatus::Success => of_refund(state, answered.refund, WebhookKind::RefundSucceeded),
            // What is taken again of one part while another stays failed, or claimed of its bank, leaves it as it was told.
            RefundStatus::Failed if answered.late => None,
            RefundStatus::Failed => of_refund(state, answered.refund, WebhookKind::RefundFailed),
            RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Unknown => None,
        }
    } else if let Event::PayoutSucceeded { payout, .. } = event {
        of_payout(state, *payout, WebhookKind::PayoutSucceeded)
    } else if let Event::PayoutFailed { payout, .. } = event {
        of_payout(state, *payout, WebhookKind::PayoutFailed)
    } else if let Event::PayoutReturned { payout, .. } = event {
        of_payout(state, *payout, WebhookKind::PayoutReturned)
    } else if let Event::Advance(AdvanceEvent::Succeeded { advance, .. }) = event {
        of_advance(state, *advance, WebhookKind::AdvanceSucceeded)
    } else if let Event::Advance(AdvanceEvent::Failed { advance, .. }) = event {
        of_advance(state, *advance, WebhookKind::AdvanceFailed)
    } else if let Event::Advance(AdvanceEvent::Returned { advance, .. }) = event {
        of_advance(state, *advance, WebhookKind::AdvanceReturned)
    } else if let Event::MerchantSettled(made) = event {
        let object =
            Announced::Settlement { id: made.id, date: made.date, amount: made.amount, currency: made.currency };
        Some((To::Merchant(made.merchant), WebhookKind::SettlementMade, object))
    } else if let Event::TopUp(TopUpEvent::Succeeded { top_up, .. }) = event {
        of_top_up(state, *top_up, WebhookKind::TopUpSucceeded)
    } else if let Event::TopUp(TopUpEvent::Failed { top_up, .. }) = event {
        of_top_up(state, *top_up, WebhookKind::TopUpFailed)
    } else if let Event::Transfer(TransferEvent::Made(made)) = event {
        let Transfer { id, from, to, amount, currency, .. } = *made;
        let told = To::Both(merchant_of(state, from), merchant_of(state, to));
        Some((told, WebhookKind::TransferMade, Announced::Transfer { id, from, to, amount, currency }))
    } else if let Event::CardTransaction(CardTransactionEvent::Approved { transaction, .. }) = event {
        of_card(state, *transaction, WebhookKind::CardTransactionApproved)
    } else if let Event::CardTransaction(CardTransactionEvent::Declined { transaction, .. }) = event {
        of_card(state, *transaction, WebhookKind::CardTransactionDeclined)
    } else if let Event::CardTransaction(CardTransactionEvent::Reversed { transaction, .. }) = event {
        of_card(state, *transaction, WebhookKind::CardTransactionReversed)
    } else if let Event::Webhook(WebhookEvent::Pinged(id)) = event {
        Some((To::Webhook(*id), WebhookKind::Ping, Announced::Webhook { id: *id }))
    } else {
        None
    }
}

/// The merchant that an account belongs to.
fn merchant_of(state: &State, account: AccountId) -> Option<MerchantId> {
    match state.accounts.get(account.0)?.owner {
        Owner::Merchant(merchant) => Some(merchant),
        Owner::User(_) | Owner::Institution => None,
    }
}

/// A user's top-ups are the institution's product alone: no merchant is told.
fn of_top_up(state: &State, id: TopUpId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let top_up = state.top_ups.get(id.0)?;
    let merchant = merchant_of(state, top_up.account)?;
    let failure = top_up.failure.as_ref().map(|failure| failure.class);
    let TopUp { account, amount, currency, suspended, .. } = *top_up;
    Some((To::Merchant(merchant), kind, Announced::TopUp { id, account, amount, currency, suspended, failure }))
}

fn of_card(state: &State, id: CardTransactionId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let row = state.card_transactions.get(id.0)?;
    let object = Announced::CardTransaction {
        id,
        kind: row.kind,
        terminal: row.key.map(|key| key.terminal),
        original: row.original,
        amount: row.amount,
        code: row.code.clone(),
    };
    Some((To::Merchant(row.merchant), kind, object))
}

fn of_order(state: &State, id: OrderId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let order = state.orders.get(id.0)?;
    let failure = order.failure.filter(|_| kind != WebhookKind::OrderPaid);
    let (out_trade_no, amount, fee) = (order.out_trade_no.clone(), order.amount, order.fee);
    let (currency, close_reason, fee_on_top) = (order.currency, order.close_reason(), order.fee_on_top);
    let object = Announced::Order { id, out_trade_no, amount, fee, currency, failure, close_reason, fee_on_top };
    Some((To::Merchant(order.merchant), kind, object))
}

/// Money that no order can use was never the merchant's, and its refund has no number of the merchant's.
fn of_refund(state: &State, id: RefundId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let refund = state.refunds.get(id.0)?;
    if refund.kind == RefundKind::Useless {
        return None;
    }
    let order = state.orders.get(refund.order.0)?;
    let done = refund.parts.iter().filter(|part| part.status == RefundStatus::Success);
    let refunded = done.fold(0, |sum: Minor, part| sum.saturating_add(part.amount));
    let (out_refund_no, amount) = (refund.out_refund_no.clone(), refund.amount);
    let object =
        Announced::Refund { id, order: refund.order, out_refund_no, amount, refunded, currency: refund.currency };
    Some((To::Merchant(order.merchant), kind, object))
}

fn of_payout(state: &State, id: PayoutId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let payout = state.payouts.get(id.0)?;
    let merchant = merchant_of(state, payout.account)?;
    let failure = payout.failure.as_ref().map(|failure| failure.class);
    let object = Announced::Payout {
        id,
        kind: payout.kind,
        account: payout.account,
        amount: payout.amount,
        fee: payout.fee,
        currency: payout.currency,
        failure,
    };
    Some((To::Merchant(merchant), kind, object))
}

fn of_advance(state: &State, id: AdvanceId, kind: WebhookKind) -> Option<(To, WebhookKind, Announced)> {
    let advance = state.advances.get(id.0)?;
    let failure = advance.failure.as_ref().map(|failure| failure.class);
    let Advance { merchant, amount, fee, currency, .. } = *advance;
    Some((To::Merchant(merchant), kind, Announced::Advance { id, amount, fee, currency, failure }))
}
