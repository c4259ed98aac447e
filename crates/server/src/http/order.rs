//! Orders: what is bought from a merchant, how far its payment has come, and who has what of the money.

use axum::extract::State;
use domain::account::Owner;
use domain::ids::{MerchantId, OrderId};
use domain::money::Currency;
use domain::order::expiry::CloseReason;
use domain::order::{CreateOrder, Item, ItemKind, Order, OrderStatus, Share};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::pay_password::{Payer, unproved};
use super::payment::{self, LegView, WireInstrument, instruments};
use super::sensitive::Encrypted;
use super::wait::{Wait, Waited};
use super::wire::{Amount, parse, parse_some, time, time_text, word};

/// Tries that an order may take unless it says.
const TRIES: u8 = 3;

/// What is bought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// Who sells, and is paid. A merchant creates its own orders and may leave it out.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    /// The merchant's own number, 1 to 64 bytes, never used before.
    #[schema(example = "R2026030500017")]
    out_trade_no: String,
    /// The user who pays.
    #[schema(example = "usr_7")]
    payer: String,
    /// 1 to 20 lines.
    items: Vec<WireItem>,
    /// The destination's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// An agreement account in place of the merchant's own: then there is no fee and no settlement.
    #[schema(example = "acc_60")]
    destination: Option<String>,
    /// How many tries it may take, 1 to 9; 3 unless said.
    tries_allowed: Option<u8>,
    /// Until when it can be paid: after now, and at most 31 days from it; for ever unless said. Then it is closed, or, while a try is
    /// under way, once its channel has said what became of it; a payment that the channel tells of before that pays it.
    #[schema(example = "2026-03-05T09:30:00+08:00")]
    expires_at: Option<String>,
    /// What pays it at once, as in `POST /v1/orders/{id}/pay`: the order is created and its first try begun, or neither.
    #[serde(default)]
    instruments: Vec<WireInstrument>,
    /// As in `POST /v1/orders/{id}/pay`.
    pay_password: Option<Encrypted>,
}

/// A line of an order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderItem)]
pub(crate) struct WireItem {
    /// `rent`, `deposit`, `service_fee`, `commission`, `earnest_money` or `house_price`.
    #[schema(example = "rent")]
    kind: String,
    /// Minor units above zero.
    amount: Amount,
}

impl WireItem {
    /// The line as callers see it.
    pub(super) fn of(item: &Item) -> Self {
        Self { kind: item.kind.name().into(), amount: Amount(item.amount) }
    }
}

/// What one account has of an order's money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareView {
    /// Whose.
    #[schema(example = "mch_3")]
    merchant: String,
    #[schema(example = "acc_50")]
    account: String,
    /// Below zero where a refund took more than the order had brought.
    amount: Amount,
    settled: bool,
}

