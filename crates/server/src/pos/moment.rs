//! Dates and times as card messages write them, in Shanghai.

use domain::calendar::Date;
use domain::envelope::Time;

const SECOND_MS: i64 = 1_000;
const DAY_SECONDS: i64 = 86_400;

/// Month and day: MMDD.
pub(crate) fn day(date: Date) -> String {
    // A date is written as 2026-03-05.
    date.to_string().get(5..).unwrap_or_default().replace('-', "")
}

/// Date (MMDD) and time (hhmmss).
pub(crate) fn local(now: Time) -> (String, String) {
    let date = Date::in_shanghai(now);
    let seconds = now.0.saturating_sub(date.starts_at().0).div_euclid(SECOND_MS).rem_euclid(DAY_SECONDS);
    (day(date), format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60))
}
