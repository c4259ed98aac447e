//! `lintel day`: the accounting days, cut and closed by hand; what the platform does of a working day by itself.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel day cut --next 2026-03-06        Friday's date takes the postings from here on
  lintel day close 2026-03-05             run the checks; exit code 1 if one does not hold
  lintel day waive 2026-03-05 --check cover --reason \"booked tomorrow\" --as opr_3
  lintel day trial-balance 2026-03-05 --json
  lintel day next                         what the platform does by itself, when next, and what is due now";

/// Accounting days.
#[derive(Debug, Subcommand)]
pub(crate) enum Day {
    /// All days with their states.
    List,
    /// One day, and what the checks at its last try to close found.
    Show {
        /// Its date.
        date: String,
    },
    /// Cut the open day: the next one takes the postings from here on.
    Cut {
        /// The next day's date; the date after the open one unless said.
        #[arg(long, value_name = "DATE")]
        next: Option<String>,
    },
    /// Close a day that was cut: run the checks, and close it if all hold.
    Close {
        /// Its date.
        date: String,
    },
    /// Propose to let a day close in spite of checks that failed at its last try.
    Waive {
        /// Its date.
        date: String,
        /// The name of a failed check; may be given several times.
        #[arg(long = "check", value_name = "NAME", required = true)]
        checks: Vec<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// The trial balance by book and subject, and what covers customers' money.
    TrialBalance {
        /// The day's date.
        date: String,
    },
    /// Which steps of a working day the platform takes by itself, when next, and what is due now.
    Next,
}

const DAYS: [Field; 6] =
    [text("date"), text("status"), text("opened_at"), text("cut_at"), number("sealed"), text("allowed_actions")];
const STEPS: [Field; 4] = [text("step"), text("at"), text("next"), text("due")];
const CHECKS: [Field; 4] = [text("name"), text("holds"), text("detail"), text("waived")];
const LINES: [Field; 6] =
    [text("book"), number("subject"), text("name"), money("debit"), money("credit"), money("closing")];
const TOTALS: [Field; 4] = [text("book"), money("debit"), money("credit"), text("balanced")];
const COVER: [Field; 5] =
    [money("liabilities"), money("central_bank"), money("in_clearing"), money("due_to_own"), text("holds")];

impl Day {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List => {
                let days = client.get("/v1/days")?;
                let shown = table(&DAYS, &days["data"], None);
                Ok(Answer::new(days, shown))
            }
            Self::Show { date } => Ok(shown(client.get(&target(&["v1", "days", date], &[]))?)),
            Self::Cut { next } => {
                let body = next.as_ref().map_or_else(|| json!({}), |next| json!({ "next": next }));
                Ok(shown(client.post("/v1/days/cut", &body)?))
            }
            Self::Close { date } => {
                let day = client.post(&target(&["v1", "days", date, "close"], &[]), &json!({}))?;
                let complaint = (day["status"] != "closed").then(|| {
                    let checks = day["checks"].as_array().into_iter().flatten();
                    let broken = checks.filter(|check| check["holds"] == false && check["waived"].is_null());
                    format!("{date} is not closed: {} checks do not hold", broken.count())
                });
                Ok(shown(day).complaining(complaint))
            }
            Self::Waive { date, checks, reason } => {
                let day = client.get(&target(&["v1", "days", date], &[]))?;
                // Of a day that did not fail there is none, and the platform says so.
                let position = day["failed_at"].as_u64().unwrap_or_default();
                let body = json!({"kind": "check_waiver", "date": date, "position": position, "checks": checks});
                propose(client, &body, reason, None)
            }
            Self::TrialBalance { date } => {
                let trial = client.get(&target(&["v1", "days", date, "trial-balance"], &[]))?;
                let text = trial_balance(&trial);
                Ok(Answer::new(trial, text))
            }
            Self::Next => {
                let day = client.get("/v1/working-day")?;
                let text = format!("{}\n{}", record(&[text("now")], &day), table(&STEPS, &day["steps"], None));
                Ok(Answer::new(day, text))
            }
        }
    }
}

fn shown(day: Value) -> Answer {
    let mut text = record(&DAYS, &day);
    if day["checks"].as_array().is_some_and(|checks| !checks.is_empty()) {
        text.push('\n');
        text.push_str(&table(&CHECKS, &day["checks"], None));
    }
    Answer::new(day, text)
}

fn trial_balance(trial: &Value) -> String {
    let head = record(&[text("date"), text("status"), text("balanced")], trial);
    let (lines, totals) = (table(&LINES, &trial["lines"], None), table(&TOTALS, &trial["totals"], None));
    let cover = record(&COVER, &trial["cover"]);
    format!("{head}\n{lines}\n{totals}\nWhat covers customers' money:\n{cover}")
}
