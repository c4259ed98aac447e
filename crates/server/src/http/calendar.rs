//! The calendar of working days: which years are known, and each with its holidays and worked weekends. Setting a year takes two
//! people, by an approval of kind `calendar`.

use axum::extract::{Path, State};
use domain::calendar::{Date, SetCalendar, Year};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::wire::{date_text, parse};

/// Working days of a year to set, as the State Council publishes them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarBody {
    /// A year to come, or one that is not known yet.
    #[schema(example = 2026)]
    year: i16,
    /// Its public holidays, each once: those that fall on a weekend may be left out.
    #[schema(example = json!(["2026-01-01", "2026-01-02"]))]
    holidays: Vec<String>,
    /// Its Saturdays and Sundays that are worked.
    #[schema(example = json!(["2026-01-04"]))]
    make_up_days: Vec<String>,
}

impl Wire for CalendarBody {
    type Of = SetCalendar;

    fn read(self) -> Result<SetCalendar, ApiError> {
        let holidays = dates(&self.holidays, "holidays")?;
        let make_up_days = dates(&self.make_up_days, "make_up_days")?;
        Ok(SetCalendar { year: self.year, holidays, make_up_days })
    }

    fn show(of: &SetCalendar) -> Self {
        Self { year: of.year, holidays: texts(&of.holidays), make_up_days: texts(&of.make_up_days) }
    }
}

fn dates(texts: &[String], param: &str) -> Result<Vec<Date>, ApiError> {
    texts.iter().map(|text| parse(text, param)).collect()
}

fn texts(dates: &[Date]) -> Vec<String> {
    dates.iter().copied().map(date_text).collect()
}

/// A year's exceptions from "Monday to Friday are worked".
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarView {
    #[schema(example = 2026)]
    year: i16,
    /// Public holidays.
    #[schema(example = json!(["2026-01-01", "2026-01-02"]))]
    holidays: Vec<String>,
    /// Saturdays and Sundays that are worked.
    #[schema(example = json!(["2026-01-04"]))]
    make_up_days: Vec<String>,
    /// By which approval it was set; none where the books began with it.
    #[schema(example = "apr_7")]
    approval: Option<String>,
}

impl CalendarView {
    fn of(year: i16, of: &Year) -> Self {
        let approval = of.approval.map(|approval| approval.to_string());
        Self { year, holidays: texts(&of.holidays), make_up_days: texts(&of.make_up_days), approval }
    }
}

/// The years that are known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarsView {
    /// What date it is for the platform.
    #[schema(example = "2026-11-02")]
    today: String,
    /// The last date of the years that are known from this one on, without a gap; none if this one is not.
    #[schema(example = "2026-12-31")]
    until: Option<String>,
    /// How many days are left until that one is over, today among them.
    #[schema(example = 60)]
    days_left: u32,
    /// Oldest first.
    data: Vec<CalendarView>,
}

/// List the years whose working days are known
#[utoipa::path(get, path = "/v1/calendars", tag = "business_day", responses((status = OK, body = CalendarsView)))]
pub(crate) async fn calendars(State(app): State<App>, caller: Caller) -> Answered<CalendarsView> {
    caller.operator()?;
    let today = Date::in_shanghai(app.clock.now());
    app.look(move |state| {
        let calendar = &state.calendar;
        Ok(CalendarsView {
            today: date_text(today),
            until: calendar.known_until(today).map(date_text),
            days_left: calendar.days_left(today),
            data: calendar.years.iter().map(|(year, of)| CalendarView::of(*year, of)).collect(),
        })
    })
    .await
}

/// Look at the working days of a year
///
/// `calendar_unknown` if nobody set them.
#[utoipa::path(
    get, path = "/v1/calendars/{year}", tag = "business_day", params(("year" = String, Path, example = "2026")),
    responses((status = OK, body = CalendarView))
)]
pub(crate) async fn calendar(
    State(app): State<App>,
    caller: Caller,
    Path(year): Path<String>,
) -> Answered<CalendarView> {
    caller.operator()?;
    let year: i16 = parse(&year, "year")?;
    app.look(move |state| Ok(CalendarView::of(year, state.calendar.year(year, "year")?))).await
}
