//! The working day as the platform runs it by itself: at which times, and what is due now.

use axum::extract::State;
use domain::advance::{self, Repayable};
use domain::channel::ChannelName;
use domain::envelope::Time;
use domain::ids::AdvanceId;
use domain::{Refusal, settlement};
use node::working_day::{self as rules, File, Schedule, Step, TimeOfDay};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::wire::{date_text, time_text};
use crate::shell::working_day::channels_with_files;

/// The steps that the platform takes by itself; the others are left to whoever runs it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkingDayView {
    /// What time it is for the platform.
    #[schema(example = "2026-03-06T01:00:00Z")]
    now: String,
    /// In the order of a day's work.
    steps: Vec<WorkingStepView>,
}

/// A step of the working day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkingStepView {
    /// `cut`, `clearing`, `returns`, `settle` or `repay`.
    step: &'static str,
    /// Times of day in China.
    #[schema(example = json!(["02:30"]))]
    at: Vec<String>,
    /// When it is taken next, on a working day.
    #[schema(example = "2026-03-08T18:30:00Z")]
    next: String,
    /// What its latest moment left to do: of `cut` the date to be opened, of `clearing` files by channel and date (`late` after their
    /// deadline), of `settle` merchants, of `repay` advances, both once no file may come in time. An advance that is `not_cleared` waits for
    /// its file, one that is `cancelled` for people, since they ended its repayment. What lists of returns hold is not known before they are
    /// fetched.
    #[schema(example = json!(["epcc 2026-03-05"]))]
    due: Vec<String>,
}

impl WorkingDayView {
    fn of(state: &domain::State, schedule: &Schedule, channels: &[ChannelName], now: Time) -> Result<Self, Refusal> {
        let mut steps = Vec::new();
        for (step, times) in schedule.steps() {
            let next = next(state, &times, now)?;
            let due = match step {
                Step::Cut => cut(state, schedule, now)?,
                Step::Clearing => files(state, schedule, channels, now)?,
                Step::Returns => Vec::new(),
                Step::Settle => merchants(state, schedule, channels, now)?,
                Step::Repay => advances(state, schedule, channels, now)?,
            };
            let at = times.iter().map(TimeOfDay::to_string).collect();
            steps.push(WorkingStepView { step: step.name(), at, next: time_text(next), due });
        }
        Ok(Self { now: time_text(now), steps })
    }
}

/// The first of these times that comes.
fn next(state: &domain::State, times: &[TimeOfDay], now: Time) -> Result<Time, Refusal> {
    let mut first = None;
    for time in times {
        let next = time.next(&state.calendar, now)?;
        first = Some(first.map_or(next, |first: Time| first.min(next)));
    }
    Ok(first.unwrap_or(now))
}

fn cut(state: &domain::State, schedule: &Schedule, now: Time) -> Result<Vec<String>, Refusal> {
    let Some(at) = schedule.cut else { return Ok(Vec::new()) };
    let due = rules::cut(state, at, now)?;
    Ok(due.and_then(|due| due.what).map(date_text).into_iter().collect())
}

fn files(
    state: &domain::State,
    schedule: &Schedule,
    channels: &[ChannelName],
    now: Time,
) -> Result<Vec<String>, Refusal> {
    let Some(times) = schedule.clearing else { return Ok(Vec::new()) };
    let due = rules::files(state, times, channels, now)?;
    let text = |File { channel, date, late }: File| {
        format!("{channel} {}{}", date_text(date), if late { " late" } else { "" })
    };
    Ok(due.into_iter().flat_map(|due| due.what).map(text).collect())
}

/// Nobody while a file may come in time.
fn merchants(
    state: &domain::State,
    schedule: &Schedule,
    channels: &[ChannelName],
    now: Time,
) -> Result<Vec<String>, Refusal> {
    let Some(day) = rules::settle(state, schedule, channels, now)?.and_then(|due| due.what) else {
        return Ok(Vec::new());
    };
    Ok(settlement::merchants_due(state, day).iter().map(ToString::to_string).collect())
}

/// None while a file may come in time.
fn advances(
    state: &domain::State,
    schedule: &Schedule,
    channels: &[ChannelName],
    now: Time,
) -> Result<Vec<String>, Refusal> {
    let Some(day) = rules::repay(state, schedule, channels, now)?.and_then(|due| due.what) else {
        return Ok(Vec::new());
    };
    let text = |(advance, stands): (AdvanceId, Repayable)| match stands {
        Repayable::Due => advance.to_string(),
        Repayable::NotCleared | Repayable::Cancelled => format!("{advance} {}", stands.name()),
    };
    Ok(advance::repay_page(state, day, AdvanceId(0), usize::MAX).advances.into_iter().map(text).collect())
}

/// Look at the working day
///
/// Which of its steps the platform takes by itself (`[working_day]` of its settings), when next, and what is due now.
#[utoipa::path(get, path = "/v1/working-day", tag = "business_day", responses((status = OK, body = WorkingDayView)))]
pub(crate) async fn working_day(State(app): State<App>, caller: Caller) -> Answered<WorkingDayView> {
    caller.operator()?;
    let (now, schedule, channels) = (app.clock.now(), app.working_day.clone(), channels_with_files(&app.executor));
    app.look(move |state| WorkingDayView::of(state, &schedule, &channels, now)).await
}
