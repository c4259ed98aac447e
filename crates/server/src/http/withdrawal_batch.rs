//! Batches of automatic withdrawals: what is due, running one with what the enrichment answered, which failures are tried
//! again.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::calendar::Date;
use domain::ids::{AccountId, RetryRuleId, WithdrawalBatchId};
use domain::money::Minor;
use domain::withdrawal_batch::{
    self, Enriched, MAX_ENRICHED, RefusedPlan, RetryRule, RunWithdrawalBatch, WithdrawalBatch, WithdrawalBatchCommand,
};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payout::{WireBank, leaves_by};
use super::wire::{Amount, date_text, parse, parse_some, time_text};

/// Due on which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DueQuery {
    /// The accounting day; the open one unless said.
    #[param(example = "2026-03-05")]
    date: Option<String>,
}

/// A plan that is due.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanDue {
    #[schema(example = "wpl_5")]
    plan: String,
    #[schema(example = "acc_51")]
    account: String,
    /// What a withdrawal of it would bring now.
    amount: Amount,
}

/// What is due on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlansDueView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// By id, at most 10,000: as many as one batch takes answers for.
    data: Vec<PlanDue>,
    /// Whether there are more; they stand here once a batch took these.
    more: bool,
}

/// A batch to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBatch {
    /// The open accounting day.
    #[schema(example = "2026-03-05")]
    date: String,
    /// The batch's number on that day: from 1, without gaps.
    #[schema(example = 1)]
    number: u32,
    /// What the enrichment answered: an account once, at most 10,000. What it did not answer for stays due.
    enriched: Vec<WireEnriched>,
}

/// What the enrichment answered for an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireEnriched {
    /// The account of a plan.
    #[schema(example = "acc_51")]
    account: String,
    /// The bank that its plan's bank account is at; none if the service did not say.
    bank: Option<WireBank>,
}

/// A due plan that a batch left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedPlanView {
    #[schema(example = "wpl_5")]
    plan: String,
    /// The refusal's code.
    #[schema(example = "card_stopped")]
    code: &'static str,
}

impl RefusedPlanView {
    fn of(refused: &RefusedPlan) -> Self {
        Self { plan: refused.plan.to_string(), code: refused.code.name() }
    }
}

/// A batch as it was run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WithdrawalBatchView {
    #[schema(example = "wba_3")]
    id: String,
    #[schema(example = "2026-03-05")]
    date: String,
    /// Its number on that day.
    #[schema(example = 1)]
    number: u32,
    /// Plans that were due: made, waiting and refused together.
    #[schema(example = 225)]
    due: u32,
    /// Withdrawals that it made and sent.
    #[schema(example = 220)]
    made: u32,
    /// Σ of their amounts, in fen.
    amount: Amount,
    /// Plans that stay due without a valid answer of the enrichment.
    #[schema(example = 4)]
    waiting: u32,
    /// Plans that stay due as a withdrawal was refused.
    #[schema(example = 1)]
    refused: u32,
    /// The first 1,000 of them.
    refusals: Vec<RefusedPlanView>,
    /// Withdrawals of earlier batches that it tried again.
    #[schema(example = 2)]
    taken_up: u32,
    run_at: String,
    run_by: String,
    /// Nothing: a batch is run once.
    allowed_actions: Vec<&'static str>,
}

