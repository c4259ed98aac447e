//! `lintel card-network`: the links to the card network, and its daily files.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use super::client::Client;
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel card-network links
  lintel card-network take ZM20260305
  lintel card-network files --date 2026-03-05

The links are those of [[pos.network.links]]; docs/pos.md says how they stand. A file may be taken again at any time: what was \
taken before is told, not booked twice.";

/// The card network.
#[derive(Debug, Subcommand)]
pub(crate) enum CardNetwork {
    /// How each link stands: state, weight, when something last came by it.
    Links,
    /// Take a daily file of the network (ZM): match it with the books.
    Take {
        /// The file, as the network made it.
        file: PathBuf,
    },
    /// Files that were taken, part by part.
    Files {
        /// Of this clearing date.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const NETWORK: [Field; 6] =
    [text("network"), text("member"), text("pin_key"), text("track_key"), number("waiting"), number("up")];
const LINKS: [Field; 9] = [
    text("link"),
    text("state"),
    number("weight"),
    number("for_ms"),
    number("heard_ms"),
    number("connects"),
    number("sent"),
    number("came"),
    text("address"),
];
const FILE: [Field; 3] = [text("date"), number("lines"), number("repeated_parts")];
const PARTS: [Field; 11] = [
    text("id"),
    text("date"),
    number("part"),
    number("lines"),
    number("matched"),
    number("different"),
    money("paid"),
    money("refunded"),
    money("cost"),
    money("cost_difference"),
    money("net"),
];

impl CardNetwork {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Links => {
                let network = client.get("/v1/card-network")?;
                let text = format!("{}\n{}", record(&NETWORK, &network), table(&LINKS, &network["links"], None));
                Ok(Answer::new(network, text))
            }
            Self::Take { file } => {
                let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                let taken = client.post("/v1/card-clearing", &json!({ "file": text }))?;
                let text = format!("{}\n{}", record(&FILE, &taken), table(&PARTS, &taken["parts"], None));
                Ok(Answer::new(taken, text))
            }
            Self::Files { date, page: wanted } => {
                let files = client.get(&wanted.target(&["v1", "card-clearing"], &[("date", date.as_deref())]))?;
                let text = page(&PARTS, &files, None);
                Ok(Answer::new(files, text))
            }
        }
    }
}
