//! `lintel reserve-line`: the statement of the reserve account (备付金), line by line, and its closing balances.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::{Client, target};
use super::object::{made, many, one};
use super::remote::{Answer, Page};
use super::table::{Field, money, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel reserve-line take --reference L-14 --date 2026-03-06 --direction in --amount 500000 --rail epcc \\
      --session 2026-03-05
  lintel reserve-line take --reference L-15 --date 2026-03-06 --direction out --amount 1200 --transfer otr_3
  lintel reserve-line list --date 2026-03-06 --suspended true
  lintel reserve-line awaited
  lintel reserve-line balance 2026-03-06 --amount 123456789

A session's line brings its net to 1101, which has nothing of it before. What takes out more than 1101 has is refused: take
lines in before lines out. Money in that nothing awaits goes to suspense; money out that nothing awaits is refused. What a
session awaits with open differences of its file is refused: settle them first (lintel clearing settle), or say --suspense if
it is other money.";

/// Lines of the reserve account's statement.
#[derive(Debug, Subcommand)]
pub(crate) enum ReserveLine {
    /// Take a line: what awaits it books it.
    Take {
        /// The statement's reference, each taken once.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// Its day.
        #[arg(long)]
        date: String,
        /// in or out.
        #[arg(long)]
        direction: String,
        /// How much.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// Its currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
        /// It is of this transfer of own money, such as otr_3.
        #[arg(long, value_name = "ID", conflicts_with = "rail")]
        transfer: Option<String>,
        /// It is the net of a clearing session of this rail: epcc, unionpay, fund or pingan.
        #[arg(long, requires = "session")]
        rail: Option<String>,
        /// The session's clearing date.
        #[arg(long, value_name = "DATE", requires = "rail")]
        session: Option<String>,
        /// It is for none of what awaits lines: money that came and goes to suspense.
        #[arg(long, conflicts_with_all = ["transfer", "rail"])]
        suspense: bool,
    },
    /// One line.
    Show {
        /// Its id, such as rln_3.
        id: String,
    },
    /// Lines, oldest first.
    List {
        /// Of exactly this reference.
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
        /// Of this day.
        #[arg(long)]
        date: Option<String>,
        /// in or out.
        #[arg(long)]
        direction: Option<String>,
        /// true for those that nothing awaited, false for the others.
        #[arg(long)]
        suspended: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// What awaits a line, oldest first: clearing sessions, and open transfers of own money.
    Awaited,
    /// Take a day's closing balance: the day's check compares 1101 with it.
    Balance {
        /// An accounting day that is not closed.
        date: String,
        /// The balance.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// Its currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
    },
    /// Closing balances that were taken.
    Balances {
        /// Of this day.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const LINE: [Field; 12] = [
    text("id"),
    text("reference"),
    text("date"),
    text("direction"),
    money("amount"),
    text("transfer"),
    text("clearing/rail"),
    text("clearing/date"),
    text("suspended"),
    text("voucher"),
    text("taken_at"),
    text("taken_by"),
];
const LINES: [Field; 8] = [
    text("id"),
    text("reference"),
    text("date"),
    text("direction"),
    money("amount"),
    text("transfer"),
    text("clearing/rail"),
    text("suspended"),
];
const AWAITED: [Field; 7] = [
    text("since"),
    text("clearing/rail"),
    text("clearing/date"),
    text("transfer"),
    text("direction"),
    money("amount"),
    text("differences"),
];
const BALANCE: [Field; 5] = [text("id"), text("date"), money("balance"), text("taken_at"), text("taken_by")];

impl ReserveLine {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Take { reference, date, direction, amount, currency, transfer, rail, session, suspense } => {
                let clearing = rail.as_ref().map(|rail| json!({"rail": rail, "date": session}));
                let body = json!({"reference": reference, "date": date, "direction": direction, "amount": amount,
                    "currency": currency, "transfer": transfer, "clearing": clearing, "suspense": suspense});
                made(client, &LINE, &["v1", "reserve-lines"], &body)
            }
            Self::Show { id } => one(client, &LINE, &["v1", "reserve-lines", id]),
            Self::List { reference, date, direction, suspended, page } => {
                let filters = [
                    ("reference", reference.as_deref()),
                    ("date", date.as_deref()),
                    ("direction", direction.as_deref()),
                    ("suspended", suspended.as_deref()),
                ];
                many(client, &LINES, &page.target(&["v1", "reserve-lines"], &filters))
            }
            Self::Awaited => many(client, &AWAITED, &target(&["v1", "reserve-lines", "awaited"], &[])),
            Self::Balance { date, amount, currency } => {
                let body = json!({"date": date, "balance": amount, "currency": currency});
                made(client, &BALANCE, &["v1", "reserve-balances"], &body)
            }
            Self::Balances { date, page } => {
                many(client, &BALANCE, &page.target(&["v1", "reserve-balances"], &[("date", date.as_deref())]))
            }
        }
    }
}
