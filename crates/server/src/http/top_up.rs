//! Top-ups: money from a bank account, under a signed agreement or by the channel's page, to a payment account.

use axum::extract::State;
use axum::response::Response;
use domain::account::Owner;
use domain::attempt::Rail;
use domain::channel::ChannelName;
use domain::front_page::PageOf;
use domain::ids::{AccountId, TopUpId};
use domain::money::{Currency, Minor};
use domain::top_up::{CreateTopUp, GivenBack, TopUp, TopUpCommand, TopUpFrom, TopUpStatus};
use domain::{Command, Refusal, Reply};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::front_page::{self, FrontPageView};
use super::list::{ListAnswer, PageView, list_query};
use super::payment::{card_channel, page_channel};
use super::payout::FailureView;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTopUp {
    /// The payment account that is credited: 2201 or 2206.
    #[schema(example = "acc_42")]
    account: String,
    /// The agreement's number at the network (协议支付); never a card number. With `mask`, or `redirect` in place of both.
    #[schema(example = "2026030500000017")]
    agreement: Option<String>,
    /// The card as it may be shown: 6 + 4.
    #[schema(example = "622202******2230")]
    mask: Option<String>,
    /// The network of the agreement: `epcc` or `unionpay`, `epcc` unless said; or a further channel of one. An agreement that was signed
    /// here goes over the channel that signed it, else one over the network's first.
    #[schema(example = "epcc")]
    rail: Option<String>,
    /// The payer pays at the channel's own page.
    redirect: Option<TopUpRedirect>,
    /// Minor units above zero.
    amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// The payer's device, as the block list of devices names it.
    device: Option<String>,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The
    /// same number with the same body gets the first answer. It is bound alone: no answer shows it.
    out_top_up_no: Option<String>,
}

/// A top-up by the channel's page (网银充值), which `GET /v1/top-ups/{id}/front-page` leads to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpRedirect {
    /// `epcc` or `unionpay`: a channel that has such a page; the rules of routing choose unless said.
    #[schema(example = "unionpay")]
    rail: Option<String>,
    /// Where the payer's browser goes afterwards, `https://…` of at most 256 characters; the channel's setting unless said.
    #[schema(example = "https://shop.example/wallet")]
    return_url: Option<String>,
}

/// What pays: an agreement with its mask, or a page.
async fn from(app: &App, new: &mut NewTopUp, amount: Minor) -> Result<TopUpFrom, ApiError> {
    match (new.agreement.take(), new.mask.take(), new.rail.take(), new.redirect.take()) {
        (Some(agreement), Some(mask), rail, None) => {
            let ChannelName { rail, word: channel } =
                rail.map_or(Ok(Rail::Epcc.into()), |name| card_channel(&name, "rail"))?;
            if let Some(word) = &channel {
                // A network alone may be named before its channel is there: what it is asked waits for that.
                super::channel::route(app, &ChannelName { rail, word: Some(word.clone()) })?;
            }
            Ok(TopUpFrom::Agreement { rail, agreement, mask, channel })
        }
        (None, None, None, Some(TopUpRedirect { rail, return_url })) => {
            let channel = page_channel(app, rail.as_deref(), amount).await;
            let ChannelName { rail, word: channel } = channel.map_err(|error| error.within("redirect"))?;
            Ok(TopUpFrom::Page { rail, return_url, channel })
        }
        _ => Err(ApiError::malformed("agreement", "name agreement and mask, or redirect in place of both")),
    }
}

/// Money of another amount than was asked for, on its way back to its source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopUpBackView {
    /// What came.
    amount: Amount,
    /// `in_transit`, `unknown`, `success`, or `failed`: its source refused it, and it lies in suspense.
    #[schema(example = "success")]
    status: &'static str,
    #[schema(example = "att_10")]
    attempt: String,
    /// The voucher that put it on its way.
    #[schema(example = "vch_1043")]
    voucher: String,
}

impl TopUpBackView {
    fn of(back: GivenBack) -> Self {
        Self {
            amount: Amount(back.amount),
            status: back.status.name(),
            attempt: back.attempt.to_string(),
            voucher: back.voucher.to_string(),
        }
    }
}

/// A top-up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopUpView {
    #[schema(example = "tup_5")]
    id: String,
    #[schema(example = "acc_42")]
    account: String,
    /// The agreement's number at the network; null of one by a page.
    agreement: Option<String>,
    /// The card's mask; null of one by a page.
    #[schema(example = "622202******2230")]
    mask: Option<String>,
    /// `epcc` or `unionpay`.
    #[schema(example = "epcc")]
    rail: &'static str,
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
    /// Of one by a page: where its form is fetched, while its payer may be given it.
    #[schema(example = "/v1/top-ups/tup_5/front-page")]
    front_page: Option<String>,
    /// When that page ends, while it waits for its payer.
    #[schema(example = "2026-03-05T01:15:00Z")]
    page_expires_at: Option<String>,
    /// Whether it was given up and the channel has the last word.
    closing: bool,
    /// What came of another amount than was asked for.
    back: Option<TopUpBackView>,
    /// `front_page`, `close` while a page waits for its payer; else the channel's answer ends it.
    allowed_actions: Vec<&'static str>,
}

