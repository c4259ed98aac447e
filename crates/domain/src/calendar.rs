//! Dates and working days. Working days come from a yearly calendar with make-up days (调休); an unknown year is refused.
//!
//! ```text
//!  settings ─ the books begin ─► known ◄─ two people ─ unknown
//!                                  │ two people, before the year begins: known otherwise
//!                                  └ its first accounting day is open ─► begun, for ever as it is
//! ```
//! A year that nobody knew may be set though it has begun: nothing could be reckoned by it. What was reckoned by a year before
//! it was set otherwise keeps its date.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use jiff::civil;
use minicbor::{Decode, Encode};

use crate::approval;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::ApprovalId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// A calendar date, as days since 1970-01-01. Text form `2026-03-05`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Date(#[n(0)] pub i32);

const EPOCH: civil::Date = civil::date(1970, 1, 1);
const SHANGHAI_OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

impl Date {
    /// The date of year, month and day, if there is one.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        civil::Date::new(year, month, day).ok().map(Self::from_civil)
    }

    fn from_civil(date: civil::Date) -> Self {
        let days = EPOCH.until(date).map(|span| span.get_days()).unwrap_or_default();
        Self(days)
    }

    fn civil(self) -> civil::Date {
        EPOCH.checked_add(jiff::Span::new().days(self.0)).unwrap_or(EPOCH)
    }

    /// The date in Asia/Shanghai (no daylight saving since 1991) at `time`.
    #[must_use]
    pub fn in_shanghai(time: Time) -> Self {
        let days = time.0.saturating_add(SHANGHAI_OFFSET_MS).div_euclid(DAY_MS);
        Self(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// Midnight in Asia/Shanghai at the beginning of this date.
    #[must_use]
    pub fn starts_at(self) -> Time {
        Time(i64::from(self.0).saturating_mul(DAY_MS).saturating_sub(SHANGHAI_OFFSET_MS))
    }

    /// The date `days` later, or earlier if below zero.
    #[must_use]
    pub const fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i16 {
        self.civil().year()
    }

    /// Year and month as `yyyymm`.
    #[must_use]
    pub fn month(self) -> u32 {
        let date = self.civil();
        u32::from(date.year().unsigned_abs()) * 100 + u32::from(date.month().unsigned_abs())
    }

    fn is_weekend(self) -> bool {
        matches!(self.civil().weekday(), civil::Weekday::Saturday | civil::Weekday::Sunday)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.civil();
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is not a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a date; dates look like 2026-03-05")]
pub struct DateError(String);

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let parsed = if text.len() == 10 { text.parse::<civil::Date>().ok() } else { None };
        parsed.map(Self::from_civil).ok_or_else(|| DateError(format!("{text:.32}")))
    }
}

/// One year's exceptions from "Monday to Friday are working days".
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Year {
    /// Public holidays (节假日).
    #[n(0)]
    pub holidays: Vec<Date>,
    /// Weekend days that are worked (调休上班).
    #[n(1)]
    pub make_up_days: Vec<Date>,
    /// By which approval it was set; none where the books began with it.
    #[n(2)]
    pub approval: Option<ApprovalId>,
}

/// The working days of the years it knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Calendar {
    /// By year.
    #[n(0)]
    pub years: BTreeMap<i16, Year>,
}

impl Calendar {
    /// The exceptions of a year; `param` names it in the refusal.
    ///
    /// # Errors
    /// `calendar_unknown` for a year without an entry.
    pub fn year(&self, year: i16, param: &'static str) -> Result<&Year, Refusal> {
        self.years.get(&year).ok_or_else(|| {
            let message = format!("the working days of {year} are not known; two people set them: lintel calendar set");
            Refusal::new(RefusalCode::CalendarUnknown, param, message)
        })
    }

    /// Whether banks clear on `date`.
    ///
    /// # Errors
    /// `calendar_unknown` for a year without an entry.
    pub fn is_working_day(&self, date: Date) -> Result<bool, Refusal> {
        let year = self.year(date.year(), "date")?;
        let worked = !date.is_weekend() || year.make_up_days.contains(&date);
        Ok(worked && !year.holidays.contains(&date))
    }

