//! What a receiver is sent: made of the announcement alone, so that every try of a delivery has the same bytes.

use domain::attempt::FailureClass;
use domain::ids::AdvanceId;
use domain::money::{Currency, Minor};
use domain::order::expiry::CloseReason;
use domain::webhook::{Announced, Announcement};
use serde::Serialize;
use store::webhook_delivery::DeliveryId;
use utoipa::ToSchema;

use crate::http::wire::{Amount, date_text, time_text};

/// What a webhook is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookBody {
    /// The delivery: the same at every try, so that a receiver who got it twice knows.
    #[schema(example = "whd_1042_3")]
    id: String,
    #[schema(example = "whk_3")]
    webhook: String,
    #[schema(example = "mch_3")]
    merchant: String,
    #[schema(example = "order.paid")]
    kind: &'static str,
    /// The event's position in the journal: of one object, a later event has a larger one.
    #[schema(example = 1042)]
    position: u64,
    occurred_at: String,
    /// What it happened to, as it stood then.
    object: WebhookObject,
}

/// What something happened to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum WebhookObject {
    /// An order.
    Order {
        #[schema(example = "ord_7")]
        id: String,
        /// The merchant's own number.
        out_trade_no: String,
        /// Σ items.
        amount: Amount,
        /// What the payer pays: the amount, and the fee where it is on top.
        payable: Amount,
        fee: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
        /// Whose failure it was: `user`, `risk`, `bank` or `system`.
        failure: Option<&'static str>,
        /// Why it was closed unpaid: `requested`, `expired`, or `page_expired` (nobody paid at the last try's page).
        close_reason: Option<&'static str>,
    },
    /// A refund.
    Refund {
        #[schema(example = "rfd_2")]
        id: String,
        #[schema(example = "ord_7")]
        order: String,
        /// The merchant's own number.
        out_refund_no: String,
        amount: Amount,
        /// What is with the payer: less than `amount` where a part of it failed.
        refunded: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
    },
    /// A payout or withdrawal.
    Payout {
        #[schema(example = "pay_5")]
        id: String,
        /// `payout`, `withdrawal` or `deduction`.
        #[serde(rename = "payout_kind")]
        kind: &'static str,
        #[schema(example = "acc_42")]
        account: String,
        amount: Amount,
        fee: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
        /// Whose failure it was: `user`, `risk`, `bank` or `system`.
        failure: Option<&'static str>,
    },
    /// A settlement.
    Settlement {
        #[schema(example = "stl_4")]
        id: String,
        #[schema(example = "2026-03-06")]
        date: String,
        amount: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
    },
    /// A top-up.
    TopUp {
        #[schema(example = "tup_5")]
        id: String,
        #[schema(example = "acc_42")]
        account: String,
        amount: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
        /// Whether its money went to suspense, as the account took none any more.
        suspended: bool,
        /// Whose failure it was: `user`, `risk`, `bank` or `system`.
        failure: Option<&'static str>,
    },
    /// A transfer.
    Transfer {
        #[schema(example = "trf_5")]
        id: String,
        #[schema(example = "acc_42")]
        from: String,
        #[schema(example = "acc_43")]
        to: String,
        amount: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
    },
    /// A card transaction at a terminal.
    CardTransaction {
        #[schema(example = "ctx_8")]
        id: String,
        /// `sale`, `void`, `refund`, …
        #[serde(rename = "transaction_kind")]
        kind: &'static str,
        #[schema(example = "trm_1")]
        terminal: Option<String>,
        /// What it is about.
        original: Option<String>,
        amount: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
        /// The network's answer (F39).
        code: Option<String>,
    },
    /// An advance of own money (D0).
    Advance {
        #[schema(example = "adv_3")]
        id: String,
        /// What was unsettled of its orders.
        amount: Amount,
        /// What the institution keeps of that: the rest is paid.
        fee: Amount,
        #[schema(example = "CNY")]
        currency: &'static str,
        /// Whose failure it was: `user`, `risk`, `bank` or `system`.
        failure: Option<&'static str>,
    },
    /// The webhook itself, which somebody pinged.
    Webhook {
        #[schema(example = "whk_3")]
        id: String,
    },
}

