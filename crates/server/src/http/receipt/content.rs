//! What a receipt says, and how its object stands.

use domain::advance::{Advance, AdvanceStatus};
use domain::attempt::Operation;
use domain::book::Subject;
use domain::card_transaction::{CardKind, CardStatus, CardTransaction, Effect};
use domain::chargeback::{Chargeback, ChargebackStatus};
use domain::envelope::Time;
use domain::ids::{AccountId, MerchantId, SplitId, VoucherId};
use domain::money::{Currency, Minor};
use domain::order::{Order, OrderStatus, Share};
use domain::payout::{Destination, Payout, PayoutStatus};
use domain::refund::{Refund, RefundStatus};
use domain::settlement::Settlement;
use domain::split::{Split, SplitReturn};
use domain::top_up::{TopUp, TopUpStatus};
use domain::transfer::Transfer;
use domain::{Refusal, RefusalCode, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Receipted;
use crate::http::wire::time_text;

/// Which version of this text it is: how a receipt's fields are read never changes under one.
const FORM: &str = "lintel-receipt-1";

/// A side of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Party {
    /// A person's name is masked.
    #[schema(example = "张*")]
    pub(super) name: String,
    /// An account here, or the masked number of one elsewhere.
    #[schema(example = "622202*********2230")]
    pub(super) account: Option<String>,
}

/// What a receipt says. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptContent {
    #[schema(example = "lintel-receipt-1")]
    pub(super) form: String,
    /// The object's id; of a split, with a hyphen, its receiver or the voucher of its return.
    #[schema(example = "pay_5")]
    pub(super) object: String,
    /// `order`, `refund`, `payout`, `withdrawal`, `deduction`, `top_up`, `transfer`, `settlement`, `advance`, `split`,
    /// `split_return`, `chargeback`, or a kind of card transaction.
    #[schema(example = "withdrawal")]
    pub(super) kind: String,
    /// The merchant's own number of it.
    pub(super) number: Option<String>,
    /// The order of a refund or split, the transaction that a card transaction is about, either of a chargeback.
    pub(super) about: Option<String>,
    pub(super) payer: Party,
    pub(super) payee: Party,
    pub(super) amount: i64,
    /// What the payer paid beside it, got back beside it of a refund, or kept of an advance.
    pub(super) fee: i64,
    #[schema(example = "CNY")]
    pub(super) currency: String,
    /// When it was done; of an advance, when it was sent.
    #[schema(example = "2026-03-05T01:00:00Z")]
    pub(super) at: String,
    /// The channel's own reference; the network's case number of a chargeback.
    pub(super) reference: Option<String>,
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Standing {
    /// As the object's own view has it.
    #[schema(example = "success")]
    pub(super) status: &'static str,
    /// What was given back, charged back or voided of it since, minor units.
    pub(super) given_back: i64,
}

/// Whether an error of the key service says that the signature is none of ours.
pub(super) fn is_no(error: &ark::keys::Error) -> bool {
    matches!(error.code(), "signature_invalid" | "length_invalid" | "decryption_failed" | "key_version" | "key_state")
}

/// How what a receipt is of stands now; of a part of a split, where `earlier` gave its receiver of the same order before.
pub(super) fn standing(state: &State, of: Receipted, earlier: &[SplitId]) -> Result<Standing, Refusal> {
    let (status, given_back) = match of {
        Receipted::Order(id) => {
            let order = state.order(id)?;
            (order.status.name(), order.refunded.saturating_add(order.charged_back))
        }
        Receipted::Refund(id) => (state.refund(id)?.status.name(), 0),
        Receipted::Payout(id) => {
            let payout = state.payout(id)?;
            (payout.status.name(), if payout.status == PayoutStatus::Returned { payout.amount } else { 0 })
        }
        Receipted::TopUp(id) => (state.top_up(id)?.status.name(), 0),
        Receipted::Transfer(id) => state.transfer(id).map(|_| ("success", 0))?,
        Receipted::Card(id) => {
            let row = state.card_transaction(id)?;
            let follower = row.followed_by.and_then(|id| state.card_transaction(id).ok());
            let undoes = |kind: CardKind| kind.effect() == Effect::Undo || kind == CardKind::PreAuthorisationCancel;
            let undone = follower.filter(|row| undoes(row.kind) && row.status == CardStatus::Approved);
            let back = row.money.refunded.saturating_add(row.charged_back);
            (row.status.name(), undone.map_or(back, |_| row.amount))
        }
        Receipted::Settlement(id) => state.settlement(id).map(|_| ("success", 0))?,
        Receipted::Advance(id) => {
            let advance = state.advance(id)?;
            let back = advance.status == AdvanceStatus::Returned;
            (advance.status.name(), if back { advance.outlay() } else { 0 })
        }
        Receipted::Split(id, receiver) => {
            // All are asked for before one is missed: what left memory comes back together.
            let earlier: Vec<_> = earlier.iter().map(|id| state.split(*id)).collect();
            let (split, amount) = split_to(state, id, receiver)?;
            let order = state.order(split.order)?;
            let earlier = earlier.into_iter().collect::<Result<Vec<_>, _>>()?;
            // Whatever of it the receiver has no more went back to the payee or with a refund.
            ("success", amount.saturating_sub(split.kept(&earlier, order, receiver)))
        }
        Receipted::SplitReturn(id, voucher) => split_return(state, id, voucher).map(|_| ("success", 0))?,
        Receipted::Chargeback(id) => {
            let chargeback = state.chargeback(id)?;
            let back = chargeback.status == ChargebackStatus::Won && chargeback.booked.is_some();
            (chargeback.status.name(), if back { chargeback.amount } else { 0 })
        }
    };
    Ok(Standing { status, given_back })
}

