//! `lintel receiver`: who may receive from splits of a merchant's orders.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel receiver register mch_3 mch_4 --relation agent --max-share 300000     at most 30 % of an order
  lintel receiver list --payee mch_3 --removed false
  lintel receiver remove rcv_1                          what was split stays and is returned by refunds

Relations: agent store headquarters partner service_provider landlord supplier other";

/// Receivers of splits.
#[derive(Debug, Subcommand)]
pub(crate) enum Receiver {
    /// Register one, or say anew what it is and may have.
    Register {
        /// Whose orders are split, such as mch_3.
        payee: String,
        /// Who may receive, such as mch_4.
        receiver: String,
        /// What it is to the payee.
        #[arg(long)]
        relation: String,
        /// The most of one order's amount, in millionths; all of it unless said.
        #[arg(long, value_name = "MILLIONTHS")]
        max_share: Option<i64>,
    },
    /// One receiver.
    Show {
        /// Its id, such as rcv_1.
        id: String,
    },
    /// Receivers, oldest first.
    List {
        /// Of this merchant's orders.
        #[arg(long, value_name = "ID")]
        payee: Option<String>,
        /// This one.
        #[arg(long, value_name = "ID")]
        receiver: Option<String>,
        /// true for those that were removed, false for the others.
        #[arg(long)]
        removed: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Remove one: no new split pays it.
    Remove {
        /// Its id.
        id: String,
    },
}

const RECEIVER: [Field; 10] = [
    text("id"),
    text("payee"),
    text("receiver"),
    text("relation"),
    number("max_share"),
    text("status"),
    text("registered_at"),
    text("registered_by"),
    text("removed_at"),
    text("removed_by"),
];
const RECEIVERS: [Field; 6] =
    [text("id"), text("payee"), text("receiver"), text("relation"), number("max_share"), text("status")];

impl Receiver {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Register { payee, receiver, relation, max_share } => {
                let body = json!({"receiver": receiver, "relation": relation, "max_share": max_share});
                Ok(shown(client.post(&target(&["v1", "merchants", payee, "receivers"], &[]), &body)?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "receivers", id], &[]))?)),
            Self::List { payee, receiver, removed, page: wanted } => {
                let filters =
                    [("payee", payee.as_deref()), ("receiver", receiver.as_deref()), ("removed", removed.as_deref())];
                let all = client.get(&wanted.target(&["v1", "receivers"], &filters))?;
                let text = page(&RECEIVERS, &all, None);
                Ok(Answer::new(all, text))
            }
            Self::Remove { id } => {
                Ok(shown(client.post(&target(&["v1", "receivers", id, "remove"], &[]), &json!({}))?))
            }
        }
    }
}

fn shown(receiver: Value) -> Answer {
    let text = record(&RECEIVER, &receiver);
    Answer::new(receiver, text)
}
