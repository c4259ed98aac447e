//! Holds: reserve money on an account, then move it or let it go.

use axum::extract::State;
use domain::hold::{Hold, HoldStatus, PlaceHold};
use domain::ids::HoldId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, parse, parse_some, time, time_text, word};

/// What to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHold {
    /// The account.
    #[schema(example = "acc_42")]
    account: String,
    /// Minor units above zero, at most what is available.
    amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// When it ends by itself.
    #[schema(example = "2026-03-05T18:00:00+08:00")]
    expires_at: String,
}

/// What of a hold to move, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// Where the money goes.
    #[schema(example = "acc_43")]
    to: String,
    /// All that is still held unless said.
    amount: Option<Amount>,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldView {
    #[schema(example = "hld_7")]
    id: String,
    #[schema(example = "acc_42")]
    account: String,
    /// Held at first.
    amount: Amount,
    /// Moved so far.
    confirmed: Amount,
    /// Still held.
    held: Amount,
    #[schema(example = "2026-03-05T10:00:00Z")]
    expires_at: String,
    /// `open`, `confirmed`, `cancelled` or `expired`.
    status: &'static str,
    /// The payout it is for.
    payout: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

const STATUSES: [HoldStatus; 4] = [HoldStatus::Open, HoldStatus::Confirmed, HoldStatus::Cancelled, HoldStatus::Expired];

const fn status_name(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Open => "open",
        HoldStatus::Confirmed => "confirmed",
        HoldStatus::Cancelled => "cancelled",
        HoldStatus::Expired => "expired",
    }
}

impl HoldView {
    fn of(hold: &Hold) -> Self {
        let free = hold.status == HoldStatus::Open && hold.payout.is_none();
        Self {
            id: hold.id.to_string(),
            account: hold.account.to_string(),
            amount: Amount(hold.amount),
            confirmed: Amount(hold.confirmed),
            held: Amount(hold.held()),
            expires_at: time_text(hold.expires_at),
            status: status_name(hold.status),
            payout: hold.payout.map(|id| id.to_string()),
            allowed_actions: if free { vec!["confirm", "cancel"] } else { Vec::new() },
        }
    }
}

/// Hold money on an account
#[utoipa::path(post, path = "/v1/holds", tag = "hold", responses((status = OK, body = HoldView)))]
pub(crate) async fn place(State(app): State<App>, caller: Caller, Json(new): Json<NewHold>) -> Answered<HoldView> {
    caller.operator()?;
    let command = PlaceHold {
        account: parse(&new.account, "account")?,
        amount: new.amount.0,
        currency: Currency::parse(&new.currency)?,
        expires_at: time(&new.expires_at, "expires_at")?,
    };
    change(&app, &caller, Command::PlaceHold(command)).await
}

/// Move held money
///
/// All of it or a part; a part leaves the hold open with the rest.
#[utoipa::path(
    post, path = "/v1/holds/{id}/confirm", tag = "hold", params(("id" = String, Path, example = "hld_7")),
    responses((status = OK, body = HoldView))
)]
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Id(hold): Id<HoldId>,
    Json(body): Json<Confirmation>,
) -> Answered<HoldView> {
    caller.operator()?;
    let (amount, to) = (body.amount.map(|amount| amount.0), parse(&body.to, "to")?);
    change(&app, &caller, Command::ConfirmHold { hold, amount, to }).await
}

/// Let held money go
#[utoipa::path(
    post, path = "/v1/holds/{id}/cancel", tag = "hold", params(("id" = String, Path, example = "hld_7")),
    responses((status = OK, body = HoldView))
)]
pub(crate) async fn cancel(State(app): State<App>, caller: Caller, Id(hold): Id<HoldId>) -> Answered<HoldView> {
    caller.operator()?;
    change(&app, &caller, Command::CancelHold(hold)).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<HoldView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Hold(id) = reply else { return None };
        state.holds.get(id.0).map(HoldView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a hold
#[utoipa::path(
    get, path = "/v1/holds/{id}", tag = "hold", params(("id" = String, Path, example = "hld_7")),
    responses((status = OK, body = HoldView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<HoldId>) -> Answered<HoldView> {
    app.owned(&caller, move |state| Ok(state.account(state.hold(id)?.account, "account")?.owner)).await?;
    app.look(move |state| state.hold(id).map(HoldView::of)).await
}

list_query! {
    /// Which holds.
    pub(crate) struct HoldQuery {
        /// On this account.
        account,
        /// `open`, `confirmed`, `cancelled` or `expired`.
        status,
    }
}

/// List holds
#[utoipa::path(get, path = "/v1/holds", tag = "hold", params(HoldQuery), responses((status = OK, body = PageView<HoldView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<HoldQuery>,
) -> ListAnswer<HoldView> {
    caller.operator()?;
    let status = query.status.as_deref().map(|text| word(text, "status", &STATUSES, status_name)).transpose()?;
    let filter = store::hold::HoldFilter { account: parse_some(query.account.as_deref(), "account")?, status };
    app.list(filter, query.page(), |_, hold| HoldView::of(hold)).await
}
