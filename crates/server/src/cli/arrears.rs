//! `lintel arrears`: what merchants owe since own money paid a chargeback or a refund for them (欠款).

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::{Client, target};
use super::object::{many, one};
use super::remote::{Answer, Page};
use super::table::{Field, money, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel arrears list --status open
  lintel arrears collect mch_4 --as opr_5      from what the merchant has available, the oldest first

A refund whose merchant lacks some of it is made by two people: lintel approval propose FILE, kind cover_refund.";

/// Arrears.
#[derive(Debug, Subcommand)]
pub(crate) enum Arrears {
    /// Take what a merchant owes from what it has available.
    Collect {
        /// The merchant, such as mch_4.
        merchant: String,
    },
    /// One arrears.
    Show {
        /// Its id, such as arr_3.
        id: String,
    },
    /// Arrears, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// open or settled.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const ARREARS: [Field; 11] = [
    text("id"),
    text("merchant"),
    text("source"),
    money("amount"),
    money("collected"),
    money("undone"),
    money("left"),
    text("status"),
    text("opened_at"),
    text("settled_at"),
    text("allowed_actions"),
];
const ALL: [Field; 7] =
    [text("id"), text("merchant"), text("source"), money("amount"), money("left"), text("status"), text("opened_at")];

impl Arrears {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Collect { merchant } => {
                let target = target(&["v1", "merchants", merchant, "arrears", "collect"], &[]);
                let collected = client.post(&target, &json!({}))?;
                let reduced = table(&ALL, &collected["arrears"], None);
                let text = format!("{}\nArrears:\n{reduced}", record(&[money("collected")], &collected));
                Ok(Answer::new(collected, text))
            }
            Self::Show { id } => one(client, &ARREARS, &["v1", "arrears", id]),
            Self::List { merchant, status, page } => {
                let filters = [("merchant", merchant.as_deref()), ("status", status.as_deref())];
                many(client, &ALL, &page.target(&["v1", "arrears"], &filters))
            }
        }
    }
}
