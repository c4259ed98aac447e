//! Order fees: what merchants pay of their orders. Setting it takes two people, by an approval of kind `fee_plan`.

use axum::extract::State;
use domain::fee_plan::{FeePayer, FeePlan, FeeTier, SetFeePlan};
use domain::ids::MerchantId;
use domain::money::Rounding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Query;
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// What orders from an amount on pay.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeeTier)]
pub(crate) struct WireFeeTier {
    /// The least amount of its orders; 0 in the first tier.
    #[schema(example = 100_000)]
    from: Amount,
    /// In millionths of the order's whole amount: 0.60 % is 6000.
    #[schema(example = 6_000)]
    rate: i64,
    /// What is added to it; 0 unless said.
    #[schema(example = 100)]
    fixed: Option<Amount>,
}

impl WireFeeTier {
    fn read(self) -> FeeTier {
        FeeTier { from: self.from.0, rate: self.rate, fixed: self.fixed.map_or(0, |fixed| fixed.0) }
    }

    fn show(of: &FeeTier) -> Self {
        Self { from: Amount(of.from), rate: of.rate, fixed: Some(Amount(of.fixed)) }
    }
}

/// What a merchant is to pay of its orders from a day on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeePlanBody {
    /// Whose.
    #[schema(example = "mch_3")]
    merchant: String,
    /// The first accounting day on which it holds; not one that has passed.
    #[schema(example = "2026-04-01")]
    from: String,
    /// 1 to 16, the first from 0, each from more than the one before. A tier counts for the whole of its orders' amounts.
    tiers: Vec<WireFeeTier>,
    /// The least that a fee comes to; left out for no bound.
    #[schema(example = 50)]
    least: Option<Amount>,
    /// The most that a fee comes to; left out for no bound.
    #[schema(example = 8_000)]
    cap: Option<Amount>,
    /// `merchant`, out of the order's amount, which it is unless said, or `payer`, on top of it.
    #[schema(example = "merchant")]
    payer: Option<String>,
    /// `half_up`, which it is unless said, `down` or `up`: how the rate's part becomes whole minor units.
    #[schema(example = "half_up")]
    rounding: Option<String>,
}

impl Wire for FeePlanBody {
    type Of = SetFeePlan;

    fn read(self) -> Result<SetFeePlan, ApiError> {
        let payer = self.payer.as_deref().map(|text| word(text, "payer", &FeePayer::ALL, FeePayer::name));
        let rounding = self.rounding.as_deref().map(|text| word(text, "rounding", &Rounding::ALL, Rounding::name));
        Ok(SetFeePlan {
            merchant: parse(&self.merchant, "merchant")?,
            from: parse(&self.from, "from")?,
            tiers: self.tiers.into_iter().map(WireFeeTier::read).collect(),
            least: self.least.map(|least| least.0),
            cap: self.cap.map(|cap| cap.0),
            payer: payer.transpose()?.unwrap_or_default(),
            rounding: rounding.transpose()?.unwrap_or_default(),
        })
    }

    fn show(of: &SetFeePlan) -> Self {
        Self {
            merchant: of.merchant.to_string(),
            from: date_text(of.from),
            tiers: of.tiers.iter().map(WireFeeTier::show).collect(),
            least: of.least.map(Amount),
            cap: of.cap.map(Amount),
            payer: Some(of.payer.name().to_owned()),
            rounding: Some(of.rounding.name().to_owned()),
        }
    }
}

/// A version of what a merchant pays of its orders.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeePlanView {
    #[schema(example = "fpl_1")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// The first accounting day on which it holds, until a later version does.
    #[schema(example = "2026-04-01")]
    from: String,
    tiers: Vec<WireFeeTier>,
    /// The least that a fee comes to.
    least: Option<Amount>,
    /// The most that a fee comes to.
    cap: Option<Amount>,
    /// `merchant`: the fee lies inside the order's amount. `payer`: it is paid on top.
    #[schema(example = "merchant")]
    payer: &'static str,
    /// `half_up`, `down` or `up`.
    #[schema(example = "half_up")]
    rounding: &'static str,
    set_at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
    /// Nothing: a later version takes its place.
    allowed_actions: Vec<&'static str>,
}

impl FeePlanView {
    fn of(plan: &FeePlan) -> Self {
        Self {
            id: plan.id.to_string(),
            merchant: plan.merchant.to_string(),
            from: date_text(plan.from),
            tiers: plan.tiers.iter().map(WireFeeTier::show).collect(),
            least: plan.least.map(Amount),
            cap: plan.cap.map(Amount),
            payer: plan.payer.name(),
            rounding: plan.rounding.name(),
            set_at: time_text(plan.set_at),
            operator: plan.set_by.clone(),
            approver: plan.approver.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

list_query! {
    /// Which versions.
    pub(crate) struct FeePlanQuery {
        /// Of this merchant; a merchant sees its own.
        merchant,
    }
}

/// List versions of what merchants pay of their orders
#[utoipa::path(
    get, path = "/v1/fee-plans", tag = "fee_plan", params(FeePlanQuery),
    responses((status = OK, body = PageView<FeePlanView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FeePlanQuery>,
) -> ListAnswer<FeePlanView> {
    let page = query.page();
    let named: Option<MerchantId> = parse_some(query.merchant.as_deref(), "merchant")?;
    named.map(|named| caller.merchant_or_operator(named)).transpose()?;
    let filter = store::fee_plan::FeePlanFilter { merchant: named.or(caller.merchant) };
    app.list(filter, page, |_, plan| FeePlanView::of(plan)).await
}
