//! `lintel clearing`: clearing files (清算文件), fetched from the channel by hand; their parts and differences.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::many;
use super::remote::{Answer, Page};
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel clearing fetch --rail epcc --date 2026-03-05
  lintel clearing fetch --rail unionpay_acme --date 2026-03-05     of a further channel of the rail
  lintel clearing list --rail epcc --date 2026-03-05
  lintel clearing show clr_1                    with its differences";

/// Clearing files.
#[derive(Debug, Subcommand)]
pub(crate) enum Clearing {
    /// Fetch a file from its channel and match it; may be asked for again at any time.
    Fetch {
        /// epcc, unionpay, fund or pingan; of a further channel of one its name, such as unionpay_acme.
        #[arg(long)]
        rail: String,
        /// The network's clearing date.
        #[arg(long)]
        date: String,
    },
    /// One part of a file as it was taken, with its differences.
    Show {
        /// Its id, such as clr_1.
        id: String,
    },
    /// Parts of files, oldest first.
    List {
        /// epcc, unionpay, fund or pingan.
        #[arg(long)]
        rail: Option<String>,
        /// Of this clearing date.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const FILE: [Field; 12] = [
    text("channel"),
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
const PART: [Field; 15] = [
    text("id"),
    text("channel"),
    text("date"),
    number("part"),
    text("last"),
    number("lines"),
    number("matched"),
    number("different"),
    money("debited"),
    money("refunded"),
    money("paid"),
    money("returned"),
    money("net"),
    text("voucher"),
    text("taken_at"),
];
const PARTS: [Field; 9] = [
    text("id"),
    text("channel"),
    text("date"),
    number("part"),
    text("last"),
    number("lines"),
    number("matched"),
    number("different"),
    money("net"),
];
const DIFFERENCES: [Field; 3] = [text("kind"), text("serial"), money("amount")];

impl Clearing {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Fetch { rail, date } => {
                let file = client.post("/v1/clearing/fetch", &json!({ "rail": rail, "date": date }))?;
                Ok(with_differences(&FILE, file))
            }
            Self::Show { id } => Ok(with_differences(&PART, client.get(&target(&["v1", "clearing", id], &[]))?)),
            Self::List { rail, date, page } => {
                let filters = [("rail", rail.as_deref()), ("date", date.as_deref())];
                many(client, &PARTS, &page.target(&["v1", "clearing"], &filters))
            }
        }
    }
}

fn with_differences(fields: &[Field], file: Value) -> Answer {
    let differences = table(&DIFFERENCES, &file["differences"], None);
    let text = format!("{}\nDifferences:\n{differences}", record(fields, &file));
    Answer::new(file, text)
}
