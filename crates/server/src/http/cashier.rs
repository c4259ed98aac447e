//! The cashier (收银台): a merchant's server opens a session for an order, and the payer's browser or app pays in it, by a token alone.
//!
//! ```text
//!  shop ─ POST /v1/orders/{id}/cashier-sessions, signed ─► token, until it expires ─► payer
//!  payer ─ GET …/cashier/orders/{id} ── what is bought, and how far it has come; with `wait`, once the try has ended
//!        ─ GET …/instruments ───────── what may pay it: signed cards as masks, pages of channels, the provident fund
//!        ─ POST …/pay ──────────────── one try by them, with the pay password where the payer has one
//!        └ GET …/front-page ────────── the form that leads to the channel's page
//! ```
//! What a payment may be is decided where the merchant's own is: [`super::payment`], and the pay password before it.
//!
//! Invariants:
//! - A payer sees its own order and masks of its own cards; no name, phone, number or agreement, and of other merchants' cards nothing.
//! - A payer names instruments by ids that were listed; their agreements come from the books.
//! - What can be seen outlives the order, so that its end is; nothing pays it then.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::options;
use domain::attempt::{FailureClass, Rail};
use domain::envelope::Time;
use domain::front_page::PageOf;
use domain::ids::OrderId;
use domain::leg::{Instrument, Leg};
use domain::order::{Order, OrderStatus};
use domain::{Command, Refusal, RefusalCode};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::instrument::{CashierInstrumentView, CashierPart, Offered, chosen, listed};
use self::token::Session;
pub(super) use self::token::authenticate;
use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::certificate::platform_key::{self, PlatformKeyView};
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::front_page::{self, FrontPageView};
use super::order::{WireItem, seller};
use super::pay_password::Payer;
use super::payment;
use super::sensitive::Encrypted;
use super::wait::Wait;
use super::wire::{Amount, time_text};

mod instrument;
mod token;

/// How long a session lasts unless said, and the bounds, in seconds.
const LIFE_S: i64 = 1_800;
const LIFE_MIN_S: i64 = 60;
const LIFE_MAX_S: i64 = 86_400;
/// The paths of payers.
const PATHS: [&str; 4] = [
    "/v1/cashier/orders/{id}",
    "/v1/cashier/orders/{id}/instruments",
    "/v1/cashier/orders/{id}/pay",
    "/v1/cashier/orders/{id}/front-page",
];
/// What a page of any origin may send, and may read of the answer.
const SENT: &str =
    "authorization, content-type, idempotency-key, lintel-encryption-serial, lintel-request-id, lintel-version";
const READ: &str = "lintel-position, lintel-repeated, lintel-request-id, lintel-version, retry-after";

/// What payers ask with a token.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(instruments))
        .routes(routes!(pay))
        .routes(routes!(front_page))
}

/// What browsers ask first, without a token, where the page is not the platform's own.
pub(super) fn preflights() -> OpenApiRouter<App> {
    PATHS.into_iter().fold(OpenApiRouter::new(), |router, path| router.route(path, options(preflight)))
}

async fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let said = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in said {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a route is for payers, whose browsers show pages of merchants.
pub(super) fn is_for_browsers(route: &str) -> bool {
    route.starts_with("/v1/cashier/")
}

/// Lets pages of any origin read an answer, and nobody keep it. No cookie is ever looked at: who has no token reads nothing.
pub(super) fn for_browsers(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// How a session is to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCashierSession {
    /// How long it lasts: 60 to 86,400 seconds, 1,800 unless said.
    #[schema(example = 1_800)]
    expires_in_seconds: Option<i64>,
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
pub(crate) struct CashierSessionView {
    #[schema(example = "ord_7")]
    order: String,
    /// For the order's payer alone: whoever has it can pay as the payer does. The platform keeps no copy.
    token: String,
    #[schema(example = "2026-03-05T01:30:00Z")]
    expires_at: String,
}

/// One instrument's share of a try, as its payer sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CashierLegView {
    /// The order's try, from 1.
    try_number: u8,
    /// `card`, `fund` or `redirect`.
    r#type: &'static str,
    /// The card's mask.
    mask: Option<String>,
    #[schema(example = "epcc")]
    rail: &'static str,
    amount: Amount,
    /// `created`, `sent`, `held`, `captured`, `failed`, `unknown`, `released` or `reversed`.
    #[schema(example = "captured")]
    status: &'static str,
    /// Whose failure it was: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
}

/// An order as its payer sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CashierOrderView {
    #[schema(example = "ord_7")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// The merchant's own number.
    out_trade_no: String,
    items: Vec<WireItem>,
    /// Σ items.
    amount: Amount,
    /// The fee that the payer pays beside them; 0 where the merchant bears it.
    fee: Amount,
    /// What the payer pays: both together.
    payable: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `created`, `paying`, `success`, `failed` or `closed`.
    #[schema(example = "paying")]
    status: &'static str,
    /// A try is under way: ask again with `wait`.
    trying: bool,
    /// Tries that are left.
    tries_left: u8,
    /// The legs of every try.
    legs: Vec<CashierLegView>,
    /// Whose failure the last failed try's was: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
    refunded: Amount,
    /// `pay`, `front_page`: what may be done now.
    allowed_actions: Vec<&'static str>,
    /// Until when the token is taken.
    #[schema(example = "2026-03-05T01:30:00Z")]
    session_expires_at: String,
}

