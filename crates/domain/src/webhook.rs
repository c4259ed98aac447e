//! Merchants' webhooks (商户回调): where a merchant is told what became of its orders, refunds, payouts, advances, settlements,
//! top-ups, transfers and card transactions.
//!
//! ```text
//!  register ─► ENABLED ◄─ change ─► DISABLED
//!                 └──── remove ────────┴─► REMOVED
//!  ping ─► an announcement for that webhook alone, whatever kinds it wants
//!  event ─► an announcement for each enabled webhook of the merchant that wants its kind ─► a delivery, outside the journal
//! ```
//! Who is told, and where, is a business fact: it is in the journal, and each event is announced to the webhooks that stood when
//! it happened, on every replay the same ones. Whether and when a receiver took it is no event: deliveries are rows of the store,
//! written with the checkpoint that holds the event. A removed webhook stays as a row, for its deliveries name it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::certificate::CertificateAlgorithm;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{MerchantId, WebhookId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod announcement;
#[cfg(test)]
mod tests;

pub(crate) use announcement::announce;
pub use announcement::{Announced, Announcement};

/// The most webhooks of a merchant that were not removed.
pub const MAX_LIVE: usize = 16;
/// The most bytes of an address.
pub const MAX_URL: usize = 512;

/// What a webhook may be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum WebhookKind {
    /// An order was paid.
    #[n(0)]
    OrderPaid,
    /// An order failed: no try is left.
    #[n(1)]
    OrderFailed,
    /// An order was closed unpaid.
    #[n(2)]
    OrderClosed,
    /// A refund is with the payer.
    #[n(3)]
    RefundSucceeded,
    /// A refund is not with the payer, at least in part.
    #[n(4)]
    RefundFailed,
    /// A payout or withdrawal arrived.
    #[n(5)]
    PayoutSucceeded,
    /// It did not arrive, and its money is back.
    #[n(6)]
    PayoutFailed,
    /// It arrived and came back.
    #[n(7)]
    PayoutReturned,
    /// A settlement was made.
    #[n(8)]
    SettlementMade,
    /// A top-up of an account of the merchant's: the money is there.
    #[n(9)]
    TopUpSucceeded,
    /// A top-up did not come; the channel may still say later that it did.
    #[n(10)]
    TopUpFailed,
    /// A transfer from or to an account of the merchant's.
    #[n(11)]
    TransferMade,
    /// The issuer said yes to a card transaction at a terminal of the merchant's.
    #[n(12)]
    CardTransactionApproved,
    /// Somebody said no to one.
    #[n(13)]
    CardTransactionDeclined,
    /// One was taken back.
    #[n(14)]
    CardTransactionReversed,
    /// An advance of own money arrived.
    #[n(16)]
    AdvanceSucceeded,
    /// It did not arrive, and its orders are settled as ever.
    #[n(17)]
    AdvanceFailed,
    /// It arrived and came back.
    #[n(18)]
    AdvanceReturned,
    /// Somebody wants to see a delivery. No webhook asks for it: it goes to the one that is pinged.
    #[n(15)]
    Ping,
}

impl WebhookKind {
    /// Every kind that a webhook may want.
    pub const ALL: [Self; 18] = [
        Self::OrderPaid,
        Self::OrderFailed,
        Self::OrderClosed,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::PayoutSucceeded,
        Self::PayoutFailed,
        Self::PayoutReturned,
        Self::SettlementMade,
        Self::TopUpSucceeded,
        Self::TopUpFailed,
        Self::TransferMade,
        Self::CardTransactionApproved,
        Self::CardTransactionDeclined,
        Self::CardTransactionReversed,
        Self::AdvanceSucceeded,
        Self::AdvanceFailed,
        Self::AdvanceReturned,
    ];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderPaid => "order.paid",
            Self::OrderFailed => "order.failed",
            Self::OrderClosed => "order.closed",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
            Self::PayoutSucceeded => "payout.succeeded",
            Self::PayoutFailed => "payout.failed",
            Self::PayoutReturned => "payout.returned",
            Self::SettlementMade => "settlement.made",
            Self::TopUpSucceeded => "top_up.succeeded",
            Self::TopUpFailed => "top_up.failed",
            Self::TransferMade => "transfer.made",
            Self::CardTransactionApproved => "card_transaction.approved",
            Self::CardTransactionDeclined => "card_transaction.declined",
            Self::CardTransactionReversed => "card_transaction.reversed",
            Self::AdvanceSucceeded => "advance.succeeded",
            Self::AdvanceFailed => "advance.failed",
            Self::AdvanceReturned => "advance.returned",
            Self::Ping => "ping",
        }
    }
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum WebhookStatus {
    /// It is told.
    #[n(0)]
    Enabled,
    /// Nothing new is announced to it, and what is outstanding waits.
    #[n(1)]
    Disabled,
    /// For ever; what is outstanding is given up.
    #[n(2)]
    Removed,
}

