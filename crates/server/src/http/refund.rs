//! Refunds: money of a paid order back to where each leg of it came from.

use axum::extract::State;
use domain::attempt::Rail;
use domain::ids::{OrderId, RefundId};
use domain::refund::{CreateRefund, ItemRefund, LegRefund, Refund, RefundKind, RefundPart, RefundStatus};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::order::{ShareView, seller};
use super::payment::NO_RAIL;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRefund {
    /// The merchant's own number, 1 to 64 bytes, never used before.
    #[schema(example = "F2026030500017")]
    out_refund_no: String,
    /// Minor units above zero, at most what is left of the payment; of an order with the fee on top, of what was bought.
    amount: Amount,
    /// Whether the fee is returned too, in proportion: inside `amount`, or beside it where the payer paid it on top. A fee plan with
    /// `on_refund` `returned` returns it without; with `kept` none may be asked for.
    #[serde(default)]
    return_fee: bool,
    /// What receivers of splits return; in the order's return order unless said.
    #[serde(default)]
    take_from: Vec<WireTaking>,
    /// What of which items goes back, together `amount`; the order as a whole unless said.
    #[serde(default)]
    items: Vec<WireItemRefund>,
    /// What goes back to which leg, together `amount`; a fee on top goes back beside it, with the card. Of rent the fund first, of anything
    /// else the card, unless said. With `items` the fund gets what it would get without `legs`.
    #[serde(default)]
    legs: Vec<WireLegRefund>,
}

/// What of an item goes back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireItemRefund {
    /// Its place in the order, from 0.
    #[schema(example = 1)]
    item: u32,
    /// Minor units above zero, at most what is left of it.
    amount: Amount,
}

impl WireItemRefund {
    pub(super) fn read(&self) -> ItemRefund {
        ItemRefund { item: self.item, amount: self.amount.0 }
    }

    pub(super) fn of(part: &ItemRefund) -> Self {
        Self { item: part.item, amount: Amount(part.amount) }
    }
}

/// What a leg gets back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireLegRefund {
    /// One of the legs that paid the order.
    #[schema(example = "leg_9")]
    leg: String,
    /// Minor units above zero, at most what it paid and has not got back.
    amount: Amount,
}

impl WireLegRefund {
    pub(super) fn read(&self) -> Result<LegRefund, ApiError> {
        Ok(LegRefund { leg: parse(&self.leg, "legs.leg")?, amount: self.amount.0 })
    }

    pub(super) fn of(part: &LegRefund) -> Self {
        Self { leg: part.leg.to_string(), amount: Amount(part.amount) }
    }
}

/// What one receiver of a split returns.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireTaking {
    #[schema(example = "mch_4")]
    merchant: String,
    /// Minor units above zero.
    amount: Amount,
}

