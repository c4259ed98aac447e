//! Monthly batches of a provident-fund centre (公积金月度批次): closed by operations, handed in and asked about by the platform, and a
//! result file by hand where the centre sends it another way.

use axum::extract::State;
use domain::attempt::FailureClass;
use domain::calendar::Date;
use domain::fund_batch::quota::{FundLease, FundQuota};
use domain::fund_batch::{FundBatch, FundBatchCommand, FundRow, check_contract, month_of};
use domain::ids::FundBatchId;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse_some, time_text};
use crate::shell::clearing::FetchError;
use crate::shell::fund_batch as shell;

/// Which batch to close.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFundBatch {
    /// The month whose payments it takes.
    #[schema(example = "2026-03")]
    period: String,
}

/// A result file by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultFile {
    /// The file as the centre signed it, with every line feed.
    file: String,
}

/// A batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FundBatchView {
    #[schema(example = "fbt_1")]
    id: String,
    /// What the centre knows it by.
    #[schema(example = "B202603050001")]
    number: String,
    /// The city, by the channel's settings.
    #[schema(example = "310000")]
    city: String,
    #[schema(example = "2026-03")]
    period: String,
    #[schema(example = "2026-03-05")]
    date: String,
    /// `open` while the centre has rows to answer still, else `answered`.
    #[schema(example = "open")]
    status: &'static str,
    /// How many payments it takes, 1 to 1,000.
    rows: usize,
    /// Σ applied for.
    applied: Amount,
    /// Σ paid.
    paid: Amount,
    /// How many rows the centre has said nothing of.
    unanswered: usize,
    /// How many result files brought something new.
    files: u32,
    #[schema(example = "2026-03-05T01:00:00Z")]
    closed_at: String,
    /// Who closed it.
    closed_by: String,
    allowed_actions: Vec<&'static str>,
}

/// A batch with its rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FundBatchRowsView {
    #[serde(flatten)]
    batch: FundBatchView,
    /// A row a payment.
    data: Vec<FundRowView>,
}

/// A payment in a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FundRowView {
    #[schema(example = "att_7")]
    attempt: String,
    serial: String,
    /// The lease's number at the centre.
    #[schema(example = "L2026-118")]
    contract: String,
    applied: Amount,
    /// Nothing while the centre has not said.
    paid: Option<Amount>,
    /// The centre's code.
    #[schema(example = "00000000")]
    code: Option<String>,
    /// Whose failure it was that less was paid: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
    /// The bank's reference of the payment.
    reference: Option<String>,
}

/// What asking the centre brought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FundFetchView {
    /// `handed_in`, `not_paid` or `taken`.
    #[schema(example = "taken")]
    came: &'static str,
    #[serde(flatten)]
    batch: FundBatchRowsView,
}

impl FundBatchView {
    fn of(batch: &FundBatch) -> Self {
        let open = batch.is_open();
        Self {
            id: batch.id.to_string(),
            number: batch.number.clone(),
            city: batch.city.clone(),
            period: batch.period.clone(),
            date: date_text(batch.date),
            status: if open { "open" } else { "answered" },
            rows: batch.rows.len(),
            applied: Amount(batch.applied()),
            paid: Amount(batch.paid()),
            unanswered: batch.unanswered(),
            files: batch.files,
            closed_at: time_text(batch.closed_at),
            closed_by: batch.closed_by.clone(),
            allowed_actions: vec!["fetch", "take_result"],
        }
    }
}

impl FundBatchRowsView {
    fn of(batch: &FundBatch) -> Self {
        Self { batch: FundBatchView::of(batch), data: batch.rows.iter().map(FundRowView::of).collect() }
    }
}

impl FundRowView {
    fn of(row: &FundRow) -> Self {
        let result = row.result.as_ref();
        Self {
            attempt: row.attempt.to_string(),
            serial: row.serial.clone(),
            contract: row.contract.clone(),
            applied: Amount(row.applied),
            paid: result.map(|result| Amount(result.paid)),
            code: result.map(|result| result.code.clone()),
            failure: result.and_then(|result| result.class).map(FailureClass::name),
            reference: result.map(|result| result.reference.clone()).filter(|reference| !reference.is_empty()),
        }
    }
}

