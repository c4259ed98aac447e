//! `lintel account`: one account with its balances, and its statement.

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel account show acc_42
  lintel account statement acc_42 --from 2026-03-01 --to 2026-03-31 --csv >march.csv";

/// Accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// One account with its balances.
    Show {
        /// Its id, such as acc_42.
        id: String,
    },
    /// Opening, every entry with the running balance, closing.
    Statement {
        /// The account's id.
        id: String,
        /// The first accounting date.
        #[arg(long, value_name = "DATE")]
        from: String,
        /// The last accounting date.
        #[arg(long, value_name = "DATE")]
        to: String,
        /// All entries as one CSV file.
        #[arg(long, conflicts_with_all = ["json", "limit", "cursor"])]
        csv: bool,
        #[command(flatten)]
        page: Page,
    },
}

const ACCOUNT: [Field; 17] = [
    text("id"),
    number("subject"),
    text("book"),
    text("currency"),
    text("owner"),
    text("agreement"),
    text("status"),
    text("in_barred"),
    text("out_barred"),
    money("balance"),
    money("held"),
    money("held_in"),
    money("frozen"),
    money("frozen_by_customer"),
    money("available"),
    number("entries"),
    text("allowed_actions"),
];
const STATEMENT: [Field; 6] =
    [text("account"), text("from"), text("to"), number("count"), money("opening"), money("closing")];
const LINES: [Field; 8] = [
    number("number"),
    text("date"),
    text("event"),
    text("business"),
    text("counterpart"),
    text("side"),
    money("amount"),
    money("balance"),
];

impl Account {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => {
                let account = client.get(&target(&["v1", "accounts", id], &[]))?;
                let text = record(&ACCOUNT, &account);
                Ok(Answer::new(account, text))
            }
            Self::Statement { id, from, to, csv, page } => {
                let path = ["v1", "accounts", id, "statement"];
                let target = page.target(&path, &[("from", Some(from)), ("to", Some(to))]);
                if *csv {
                    return Ok(Answer::text(client.get_csv(&target)?));
                }
                let statement = client.get(&target)?;
                let text = lines(&statement);
                Ok(Answer::new(statement, text))
            }
        }
    }
}

fn lines(statement: &Value) -> String {
    let lines = page(&LINES, statement, statement["currency"].as_str());
    format!("{}\n{lines}", record(&STATEMENT, statement))
}
