//! Fees: what orders, payouts and withdrawals cost. Setting it takes two people, by an approval of kind `fee_plan`.

use axum::extract::State;
use domain::fee_plan::{FeeOf, FeeOnRefund, FeeOwner, FeePayer, FeePlan, FeeTier, SetFeePlan};
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

/// What amounts from one on pay.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeeTier)]
pub(crate) struct WireFeeTier {
    /// Its least amount; 0 in the first tier.
    #[schema(example = 100_000)]
    from: Amount,
    /// In millionths of the whole amount: 0.60 % is 6000.
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

/// What a merchant's orders, or payouts or withdrawals from accounts, are to cost from a day on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeePlanBody {
    /// Whose: a merchant; or name a product.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    /// In place of a merchant: the product whose users pay it for payouts or withdrawals.
    #[schema(example = "rent")]
    product: Option<String>,
    /// `order`, which it is unless said, `payout` (to others) or `withdrawal` (to oneself).
    #[schema(example = "order")]
    of: Option<String>,
    /// The first accounting day on which it holds; not one that has passed.
    #[schema(example = "2026-04-01")]
    from: String,
    /// 1 to 16, the first from 0, each from more than the one before. A tier counts for the whole of an amount.
    tiers: Vec<WireFeeTier>,
    /// The least that a fee comes to; left out for no bound.
    #[schema(example = 50)]
    least: Option<Amount>,
    /// The most that a fee comes to; left out for no bound.
    #[schema(example = 8_000)]
    cap: Option<Amount>,
    /// Of orders: `merchant`, out of the order's amount, which it is unless said, or `payer`, on top of it. Of payouts
    /// and withdrawals the account pays, beside the amount: leave it out.
    #[schema(example = "merchant")]
    payer: Option<String>,
    /// `half_up`, which it is unless said, `down` or `up`: how the rate's part becomes whole minor units.
    #[schema(example = "half_up")]
    rounding: Option<String>,
    /// What becomes of an order's fee when it is refunded: `kept`, `returned` in proportion, or `as_asked` by each refund, which it is
    /// unless said. Of payouts and withdrawals leave it out.
    #[schema(example = "returned")]
    on_refund: Option<String>,
}

impl Wire for FeePlanBody {
    type Of = SetFeePlan;

    fn read(self) -> Result<SetFeePlan, ApiError> {
        let owner = match (self.merchant, self.product) {
            (Some(merchant), None) => FeeOwner::Merchant(parse(&merchant, "merchant")?),
            (None, Some(product)) => FeeOwner::Product(product),
            (Some(_), Some(_)) | (None, None) => {
                return Err(ApiError::malformed("merchant", "name either a merchant or a product"));
            }
        };
        let of = self.of.as_deref().map(|text| word(text, "of", &FeeOf::ALL, FeeOf::name));
        let payer = self.payer.as_deref().map(|text| word(text, "payer", &FeePayer::ALL, FeePayer::name));
        let rounding = self.rounding.as_deref().map(|text| word(text, "rounding", &Rounding::ALL, Rounding::name));
        let on_refund = self.on_refund.as_deref();
        let on_refund = on_refund.map(|text| word(text, "on_refund", &FeeOnRefund::ALL, FeeOnRefund::name));
        Ok(SetFeePlan {
            owner,
            from: parse(&self.from, "from")?,
            tiers: self.tiers.into_iter().map(WireFeeTier::read).collect(),
            least: self.least.map(|least| least.0),
            cap: self.cap.map(|cap| cap.0),
            payer: payer.transpose()?.unwrap_or_default(),
            rounding: rounding.transpose()?.unwrap_or_default(),
            of: of.transpose()?.unwrap_or_default(),
            on_refund: on_refund.transpose()?.unwrap_or_default(),
        })
    }

    fn show(of: &SetFeePlan) -> Self {
        let (merchant, product) = owner_texts(&of.owner);
        Self {
            merchant,
            product,
            of: Some(of.of.name().to_owned()),
            from: date_text(of.from),
            tiers: of.tiers.iter().map(WireFeeTier::show).collect(),
            least: of.least.map(Amount),
            cap: of.cap.map(Amount),
            payer: payer_text(of.of, of.payer).map(ToOwned::to_owned),
            rounding: Some(of.rounding.name().to_owned()),
            on_refund: on_refund_text(of.of, of.on_refund).map(ToOwned::to_owned),
        }
    }
}

/// The merchant and the product that a plan is of: one of the two.
fn owner_texts(owner: &FeeOwner) -> (Option<String>, Option<String>) {
    match owner {
        FeeOwner::Merchant(merchant) => (Some(merchant.to_string()), None),
        FeeOwner::Product(product) => (None, Some(product.clone())),
    }
}

/// Who pays, where that is one of two.
const fn payer_text(of: FeeOf, payer: FeePayer) -> Option<&'static str> {
    match of {
        FeeOf::Order => Some(payer.name()),
        FeeOf::Payout | FeeOf::Withdrawal => None,
    }
}

/// What becomes of the fee of what is refunded, which orders alone are.
const fn on_refund_text(of: FeeOf, on_refund: FeeOnRefund) -> Option<&'static str> {
    match of {
        FeeOf::Order => Some(on_refund.name()),
        FeeOf::Payout | FeeOf::Withdrawal => None,
    }
}

/// A version of what orders, payouts or withdrawals cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeePlanView {
    #[schema(example = "fpl_1")]
    id: String,
    /// Whose; none where it is of the users of a product.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    /// The product whose users pay it, where it is no merchant's.
    #[schema(example = "rent")]
    product: Option<String>,
    /// What it prices: `order`, `payout` or `withdrawal`.
    #[schema(example = "order")]
    of: &'static str,
    /// The first accounting day on which it holds, until a later version does.
    #[schema(example = "2026-04-01")]
    from: String,
    tiers: Vec<WireFeeTier>,
    /// The least that a fee comes to.
    least: Option<Amount>,
    /// The most that a fee comes to.
    cap: Option<Amount>,
    /// Of orders: `merchant`: the fee lies inside the order's amount. `payer`: it is paid on top. None for others: the
    /// account pays, beside the amount.
    #[schema(example = "merchant")]
    payer: Option<&'static str>,
    /// `half_up`, `down` or `up`.
    #[schema(example = "half_up")]
    rounding: &'static str,
    /// Of orders: `kept`, `returned` or `as_asked`: what becomes of the fee when the order is refunded. None for others.
    #[schema(example = "returned")]
    on_refund: Option<&'static str>,
    set_at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
    /// Nothing: a later version takes its place.
    allowed_actions: Vec<&'static str>,
}

impl FeePlanView {
    fn of(plan: &FeePlan) -> Self {
        let (merchant, product) = owner_texts(&plan.owner);
        Self {
            id: plan.id.to_string(),
            merchant,
            product,
            of: plan.of.name(),
            from: date_text(plan.from),
            tiers: plan.tiers.iter().map(WireFeeTier::show).collect(),
            least: plan.least.map(Amount),
            cap: plan.cap.map(Amount),
            payer: payer_text(plan.of, plan.payer),
            rounding: plan.rounding.name(),
            on_refund: on_refund_text(plan.of, plan.on_refund),
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

/// List versions of what orders, payouts and withdrawals cost
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
