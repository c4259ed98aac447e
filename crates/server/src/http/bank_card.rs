//! Bank cards that sent a withdrawal back, until they are verified again.

use axum::extract::State;
use domain::bank_card::{BankCard, BankCardCommand, Verification};
use domain::ids::BankCardId;
use domain::{Command, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse_some, time_text};

/// Who verified a card, and when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerificationView {
    at: String,
    by: String,
}

impl VerificationView {
    fn of(verification: &Verification) -> Self {
        Self { at: time_text(verification.at), by: verification.by.clone() }
    }
}

/// A bank card that sent a withdrawal back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BankCardView {
    #[schema(example = "bcd_2")]
    id: String,
    #[schema(example = "cus_12")]
    customer: String,
    /// The token of its number.
    #[schema(example = "crd_5f0c1b7a90e2d4c35f0c1b7a90e2d4c3")]
    card: String,
    /// Its number as it may be shown.
    #[schema(example = "622202******2230")]
    mask: String,
    /// The withdrawal that came back.
    #[schema(example = "pay_5")]
    payout: String,
    /// `stopped` or `verified`.
    #[schema(example = "stopped")]
    status: &'static str,
    stopped_at: String,
    verified: Option<VerificationView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl BankCardView {
    fn of(card: &BankCard) -> Self {
        Self {
            id: card.id.to_string(),
            customer: card.customer.to_string(),
            card: card.token.clone(),
            mask: card.mask.clone(),
            payout: card.payout.to_string(),
            status: if card.verified.is_some() { "verified" } else { "stopped" },
            stopped_at: time_text(card.stopped_at),
            verified: card.verified.as_ref().map(VerificationView::of),
            allowed_actions: card.allowed_actions().to_vec(),
        }
    }
}

/// Say that a bank card was verified again: money may go there
#[utoipa::path(
    post, path = "/v1/bank-cards/{id}/verify", tag = "bank_card", params(("id" = String, Path, example = "bcd_2")),
    responses((status = OK, body = BankCardView))
)]
pub(crate) async fn verify(State(app): State<App>, caller: Caller, Id(id): Id<BankCardId>) -> Answered<BankCardView> {
    caller.operator()?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::BankCard(id) = reply else { return None };
        state.bank_card(*id).ok().map(BankCardView::of)
    };
    app.change(caller.meta()?, Command::BankCard(BankCardCommand::Verify(id)), view).await
}

/// Look at a bank card that sent a withdrawal back
#[utoipa::path(
    get, path = "/v1/bank-cards/{id}", tag = "bank_card", params(("id" = String, Path, example = "bcd_2")),
    responses((status = OK, body = BankCardView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<BankCardId>) -> Answered<BankCardView> {
    caller.operator()?;
    app.look(move |state| state.bank_card(id).map(BankCardView::of)).await
}

list_query! {
    /// Which bank cards.
    pub(crate) struct BankCardQuery {
        /// Of this customer.
        customer,
        /// `true` for those that were verified again, `false` for those that are stopped.
        verified,
    }
}

/// List bank cards that sent a withdrawal back
#[utoipa::path(
    get, path = "/v1/bank-cards", tag = "bank_card", params(BankCardQuery),
    responses((status = OK, body = PageView<BankCardView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BankCardQuery>,
) -> ListAnswer<BankCardView> {
    caller.operator()?;
    let customer = parse_some(query.customer.as_deref(), "customer")?;
    let verified = parse_some(query.verified.as_deref(), "verified")?;
    let filter = store::bank_card::BankCardFilter { customer, verified };
    app.list(filter, query.page(), |_, card| BankCardView::of(card)).await
}
