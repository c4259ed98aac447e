//! Whole-account restriction: bar money from coming in, going out, or both.

use axum::extract::State;
use domain::ids::AccountId;
use domain::operator::Role;
use domain::restriction::Restriction;
use domain::{Command, Reply};
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::account::AccountView;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json};

/// What is barred from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireRestriction {
    /// No money comes in.
    in_barred: bool,
    /// No money goes out; unsent payouts are cancelled.
    out_barred: bool,
}

/// Restrict an account, or lift it
///
/// Both false frees the account, unless freezes bar it: those only their authorities release. What came back from a bank is
/// taken even where the way in is barred.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/restriction", tag = "restriction",
    params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = AccountView))
)]
pub(crate) async fn restrict(
    State(app): State<App>,
    caller: Caller,
    Id(account): Id<AccountId>,
    Json(wire): Json<WireRestriction>,
) -> Answered<AccountView> {
    caller.operator_with(&[Role::Risk])?;
    let WireRestriction { in_barred, out_barred } = wire;
    let command = Command::RestrictAccount { account, restriction: Restriction { in_barred, out_barred } };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Account(id) = reply else { return None };
        state.accounts.get(id.0).map(|account| AccountView::of(state, account))
    };
    app.change(caller.meta()?, command, view).await
}
