//! `lintel bank-card`: cards that sent a withdrawal back; say that one was verified again.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel bank-card list --verified false
  lintel bank-card verify bcd_2";

/// Bank cards that sent a withdrawal back.
#[derive(Debug, Subcommand)]
pub(crate) enum BankCard {
    /// One card.
    Show {
        /// Its id, such as bcd_2.
        id: String,
    },
    /// Cards, oldest first.
    List {
        /// Of this customer.
        #[arg(long, value_name = "ID")]
        customer: Option<String>,
        /// true for those that were verified again, false for those that are stopped.
        #[arg(long)]
        verified: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// It was verified: money may go there again.
    Verify {
        /// Its id.
        id: String,
    },
}

const CARD: [Field; 10] = [
    text("id"),
    text("customer"),
    text("card"),
    text("mask"),
    text("payout"),
    text("status"),
    text("stopped_at"),
    text("verified/at"),
    text("verified/by"),
    text("allowed_actions"),
];
const CARDS: [Field; 6] =
    [text("id"), text("customer"), text("mask"), text("payout"), text("status"), text("stopped_at")];

impl BankCard {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "bank-cards", id], &[]))?)),
            Self::List { customer, verified, page: wanted } => {
                let filters = [("customer", customer.as_deref()), ("verified", verified.as_deref())];
                let cards = client.get(&wanted.target(&["v1", "bank-cards"], &filters))?;
                let text = page(&CARDS, &cards, None);
                Ok(Answer::new(cards, text))
            }
            Self::Verify { id } => {
                Ok(shown(client.post(&target(&["v1", "bank-cards", id, "verify"], &[]), &json!({}))?))
            }
        }
    }
}

fn shown(card: Value) -> Answer {
    let text = record(&CARD, &card);
    Answer::new(card, text)
}