impl ShareView {
    /// The share as callers see it.
    pub(crate) fn of(share: &Share) -> Self {
        Self {
            merchant: share.merchant.to_string(),
            account: share.account.to_string(),
            amount: Amount(share.amount),
            settled: share.settled,
        }
    }
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView {
    #[schema(example = "ord_7")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    out_trade_no: String,
    #[schema(example = "usr_7")]
    payer: String,
    items: Vec<WireItem>,
    /// Σ items.
    amount: Amount,
    /// What the payer pays, and the instruments of a try add up to: the amount, and the fee where it is on top.
    payable: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// The institution's fee.
    fee: Amount,
    /// Who pays it: `merchant`, out of the amount, or `payer`, on top of it.
    #[schema(example = "merchant")]
    fee_payer: &'static str,
    /// The version of the merchant's fee plan that gave it; null if that was its `fee_rate`, or if there is no fee.
    #[schema(example = "fpl_1")]
    fee_plan: Option<String>,
    /// What reaches the destination: payable − outside − fee.
    net: Amount,
    /// What a provident-fund centre paid the merchant directly: the institution did not carry it.
    outside: Amount,
    #[schema(example = "acc_50")]
    destination: String,
    /// `created`, `paying`, `success`, `failed` or `closed`.
    #[schema(example = "success")]
    status: String,
    /// It is to be closed, and still waits for its channel to say that nobody paid.
    closing: bool,
    /// Why it was closed unpaid: `requested`, `expired`, or `page_expired` (nobody paid at the last try's page before it expired).
    #[schema(example = "expired")]
    close_reason: Option<&'static str>,
    /// Until when it can be paid; null for ever.
    expires_at: Option<String>,
    tries_allowed: u8,
    tries: u8,
    /// The legs of every try.
    legs: Vec<LegView>,
    /// Who has what of it.
    shares: Vec<ShareView>,
    /// Refunded, or on its way back.
    refunded: Amount,
    fee_returned: Amount,
    /// From when on it may be settled; null until every leg is matched in a clearing file.
    #[schema(example = "2026-03-06")]
    due: Option<String>,
    settled: bool,
    created_at: String,
    ended_at: Option<String>,
    /// Whose failure the last failed try was: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
    /// The voucher that credited the destination.
    voucher: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl OrderView {
    /// The order as callers see it.
    pub(crate) fn of(state: &domain::State, order: &Order) -> Self {
        let legs = order.legs.iter().filter_map(|id| state.legs.get(id.0));
        Self {
            id: order.id.to_string(),
            merchant: order.merchant.to_string(),
            out_trade_no: order.out_trade_no.clone(),
            payer: order.payer.to_string(),
            items: order.items.iter().map(WireItem::of).collect(),
            amount: Amount(order.amount),
            payable: Amount(order.payable()),
            currency: order.currency.code(),
            fee: Amount(order.fee),
            fee_payer: order.fee_payer().name(),
            fee_plan: order.fee_plan.map(|id| id.to_string()),
            net: Amount(order.net),
            outside: Amount(order.outside),
            destination: order.destination.to_string(),
            status: order.status.name().to_owned(),
            closing: order.closing && order.status == OrderStatus::Paying,
            close_reason: order.close_reason().map(CloseReason::name),
            expires_at: order.expires_at.map(time_text),
            tries_allowed: order.tries_allowed,
            tries: order.tries,
            legs: legs.map(LegView::of).collect(),
            shares: order.shares.iter().map(ShareView::of).collect(),
            refunded: Amount(order.refunded),
            fee_returned: Amount(order.fee_returned),
            due: order.due.map(|date| date.to_string()),
            settled: order.is_settled(),
            created_at: time_text(order.created_at),
            ended_at: order.ended_at.map(time_text),
            failure: order.failure.map(domain::attempt::FailureClass::name),
            voucher: order.voucher.map(|id| id.to_string()),
            allowed_actions: order.allowed_actions(state),
        }
    }

    /// The view of the order that a reply names.
    pub(crate) fn of_reply(state: &domain::State, reply: &Reply) -> Option<Self> {
        let Reply::Order(id) = reply else { return None };
        state.orders.get(id.0).map(|order| Self::of(state, order))
    }
}

/// Create an order
///
/// (merchant, `out_trade_no`) is a key of its own: the same number with the same body gets the first answer. With `instruments`
/// it is paid by the same request, and with `wait` the answer comes once the channel has answered. With `expires_at` it can be paid until
/// then: a later try is refused as `order_expired`, and the order is closed by itself.
#[utoipa::path(post, path = "/v1/orders", tag = "order", params(Wait), responses((status = OK, body = OrderView)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(wait): Query<Wait>,
    Json(new): Json<NewOrder>,
) -> Result<Waited, ApiError> {
    let merchant = payee(&caller, new.merchant.as_deref())?;
    let item = |(index, wire): (usize, &WireItem)| {
        let kind = word(&wire.kind, "kind", &ItemKind::ALL, ItemKind::name);
        let kind = kind.map_err(|error| error.within(&format!("items[{index}]")))?;
        Ok(Item { kind, amount: wire.amount.0 })
    };
    let meta = caller.meta_of(merchant, "out_trade_no", &new.out_trade_no)?;
    let (payer, asks) = (parse(&new.payer, "payer")?, payment::asks(&new.instruments));
    let command = CreateOrder {
        merchant,
        payer,
        items: new.items.iter().enumerate().map(item).collect::<Result<_, ApiError>>()?,
        currency: Currency::parse(&new.currency)?,
        destination: parse_some(new.destination.as_deref(), "destination")?,
        tries_allowed: new.tries_allowed.unwrap_or(TRIES),
        expires_at: new.expires_at.map(|text| time(&text, "expires_at")).transpose()?,
        out_trade_no: new.out_trade_no,
        instruments: instruments(&app, new.instruments).await?,
    };
    let command = Command::CreateOrder(command);
    let Some(password) = &new.pay_password else {
        let before = unproved(&caller.actor, payer, asks)?;
        return app.change_order_unless(meta, command, before, &wait).await;
    };
    app.prove_payment(&caller.actor, Payer::User(payer), asks, Some(password)).await?;
    app.change_order(meta, command, &wait).await
}

/// For whom an order is created: the merchant that asks, or the one an operator names.
fn payee(caller: &Caller, named: Option<&str>) -> Result<MerchantId, ApiError> {
    match (parse_some(named, "merchant")?, caller.merchant) {
        (Some(named), _) => caller.merchant_or_operator(named).map(|()| named),
        (None, Some(own)) => Ok(own),
        (None, None) => Err(ApiError::new("field_missing", Some("merchant"), "name the merchant who sells")),
    }
}

/// The merchant who sells, for [`App::owned`].
pub(crate) fn seller(state: &domain::State, id: OrderId) -> Result<Owner, domain::Refusal> {
    state.order(id).map(|order| Owner::Merchant(order.merchant))
}

/// Close an order that nobody will pay
///
/// Not while a leg is open at a channel. Where the payer was sent to a channel's page, the order is `closing` until the channel says that
/// nobody paid: it is closed then, or paid after all.
#[utoipa::path(
    post, path = "/v1/orders/{id}/close", tag = "order", params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, body = OrderView))
)]
pub(crate) async fn close(State(app): State<App>, caller: Caller, Id(id): Id<OrderId>) -> Answered<OrderView> {
    app.owned(&caller, move |state| seller(state, id)).await?;
    app.change(caller.meta()?, Command::CloseOrder(id), OrderView::of_reply).await
}

