//! `lintel clearing`: clearing files (清算文件), fetched from the channel by hand; their parts and differences.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::object::many;
use super::remote::{Answer, Page};
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel clearing fetch --rail epcc --date 2026-03-05
  lintel clearing fetch --rail unionpay_acme --date 2026-03-05     of a further channel of the rail
  lintel clearing list --rail epcc --date 2026-03-05
  lintel clearing show clr_1                    with its differences
  lintel clearing differences --rail epcc       those that have not ended, oldest file first; --all with those that have
  lintel clearing settle clr_1_3 --accept --document statement.pdf=SHA256 --reason \"it is on the statement\" --as opr_3
  lintel clearing settle clr_1_3 --accept --template one-too-many --debit acc_7 --credit acc_12 --amount 1 \\
    --document statement.pdf=SHA256 --reason \"the network took 5,001\" --as opr_3";

/// Clearing files.
#[derive(Debug, Subcommand)]
pub(crate) enum Clearing {
    /// Fetch a file from its channel and match it; may be asked for again at any time.
    Fetch {
        /// epcc, unionpay, fund or pingan; of a further channel of one its name, such as unionpay_acme.
        #[arg(long)]
        rail: String,
        /// The network's clearing date.
        #[arg(long)]
        date: String,
    },
    /// One part of a file as it was taken, with its differences.
    Show {
        /// Its id, such as clr_1.
        id: String,
    },
    /// Parts of files, oldest first.
    List {
        /// epcc, unionpay, fund or pingan.
        #[arg(long)]
        rail: Option<String>,
        /// Of this clearing date.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Differences of files that have not ended, oldest file first.
    Differences {
        /// epcc, unionpay, fund or pingan.
        #[arg(long)]
        rail: Option<String>,
        /// With those that have ended.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Propose how a difference is settled.
    Settle {
        /// Its id, such as clr_1_3.
        id: String,
        /// Its line stands, or what is missing did move: as if the file had matched it, its session awaits it.
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        voucher: RestVoucher,
        /// The document that shows it: its name and its SHA-256 in hexadecimal digits.
        #[arg(long, value_name = "NAME=SHA256")]
        document: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// The voucher that takes from the channel's clearing account what a settlement leaves there; all of these or none.
#[derive(Debug, Args)]
pub(crate) struct RestVoucher {
    /// Its template; with --debit, --credit and --amount.
    #[arg(long, value_name = "CODE", requires_all = ["debit", "credit", "amount"])]
    template: Option<String>,
    /// The account that it debits.
    #[arg(long, value_name = "ID", requires = "template")]
    debit: Option<String>,
    /// The account that it credits.
    #[arg(long, value_name = "ID", requires = "template")]
    credit: Option<String>,
    /// In fen.
    #[arg(long, value_name = "FEN", requires = "template")]
    amount: Option<i64>,
}

impl RestVoucher {
    fn body(&self) -> Option<Value> {
        let Self { template, debit, credit, amount } = self;
        let entry = |account, side| json!({"account": account, "side": side, "amount": amount, "currency": "CNY"});
        let entries = [entry(debit, "debit"), entry(credit, "credit")];
        template.as_ref().map(|template| json!({"template": template, "entries": entries}))
    }
}

const FILE: [Field; 12] = [
    text("channel"),
    text("date"),
    number("parts"),
    number("repeated_parts"),
    number("lines"),
    number("matched"),
    number("different"),
    money("debited"),
    money("refunded"),
    money("paid"),
    money("returned"),
    money("net"),
];
const PART: [Field; 15] = [
    text("id"),
    text("channel"),
    text("date"),
    number("part"),
    text("last"),
    number("lines"),
    number("matched"),
    number("different"),
    money("debited"),
    money("refunded"),
    money("paid"),
    money("returned"),
    money("net"),
    text("voucher"),
    text("taken_at"),
];
const PARTS: [Field; 9] = [
    text("id"),
    text("channel"),
    text("date"),
    number("part"),
    text("last"),
    number("lines"),
    number("matched"),
    number("different"),
    money("net"),
];
const DIFFERENCES: [Field; 3] = [text("kind"), text("serial"), money("amount")];
const LISTED: [Field; 11] = [
    text("id"),
    text("channel"),
    text("date"),
    text("kind"),
    text("line"),
    text("serial"),
    money("amount"),
    text("since"),
    text("ended"),
    text("ended_by"),
    text("before"),
];

impl Clearing {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Fetch { rail, date } => {
                let file = client.post("/v1/clearing/fetch", &json!({ "rail": rail, "date": date }))?;
                Ok(with_differences(&FILE, file))
            }
            Self::Show { id } => Ok(with_differences(&PART, client.get(&target(&["v1", "clearing", id], &[]))?)),
            Self::List { rail, date, page } => {
                let filters = [("rail", rail.as_deref()), ("date", date.as_deref())];
                many(client, &PARTS, &page.target(&["v1", "clearing"], &filters))
            }
            Self::Differences { rail, all, page } => {
                let filters = [("rail", rail.as_deref()), ("open", (!all).then_some("true"))];
                many(client, &LISTED, &page.target(&["v1", "clearing", "differences"], &filters))
            }
            Self::Settle { id, accept, voucher, document, reason } => {
                let (name, digest) = document.split_once('=').context("--document is NAME=SHA256")?;
                let evidence = json!({"name": name, "algorithm": "SHA-256", "digest": digest});
                let voucher = voucher.body();
                let body =
                    json!({"kind": "settle_difference", "difference": id, "accepted": accept, "voucher": voucher});
                propose(client, &body, reason, Some(evidence))
            }
        }
    }
}

fn with_differences(fields: &[Field], file: Value) -> Answer {
    let differences = table(&DIFFERENCES, &file["differences"], None);
    let text = format!("{}\nDifferences:\n{differences}", record(fields, &file));
    Answer::new(file, text)
}
