//! `lintel settlement`: what is due to merchants (T+1), and settling it.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::many;
use super::remote::{Answer, Page};
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel settlement due --date 2026-03-06
  lintel settlement settle mch_3 --date 2026-03-06
  lintel settlement list --merchant mch_3 --from 2026-03-01";

/// Settlements.
#[derive(Debug, Subcommand)]
pub(crate) enum Settlement {
    /// What is due to whom.
    Due {
        /// Due by this date; today unless said.
        #[arg(long)]
        date: Option<String>,
    },
    /// Settle a merchant: what is due moves from 2202 to 2203.
    Settle {
        /// The merchant's id, such as mch_3.
        merchant: String,
        /// What is due by this date; not one to come.
        #[arg(long)]
        date: String,
    },
    /// One settlement with its orders.
    Show {
        /// Its id, such as stl_5.
        id: String,
    },
    /// Settlements, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Made for this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Made for this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const DUE: [Field; 3] = [text("merchant"), money("amount"), number("orders")];
const SETTLEMENT: [Field; 9] = [
    text("id"),
    text("merchant"),
    text("date"),
    money("amount"),
    number("orders"),
    text("from"),
    text("to"),
    text("voucher"),
    text("created_at"),
];
const SETTLEMENTS: [Field; 6] =
    [text("id"), text("merchant"), text("date"), money("amount"), number("orders"), text("created_at")];
const SHARES: [Field; 2] = [text("order"), money("amount")];

impl Settlement {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Due { date } => {
                let due = client.get(&target(&["v1", "settlements", "due"], &[("date", date.as_deref())]))?;
                let text = format!("{}\n{}", record(&[text("date")], &due), table(&DUE, &due["data"], None));
                Ok(Answer::new(due, text))
            }
            Self::Settle { merchant, date } => {
                Ok(shown(client.post("/v1/settlements", &json!({ "merchant": merchant, "date": date }))?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "settlements", id], &[]))?)),
            Self::List { merchant, from, to, page } => {
                let filters = [("merchant", merchant.as_deref()), ("from", from.as_deref()), ("to", to.as_deref())];
                many(client, &SETTLEMENTS, &page.target(&["v1", "settlements"], &filters))
            }
        }
    }
}

fn shown(settlement: Value) -> Answer {
    let shares = table(&SHARES, &settlement["shares"], settlement["currency"].as_str());
    let text = format!("{}\n{shares}", record(&SETTLEMENT, &settlement));
    Answer::new(settlement, text)
}
