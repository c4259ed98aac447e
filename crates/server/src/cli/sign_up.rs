//! `lintel sign-up`: agreements to debit cards, signed by a code on the holder's phone.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::seal::{Sealer, read};
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel sign-up request usr_7 --bank 102100099996 --from elements.json
  lintel sign-up confirm sgn_2                  the code from standard input
  lintel sign-up list --payer usr_7 --status signed
  lintel sign-up cancel sgn_2                   nothing is paid with it any more

elements.json: {\"account\": \"6222…\", \"name\": \"…\", \"certificate\": \"…\", \"phone\": \"…\"}; it is encrypted before it is sent.";

/// Agreements to debit cards.
#[derive(Debug, Subcommand)]
pub(crate) enum SignUp {
    /// Have the bank send a code to the holder's phone.
    Request {
        /// The user who will pay, such as usr_7.
        payer: String,
        /// The bank's interbank number, 12 digits.
        #[arg(long)]
        bank: String,
        /// The network, epcc unless said, or a further channel of it such as epcc_b.
        #[arg(long)]
        rail: Option<String>,
        /// It is a credit card.
        #[arg(long)]
        credit: bool,
        /// The four elements in JSON; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
    },
    /// Bring the code; it is read, not given as an argument.
    Confirm {
        /// Its id, such as sgn_2.
        id: String,
        /// The file that holds the code; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
    },
    /// One signing.
    Show {
        /// Its id.
        id: String,
    },
    /// Signings, oldest first.
    List {
        /// Asked for by this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Of this payer.
        #[arg(long, value_name = "ID")]
        payer: Option<String>,
        /// requested, code_sent, confirming, signed, failed, expired or cancelled.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// End it: no order and no top-up is paid with it any more.
    Cancel {
        /// Its id.
        id: String,
    },
}

const SIGN_UP: [Field; 15] = [
    text("id"),
    text("merchant"),
    text("payer"),
    text("rail"),
    text("channel"),
    text("bank"),
    text("account"),
    text("phone"),
    text("status"),
    text("verdict/matched"),
    text("wrong_codes"),
    text("agreement"),
    text("failure/code"),
    text("expires_at"),
    text("allowed_actions"),
];
const SIGN_UPS: [Field; 6] =
    [text("id"), text("payer"), text("account"), text("status"), text("agreement"), text("requested_at")];

impl SignUp {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Request { payer, bank, rail, credit, from } => {
                let elements: Value =
                    serde_json::from_str(read(from)?.expose()).context("the four elements are not JSON; see --help")?;
                let sealer = Sealer::of(client)?;
                let mut body = json!({"payer": payer, "bank": bank, "rail": rail, "credit": credit});
                for name in ["account", "name", "certificate", "phone"] {
                    let element = elements[name].as_str().with_context(|| format!("the four elements lack {name}"))?;
                    body[name] = sealer.seal(element)?;
                }
                Ok(shown(client.post_sealed(&target(&["v1", "sign-ups"], &[]), &body, sealer.serial())?))
            }
            Self::Confirm { id, from } => {
                let (code, sealer) = (read(from)?, Sealer::of(client)?);
                let body = json!({"code": sealer.seal(code.expose())?});
                let target = target(&["v1", "sign-ups", id, "confirm"], &[]);
                Ok(shown(client.post_sealed(&target, &body, sealer.serial())?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "sign-ups", id], &[]))?)),
            Self::List { merchant, payer, status, page: wanted } => {
                let filters =
                    [("merchant", merchant.as_deref()), ("payer", payer.as_deref()), ("status", status.as_deref())];
                let all = client.get(&wanted.target(&["v1", "sign-ups"], &filters))?;
                let text = page(&SIGN_UPS, &all, None);
                Ok(Answer::new(all, text))
            }
            Self::Cancel { id } => Ok(shown(client.post(&target(&["v1", "sign-ups", id, "cancel"], &[]), &json!({}))?)),
        }
    }
}

fn shown(sign_up: Value) -> Answer {
    let text = record(&SIGN_UP, &sign_up);
    Answer::new(sign_up, text)
}
