//! `lintel transfer`: money from a payment account to another holder's (转账), at once and final.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::client::{Client, target};
use super::object::{made, many, one, shown};
use super::remote::{Answer, Page};
use super::seal::{Sealer, read};
use super::table::{Field, money, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel transfer make acc_42 acc_43 --amount 1200 --factors two --note 'March water'
  lintel transfer make acc_42 acc_43 --amount 1200 --factors fewer --pay-password -   six digits from standard input
  lintel transfer list --from acc_42";

/// Transfers.
#[derive(Debug, Subcommand)]
pub(crate) enum Transfer {
    /// Move money: final when it is answered.
    Make {
        /// The account that pays.
        payer: String,
        /// The account that is paid.
        payee: String,
        /// How much.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// How the payer proved itself: two_with_certificate, two or fewer; the day's limit follows from it.
        #[arg(long, value_name = "HOW")]
        factors: String,
        /// Of both accounts.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
        /// What the payer writes with it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// The file that holds the payer's pay password, which is encrypted before it is sent; - for standard input.
        #[arg(long, value_name = "FILE")]
        pay_password: Option<PathBuf>,
    },
    /// One transfer.
    Show {
        /// Its id, such as trf_5.
        id: String,
    },
    /// Transfers, oldest first.
    List {
        /// From this account.
        #[arg(long, value_name = "ID")]
        from: Option<String>,
        /// To this account.
        #[arg(long, value_name = "ID")]
        to: Option<String>,
        /// Made on this date or later.
        #[arg(long, value_name = "DATE")]
        made_from: Option<String>,
        /// Made on this date or earlier.
        #[arg(long, value_name = "DATE")]
        made_to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const TRANSFER: [Field; 8] = [
    text("id"),
    text("from"),
    text("to"),
    money("amount"),
    text("factors"),
    text("note"),
    text("voucher"),
    text("made_at"),
];
const TRANSFERS: [Field; 6] = [text("id"), text("from"), text("to"), money("amount"), text("factors"), text("made_at")];

impl Transfer {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Make { payer, payee, amount, factors, currency, note, pay_password } => {
                let mut body = json!({"from": payer, "to": payee, "amount": amount, "currency": currency,
                    "factors": factors, "note": note});
                let Some(file) = pay_password else {
                    return made(client, &TRANSFER, &["v1", "transfers"], &body);
                };
                let (password, sealer) = (read(file)?, Sealer::of(client)?);
                body["pay_password"] = sealer.seal(password.expose())?;
                let transfer = client.post_sealed(&target(&["v1", "transfers"], &[]), &body, sealer.serial())?;
                Ok(shown(&TRANSFER, transfer))
            }
            Self::Show { id } => one(client, &TRANSFER, &["v1", "transfers", id]),
            Self::List { from, to, made_from, made_to, page } => {
                let filters = [
                    ("from", from.as_deref()),
                    ("to", to.as_deref()),
                    ("made_from", made_from.as_deref()),
                    ("made_to", made_to.as_deref()),
                ];
                many(client, &TRANSFERS, &page.target(&["v1", "transfers"], &filters))
            }
        }
    }
}
