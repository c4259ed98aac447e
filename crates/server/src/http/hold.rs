//! Holds: reserve money on an account, or announce money to it, then move it or let it go.

use axum::extract::State;
use domain::hold::{
    Hold, HoldCommand, HoldConfirm, HoldDirection, HoldPart, HoldStatus, NewHold as PlaceNew, PlaceHold,
};
use domain::ids::HoldId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
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
    /// Minor units above zero; of money that goes out, at most what is available.
    amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// When it ends by itself.
    #[schema(example = "2026-03-05T18:00:00+08:00")]
    expires_at: String,
    /// The account that announced money will come from: with it the hold is of direction `in`, without it `out`.
    #[schema(example = "acc_44")]
    source: Option<String>,
    /// What you know it by, at most 128 bytes.
    #[schema(example = "contract 2026-BJ-0311")]
    reference: Option<String>,
}

impl NewHold {
    /// As the domain takes it.
    pub(super) fn place(self) -> Result<PlaceNew, ApiError> {
        let terms = PlaceHold {
            account: parse(&self.account, "account")?,
            amount: self.amount.0,
            currency: Currency::parse(&self.currency)?,
            expires_at: time(&self.expires_at, "expires_at")?,
        };
        let source = parse_some(self.source.as_deref(), "source")?;
        Ok(PlaceNew { terms, source, reference: self.reference })
    }
}

/// What of a hold to move, and where: `to` one receiver, or by `parts` to several at once; neither for announced money,
/// which comes from its source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// Where the money goes.
    #[schema(example = "acc_43")]
    to: Option<String>,
    /// All that is still held unless said.
    amount: Option<Amount>,
    /// Each receiver once, with its amount.
    parts: Option<Vec<Part>>,
}

/// One account's share of a confirm.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// The account on the voucher's other side.
    #[schema(example = "acc_43")]
    account: String,
    /// Minor units above zero.
    amount: Amount,
}

/// How long a hold lasts from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extension {
    /// Later than it ends now.
    #[schema(example = "2026-03-06T18:00:00+08:00")]
    expires_at: String,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldView {
    #[schema(example = "hld_7")]
    id: String,
    #[schema(example = "acc_42")]
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `out` for money that will go out, `in` for money announced to come in.
    direction: &'static str,
    /// Where announced money will come from.
    source: Option<String>,
    /// What its placer knows it by.
    reference: Option<String>,
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
    /// Who placed it, and alone extends it.
    placed_by: Option<String>,
    /// Its confirms by hand, oldest first.
    confirms: Vec<ConfirmView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

/// One confirm of a hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfirmView {
    /// Its number within the hold, from 1; with the hold's id its business number.
    #[schema(example = 1)]
    number: u32,
    amount: Amount,
    /// Who took it, or who gave it.
    parts: Vec<Part>,
    voucher: String,
    at: String,
    /// Who confirmed.
    by: String,
}

impl ConfirmView {
    fn of(confirm: &HoldConfirm) -> Self {
        let part = |part: &HoldPart| Part { account: part.account.to_string(), amount: Amount(part.amount) };
        Self {
            number: confirm.number,
            amount: Amount(confirm.amount),
            parts: confirm.parts.iter().map(part).collect(),
            voucher: confirm.voucher.to_string(),
            at: time_text(confirm.at),
            by: confirm.by.clone(),
        }
    }
}

const STATUSES: [HoldStatus; 4] = [HoldStatus::Open, HoldStatus::Confirmed, HoldStatus::Cancelled, HoldStatus::Expired];

impl HoldView {
    fn of(state: &domain::State, hold: &Hold) -> Self {
        let account = state.accounts.get(hold.account.0).expect("a hold is on an account");
        Self {
            id: hold.id.to_string(),
            account: hold.account.to_string(),
            currency: account.currency.code(),
            direction: hold.direction.name(),
            source: hold.source.map(|id| id.to_string()),
            reference: hold.reference.clone(),
            amount: Amount(hold.amount),
            confirmed: Amount(hold.confirmed),
            held: Amount(hold.held()),
            expires_at: time_text(hold.expires_at),
            status: hold.status.name(),
            payout: hold.payout.map(|id| id.to_string()),
            placed_by: hold.placed_by.clone(),
            confirms: hold.confirms.iter().map(ConfirmView::of).collect(),
            allowed_actions: hold.allowed_actions(state.now).to_vec(),
        }
    }
}

