//! Transfers between own money and reserve. Sweeps and injections are instructed by approvals of kind `sweep_income` and
//! `inject_own_money`, repayments by their advance; only the line of the reserve account's statement books them.

use axum::extract::State;
use domain::ids::OwnTransferId;
use domain::money::Currency;
use domain::operator::Role;
use domain::own_transfer::{InstructTransfer, OwnTransfer, OwnTransferCommand, OwnTransferStatus, TransferKind};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, time_text, word};

const KINDS: [&str; 3] = ["income_sweep", "injection", "repayment"];

/// What to move between own money and reserve.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstructionBody {
    /// Minor units above zero.
    amount: Amount,
    #[schema(example = "CNY")]
    currency: String,
}

impl Wire for InstructionBody {
    type Of = InstructTransfer;

    fn read(self) -> Result<InstructTransfer, ApiError> {
        Ok(InstructTransfer { amount: self.amount.0, currency: Currency::parse(&self.currency)? })
    }

    fn show(of: &InstructTransfer) -> Self {
        Self { amount: Amount(of.amount), currency: of.currency.code().to_owned() }
    }
}

/// A transfer between own money and reserve.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnTransferView {
    #[schema(example = "otr_3")]
    id: String,
    /// `income_sweep`, `injection` or `repayment`.
    #[schema(example = "income_sweep")]
    kind: &'static str,
    /// The advance that it pays back.
    advance: Option<String>,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `open`, `done` or `cancelled`.
    #[schema(example = "open")]
    status: &'static str,
    /// What is held while it is open.
    hold: Option<String>,
    instructed_at: String,
    /// Who instructed it.
    instructed_by: String,
    approver: Option<String>,
    ended_at: Option<String>,
    /// The line that booked it.
    line: Option<String>,
    voucher: Option<String>,
    cancelled_by: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl OwnTransferView {
    pub(crate) fn of(transfer: &OwnTransfer) -> Self {
        let advance = match transfer.kind {
            TransferKind::Repayment(id) => Some(id.to_string()),
            TransferKind::IncomeSweep | TransferKind::Injection => None,
        };
        Self {
            id: transfer.id.to_string(),
            kind: transfer.kind.name(),
            advance,
            amount: Amount(transfer.amount),
            currency: transfer.currency.code(),
            status: transfer.status.name(),
            hold: transfer.hold.map(|id| id.to_string()),
            instructed_at: time_text(transfer.instructed_at),
            instructed_by: transfer.operator.clone(),
            approver: transfer.approver.clone(),
            ended_at: transfer.ended_at.map(time_text),
            line: transfer.line.map(|id| id.to_string()),
            voucher: transfer.voucher.map(|id| id.to_string()),
            cancelled_by: transfer.cancelled_by.clone(),
            allowed_actions: transfer.allowed_actions().to_vec(),
        }
    }
}

/// The transfer that a reply names.
pub(crate) fn replied(state: &domain::State, reply: &Reply) -> Option<OwnTransferView> {
    let Reply::OwnTransfer(id) = reply else { return None };
    state.own_transfers.get(id.0).map(OwnTransferView::of)
}

/// Say that the bank did not carry a transfer out
///
/// Its hold is let go. Money that moves later comes as a line that nothing awaits.
#[utoipa::path(
    post, path = "/v1/own-transfers/{id}/cancel", tag = "own_transfer",
    params(("id" = String, Path, example = "otr_3")), responses((status = OK, body = OwnTransferView))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<OwnTransferId>,
) -> Answered<OwnTransferView> {
    caller.operator_with(&[Role::Treasurer])?;
    app.change(caller.meta()?, Command::OwnTransfer(OwnTransferCommand::Cancel(id)), replied).await
}

/// Look at a transfer between own money and reserve
#[utoipa::path(
    get, path = "/v1/own-transfers/{id}", tag = "own_transfer", params(("id" = String, Path, example = "otr_3")),
    responses((status = OK, body = OwnTransferView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<OwnTransferId>,
) -> Answered<OwnTransferView> {
    caller.operator()?;
    app.look(move |state| state.own_transfer(id).map(OwnTransferView::of)).await
}

list_query! {
    /// Which transfers.
    pub(crate) struct OwnTransferQuery {
        /// `income_sweep`, `injection` or `repayment`.
        kind,
        /// `open`, `done` or `cancelled`.
        status,
    }
}

/// List transfers between own money and reserve
#[utoipa::path(
    get, path = "/v1/own-transfers", tag = "own_transfer", params(OwnTransferQuery),
    responses((status = OK, body = PageView<OwnTransferView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OwnTransferQuery>,
) -> ListAnswer<OwnTransferView> {
    caller.operator()?;
    let status = |text: &str| word(text, "status", &OwnTransferStatus::ALL, OwnTransferStatus::name);
    let filter = store::own_transfer::OwnTransferFilter {
        kind: query.kind.as_deref().map(|text| word(text, "kind", &KINDS, |kind| kind)).transpose()?,
        status: query.status.as_deref().map(status).transpose()?,
    };
    app.list(filter, query.page(), |_, transfer| OwnTransferView::of(transfer)).await
}
