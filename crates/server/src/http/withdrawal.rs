//! Automatic withdrawals, each over all its tries. Batches make them; nobody else does.

use axum::extract::State;
use domain::Refusal;
use domain::account::Owner;
use domain::attempt::FailureClass;
use domain::ids::{AccountId, WithdrawalId};
use domain::withdrawal::{Withdrawal, WithdrawalFailure, WithdrawalStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::bank_account::BankAccountView;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payout::WireBank;
use super::wire::{Amount, parse_some, time_text, word};

/// Why a withdrawal failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WithdrawalFailureView {
    /// Whose failure: `user`, `risk`, `bank` or `system`; none where no try could be made.
    #[schema(example = "bank")]
    class: Option<&'static str>,
    /// The channel's code, or that of the refusal.
    #[schema(example = "card_stopped")]
    code: String,
}

impl WithdrawalFailureView {
    fn of(failure: &WithdrawalFailure) -> Self {
        Self { class: failure.class.map(FailureClass::name), code: failure.code.clone() }
    }
}

/// An automatic withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WithdrawalView {
    #[schema(example = "wdr_4")]
    id: String,
    #[schema(example = "wpl_5")]
    plan: String,
    #[schema(example = "cus_12")]
    customer: String,
    #[schema(example = "acc_51")]
    account: String,
    /// Where every try of it goes.
    bank_account: Option<BankAccountView>,
    bank: WireBank,
    /// The channel that every try of it leaves by: called as its network, or a further one of that.
    #[schema(example = "epcc")]
    channel: String,
    amount: Amount,
    fee: Amount,
    /// The version of the fee plan that gave the fee when it was made; every try costs the same.
    #[schema(example = "fpl_2")]
    fee_plan: Option<String>,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `trying`, `waiting` (for the timer), `carried` (for the next batch), `success`, `failed` or `returned`.
    #[schema(example = "success")]
    status: &'static str,
    /// The batch that made it.
    #[schema(example = "wba_3")]
    made_by: String,
    /// The batch that tried it last.
    #[schema(example = "wba_3")]
    batch: String,
    /// Its tries, oldest first: payouts.
    tries: Vec<String>,
    /// How many of them the last batch made.
    #[schema(example = 1)]
    tries_in_batch: u8,
    /// When the next try is made, while it waits.
    retry_at: Option<String>,
    failure: Option<WithdrawalFailureView>,
    made_at: String,
    ended_at: Option<String>,
    /// Nothing: its tries, the timer and batches move it.
    allowed_actions: Vec<&'static str>,
}

impl WithdrawalView {
    fn of(withdrawal: &Withdrawal) -> Self {
        let snapshot = &withdrawal.snapshot;
        let receiver = snapshot.destination.receiver();
        Self {
            id: withdrawal.id.to_string(),
            plan: withdrawal.plan.to_string(),
            customer: withdrawal.customer.to_string(),
            account: snapshot.account.to_string(),
            bank_account: receiver.map(|receiver| BankAccountView::of(&receiver.account, &receiver.name)),
            bank: WireBank::show(&snapshot.bank),
            amount: Amount(snapshot.amount),
            fee: Amount(snapshot.fee),
            channel: snapshot.channel_name().to_string(),
            fee_plan: snapshot.fee_plan.map(|id| id.to_string()),
            currency: snapshot.currency.code(),
            status: withdrawal.status.name(),
            made_by: withdrawal.made_by.to_string(),
            batch: withdrawal.batch.to_string(),
            tries: withdrawal.tries.iter().map(ToString::to_string).collect(),
            tries_in_batch: withdrawal.tries_in_batch,
            retry_at: withdrawal.retry_at.map(time_text),
            failure: withdrawal.failure.as_ref().map(WithdrawalFailureView::of),
            made_at: time_text(withdrawal.made_at),
            ended_at: withdrawal.ended_at.map(time_text),
            allowed_actions: Vec::new(),
        }
    }
}

fn owner(state: &domain::State, account: AccountId) -> Result<Owner, Refusal> {
    Ok(state.account(account, "account")?.owner)
}

/// Look at an automatic withdrawal
#[utoipa::path(
    get, path = "/v1/withdrawals/{id}", tag = "withdrawal", params(("id" = String, Path, example = "wdr_4")),
    responses((status = OK, body = WithdrawalView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<WithdrawalId>) -> Answered<WithdrawalView> {
    app.owned(&caller, move |state| owner(state, state.withdrawal(id)?.snapshot.account)).await?;
    app.look(move |state| state.withdrawal(id).map(WithdrawalView::of)).await
}

list_query! {
    /// Which automatic withdrawals.
    pub(crate) struct WithdrawalQuery {
        /// From this account; merchants name one of their own.
        account,
        /// Of this plan.
        plan,
        /// Tried last by this batch.
        batch,
        /// `trying`, `waiting`, `carried`, `success`, `failed` or `returned`.
        status,
    }
}

/// List automatic withdrawals
#[utoipa::path(
    get, path = "/v1/withdrawals", tag = "withdrawal", params(WithdrawalQuery),
    responses((status = OK, body = PageView<WithdrawalView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WithdrawalQuery>,
) -> ListAnswer<WithdrawalView> {
    let account: Option<AccountId> = parse_some(query.account.as_deref(), "account")?;
    match account {
        Some(account) => app.owned(&caller, move |state| owner(state, account)).await?,
        None => caller.operator()?,
    }
    let status = query.status.as_deref();
    let filter = store::withdrawal::WithdrawalFilter {
        plan: parse_some(query.plan.as_deref(), "plan")?,
        batch: parse_some(query.batch.as_deref(), "batch")?,
        account,
        status: status.map(|text| word(text, "status", &WithdrawalStatus::ALL, WithdrawalStatus::name)).transpose()?,
    };
    app.list(filter, query.page(), |_, withdrawal| WithdrawalView::of(withdrawal)).await
}