/// A split, and what it gave a receiver.
fn split_to(state: &State, id: SplitId, receiver: MerchantId) -> Result<(&Split, Minor), Refusal> {
    let split = state.split(id)?;
    let part = split.parts.iter().find(|part| part.merchant == receiver);
    let none = || Refusal::new(RefusalCode::SplitUnknown, "split", format!("{id} gave {receiver} nothing"));
    Ok((split, part.ok_or_else(none)?.amount))
}

/// A split, and what was given back of it by a voucher.
fn split_return(state: &State, id: SplitId, voucher: VoucherId) -> Result<(&Split, &SplitReturn), Refusal> {
    let split = state.split(id)?;
    let given = split.returns.iter().find(|given| given.voucher == voucher);
    let none = || Refusal::new(RefusalCode::SplitUnknown, "split", format!("{voucher} is no return of {id}"));
    Ok((split, given.ok_or_else(none)?))
}

impl ReceiptContent {
    /// The receipt; `None` of what did not end well. What came back afterwards had ended well.
    pub(super) fn of(state: &State, of: Receipted) -> Result<Option<Self>, Refusal> {
        match of {
            Receipted::Order(id) => of_order(state, state.order(id)?),
            Receipted::Refund(id) => of_refund(state, state.refund(id)?),
            Receipted::Payout(id) => of_payout(state, state.payout(id)?),
            Receipted::TopUp(id) => of_top_up(state, state.top_up(id)?),
            Receipted::Transfer(id) => of_transfer(state, state.transfer(id)?).map(Some),
            Receipted::Card(id) => of_card(state, state.card_transaction(id)?),
            Receipted::Settlement(id) => of_settlement(state, state.settlement(id)?).map(Some),
            Receipted::Advance(id) => of_advance(state, state.advance(id)?),
            Receipted::Split(id, receiver) => of_split(state, split_to(state, id, receiver)?, receiver).map(Some),
            Receipted::SplitReturn(id, voucher) => of_return(state, split_return(state, id, voucher)?).map(Some),
            Receipted::Chargeback(id) => of_chargeback(state, state.chargeback(id)?),
        }
    }

    /// The text that is signed: its fields in their order.
    pub(super) fn text(&self) -> String {
        // A structure of texts and numbers always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads such a text, and no other.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|read| read.form == FORM && read.text() == text)
    }

    /// What it is of.
    pub(super) fn object(&self) -> Option<Receipted> {
        self.object.parse().ok()
    }
}

/// The holder of an account here.
fn holder(state: &State, id: AccountId) -> Result<Party, Refusal> {
    use domain::account::Owner;
    let name = match state.account(id, "account")?.owner {
        Owner::User(user) => state.customer(state.user(user)?.customer)?.name.mask.clone(),
        Owner::Merchant(merchant) => state.merchant(merchant)?.name.clone(),
        Owner::Institution => "institution".to_owned(),
    };
    Ok(Party { name, account: Some(id.to_string()) })
}

/// What every receipt says.
struct Base<'a> {
    object: String,
    kind: &'a str,
    payer: Party,
    payee: Party,
    amount: i64,
    currency: Currency,
    at: Time,
}

impl Base<'_> {
    fn receipt(self) -> ReceiptContent {
        ReceiptContent {
            form: FORM.to_owned(),
            object: self.object,
            kind: self.kind.to_owned(),
            number: None,
            about: None,
            payer: self.payer,
            payee: self.payee,
            amount: self.amount,
            fee: 0,
            currency: self.currency.code().to_owned(),
            at: time_text(self.at),
            reference: None,
        }
    }
}