/// What may pay an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CashierInstrumentsView {
    data: Vec<CashierInstrumentView>,
    /// The platform's public keys with which a pay password is encrypted; `Lintel-Encryption-Serial` names the one that was taken.
    encryption_keys: Vec<PlatformKeyView>,
}

/// By what an order is to be paid: Σ amounts = the order's `payable`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CashierPayment {
    /// At most one card or page, and the fund.
    instruments: Vec<CashierPart>,
    /// The payer's pay password, encrypted: where an instrument `needs` it.
    pay_password: Option<Encrypted>,
}

impl CashierLegView {
    fn of(leg: &Leg) -> Self {
        let (r#type, mask) = match &leg.instrument {
            Instrument::Card { mask, .. } => ("card", Some(mask.clone())),
            Instrument::Fund { .. } => ("fund", None),
            Instrument::Redirect { .. } => ("redirect", None),
            Instrument::Balance { .. } => ("balance", None),
        };
        Self {
            try_number: leg.try_number,
            r#type,
            mask,
            rail: leg.instrument.rail().map_or(payment::NO_RAIL, Rail::name),
            amount: Amount(leg.amount()),
            status: leg.status.name(),
            failure: leg.failure.map(FailureClass::name),
        }
    }
}

impl CashierOrderView {
    fn of(state: &domain::State, order: &Order, session_expires_at: Time) -> Self {
        let legs = order.legs.iter().filter_map(|id| state.legs.get(id.0));
        let mut allowed_actions = order.allowed_actions(state);
        allowed_actions.retain(|action| matches!(*action, "pay" | "front_page"));
        Self {
            id: order.id.to_string(),
            merchant: order.merchant.to_string(),
            out_trade_no: order.out_trade_no.clone(),
            items: order.items.iter().map(WireItem::of).collect(),
            amount: Amount(order.amount),
            fee: Amount(order.on_top()),
            payable: Amount(order.payable()),
            currency: order.currency.code(),
            status: order.status.name(),
            trying: order.trying,
            tries_left: order.tries_allowed.saturating_sub(order.tries),
            legs: legs.map(CashierLegView::of).collect(),
            failure: order.failure.map(FailureClass::name),
            refunded: Amount(order.refunded),
            allowed_actions,
            session_expires_at: time_text(session_expires_at),
        }
    }
}

/// Whether an order may still be paid, now or by a later try.
const fn is_open(order: &Order) -> bool {
    match order.status {
        OrderStatus::Created | OrderStatus::Paying => !order.closing,
        OrderStatus::Success | OrderStatus::Failed | OrderStatus::Closed => false,
    }
}

/// Why it may not.
const fn standing(order: &Order) -> &'static str {
    match order.status {
        OrderStatus::Created | OrderStatus::Paying if order.closing => "being closed",
        OrderStatus::Created
        | OrderStatus::Paying
        | OrderStatus::Success
        | OrderStatus::Failed
        | OrderStatus::Closed => order.status.name(),
    }
}

/// The session's order, while it may be paid.
///
/// # Errors
/// `cashier_order_ended`.
async fn open_order(app: &App, id: OrderId) -> Result<Order, ApiError> {
    let order = app.look(move |state| state.order(id).cloned()).await?.view;
    if is_open(&order) {
        return Ok(order);
    }
    let message = format!("{id} is {} and takes no payment any more; look at how it ended", standing(&order));
    Err(ApiError::new("cashier_order_ended", None, message))
}

/// The same error, or that the order has ended where that is why.
async fn ended_or(app: &App, id: OrderId, error: ApiError) -> ApiError {
    if error.code() != RefusalCode::OrderState.name() {
        return error;
    }
    open_order(app, id).await.err().unwrap_or(error)
}

async fn shown(app: &App, session: &Session) -> Answered<CashierOrderView> {
    let (id, expires_at) = (session.order, session.expires_at);
    app.look(move |state| Ok(CashierOrderView::of(state, state.order(id)?, expires_at))).await
}

