//! `lintel calendar`: the working days by year; those of a year are set from a file, which is proposed for two people.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel calendar list                       which years are known, and how many days are left
  lintel calendar show 2026                  in the form of the file that set takes
  lintel calendar set next-year.toml --reason 'notice of the State Council' --as opr_3
  lintel approval approve apr_7 --totp 287082 --as opr_4

The file names one year and its exceptions from \"Monday to Friday are worked\":
  year = 2026
  holidays = [\"2026-01-01\", \"2026-01-02\"]      days off, each once; those on a weekend may be left out
  make_up_days = [\"2026-01-04\"]                Saturdays and Sundays that are worked (调休)

The State Council publishes them once a year, usually in November. Set them before the last working day of the year:
what is due on a working day of a year that is not known is refused (calendar_unknown). A year can be set again until it
begins; one that has begun stays as it is (calendar_year_begun).";

/// Working days by year.
#[derive(Debug, Subcommand)]
pub(crate) enum Calendar {
    /// The years that are known, and how many days are left of them.
    List,
    /// One year's holidays and worked weekends.
    Show {
        /// The year.
        year: i16,
    },
    /// Propose the working days of a year; in force once a second accountant or treasurer approves them.
    Set {
        /// A TOML file of one year; see below.
        file: PathBuf,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const STANDS: [Field; 3] = [text("today"), text("until"), number("days_left")];
const YEARS: [Field; 4] = [number("year"), number("holidays"), number("make_up_days"), text("approval")];
/// How many dates stand on a line.
const A_LINE: usize = 7;

/// A file of one year.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: i16,
    holidays: Vec<String>,
    make_up_days: Vec<String>,
}

impl Calendar {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List => {
                let calendars = client.get("/v1/calendars")?;
                let text =
                    format!("{}\n{}", record(&STANDS, &calendars), table(&YEARS, &counted(&calendars["data"]), None));
                Ok(Answer::new(calendars, text))
            }
            Self::Show { year } => {
                let calendar = client.get(&target(&["v1", "calendars", &year.to_string()], &[]))?;
                let text = file_of(&calendar);
                Ok(Answer::new(calendar, text))
            }
            Self::Set { file, reason } => {
                let File { year, holidays, make_up_days } = read(file)?;
                let proposal =
                    json!({"kind": "calendar", "year": year, "holidays": holidays, "make_up_days": make_up_days});
                propose(client, &proposal, reason, None)
            }
        }
    }
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text)
        .with_context(|| format!("{} is no calendar: year, holidays and make_up_days, dates in quotes", path.display()))
}

/// The years with how many dates each names.
fn counted(years: &Value) -> Value {
    let count = |dates: &Value| dates.as_array().map_or(0, Vec::len);
    let row = |year: &Value| {
        let (holidays, make_up_days) = (count(&year["holidays"]), count(&year["make_up_days"]));
        json!({"year": year["year"], "holidays": holidays, "make_up_days": make_up_days, "approval": year["approval"]})
    };
    years.as_array().into_iter().flatten().map(row).collect()
}

/// A year as the file that `set` takes.
fn file_of(calendar: &Value) -> String {
    let dates = |name: &str| {
        let dates: Vec<String> = calendar[name].as_array().into_iter().flatten().map(Value::to_string).collect();
        let lines: String = dates.chunks(A_LINE).map(|line| format!("  {},\n", line.join(", "))).collect();
        if lines.is_empty() { format!("{name} = []\n") } else { format!("{name} = [\n{lines}]\n") }
    };
    let by = calendar["approval"].as_str().unwrap_or("the settings that the books began with");
    format!("# Set by {by}.\nyear = {}\n{}{}", calendar["year"], dates("holidays"), dates("make_up_days"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_file_that_can_be_set() {
        let holidays: Vec<String> = (1..=8).map(|day| format!("2026-10-{day:02}")).collect();
        let calendar = json!({"year": 2026, "holidays": holidays, "make_up_days": [], "approval": "apr_7"});
        let text = file_of(&calendar);
        assert!(text.starts_with("# Set by apr_7.\nyear = 2026\nholidays = [\n  \"2026-10-01\", "), "{text}");
        let file: File = toml::from_str(&text).unwrap();
        assert_eq!((file.year, file.holidays, file.make_up_days), (2026, holidays, Vec::new()));
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_the_form() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("calendar.toml");
        for wrong in [
            "",
            "year = 2026\nholidays = [\"2026-10-01\"]\n",
            "year = 2026\nholidays = [2026-10-01]\nmake_up_days = []\n",
        ] {
            std::fs::write(&path, wrong).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("year, holidays and make_up_days"), "{error}");
        }
    }
}
