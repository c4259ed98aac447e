//! `lintel order`: orders, their legs, and who has what of the money; create one, pay it, close it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::{json_file, pair};
use super::remote::{Answer, Page};
use super::seal::{Sealer, read};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel order show ord_7
  lintel order list --status paying --merchant mch_3
  lintel order create --merchant mch_3 --number R1 --payer usr_7 --item rent:300000 --item deposit:320000
  lintel order pay ord_7 instruments.json --wait 10
  lintel order close ord_7
  lintel order cashier ord_7 --seconds 600      a token with which its payer pays it

instruments.json: [{\"type\": \"card\", \"rail\": \"epcc\", \"agreement\": \"A1\", \"mask\": \"622202******2230\", \"amount\": 620000}];
every kind of instrument: docs/orders.md";

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
    /// Create an order.
    Create {
        /// Who sells, such as mch_3.
        #[arg(long, value_name = "ID")]
        merchant: String,
        /// The merchant's own number for it, never used before.
        #[arg(long, value_name = "TEXT")]
        number: String,
        /// The user who pays, such as usr_7.
        #[arg(long, value_name = "ID")]
        payer: String,
        /// A line: rent, deposit, service_fee, commission, earnest_money or house_price with its amount; may be given several times.
        #[arg(long = "item", value_name = "KIND:FEN", required = true)]
        items: Vec<String>,
        /// Its currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
        /// An agreement account in place of the merchant's own.
        #[arg(long, value_name = "ID")]
        destination: Option<String>,
        /// Until when it can be paid, as 2026-03-05T09:30:00+08:00; for ever unless said.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Pay an order: one try.
    Pay {
        /// Its id.
        id: String,
        /// What pays, as JSON, a list of instruments; - for standard input.
        instruments: PathBuf,
        /// The file that holds the payer's pay password, which is encrypted before it is sent.
        #[arg(long, value_name = "FILE")]
        pay_password: Option<PathBuf>,
        /// How many seconds to wait for the try's end, at most 30.
        #[arg(long, value_name = "SECONDS")]
        wait: Option<u32>,
    },
    /// Close an order that nobody will pay.
    Close {
        /// Its id.
        id: String,
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
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "orders", id], &[]))?)),
            Self::Create { merchant, number, payer, items, currency, destination, expires_at } => {
                let item = |text: &String| {
                    let (kind, amount) = pair(text)?;
                    Ok(json!({"kind": kind, "amount": amount}))
                };
                let items = items.iter().map(item).collect::<Result<Vec<Value>>>()?;
                let body = json!({"merchant": merchant, "out_trade_no": number, "payer": payer, "items": items,
                    "currency": currency, "destination": destination, "expires_at": expires_at});
                Ok(shown(client.post("/v1/orders", &body)?))
            }
            Self::Pay { id, instruments, pay_password, wait } => {
                let wait = wait.map(|seconds| seconds.to_string());
                let target = target(&["v1", "orders", id, "pay"], &[("wait", wait.as_deref())]);
                let mut body = json!({"instruments": json_file(instruments)?});
                let Some(file) = pay_password else { return Ok(shown(client.post(&target, &body)?)) };
                let (password, sealer) = (read(file)?, Sealer::of(client)?);
                body["pay_password"] = sealer.seal(password.expose())?;
                Ok(shown(client.post_sealed(&target, &body, sealer.serial())?))
            }
            Self::Close { id } => Ok(shown(client.post(&target(&["v1", "orders", id, "close"], &[]), &json!({}))?)),
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

fn shown(order: Value) -> Answer {
    let currency = order["currency"].as_str();
    let (legs, shares) = (table(&LEGS, &order["legs"], currency), table(&SHARES, &order["shares"], currency));
    let text = format!("{}\nLegs:\n{legs}\nShares:\n{shares}", record(&ORDER, &order));
    Answer::new(order, text)
}
