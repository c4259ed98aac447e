//! `lintel suspense`: what lies in 2241, how old it is, and proposing where it belongs.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel suspense list --status open
  lintel suspense ageing
  lintel suspense allocate sus_3 --to acc_42 --reason \"payer found\" --as opr_3
  lintel suspense allocate sus_4 --to acc_9 --rail epcc --session 2026-03-05 --reason \"of that session\" \\
      --as opr_3";

/// What lies in 2241.
#[derive(Debug, Subcommand)]
pub(crate) enum Suspense {
    /// One item.
    Show {
        /// Its id, such as sus_3.
        id: String,
    },
    /// Items, oldest first.
    List {
        /// open or allocated.
        #[arg(long)]
        status: Option<String>,
        /// Of this currency.
        #[arg(long)]
        currency: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// What is open, by currency and age.
    Ageing,
    /// Propose where an item belongs.
    Allocate {
        /// Its id.
        id: String,
        /// Whose money it is: an account, 2243's to give it back, 1131's if a bank paid what it owes, or 1101's of a session's.
        #[arg(long, value_name = "ID")]
        to: String,
        /// Minor units; all that is left unless said, or what the session awaits.
        #[arg(long)]
        amount: Option<i64>,
        /// It is what a clearing session of this rail awaits: epcc, unionpay, fund or pingan.
        #[arg(long, requires = "session")]
        rail: Option<String>,
        /// The session's clearing date.
        #[arg(long, value_name = "DATE", requires = "rail")]
        session: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const ITEM: [Field; 11] = [
    text("id"),
    money("amount"),
    money("rest"),
    text("source"),
    text("voucher"),
    text("date"),
    text("opened_at"),
    text("status"),
    text("age"),
    text("allocations"),
    text("allowed_actions"),
];
const ITEMS: [Field; 7] =
    [text("id"), money("amount"), money("rest"), text("source"), text("date"), text("status"), text("age")];
const AGES: [Field; 4] = [text("currency"), text("age"), number("count"), money("rest")];

impl Suspense {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => {
                let item = client.get(&target(&["v1", "suspense", id], &[]))?;
                let text = record(&ITEM, &item);
                Ok(Answer::new(item, text))
            }
            Self::List { status, currency, page: wanted } => {
                let filters = [("status", status.as_deref()), ("currency", currency.as_deref())];
                let items = client.get(&wanted.target(&["v1", "suspense"], &filters))?;
                let text = page(&ITEMS, &items, None);
                Ok(Answer::new(items, text))
            }
            Self::Ageing => {
                let ages = client.get(&target(&["v1", "suspense", "ageing"], &[]))?;
                let text = table(&AGES, ages.get("data").unwrap_or(&Value::Null), None);
                Ok(Answer::new(ages, text))
            }
            Self::Allocate { id, to, amount, rail, session, reason } => {
                let clearing = rail.as_ref().map(|rail| json!({"rail": rail, "date": session}));
                let body = json!({"kind": "suspense_allocation", "item": id, "to": to, "amount": amount,
                    "clearing": clearing});
                propose(client, &body, reason, None)
            }
        }
    }
}
