//! The plan: a file's rows by date, as numbered postings of one stream. It is a function of file and format alone, so that
//! whoever makes it again knows what a number stands for.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use domain::calendar::Date;
use serde::Serialize;

use super::file::{Contents, Rejected, Row, Way};

/// The most vouchers of a posting. Postings are numbered by it: another figure is another numbering.
pub(crate) const POSTING_ROWS: usize = 5_000;

/// What is to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many rows the file has.
    pub(crate) read: u64,
    /// The rows, by date and within a date in the file's order.
    pub(crate) rows: Vec<Row>,
    /// Which account of [`Self::accounts`] each row is about.
    pub(crate) account_of: Vec<usize>,
    /// The other system's accounts, in the order in which the rows name them first.
    pub(crate) accounts: Vec<Arc<str>>,
    /// The rows of each posting: the first has the number 1.
    pub(crate) postings: Vec<Range<usize>>,
    /// Rows that are not posted.
    pub(crate) rejected: Vec<Rejected>,
}

impl Plan {
    /// Plans what a file holds.
    pub(crate) fn of(contents: Contents) -> Self {
        Self::with_postings_of(contents, POSTING_ROWS)
    }

    fn with_postings_of(contents: Contents, most: usize) -> Self {
        let Contents { read, mut rows, rejected } = contents;
        // Stable: rows of a date stay as the file has them.
        rows.sort_by_key(|row| row.date);
        let (mut accounts, mut known, mut account_of) = (Vec::new(), HashMap::new(), Vec::with_capacity(rows.len()));
        for row in &rows {
            account_of.push(*known.entry(row.account.clone()).or_insert_with(|| {
                accounts.push(row.account.clone());
                accounts.len() - 1
            }));
        }
        let mut postings = Vec::new();
        let mut start = 0;
        for day in rows.chunk_by(|a, b| a.date == b.date) {
            for rows in day.chunks(most) {
                postings.push(start..start + rows.len());
                start += rows.len();
            }
        }
        Self { read, rows, account_of, accounts, postings, rejected }
    }

    /// The date of a posting.
    pub(crate) fn date_of(&self, posting: &Range<usize>) -> Option<Date> {
        self.rows.get(posting.start).map(|row| row.date)
    }

    /// The last date with rows.
    pub(crate) fn last_date(&self) -> Option<Date> {
        self.rows.last().map(|row| row.date)
    }

    /// What it comes to.
    pub(crate) fn totals(&self) -> Totals {
        let sum = |way: Way| -> i128 {
            self.rows.iter().filter(|row| row.way == way).map(|row| i128::from(row.amount)).sum()
        };
        let (first, last) = (self.rows.first().map(|row| row.date), self.last_date());
        Totals {
            read: self.read,
            rows: self.rows.len(),
            accounts: self.accounts.len(),
            postings: self.postings.len(),
            first_date: first.map(|date| date.to_string()),
            last_date: last.map(|date| date.to_string()),
            days_with_rows: self.rows.chunk_by(|a, b| a.date == b.date).count(),
            money_in: sum(Way::In),
            money_out: sum(Way::Out),
            rejected: self.rejected.len(),
        }
    }
}

/// What a plan comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Rows in the file.
    pub(crate) read: u64,
    /// Rows to post.
    pub(crate) rows: usize,
    /// Accounts they name.
    pub(crate) accounts: usize,
    /// Postings.
    pub(crate) postings: usize,
    /// The first date with rows.
    pub(crate) first_date: Option<String>,
    /// The last date with rows.
    pub(crate) last_date: Option<String>,
    /// How many dates have rows.
    pub(crate) days_with_rows: usize,
    /// What came in, in minor units.
    #[serde(rename = "in")]
    pub(crate) money_in: i128,
    /// What went out, in minor units.
    #[serde(rename = "out")]
    pub(crate) money_out: i128,
    /// Rows rejected before anything was sent.
    pub(crate) rejected: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::money::Minor;

    fn row(line: u64, day: i32, account: &str, way: Way, amount: Minor) -> Row {
        let date = Date::new(2026, 3, 5).unwrap().plus_days(day);
        Row {
            line,
            date,
            account: account.into(),
            way,
            amount,
            reference: None,
            product: None,
            channel: None,
            region: None,
        }
    }

    fn plan(most: usize) -> Plan {
        let rows = vec![
            row(2, 1, "b", Way::In, 10),
            row(3, 0, "a", Way::In, 20),
            row(4, 1, "a", Way::Out, 5),
            row(5, 1, "c", Way::In, 1),
            row(6, 0, "b", Way::In, 2),
        ];
        Plan::with_postings_of(Contents { read: 5, rows, rejected: Vec::new() }, most)
    }

    #[test]
    fn rows_go_by_date_and_stay_in_the_files_order_within_it() {
        let plan = plan(100);
        assert_eq!(plan.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [3, 6, 2, 4, 5]);
        assert_eq!(plan.accounts.iter().map(|account| &**account).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(plan.account_of, [0, 1, 1, 0, 2]);
        assert_eq!(plan.postings, [0..2, 2..5]);
    }

    #[test]
    fn a_posting_has_one_date_and_at_most_so_many_rows() {
        let plan = plan(2);
        assert_eq!(plan.postings, [0..2, 2..4, 4..5]);
        let dates: Vec<_> = plan.postings.iter().map(|posting| plan.date_of(posting).unwrap().to_string()).collect();
        assert_eq!(dates, ["2026-03-05", "2026-03-06", "2026-03-06"]);
    }

    #[test]
    fn totals_are_of_what_will_be_posted() {
        let totals = plan(2).totals();
        assert_eq!((totals.read, totals.rows, totals.accounts, totals.postings), (5, 5, 3, 3));
        assert_eq!((totals.money_in, totals.money_out, totals.days_with_rows), (33, 5, 2));
    }

    #[test]
    fn nothing_is_planned_of_an_empty_file() {
        let plan = Plan::of(Contents::default());
        assert!(plan.postings.is_empty() && plan.last_date().is_none());
    }
}
