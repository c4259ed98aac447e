//! Agreements: money that leaves its account only to the receivers that the agreement lists.

use axum::extract::State;
use domain::agreement::{Agreement, AgreementStatus, CreateAgreement, PayFromAgreement};
use domain::book::Book;
use domain::ids::AgreementId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, owner, owner_text, parse, parse_some, word};

/// What to agree.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAgreement {
    /// The agreement's number.
    #[schema(example = "2026-BJ-0311")]
    number: String,
    /// Whose money it will be: `usr_…` or `mch_…`.
    #[schema(example = "usr_7")]
    party: String,
    /// What it is for.
    #[schema(example = "earnest money")]
    purpose: String,
    /// `RESERVE` (2204) or `CUSTODY` (9201).
    #[schema(example = "RESERVE")]
    book: String,
    #[schema(example = "CNY")]
    currency: String,
    /// The accounts that may receive its money.
    #[schema(example = json!(["acc_43"]))]
    receivers: Vec<String>,
}

/// Whom to pay from an agreement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementPayment {
    /// One of its receivers.
    #[schema(example = "acc_43")]
    to: String,
    /// Minor units above zero.
    amount: Amount,
}

/// An agreement with its account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgreementView {
    #[schema(example = "agr_2")]
    id: String,
    #[schema(example = "2026-BJ-0311")]
    number: String,
    #[schema(example = "usr_7")]
    party: String,
    purpose: String,
    /// Its account.
    #[schema(example = "acc_60")]
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// What lies on it.
    balance: Amount,
    receivers: Vec<String>,
    /// `open` or `closed`.
    status: &'static str,
    /// How many payments it has made.
    payments: u64,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl AgreementView {
    fn of(state: &domain::State, agreement: &Agreement) -> Self {
        Self {
            id: agreement.id.to_string(),
            number: agreement.number.clone(),
            party: owner_text(agreement.party),
            purpose: agreement.purpose.clone(),
            account: agreement.account.to_string(),
            currency: agreement.currency.code(),
            balance: Amount(state.accounts.get(agreement.account.0).map_or(0, |account| account.balance)),
            receivers: agreement.receivers.iter().map(ToString::to_string).collect(),
            status: agreement.status.name(),
            payments: agreement.payments,
            allowed_actions: agreement.allowed_actions().to_vec(),
        }
    }
}

/// Make an agreement
///
/// Opens its account. Number, party and purpose together name it.
#[utoipa::path(post, path = "/v1/agreements", tag = "agreement", responses((status = OK, body = AgreementView)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAgreement>,
) -> Answered<AgreementView> {
    caller.operator()?;
    let receivers = new.receivers.iter().map(|text| parse(text, "receivers")).collect::<Result<_, _>>()?;
    let command = CreateAgreement {
        number: new.number,
        party: owner(&new.party, "party")?,
        purpose: new.purpose,
        book: word(&new.book, "book", &Book::ALL, Book::name)?,
        currency: Currency::parse(&new.currency)?,
        receivers,
    };
    change(&app, &caller, Command::CreateAgreement(command)).await
}

/// Pay a listed receiver
#[utoipa::path(
    post, path = "/v1/agreements/{id}/pay", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn pay(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
    Json(body): Json<AgreementPayment>,
) -> Answered<AgreementView> {
    caller.operator()?;
    let command = PayFromAgreement { agreement, to: parse(&body.to, "to")?, amount: body.amount.0 };
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::Voucher(_) = reply else { return None };
        state.agreements.get(agreement.0).map(|agreement| AgreementView::of(state, agreement))
    };
    app.change(caller.meta()?, Command::PayFromAgreement(command), view).await
}

/// Close an agreement and its account
///
/// At zero, with nothing held or frozen.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/close", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
) -> Answered<AgreementView> {
    caller.operator()?;
    change(&app, &caller, Command::CloseAgreement(agreement)).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<AgreementView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Agreement(id) = reply else { return None };
        state.agreements.get(id.0).map(|agreement| AgreementView::of(state, agreement))
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at an agreement
#[utoipa::path(
    get, path = "/v1/agreements/{id}", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AgreementId>) -> Answered<AgreementView> {
    app.owned(&caller, move |state| Ok(state.agreement(id)?.party)).await?;
    app.look(move |state| Ok(AgreementView::of(state, state.agreement(id)?))).await
}

list_query! {
    /// Which agreements.
    pub(crate) struct AgreementQuery {
        /// With this number.
        number,
        /// Of this party: `usr_…` or `mch_…`.
        party,
        /// With this account.
        account,
        /// `open` or `closed`.
        status,
    }
}

/// List agreements
#[utoipa::path(
    get, path = "/v1/agreements", tag = "agreement", params(AgreementQuery),
    responses((status = OK, body = PageView<AgreementView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AgreementQuery>,
) -> ListAnswer<AgreementView> {
    caller.operator()?;
    let all = [AgreementStatus::Open, AgreementStatus::Closed];
    let page = query.page();
    let filter = store::agreement::AgreementFilter {
        party: query.party.as_deref().map(|text| owner(text, "party")).transpose()?,
        account: parse_some(query.account.as_deref(), "account")?,
        status: query.status.as_deref().map(|text| word(text, "status", &all, AgreementStatus::name)).transpose()?,
        number: query.number,
    };
    app.list(filter, page, AgreementView::of).await
}
