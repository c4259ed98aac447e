//! Conversions: a customer's money in one currency becomes money in another, at a rate on record. Reversing one takes two
//! people, so it is a proposal.

use axum::extract::State;
use domain::conversion::{Conversion, ConversionCommand, ConversionSide, Convert, ROUNDING, ReverseConversion};
use domain::ids::ConversionId;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to convert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversion {
    /// A rate that is valid now.
    #[schema(example = "fxr_1")]
    rate: String,
    /// The account that gives: 2201 or 2206.
    #[schema(example = "acc_42")]
    from: String,
    /// The account that gets: the same customer's, of the same subject.
    #[schema(example = "acc_45")]
    to: String,
    /// Minor units of what is given, above zero.
    amount: Amount,
}

/// A conversion to reverse, as two people decide it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReversalBody {
    /// The conversion.
    #[schema(example = "cnv_3")]
    conversion: String,
    /// Why.
    #[schema(example = "the rate was of the day before")]
    reason: String,
}

impl Wire for ReversalBody {
    type Of = ReverseConversion;

    fn read(self) -> Result<ReverseConversion, ApiError> {
        Ok(ReverseConversion { conversion: parse(&self.conversion, "conversion")?, reason: self.reason })
    }

    fn show(of: &ReverseConversion) -> Self {
        Self { conversion: of.conversion.to_string(), reason: of.reason.clone() }
    }
}

/// One side of a conversion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SideView {
    #[schema(example = "acc_42")]
    account: String,
    #[schema(example = "USD")]
    currency: &'static str,
    amount: Amount,
    voucher: String,
}

impl SideView {
    fn of(side: &ConversionSide) -> Self {
        Self {
            account: side.account.to_string(),
            currency: side.currency.code(),
            amount: Amount(side.amount),
            voucher: side.voucher.to_string(),
        }
    }
}

/// How a conversion was reversed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReversalView {
    /// The contra of what was given.
    sold: String,
    /// The contra of what was got.
    bought: String,
    reason: String,
    at: String,
    /// Who proposed it.
    operator: String,
    /// Who approved it.
    approver: Option<String>,
}

/// A conversion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversionView {
    #[schema(example = "cnv_3")]
    id: String,
    #[schema(example = "fxr_1")]
    rate: String,
    /// How what is got is rounded to the minor unit.
    #[schema(example = "half_up")]
    rounding: &'static str,
    /// What the customer gave.
    sold: SideView,
    /// What the customer got.
    bought: SideView,
    /// `done` or `reversed`.
    status: &'static str,
    at: String,
    /// Who asked for it.
    operator: String,
    reversal: Option<ReversalView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl ConversionView {
    fn of(conversion: &Conversion) -> Self {
        let Conversion { id, rate, sold, bought, at, operator, reversal } = conversion;
        Self {
            id: id.to_string(),
            rate: rate.to_string(),
            rounding: ROUNDING,
            sold: SideView::of(sold),
            bought: SideView::of(bought),
            status: conversion.status(),
            at: time_text(*at),
            operator: operator.clone(),
            reversal: reversal.as_ref().map(|it| ReversalView {
                sold: it.sold.to_string(),
                bought: it.bought.to_string(),
                reason: it.reason.clone(),
                at: time_text(it.at),
                operator: it.operator.clone(),
                approver: it.approver.clone(),
            }),
            allowed_actions: conversion.allowed_actions().to_vec(),
        }
    }
}

/// Convert between currencies
///
/// Two vouchers, one a currency. What is got is what is given at the rate, half up to the minor unit.
#[utoipa::path(
    post, path = "/v1/conversions", tag = "conversion", responses((status = OK, body = ConversionView))
)]
pub(crate) async fn convert(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewConversion>,
) -> Answered<ConversionView> {
    caller.operator()?;
    let command = Convert {
        rate: parse(&new.rate, "rate")?,
        from: parse(&new.from, "from")?,
        to: parse(&new.to, "to")?,
        amount: new.amount.0,
    };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Conversion(id) = reply else { return None };
        state.conversions.get(id.0).map(ConversionView::of)
    };
    app.change(caller.meta()?, Command::Conversion(ConversionCommand::Convert(command)), view).await
}

/// Look at a conversion
#[utoipa::path(
    get, path = "/v1/conversions/{id}", tag = "conversion", params(("id" = String, Path, example = "cnv_3")),
    responses((status = OK, body = ConversionView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ConversionId>) -> Answered<ConversionView> {
    app.owned(&caller, move |state| Ok(state.account(state.conversion(id)?.sold.account, "from")?.owner)).await?;
    app.look(move |state| state.conversion(id).map(ConversionView::of)).await
}

list_query! {
    /// Which conversions.
    pub(crate) struct ConversionQuery {
        /// Out of this account.
        from,
        /// Into this account.
        to,
        /// At this rate.
        rate,
        /// `done` or `reversed`.
        status,
    }
}

/// List conversions
#[utoipa::path(
    get, path = "/v1/conversions", tag = "conversion", params(ConversionQuery),
    responses((status = OK, body = PageView<ConversionView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ConversionQuery>,
) -> ListAnswer<ConversionView> {
    caller.operator()?;
    let status = query.status.as_deref().map(|text| word(text, "status", &["done", "reversed"], |name| name));
    let filter = store::conversion::ConversionFilter {
        from: parse_some(query.from.as_deref(), "from")?,
        to: parse_some(query.to.as_deref(), "to")?,
        rate: parse_some(query.rate.as_deref(), "rate")?,
        status: status.transpose()?,
    };
    app.list(filter, query.page(), |_, conversion| ConversionView::of(conversion)).await
}