impl WebhookStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

/// Where a merchant is told what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Webhook {
    /// Its id.
    #[n(0)]
    pub id: WebhookId,
    /// Whose it is.
    #[n(1)]
    pub merchant: MerchantId,
    /// Where: `https://…`, in a sandbox also `http://…`.
    #[n(2)]
    pub url: String,
    /// What it is told of: in order, each once.
    #[n(3)]
    pub kinds: Vec<WebhookKind>,
    /// By which of the platform's pairs its deliveries are signed.
    #[n(4)]
    pub algorithm: CertificateAlgorithm,
    /// Where it stands.
    #[n(5)]
    pub status: WebhookStatus,
    /// When it was registered.
    #[n(6)]
    pub registered_at: Time,
    /// Who registered it.
    #[n(7)]
    pub registered_by: String,
    /// When it was last changed.
    #[n(8)]
    pub changed_at: Time,
    /// Who changed it last.
    #[n(9)]
    pub changed_by: String,
}

impl Webhook {
    /// What may be done with it.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            WebhookStatus::Enabled => &["change", "remove", "replay", "ping"],
            WebhookStatus::Disabled => &["change", "remove", "replay"],
            WebhookStatus::Removed => &[],
        }
    }
}

/// Registers a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterWebhook {
    /// Whose it is.
    pub merchant: MerchantId,
    /// As [`Webhook::url`]; checked for being an address before it came here.
    pub url: String,
    /// As [`Webhook::kinds`], in any order.
    pub kinds: Vec<WebhookKind>,
    /// As [`Webhook::algorithm`].
    pub algorithm: CertificateAlgorithm,
}

/// What of a webhook becomes otherwise; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeWebhook {
    /// Which one.
    pub webhook: WebhookId,
    /// Where.
    pub url: Option<String>,
    /// What it is told of.
    pub kinds: Option<Vec<WebhookKind>>,
    /// By which pair it is signed.
    pub algorithm: Option<CertificateAlgorithm>,
    /// Whether it is told.
    pub enabled: Option<bool>,
}

/// What is wanted of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Register one.
    Register(RegisterWebhook),
    /// Change one.
    Change(ChangeWebhook),
    /// Remove one, for ever.
    Remove(WebhookId),
    /// Have one told a ping.
    Ping(WebhookId),
}

/// What happened to webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WebhookEvent {
    /// One was registered.
    #[n(0)]
    Registered(#[n(0)] Webhook),
    /// One was changed or removed: its new image.
    #[n(1)]
    Changed(#[n(0)] Webhook),
    /// One is to be told a ping.
    #[n(2)]
    Pinged(#[n(0)] WebhookId),
}

/// Changes a merchant's webhooks.
///
/// # Errors
/// `merchant_unknown`, `webhook_unknown`; `webhook_state` for one that is removed, and for a ping to one that is disabled; `webhook_url` for an address that is too long
/// or, outside a sandbox, not `https`; `value_invalid` without kinds, or without a change; `webhooks_too_many`.
pub fn decide(draft: &mut Draft<'_>, command: WebhookCommand) -> Result<Reply, Refusal> {
    match command {
        WebhookCommand::Register(command) => register(draft, command),
        WebhookCommand::Change(command) => change(draft, command),
        WebhookCommand::Remove(id) => {
            let mut webhook = draft.state.webhook_to_change(id)?.clone();
            webhook.status = WebhookStatus::Removed;
            Ok(changed(draft, webhook))
        }
        WebhookCommand::Ping(id) => {
            if draft.state.webhook_to_change(id)?.status == WebhookStatus::Disabled {
                let message = format!("{id} is disabled and told nothing; enable it first");
                return Err(Refusal::new(RefusalCode::WebhookState, "webhook", message));
            }
            draft.emit(Event::Webhook(WebhookEvent::Pinged(id)));
            Ok(Reply::Webhook(id))
        }
    }
}

fn register(draft: &mut Draft<'_>, command: RegisterWebhook) -> Result<Reply, Refusal> {
    let RegisterWebhook { merchant, url, kinds, algorithm } = command;
    draft.state.merchant(merchant)?;
    url_fits(draft.state, &url)?;
    let kinds = in_order(kinds)?;
    let live = draft.state.webhooks_of(merchant).filter(|webhook| webhook.status != WebhookStatus::Removed).count();
    if live >= MAX_LIVE {
        let message = format!("{merchant} has {live}, and may have {MAX_LIVE}; remove one first");
        return Err(Refusal::new(RefusalCode::WebhooksTooMany, "merchant", message));
    }
    let id = WebhookId(draft.state.webhooks.next_id());
    let (now, by) = (draft.context.now, draft.operator());
    let (status, registered_by, changed_by) = (WebhookStatus::Enabled, by.clone(), by);
    let (registered_at, changed_at) = (now, now);
    draft.emit(Event::Webhook(WebhookEvent::Registered(Webhook {
        id,
        merchant,
        url,
        kinds,
        algorithm,
        status,
        registered_at,
        registered_by,
        changed_at,
        changed_by,
    })));
    Ok(Reply::Webhook(id))
}

fn change(draft: &mut Draft<'_>, command: ChangeWebhook) -> Result<Reply, Refusal> {
    let ChangeWebhook { webhook: id, url, kinds, algorithm, enabled } = command;
    let before = draft.state.webhook_to_change(id)?;
    let mut webhook = before.clone();
    if let Some(url) = url {
        url_fits(draft.state, &url)?;
        webhook.url = url;
    }
    if let Some(kinds) = kinds {
        webhook.kinds = in_order(kinds)?;
    }
    webhook.algorithm = algorithm.unwrap_or(webhook.algorithm);
    webhook.status = match enabled {
        Some(true) => WebhookStatus::Enabled,
        Some(false) => WebhookStatus::Disabled,
        None => webhook.status,
    };
    if webhook == *before {
        let message =
            format!("{id} is like that already; name an address, kinds, an algorithm or a state that differs");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "webhook", message));
    }
    Ok(changed(draft, webhook))
}

