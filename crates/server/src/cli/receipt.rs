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
  lintel receipt show pay_5 --pdf receipt.pdf         a sheet to hand on
  lintel receipt show pay_5 --json > receipt.json     to hand on to a program
  lintel receipt verify receipt.pdf                   or receipt.json

There are receipts of paid orders (ord_), refunds (rfd_), payouts and withdrawals (pay_), top-ups (tup_), transfers (trf_), \
card transactions (ctx_), settlements (stl_), advances (adv_) and booked chargebacks (cbk_); of a split one for each \
receiver (spl_3-mch_4), of its returns by their vouchers (spl_3-vch_9). docs/api/receipts.md says how a receipt is \
verified without this program.";

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
        /// Write it to this file as a PDF, with the signed text attached.
        #[arg(long, value_name = "FILE")]
        pdf: Option<PathBuf>,
    },
    /// Whether a receipt is authentic, and how its object stands now.
    Verify {
        /// A receipt as `show --pdf` wrote it, or as `show --json` printed it.
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
            Self::Show { id, page, pdf } => {
                let receipt = client.get(&target(&["v1", "receipts", id], &[]))?;
                for (form, path) in [("page", page), ("pdf", pdf)] {
                    let Some(path) = path else { continue };
                    let bytes = client.get_bytes(&target(&["v1", "receipts", id, form], &[]))?;
                    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))?;
                }
                let text = record(&RECEIPT, &receipt["receipt"]) + &record(&PROOF, &receipt);
                Ok(Answer::new(receipt, text))
            }
            Self::Verify { file } => {
                let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
                let held = if bytes.starts_with(b"%PDF-") {
                    attached(&bytes)
                } else {
                    serde_json::from_slice::<Value>(&bytes).map_err(anyhow::Error::from)
                };
                let held = held.with_context(|| format!("{} is no receipt", file.display()))?;
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

/// What is attached to a receipt in PDF, which stands in the file as it is.
///
/// # Errors
/// A file without it, such as one that another program wrote again.
fn attached(pdf: &[u8]) -> Result<Value> {
    let behind = |text: &'_ [u8], mark: &[u8]| {
        let at = text.windows(mark.len()).position(|window| window == mark)?;
        text.get(at.checked_add(mark.len())?..).map(<[u8]>::to_vec)
    };
    let stream = behind(pdf, b"/EmbeddedFile").and_then(|object| behind(&object, b"stream"));
    // One value, whatever follows it.
    let value = stream.and_then(|bytes| serde_json::Deserializer::from_slice(&bytes).into_iter().next()?.ok());
    value.context(
        "no receipt is attached to this PDF as Lintel writes it: save its attachment receipt.json and verify that",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_is_read_whatever_stands_in_it() {
        let file = |text: &str| format!("%PDF-1.7\n1 0 obj\n<</Type /EmbeddedFile>>\nstream\n{text}\nendstream");
        let held = json!({"content": "endstream /EmbeddedFile", "serial_no": "PLATFORM-SM2-1"});
        assert_eq!(attached(file(&held.to_string()).as_bytes()).unwrap(), held);
        for other in ["%PDF-1.7", "%PDF-1.7 /EmbeddedFile", &file("x\u{9c}"), &file("")] {
            assert!(attached(other.as_bytes()).unwrap_err().to_string().contains("receipt.json"), "{other}");
        }
    }
}
