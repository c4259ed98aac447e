//! Dates and working days. Working days come from a yearly calendar with make-up days (调休); an unknown year is refused.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use jiff::civil;
use minicbor::{Decode, Encode};

use crate::envelope::Time;
use crate::refusal::{Refusal, RefusalCode};

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
}

/// The working days of the years it knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Calendar {
    /// By year.
    #[n(0)]
    pub years: BTreeMap<i16, Year>,
}

impl Calendar {
    /// Whether banks clear on `date`.
    ///
    /// # Errors
    /// `calendar_unknown` for a year without an entry.
    pub fn is_working_day(&self, date: Date) -> Result<bool, Refusal> {
        let year = self.years.get(&date.year()).ok_or_else(|| {
            let message = format!(
                "the working days of {} are not known; add that year's calendar to the configuration",
                date.year()
            );
            Refusal::new(RefusalCode::CalendarUnknown, "date", message)
        })?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn calendar() -> Calendar {
        let day = |month, day| Date::new(2026, month, day).unwrap();
        let holidays = (1..=7).map(|number| day(10, number)).collect();
        Calendar { years: BTreeMap::from([(2026, Year { holidays, make_up_days: vec![day(10, 10)] })]) }
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
}
