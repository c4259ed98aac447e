//! Advances (垫付, D0): own money pays a merchant today what the reserve settles later. Their rules are set by approvals of
//! kind `advance_policy`.

use axum::extract::State;
use domain::advance::{
    Advance, AdvanceCommand, AdvancePolicy, AdvanceStatus, AdvancedShare, RequestAdvance, ReturnAdvance,
    SetAdvancePolicy,
};
use domain::ids::{AdvanceId, OrderId};
use domain::operator::Role;
use domain::task::Claim;
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
use super::own_transfer::{self, OwnTransferView};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// Rules to set, as two people decide them; amounts in minor units of yuan.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdvancePolicyBody {
    /// The institution's fee, in millionths: 0.60 % is 6000.
    #[schema(example = 6000)]
    fee_rate: i64,
    /// The most that one merchant is advanced on an accounting day; zero advances nothing.
    merchant_quota: Amount,
    /// The most that own money has outstanding over all merchants.
    total_quota: Amount,
    /// How many days a merchant must have been open.
    #[schema(example = 90)]
    min_days: u32,
    /// How many trading days in a row it must have had.
    #[schema(example = 30)]
    min_trading_days: u32,
}

impl Wire for AdvancePolicyBody {
    type Of = SetAdvancePolicy;

    fn read(self) -> Result<SetAdvancePolicy, ApiError> {
        let Self { fee_rate, merchant_quota, total_quota, min_days, min_trading_days } = self;
        let (merchant_quota, total_quota) = (merchant_quota.0, total_quota.0);
        Ok(SetAdvancePolicy { fee_rate, merchant_quota, total_quota, min_days, min_trading_days })
    }

    fn show(of: &SetAdvancePolicy) -> Self {
        let SetAdvancePolicy { fee_rate, merchant_quota, total_quota, min_days, min_trading_days } = *of;
        let (merchant_quota, total_quota) = (Amount(merchant_quota), Amount(total_quota));
        Self { fee_rate, merchant_quota, total_quota, min_days, min_trading_days }
    }
}

/// A version of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdvancePolicyView {
    #[schema(example = "avp_1")]
    id: String,
    #[serde(flatten)]
    rules: AdvancePolicyBody,
    set_at: String,
    /// Who proposed it.
    set_by: String,
    approver: Option<String>,
    /// Nothing: another version follows it.
    allowed_actions: Vec<&'static str>,
}

impl AdvancePolicyView {
    fn of(policy: &AdvancePolicy) -> Self {
        let AdvancePolicy { fee_rate, merchant_quota, total_quota, min_days, min_trading_days, .. } = *policy;
        let rules = SetAdvancePolicy { fee_rate, merchant_quota, total_quota, min_days, min_trading_days };
        Self {
            id: policy.id.to_string(),
            rules: AdvancePolicyBody::show(&rules),
            set_at: time_text(policy.set_at),
            set_by: policy.operator.clone(),
            approver: policy.approver.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

list_query! {
    /// Which versions: all.
    pub(crate) struct AdvancePolicyQuery {}
}

/// List the versions of the rules for advances
///
/// The last one is in force; without one nobody has an advance.
#[utoipa::path(
    get, path = "/v1/advance-policies", tag = "advance", params(AdvancePolicyQuery),
    responses((status = OK, body = PageView<AdvancePolicyView>))
)]
pub(crate) async fn policies(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AdvancePolicyQuery>,
) -> ListAnswer<AdvancePolicyView> {
    caller.operator()?;
    let filter = store::advance::AdvancePolicyFilter;
    app.list(filter, query.page(), |_, policy| AdvancePolicyView::of(policy)).await
}

/// What to advance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAdvance {
    /// Who asks.
    #[schema(example = "mch_4")]
    merchant: String,
    /// Its paid orders, 1 to 100, each once: all that is unsettled of them.
    #[schema(example = json!(["ord_7"]))]
    orders: Vec<String>,
}

/// One order's share in an advance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdvancedShareView {
    #[schema(example = "ord_7")]
    order: String,
    amount: Amount,
}

/// An advance that came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdvanceReturn {
    /// The bank's reference.
    #[schema(example = "RT20260306000001")]
    reference: String,
    /// The date on which it came back.
    #[schema(example = "2026-03-06")]
    date: String,
}

/// Why an advance failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdvanceFailureView {
    /// Whose failure: `user`, `risk`, `bank` or `system`.
    class: &'static str,
    /// The bank's code.
    code: String,
}

