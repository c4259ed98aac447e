//! Settings of the working day: at which times the platform itself does what closes one and begins the next.

use anyhow::{Context, Result, bail};
use node::working_day::{ClearingTimes, Schedule, TimeOfDay};
use serde::Deserialize;

/// The longest pause between two tries: a day.
const MOST_MINUTES: u32 = 1_440;
const MINUTE_MS: i64 = 60_000;

/// Times of day in China; an empty one leaves its step to whoever runs the platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkingDayConfig {
    cut_at: String,
    clearing_at: String,
    clearing_deadline: String,
    returns_at: Vec<String>,
    settle_at: String,
    repay_at: String,
    retry_minutes: u32,
}

impl WorkingDayConfig {
    /// What the platform goes by.
    ///
    /// # Errors
    /// A text that is no time of day, or times in an order that cannot be meant, by the names of their settings.
    pub(crate) fn schedule(&self) -> Result<Schedule> {
        let (cut, settle) = (time("cut_at", &self.cut_at)?, time("settle_at", &self.settle_at)?);
        let repay = time("repay_at", &self.repay_at)?;
        let clearing = self.clearing()?;
        let mut returns = Vec::new();
        for text in &self.returns_at {
            let time = time("returns_at", text)?;
            returns.push(
                time.context("working_day.returns_at has an empty time: name one such as \"02:30\", or leave it out")?,
            );
        }
        if !(1..=MOST_MINUTES).contains(&self.retry_minutes) {
            bail!("working_day.retry_minutes is {}: use 1 to {MOST_MINUTES} minutes", self.retry_minutes);
        }
        if let Some(clearing) = clearing {
            if let Some(settle) = settle.filter(|settle| *settle < clearing.at) {
                bail!(
                    "working_day.settle_at is \"{settle}\", before clearing_at, which is \"{}\": files make due what is settled; use \
                     that time or a later one",
                    clearing.at
                );
            }
            if let Some(repay) = repay.filter(|repay| *repay < clearing.at) {
                bail!(
                    "working_day.repay_at is \"{repay}\", before clearing_at, which is \"{}\": an advance is paid back once its orders \
                     stand in a file; use that time or a later one",
                    clearing.at
                );
            }
            if let Some(cut) = cut.filter(|cut| cut.is_morning() && *cut > clearing.at) {
                bail!(
                    "working_day.cut_at is \"{cut}\", after clearing_at, which is \"{}\": files would be booked on the day before; cut \
                     before that time, or from noon on",
                    clearing.at
                );
            }
        }
        let retry_ms = i64::from(self.retry_minutes).saturating_mul(MINUTE_MS);
        Ok(Schedule { cut, clearing, returns, settle, repay, retry_ms })
    }

    fn clearing(&self) -> Result<Option<ClearingTimes>> {
        let (at, deadline) =
            (time("clearing_at", &self.clearing_at)?, time("clearing_deadline", &self.clearing_deadline)?);
        let Some(at) = at else { return Ok(None) };
        match deadline {
            Some(deadline) if deadline > at => Ok(Some(ClearingTimes { at, deadline })),
            Some(_) | None => bail!(
                "working_day.clearing_deadline is \"{}\": use a time after clearing_at, which is \"{at}\"; from then on a file that is \
                 not there is an alarm, and merchants are settled without it",
                self.clearing_deadline
            ),
        }
    }
}

/// The time of a setting; none if it is empty.
fn time(name: &str, text: &str) -> Result<Option<TimeOfDay>> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = text.parse::<TimeOfDay>().with_context(|| {
        format!("working_day.{name} is \"{text}\": use a time of day in China such as \"02:30\", or leave it empty")
    })?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn schedule(lines: &[&str]) -> Result<Schedule> {
        let lines: Vec<String> = lines.iter().map(|line| format!("working_day.{line}")).collect();
        Config::load(None, &lines)?.working_day.schedule()
    }

    #[test]
    fn it_is_off_unless_it_is_set() {
        assert!(schedule(&[]).unwrap().is_off());
        let some = schedule(&["cut_at=23:30", "returns_at=[\"02:30\", \"18:00\"]", "retry_minutes=5"]).unwrap();
        assert_eq!((some.is_off(), some.clearing, some.settle, some.retry_ms), (false, None, None, 300_000));
        assert_eq!(some.cut.unwrap().to_string(), "23:30");
        assert_eq!(some.returns.iter().map(TimeOfDay::to_string).collect::<Vec<_>>(), ["02:30", "18:00"]);
        let all =
            schedule(&["cut_at=00:10", "clearing_at=02:00", "settle_at=02:00", "clearing_deadline=09:00"]).unwrap();
        assert_eq!(all.steps().len(), 3);
        let alone = schedule(&["repay_at=10:00"]).unwrap();
        assert_eq!((alone.is_off(), alone.repay.unwrap().to_string()), (false, "10:00".into()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name_with_its_value_and_the_remedy() {
        let cases: [(&[&str], &str, &str); 10] = [
            (&["cut_at=24:00"], "working_day.cut_at is \"24:00\"", "\"02:30\""),
            (&["settle_at=3:00"], "working_day.settle_at is \"3:00\"", "\"02:30\""),
            (&["returns_at=[\"soon\"]"], "working_day.returns_at is \"soon\"", "\"02:30\""),
            (&["returns_at=[\"\"]"], "working_day.returns_at has an empty time", "\"02:30\""),
            (&["retry_minutes=0"], "working_day.retry_minutes is 0", "1 to 1440"),
            (&["clearing_at=09:00"], "working_day.clearing_deadline is \"09:00\"", "after clearing_at"),
            (&["clearing_at=02:00", "settle_at=01:59"], "working_day.settle_at is \"01:59\"", "a later one"),
            (&["repay_at=noon"], "working_day.repay_at is \"noon\"", "\"02:30\""),
            (&["clearing_at=02:00", "repay_at=01:59"], "working_day.repay_at is \"01:59\"", "a later one"),
            (&["clearing_at=02:00", "cut_at=02:01"], "working_day.cut_at is \"02:01\"", "from noon on"),
        ];
        for (lines, named, remedy) in cases {
            let told = format!("{:#}", schedule(lines).unwrap_err());
            assert!(told.contains(named) && told.contains(remedy), "{told}");
        }
    }
}
