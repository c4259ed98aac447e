//! Merchants' webhooks: where a merchant is told what, what it was told, and telling it again.
//!
//! What is registered is a command like any other. Deliveries lie outside the journal: lists of them come from the store, and a
//! replay is asked of the task that makes them, which is safe to be asked twice.

pub(crate) mod body;

use axum::extract::State;
use domain::certificate::CertificateAlgorithm;
use domain::ids::{MerchantId, WebhookId};
use domain::webhook::{ChangeWebhook, RegisterWebhook, Webhook, WebhookCommand, WebhookKind, WebhookStatus};
use domain::{Command, Refusal, RefusalCode, Reply};
use serde::{Deserialize, Serialize};
use store::webhook_delivery::{self as deliveries, Attempt, Delivery, DeliveryFilter, DeliveryId, DeliveryState};
use utoipa::{IntoParams, ToSchema};

use self::body::WebhookBody;
use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::certificate::platform_key;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse_some, time, time_text, word};
use crate::shell::webhook::{is_public, literal};

/// Where a merchant is to be told what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// `https://…`, in a sandbox also `http://…`; no password, no fragment.
    #[schema(example = "https://shop.example/lintel")]
    url: String,
    /// `order.paid`, `order.failed`, `order.closed`, `refund.succeeded`, `refund.failed`, `payout.succeeded`, `payout.failed`,
    /// `payout.returned`, `settlement.made`, `top_up.succeeded`, `top_up.failed`, `transfer.made`, `card_transaction.approved`,
    /// `card_transaction.declined`, `card_transaction.reversed`, `advance.succeeded`, `advance.failed`, `advance.returned`.
    #[schema(example = json!(["order.paid", "refund.succeeded"]))]
    kinds: Vec<String>,
    /// By which of the platform's pairs deliveries are signed: `sm2_with_sm3` (unless said) or `sha256_rsa2048`.
    #[schema(example = "sm2_with_sm3")]
    algorithm: Option<String>,
}

/// What of a webhook becomes otherwise; what is not named stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChange {
    /// As when it is registered.
    url: Option<String>,
    /// All of them, in place of the present ones.
    kinds: Option<Vec<String>>,
    /// As when it is registered.
    algorithm: Option<String>,
    /// `false` announces nothing more to it and keeps what is outstanding; `true` goes on with that.
    enabled: Option<bool>,
}

/// Where a merchant is told what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookView {
    #[schema(example = "whk_3")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    url: String,
    kinds: Vec<&'static str>,
    /// `sm2_with_sm3` or `sha256_rsa2048`.
    algorithm: &'static str,
    /// `enabled`, `disabled` or `removed`.
    #[schema(example = "enabled")]
    status: &'static str,
    registered_at: String,
    registered_by: String,
    changed_at: String,
    changed_by: String,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl WebhookView {
    fn of(webhook: &Webhook) -> Self {
        Self {
            id: webhook.id.to_string(),
            merchant: webhook.merchant.to_string(),
            url: webhook.url.clone(),
            kinds: webhook.kinds.iter().map(|kind| kind.name()).collect(),
            algorithm: webhook.algorithm.name(),
            status: webhook.status.name(),
            registered_at: time_text(webhook.registered_at),
            registered_by: webhook.registered_by.clone(),
            changed_at: time_text(webhook.changed_at),
            changed_by: webhook.changed_by.clone(),
            allowed_actions: webhook.allowed_actions().to_vec(),
        }
    }
}

fn kinds(texts: &[String]) -> Result<Vec<WebhookKind>, ApiError> {
    texts.iter().map(|text| word(text, "kinds", &WebhookKind::ALL, WebhookKind::name)).collect()
}

fn algorithm(text: Option<&str>) -> Result<Option<CertificateAlgorithm>, ApiError> {
    text.map(|text| word(text, "algorithm", &CertificateAlgorithm::ALL, CertificateAlgorithm::name)).transpose()
}

/// Refuses what is no address, or one that is never called: better now than at the first delivery.
fn address(app: &App, url: &str) -> Result<(), ApiError> {
    let wrong = |message: &str| Err(ApiError::malformed("url", message));
    let Ok(read) = reqwest::Url::parse(url) else {
        return wrong("this is no address; addresses look like https://shop.example/lintel");
    };
    if read.host_str().is_none() || !read.username().is_empty() || read.password().is_some() {
        return wrong("it has no host, or a user and a password, which would stand in the journal: leave them out");
    }
    if read.fragment().is_some() {
        return wrong("what follows # is never sent: leave it out");
    }
    if !app.webhooks.calls_private() && literal(&read).is_some_and(|address| !is_public(address)) {
        return wrong("this address is loopback, private or reserved and is never called");
    }
    Ok(())
}