/// Look at an order
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "order", params(("id" = String, Path, example = "ord_7"), Wait),
    responses((status = OK, body = OrderView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<OrderId>,
    Query(wait): Query<Wait>,
) -> Result<Waited, ApiError> {
    app.owned(&caller, move |state| seller(state, id)).await?;
    app.look_at_order(id, &wait).await
}

list_query! {
    /// Which orders.
    pub(crate) struct OrderQuery {
        /// Of this merchant; a merchant sees its own.
        merchant,
        /// With this number of the merchant's.
        out_trade_no,
        /// Paid by this user.
        payer,
        /// `created`, `paying`, `success`, `failed` or `closed`.
        status,
        /// Created on this date or later.
        created_from,
        /// Created on this date or earlier.
        created_to,
    }
}

const STATUSES: [OrderStatus; 5] =
    [OrderStatus::Created, OrderStatus::Paying, OrderStatus::Success, OrderStatus::Failed, OrderStatus::Closed];

/// List orders
#[utoipa::path(
    get, path = "/v1/orders", tag = "order", params(OrderQuery), responses((status = OK, body = PageView<OrderView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OrderQuery>,
) -> ListAnswer<OrderView> {
    let page = query.page();
    let named: Option<MerchantId> = parse_some(query.merchant.as_deref(), "merchant")?;
    named.map(|named| caller.merchant_or_operator(named)).transpose()?;
    let filter = store::order::OrderFilter {
        merchant: named.or(caller.merchant),
        payer: parse_some(query.payer.as_deref(), "payer")?,
        status: query.status.as_deref().map(|text| word(text, "status", &STATUSES, OrderStatus::name)).transpose()?,
        created_from: parse_some(query.created_from.as_deref(), "created_from")?,
        created_to: parse_some(query.created_to.as_deref(), "created_to")?,
        out_trade_no: query.out_trade_no,
    };
    let view = |state: &domain::State, row: &Order| OrderView::of(state, state.orders.get(row.id.0).unwrap_or(row));
    app.list(filter, page, view).await
}
