//! `lintel clearing`: clearing files (清算文件), fetched from the channel by hand.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::Client;
use super::remote::Answer;
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Example:
  lintel clearing fetch --rail epcc --date 2026-03-05";

/// Clearing files.
#[derive(Debug, Subcommand)]
pub(crate) enum Clearing {
    /// Fetch a file from its channel and match it; may be asked for again at any time.
    Fetch {
        /// epcc, unionpay, fund or pingan.
        #[arg(long)]
        rail: String,
        /// The network's clearing date.
        #[arg(long)]
        date: String,
    },
}

const FILE: [Field; 12] = [
    text("rail"),
    text("date"),
    number("parts"),
    number("repeated_parts"),
    number("lines"),
    number("matched"),
    number("different"),
    money("debited"),
    money("refunded"),
    money("paid"),
    money("returned"),
    money("net"),
];
const DIFFERENCES: [Field; 3] = [text("kind"), text("serial"), money("amount")];

impl Clearing {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Fetch { rail, date } => {
                let file = client.post("/v1/clearing/fetch", &json!({ "rail": rail, "date": date }))?;
                let differences = table(&DIFFERENCES, &file["differences"], None);
                let text = format!("{}\nDifferences:\n{differences}", record(&FILE, &file));
                Ok(Answer::new(file, text))
            }
        }
    }
}