fn changed(draft: &mut Draft<'_>, mut webhook: Webhook) -> Reply {
    let id = webhook.id;
    (webhook.changed_at, webhook.changed_by) = (draft.context.now, draft.operator());
    draft.emit(Event::Webhook(WebhookEvent::Changed(webhook)));
    Reply::Webhook(id)
}

fn url_fits(state: &State, url: &str) -> Result<(), Refusal> {
    let refused = |message| Err(Refusal::new(RefusalCode::WebhookUrl, "url", message));
    if url.len() > MAX_URL {
        return refused(format!("it has {} bytes; use at most {MAX_URL}", url.len()));
    }
    let sandbox = state.genesis.as_ref().is_some_and(|genesis| genesis.sandbox);
    if url.starts_with("https://") || (sandbox && url.starts_with("http://")) {
        return Ok(());
    }
    refused(format!("'{url:.64}' does not begin with https://; only a sandbox calls http://"))
}

fn in_order(mut kinds: Vec<WebhookKind>) -> Result<Vec<WebhookKind>, Refusal> {
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        let message = "it would be told of nothing; name at least one kind, such as order.paid";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "kinds", String::from(message)));
    }
    Ok(kinds)
}

impl State {
    /// The webhook of this id.
    ///
    /// # Errors
    /// `webhook_unknown`.
    pub fn webhook(&self, id: WebhookId) -> Result<&Webhook, Refusal> {
        let unknown = || Refusal::new(RefusalCode::WebhookUnknown, "webhook", format!("there is no webhook {id}"));
        self.webhooks.get(id.0).ok_or_else(unknown)
    }

    fn webhook_to_change(&self, id: WebhookId) -> Result<&Webhook, Refusal> {
        let webhook = self.webhook(id)?;
        if webhook.status == WebhookStatus::Removed {
            let message = format!("{id} is removed for ever; register another one");
            return Err(Refusal::new(RefusalCode::WebhookState, "webhook", message));
        }
        Ok(webhook)
    }

    /// Every webhook that this merchant ever had, the oldest first.
    pub fn webhooks_of(&self, merchant: MerchantId) -> impl Iterator<Item = &Webhook> {
        let all = (merchant, WebhookId(0))..=(merchant, WebhookId(u64::MAX));
        self.merchant_webhooks.range(all).filter_map(|((_, id), ())| self.webhooks.get(id.0))
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &WebhookEvent) {
    match event {
        WebhookEvent::Registered(webhook) => {
            state.merchant_webhooks.insert((webhook.merchant, webhook.id), ());
            state.webhooks.insert(webhook.id.0, webhook.clone());
        }
        WebhookEvent::Changed(webhook) => state.webhooks.insert(webhook.id.0, webhook.clone()),
        // It is announced, which is all.
        WebhookEvent::Pinged(_) => {}
    }
}
