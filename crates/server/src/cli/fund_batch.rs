//! `lintel fund-batch`: monthly batches of a provident-fund centre; close one, ask about it, bring its result by hand.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel fund-batch close --period 2026-03
  lintel fund-batch list --open true
  lintel fund-batch fetch fbt_1
  lintel fund-batch take fbt_1 result.txt
  lintel fund-batch quota --contract L2026-118 --period 2026-03";

/// Monthly batches of a provident fund.
#[derive(Debug, Subcommand)]
pub(crate) enum FundBatch {
    /// Close the batch of a month: what waits for it is handed in.
    Close {
        /// The month, as 2026-03.
        #[arg(long)]
        period: String,
    },
    /// One batch with its rows.
    Show {
        /// Its id, such as fbt_1.
        id: String,
    },
    /// Batches, oldest first.
    List {
        /// Of this month.
        #[arg(long)]
        period: Option<String>,
        /// true for those whose centre has rows to answer still.
        #[arg(long)]
        open: Option<bool>,
        #[command(flatten)]
        page: Page,
    },
    /// Ask the centre now: hand the batch in, or take its result.
    Fetch {
        /// Its id.
        id: String,
    },
    /// Take a result file that the centre sent another way.
    Take {
        /// Its id.
        id: String,
        /// The file, as the centre signed it.
        file: PathBuf,
    },
    /// Ask the centre what a lease may draw.
    Quota {
        /// The lease's number at the centre.
        #[arg(long)]
        contract: String,
        /// The month of the rent, as 2026-03.
        #[arg(long)]
        period: String,
    },
}

const BATCH: [Field; 14] = [
    text("id"),
    text("number"),
    text("city"),
    text("period"),
    text("date"),
    text("status"),
    text("came"),
    number("rows"),
    money("applied"),
    money("paid"),
    number("unanswered"),
    number("files"),
    text("closed_at"),
    text("closed_by"),
];
const BATCHES: [Field; 8] = [
    text("id"),
    text("number"),
    text("period"),
    text("status"),
    number("rows"),
    money("applied"),
    money("paid"),
    number("unanswered"),
];
const ROWS: [Field; 7] = [
    text("attempt"),
    text("contract"),
    money("applied"),
    money("paid"),
    text("code"),
    text("failure"),
    text("reference"),
];

const QUOTA: [Field; 11] = [
    text("contract"),
    text("period"),
    money("at_most"),
    text("bound"),
    text("refusal"),
    money("cap"),
    money("rent"),
    money("contribution"),
    money("remaining"),
    number("months"),
    text("draws"),
];

impl FundBatch {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let of = |id: &str, what: &str| target(&["v1", "fund-batches", id, what], &[]);
        match self {
            Self::Close { period } => Ok(shown(client.post("/v1/fund-batches", &json!({ "period": period }))?)),
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "fund-batches", id], &[]))?)),
            Self::List { period, open, page: wanted } => {
                let open = open.map(|open| open.to_string());
                let filters = [("period", period.as_deref()), ("open", open.as_deref())];
                let batches = client.get(&wanted.target(&["v1", "fund-batches"], &filters))?;
                let text = page(&BATCHES, &batches, None);
                Ok(Answer::new(batches, text))
            }
            Self::Fetch { id } => Ok(shown(client.post(&of(id, "fetch"), &json!({}))?)),
            Self::Take { id, file } => {
                let read = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                Ok(shown(client.post(&of(id, "result"), &json!({ "file": read }))?))
            }
            Self::Quota { contract, period } => {
                let asked = [("contract", Some(contract.as_str())), ("period", Some(period.as_str()))];
                let quota = client.get(&target(&["v1", "fund-quota"], &asked))?;
                let text = record(&QUOTA, &quota);
                Ok(Answer::new(quota, text))
            }
        }
    }
}

fn shown(batch: Value) -> Answer {
    let rows = table(&ROWS, &batch["data"], None);
    let text = format!("{}\nRows:\n{rows}", record(&BATCH, &batch));
    Answer::new(batch, text)
}