impl WithdrawalBatchView {
    fn of(batch: &WithdrawalBatch) -> Self {
        Self {
            id: batch.id.to_string(),
            date: date_text(batch.date),
            number: batch.number,
            due: batch.due,
            made: batch.made,
            amount: Amount(batch.amount),
            waiting: batch.waiting,
            refused: batch.refused,
            refusals: batch.refusals.iter().map(RefusedPlanView::of).collect(),
            taken_up: batch.taken_up,
            run_at: time_text(batch.run_at),
            run_by: batch.run_by.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

/// Whether failures of a channel's code are tried again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRetryRule {
    /// The channel's code.
    #[schema(example = "PB520008")]
    code: String,
    retryable: bool,
}

/// A rule of retries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetryRuleView {
    #[schema(example = "rtr_1")]
    id: String,
    /// The channel's code.
    #[schema(example = "PB520008")]
    code: String,
    retryable: bool,
    set_at: String,
    set_by: String,
    /// Nothing: setting the code's rule again changes it.
    allowed_actions: Vec<&'static str>,
}

impl RetryRuleView {
    fn of(rule: &RetryRule) -> Self {
        Self {
            id: rule.id.to_string(),
            code: rule.code.clone(),
            retryable: rule.retryable,
            set_at: time_text(rule.set_at),
            set_by: rule.set_by.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

/// See which plans are due, and so for which accounts to ask the enrichment
#[utoipa::path(
    get, path = "/v1/withdrawal-batches/due", tag = "withdrawal_batch", params(DueQuery),
    responses((status = OK, body = PlansDueView))
)]
pub(crate) async fn due(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DueQuery>,
) -> Answered<PlansDueView> {
    caller.operator()?;
    let date: Option<Date> = parse_some(query.date.as_deref(), "date")?;
    app.look(move |state| {
        let date = date.map_or_else(|| state.days.posting_date(None), Ok)?;
        let view = |due: withdrawal_batch::Due| PlanDue {
            plan: due.plan.to_string(),
            account: due.account.to_string(),
            amount: Amount(due.amount),
        };
        let mut all = withdrawal_batch::due(state, date);
        let data = all.by_ref().take(MAX_ENRICHED).map(view).collect();
        Ok(PlansDueView { date: date_text(date), data, more: all.next().is_some() })
    })
    .await
}

/// Has the rules of routing choose the channel of each withdrawal, by its bank and by what is due of it now.
async fn choose_channels(app: &App, date: Date, enriched: &mut [Enriched]) -> Result<(), ApiError> {
    // Nothing but the first, which is meant where none is named.
    if app.router.paying_out().iter().all(|name| name.word.is_none()) {
        return Ok(());
    }
    let due = move |state: &domain::State| {
        let amounts = withdrawal_batch::due(state, date).map(|due| (due.account, due.amount));
        Ok(amounts.collect::<BTreeMap<AccountId, Minor>>())
    };
    let amounts = app.look(due).await?.view;
    for one in enriched {
        // What is not due, or has no bank, makes no withdrawal.
        if let (Some(bank), Some(amount)) = (&one.bank, amounts.get(&one.account)) {
            one.channel = leaves_by(app, Some(bank), *amount).await?;
        }
    }
    Ok(())
}

/// Run a batch of automatic withdrawals
///
/// What earlier batches carried over is tried again; then each due plan whose bank is named makes a withdrawal, which is
/// sent at once, over the channel that the rules of routing choose where several pay out. A plan without a valid answer of the
/// enrichment stays due, and nobody is told.
#[utoipa::path(
    post, path = "/v1/withdrawal-batches", tag = "withdrawal_batch",
    responses((status = OK, body = WithdrawalBatchView))
)]
pub(crate) async fn run(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewBatch>,
) -> Answered<WithdrawalBatchView> {
    caller.operator()?;
    let read = |(at, wire): (usize, WireEnriched)| -> Result<Enriched, ApiError> {
        let account = parse(&wire.account, &format!("enriched[{at}].account"))?;
        Ok(Enriched { account, bank: wire.bank.map(WireBank::bank), channel: None })
    };
    let mut enriched = new.enriched.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let date: Date = parse(&new.date, "date")?;
    choose_channels(&app, date, &mut enriched).await?;
    let run = RunWithdrawalBatch { date, number: new.number, enriched };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::WithdrawalBatch(id) = reply else { return None };
        state.withdrawal_batch(*id).ok().map(WithdrawalBatchView::of)
    };
    let command = Command::WithdrawalBatch(WithdrawalBatchCommand::Run(run));
    app.change(caller.meta()?, command, view).await
}

/// Look at a batch
#[utoipa::path(
    get, path = "/v1/withdrawal-batches/{id}", tag = "withdrawal_batch",
    params(("id" = String, Path, example = "wba_3")), responses((status = OK, body = WithdrawalBatchView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WithdrawalBatchId>,
) -> Answered<WithdrawalBatchView> {
    caller.operator()?;
    app.look(move |state| state.withdrawal_batch(id).map(WithdrawalBatchView::of)).await
}

list_query! {
    /// Which batches.
    pub(crate) struct WithdrawalBatchQuery {
        /// Of this accounting day.
        date,
    }
}

/// List batches
#[utoipa::path(
    get, path = "/v1/withdrawal-batches", tag = "withdrawal_batch", params(WithdrawalBatchQuery),
    responses((status = OK, body = PageView<WithdrawalBatchView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WithdrawalBatchQuery>,
) -> ListAnswer<WithdrawalBatchView> {
    caller.operator()?;
    let date = parse_some(query.date.as_deref(), "date")?;
    let filter = store::withdrawal_batch::WithdrawalBatchFilter { date };
    app.list(filter, query.page(), |_, batch| WithdrawalBatchView::of(batch)).await
}

/// Say whether failures of a channel's code are tried again
#[utoipa::path(
    post, path = "/v1/retry-rules", tag = "withdrawal_batch", responses((status = OK, body = RetryRuleView))
)]
pub(crate) async fn set_retry_rule(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewRetryRule>,
) -> Answered<RetryRuleView> {
    caller.operator()?;
    let NewRetryRule { code, retryable } = new;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::RetryRule(id) = reply else { return None };
        state.retry_rule(*id).ok().map(RetryRuleView::of)
    };
    let command = Command::WithdrawalBatch(WithdrawalBatchCommand::SetRetryRule { code, retryable });
    app.change(caller.meta()?, command, view).await
}

/// Look at a rule of retries
#[utoipa::path(
    get, path = "/v1/retry-rules/{id}", tag = "withdrawal_batch", params(("id" = String, Path, example = "rtr_1")),
    responses((status = OK, body = RetryRuleView))
)]
pub(crate) async fn retry_rule(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RetryRuleId>,
) -> Answered<RetryRuleView> {
    caller.operator()?;
    app.look(move |state| state.retry_rule(id).map(RetryRuleView::of)).await
}

list_query! {
    /// Which rules of retries.
    pub(crate) struct RetryRuleQuery {
        /// For this code of a channel.
        code,
    }
}

/// List rules of retries
#[utoipa::path(
    get, path = "/v1/retry-rules", tag = "withdrawal_batch", params(RetryRuleQuery),
    responses((status = OK, body = PageView<RetryRuleView>))
)]
pub(crate) async fn list_retry_rules(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RetryRuleQuery>,
) -> ListAnswer<RetryRuleView> {
    caller.operator()?;
    let page = query.page();
    app.list(store::withdrawal_batch::RetryRuleFilter { code: query.code }, page, |_, rule| RetryRuleView::of(rule))
        .await
}