impl TopUpView {
    fn of(state: &domain::State, top_up: &TopUp) -> Self {
        let failure = top_up.failure.as_ref();
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let allowed_actions = top_up.allowed_actions(state);
        let has_page = allowed_actions.contains(&"front_page");
        Self {
            id: top_up.id.to_string(),
            account: top_up.account.to_string(),
            agreement: given(&top_up.agreement),
            mask: given(&top_up.mask),
            rail: top_up.rail().name(),
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
            front_page: has_page.then(|| format!("/v1/top-ups/{}/front-page", top_up.id)),
            page_expires_at: top_up.page_ends(state).map(time_text),
            closing: top_up.is_closing(),
            back: top_up.back.map(TopUpBackView::of),
            allowed_actions,
        }
    }

    fn of_reply(state: &domain::State, reply: &Reply) -> Option<Self> {
        let Reply::TopUp(id) = reply else { return None };
        state.top_up(*id).ok().map(|top_up| Self::of(state, top_up))
    }
}

fn owner(state: &domain::State, account: AccountId) -> Result<Owner, Refusal> {
    Ok(state.account(account, "account")?.owner)
}

/// Top up a payment account (充值)
///
/// By an agreement the channel is asked at once; the money is there when it says so. By `redirect` the payer pays at the channel's page,
/// which `GET /v1/top-ups/{id}/front-page` leads to. `out_top_up_no` is a key of its own, where it is named.
#[utoipa::path(post, path = "/v1/top-ups", tag = "top_up", responses((status = OK, body = TopUpView)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(mut new): Json<NewTopUp>,
) -> Answered<TopUpView> {
    let account: AccountId = parse(&new.account, "account")?;
    app.owned(&caller, move |state| owner(state, account)).await?;
    let meta = caller.meta_numbered("out_top_up_no", new.out_top_up_no.as_deref())?;
    let currency = Currency::parse(&new.currency)?;
    let amount = new.amount.0;
    let from = from(&app, &mut new, amount).await?;
    let command = TopUpCommand::Create(CreateTopUp { account, from, amount, currency, device: new.device });
    app.change(meta, Command::TopUp(command), TopUpView::of_reply).await
}

/// Give up a top-up by a page that nobody will pay
///
/// Where nobody has its page it fails at once. Else it is `closing` until the channel says that nobody paid: it fails then, or succeeds
/// after all. What is paid later is credited all the same.
#[utoipa::path(
    post, path = "/v1/top-ups/{id}/close", tag = "top_up", params(("id" = String, Path, example = "tup_5")),
    responses((status = OK, body = TopUpView))
)]
pub(crate) async fn close(State(app): State<App>, caller: Caller, Id(id): Id<TopUpId>) -> Answered<TopUpView> {
    app.owned(&caller, move |state| owner(state, state.top_up(id)?.account)).await?;
    app.change(caller.meta()?, Command::TopUp(TopUpCommand::Close(id)), TopUpView::of_reply).await
}

/// Fetch a top-up's front page
///
/// As `GET /v1/orders/{id}/front-page`: the signed form that takes the payer's browser to the channel's page, as JSON or, with
/// `Accept: text/html`, as a page that posts itself. It is the same bytes each time, until its time or until the top-up is given up. From
/// the first time on it may have been paid.
#[utoipa::path(
    get, path = "/v1/top-ups/{id}/front-page", tag = "top_up", params(("id" = String, Path, example = "tup_5")),
    responses((status = OK, content((FrontPageView = "application/json"), (String = "text/html"))))
)]
pub(crate) async fn front_page(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TopUpId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    front_page::may_have(&caller)?;
    app.owned(&caller, move |state| owner(state, state.top_up(id)?.account)).await?;
    front_page::hand_out(&app, caller.unkeyed(), PageOf::TopUp(id), &headers).await
}

/// Look at a top-up
#[utoipa::path(
    get, path = "/v1/top-ups/{id}", tag = "top_up", params(("id" = String, Path, example = "tup_5")),
    responses((status = OK, body = TopUpView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TopUpId>) -> Answered<TopUpView> {
    app.owned(&caller, move |state| owner(state, state.top_up(id)?.account)).await?;
    app.look(move |state| state.top_up(id).map(|top_up| TopUpView::of(state, top_up))).await
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
    app.list(filter, query.page(), TopUpView::of).await
}
