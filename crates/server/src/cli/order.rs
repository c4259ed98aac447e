//! `lintel order`: orders, their legs, and who has what of the money.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel order show ord_7
  lintel order list --status paying --merchant mch_3
  lintel order cashier ord_7 --seconds 600      a token with which its payer pays it";

/// Orders.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// One order with its legs and shares.
    Show {
        /// Its id, such as ord_7.
        id: String,
    },
    /// Orders, oldest first.
    List {
        /// created, paying, success, failed or closed.
        #[arg(long)]
        status: Option<String>,
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Paid by this user.
        #[arg(long, value_name = "ID")]
        payer: Option<String>,
        /// Created on this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Created on this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Open a cashier session: a token with which its payer looks at the order and pays it.
    Cashier {
        /// Its id.
        id: String,
        /// How long the token is taken, 60 to 86400; 1800 unless said.
        #[arg(long, value_name = "N")]
        seconds: Option<i64>,
    },
}

const ORDER: [Field; 18] = [
    text("id"),
    text("merchant"),
    text("out_trade_no"),
    text("payer"),
    text("status"),
    money("amount"),
    money("payable"),
    money("fee"),
    money("net"),
    money("refunded"),
    text("due"),
    text("settled"),
    text("failure"),
    text("close_reason"),
    text("created_at"),
    text("expires_at"),
    text("ended_at"),
    text("allowed_actions"),
];
const ORDERS: [Field; 8] = [
    text("id"),
    text("merchant"),
    text("out_trade_no"),
    text("status"),
    money("amount"),
    text("due"),
    text("settled"),
    text("created_at"),
];
const LEGS: [Field; 8] = [
    text("id"),
    number("try_number"),
    text("type"),
    text("rail"),
    text("status"),
    money("amount"),
    text("open_attempt"),
    text("cleared"),
];
const SESSION: [Field; 3] = [text("order"), text("expires_at"), text("token")];
const SHARES: [Field; 4] = [text("merchant"), text("account"), money("amount"), text("settled")];

impl Order {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => {
                let order = client.get(&target(&["v1", "orders", id], &[]))?;
                let currency = order["currency"].as_str();
                let (legs, shares) =
                    (table(&LEGS, &order["legs"], currency), table(&SHARES, &order["shares"], currency));
                let text = format!("{}\nLegs:\n{legs}\nShares:\n{shares}", record(&ORDER, &order));
                Ok(Answer::new(order, text))
            }
            Self::List { status, merchant, payer, from, to, page: wanted } => {
                let filters = [
                    ("status", status.as_deref()),
                    ("merchant", merchant.as_deref()),
                    ("payer", payer.as_deref()),
                    ("created_from", from.as_deref()),
                    ("created_to", to.as_deref()),
                ];
                let orders = client.get(&wanted.target(&["v1", "orders"], &filters))?;
                let text = page(&ORDERS, &orders, None);
                Ok(Answer::new(orders, text))
            }
            Self::Cashier { id, seconds } => {
                let target = target(&["v1", "orders", id, "cashier-sessions"], &[]);
                let session = client.post(&target, &json!({"expires_in_seconds": seconds}))?;
                let text = record(&SESSION, &session);
                Ok(Answer::new(session, text))
            }
        }
    }
}
