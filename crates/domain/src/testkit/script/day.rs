//! `day`, `cut`, `seal`, `check`, `waive`, `calendar`: see [`crate::business_day`], [`crate::waiver`] and [`crate::calendar`].

use alloc::format;
use alloc::string::{String, ToString};

use super::{Read, Script, Step};
use crate::calendar::SetCalendar;
use crate::checks;
use crate::command::Command;
use crate::testkit::date;
use crate::waiver::WaiveChecks;

/// Reads a verb of accounting days.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let command = match *words {
        ["day", day] => {
            script.kit.on(day);
            Command::Tick
        }
        // The holidays of a year, and behind `worked` its weekends that are worked.
        ["calendar", year, ref dates @ ..] => {
            let dates_of = |dates: &[&str]| dates.iter().map(|day| date(day)).collect();
            let at = dates.iter().position(|word| *word == "worked").unwrap_or(dates.len());
            let (holidays, worked) = (dates_of(&dates[..at]), dates_of(dates.get(at + 1..).unwrap_or_default()));
            Command::SetCalendar(SetCalendar { year: year.parse().expect("a year"), holidays, make_up_days: worked })
        }
        ["cut"] => Command::CutDay { next: None },
        ["cut", next] => Command::CutDay { next: Some(date(next)) },
        ["seal", day] => Command::SealDay(date(day)),
        // The checks of a day, of which those named are said to fail.
        ["check", day, ref failing @ ..] => {
            let (date, position) = (date(day), position(script, day));
            let mut checks = checks::run(&script.kit.state, date);
            for check in checks.iter_mut().filter(|check| failing.contains(&check.name.as_str())) {
                (check.holds, check.detail) = (false, String::from("off by 5"));
            }
            Command::CloseDay { date, position, checks }
        }
        ["check-nothing", day] => {
            Command::CloseDay { date: date(day), position: position(script, day), checks: [].into() }
        }
        ["waive", day, ref checks @ ..] => {
            let (date, position) = (date(day), position(script, day));
            let checks = checks.iter().map(ToString::to_string).collect();
            Command::WaiveChecks(WaiveChecks { date, position, checks })
        }
        // Where a day stands.
        ["stands", day, status] => {
            let row = script.kit.state.days.get(date(day)).expect("a day of these books");
            assert_eq!(format!("{:?}", row.status).to_lowercase(), status, "{day}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(command))
}

/// The position that a day was sealed at, or failed at.
fn position(script: &Script, day: &str) -> u64 {
    let day = script.kit.state.days.get(date(day));
    day.and_then(|day| day.sealed.or(day.failed_at)).unwrap_or_default()
}
