//! `lintel attempt`: what was asked of channels, above all what still waits for a certain answer.

use anyhow::Result;
use clap::Subcommand;

use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel attempt list --limit 20
  lintel attempt show att_7";

/// Attempts at channels.
#[derive(Debug, Subcommand)]
pub(crate) enum Attempt {
    /// The attempts without a certain answer, oldest first.
    List {
        /// How many to show: 1 to 500, 50 unless said.
        #[arg(long)]
        limit: Option<u32>,
    },
    /// One attempt.
    Show {
        /// Its id, such as att_7.
        id: String,
    },
}

const ATTEMPT: [Field; 13] = [
    text("id"),
    text("serial"),
    text("rail"),
    text("operation"),
    money("amount"),
    text("purpose"),
    text("status"),
    text("failure/class"),
    text("failure/code"),
    text("reference"),
    text("clearing_date"),
    text("cleared"),
    text("requested_at"),
];
const OUTBOX: [Field; 3] = [number("outbox"), number("requested"), number("unknown")];
const ATTEMPTS: [Field; 8] = [
    text("id"),
    text("serial"),
    text("rail"),
    text("operation"),
    money("amount"),
    text("purpose"),
    text("status"),
    text("requested_at"),
];

impl Attempt {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List { limit } => {
                let limit = limit.map(|limit| limit.to_string());
                let outbox = client.get(&target(&["v1", "attempts"], &[("limit", limit.as_deref())]))?;
                let text = format!("{}\n{}", record(&OUTBOX, &outbox), table(&ATTEMPTS, &outbox["data"], None));
                Ok(Answer::new(outbox, text))
            }
            Self::Show { id } => {
                let attempt = client.get(&target(&["v1", "attempts", id], &[]))?;
                let text = record(&ATTEMPT, &attempt);
                Ok(Answer::new(attempt, text))
            }
        }
    }
}