impl WebhookBody {
    /// How an announcement is told.
    pub(crate) fn of(told: &Announcement) -> Self {
        Self {
            id: DeliveryId { webhook: told.webhook, position: told.position }.to_string(),
            webhook: told.webhook.to_string(),
            merchant: told.merchant.to_string(),
            kind: told.kind.name(),
            position: told.position,
            occurred_at: time_text(told.at),
            object: WebhookObject::of(&told.object),
        }
    }
}

impl WebhookObject {
    fn of(object: &Announced) -> Self {
        match object {
            Announced::Order { id, out_trade_no, amount, fee, currency, failure, close_reason, fee_on_top } => {
                Self::Order {
                    id: id.to_string(),
                    out_trade_no: out_trade_no.clone(),
                    amount: Amount(*amount),
                    payable: Amount(amount.saturating_add(fee_on_top.unwrap_or(0))),
                    fee: Amount(*fee),
                    currency: currency.code(),
                    failure: failure.map(|class| class.name()),
                    close_reason: close_reason.map(CloseReason::name),
                }
            }
            Announced::Refund { id, order, out_refund_no, amount, refunded, currency } => Self::Refund {
                id: id.to_string(),
                order: order.to_string(),
                out_refund_no: out_refund_no.clone(),
                amount: Amount(*amount),
                refunded: Amount(*refunded),
                currency: currency.code(),
            },
            Announced::Payout { id, kind, account, amount, fee, currency, failure } => Self::Payout {
                id: id.to_string(),
                kind: kind.name(),
                account: account.to_string(),
                amount: Amount(*amount),
                fee: Amount(*fee),
                currency: currency.code(),
                failure: failure.map(|class| class.name()),
            },
            Announced::Settlement { id, date, amount, currency } => Self::Settlement {
                id: id.to_string(),
                date: date_text(*date),
                amount: Amount(*amount),
                currency: currency.code(),
            },
            Announced::TopUp { id, account, amount, currency, suspended, failure } => Self::TopUp {
                id: id.to_string(),
                account: account.to_string(),
                amount: Amount(*amount),
                currency: currency.code(),
                suspended: *suspended,
                failure: failure.map(|class| class.name()),
            },
            Announced::Transfer { id, from, to, amount, currency } => Self::Transfer {
                id: id.to_string(),
                from: from.to_string(),
                to: to.to_string(),
                amount: Amount(*amount),
                currency: currency.code(),
            },
            Announced::CardTransaction { id, kind, terminal, original, amount, code } => Self::CardTransaction {
                id: id.to_string(),
                kind: kind.name(),
                terminal: terminal.map(|id| id.to_string()),
                original: original.map(|id| id.to_string()),
                amount: Amount(*amount),
                currency: Currency::Cny.code(),
                code: code.clone(),
            },
            Announced::Advance { id, amount, fee, currency, failure } => {
                Self::advance(*id, (*amount, *fee, *currency), *failure)
            }
            Announced::Webhook { id } => Self::Webhook { id: id.to_string() },
        }
    }

    fn advance(
        id: AdvanceId,
        (amount, fee, currency): (Minor, Minor, Currency),
        failure: Option<FailureClass>,
    ) -> Self {
        let failure = failure.map(FailureClass::name);
        Self::Advance {
            id: id.to_string(),
            amount: Amount(amount),
            fee: Amount(fee),
            currency: currency.code(),
            failure,
        }
    }
}

/// The bytes that are sent and signed.
pub(crate) fn of(told: &Announcement) -> Vec<u8> {
    serde_json::to_vec(&WebhookBody::of(told)).expect("texts and numbers are JSON")
}
