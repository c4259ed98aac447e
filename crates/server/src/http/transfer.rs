//! Transfers from a payment account to another holder's.

use axum::extract::State;
use domain::account::Owner;
use domain::ids::{AccountId, TransferId};
use domain::limit::Factors;
use domain::money::Currency;
use domain::transfer::{MakeTransfer, Transfer, TransferCommand};
use domain::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::sensitive::Encrypted;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTransfer {
    /// The account that pays: 2201 or 2206.
    #[schema(example = "acc_42")]
    from: String,
    /// The account that is paid: 2201 or 2206 of another owner.
    #[schema(example = "acc_43")]
    to: String,
    /// Minor units above zero.
    amount: Amount,
    /// Of both accounts.
    #[schema(example = "CNY")]
    currency: String,
    /// How the payer proved itself: `two_with_certificate`, `two` or `fewer`. The day's limit follows from it.
    #[schema(example = "two")]
    factors: String,
    /// What the payer writes with it, at most 128 bytes.
    note: Option<String>,
    /// The payer's device, as the block list of devices names it.
    device: Option<String>,
    /// The payer's pay password, encrypted: of a user that has one.
    pay_password: Option<Encrypted>,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The
    /// same number with the same body gets the first answer. It is bound alone: no answer shows it.
    out_transfer_no: Option<String>,
}

/// A transfer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransferView {
    #[schema(example = "trf_5")]
    id: String,
    #[schema(example = "acc_42")]
    from: String,
    #[schema(example = "acc_43")]
    to: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `two_with_certificate`, `two` or `fewer`.
    #[schema(example = "two")]
    factors: &'static str,
    note: Option<String>,
    #[schema(example = "vch_1042")]
    voucher: String,
    made_at: String,
    /// Nothing: a transfer is final.
    allowed_actions: Vec<&'static str>,
}

impl TransferView {
    fn of(transfer: &Transfer) -> Self {
        Self {
            id: transfer.id.to_string(),
            from: transfer.from.to_string(),
            to: transfer.to.to_string(),
            amount: Amount(transfer.amount),
            currency: transfer.currency.code(),
            factors: transfer.factors.name(),
            note: transfer.note.clone(),
            voucher: transfer.voucher.to_string(),
            made_at: time_text(transfer.made_at),
            allowed_actions: Vec::new(),
        }
    }
}

fn owner(state: &domain::State, account: AccountId, param: &'static str) -> Result<Owner, Refusal> {
    Ok(state.account(account, param)?.owner)
}

/// Transfer money to another holder's payment account (转账)
///
/// It is done at once and final. `out_transfer_no` is a key of its own, where it is named.
#[utoipa::path(post, path = "/v1/transfers", tag = "transfer", responses((status = OK, body = TransferView)))]
pub(crate) async fn make(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewTransfer>,
) -> Answered<TransferView> {
    let (from, to): (AccountId, AccountId) = (parse(&new.from, "from")?, parse(&new.to, "to")?);
    app.owned(&caller, move |state| owner(state, from, "from")).await?;
    let meta = caller.meta_numbered("out_transfer_no", new.out_transfer_no.as_deref())?;
    let (currency, factors) = (Currency::parse(&new.currency)?, factors(&new.factors)?);
    app.prove_transfer(&caller.actor, from, new.pay_password.as_ref()).await?;
    let NewTransfer { amount, note, device, .. } = new;
    let command = TransferCommand::Make(MakeTransfer { from, to, amount: amount.0, currency, factors, note, device });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Transfer(id) = reply else { return None };
        state.transfer(*id).ok().map(TransferView::of)
    };
    app.change(meta, Command::Transfer(command), view).await
}

fn factors(text: &str) -> Result<Factors, ApiError> {
    word(text, "factors", &Factors::ALL, Factors::name)
}

/// Look at a transfer
///
/// The payer's owner and the payee's may.
#[utoipa::path(
    get, path = "/v1/transfers/{id}", tag = "transfer", params(("id" = String, Path, example = "trf_5")),
    responses((status = OK, body = TransferView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TransferId>) -> Answered<TransferView> {
    let side = caller.merchant.map(Owner::Merchant);
    app.owned(&caller, move |state| {
        let transfer = state.transfer(id)?;
        let payee = owner(state, transfer.to, "to")?;
        if Some(payee) == side { Ok(payee) } else { owner(state, transfer.from, "from") }
    })
    .await?;
    app.look(move |state| state.transfer(id).map(TransferView::of)).await
}

list_query! {
    /// Which transfers.
    pub(crate) struct TransferQuery {
        /// From this account; merchants name one of their own here or as `to`.
        from,
        /// To this account.
        to,
        /// Made on this date or later.
        made_from,
        /// Made on this date or earlier.
        made_to,
    }
}

/// List transfers
#[utoipa::path(
    get, path = "/v1/transfers", tag = "transfer", params(TransferQuery),
    responses((status = OK, body = PageView<TransferView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TransferQuery>,
) -> ListAnswer<TransferView> {
    let from: Option<AccountId> = parse_some(query.from.as_deref(), "from")?;
    let to: Option<AccountId> = parse_some(query.to.as_deref(), "to")?;
    match (from, to) {
        (Some(account), _) | (None, Some(account)) => {
            app.owned(&caller, move |state| owner(state, account, "account")).await?;
        }
        (None, None) => caller.operator()?,
    }
    let (made_from, made_to) = (query.made_from.as_deref(), query.made_to.as_deref());
    let (made_from, made_to) = (parse_some(made_from, "made_from")?, parse_some(made_to, "made_to")?);
    let filter = store::transfer::TransferFilter { from, to, made_from, made_to };
    app.list(filter, query.page(), |_, transfer| TransferView::of(transfer)).await
}