/// Who pays an order, as far as a receipt says it.
fn payer_of(state: &State, order: &Order) -> Result<Party, Refusal> {
    let name = state.customer(state.user(order.payer)?.customer)?.name.mask.clone();
    Ok(Party { name, account: None })
}

fn of_order(state: &State, order: &Order) -> Result<Option<ReceiptContent>, Refusal> {
    // What a centre paid the merchant directly is the centre's to say.
    let paid = order.status == OrderStatus::Success && order.carried() > 0;
    let Some(at) = order.ended_at.filter(|_| paid) else { return Ok(None) };
    let payee =
        Party { name: state.merchant(order.merchant)?.name.clone(), account: Some(order.destination.to_string()) };
    let (object, payer) = (order.id.to_string(), payer_of(state, order)?);
    let (fee, currency) = (order.on_top(), order.currency);
    let base = Base { object, kind: "order", payer, payee, amount: order.carried().saturating_sub(fee), currency, at };
    Ok(Some(ReceiptContent { number: Some(order.out_trade_no.clone()), fee, ..base.receipt() }))
}

fn of_refund(state: &State, refund: &Refund) -> Result<Option<ReceiptContent>, Refusal> {
    let Some(at) = refund.ended_at.filter(|_| refund.status == RefundStatus::Success) else { return Ok(None) };
    let order = state.order(refund.order)?;
    let payer = Party { name: state.merchant(order.merchant)?.name.clone(), account: None };
    let (object, payee) = (refund.id.to_string(), payer_of(state, order)?);
    let amount = order.bought(refund.amount, refund.fee);
    let (fee, currency) = (refund.amount.saturating_sub(amount), refund.currency);
    let base = Base { object, kind: "refund", payer, payee, amount, currency, at };
    let (number, about) = (Some(refund.out_refund_no.clone()), Some(order.id.to_string()));
    Ok(Some(ReceiptContent { number, about, fee, ..base.receipt() }))
}

fn of_payout(state: &State, payout: &Payout) -> Result<Option<ReceiptContent>, Refusal> {
    let done = matches!(payout.status, PayoutStatus::Success | PayoutStatus::Returned);
    let Some(at) = payout.ended_at.filter(|_| done) else { return Ok(None) };
    let payee = match &payout.destination {
        Destination::Bank(receiver) | Destination::Settlement(receiver) => {
            Party { name: receiver.name.mask.clone(), account: Some(receiver.account.mask.clone()) }
        }
        Destination::Company(account) => holder(state, *account)?,
    };
    let (object, kind, payer) = (payout.id.to_string(), payout.kind.name(), holder(state, payout.account)?);
    let base = Base { object, kind, payer, payee, amount: payout.amount, currency: payout.currency, at };
    Ok(Some(ReceiptContent { fee: payout.fee, reference: payout.reference.clone(), ..base.receipt() }))
}

fn of_top_up(state: &State, top_up: &TopUp) -> Result<Option<ReceiptContent>, Refusal> {
    let Some(at) = top_up.ended_at.filter(|_| top_up.status == TopUpStatus::Success) else { return Ok(None) };
    let payee = holder(state, top_up.account)?;
    // What the payer took at a channel's page is not known.
    let account = Some(top_up.mask.clone()).filter(|mask| !mask.is_empty());
    let payer = Party { name: payee.name.clone(), account };
    let (object, amount, currency) = (top_up.id.to_string(), top_up.amount, top_up.currency);
    let base = Base { object, kind: "top_up", payer, payee, amount, currency, at };
    Ok(Some(ReceiptContent { reference: top_up.reference.clone(), ..base.receipt() }))
}

fn of_transfer(state: &State, transfer: &Transfer) -> Result<ReceiptContent, Refusal> {
    let (payer, payee) = (holder(state, transfer.from)?, holder(state, transfer.to)?);
    let (object, amount, currency) = (transfer.id.to_string(), transfer.amount, transfer.currency);
    Ok(Base { object, kind: "transfer", payer, payee, amount, currency, at: transfer.made_at }.receipt())
}

fn card_of(row: &CardTransaction) -> Party {
    Party { name: row.card.scheme.name().to_owned(), account: Some(row.card.mask.clone()) }
}

fn of_card(state: &State, row: &CardTransaction) -> Result<Option<ReceiptContent>, Refusal> {
    let Some(at) = row.answered_at.filter(|_| row.status == CardStatus::Approved) else { return Ok(None) };
    let merchant = state.merchant(row.merchant)?;
    let merchant = Party { name: merchant.name.clone(), account: Some(merchant.pending.to_string()) };
    let card = card_of(row);
    let (payer, payee) = match (row.kind.effect(), row.kind) {
        (Effect::Undo | Effect::Out, _) | (_, CardKind::PreAuthorisationCancel) => (merchant, card),
        (Effect::In | Effect::Nothing, _) => (card, merchant),
    };
    let (object, kind, currency) = (row.id.to_string(), row.kind.name(), Currency::Cny);
    let number = row.key.map(|key| format!("{}/{:06}/{:06}", key.terminal, key.batch, key.trace));
    let about = row.original.map(|id| id.to_string());
    let base = Base { object, kind, payer, payee, amount: row.amount, currency, at }.receipt();
    Ok(Some(ReceiptContent { number, about, reference: Some(row.reference()), ..base }))
}

