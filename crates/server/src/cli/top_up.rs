//! `lintel top-up`: money from a bank account, under a signed agreement or by the channel's page, to a payment account (充值).

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
  lintel top-up create acc_42 --page --rail unionpay --return-url https://shop.example/wallet --amount 70000
  lintel top-up page tup_5 --json      the form that takes the payer to the channel's page
  lintel top-up close tup_5
  lintel top-up show tup_5
  lintel top-up list --account acc_42 --status unknown";

/// Top-ups.
#[derive(Debug, Subcommand)]
pub(crate) enum TopUp {
    /// Ask for money, by an agreement or by the channel's page; it is there when the channel says so.
    Create {
        /// The payment account that is credited, such as acc_42.
        account: String,
        /// The agreement's number at the network; never a card number.
        #[arg(long, value_name = "TEXT", requires = "mask", required_unless_present = "page")]
        agreement: Option<String>,
        /// The card as it may be shown: 6 + 4.
        #[arg(long, value_name = "TEXT", requires = "agreement")]
        mask: Option<String>,
        /// The payer pays at the channel's page.
        #[arg(long, conflicts_with_all = ["agreement", "mask"])]
        page: bool,
        /// epcc or unionpay; epcc for an agreement, what the rules of routing choose for a page.
        #[arg(long, value_name = "NAME")]
        rail: Option<String>,
        /// Where the payer's browser goes from the page; the channel's setting unless said.
        #[arg(long, value_name = "URL", requires = "page")]
        return_url: Option<String>,
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
    /// The form that takes the payer to the channel's page. From the first time on it may have been paid.
    Page {
        /// Its id.
        id: String,
    },
    /// Give up one that nobody will pay at its page.
    Close {
        /// Its id.
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

const TOP_UP: [Field; 18] = [
    text("id"),
    text("account"),
    text("agreement"),
    text("mask"),
    text("rail"),
    money("amount"),
    text("status"),
    text("closing"),
    text("attempt"),
    text("voucher"),
    text("suspended"),
    text("failure/code"),
    text("back/status"),
    text("reference"),
    text("front_page"),
    text("page_expires_at"),
    text("created_at"),
    text("ended_at"),
];
const TOP_UPS: [Field; 6] =
    [text("id"), text("account"), money("amount"), text("status"), text("attempt"), text("created_at")];
const PAGE: [Field; 7] = [
    text("top_up"),
    text("attempt"),
    text("serial"),
    money("amount"),
    text("method"),
    text("action"),
    text("expires_at"),
];

impl TopUp {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Create { account, agreement, mask, page, rail, return_url, amount, currency } => {
                let mut body = json!({"account": account, "amount": amount, "currency": currency});
                if *page {
                    body["redirect"] = json!({"rail": rail, "return_url": return_url});
                } else {
                    (body["agreement"], body["mask"], body["rail"]) = (json!(agreement), json!(mask), json!(rail));
                }
                made(client, &TOP_UP, &["v1", "top-ups"], &body)
            }
            Self::Show { id } => one(client, &TOP_UP, &["v1", "top-ups", id]),
            Self::Page { id } => one(client, &PAGE, &["v1", "top-ups", id, "front-page"]),
            Self::Close { id } => made(client, &TOP_UP, &["v1", "top-ups", id, "close"], &json!({})),
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
