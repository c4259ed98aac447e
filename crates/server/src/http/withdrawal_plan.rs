//! Plans of automatic withdrawals: from which account, to where, how much.

use axum::extract::State;
use domain::account::Owner;
use domain::ids::{AccountId, WithdrawalPlanId};
use domain::withdrawal_plan::{
    CreateWithdrawalPlan, PlanAction, PlanStatus, PlanTerms, PlanTo, WithdrawalPlan, WithdrawalPlanCommand,
};
use domain::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::bank_account::{BankAccountView, WireBankAccount, customer_of};
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// How much a withdrawal takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WithdrawalTerms)]
pub(crate) struct WireTerms {
    /// Minor units that stay on the account, zero or above.
    keep: Amount,
    /// The least that is withdrawn, above zero.
    minimum: Amount,
    /// Minor units of fee beside each withdrawal; 0 for what the fee plan says on its day, or nothing without one. The
    /// institution may name another, a merchant sends 0.
    fee: Amount,
}

impl WireTerms {
    fn read(self, caller: &Caller) -> Result<PlanTerms, ApiError> {
        if self.fee.0 != 0 && caller.merchant.is_some() {
            return Err(ApiError::forbidden("the fee plan or the institution sets the fee of a withdrawal; send zero"));
        }
        Ok(PlanTerms { keep: self.keep.0, minimum: self.minimum.0, fee: self.fee.0 })
    }
}

/// A plan to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlan {
    /// The account that pays, without another plan: 2201, 2203 or 2206, in yuan.
    #[schema(example = "acc_51")]
    account: String,
    /// Where its withdrawals go.
    to: WirePlanTo,
    terms: WireTerms,
}

/// Where withdrawals go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WirePlanTo {
    /// A bank account of the account's holder.
    Bank {
        /// The account.
        bank_account: WireBankAccount,
    },
    /// The merchant's settlement account, as it is when a withdrawal is made.
    Settlement,
}

/// Terms from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTerms {
    terms: WireTerms,
}

/// A plan of automatic withdrawals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WithdrawalPlanView {
    #[schema(example = "wpl_5")]
    id: String,
    #[schema(example = "acc_51")]
    account: String,
    /// `bank` or `settlement`.
    to: &'static str,
    /// The bank account; none for the settlement account, which stands with the merchant.
    bank_account: Option<BankAccountView>,
    /// The token of its number.
    #[schema(example = "crd_5f0c1b7a90e2d4c35f0c1b7a90e2d4c3")]
    card: Option<String>,
    terms: WireTerms,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `active`, `suspended` or `ended`.
    #[schema(example = "active")]
    status: &'static str,
    /// The accounting day on which a batch took it last.
    #[schema(example = "2026-03-05")]
    taken_on: Option<String>,
    created_at: String,
    changed_at: String,
    changed_by: String,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl WithdrawalPlanView {
    fn of(plan: &WithdrawalPlan) -> Self {
        let receiver = match &plan.to {
            PlanTo::Bank(receiver) => Some(receiver),
            PlanTo::Settlement => None,
        };
        let PlanTerms { keep, minimum, fee } = plan.terms;
        Self {
            id: plan.id.to_string(),
            account: plan.account.to_string(),
            to: if receiver.is_some() { "bank" } else { "settlement" },
            bank_account: receiver.map(|receiver| BankAccountView::of(&receiver.account, &receiver.name)),
            card: receiver.and_then(|receiver| receiver.token.clone()),
            terms: WireTerms { keep: Amount(keep), minimum: Amount(minimum), fee: Amount(fee) },
            currency: plan.currency.code(),
            status: plan.status.name(),
            taken_on: plan.taken_on.map(date_text),
            created_at: time_text(plan.created_at),
            changed_at: time_text(plan.changed_at),
            changed_by: plan.changed_by.clone(),
            allowed_actions: plan.allowed_actions().iter().copied().map(PlanAction::name).collect(),
        }
    }
}

fn owner(state: &domain::State, account: AccountId) -> Result<Owner, Refusal> {
    Ok(state.account(account, "account")?.owner)
}

async fn owned(app: &App, caller: &Caller, id: WithdrawalPlanId) -> Result<(), ApiError> {
    app.owned(caller, move |state| owner(state, state.withdrawal_plan(id)?.account)).await
}

async fn change(app: &App, caller: &Caller, command: WithdrawalPlanCommand) -> Answered<WithdrawalPlanView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::WithdrawalPlan(id) = reply else { return None };
        state.withdrawal_plan(*id).ok().map(WithdrawalPlanView::of)
    };
    app.change(caller.meta()?, Command::WithdrawalPlan(command), view).await
}

