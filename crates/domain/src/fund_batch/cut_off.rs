//! A city's cut-off (截止时点): when the platform itself closes the batch of a month.
//!
//! ```text
//!  day and time of the month ─► its last day, if the month has fewer ─► the working day on or before it
//!  a payment asked for before it ─► waits for the batch │ from then on ─► refused
//!  it is over ─► whatever waits for the month is closed, however late
//! ```
//! Nothing has to be remembered for that: from the cut-off on nothing new waits for its month, so a batch that was closed leaves nothing
//! to close, and one that was missed is closed by the next look.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{month_of, waits_for};
use crate::calendar::{Calendar, Date};
use crate::envelope::Time;
use crate::refusal::Refusal;
use crate::state::State;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 1_440;

/// Day and time of a city's cut-off, in Asia/Shanghai. Text form `25 17:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// 1 to 31.
    day: i8,
    /// Minutes since midnight, below 1,440.
    minute: i64,
}

/// A text that is not a cut-off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a day of the month and a time; they look like 25 17:00")]
pub struct CutOffError(String);

impl FromStr for CutOff {
    type Err = CutOffError;

    fn from_str(text: &str) -> Result<Self, CutOffError> {
        let number = |text: &str, most: i8| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i8>().ok().filter(|number| digits && *number <= most)
        };
        let read = || {
            let (day, time) = text.split_once(' ')?;
            let (hour, minute) = time.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
            let day = number(day, 31).filter(|day| *day > 0)?;
            let minute = i64::from(number(hour, 23)?).saturating_mul(60).saturating_add(number(minute, 59)?.into());
            Some(Self { day, minute })
        };
        read().ok_or_else(|| CutOffError(format!("{text:.32}")))
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}", self.day, self.minute.div_euclid(60), self.minute.rem_euclid(60))
    }
}

impl CutOff {
    /// When the batch of a month, `2026-03`, is closed.
    ///
    /// # Errors
    /// `value_invalid` for what is no month, `calendar_unknown` for a year without an entry.
    pub fn of(self, period: &str, calendar: &Calendar) -> Result<Time, Refusal> {
        let first = month_of(period)?;
        let mut day = first.plus_days(i32::from(self.day).saturating_sub(1));
        while day.month() != first.month() {
            day = day.plus_days(-1);
        }
        while !calendar.is_working_day(day)? {
            day = day.plus_days(-1);
        }
        Ok(day.starts_at().plus_ms(self.minute.saturating_mul(MINUTE_MS)))
    }

    /// The latest cut-off that is over at `now`; none if the calendar begins after it.
    ///
    /// # Errors
    /// `calendar_unknown` if this month's is not known.
    pub fn latest(self, calendar: &Calendar, now: Time) -> Result<Option<Time>, Refusal> {
        let today = Date::in_shanghai(now);
        let first = month_of(&period_of(today))?;
        let over = |at: &Time| *at <= now;
        // Next month's is in this one if its day and all before it are holidays; a year that is not known yet keeps nobody waiting here.
        let next = self.of(&period_of(first.plus_days(31)), calendar).ok().filter(over);
        let this = self.of(&period_of(first), calendar)?;
        let before = || self.of(&period_of(first.plus_days(-1)), calendar).ok();
        Ok(next.or_else(|| Some(this).filter(over)).or_else(before))
    }
}

/// The month of a date, `2026-03`.
fn period_of(date: Date) -> String {
    let mut text = format!("{date}");
    text.truncate(7);
    text
}

