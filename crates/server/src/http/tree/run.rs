//! Sweeps (归集) and allocations (下拨): one by command, or the rules of a parent's children as a run.

use axum::extract::State;
use domain::ids::{AccountId, TreeLinkId, TreeRunId};
use domain::tree::{Movement, RuleKind, RunCause, RunLine, Skipped, TreeCommand, TreeRun, Way};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::App;
use super::super::answer::Answered;
use super::super::auth::Caller;
use super::super::error::ApiError;
use super::super::extract::{Id, Json, Query};
use super::super::list::{ListAnswer, PageView, list_query};
use super::super::trial_balance::Sum;
use super::super::wire::{Amount, date_text, parse_some, word};
use super::SignedView;

/// How much goes up: exactly `amount`, what is available above `keep`, or all that is available.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    amount: Option<Amount>,
    keep: Option<Amount>,
}

/// How much goes down: exactly `amount`, or what the child lacks to `target`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allocation {
    amount: Option<Amount>,
    target: Option<Amount>,
}

/// Which run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRun {
    /// Your number of the run: the same one answers with the same run and moves nothing again.
    #[schema(example = "2026-03-05")]
    number: String,
}

/// What a run did with one child.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunLineView {
    #[schema(example = "lnk_3")]
    link: String,
    #[schema(example = "acc_43")]
    child: String,
    /// `sweep` or `allocate`.
    way: &'static str,
    /// What moved; 0 if nothing did.
    amount: Amount,
    #[schema(example = "vch_1042")]
    voucher: Option<String>,
    /// Why nothing moved: `nothing_to_move`, `below_minimum`, `parent_empty`, or the code of the voucher's refusal.
    skipped: Option<&'static str>,
}

impl RunLineView {
    fn of(line: &RunLine) -> Self {
        Self {
            link: line.link.to_string(),
            child: line.child.to_string(),
            way: line.way.name(),
            amount: Amount(line.amount),
            voucher: line.voucher.map(|id| id.to_string()),
            skipped: line.skipped.map(Skipped::name),
        }
    }
}

/// A run: what moved between a parent and its children, and what did not and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    #[schema(example = "trn_5")]
    id: String,
    #[schema(example = "acc_42")]
    parent: String,
    /// `command`, `rules` or `timer`.
    cause: &'static str,
    /// The number it was asked for under.
    number: Option<String>,
    /// The accounting day of its vouchers.
    #[schema(example = "2026-03-05")]
    date: String,
    made: SignedView,
    /// What went up in all.
    swept: Sum,
    /// What went down in all.
    allocated: Sum,
    /// Sweeps first, each by child.
    lines: Vec<RunLineView>,
}

impl RunView {
    fn of(run: &TreeRun) -> Self {
        let number = match &run.cause {
            RunCause::Number(number) => Some(number.clone()),
            RunCause::Command | RunCause::Timer => None,
        };
        Self {
            id: run.id.to_string(),
            parent: run.parent.to_string(),
            cause: run.cause.name(),
            number,
            date: date_text(run.date),
            made: SignedView::of(&run.made),
            swept: Sum(run.moved(Way::Up)),
            allocated: Sum(run.moved(Way::Down)),
            lines: run.lines.iter().map(RunLineView::of).collect(),
        }
    }
}

/// Sweep money of a child to its parent
///
/// At most what is available after holds and freezes. Answers with a run of one line.
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/sweep", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = RunView))
)]
pub(crate) async fn sweep(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(body): Json<Sweep>,
) -> Answered<RunView> {
    caller.operator()?;
    let movement = match (body.amount, body.keep) {
        (Some(amount), None) => Movement::Sweep(amount.0),
        (None, Some(keep)) => Movement::Rule(RuleKind::SweepAbove(keep.0)),
        (None, None) => Movement::Rule(RuleKind::SweepAll),
        (Some(_), Some(_)) => return Err(ApiError::malformed("keep", "name amount or keep, not both")),
    };
    change(&app, &caller, TreeCommand::Move { link, movement }).await
}

/// Allocate money of a parent to its child
///
/// At most what is available on the parent. Answers with a run of one line.
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/allocate", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = RunView))
)]
pub(crate) async fn allocate(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(body): Json<Allocation>,
) -> Answered<RunView> {
    caller.operator()?;
    let movement = match (body.amount, body.target) {
        (Some(amount), None) => Movement::Allocate(amount.0),
        (None, Some(target)) => Movement::Rule(RuleKind::TopUpTo(target.0)),
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::malformed("amount", "name either amount or target"));
        }
    };
    change(&app, &caller, TreeCommand::Move { link, movement }).await
}

/// Run the rules of an account's children
///
/// Sweeps first, then top-ups; what cannot move is skipped and its line says why. Once for each number.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/tree-runs", tag = "tree", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = RunView))
)]
pub(crate) async fn run(
    State(app): State<App>,
    caller: Caller,
    Id(parent): Id<AccountId>,
    Json(new): Json<NewRun>,
) -> Answered<RunView> {
    caller.operator()?;
    change(&app, &caller, TreeCommand::RunRules { parent, number: new.number }).await
}

async fn change(app: &App, caller: &Caller, command: TreeCommand) -> Answered<RunView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::TreeRun(id) = reply else { return None };
        state.tree_runs.get(id.0).map(RunView::of)
    };
    app.change(caller.meta()?, Command::Tree(command), view).await
}

/// Look at a run
#[utoipa::path(
    get, path = "/v1/tree-runs/{id}", tag = "tree", params(("id" = String, Path, example = "trn_5")),
    responses((status = OK, body = RunView))
)]
pub(crate) async fn get_run(State(app): State<App>, caller: Caller, Id(id): Id<TreeRunId>) -> Answered<RunView> {
    app.owned(&caller, move |state| Ok(state.account(state.tree_run(id)?.parent, "run")?.owner)).await?;
    app.look(move |state| state.tree_run(id).map(RunView::of)).await
}

list_query! {
    /// Which runs.
    pub(crate) struct RunQuery {
        /// Of this account's children.
        parent,
        /// `command`, `rules` or `timer`.
        cause,
        /// On this accounting day or later.
        from,
        /// On this accounting day or earlier.
        to,
    }
}

/// List runs of sweeps and allocations
#[utoipa::path(
    get, path = "/v1/tree-runs", tag = "tree", params(RunQuery), responses((status = OK, body = PageView<RunView>))
)]
pub(crate) async fn list_runs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RunQuery>,
) -> ListAnswer<RunView> {
    caller.operator()?;
    let page = query.page();
    let causes = [RunCause::Command.name(), RunCause::Number(String::new()).name(), RunCause::Timer.name()];
    let cause = query.cause.as_deref().map(|text| word(text, "cause", &causes, |name| name)).transpose()?;
    let filter = store::tree::TreeRunFilter {
        parent: parse_some(query.parent.as_deref(), "parent")?,
        cause,
        from: parse_some(query.from.as_deref(), "from")?,
        to: parse_some(query.to.as_deref(), "to")?,
    };
    app.list(filter, page, |_, run| RunView::of(run)).await
}
