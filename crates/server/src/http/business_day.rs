//! Accounting days: look at them, cut the open one, close a cut one.

use axum::extract::{Path, State};
use domain::business_day::{CheckResult, Day, DayStatus};
use domain::calendar::Date;
use domain::operator::Role;
use domain::{Command, Refusal, RefusalCode, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Json;
use super::wire::{date_text, parse, parse_some, time_text};
use crate::shell::close::{self, CloseError};

/// How to cut the day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cut {
    /// The next accounting day; the date after the open one unless said.
    #[schema(example = "2026-03-06")]
    next: Option<String>,
}

/// An accounting day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// `open`, `cutting` or `closed`.
    #[schema(example = "closed")]
    status: &'static str,
    #[schema(example = "2026-03-04T16:00:00Z")]
    opened_at: String,
    /// When the next day took the postings over.
    cut_at: Option<String>,
    /// The journal position behind which no voucher bears its date.
    #[schema(example = 1042)]
    sealed: Option<u64>,
    /// The position at which the last run failed, for a waiver to name.
    #[schema(example = 1042)]
    failed_at: Option<u64>,
    /// What the checks at its last try to close found.
    checks: Vec<CheckView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

/// A check at close and what it found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckView {
    #[schema(example = "trial_balance")]
    name: String,
    holds: bool,
    /// What was compared, or where it breaks.
    detail: String,
    /// The vouchers that break it.
    vouchers: Vec<String>,
    /// The approval that lets the day close in spite of it.
    #[schema(example = "apr_7")]
    waived: Option<String>,
}

/// All accounting days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DaysView {
    /// The day that takes the postings.
    #[schema(example = "2026-03-06")]
    current: Option<String>,
    /// Oldest first.
    data: Vec<DayView>,
}

pub(crate) const fn status_name(status: DayStatus) -> &'static str {
    match status {
        DayStatus::Open => "open",
        DayStatus::Cutting => "cutting",
        DayStatus::Closed => "closed",
    }
}

impl CheckView {
    fn of(check: &CheckResult) -> Self {
        let CheckResult { name, holds, detail, vouchers, waived } = check.clone();
        let vouchers = vouchers.iter().map(ToString::to_string).collect();
        Self { name, holds, detail, vouchers, waived: waived.map(|approval| approval.to_string()) }
    }
}

impl DayView {
    fn of(state: &domain::State, day: &Day) -> Self {
        let actions: &[&str] = match day.status {
            DayStatus::Open => &["cut"],
            // Days close in their order.
            DayStatus::Cutting if state.days.open_days().next() == Some(day.date) => &["close"],
            DayStatus::Cutting | DayStatus::Closed => &[],
        };
        Self {
            date: date_text(day.date),
            status: status_name(day.status),
            opened_at: time_text(day.opened_at),
            cut_at: day.cut_at.map(time_text),
            sealed: day.sealed,
            failed_at: day.failed_at,
            checks: day.checks.iter().map(CheckView::of).collect(),
            allowed_actions: actions.to_vec(),
        }
    }
}

/// The day, or the refusal that there is none.
pub(crate) fn day(state: &domain::State, date: Date) -> Result<&Day, Refusal> {
    state.days.get(date).ok_or_else(|| {
        let message = format!("{date} is not an accounting day of these books; GET /v1/days lists them");
        Refusal::new(RefusalCode::DayNotOpen, "date", message)
    })
}

/// List the accounting days
#[utoipa::path(get, path = "/v1/days", tag = "business_day", responses((status = OK, body = DaysView)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Answered<DaysView> {
    caller.operator()?;
    app.look(|state| {
        let current = state.days.current().map(date_text);
        Ok(DaysView { current, data: state.days.iter().map(|day| DayView::of(state, day)).collect() })
    })
    .await
}

/// Look at an accounting day
#[utoipa::path(
    get, path = "/v1/days/{date}", tag = "business_day", params(("date" = String, Path, example = "2026-03-05")),
    responses((status = OK, body = DayView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(date): Path<String>) -> Answered<DayView> {
    caller.operator()?;
    let date = parse(&date, "date")?;
    app.look(move |state| Ok(DayView::of(state, day(state, date)?))).await
}

/// Cut the day (日切)
///
/// The next day takes the postings from here on; nothing stops. Answers the next day.
#[utoipa::path(post, path = "/v1/days/cut", tag = "business_day", responses((status = OK, body = DayView)))]
pub(crate) async fn cut(State(app): State<App>, caller: Caller, Json(cut): Json<Cut>) -> Answered<DayView> {
    caller.operator_with(&[Role::Accountant])?;
    let command = Command::CutDay { next: parse_some(cut.next.as_deref(), "next")? };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Day(date) = reply else { return None };
        state.days.get(*date).map(|day| DayView::of(state, day))
    };
    app.change(caller.meta()?, command, view).await
}

/// Close a cut day
///
/// Ends its postings, runs every check and closes it if all hold; if one does not, the day stays `cutting` and `checks`
/// say why. Asking again runs them again; a day that is closed is answered as it stands. Failed checks that two people
/// waived (`check_waiver` of `/v1/approvals`) do not keep it from closing, if they fail with the same words.
#[utoipa::path(
    post, path = "/v1/days/{date}/close", tag = "business_day",
    params(("date" = String, Path, example = "2026-03-05")), responses((status = OK, body = DayView))
)]
pub(crate) async fn close(State(app): State<App>, caller: Caller, Path(date): Path<String>) -> Answered<DayView> {
    caller.operator_with(&[Role::Accountant])?;
    let date: Date = parse(&date, "date")?;
    let look = move |state: &domain::State| Ok(DayView::of(state, day(state, date)?));
    let before = app.look(look).await?;
    if before.view.status == status_name(DayStatus::Closed) {
        return Ok(Answer { repeated: true, ..before });
    }
    // Several commands stand behind it, each of which looks at where the day is; a key would bind only the first.
    let closed = close::close(&app.platform, &app.books, &caller.unkeyed(), date).await?;
    let broken = closed.checks.iter().filter(|check| check.is_break()).count();
    tracing::info!(%date, status = status_name(closed.status), checks = closed.checks.len(), broken, "the checks ran");
    app.look(look).await
}

impl From<CloseError> for ApiError {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Refused(refusal) => refusal.into(),
            CloseError::Unavailable(unavailable) => unavailable.into(),
            CloseError::Projector(error) if error.may_pass() => {
                tracing::error!(%error, "a day cannot be closed now");
                Self::new("unavailable", None, "tables and files cannot be written now; close the day again shortly")
            }
            CloseError::Projector(error) => Self::internal("comparing the day with its history", &error),
        }
    }
}