    /// The working day `count` working days after `date`.
    ///
    /// # Errors
    /// `calendar_unknown` for a year without an entry.
    pub fn plus_working_days(&self, date: Date, count: u32) -> Result<Date, Refusal> {
        let mut day = date;
        let mut left = count;
        while left > 0 {
            day = day.plus_days(1);
            if self.is_working_day(day)? {
                left = left.saturating_sub(1);
            }
        }
        Ok(day)
    }

    /// The last date of the years that it knows without a gap from that of `date` on; none if that year is not known.
    #[must_use]
    pub fn known_until(&self, date: Date) -> Option<Date> {
        let known = (date.year()..=i16::MAX).take_while(|year| self.years.contains_key(year));
        known.last().and_then(|year| Date::new(year, 12, 31))
    }

    /// How many days, `today` among them, are left until the last of [`Self::known_until`] is over; 0 if this year is not known.
    #[must_use]
    pub fn days_left(&self, today: Date) -> u32 {
        let days = self.known_until(today).map(|last| last.0.saturating_sub(today.0).saturating_add(1));
        days.and_then(|days| u32::try_from(days).ok()).unwrap_or_default()
    }
}

/// Sets the working days of a year.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetCalendar {
    /// The year.
    #[n(0)]
    pub year: i16,
    /// Its public holidays, one or more; those that fall on a weekend may be among them.
    #[n(1)]
    pub holidays: Vec<Date>,
    /// Its Saturdays and Sundays that are worked.
    #[n(2)]
    pub make_up_days: Vec<Date>,
}

/// The working days of a year were set.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct YearSet {
    /// The year.
    #[n(0)]
    pub year: i16,
    /// What holds from now on.
    #[n(1)]
    pub days: Year,
}

/// Sets the working days of a year, for everything that is reckoned from now on.
///
/// # Errors
/// `approval_required`, `not_initialised`, `calendar_year_begun` for a known year of which a day was opened, `value_invalid` for
/// no holiday, a date of another year, one that is named twice, and a worked day that is no weekend.
pub fn decide_set(draft: &mut Draft<'_>, command: SetCalendar) -> Result<Reply, Refusal> {
    let approval = approval::require(draft, "setting the working days of a year")?.id;
    let SetCalendar { year, mut holidays, mut make_up_days } = command;
    let open = draft.state.days.posting_date(None)?;
    if draft.state.calendar.years.contains_key(&year) && year <= open.year() {
        let message = format!(
            "{year} has begun in these books, whose open day is {open}: what is due was reckoned by its working days; set a \
             year that is still to come"
        );
        return Err(Refusal::new(RefusalCode::CalendarYearBegun, "year", message));
    }
    check(year, &holidays, &make_up_days)?;
    holidays.sort_unstable();
    make_up_days.sort_unstable();
    let days = Year { holidays, make_up_days, approval: Some(approval) };
    draft.emit(Event::CalendarYearSet(YearSet { year, days }));
    Ok(Reply::CalendarYear(year))
}

fn check(year: i16, holidays: &[Date], make_up_days: &[Date]) -> Result<(), Refusal> {
    if holidays.is_empty() {
        return Err(invalid("holidays", format!("{year} has no holiday; name all that are published for it")));
    }
    let mut named = BTreeSet::new();
    for (param, dates) in [("holidays", holidays), ("make_up_days", make_up_days)] {
        for date in dates {
            if date.year() != year {
                return Err(invalid(param, format!("{date} is not in {year}; name the dates of that year alone")));
            }
            if !named.insert(*date) {
                let message =
                    format!("{date} is named twice; name each date once, as a holiday or as a day that is worked");
                return Err(invalid(param, message));
            }
        }
    }
    match make_up_days.iter().find(|date| !date.is_weekend()) {
        None => Ok(()),
        Some(date) => {
            let message =
                format!("{date} is neither a Saturday nor a Sunday; other days are worked unless they are holidays");
            Err(invalid("make_up_days", message))
        }
    }
}

