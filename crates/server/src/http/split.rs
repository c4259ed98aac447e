//! Splits: a paid order's money shared among merchants before it is settled.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::account::Owner;
use domain::ids::{MerchantId, OrderId, SplitId};
use domain::split::{MakeSplit, Parts, ReturnSplit, Split, SplitPart, SplitReturn};
use domain::split_plan::PlannedParts;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::order::seller;
use super::split_plan;
use super::wire::{Amount, parse, parse_some, time_text};

/// How to split: by `parts`, by `rates` of an `amount`, or by a `plan` of the platform.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSplit {
    /// Your own number, 1 to 64 bytes, never used before for the order's merchant.
    #[schema(example = "S2026030500017")]
    out_split_no: String,
    /// Who receives what, in minor units.
    parts: Option<Vec<WirePart>>,
    /// Who receives how much of `amount`.
    rates: Option<WireRates>,
    /// Which plan of the platform, and who had which of its roles.
    plan: Option<WirePlan>,
    /// The receivers in the order in which a refund takes their parts back; the last part first unless said.
    #[serde(default)]
    return_order: Vec<String>,
}

/// One receiver's part.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WirePart {
    #[schema(example = "mch_4")]
    merchant: String,
    /// Minor units above zero.
    amount: Amount,
}

/// A split by rates.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireRates {
    /// What is split, in minor units.
    amount: Amount,
    /// Together 1,000,000 millionths.
    rates: Vec<WireRate>,
    /// The receiver of what rounding leaves.
    #[schema(example = "mch_4")]
    remainder_to: String,
}

/// A split by a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WirePlan {
    /// Its name: see `GET /v1/split-plans`. The version of the accounting day holds.
    #[schema(example = "agent_network")]
    name: String,
    /// What is split, in minor units.
    amount: Amount,
    /// The merchants by their roles. What a role gets that nobody had goes to whoever has what rounding leaves.
    roles: BTreeMap<String, String>,
}

/// One receiver's rate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireRate {
    #[schema(example = "mch_4")]
    merchant: String,
    /// Millionths.
    #[schema(example = 400_000)]
    rate: i64,
}

/// A split.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitView {
    #[schema(example = "spl_3")]
    id: String,
    #[schema(example = "ord_7")]
    order: String,
    out_split_no: String,
    /// Whose share was split.
    #[schema(example = "mch_3")]
    payee: String,
    parts: Vec<WirePart>,
    /// Σ parts.
    amount: Amount,
    return_order: Vec<String>,
    #[schema(example = "vch_1042")]
    voucher: String,
    created_at: String,
    /// What receivers gave back of it without a refund, oldest first.
    returns: Vec<SplitReturnView>,
    /// The version of a plan that it went by, if it named one that two people set.
    #[schema(example = "spp_1")]
    plan: Option<String>,
    /// `return` while a receiver has something of it to give back; a refund of the order takes parts back by itself.
    allowed_actions: Vec<&'static str>,
}

/// What a receiver is to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSplitReturn {
    /// The receiver's own number, 1 to 64 bytes, never used before.
    #[schema(example = "R2026030500017")]
    out_return_no: String,
    /// Who gives it back: a receiver of the split.
    #[schema(example = "mch_4")]
    receiver: String,
    /// Minor units above zero, at most what the split gave it and it has not returned.
    amount: Amount,
}

/// What a receiver of a split gave back to the payee.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitReturnView {
    #[schema(example = "spl_3")]
    split: String,
    #[schema(example = "ord_7")]
    order: String,
    out_return_no: String,
    #[schema(example = "mch_4")]
    receiver: String,
    amount: Amount,
    #[schema(example = "vch_1043")]
    voucher: String,
    created_at: String,
}

impl SplitReturnView {
    fn of(split: &Split, given: &SplitReturn) -> Self {
        Self {
            split: split.id.to_string(),
            order: split.order.to_string(),
            out_return_no: given.out_return_no.clone(),
            receiver: given.receiver.to_string(),
            amount: Amount(given.amount),
            voucher: given.voucher.to_string(),
            created_at: time_text(given.created_at),
        }
    }
}

impl SplitView {
    fn of(state: &domain::State, split: &Split) -> Self {
        let part = |part: &SplitPart| WirePart { merchant: part.merchant.to_string(), amount: Amount(part.amount) };
        Self {
            id: split.id.to_string(),
            order: split.order.to_string(),
            out_split_no: split.out_split_no.clone(),
            payee: split.payee.to_string(),
            parts: split.parts.iter().map(part).collect(),
            amount: Amount(split.amount),
            return_order: split.return_order.iter().map(ToString::to_string).collect(),
            voucher: split.voucher.to_string(),
            created_at: time_text(split.created_at),
            returns: split.returns.iter().map(|given| SplitReturnView::of(split, given)).collect(),
            plan: split.plan.map(|plan| plan.to_string()),
            allowed_actions: split.allowed_actions(state),
        }
    }
}