/// Hold money on an account, or announce it
///
/// Announced money is never available; it needs no balance, and confirming it books it from its source.
#[utoipa::path(post, path = "/v1/holds", tag = "hold", responses((status = OK, body = HoldView)))]
pub(crate) async fn place(State(app): State<App>, caller: Caller, Json(new): Json<NewHold>) -> Answered<HoldView> {
    caller.operator()?;
    change(&app, &caller, Command::Hold(HoldCommand::Place(new.place()?))).await
}

/// Move held money
///
/// All of it or a part; a part leaves the hold open with the rest. Each confirm is one voucher of its own number.
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
    let Confirmation { to, amount, parts } = body;
    let amount = amount.map(|amount| amount.0);
    let command = match (to, parts) {
        (None, None) => Command::Hold(HoldCommand::Receive { hold, amount }),
        (Some(to), None) => Command::ConfirmHold { hold, amount, to: parse(&to, "to")? },
        (None, Some(parts)) if amount.is_none() => {
            let part = |(at, part): (usize, &Part)| {
                let account = parse(&part.account, "account").map_err(|error| error.within(&format!("parts[{at}]")))?;
                Ok(HoldPart { account, amount: part.amount.0 })
            };
            let parts = parts.iter().enumerate().map(part).collect::<Result<_, ApiError>>()?;
            Command::Hold(HoldCommand::Confirm { hold, parts })
        }
        (_, Some(_)) => {
            let message = "each part has its receiver and amount; leave out to and amount, or parts";
            return Err(ApiError::malformed("parts", message.to_owned()));
        }
    };
    change(&app, &caller, command).await
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

/// Let a hold last longer
///
/// Only who placed it.
#[utoipa::path(
    post, path = "/v1/holds/{id}/extend", tag = "hold", params(("id" = String, Path, example = "hld_7")),
    responses((status = OK, body = HoldView))
)]
pub(crate) async fn extend(
    State(app): State<App>,
    caller: Caller,
    Id(hold): Id<HoldId>,
    Json(body): Json<Extension>,
) -> Answered<HoldView> {
    caller.operator()?;
    let expires_at = time(&body.expires_at, "expires_at")?;
    change(&app, &caller, Command::Hold(HoldCommand::Extend { hold, expires_at })).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<HoldView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Hold(id) = reply else { return None };
        state.holds.get(id.0).map(|hold| HoldView::of(state, hold))
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a hold
#[utoipa::path(
    get, path = "/v1/holds/{id}", tag = "hold", params(("id" = String, Path, example = "hld_7")),
    responses((status = OK, body = HoldView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<HoldId>) -> Answered<HoldView> {
    let look = move |state: &domain::State| {
        let hold = state.hold(id)?;
        Ok((state.account(hold.account, "account")?.owner, HoldView::of(state, hold)))
    };
    let answer = app.look(look).await?;
    caller.owner_or_operator(answer.view.0)?;
    Ok(answer.map(|(_, view)| view))
}

list_query! {
    /// Which holds.
    pub(crate) struct HoldQuery {
        /// On this account.
        account,
        /// `open`, `confirmed`, `cancelled` or `expired`.
        status,
        /// `out` or `in`.
        direction,
        /// Known to its placer by exactly this.
        reference,
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
    let (both, page) = ([HoldDirection::Out, HoldDirection::In], query.page());
    let filter = store::hold::HoldFilter {
        account: parse_some(query.account.as_deref(), "account")?,
        status: query.status.as_deref().map(|text| word(text, "status", &STATUSES, HoldStatus::name)).transpose()?,
        direction: query
            .direction
            .as_deref()
            .map(|text| word(text, "direction", &both, HoldDirection::name))
            .transpose()?,
        reference: query.reference,
    };
    app.list(filter, page, HoldView::of).await
}