/// Which lease, and for which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FundQuotaQuery {
    /// The lease's number at the centre.
    #[param(example = "L2026-118")]
    contract: String,
    /// The month of the rent.
    #[param(example = "2026-03")]
    period: String,
}

/// What a fund pays of a month's rent for a lease.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FundQuotaView {
    #[schema(example = "L2026-118")]
    contract: String,
    #[schema(example = "2026-03")]
    period: String,
    /// The most that it pays: the least of rent, contribution, the city's cap and what is left of the year; 0 where it pays nothing.
    at_most: Amount,
    /// What bounds it: `rent`, `contribution`, `cap` or `remaining`; nothing where something else refuses it.
    #[schema(example = "cap")]
    bound: Option<&'static str>,
    /// The code by which a payment of 1 would be refused, if it would.
    #[schema(example = "fund_draws_used_up")]
    refusal: Option<&'static str>,
    /// The city's cap.
    cap: Option<Amount>,
    /// The rent as it is filed; this and what follows are nothing where the lease is not.
    rent: Option<Amount>,
    /// What is paid into the fund a month.
    contribution: Option<Amount>,
    /// What it still pays in that year.
    remaining: Option<Amount>,
    /// For how many months contributions were paid.
    months: Option<u32>,
    /// The months that were paid for, one a payment.
    draws: Option<Vec<String>>,
}

impl FundQuotaView {
    fn of(query: FundQuotaQuery, quota: FundQuota, cap: Option<i64>, lease: Option<&FundLease>) -> Self {
        let FundQuotaQuery { contract, period } = query;
        let (at_most, bound) = match quota {
            FundQuota::AtMost { amount, bound, .. } => (amount, Some(bound.name())),
            FundQuota::Unfiled | FundQuota::MonthsTooFew { .. } | FundQuota::DrawsUsedUp { .. } => (0, None),
        };
        let month = |date: &Date| -> String { date.to_string().chars().take(7).collect() };
        Self {
            contract,
            period,
            at_most: Amount(at_most),
            bound,
            refusal: quota.check(1).err().map(|refusal| refusal.code.name()),
            cap: cap.map(Amount),
            rent: lease.map(|lease| Amount(lease.rent)),
            contribution: lease.map(|lease| Amount(lease.contribution)),
            remaining: lease.map(|lease| Amount(lease.remaining)),
            months: lease.map(|lease| lease.months),
            draws: lease.map(|lease| lease.draws.iter().map(month).collect()),
        }
    }
}

/// Ask the centre what a lease may draw
///
/// By its word of now and the city's settings; a payment by batch is bounded by the same. `channel_unknown` where these leave it to the
/// centre. What waits for a batch already is not in it; a payment is refused by that too.
#[utoipa::path(
    get, path = "/v1/fund-quota", tag = "fund_batch", params(FundQuotaQuery),
    responses((status = OK, body = FundQuotaView))
)]
pub(crate) async fn quota(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FundQuotaQuery>,
) -> Answered<FundQuotaView> {
    caller.operator()?;
    let month = month_of(&query.period)?;
    check_contract(&query.contract)?;
    let asked = shell::quota(&app.executor, &query.contract, &query.period).await?;
    let without = FetchError::NoChannel("asking what a lease may draw (a fund's, with the setting quota `ask`)");
    let (rules, lease) = asked.ok_or(without)?;
    let view = FundQuotaView::of(query, rules.judge(lease.as_ref(), month), rules.cap, lease.as_ref());
    let seen = app.look(|_| Ok(())).await?;
    Ok(seen.map(|()| view))
}

