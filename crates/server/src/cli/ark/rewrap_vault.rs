//! `lintel ark rewrap-vault`: has the running platform move its vault under the newest version of `platform/vault`, and follows it.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::progress::Shown;
use super::super::remote::Answer;
use super::super::table::{Field, number, record, text};
use super::Why;
use super::verbs::path;

/// How often it asks how far the platform is.
const EVERY: Duration = Duration::from_millis(200);

const FIELDS: [Field; 9] = [
    number("version"),
    text("state"),
    text("complete"),
    number("left"),
    number("moved"),
    number("refused"),
    number("per_second"),
    text("ended_at"),
    text("trouble"),
];

/// Move what the vault holds under the newest version of `platform/vault`, and wait for it.
///
/// The platform does it by itself after each rotation, at most `ark.rewrap_per_second` rows a second, while requests go on. This has
/// it look at every row again now, and shows how far it is. Once `complete` is true nothing needs the versions before: only then
/// destroy one, or declare it compromised.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lintel ark keys rotate platform/vault --reason yearly
  lintel ark rewrap-vault                       waits until every row has moved; exit code 1 if some cannot
  lintel ark rewrap-vault --show --json         how far it is, and whether older versions are still needed
  lintel ark approvals propose destroy platform/vault 1 --reason \"rotated\" --as opr_1")]
pub(crate) struct RewrapVault {
    /// Show how far it is, and begin nothing.
    #[arg(long, conflicts_with_all = ["no_wait", "reason", "approval"])]
    show: bool,
    /// Begin, and do not wait for the end.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    why: Why,
}

/// Asks, and follows it to its end if that is wanted.
///
/// # Errors
/// No answer, or the platform's refusal.
pub(super) fn ask(wanted: &RewrapVault, client: &Client) -> Result<Answer> {
    let target = path(&["rewrap-vault"]);
    let standing = if wanted.show {
        client.get(&target)?
    } else {
        let begun = client.post(&wanted.why.target(&["rewrap-vault"]), &json!({}))?;
        if wanted.no_wait { begun } else { followed(client, &target, begun)? }
    };
    let refused = standing["refused"].as_u64().filter(|refused| *refused > 0);
    let complaint = refused.map(|refused| {
        format!(
            "{refused} rows do not open, or their version of platform/vault may not open any more; they stay as they are, and \
             `lintel verify` with the platform stopped names each: bring the vault or keys.db back from its backup"
        )
    });
    let text = record(&FIELDS, &standing);
    Ok(Answer::new(standing, text).complaining(complaint))
}

/// Where it stands at the end.
fn followed(client: &Client, target: &str, mut standing: Value) -> Result<Value> {
    let mut shown = Shown::new();
    while standing["state"] != "resting" {
        let trouble = standing["trouble"].as_str().map(|code| format!(", waiting: {code}")).unwrap_or_default();
        let detail = format!("{} moved, {} left{trouble}", standing["moved"], standing["left"]);
        shown.detail(&format!("moving the vault under version {}", standing["version"]), &detail);
        std::thread::sleep(EVERY);
        standing = client.get(target)?;
    }
    shown.end();
    Ok(standing)
}
