//! What a receipt says, and how its object stands.

use domain::card_transaction::{CardKind, CardStatus, CardTransaction, Effect};
use domain::envelope::Time;
use domain::ids::AccountId;
use domain::money::Currency;
use domain::order::{Order, OrderStatus};
use domain::payout::{Destination, Payout, PayoutStatus};
use domain::refund::{Refund, RefundStatus};
use domain::top_up::{TopUp, TopUpStatus};
use domain::transfer::Transfer;
use domain::{Refusal, State};
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
    /// The object's id.
    #[schema(example = "pay_5")]
    pub(super) object: String,
    /// `order`, `refund`, `payout`, `withdrawal`, `deduction`, `top_up`, `transfer`, or a kind of card transaction.
    #[schema(example = "withdrawal")]
    pub(super) kind: String,
    /// The merchant's own number of it.
    pub(super) number: Option<String>,
    /// The order of a refund, the transaction that a card transaction is about.
    pub(super) about: Option<String>,
    pub(super) payer: Party,
    pub(super) payee: Party,
    pub(super) amount: i64,
    /// What the payer paid beside it, or got back beside it of a refund.
    pub(super) fee: i64,
    #[schema(example = "CNY")]
    pub(super) currency: String,
    /// When it was done.
    #[schema(example = "2026-03-05T01:00:00Z")]
    pub(super) at: String,
    /// The channel's own reference.
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

/// How what a receipt is of stands now.
pub(super) fn standing(state: &State, of: Receipted) -> Result<Standing, Refusal> {
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
            (row.status.name(), undone.map_or(row.money.refunded, |_| row.amount))
        }
    };
    Ok(Standing { status, given_back })
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

fn of_card(state: &State, row: &CardTransaction) -> Result<Option<ReceiptContent>, Refusal> {
    let Some(at) = row.answered_at.filter(|_| row.status == CardStatus::Approved) else { return Ok(None) };
    let merchant = state.merchant(row.merchant)?;
    let merchant = Party { name: merchant.name.clone(), account: Some(merchant.pending.to_string()) };
    let card = Party { name: row.card.scheme.name().to_owned(), account: Some(row.card.mask.clone()) };
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