/// The parts, and the return order that was named.
fn parts(app: &App, new: NewSplit) -> Result<(Parts, Vec<MerchantId>), ApiError> {
    let return_order =
        new.return_order.iter().map(|text| parse(text, "return_order")).collect::<Result<Vec<_>, _>>()?;
    let parts = match (new.parts, new.rates, new.plan) {
        (Some(parts), None, None) => {
            let part = |wire: &WirePart| {
                parse(&wire.merchant, "parts.merchant").map(|merchant| SplitPart { merchant, amount: wire.amount.0 })
            };
            Parts::Amounts(parts.iter().map(part).collect::<Result<_, ApiError>>()?)
        }
        (None, Some(WireRates { amount, rates, remainder_to }), None) => {
            let rate = |wire: &WireRate| parse(&wire.merchant, "rates.merchant").map(|merchant| (merchant, wire.rate));
            Parts::Rates {
                amount: amount.0,
                rates: rates.iter().map(rate).collect::<Result<_, ApiError>>()?,
                remainder_to: parse(&remainder_to, "rates.remainder_to")?,
            }
        }
        (None, None, Some(plan)) => Parts::Plan(planned(app, plan)?),
        (None, None, None) => {
            return Err(ApiError::new("field_missing", Some("parts"), "give parts, rates or a plan"));
        }
        _ => return Err(ApiError::malformed("parts", "give one of parts, rates and plan")),
    };
    Ok((parts, return_order))
}

/// What the books, or else the settings, make of who had which role is for the domain to say: by the version of its day.
fn planned(app: &App, wire: WirePlan) -> Result<PlannedParts, ApiError> {
    let WirePlan { name, amount, roles } = wire;
    let holder = |(role, merchant): (String, String)| Ok::<_, ApiError>((role, parse(&merchant, "plan.roles")?));
    let holders: BTreeMap<String, MerchantId> = roles.into_iter().map(holder).collect::<Result<_, ApiError>>()?;
    let settings = split_plan::of_settings(&app.split_plans, &name);
    Ok(PlannedParts { name, amount: amount.0, holders, settings })
}

/// Split an order
///
/// Before it is settled; each receiver's part settles by itself. The payee's registered receivers may receive, and nobody else: see
/// `POST /v1/merchants/{id}/receivers`.
#[utoipa::path(
    post, path = "/v1/orders/{id}/splits", tag = "split", params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, body = SplitView))
)]
pub(crate) async fn make(
    State(app): State<App>,
    caller: Caller,
    Id(order): Id<OrderId>,
    Json(new): Json<NewSplit>,
) -> Answered<SplitView> {
    app.owned(&caller, move |state| seller(state, order)).await?;
    let merchant = app.look(move |state| state.order(order).map(|order| order.merchant)).await?.view;
    let out_split_no = new.out_split_no.clone();
    let meta = caller.meta_of(merchant, "out_split_no", &out_split_no)?;
    let (parts, return_order) = parts(&app, new)?;
    let command = MakeSplit { order, out_split_no, parts, return_order };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Split(id) = reply else { return None };
        state.splits.get(id.0).map(|split| SplitView::of(state, split))
    };
    app.change(meta, Command::MakeSplit(command), view).await
}

/// Look at a split
#[utoipa::path(
    get, path = "/v1/splits/{id}", tag = "split", params(("id" = String, Path, example = "spl_3")),
    responses((status = OK, body = SplitView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<SplitId>) -> Answered<SplitView> {
    app.owned(&caller, move |state| Ok(Owner::Merchant(state.split(id)?.payee))).await?;
    app.look(move |state| state.split(id).map(|split| SplitView::of(state, split))).await
}

/// Give money of a split back to the payee
///
/// Without a refund: the receiver instructs it, or one of the institution's programs for it; the payee cannot take it back by itself. Its
/// unsettled money first. Never more than the split gave it and it still has of the order. The same `out_return_no` again is the same
/// return.
#[utoipa::path(
    post, path = "/v1/splits/{id}/returns", tag = "split", params(("id" = String, Path, example = "spl_3")),
    responses((status = OK, body = SplitReturnView))
)]
pub(crate) async fn give_back(
    State(app): State<App>,
    caller: Caller,
    Id(split): Id<SplitId>,
    Json(new): Json<NewSplitReturn>,
) -> Answered<SplitReturnView> {
    let receiver: MerchantId = parse(&new.receiver, "receiver")?;
    caller.merchant_or_operator(receiver)?;
    let number = new.out_return_no;
    let meta = caller.meta_of(receiver, "out_return_no", &number)?;
    let command = ReturnSplit { split, out_return_no: number.clone(), receiver, amount: new.amount.0 };
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::Split(id) = reply else { return None };
        let split = state.splits.get(id.0)?;
        let mut returns = split.returns.iter();
        let given = returns.find(|given| given.receiver == receiver && given.out_return_no == number)?;
        Some(SplitReturnView::of(split, given))
    };
    app.change(meta, Command::ReturnSplit(command), view).await
}

list_query! {
    /// Which splits.
    pub(crate) struct SplitQuery {
        /// Of this order.
        order,
        /// With this number.
        out_split_no,
        /// Of this merchant's share; a merchant sees its own.
        payee,
    }
}

/// List splits
#[utoipa::path(
    get, path = "/v1/splits", tag = "split", params(SplitQuery), responses((status = OK, body = PageView<SplitView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SplitQuery>,
) -> ListAnswer<SplitView> {
    let (page, payee) = (query.page(), parse_some::<MerchantId>(query.payee.as_deref(), "payee")?);
    payee.map(|payee| caller.merchant_or_operator(payee)).transpose()?;
    let filter = store::split::SplitFilter {
        order: parse_some(query.order.as_deref(), "order")?,
        payee: payee.or(caller.merchant),
        out_split_no: query.out_split_no,
    };
    app.list(filter, page, SplitView::of).await
}