fn invalid(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

/// The working days of a year were set.
pub(crate) fn apply_set(state: &mut State, set: &YearSet) {
    if state.calendar_before.is_none() {
        state.calendar_before = Some(state.calendar.clone());
    }
    state.calendar.years.insert(set.year, set.days.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    use crate::approval::Proposal;
    use crate::command::Command;
    use crate::testkit::Kit;

    fn calendar() -> Calendar {
        let day = |month, day| Date::new(2026, month, day).unwrap();
        let holidays = (1..=7).map(|number| day(10, number)).collect();
        let year = Year { holidays, make_up_days: vec![day(10, 10)], approval: None };
        Calendar { years: BTreeMap::from([(2026, year)]) }
    }

    #[test]
    fn dates_read_back_what_they_write() {
        for text in ["1970-01-01", "2026-02-28", "2024-02-29", "1999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in ["2026-02-30", "20260228", "2026-2-28", "tomorrow"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_turns_at_midnight_in_shanghai() {
        let date: Date = "2026-03-05".parse().unwrap();
        assert_eq!(Date::in_shanghai(date.starts_at()), date);
        assert_eq!(Date::in_shanghai(date.starts_at().plus_ms(-1)), date.plus_days(-1));
    }

    #[test]
    fn holidays_and_make_up_days_count() {
        let before: Date = "2026-09-30".parse().unwrap();
        assert_eq!(calendar().plus_working_days(before, 1).unwrap().to_string(), "2026-10-08");
        assert_eq!(calendar().plus_working_days(before, 3).unwrap().to_string(), "2026-10-10");
    }

    #[test]
    fn an_unknown_year_is_refused() {
        let refusal = calendar().is_working_day("2027-01-04".parse().unwrap()).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::CalendarUnknown);
    }

    #[test]
    fn the_days_left_are_counted_to_the_first_year_that_is_not_known() {
        let mut calendar = calendar();
        let left = |calendar: &Calendar, today: &str| calendar.days_left(today.parse().unwrap());
        for (today, days) in
            [("2026-11-01", 61), ("2026-11-02", 60), ("2026-12-31", 1), ("2027-01-01", 0), ("2025-12-31", 0)]
        {
            assert_eq!(left(&calendar, today), days, "{today}");
        }
        calendar.years.insert(2028, Year::default());
        assert_eq!(left(&calendar, "2026-12-31"), 1, "2027 is missing");
        calendar.years.insert(2027, Year::default());
        assert_eq!(left(&calendar, "2026-12-31"), 1 + 365 + 366);
        assert_eq!(calendar.known_until("2026-12-31".parse().unwrap()), Date::new(2028, 12, 31));
    }

    #[test]
    fn a_proposal_that_waits_leaves_the_calendar_as_it_is_and_its_approval_is_named_in_the_year() {
        let mut kit = Kit::new();
        kit.people();
        let before = kit.state.calendar.clone();
        let day = |month, day| Date::new(2027, month, day).unwrap();
        let set = SetCalendar { year: 2027, holidays: vec![day(10, 1), day(1, 1)], make_up_days: vec![day(1, 3)] };
        let approval = kit.proposed("accountant-1", Proposal::Calendar(set));
        assert_eq!(kit.state.calendar, before);
        let first_working_day = |kit: &Kit| kit.state.calendar.plus_working_days(Date::new(2026, 12, 31).unwrap(), 1);
        assert_eq!(first_working_day(&kit).unwrap_err().code, RefusalCode::CalendarUnknown);

        kit.checked("treasurer-1", approval);
        assert_eq!(kit.state.approval(approval).unwrap().outcome, Some(Reply::CalendarYear(2027)));
        let year = kit.state.calendar.years.get(&2027).unwrap();
        assert_eq!((year.holidays.as_slice(), year.approval), (&[day(1, 1), day(10, 1)][..], Some(approval)));
        assert_eq!(kit.state.calendar.years.get(&2026), before.years.get(&2026));
        assert_eq!(first_working_day(&kit).unwrap(), day(1, 3), "a Sunday that is worked");
    }

    #[test]
    fn a_year_that_began_unknown_can_still_be_set_once() {
        let mut kit = Kit::new();
        let day = |year, month, day| Date::new(year, month, day).unwrap();
        kit.approved(Command::CutDay { next: Some(day(2027, 1, 1)) });
        let set =
            |holiday| SetCalendar { year: 2027, holidays: vec![day(2027, 10, holiday)], make_up_days: Vec::new() };
        assert_eq!(kit.approved(Command::SetCalendar(set(1))), Reply::CalendarYear(2027));
        let refusal = kit.when_approved(Command::SetCalendar(set(2))).unwrap_err();
        assert_eq!((refusal.code, refusal.param.as_ref()), (RefusalCode::CalendarYearBegun, "year"));
        assert!(refusal.message.contains("2027-01-01"), "{refusal}");
    }
}
