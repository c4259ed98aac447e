//! `lintel payout`: payouts and withdrawals; cancel one that was not sent, book one that came back (退票).

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel payout list --status unknown
  lintel payout cancel pay_5
  lintel payout return pay_5 --reference RT20260306000001 --date 2026-03-06";

/// Payouts and withdrawals.
#[derive(Debug, Subcommand)]
pub(crate) enum Payout {
    /// One payout.
    Show {
        /// Its id, such as pay_5.
        id: String,
    },
    /// Payouts, oldest first.
    List {
        /// created, held, sent, unknown, success, failed, cancelled or returned.
        #[arg(long)]
        status: Option<String>,
        /// From this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Created on this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Created on this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Cancel a payout that was not sent; its money is free again.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Book a payout that came back after success; its money returns to the account.
    Return {
        /// Its id.
        id: String,
        /// The channel's reference of the return.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// The network's clearing date of the return.
        #[arg(long, value_name = "DATE")]
        date: String,
    },
}

const PAYOUT: [Field; 20] = [
    text("id"),
    text("kind"),
    text("account"),
    text("to"),
    text("bank_account/account"),
    text("bank_account/holder"),
    text("card"),
    text("bank/name"),
    text("withdrawal"),
    money("amount"),
    money("fee"),
    text("status"),
    text("attempt"),
    text("failure/code"),
    text("cancelled"),
    text("reference"),
    text("return_reference"),
    text("created_at"),
    text("ended_at"),
    text("allowed_actions"),
];
const PAYOUTS: [Field; 8] = [
    text("id"),
    text("kind"),
    text("account"),
    text("to"),
    money("amount"),
    text("status"),
    text("attempt"),
    text("created_at"),
];

impl Payout {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "payouts", id], &[]))?)),
            Self::List { status, account, from, to, page: wanted } => {
                let filters = [
                    ("status", status.as_deref()),
                    ("account", account.as_deref()),
                    ("created_from", from.as_deref()),
                    ("created_to", to.as_deref()),
                ];
                let payouts = client.get(&wanted.target(&["v1", "payouts"], &filters))?;
                let text = page(&PAYOUTS, &payouts, None);
                Ok(Answer::new(payouts, text))
            }
            Self::Cancel { id } => Ok(shown(client.post(&target(&["v1", "payouts", id, "cancel"], &[]), &json!({}))?)),
            Self::Return { id, reference, date } => {
                let body = json!({ "reference": reference, "date": date });
                Ok(shown(client.post(&target(&["v1", "payouts", id, "return"], &[]), &body)?))
            }
        }
    }
}

fn shown(payout: Value) -> Answer {
    let text = record(&PAYOUT, &payout);
    Answer::new(payout, text)
}