/// Register a webhook
///
/// From then on the merchant is told there of each event of these kinds.
#[utoipa::path(
    post, path = "/v1/merchants/{id}/webhooks", tag = "webhook",
    params(("id" = String, Path, example = "mch_3")), responses((status = OK, body = WebhookView))
)]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Id(merchant): Id<MerchantId>,
    Json(new): Json<NewWebhook>,
) -> Answered<WebhookView> {
    caller.merchant_or_operator(merchant)?;
    address(&app, &new.url)?;
    let algorithm = algorithm(new.algorithm.as_deref())?.unwrap_or(CertificateAlgorithm::Sm2WithSm3);
    let command = RegisterWebhook { merchant, kinds: kinds(&new.kinds)?, url: new.url, algorithm };
    platform_key::ensure(&app, algorithm).await?;
    change_by(&app, &caller, WebhookCommand::Register(command)).await
}

/// Change a webhook
///
/// Its address, kinds or algorithm, or whether it is told. Deliveries that are outstanding go to the new address.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/change", tag = "webhook", params(("id" = String, Path, example = "whk_3")),
    responses((status = OK, body = WebhookView))
)]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(webhook): Id<WebhookId>,
    Json(body): Json<WebhookChange>,
) -> Answered<WebhookView> {
    owned(&app, &caller, webhook).await?;
    if let Some(url) = &body.url {
        address(&app, url)?;
    }
    let (kinds, algorithm) = (body.kinds.as_deref().map(kinds).transpose()?, algorithm(body.algorithm.as_deref())?);
    if let Some(algorithm) = algorithm {
        platform_key::ensure(&app, algorithm).await?;
    }
    let command = ChangeWebhook { webhook, url: body.url, kinds, algorithm, enabled: body.enabled };
    change_by(&app, &caller, WebhookCommand::Change(command)).await
}

/// Remove a webhook
///
/// For ever; what is outstanding for it is given up.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/remove", tag = "webhook", params(("id" = String, Path, example = "whk_3")),
    responses((status = OK, body = WebhookView))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(webhook): Id<WebhookId>,
) -> Answered<WebhookView> {
    owned(&app, &caller, webhook).await?;
    change_by(&app, &caller, WebhookCommand::Remove(webhook)).await
}

/// Ping a webhook
///
/// It is told `ping`, whatever kinds it wants, as any delivery: signed, and again until it is taken. See its deliveries for what came
/// of it.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/ping", tag = "webhook", params(("id" = String, Path, example = "whk_3")),
    responses((status = OK, body = WebhookView))
)]
pub(crate) async fn ping(State(app): State<App>, caller: Caller, Id(webhook): Id<WebhookId>) -> Answered<WebhookView> {
    owned(&app, &caller, webhook).await?;
    change_by(&app, &caller, WebhookCommand::Ping(webhook)).await
}

async fn change_by(app: &App, caller: &Caller, command: WebhookCommand) -> Answered<WebhookView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Webhook(id) = reply else { return None };
        state.webhook(*id).ok().map(|webhook| (webhook.id, webhook.merchant, WebhookView::of(webhook)))
    };
    let changed = app.change(caller.meta()?, Command::Webhook(command), view).await?;
    app.webhooks.changed(changed.view.0, changed.view.1);
    Ok(changed.map(|(_, _, view)| view))
}

/// The webhook, if the caller may see it.
async fn owned(app: &App, caller: &Caller, id: WebhookId) -> Answered<Webhook> {
    let answer = app.look(move |state| state.webhook(id).cloned()).await?;
    caller.merchant_or_operator(answer.view.merchant)?;
    Ok(answer)
}

