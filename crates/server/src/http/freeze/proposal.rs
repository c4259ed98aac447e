//! What of a freeze takes two people: its release, and the deduction (扣划) of frozen money.

use axum::extract::State;
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::freeze::{DeductFreeze, FreezeScope, ReleaseFreeze};
use domain::ids::{AccountId, CustomerId, FreezeId};
use domain::payout::Receiver;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::App;
use crate::http::answer::Answered;
use crate::http::approval::{ApprovalView, Wire, change};
use crate::http::auth::Caller;
use crate::http::bank_account::{BankAccountView, SealedBankAccount, WireBankAccount, customer_of};
use crate::http::error::ApiError;
use crate::http::extract::{Id, Json};
use crate::http::wire::{Amount, parse, parse_some};

/// What of a freeze to release.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    /// The freeze.
    #[schema(example = "frz_2")]
    freeze: String,
    /// Who orders the release: the authority that froze.
    authority: String,
    /// The number of the document that orders it.
    document: String,
    /// All that is still frozen unless said; none for a freeze that is not of an amount.
    amount: Option<Amount>,
    /// Whether all in force that was placed down a tree with it goes too; no amount then.
    #[serde(default)]
    group: bool,
}

impl Wire for ReleaseBody {
    type Of = ReleaseFreeze;

    fn read(self) -> Result<ReleaseFreeze, ApiError> {
        let (freeze, amount) = (parse(&self.freeze, "freeze")?, self.amount.map(|amount| amount.0));
        Ok(ReleaseFreeze { freeze, authority: self.authority, document: self.document, amount, group: self.group })
    }

    fn show(of: &ReleaseFreeze) -> Self {
        Self {
            freeze: of.freeze.to_string(),
            authority: of.authority.clone(),
            document: of.document.clone(),
            amount: of.amount.map(Amount),
            group: of.group,
        }
    }
}

/// What of a freeze to deduct, as it is shown; it is proposed by `POST /v1/freezes/{id}/deductions`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeductionBody {
    /// The freeze.
    #[schema(example = "frz_2")]
    freeze: String,
    /// The account it is taken from.
    account: Option<String>,
    amount: Amount,
    /// Who orders it: the authority that froze.
    authority: String,
    /// The number of the document that orders it.
    document: String,
    /// The authority's bank account; what masks show.
    bank_account: BankAccountView,
}

impl Wire for DeductionBody {
    type Of = DeductFreeze;

    fn read(self) -> Result<DeductFreeze, ApiError> {
        let message =
            "a deduction names a bank account, which is sealed: propose it by POST /v1/freezes/{id}/deductions";
        Err(ApiError::malformed("kind", message))
    }

    fn show(of: &DeductFreeze) -> Self {
        Self {
            freeze: of.freeze.to_string(),
            account: of.account.map(|account| account.to_string()),
            amount: Amount(of.amount),
            authority: of.authority.clone(),
            document: of.document.clone(),
            bank_account: BankAccountView::of(&of.receiver.account, &of.receiver.name),
        }
    }
}

/// What to deduct.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDeduction {
    /// The account to take it from; needed where the freeze lies on a customer.
    #[schema(example = "acc_42")]
    account: Option<String>,
    /// Minor units above zero, at most what the freeze bites on there.
    amount: Amount,
    /// Who orders it: the authority that froze.
    #[schema(example = "Chaoyang court")]
    authority: String,
    /// The number of the document that orders it.
    #[schema(example = "2026-0310-118")]
    document: String,
    /// The authority's bank account.
    bank_account: WireBankAccount,
    /// Why, for whoever approves it.
    #[schema(example = "ruling of 2026-03-10")]
    reason: String,
}

/// Propose to deduct frozen money (扣划)
///
/// Money and freeze go down together when another operator approves it; what the bank declines or returns comes back with
/// the freeze.
#[utoipa::path(
    post, path = "/v1/freezes/{id}/deductions", tag = "freeze", params(("id" = String, Path, example = "frz_2")),
    responses((status = OK, body = ApprovalView))
)]
pub(crate) async fn deduct(
    State(app): State<App>,
    caller: Caller,
    Id(freeze): Id<FreezeId>,
    Json(new): Json<NewDeduction>,
) -> Answered<ApprovalView> {
    caller.person()?;
    let account: Option<AccountId> = parse_some(new.account.as_deref(), "account")?;
    let customer = app.look(move |state| holder(state, freeze)).await?.view;
    let sealed = app.seal_bank_account(customer, new.bank_account, "bank_account").await?;
    let SealedBankAccount { account: number, holder: name, .. } = sealed;
    let receiver = Receiver { account: number, name, own: false, token: None };
    let (amount, authority, document) = (new.amount.0, new.authority, new.document);
    let proposal = Proposal::DeductFreeze(DeductFreeze { freeze, account, amount, authority, document, receiver });
    let propose = Propose { proposal, reason: new.reason, evidence: None };
    change(&app, &caller, ApprovalCommand::Propose(Box::new(propose))).await
}

/// The customer whose money a freeze lies on: the authority's bank account is sealed under its key.
fn holder(state: &domain::State, freeze: FreezeId) -> Result<CustomerId, domain::Refusal> {
    match state.freeze(freeze)?.scope() {
        FreezeScope::Customer(customer) => Ok(customer),
        FreezeScope::Account(account) => Ok(customer_of(state, state.account(account, "account")?.owner)?.id),
    }
}
