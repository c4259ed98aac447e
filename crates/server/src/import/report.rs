//! What an import says at its end: a report for people or programs, the rejected rows, the map from rows to vouchers.

use std::path::Path;

use anyhow::{Context, Result};
use domain::money::{Currency, Minor};
use history::csv::decimal;
use serde::Serialize;

use super::file::{Rejected, Way};
use super::format::Format;
use super::plan::{Plan, Totals};
use super::standing::Standing;

/// What an import did, or would do.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `dry_run`, `finished`, `nothing_to_do` or `stopped`.
    pub(crate) state: &'static str,
    /// The stream of its postings.
    pub(crate) stream: String,
    /// The currency of all amounts.
    pub(crate) currency: &'static str,
    /// What the file holds.
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// Rows posted before this run; null where the books were not looked at.
    pub(crate) posted_before: Option<usize>,
    /// Rows posted by this run.
    pub(crate) posted: usize,
    /// Rows that the books refused, in this run or an earlier one.
    pub(crate) refused: usize,
    /// Days closed by this run.
    pub(crate) days_closed: usize,
    /// Days closed in the books, by whichever run.
    pub(crate) days_closed_in_all: Option<usize>,
    /// The day that takes the postings now.
    pub(crate) open_day: Option<String>,
    /// How long this run took, reading the file included.
    pub(crate) seconds: f64,
    /// Where the rejected rows are, if there are any.
    pub(crate) rejected_file: Option<String>,
    /// The first rejected rows.
    pub(crate) first_rejected: Vec<String>,
}

/// Rejected rows that a report names itself.
const SHOWN: usize = 10;

impl Report {
    /// A report of a plan that was not carried out.
    pub(crate) fn of(format: &Format, plan: &Plan, state: &'static str) -> Self {
        Self {
            state,
            stream: format.stream.clone(),
            currency: format.books.currency.code(),
            totals: plan.totals(),
            posted_before: None,
            posted: 0,
            refused: 0,
            days_closed: 0,
            days_closed_in_all: None,
            open_day: None,
            seconds: 0.0,
            rejected_file: None,
            first_rejected: Vec::new(),
        }
    }

    /// Names the rejected rows.
    pub(crate) fn rejecting(mut self, rejected: &[Rejected], path: Option<&Path>) -> Self {
        self.first_rejected =
            rejected.iter().take(SHOWN).map(|row| format!("line {}: {}", row.line, row.reason)).collect();
        self.rejected_file = path.map(|path| path.display().to_string());
        self
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Totals { read, rows, accounts, postings, days_with_rows, money_in, money_out, rejected, .. } = &self.totals;
        let money = |sum: i128| amount(sum, self.currency);
        let dates = match (&self.totals.first_date, &self.totals.last_date) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            (_, _) => "none".to_owned(),
        };
        let mut lines = vec![
            ("stream", self.stream.clone()),
            ("rows in the file", read.to_string()),
            ("rows to post", format!("{rows} in {postings} postings")),
            ("accounts", accounts.to_string()),
            ("dates", format!("{dates}, {days_with_rows} with rows")),
            ("in", money(*money_in)),
            ("out", money(*money_out)),
            ("left", money(money_in - money_out)),
            ("rejected in the file", rejected.to_string()),
        ];
        if let Some(before) = self.posted_before {
            lines.push(("posted before", before.to_string()));
            lines.push(("posted now", self.posted.to_string()));
            lines.push(("refused by the books", self.refused.to_string()));
            lines.push(("days closed now", self.days_closed.to_string()));
        }
        lines.extend(self.days_closed_in_all.map(|days| ("days closed in all", days.to_string())));
        lines.extend(self.open_day.clone().map(|day| ("open day", day)));
        if self.posted > 0 && self.seconds > 0.0 {
            let rate = f64::from(u32::try_from(self.posted).unwrap_or(u32::MAX)) / self.seconds;
            lines.push(("took", format!("{:.1} s, {rate:.0} rows a second", self.seconds)));
        }
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text: String = lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect();
        for row in &self.first_rejected {
            text.push_str(&format!("rejected {row}\n"));
        }
        text.push_str(match self.state {
            "dry_run" => "dry run: nothing was changed\n",
            "nothing_to_do" => "this import was finished before: nothing was changed\n",
            "stopped" => "stopped as asked: run the same command again to go on\n",
            _ => "finished\n",
        });
        text
    }
}

/// A sum as a decimal of the major unit.
fn amount(sum: i128, code: &str) -> String {
    match (Minor::try_from(sum), Currency::parse(code)) {
        (Ok(sum), Ok(currency)) => format!("{} {code}", decimal(sum, currency)),
        (_, _) => format!("{sum} minor units of {code}"),
    }
}

/// Writes the rejected rows as CSV, by line. An empty list makes no file, but empties one that an earlier run left.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn write_rejected(path: &Path, rejected: &[Rejected]) -> Result<()> {
    if rejected.is_empty() && !path.exists() {
        return Ok(());
    }
    let mut sorted: Vec<&Rejected> = rejected.iter().collect();
    sorted.sort_by_key(|row| row.line);
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(["line", "reason"])?;
        for row in sorted {
            writer.write_record([row.line.to_string().as_str(), &row.reason])?;
        }
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("writing the rejected rows to {}", path.display()))
}

/// Writes which voucher and account each row became.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn write_map(path: &Path, plan: &Plan, standing: &Standing) -> Result<()> {
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record([
            "line",
            "reference",
            "date",
            "way",
            "amount_minor",
            "their_account",
            "account",
            "voucher",
        ])?;
        for ((row, external), voucher) in plan.rows.iter().zip(&plan.account_of).zip(&standing.vouchers) {
            let ours = standing.accounts.get(*external).and_then(Option::as_deref).unwrap_or_default();
            let way = match row.way {
                Way::In => "in",
                Way::Out => "out",
            };
            let (line, date, amount) = (row.line.to_string(), row.date.to_string(), row.amount.to_string());
            let voucher = if *voucher == 0 { String::new() } else { format!("vch_{voucher}") };
            let reference = row.reference.as_deref().unwrap_or_default();
            writer.write_record([&line, reference, &date, way, &amount, &row.account, ours, &voucher])?;
        }
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("writing the map of rows and vouchers to {}", path.display()))
}
