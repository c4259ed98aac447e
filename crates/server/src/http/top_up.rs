//! Top-ups: money from a bank account under a signed agreement to a payment account.

use axum::extract::State;
use domain::account::Owner;
use domain::ids::{AccountId, TopUpId};
use domain::money::Currency;
use domain::top_up::{CreateTopUp, TopUp, TopUpCommand, TopUpStatus};
use domain::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payout::FailureView;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTopUp {
    /// The payment account that is credited: 2201 or 2206.
    #[schema(example = "acc_42")]
    account: String,
    /// The agreement's number at the network (协议支付); never a card number.
    #[schema(example = "2026030500000017")]
    agreement: String,
    /// The card as it may be shown: 6 + 4.
    #[schema(example = "622202******2230")]
    mask: String,
    /// Minor units above zero.
    amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// The payer's device, as the block list of devices names it.
    device: Option<String>,
}

/// A top-up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopUpView {
    #[schema(example = "tup_5")]
    id: String,
    #[schema(example = "acc_42")]
    account: String,
    /// The agreement's number at the network.
    agreement: String,
    #[schema(example = "622202******2230")]
    mask: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `created`, `sent`, `unknown`, `success` or `failed`.
    #[schema(example = "success")]
    status: &'static str,
    created_at: String,
    ended_at: Option<String>,
    #[schema(example = "att_9")]
    attempt: Option<String>,
    /// The voucher of its success.
    #[schema(example = "vch_1042")]
    voucher: Option<String>,
    /// Whether its money went to suspense, as the account took none any more.
    suspended: bool,
    failure: Option<FailureView>,
    /// The channel's reference of its success.
    reference: Option<String>,
    /// Nothing: the channel's answer ends it.
    allowed_actions: Vec<&'static str>,
}

impl TopUpView {
    fn of(top_up: &TopUp) -> Self {
        let failure = top_up.failure.as_ref();
        Self {
            id: top_up.id.to_string(),
            account: top_up.account.to_string(),
            agreement: top_up.agreement.clone(),
            mask: top_up.mask.clone(),
            amount: Amount(top_up.amount),
            currency: top_up.currency.code(),
            status: top_up.status.name(),
            created_at: time_text(top_up.created_at),
            ended_at: top_up.ended_at.map(time_text),
            attempt: top_up.attempt.map(|id| id.to_string()),
            voucher: top_up.voucher.map(|id| id.to_string()),
            suspended: top_up.suspended,
            failure: failure.map(|failure| FailureView::of(failure.class, &failure.code)),
            reference: top_up.reference.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

fn owner(state: &domain::State, account: AccountId) -> Result<Owner, Refusal> {
    Ok(state.account(account, "account")?.owner)
}

/// Top up a payment account (充值)
///
/// The channel is asked at once; the money is there when it says so.
#[utoipa::path(post, path = "/v1/top-ups", tag = "top_up", responses((status = OK, body = TopUpView)))]
pub(crate) async fn create(State(app): State<App>, caller: Caller, Json(new): Json<NewTopUp>) -> Answered<TopUpView> {
    let account: AccountId = parse(&new.account, "account")?;
    app.owned(&caller, move |state| owner(state, account)).await?;
    let currency = Currency::parse(&new.currency)?;
    let NewTopUp { agreement, mask, amount, device, .. } = new;
    let command = TopUpCommand::Create(CreateTopUp { account, agreement, mask, amount: amount.0, currency, device });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::TopUp(id) = reply else { return None };
        state.top_up(*id).ok().map(TopUpView::of)
    };
    app.change(caller.meta()?, Command::TopUp(command), view).await
}

/// Look at a top-up
#[utoipa::path(
    get, path = "/v1/top-ups/{id}", tag = "top_up", params(("id" = String, Path, example = "tup_5")),
    responses((status = OK, body = TopUpView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TopUpId>) -> Answered<TopUpView> {
    app.owned(&caller, move |state| owner(state, state.top_up(id)?.account)).await?;
    app.look(move |state| state.top_up(id).map(TopUpView::of)).await
}

list_query! {
    /// Which top-ups.
    pub(crate) struct TopUpQuery {
        /// To this account; merchants name one of their own.
        account,
        /// `created`, `sent`, `unknown`, `success` or `failed`.
        status,
        /// Asked for on this date or later.
        created_from,
        /// Asked for on this date or earlier.
        created_to,
    }
}

/// List top-ups
#[utoipa::path(
    get, path = "/v1/top-ups", tag = "top_up", params(TopUpQuery),
    responses((status = OK, body = PageView<TopUpView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TopUpQuery>,
) -> ListAnswer<TopUpView> {
    let account: Option<AccountId> = parse_some(query.account.as_deref(), "account")?;
    match account {
        Some(account) => app.owned(&caller, move |state| owner(state, account)).await?,
        None => caller.operator()?,
    }
    let status = query.status.as_deref().map(|text| word(text, "status", &TopUpStatus::ALL, TopUpStatus::name));
    let filter = store::top_up::TopUpFilter {
        account,
        status: status.transpose()?,
        created_from: parse_some(query.created_from.as_deref(), "created_from")?,
        created_to: parse_some(query.created_to.as_deref(), "created_to")?,
    };
    app.list(filter, query.page(), |_, top_up| TopUpView::of(top_up)).await
}
