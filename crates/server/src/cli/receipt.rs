//! `lintel receipt`: electronic receipts, taken and verified.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, money, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel receipt show pay_5
  lintel receipt show pay_5 --page receipt.html       a page to print
  lintel receipt show pay_5 --json > receipt.json     to hand on
  lintel receipt verify receipt.json

There are receipts of paid orders (ord_), refunds (rfd_), payouts and withdrawals (pay_), top-ups (tup_), transfers (trf_) \
and card transactions (ctx_). docs/api/receipts.md says how a receipt is verified without this program.";

/// Electronic receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipt {
    /// The receipt of an object.
    Show {
        /// Its id, such as pay_5.
        id: String,
        /// Write it to this file as a page to print.
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// Whether a receipt is authentic, and how its object stands now.
    Verify {
        /// A receipt as `show --json` prints it.
        file: PathBuf,
    },
}

const RECEIPT: [Field; 13] = [
    text("object"),
    text("kind"),
    text("number"),
    text("about"),
    text("payer/name"),
    text("payer/account"),
    text("payee/name"),
    text("payee/account"),
    money("amount"),
    money("fee"),
    text("currency"),
    text("at"),
    text("reference"),
];
const PROOF: [Field; 3] = [text("digest"), text("serial_no"), text("signature")];
const VERIFIED: [Field; 4] = [text("authentic"), text("digest"), text("now/status"), money("now/given_back")];

impl Receipt {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id, page } => {
                let receipt = client.get(&target(&["v1", "receipts", id], &[]))?;
                if let Some(path) = page {
                    let bytes = client.get_bytes(&target(&["v1", "receipts", id, "page"], &[]))?;
                    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))?;
                }
                let text = record(&RECEIPT, &receipt["receipt"]) + &record(&PROOF, &receipt);
                Ok(Answer::new(receipt, text))
            }
            Self::Verify { file } => {
                let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                let held: Value =
                    serde_json::from_str(&text).with_context(|| format!("{} is no receipt", file.display()))?;
                let part = |name: &str| held.get(name).cloned().unwrap_or_default();
                let body = json!({
                    "content": part("content"), "serial_no": part("serial_no"), "signature": part("signature"),
                });
                let verified = client.post("/v1/receipts/verify", &body)?;
                let text = record(&VERIFIED, &verified);
                Ok(Answer::new(verified, text))
            }
        }
    }
}
