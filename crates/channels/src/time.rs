//! Times as the networks' messages write them: digits, in Shanghai's hours.

use domain::calendar::Date;
use domain::envelope::Time;

/// YYYYMMDDhhmmss in Shanghai.
pub(crate) fn stamp(time: Time) -> String {
    let date = Date::in_shanghai(time);
    let seconds = time.0.saturating_sub(date.starts_at().0).div_euclid(1_000);
    let (hours, minutes) = (seconds.div_euclid(3_600), seconds.div_euclid(60).rem_euclid(60));
    format!("{}{hours:02}{minutes:02}{:02}", date.to_string().replace('-', ""), seconds.rem_euclid(60))
}

/// YYYY-MM-DDThh:mm:ss in Shanghai.
pub(crate) fn moment(time: Time) -> String {
    let digits = stamp(time);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}T{}:{}:{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14))
}

/// YYYYMMDD.
pub(crate) fn day(date: Date) -> String {
    date.to_string().replace('-', "")
}

/// The date of exactly that form.
pub(crate) fn day_of(text: &str) -> Option<Date> {
    let (year, month_and_day) = text.split_at_checked(4)?;
    let (month, on) = month_and_day.split_at_checked(2)?;
    format!("{year}-{month}-{on}").parse().ok().filter(|date| day(*date) == text)
}

/// The date of a settlement date (MMDD), which is month and day only: of the year that is nearest after the order's time.
pub(crate) fn clearing_date(settle_date: &str, txn_time: &str) -> Option<Date> {
    let (month, day) = settle_date.split_at_checked(2)?;
    let (year, ordered_in) = (txn_time.get(..4)?.parse::<u32>().ok()?, txn_time.get(4..6)?);
    let year = if month < ordered_in { year.checked_add(1)? } else { year };
    format!("{year:04}-{month}-{day}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_shanghai() {
        assert_eq!(stamp(Time(1_772_676_000_000)), "20260305100000");
        assert_eq!(stamp(Time(1_772_725_323_999)), "20260305234203");
        assert_eq!(moment(Time(1_772_725_323_999)), "2026-03-05T23:42:03");
    }

    #[test]
    fn a_day_has_one_form() {
        assert_eq!(day_of("20260305").map(day).as_deref(), Some("20260305"));
        for wrong in ["", "2026", "20260230", "2026-03-05", "202603050", "+2260305"] {
            assert_eq!(day_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_settle_date_is_of_the_orders_year_or_the_next() {
        let date = |settle: &str, txn: &str| clearing_date(settle, txn).map(|date| date.to_string());
        assert_eq!(date("0306", "20260305235959").as_deref(), Some("2026-03-06"));
        assert_eq!(date("0101", "20261231230500").as_deref(), Some("2027-01-01"));
        for (settle, txn) in [("0230", "20260228000000"), ("306", "20260305000000"), ("", "20260305"), ("0306", "2026")]
        {
            assert_eq!(date(settle, txn), None, "{settle} {txn}");
        }
    }
}