/// Close the batch of a month
///
/// Takes every payment by a fund that waits for this month, at most 1,000, in the order in which they were asked for; the platform hands
/// them in at once and asks for the result until every row is answered. Where the city's settings have a cut-off, the platform does so then
/// by itself. `fund_batch_empty` if nothing waits.
#[utoipa::path(
    post, path = "/v1/fund-batches", tag = "fund_batch", responses((status = OK, body = FundBatchRowsView))
)]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewFundBatch>,
) -> Answered<FundBatchRowsView> {
    caller.operator()?;
    let route = shell::route(&app.executor)?;
    let city = route.channel.fund_centre().map(|centre| centre.city.clone()).unwrap_or_default();
    let command = Command::FundBatch(FundBatchCommand::Close { city, period: new.period });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::FundBatch(id) = reply else { return None };
        state.fund_batches.get(id.0).map(FundBatchRowsView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a batch and its rows
#[utoipa::path(
    get, path = "/v1/fund-batches/{id}", tag = "fund_batch", params(("id" = String, Path, example = "fbt_1")),
    responses((status = OK, body = FundBatchRowsView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<FundBatchId>,
) -> Answered<FundBatchRowsView> {
    caller.operator()?;
    app.look(move |state| state.fund_batch(id).map(FundBatchRowsView::of)).await
}

list_query! {
    /// Which batches.
    pub(crate) struct FundBatchQuery {
        /// Of this month, `2026-03`.
        period,
        /// `true` for those whose centre has rows to answer still.
        open,
    }
}

/// List batches
#[utoipa::path(
    get, path = "/v1/fund-batches", tag = "fund_batch", params(FundBatchQuery),
    responses((status = OK, body = PageView<FundBatchView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FundBatchQuery>,
) -> ListAnswer<FundBatchView> {
    caller.operator()?;
    let open = parse_some(query.open.as_deref(), "open")?;
    let filter = store::fund_batch::FundBatchFilter { period: query.period.clone(), open };
    app.list(filter, query.page(), |_, batch| FundBatchView::of(batch)).await
}

/// Ask the centre about a batch now
///
/// Hands it in if the centre does not have it, else takes its result file if there is one. The platform does so by itself; may be asked for
/// again at any time. `fund_result_rejected`, or `channel_rejected`, says that a file was refused whole and nothing of it is booked.
#[utoipa::path(
    post, path = "/v1/fund-batches/{id}/fetch", tag = "fund_batch", params(("id" = String, Path, example = "fbt_1")),
    responses((status = OK, body = FundFetchView))
)]
pub(crate) async fn fetch(State(app): State<App>, caller: Caller, Id(id): Id<FundBatchId>) -> Answered<FundFetchView> {
    caller.operator()?;
    let batch = app.look(move |state| state.fund_batch(id).cloned()).await?.view;
    let came = shell::carry(&app.executor, &caller.unkeyed(), &batch).await?;
    let seen = app.look(move |state| state.fund_batch(id).map(FundBatchRowsView::of)).await?;
    Ok(seen.map(|batch| FundFetchView { came: came.name(), batch }))
}

/// Take a result file by hand
///
/// For a centre that sends it another way. It is checked as one that is fetched: signature, hash, count and sum, and every row against
/// the batch; one that is wrong anywhere is refused whole.
#[utoipa::path(
    post, path = "/v1/fund-batches/{id}/result", tag = "fund_batch", params(("id" = String, Path, example = "fbt_1")),
    responses((status = OK, body = FundBatchRowsView))
)]
pub(crate) async fn take_result(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<FundBatchId>,
    Json(file): Json<ResultFile>,
) -> Answered<FundBatchRowsView> {
    caller.operator()?;
    let channel = &shell::route(&app.executor)?.channel;
    let position = shell::take(&app.executor, &caller.meta()?, id, channel.as_ref(), file.file.as_bytes()).await?;
    let seen = app.look(move |state| state.fund_batch(id).map(FundBatchRowsView::of)).await?;
    Ok(Answer { position: seen.position.max(position), ..seen })
}