/// Open a cashier session
///
/// For the payer of an order that may still be paid: a token with which its browser or app looks at this order and pays it, and nothing
/// else. Nothing is journaled: asked again it is another token, and both are taken until they expire. An order that has ended takes no
/// payment by any of them.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cashier-sessions", tag = "cashier", params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, body = CashierSessionView))
)]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    Id(order): Id<OrderId>,
    Json(new): Json<NewCashierSession>,
) -> Answered<CashierSessionView> {
    let seconds = new.expires_in_seconds.unwrap_or(LIFE_S);
    if !(LIFE_MIN_S..=LIFE_MAX_S).contains(&seconds) {
        let message = format!("{seconds} seconds are no session: use {LIFE_MIN_S} to {LIFE_MAX_S}, which is a day");
        return Err(ApiError::malformed("expires_in_seconds", message));
    }
    app.owned(&caller, move |state| seller(state, order)).await?;
    let position = app.look(move |state| can_open(state.order(order)?)).await?.position;
    let expires_at = app.clock.now().plus_ms(seconds.saturating_mul(1_000));
    let keys = app.request_keys().await?;
    let token = token::made(&keys.root, order, expires_at)?.expose().to_owned();
    metrics::counter!("lintel_cashier_sessions_total").increment(1);
    let view = CashierSessionView { order: order.to_string(), token, expires_at: time_text(expires_at) };
    Ok(Answer { view, position, repeated: false })
}

fn can_open(order: &Order) -> Result<(), Refusal> {
    if is_open(order) {
        return Ok(());
    }
    let message =
        format!("{} is {}; a cashier session is for an order that may still be paid", order.id, standing(order));
    Err(Refusal::new(RefusalCode::OrderState, "order", message))
}

/// Look at the session's order
///
/// What is bought, how far its payment has come, and how long the session lasts; with `wait`, once the try that is under way has ended.
#[utoipa::path(
    get, path = "/v1/cashier/orders/{id}", tag = "cashier", params(("id" = String, Path, example = "ord_7"), Wait),
    responses((status = OK, body = CashierOrderView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    session: Session,
    Query(wait): Query<Wait>,
) -> Answered<CashierOrderView> {
    app.look_at_order(session.order, &wait).await?;
    shown(&app, &session).await
}

/// List what may pay the session's order
///
/// The payer's cards that were signed for this merchant or for the institution, as masks; the pages of channels; the provident fund where
/// it may pay part of the order. `pay` names them by their ids.
#[utoipa::path(
    get, path = "/v1/cashier/orders/{id}/instruments", tag = "cashier",
    params(("id" = String, Path, example = "ord_7")), responses((status = OK, body = CashierInstrumentsView))
)]
pub(crate) async fn instruments(State(app): State<App>, session: Session) -> Answered<CashierInstrumentsView> {
    let order = open_order(&app, session.order).await?;
    let (offered, keys) = (Offered::of(&app, &order), app.ark.keys());
    let listed = app.look(move |state| listed(state, &order, &offered)).await?;
    let encryption_keys = app.blocking(move || platform_key::that_encrypt(&*keys)).await?;
    Ok(listed.map(|data| CashierInstrumentsView { data, encryption_keys }))
}

/// Pay the session's order
///
/// One try, as `POST /v1/orders/{id}/pay` is, by instruments that were listed. Answered once it is durably on its way, or with `wait` once
/// it has ended. The same `Idempotency-Key` of the order is the same payment, whichever of its tokens asks. A page takes the payer
/// further: fetch it with `front-page`.
#[utoipa::path(
    post, path = "/v1/cashier/orders/{id}/pay", tag = "cashier", params(("id" = String, Path, example = "ord_7"), Wait),
    responses((status = OK, body = CashierOrderView))
)]
pub(crate) async fn pay(
    State(app): State<App>,
    session: Session,
    Query(wait): Query<Wait>,
    Json(payment): Json<CashierPayment>,
) -> Answered<CashierOrderView> {
    let id = session.order;
    let order = app.look(move |state| state.order(id).cloned()).await?.view;
    let meta = session.meta(order.payer)?;
    let wire = chosen(&app, &order, payment.instruments).await?;
    let asks = payment::asks(&wire);
    let instruments = payment::instruments(&app, wire).await?;
    app.prove_payment(&meta.actor, Payer::Of(id), asks, payment.pay_password.as_ref()).await?;
    let repeated = match app.change_order(meta, Command::PayOrder { order: id, instruments }, &wait).await {
        Ok(waited) => waited.answer.repeated,
        Err(error) => return Err(ended_or(&app, id, error).await),
    };
    Ok(Answer { repeated, ..shown(&app, &session).await? })
}

/// Fetch the front page of the session's order
///
/// As `GET /v1/orders/{id}/front-page`: the form that takes the payer's browser to the channel's page, as JSON or, with
/// `Accept: text/html`, as a page that posts itself.
#[utoipa::path(
    get, path = "/v1/cashier/orders/{id}/front-page", tag = "cashier",
    params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, content((FrontPageView = "application/json"), (String = "text/html"))))
)]
pub(crate) async fn front_page(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = session.order;
    let payer = app.look(move |state| Ok(state.order(id)?.payer)).await?.view;
    match front_page::hand_out(&app, session.unkeyed(payer), PageOf::Order(id), &headers).await {
        Ok(page) => Ok(page),
        Err(error) => Err(ended_or(&app, id, error).await),
    }
}