/// Look at a webhook
#[utoipa::path(
    get, path = "/v1/webhooks/{id}", tag = "webhook", params(("id" = String, Path, example = "whk_3")),
    responses((status = OK, body = WebhookView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<WebhookId>) -> Answered<WebhookView> {
    Ok(owned(&app, &caller, id).await?.map(|webhook| WebhookView::of(&webhook)))
}

list_query! {
    /// Which webhooks.
    pub(crate) struct WebhookQuery {
        /// Of this merchant; a merchant sees its own.
        merchant,
        /// `enabled`, `disabled` or `removed`.
        status,
    }
}

/// List webhooks
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhook", params(WebhookQuery),
    responses((status = OK, body = PageView<WebhookView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WebhookQuery>,
) -> ListAnswer<WebhookView> {
    let asked = parse_some(query.merchant.as_deref(), "merchant")?;
    if let Some(merchant) = asked {
        caller.merchant_or_operator(merchant)?;
    }
    let all = [WebhookStatus::Enabled, WebhookStatus::Disabled, WebhookStatus::Removed];
    let status = query.status.as_deref().map(|text| word(text, "status", &all, WebhookStatus::name)).transpose()?;
    let (page, merchant) = (query.page(), asked.or(caller.merchant));
    let filter = store::webhook::WebhookFilter { merchant, status };
    app.list(filter, page, |_, webhook| WebhookView::of(webhook)).await
}

/// One try at a receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryTryView {
    /// From 1.
    number: u32,
    at: String,
    /// HTTP's status; null where no answer came.
    #[schema(example = 500)]
    status: Option<u16>,
    duration_ms: u64,
    /// Why it was not taken: a few words, the first bytes of the answer among them, long numbers masked. Empty if it was.
    #[schema(example = "answered 500: bad order")]
    error: String,
}

impl DeliveryTryView {
    fn of(attempt: Attempt) -> Self {
        let Attempt { number, at, status, duration_ms, error } = attempt;
        Self { number, at: wall_text(at), status, duration_ms, error }
    }
}

fn wall_text(at: i64) -> String {
    time_text(domain::envelope::Time(at))
}

/// One thing that a webhook is to be told, and how that stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    #[schema(example = "whd_1042_3")]
    id: String,
    #[schema(example = "order.paid")]
    kind: &'static str,
    /// What it is about.
    #[schema(example = "ord_7")]
    object: String,
    /// `new`: not looked at yet. `ready`: sent at `next_at`. `behind`: an earlier one of the same object is outstanding.
    /// `accepted`: the receiver took it. `given_up`: it is sent no more.
    #[schema(example = "accepted")]
    state: &'static str,
    /// How many tries were made.
    tries: u32,
    /// When it is sent next, while it is ready.
    next_at: Option<String>,
    /// Since when it is outstanding; after 24 hours it is given up.
    since: Option<String>,
    /// When it was accepted or given up.
    ended_at: Option<String>,
    /// What is sent.
    body: WebhookBody,
}

impl DeliveryView {
    fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id().to_string(),
            kind: delivery.announcement.kind.name(),
            object: deliveries::object(&delivery.announcement.object),
            state: delivery.state.name(),
            tries: delivery.attempts,
            next_at: (delivery.state == DeliveryState::Ready).then(|| wall_text(delivery.next_at)),
            since: delivery.since.map(wall_text),
            ended_at: delivery.ended_at.map(wall_text),
            body: WebhookBody::of(&delivery.announcement),
        }
    }
}

/// A delivery with its tries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryLogView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The oldest first.
    log: Vec<DeliveryTryView>,
}

/// Which deliveries of a webhook.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// `new`, `ready`, `behind`, `accepted` or `given_up`.
    state: Option<String>,
    /// About this object, such as ord_7.
    object: Option<String>,
    /// 1 to 500; 50 unless said.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveriesView {
    /// The newest first.
    data: Vec<DeliveryView>,
    /// Where the next page begins; null on the last one.
    #[schema(example = "1042")]
    next_cursor: Option<String>,
}

/// List deliveries
///
/// What a webhook was told or is to be told, the newest first; kept for thirty days after they ended.
#[utoipa::path(
    get, path = "/v1/webhooks/{id}/deliveries", tag = "webhook",
    params(("id" = String, Path, example = "whk_3"), DeliveryQuery), responses((status = OK, body = DeliveriesView))
)]
pub(crate) async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Id(webhook): Id<WebhookId>,
    Query(query): Query<DeliveryQuery>,
) -> Answered<DeliveriesView> {
    let answer = owned(&app, &caller, webhook).await?;
    let state = query.state.as_deref();
    let state = state.map(|text| word(text, "state", &DeliveryState::ALL, DeliveryState::name)).transpose()?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=500).contains(&limit) {
        return Err(ApiError::malformed("limit", format!("{limit} rows are not a page; use 1 to 500")));
    }
    let before = query.cursor.as_deref().map(str::parse).transpose().map_err(|_| {
        let message = "this is no cursor; pass next_cursor of the page before, unchanged";
        ApiError::new("cursor_malformed", Some("cursor"), message)
    })?;
    let filter = DeliveryFilter { webhook, state, object: query.object };
    let store = app.books.store.clone();
    let failed = |error| ApiError::internal("reading deliveries", &error);
    // One row more than asked for says whether there is a next page.
    let listing = move || deliveries::list(&store, &filter, before, limit + 1).map_err(failed);
    let mut rows = app.blocking(listing).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.announcement.position.to_string());
    Ok(answer.map(|_| DeliveriesView { data: rows.iter().map(DeliveryView::of).collect(), next_cursor }))
}

