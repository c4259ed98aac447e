//! Batch closes (批结算): what terminals and the platform counted. Terminals ask for them, over their own protocol.

use axum::extract::State;
use domain::batch_close::{BatchClose, BatchCloseStatus, BatchDifference, BatchTotals, Totals};
use domain::ids::BatchCloseId;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, parse_some, time_text, word};

/// Sums in fen, and counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsView {
    /// What cards paid.
    debit: Amount,
    debit_count: u32,
    /// What went back.
    credit: Amount,
    credit_count: u32,
}

impl TotalsView {
    fn of(totals: Totals) -> Self {
        let Totals { debit, debit_count, credit, credit_count } = totals;
        Self { debit: Amount(debit), debit_count, credit: Amount(credit), credit_count }
    }
}

/// Totals by whose cards they are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchTotalsView {
    domestic: TotalsView,
    foreign: TotalsView,
}

impl BatchTotalsView {
    fn of(totals: BatchTotals) -> Self {
        Self { domestic: TotalsView::of(totals.domestic), foreign: TotalsView::of(totals.foreign) }
    }
}

/// How a transaction differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchDifferenceView {
    /// `unknown`, `other_amount`, `repeated` or `missing`.
    #[schema(example = "other_amount")]
    kind: &'static str,
    trace: u32,
    /// Fen as the terminal has it.
    theirs: Option<Amount>,
    /// Fen as we have it.
    ours: Option<Amount>,
}

impl BatchDifferenceView {
    fn of(difference: &BatchDifference) -> Self {
        let BatchDifference { kind, trace, theirs, ours } = *difference;
        Self { kind: kind.name(), trace, theirs: theirs.map(Amount), ours: ours.map(Amount) }
    }
}

/// A batch close.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchCloseView {
    #[schema(example = "bcl_5")]
    id: String,
    #[schema(example = "trm_7")]
    terminal: String,
    batch: u32,
    /// `balanced`, `unbalanced` (the terminal uploads its batch) or `uploaded`.
    #[schema(example = "balanced")]
    status: &'static str,
    /// What the terminal counted.
    theirs: BatchTotalsView,
    /// What we counted.
    ours: BatchTotalsView,
    /// How many records the terminal says that it uploaded.
    claimed: Option<u32>,
    /// How many records or traces differ.
    different: u32,
    /// The first 1,000 of them.
    differences: Vec<BatchDifferenceView>,
    asked_at: String,
    /// When a new batch began.
    closed_at: Option<String>,
    /// Nothing: a batch close compares and changes no money.
    allowed_actions: Vec<&'static str>,
}

impl BatchCloseView {
    fn of(close: &BatchClose) -> Self {
        Self {
            id: close.id.to_string(),
            terminal: close.terminal.to_string(),
            batch: close.batch,
            status: close.status.name(),
            theirs: BatchTotalsView::of(close.theirs),
            ours: BatchTotalsView::of(close.ours),
            claimed: close.claimed,
            different: close.different,
            differences: close.differences.iter().map(BatchDifferenceView::of).collect(),
            asked_at: time_text(close.asked_at),
            closed_at: close.closed_at.map(time_text),
            allowed_actions: Vec::new(),
        }
    }
}

/// Look at a batch close
#[utoipa::path(
    get, path = "/v1/batch-closes/{id}", tag = "batch_close", params(("id" = String, Path, example = "bcl_5")),
    responses((status = OK, body = BatchCloseView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<BatchCloseId>) -> Answered<BatchCloseView> {
    caller.operator()?;
    app.look(move |state| state.batch_close(id).map(BatchCloseView::of)).await
}

list_query! {
    /// Which batch closes.
    pub(crate) struct BatchCloseQuery {
        /// Of this terminal.
        terminal,
        /// Of this batch.
        batch,
        /// `balanced`, `unbalanced` or `uploaded`.
        status,
    }
}

/// List batch closes
#[utoipa::path(
    get, path = "/v1/batch-closes", tag = "batch_close", params(BatchCloseQuery),
    responses((status = OK, body = PageView<BatchCloseView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BatchCloseQuery>,
) -> ListAnswer<BatchCloseView> {
    caller.operator()?;
    let page = query.page();
    let status = |text: &str| word(text, "status", &BatchCloseStatus::ALL, BatchCloseStatus::name);
    let filter = store::batch_close::BatchCloseFilter {
        terminal: parse_some(query.terminal.as_deref(), "terminal")?,
        batch: parse_some(query.batch.as_deref(), "batch")?,
        status: query.status.as_deref().map(status).transpose()?,
    };
    app.list(filter, page, |_, close| BatchCloseView::of(close)).await
}