/// An advance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdvanceView {
    #[schema(example = "adv_3")]
    id: String,
    #[schema(example = "mch_4")]
    merchant: String,
    shares: Vec<AdvancedShareView>,
    /// Of all shares.
    amount: Amount,
    /// What the institution keeps of it.
    fee: Amount,
    /// What own money has not got back; a claim is not among it.
    outstanding: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `sent`, `unknown`, `success`, `failed`, `repaid` or `returned`.
    #[schema(example = "success")]
    status: &'static str,
    /// The accounting day of sending, whose quota it used.
    date: String,
    attempt: String,
    voucher: String,
    sent_at: String,
    /// Who asked for it.
    asked_by: String,
    /// The bank's reference of its success.
    reference: Option<String>,
    failure: Option<AdvanceFailureView>,
    /// The transfer that pays it back.
    repayment: Option<String>,
    ended_at: Option<String>,
    /// The bank's reference of its return.
    return_reference: Option<String>,
    /// The date on which it came back.
    return_date: Option<String>,
    /// Of one that the bank paid after it had refused it, what of that is owed: `open` until two people settle it, `settled`;
    /// `returned` if it came back before they did.
    claim: Option<&'static str>,
    /// The voucher of that claim; null while 1103 does not have what left.
    claim_voucher: Option<String>,
    /// The approval by which two people settled it.
    claim_settled_by: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl AdvanceView {
    fn of(state: &domain::State, advance: &Advance) -> Self {
        let share =
            |share: &AdvancedShare| AdvancedShareView { order: share.order.to_string(), amount: Amount(share.amount) };
        let failure = advance.failure.as_ref();
        Self {
            id: advance.id.to_string(),
            merchant: advance.merchant.to_string(),
            shares: advance.shares.iter().map(share).collect(),
            amount: Amount(advance.amount),
            fee: Amount(advance.fee),
            outstanding: Amount(advance.outstanding()),
            currency: advance.currency.code(),
            status: advance.status.name(),
            date: date_text(advance.date),
            attempt: advance.attempt.to_string(),
            voucher: advance.voucher.to_string(),
            sent_at: time_text(advance.sent_at),
            asked_by: advance.operator.clone(),
            reference: advance.reference.clone(),
            failure: failure.map(|it| AdvanceFailureView { class: it.class.name(), code: it.code.clone() }),
            repayment: advance.repayment.map(|id| id.to_string()),
            ended_at: advance.ended_at.map(time_text),
            return_reference: advance.return_reference.clone(),
            return_date: advance.return_date.map(date_text),
            claim: advance.claim_name(),
            claim_voucher: advance.claim_voucher.map(|id| id.to_string()),
            claim_settled_by: advance.claim.and_then(Claim::settled_by).map(|id| id.to_string()),
            allowed_actions: advance.allowed_actions(state),
        }
    }
}

/// Advance a merchant what is unsettled of its orders (D0)
///
/// Own money pays its settlement account at once. An answer that does not come is unknown, never a failure.
#[utoipa::path(post, path = "/v1/advances", tag = "advance", responses((status = OK, body = AdvanceView)))]
pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAdvance>,
) -> Answered<AdvanceView> {
    caller.operator_with(&[Role::Treasurer])?;
    let merchant = parse(&new.merchant, "merchant")?;
    let orders: Result<Vec<OrderId>, ApiError> = new.orders.iter().map(|order| parse(order, "orders")).collect();
    let command = AdvanceCommand::Request(RequestAdvance { merchant, orders: orders? });
    app.change(caller.meta()?, Command::Advance(command), replied).await
}

fn replied(state: &domain::State, reply: &Reply) -> Option<AdvanceView> {
    let Reply::Advance(id) = reply else { return None };
    state.advances.get(id.0).map(|advance| AdvanceView::of(state, advance))
}

/// Instruct the repayment of an advance
///
/// Once every order of it is matched in its clearing file. The line of the reserve account's statement books it.
#[utoipa::path(
    post, path = "/v1/advances/{id}/repay", tag = "advance", params(("id" = String, Path, example = "adv_3")),
    responses((status = OK, body = OwnTransferView))
)]
pub(crate) async fn repay(State(app): State<App>, caller: Caller, Id(id): Id<AdvanceId>) -> Answered<OwnTransferView> {
    caller.operator_with(&[Role::Treasurer])?;
    app.change(caller.meta()?, Command::Advance(AdvanceCommand::Repay(id)), own_transfer::replied).await
}

/// Book an advance that came back after success (退票)
///
/// Before its repayment its orders are settled as ever; after it the merchant has the money available, from what the reserve owes
/// own money. Of one that the bank paid after it had refused it, own money has what it claimed. The settlement account that sent it back
/// takes nothing more until it is verified.
#[utoipa::path(
    post, path = "/v1/advances/{id}/return", tag = "advance", params(("id" = String, Path, example = "adv_3")),
    responses((status = OK, body = AdvanceView))
)]
pub(crate) async fn take_back(
    State(app): State<App>,
    caller: Caller,
    Id(advance): Id<AdvanceId>,
    Json(body): Json<AdvanceReturn>,
) -> Answered<AdvanceView> {
    caller.operator_with(&[Role::Treasurer])?;
    let back = ReturnAdvance { advance, reference: body.reference, date: parse(&body.date, "date")? };
    app.change(caller.meta()?, Command::Advance(AdvanceCommand::Return(back)), replied).await
}

/// Look at an advance
#[utoipa::path(
    get, path = "/v1/advances/{id}", tag = "advance", params(("id" = String, Path, example = "adv_3")),
    responses((status = OK, body = AdvanceView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AdvanceId>) -> Answered<AdvanceView> {
    caller.operator()?;
    app.look(move |state| state.advance(id).map(|advance| AdvanceView::of(state, advance))).await
}

list_query! {
    /// Which advances.
    pub(crate) struct AdvanceQuery {
        /// Of this merchant.
        merchant,
        /// `sent`, `unknown`, `success`, `failed`, `repaid` or `returned`.
        status,
        /// Sent on this accounting day.
        date,
    }
}

/// List advances
#[utoipa::path(
    get, path = "/v1/advances", tag = "advance", params(AdvanceQuery),
    responses((status = OK, body = PageView<AdvanceView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AdvanceQuery>,
) -> ListAnswer<AdvanceView> {
    caller.operator()?;
    let status = |text: &str| word(text, "status", &AdvanceStatus::ALL, AdvanceStatus::name);
    let filter = store::advance::AdvanceFilter {
        merchant: parse_some(query.merchant.as_deref(), "merchant")?,
        status: query.status.as_deref().map(status).transpose()?,
        date: parse_some(query.date.as_deref(), "date")?,
        needs_person: None,
    };
    app.list(filter, query.page(), AdvanceView::of).await
}