/// What goes back to one leg.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefundPartView {
    #[schema(example = "leg_9")]
    leg: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`; `balance` where it went back to the payer's balance.
    rail: &'static str,
    /// Nothing where no channel is asked: to a balance.
    #[schema(example = "att_21")]
    attempt: Option<String>,
    amount: Amount,
    /// How much of it is returned fee.
    fee: Amount,
    /// As of the refund.
    status: String,
    /// What of which items it is; nothing if the refund names none, or was made before parts said so.
    items: Vec<WireItemRefund>,
}

/// A refund.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefundView {
    #[schema(example = "rfd_3")]
    id: String,
    #[schema(example = "ord_7")]
    order: String,
    /// Empty for money that no order can use.
    out_refund_no: String,
    /// `order`: the merchant gives it back. `useless`: no order can use it.
    kind: &'static str,
    /// What goes back to the payer, returned fee and all.
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// What reached the payer so far.
    succeeded: Amount,
    /// How much of it is returned fee.
    fee: Amount,
    /// What goes back to which leg.
    parts: Vec<RefundPartView>,
    /// What receivers of splits returned for it.
    returned: Vec<ShareView>,
    /// `created`, `in_transit`, `success`, `failed` or `unknown`. A failed one is `success` later if its channel carried it out after all and
    /// its money could be taken again.
    #[schema(example = "success")]
    status: String,
    created_at: String,
    ended_at: Option<String>,
    /// What came back and could not go to the merchant: it waits for a person.
    suspense: Amount,
    /// What of which items; the order as a whole if there are none.
    items: Vec<WireItemRefund>,
    /// What may be done about it now.
    allowed_actions: Vec<&'static str>,
}

const STATUSES: [RefundStatus; 5] = [
    RefundStatus::Created,
    RefundStatus::InTransit,
    RefundStatus::Success,
    RefundStatus::Failed,
    RefundStatus::Unknown,
];

impl RefundView {
    fn of(state: &domain::State, refund: &Refund) -> Self {
        let part = |part: &RefundPart| RefundPartView {
            leg: part.leg.to_string(),
            rail: part.rail.map_or(NO_RAIL, Rail::name),
            attempt: part.attempt.map(|id| id.to_string()),
            amount: Amount(part.amount),
            fee: Amount(part.fee),
            status: part.status.name().to_owned(),
            items: part.items.iter().map(WireItemRefund::of).collect(),
        };
        Self {
            id: refund.id.to_string(),
            order: refund.order.to_string(),
            out_refund_no: refund.out_refund_no.clone(),
            kind: match refund.kind {
                RefundKind::Order => "order",
                RefundKind::Useless => "useless",
            },
            amount: Amount(refund.amount),
            currency: refund.currency.code(),
            succeeded: Amount(refund.succeeded()),
            fee: Amount(refund.fee),
            parts: refund.parts.iter().map(part).collect(),
            returned: refund.returned.iter().map(ShareView::of).collect(),
            status: refund.status.name().to_owned(),
            created_at: time_text(refund.created_at),
            ended_at: refund.ended_at.map(time_text),
            suspense: Amount(refund.suspense),
            items: refund.items.iter().map(WireItemRefund::of).collect(),
            allowed_actions: refund.allowed_actions(state),
        }
    }
}

/// Refund an order, all or a part
///
/// Each leg is refunded where it came from, and no leg gets more than it paid: of rent the fund first, as far as it paid it; of anything
/// else the card. `items` says what the money is of, `legs` where it goes. A refund that says neither gives back what is not rent before it
/// gives back rent. Fund money never goes to a card. What goes back to a balance is there when this is answered.
#[utoipa::path(
    post, path = "/v1/orders/{id}/refunds", tag = "refund", params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, body = RefundView))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Id(order): Id<OrderId>,
    Json(new): Json<NewRefund>,
) -> Answered<RefundView> {
    app.owned(&caller, move |state| seller(state, order)).await?;
    let merchant = app.look(move |state| state.order(order).map(|order| order.merchant)).await?.view;
    let taking =
        |wire: &WireTaking| parse(&wire.merchant, "take_from.merchant").map(|merchant| (merchant, wire.amount.0));
    let meta = caller.meta_of(merchant, "out_refund_no", &new.out_refund_no)?;
    let command = CreateRefund {
        order,
        amount: new.amount.0,
        return_fee: new.return_fee,
        take_from: new.take_from.iter().map(taking).collect::<Result<_, ApiError>>()?,
        items: new.items.iter().map(WireItemRefund::read).collect(),
        legs: new.legs.iter().map(WireLegRefund::read).collect::<Result<_, ApiError>>()?,
        out_refund_no: new.out_refund_no,
    };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Refund(id) = reply else { return None };
        state.refunds.get(id.0).map(|refund| RefundView::of(state, refund))
    };
    app.change(meta, Command::CreateRefund(command), view).await
}

/// Look at a refund
#[utoipa::path(
    get, path = "/v1/refunds/{id}", tag = "refund", params(("id" = String, Path, example = "rfd_3")),
    responses((status = OK, body = RefundView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<RefundId>) -> Answered<RefundView> {
    app.owned(&caller, move |state| seller(state, state.refund(id)?.order)).await?;
    app.look(move |state| Ok(RefundView::of(state, state.refund(id)?))).await
}

list_query! {
    /// Which refunds.
    pub(crate) struct RefundQuery {
        /// Of this order; merchants name one of their own.
        order,
        /// With this number.
        out_refund_no,
        /// `created`, `in_transit`, `success`, `failed` or `unknown`.
        status,
        /// Created on this date or later.
        created_from,
        /// Created on this date or earlier.
        created_to,
    }
}

/// List refunds
#[utoipa::path(
    get, path = "/v1/refunds", tag = "refund", params(RefundQuery),
    responses((status = OK, body = PageView<RefundView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RefundQuery>,
) -> ListAnswer<RefundView> {
    let (page, order) = (query.page(), parse_some(query.order.as_deref(), "order")?);
    match order {
        Some(order) => app.owned(&caller, move |state| seller(state, order)).await?,
        None => caller.operator()?,
    }
    let filter = store::refund::RefundFilter {
        order,
        status: query.status.as_deref().map(|text| word(text, "status", &STATUSES, RefundStatus::name)).transpose()?,
        created_from: parse_some(query.created_from.as_deref(), "created_from")?,
        created_to: parse_some(query.created_to.as_deref(), "created_to")?,
        out_refund_no: query.out_refund_no,
        needs_person: None,
    };
    app.list(filter, page, RefundView::of).await
}
