//! Chargebacks (拒付): a card's bank takes a payment back.

use axum::extract::State;
use domain::chargeback::{
    Chargeback, ChargebackCommand, ChargebackStatus, ChargebackStep, ReceiveCardChargeback, ReceiveChargeback,
};
use domain::ids::ChargebackId;
use domain::money::Currency;
use domain::operator::Role;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::order::ShareView;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// A chargeback as the network tells of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewChargeback {
    /// The leg it takes back: a captured card payment. Either this or `card_transaction`.
    #[schema(example = "leg_9")]
    leg: Option<String>,
    /// The card transaction at a terminal that it takes back.
    #[schema(example = "ctx_42")]
    card_transaction: Option<String>,
    /// The network's case number, 1 to 64 bytes, never used before.
    #[schema(example = "CB-2026-000017")]
    case_number: String,
    /// The network's reason code, 1 to 64 bytes.
    #[schema(example = "4853")]
    reason: String,
    /// Minor units above zero, at most what is left of the leg.
    amount: Amount,
    /// The leg's.
    #[schema(example = "CNY")]
    currency: String,
}

/// Who did a step, and when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChargebackStepView {
    at: String,
    operator: String,
    /// Its voucher, if it booked something.
    voucher: Option<String>,
}

impl ChargebackStepView {
    fn of(step: &ChargebackStep) -> Self {
        Self { at: time_text(step.at), operator: step.operator.clone(), voucher: step.voucher.map(|id| id.to_string()) }
    }
}

/// A chargeback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChargebackView {
    #[schema(example = "cbk_2")]
    id: String,
    case_number: String,
    reason: String,
    #[schema(example = "leg_9")]
    leg: Option<String>,
    #[schema(example = "ord_7")]
    order: Option<String>,
    /// In place of both, of a card at a terminal.
    #[schema(example = "ctx_42")]
    card_transaction: Option<String>,
    #[schema(example = "mch_4")]
    merchant: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `received`, `booked` or `won`.
    #[schema(example = "received")]
    status: &'static str,
    /// What was taken from the merchant.
    taken: Vec<ShareView>,
    /// What the merchant lacked and own money paid.
    lack: Amount,
    /// The arrears that became of it.
    arrears: Option<String>,
    received: ChargebackStepView,
    booked: Option<ChargebackStepView>,
    won: Option<ChargebackStepView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl ChargebackView {
    fn of(chargeback: &Chargeback) -> Self {
        Self {
            id: chargeback.id.to_string(),
            case_number: chargeback.case_number.clone(),
            reason: chargeback.reason.clone(),
            leg: chargeback.leg.map(|id| id.to_string()),
            order: chargeback.order.map(|id| id.to_string()),
            card_transaction: chargeback.card.map(|id| id.to_string()),
            merchant: chargeback.merchant.to_string(),
            amount: Amount(chargeback.amount),
            currency: chargeback.currency.code(),
            status: chargeback.status.name(),
            taken: chargeback.taken.iter().map(ShareView::of).collect(),
            lack: Amount(chargeback.lack),
            arrears: chargeback.arrears.map(|id| id.to_string()),
            received: ChargebackStepView::of(&chargeback.received),
            booked: chargeback.booked.as_ref().map(ChargebackStepView::of),
            won: chargeback.won.as_ref().map(ChargebackStepView::of),
            allowed_actions: chargeback.allowed_actions().to_vec(),
        }
    }
}

async fn change(app: &App, caller: &Caller, command: ChargebackCommand) -> Answered<ChargebackView> {
    caller.operator_with(&[Role::Accountant, Role::Risk])?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Chargeback(id) = reply else { return None };
        state.chargebacks.get(id.0).map(ChargebackView::of)
    };
    app.change(caller.meta()?, Command::Chargeback(command), view).await
}

/// Take down a chargeback that the network tells of
///
/// From then on its amount cannot be refunded. Nothing is booked yet.
#[utoipa::path(
    post, path = "/v1/chargebacks", tag = "chargeback", responses((status = OK, body = ChargebackView))
)]
pub(crate) async fn receive(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewChargeback>,
) -> Answered<ChargebackView> {
    let NewChargeback { leg, card_transaction, case_number, reason, amount: Amount(amount), currency } = new;
    let currency = Currency::parse(&currency)?;
    let command = match (leg, card_transaction) {
        (Some(leg), None) => {
            let leg = parse(&leg, "leg")?;
            ChargebackCommand::Receive(ReceiveChargeback { leg, case_number, reason, amount, currency })
        }
        (None, Some(transaction)) => {
            let transaction = parse(&transaction, "card_transaction")?;
            ChargebackCommand::ReceiveCard(ReceiveCardChargeback { transaction, case_number, reason, amount, currency })
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::malformed("leg", "name either a leg or a card_transaction"));
        }
    };
    change(&app, &caller, command).await
}

/// Take the money of a chargeback
///
/// From the order's unsettled share, then from what the merchant has available; own money pays the rest, which becomes
/// arrears. If own money has too little in the reserve, it is injected first.
#[utoipa::path(
    post, path = "/v1/chargebacks/{id}/book", tag = "chargeback", params(("id" = String, Path, example = "cbk_2")),
    responses((status = OK, body = ChargebackView))
)]
pub(crate) async fn book(State(app): State<App>, caller: Caller, Id(id): Id<ChargebackId>) -> Answered<ChargebackView> {
    change(&app, &caller, ChargebackCommand::Book(id)).await
}

/// Say that a chargeback was won
///
/// What is left of its arrears is undone, the merchant gets the rest.
#[utoipa::path(
    post, path = "/v1/chargebacks/{id}/win", tag = "chargeback", params(("id" = String, Path, example = "cbk_2")),
    responses((status = OK, body = ChargebackView))
)]
pub(crate) async fn win(State(app): State<App>, caller: Caller, Id(id): Id<ChargebackId>) -> Answered<ChargebackView> {
    change(&app, &caller, ChargebackCommand::Win(id)).await
}

/// Look at a chargeback
#[utoipa::path(
    get, path = "/v1/chargebacks/{id}", tag = "chargeback", params(("id" = String, Path, example = "cbk_2")),
    responses((status = OK, body = ChargebackView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ChargebackId>) -> Answered<ChargebackView> {
    caller.operator()?;
    app.look(move |state| state.chargeback(id).map(ChargebackView::of)).await
}

list_query! {
    /// Which chargebacks.
    pub(crate) struct ChargebackQuery {
        /// Of this merchant.
        merchant,
        /// Of this order.
        order,
        /// Of exactly this case.
        case_number,
        /// `received`, `booked` or `won`.
        status,
    }
}

/// List chargebacks
#[utoipa::path(
    get, path = "/v1/chargebacks", tag = "chargeback", params(ChargebackQuery),
    responses((status = OK, body = PageView<ChargebackView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ChargebackQuery>,
) -> ListAnswer<ChargebackView> {
    caller.operator()?;
    let page = query.page();
    let status = |text: &str| word(text, "status", &ChargebackStatus::ALL, ChargebackStatus::name);
    let filter = store::chargeback::ChargebackFilter {
        merchant: parse_some(query.merchant.as_deref(), "merchant")?,
        order: parse_some(query.order.as_deref(), "order")?,
        status: query.status.as_deref().map(status).transpose()?,
        case_number: query.case_number,
    };
    app.list(filter, page, |_, chargeback| ChargebackView::of(chargeback)).await
}
