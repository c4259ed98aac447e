//! `lintel real-name-check`: a bank compares name, certificate, card and phone of a person.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::seal::{Sealer, read};
use super::table::{Field, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel real-name-check request usr_7 --bank 102100099996 --from elements.json --wait 10
  lintel real-name-check show rnc_2 --wait 10
  lintel real-name-check list --user usr_7 --status mismatched

elements.json: {\"account\": \"6222…\", \"name\": \"…\", \"certificate\": \"…\", \"phone\": \"…\"}; without a phone three elements are
compared. It is encrypted before it is sent.";

/// Real-name checks.
#[derive(Debug, Subcommand)]
pub(crate) enum RealNameCheck {
    /// Have a bank compare the elements.
    Request {
        /// The user, such as usr_7.
        user: String,
        /// The bank's interbank number, 12 digits.
        #[arg(long)]
        bank: String,
        /// The network: epcc unless said.
        #[arg(long)]
        rail: Option<String>,
        /// It is a credit card.
        #[arg(long)]
        credit: bool,
        /// The elements in JSON; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
        /// How many seconds to wait for the bank's answer, at most 30.
        #[arg(long)]
        wait: Option<u32>,
    },
    /// One check.
    Show {
        /// Its id, such as rnc_2.
        id: String,
        /// How many seconds to wait for the bank's answer, at most 30.
        #[arg(long)]
        wait: Option<u32>,
    },
    /// Checks, oldest first.
    List {
        /// Asked for by this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Of this user.
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// requested, unknown, matched, mismatched, failed or not_found.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const CHECK: [Field; 12] = [
    text("id"),
    text("merchant"),
    text("user"),
    text("rail"),
    text("bank"),
    text("account"),
    text("phone"),
    number("elements"),
    text("status"),
    text("failure/code"),
    text("requested_at"),
    text("ended_at"),
];
const CHECKS: [Field; 6] =
    [text("id"), text("user"), text("account"), number("elements"), text("status"), text("requested_at")];

impl RealNameCheck {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Request { user, bank, rail, credit, from, wait } => {
                let elements: Value =
                    serde_json::from_str(read(from)?.expose()).context("the elements are not JSON; see --help")?;
                let sealer = Sealer::of(client)?;
                let mut body = json!({"user": user, "bank": bank, "rail": rail, "credit": credit});
                for name in ["account", "name", "certificate"] {
                    let element = elements[name].as_str().with_context(|| format!("the elements lack {name}"))?;
                    body[name] = sealer.seal(element)?;
                }
                if let Some(phone) = elements["phone"].as_str() {
                    body["phone"] = sealer.seal(phone)?;
                }
                let wait = wait.map(|seconds| seconds.to_string());
                let target = target(&["v1", "real-name-checks"], &[("wait", wait.as_deref())]);
                Ok(shown(client.post_sealed(&target, &body, sealer.serial())?))
            }
            Self::Show { id, wait } => {
                let wait = wait.map(|seconds| seconds.to_string());
                Ok(shown(client.get(&target(&["v1", "real-name-checks", id], &[("wait", wait.as_deref())]))?))
            }
            Self::List { merchant, user, status, page: wanted } => {
                let filters =
                    [("merchant", merchant.as_deref()), ("user", user.as_deref()), ("status", status.as_deref())];
                let all = client.get(&wanted.target(&["v1", "real-name-checks"], &filters))?;
                let text = page(&CHECKS, &all, None);
                Ok(Answer::new(all, text))
            }
        }
    }
}

fn shown(check: Value) -> Answer {
    let text = record(&CHECK, &check);
    Answer::new(check, text)
}
