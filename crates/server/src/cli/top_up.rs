//! `lintel top-up`: money from a bank account under a signed agreement to a payment account (充值).

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::Client;
use super::object::{made, many, one};
use super::remote::{Answer, Page};
use super::table::{Field, money, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel top-up create acc_42 --agreement 2026030500000017 --mask '622202******2230' --amount 70000
  lintel top-up show tup_5
  lintel top-up list --account acc_42 --status unknown";

/// Top-ups.
#[derive(Debug, Subcommand)]
pub(crate) enum TopUp {
    /// Ask the channel for money; it is there when the channel says so.
    Create {
        /// The payment account that is credited, such as acc_42.
        account: String,
        /// The agreement's number at the network; never a card number.
        #[arg(long, value_name = "TEXT")]
        agreement: String,
        /// The card as it may be shown: 6 + 4.
        #[arg(long, value_name = "TEXT")]
        mask: String,
        /// How much.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// The account's currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
    },
    /// One top-up.
    Show {
        /// Its id, such as tup_5.
        id: String,
    },
    /// Top-ups, oldest first.
    List {
        /// To this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// created, sent, unknown, success or failed.
        #[arg(long)]
        status: Option<String>,
        /// Asked for on this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Asked for on this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const TOP_UP: [Field; 13] = [
    text("id"),
    text("account"),
    text("agreement"),
    text("mask"),
    money("amount"),
    text("status"),
    text("attempt"),
    text("voucher"),
    text("suspended"),
    text("failure/code"),
    text("reference"),
    text("created_at"),
    text("ended_at"),
];
const TOP_UPS: [Field; 6] =
    [text("id"), text("account"), money("amount"), text("status"), text("attempt"), text("created_at")];

impl TopUp {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Create { account, agreement, mask, amount, currency } => {
                let body = json!({"account": account, "agreement": agreement, "mask": mask, "amount": amount,
                    "currency": currency});
                made(client, &TOP_UP, &["v1", "top-ups"], &body)
            }
            Self::Show { id } => one(client, &TOP_UP, &["v1", "top-ups", id]),
            Self::List { account, status, from, to, page } => {
                let filters = [
                    ("account", account.as_deref()),
                    ("status", status.as_deref()),
                    ("created_from", from.as_deref()),
                    ("created_to", to.as_deref()),
                ];
                many(client, &TOP_UPS, &page.target(&["v1", "top-ups"], &filters))
            }
        }
    }
}