/// Plan automatic withdrawals of an account (自动提现)
#[utoipa::path(
    post, path = "/v1/withdrawal-plans", tag = "withdrawal_plan", responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewPlan>,
) -> Answered<WithdrawalPlanView> {
    let account: AccountId = parse(&new.account, "account")?;
    app.owned(&caller, move |state| owner(state, account)).await?;
    let terms = new.terms.read(&caller)?;
    let to = match new.to {
        WirePlanTo::Settlement => PlanTo::Settlement,
        WirePlanTo::Bank { bank_account } => {
            let holder = move |state: &domain::State| customer_of(state, owner(state, account)?).map(|it| it.id);
            let holder = app.look(holder).await?.view;
            PlanTo::Bank(app.seal_bank_account(holder, bank_account, "to.bank_account").await?.receiver())
        }
    };
    change(&app, &caller, WithdrawalPlanCommand::Create(CreateWithdrawalPlan { account, to, terms })).await
}

/// Change how much a plan takes
#[utoipa::path(
    post, path = "/v1/withdrawal-plans/{id}/change", tag = "withdrawal_plan",
    params(("id" = String, Path, example = "wpl_5")), responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn change_terms(
    State(app): State<App>,
    caller: Caller,
    Id(plan): Id<WithdrawalPlanId>,
    Json(new): Json<NewTerms>,
) -> Answered<WithdrawalPlanView> {
    owned(&app, &caller, plan).await?;
    let terms = new.terms.read(&caller)?;
    change(&app, &caller, WithdrawalPlanCommand::Change { plan, terms }).await
}

/// Leave a plan alone for a while
#[utoipa::path(
    post, path = "/v1/withdrawal-plans/{id}/suspend", tag = "withdrawal_plan",
    params(("id" = String, Path, example = "wpl_5")), responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(plan): Id<WithdrawalPlanId>,
) -> Answered<WithdrawalPlanView> {
    owned(&app, &caller, plan).await?;
    change(&app, &caller, WithdrawalPlanCommand::Suspend(plan)).await
}

/// Take a suspended plan again
#[utoipa::path(
    post, path = "/v1/withdrawal-plans/{id}/resume", tag = "withdrawal_plan",
    params(("id" = String, Path, example = "wpl_5")), responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller,
    Id(plan): Id<WithdrawalPlanId>,
) -> Answered<WithdrawalPlanView> {
    owned(&app, &caller, plan).await?;
    change(&app, &caller, WithdrawalPlanCommand::Resume(plan)).await
}

/// End a plan
#[utoipa::path(
    post, path = "/v1/withdrawal-plans/{id}/end", tag = "withdrawal_plan",
    params(("id" = String, Path, example = "wpl_5")), responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Id(plan): Id<WithdrawalPlanId>,
) -> Answered<WithdrawalPlanView> {
    owned(&app, &caller, plan).await?;
    change(&app, &caller, WithdrawalPlanCommand::End(plan)).await
}

/// Look at a plan
#[utoipa::path(
    get, path = "/v1/withdrawal-plans/{id}", tag = "withdrawal_plan",
    params(("id" = String, Path, example = "wpl_5")), responses((status = OK, body = WithdrawalPlanView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WithdrawalPlanId>,
) -> Answered<WithdrawalPlanView> {
    owned(&app, &caller, id).await?;
    app.look(move |state| state.withdrawal_plan(id).map(WithdrawalPlanView::of)).await
}

list_query! {
    /// Which plans.
    pub(crate) struct WithdrawalPlanQuery {
        /// Of this account; merchants name one of their own.
        account,
        /// `active`, `suspended` or `ended`.
        status,
    }
}

/// List plans
#[utoipa::path(
    get, path = "/v1/withdrawal-plans", tag = "withdrawal_plan", params(WithdrawalPlanQuery),
    responses((status = OK, body = PageView<WithdrawalPlanView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WithdrawalPlanQuery>,
) -> ListAnswer<WithdrawalPlanView> {
    let account: Option<AccountId> = parse_some(query.account.as_deref(), "account")?;
    match account {
        Some(account) => app.owned(&caller, move |state| owner(state, account)).await?,
        None => caller.operator()?,
    }
    let status = query.status.as_deref().map(|text| word(text, "status", &PlanStatus::ALL, PlanStatus::name));
    let filter = store::withdrawal_plan::WithdrawalPlanFilter { account, status: status.transpose()? };
    app.list(filter, query.page(), |_, plan| WithdrawalPlanView::of(plan)).await
}