/// Look at a delivery
///
/// With every try at its receiver.
#[utoipa::path(
    get, path = "/v1/webhook-deliveries/{id}", tag = "webhook", params(("id" = String, Path, example = "whd_1042_3")),
    responses((status = OK, body = DeliveryLogView))
)]
pub(crate) async fn delivery(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Answered<DeliveryLogView> {
    let answer = owned(&app, &caller, id.webhook).await?;
    let found = logged(&app, id).await?;
    Ok(answer.map(|_| found))
}

async fn logged(app: &App, id: DeliveryId) -> Result<DeliveryLogView, ApiError> {
    let store = app.books.store.clone();
    let failed = |error| ApiError::internal("reading a delivery", &error);
    let found = app.blocking(move || deliveries::get(&store, id).map_err(failed)).await?;
    let (delivery, log) = found.ok_or_else(|| unknown(id))?;
    let log = log.into_iter().map(DeliveryTryView::of).collect();
    Ok(DeliveryLogView { delivery: DeliveryView::of(&delivery), log })
}

fn unknown(id: DeliveryId) -> ApiError {
    let message = format!("there is no delivery {id}, or it ended so long ago that it is forgotten");
    ApiError::new("delivery_unknown", Some("id"), message)
}

/// The webhook, if the caller may have it told again.
async fn replayed_by(app: &App, caller: &Caller, id: WebhookId) -> Answered<Webhook> {
    let answer = owned(app, caller, id).await?;
    if answer.view.status == WebhookStatus::Removed {
        let message = format!("{id} is removed, and is told nothing any more; register another one");
        return Err(Refusal::new(RefusalCode::WebhookState, "webhook", message).into());
    }
    Ok(answer)
}

/// Tell a delivery again
///
/// One that was accepted or given up is sent again, under the same id, in the order of its object; one that is outstanding
/// stays so.
#[utoipa::path(
    post, path = "/v1/webhook-deliveries/{id}/replay", tag = "webhook",
    params(("id" = String, Path, example = "whd_1042_3")), responses((status = OK, body = DeliveryLogView))
)]
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Answered<DeliveryLogView> {
    let answer = replayed_by(&app, &caller, id.webhook).await?;
    let failed = |error| ApiError::internal("replaying a delivery", &error);
    app.webhooks.replay(id).await?.map_err(failed)?.ok_or_else(|| unknown(id))?;
    tracing::info!(delivery = %id, by = caller.id(), "a webhook's delivery is replayed");
    let found = logged(&app, id).await?;
    Ok(answer.map(|_| found))
}

/// From when on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// Everything that happened then or later and was accepted or given up.
    #[schema(example = "2026-03-05T09:00:00+08:00")]
    since: String,
}

/// What was replayed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayView {
    /// Deliveries that are outstanding again.
    #[schema(example = 12)]
    replayed: u64,
}

/// Tell a webhook everything again since a time
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/replay", tag = "webhook", params(("id" = String, Path, example = "whk_3")),
    responses((status = OK, body = ReplayView))
)]
pub(crate) async fn replay_since(
    State(app): State<App>,
    caller: Caller,
    Id(webhook): Id<WebhookId>,
    Json(body): Json<Replay>,
) -> Answered<ReplayView> {
    let since = time(&body.since, "since")?;
    let answer = replayed_by(&app, &caller, webhook).await?;
    let failed = |error| ApiError::internal("replaying deliveries", &error);
    let replayed = app.webhooks.replay_since(webhook, since.0).await?.map_err(failed)?;
    tracing::info!(%webhook, replayed, by = caller.id(), "a webhook's deliveries are replayed");
    Ok(answer.map(|_| ReplayView { replayed }))
}