/// A moment as it is told: date and time in Asia/Shanghai, to the minute.
pub(super) fn told(at: Time) -> String {
    let date = Date::in_shanghai(at);
    let minutes = at.0.saturating_sub(date.starts_at().0).div_euclid(MINUTE_MS).rem_euclid(DAY_MINUTES);
    format!("{date} {:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

impl State {
    /// The months whose cut-off is over and that payments wait for still, oldest first.
    ///
    /// # Errors
    /// `calendar_unknown` for a month that is over and whose year has no entry.
    pub fn fund_months_due(&self, cut_off: CutOff, now: Time) -> Result<Vec<String>, Refusal> {
        let this = period_of(Date::in_shanghai(now));
        let months: BTreeSet<&str> = self.in_outbox().filter_map(waits_for).collect();
        let mut due = Vec::new();
        for month in months {
            match cut_off.of(month, &self.calendar) {
                Ok(at) if at <= now => due.push(String::from(month)),
                Err(refusal) if month < this.as_str() => return Err(refusal),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(due)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;

    use super::*;
    use crate::calendar::Year;

    /// 2026 with the first week of October off, and the Saturday after it worked; 2027 with New Year's Day off.
    fn calendar() -> Calendar {
        let day = |year, month, day| Date::new(year, month, day).unwrap();
        let holidays = (1..=7).map(|number| day(2026, 10, number)).collect();
        let year = Year { holidays, make_up_days: [day(2026, 10, 10)].into(), approval: None };
        let next = Year { holidays: [day(2027, 1, 1)].into(), ..Year::default() };
        Calendar { years: BTreeMap::from([(2026, year), (2027, next)]) }
    }

    fn at(cut_off: &str, period: &str) -> String {
        told(cut_off.parse::<CutOff>().unwrap().of(period, &calendar()).unwrap())
    }

    fn time(text: &str) -> Time {
        let (date, time) = text.split_once(' ').unwrap();
        let (hour, minute) = time.split_once(':').unwrap();
        let minutes = hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap();
        date.parse::<Date>().unwrap().starts_at().plus_ms(minutes * MINUTE_MS)
    }

    #[test]
    fn it_is_on_the_working_day_on_or_before_its_day() {
        assert_eq!(at("25 17:00", "2026-03"), "2026-03-25 17:00");
        // A Saturday; one that is worked; the last day of a short month; holidays back into the month before.
        assert_eq!(at("25 09:30", "2026-04"), "2026-04-24 09:30");
        assert_eq!(at("10 00:00", "2026-10"), "2026-10-10 00:00");
        assert_eq!(at("31 23:59", "2026-02"), "2026-02-27 23:59");
        assert_eq!(at("3 17:00", "2026-10"), "2026-09-30 17:00");
    }

    #[test]
    fn the_latest_that_is_over_may_be_of_the_month_before_or_after() {
        let latest = |cut_off: &str, now: &str| {
            cut_off.parse::<CutOff>().unwrap().latest(&calendar(), time(now)).map(|at| at.map(told))
        };
        let is = |text: &str| Ok(Some(text.to_string()));
        assert_eq!(latest("25 17:00", "2026-03-25 17:00"), is("2026-03-25 17:00"));
        assert_eq!(latest("25 17:00", "2026-03-25 16:59"), is("2026-02-25 17:00"));
        assert_eq!(latest("3 17:00", "2026-09-30 17:00"), is("2026-09-30 17:00"));
        assert_eq!(latest("1 17:00", "2026-12-31 18:00"), is("2026-12-31 17:00"));
        assert_eq!(latest("25 17:00", "2026-01-22 17:00"), Ok(None), "2025 is not known");
        assert!(latest("25 17:00", "2028-03-25 17:00").is_err());
    }

    #[test]
    fn what_is_no_day_and_time_is_refused_with_what_would_be() {
        for text in ["25 17:00", "1 00:00", "31 23:59"] {
            assert_eq!(text.parse::<CutOff>().unwrap().to_string(), text);
        }
        for text in
            ["", "25", "0 17:00", "32 17:00", "25 24:00", "25 17:60", "25 7:00", "25  17:00", "+5 17:00", "-1 17:00"]
        {
            let told = text.parse::<CutOff>().unwrap_err().to_string();
            assert!(told.contains(text) && told.contains("25 17:00"), "{told}");
        }
    }
}
