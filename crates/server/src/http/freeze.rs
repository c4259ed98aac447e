//! Precise freezes: an authority freezes an amount on an account, and releases it.

use axum::extract::State;
use domain::freeze::{Freeze, FreezeStatus, PlaceFreeze, ReleaseFreeze};
use domain::ids::FreezeId;
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

/// What to freeze.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFreeze {
    /// The account.
    #[schema(example = "acc_42")]
    account: String,
    /// Minor units above zero; may be more than there is, then it bites as money arrives.
    amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// Why.
    #[schema(example = "case 2026-118")]
    reason: String,
    /// Who orders it; only the same may release it.
    #[schema(example = "Chaoyang court")]
    authority: String,
    /// The number of the authority's document (文书号).
    #[schema(example = "2026-0305-118")]
    document: String,
    /// When it ends by itself; never unless said.
    #[schema(example = "2026-09-05T00:00:00+08:00")]
    expires_at: Option<String>,
}

/// What of a freeze to release.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// Who orders the release: the authority that froze.
    #[schema(example = "Chaoyang court")]
    authority: String,
    /// All that is still frozen unless said.
    amount: Option<Amount>,
}

/// A freeze.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FreezeView {
    #[schema(example = "frz_2")]
    id: String,
    #[schema(example = "acc_42")]
    account: String,
    /// Frozen at first.
    amount: Amount,
    /// Released so far.
    released: Amount,
    /// Still frozen; it bites on what the balance covers.
    frozen: Amount,
    reason: String,
    authority: String,
    document: String,
    expires_at: Option<String>,
    placed_at: String,
    /// `in_force`, `released` or `expired`.
    status: &'static str,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl FreezeView {
    fn of(freeze: &Freeze) -> Self {
        Self {
            id: freeze.id.to_string(),
            account: freeze.account.to_string(),
            amount: Amount(freeze.amount),
            released: Amount(freeze.released),
            frozen: Amount(freeze.frozen()),
            reason: freeze.reason.clone(),
            authority: freeze.authority.clone(),
            document: freeze.document.clone(),
            expires_at: freeze.expires_at.map(time_text),
            placed_at: time_text(freeze.placed_at),
            status: freeze.status.name(),
            allowed_actions: freeze.allowed_actions().to_vec(),
        }
    }
}

/// Freeze an amount
///
/// Several freezes of one account add up. Placing one cancels the account's unsent payouts.
#[utoipa::path(post, path = "/v1/freezes", tag = "freeze", responses((status = OK, body = FreezeView)))]
pub(crate) async fn place(State(app): State<App>, caller: Caller, Json(new): Json<NewFreeze>) -> Answered<FreezeView> {
    caller.operator()?;
    let command = PlaceFreeze {
        account: parse(&new.account, "account")?,
        amount: new.amount.0,
        currency: Currency::parse(&new.currency)?,
        reason: new.reason,
        authority: new.authority,
        document: new.document,
        expires_at: new.expires_at.map(|text| time(&text, "expires_at")).transpose()?,
    };
    change(&app, &caller, Command::PlaceFreeze(command)).await
}

/// Release a freeze, all or a part
#[utoipa::path(
    post, path = "/v1/freezes/{id}/release", tag = "freeze", params(("id" = String, Path, example = "frz_2")),
    responses((status = OK, body = FreezeView))
)]
pub(crate) async fn release(
    State(app): State<App>,
    caller: Caller,
    Id(freeze): Id<FreezeId>,
    Json(body): Json<Release>,
) -> Answered<FreezeView> {
    caller.operator()?;
    let command = ReleaseFreeze { freeze, authority: body.authority, amount: body.amount.map(|amount| amount.0) };
    change(&app, &caller, Command::ReleaseFreeze(command)).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<FreezeView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Freeze(id) = reply else { return None };
        state.freezes.get(id.0).map(FreezeView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a freeze
#[utoipa::path(
    get, path = "/v1/freezes/{id}", tag = "freeze", params(("id" = String, Path, example = "frz_2")),
    responses((status = OK, body = FreezeView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<FreezeId>) -> Answered<FreezeView> {
    caller.operator()?;
    app.look(move |state| state.freeze(id).map(FreezeView::of)).await
}

list_query! {
    /// Which freezes.
    pub(crate) struct FreezeQuery {
        /// On this account.
        account,
        /// `in_force`, `released` or `expired`.
        status,
        /// With this document number.
        document,
    }
}

/// List freezes
#[utoipa::path(
    get, path = "/v1/freezes", tag = "freeze", params(FreezeQuery),
    responses((status = OK, body = PageView<FreezeView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FreezeQuery>,
) -> ListAnswer<FreezeView> {
    caller.operator()?;
    let all = [FreezeStatus::InForce, FreezeStatus::Released, FreezeStatus::Expired];
    let page = query.page();
    let filter = store::freeze::FreezeFilter {
        account: parse_some(query.account.as_deref(), "account")?,
        status: query.status.as_deref().map(|text| word(text, "status", &all, FreezeStatus::name)).transpose()?,
        document: query.document,
    };
    app.list(filter, page, |_, freeze| FreezeView::of(freeze)).await
}
