//! `lintel block-list`: who is on one, putting someone on one; taking an entry away is proposed for two people. A card is
//! named by its token, which `lintel payout show` prints: no number belongs on a command line.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel block-list list --list card --removed false
  lintel block-list add customer cus_12 --reason 'case 2026-118' --source police --as opr_5
  lintel block-list remove blk_4 --reason 'mistaken identity' --as opr_5";

/// Block lists.
#[derive(Debug, Subcommand)]
pub(crate) enum BlockList {
    /// One entry.
    Show {
        /// Its id, such as blk_4.
        id: String,
    },
    /// Entries, oldest first.
    List {
        /// customer, card, merchant, terminal or device.
        #[arg(long)]
        list: Option<String>,
        /// What names it there.
        #[arg(long)]
        name: Option<String>,
        /// true for those that were taken away, false for the others.
        #[arg(long)]
        removed: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Put someone on a list.
    Add {
        /// customer, card, merchant, terminal or device.
        list: String,
        /// cus_…, mch_…, a card's token or the number of its agreement, a terminal's serial number, a device's name.
        name: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so.
        #[arg(long, value_name = "TEXT")]
        source: String,
        /// When it ends by itself.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Propose to take an entry away.
    Remove {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const ENTRY: [Field; 14] = [
    text("id"),
    text("list"),
    text("key"),
    text("reason"),
    text("source"),
    text("until"),
    text("put_at"),
    text("put_by"),
    text("in_force"),
    text("removed/reason"),
    text("removed/at"),
    text("removed/operator"),
    text("removed/approver"),
    text("allowed_actions"),
];
const ENTRIES: [Field; 7] =
    [text("id"), text("list"), text("key"), text("reason"), text("source"), text("until"), text("in_force")];

impl BlockList {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "block-list", id], &[]))?)),
            Self::List { list, name, removed, page: wanted } => {
                let filters = [("list", list.as_deref()), ("key", name.as_deref()), ("removed", removed.as_deref())];
                let entries = client.get(&wanted.target(&["v1", "block-list"], &filters))?;
                let text = page(&ENTRIES, &entries, None);
                Ok(Answer::new(entries, text))
            }
            Self::Add { list, name, reason, source, until } => {
                let body = json!({ "list": list, "key": name, "reason": reason, "source": source, "until": until });
                Ok(shown(client.post(&target(&["v1", "block-list"], &[]), &body)?))
            }
            Self::Remove { id, reason } => {
                propose(client, &json!({"kind": "remove_block", "entry": id, "reason": reason}), reason, None)
            }
        }
    }
}

fn shown(entry: Value) -> Answer {
    let text = record(&ENTRY, &entry);
    Answer::new(entry, text)
}