fn of_settlement(state: &State, settlement: &Settlement) -> Result<ReceiptContent, Refusal> {
    let (payer, payee) = (holder(state, settlement.from)?, holder(state, settlement.to)?);
    let (object, amount, currency) = (settlement.id.to_string(), settlement.amount, settlement.currency);
    Ok(Base { object, kind: "settlement", payer, payee, amount, currency, at: settlement.created_at }.receipt())
}

fn of_advance(state: &State, advance: &Advance) -> Result<Option<ReceiptContent>, Refusal> {
    if !matches!(advance.status, AdvanceStatus::Success | AdvanceStatus::Repaid | AdvanceStatus::Returned) {
        return Ok(None);
    }
    // The merchant's settlement account may be another by now; its request names the one that was paid.
    let Operation::Pay { account, name, .. } = &state.attempt(advance.attempt)?.operation else { return Ok(None) };
    let payee = Party { name: name.mask.clone(), account: Some(account.mask.clone()) };
    let payer = holder(state, state.institution(Subject::OwnBank, advance.currency)?)?;
    let (object, amount, currency) = (advance.id.to_string(), advance.outlay(), advance.currency);
    let base = Base { object, kind: "advance", payer, payee, amount, currency, at: advance.sent_at };
    // Of one that the bank had refused, and paid after all, the merchant kept the fee.
    let fee = if advance.claim.is_some() { 0 } else { advance.fee };
    Ok(Some(ReceiptContent { fee, reference: advance.reference.clone(), ..base.receipt() }))
}

/// A merchant whose share of an order changed, and the account, if it was one.
fn sharer(state: &State, shares: &[Share], id: MerchantId) -> Result<Party, Refusal> {
    let mut accounts = shares.iter().filter(|share| share.merchant == id).map(|share| share.account.to_string());
    let account = accounts.next().filter(|_| accounts.next().is_none());
    Ok(Party { name: state.merchant(id)?.name.clone(), account })
}

fn of_split(state: &State, (split, amount): (&Split, Minor), receiver: MerchantId) -> Result<ReceiptContent, Refusal> {
    let (payer, payee) = (sharer(state, &split.shares, split.payee)?, sharer(state, &split.shares, receiver)?);
    let (object, currency) = (format!("{}-{receiver}", split.id), state.order(split.order)?.currency);
    let base = Base { object, kind: "split", payer, payee, amount, currency, at: split.created_at };
    let (number, about) = (Some(split.out_split_no.clone()), Some(split.order.to_string()));
    Ok(ReceiptContent { number, about, ..base.receipt() })
}

fn of_return(state: &State, (split, given): (&Split, &SplitReturn)) -> Result<ReceiptContent, Refusal> {
    let (payer, payee) = (sharer(state, &given.shares, given.receiver)?, sharer(state, &given.shares, split.payee)?);
    let (object, currency) = (format!("{}-{}", split.id, given.voucher), state.order(split.order)?.currency);
    let base =
        Base { object, kind: "split_return", payer, payee, amount: given.amount, currency, at: given.created_at };
    let (number, about) = (Some(given.out_return_no.clone()), Some(split.order.to_string()));
    Ok(ReceiptContent { number, about, ..base.receipt() })
}

/// The merchant pays it, be it from arrears; whoever paid the order or the card has it back.
fn of_chargeback(state: &State, chargeback: &Chargeback) -> Result<Option<ReceiptContent>, Refusal> {
    let Some(booked) = &chargeback.booked else { return Ok(None) };
    let payer = Party { name: state.merchant(chargeback.merchant)?.name.clone(), account: None };
    let (payee, about) = match (chargeback.order, chargeback.card) {
        (Some(order), _) => (payer_of(state, state.order(order)?)?, order.to_string()),
        (None, Some(card)) => (card_of(state.card_transaction(card)?), card.to_string()),
        (None, None) => return Ok(None),
    };
    let (object, amount, currency) = (chargeback.id.to_string(), chargeback.amount, chargeback.currency);
    let base = Base { object, kind: "chargeback", payer, payee, amount, currency, at: booked.at };
    let reference = Some(chargeback.case_number.clone());
    Ok(Some(ReceiptContent { about: Some(about), reference, ..base.receipt() }))
}
