//! `lintel approval`: propose what takes two people, and decide as the second one.

use std::io::Read as _;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel approval list --status pending
  lintel approval propose voucher.json --reason \"statement line 14\" \\
      --evidence statement.pdf --sm3 66c7f0f4… --as opr_3
  lintel approval approve apr_7 --totp 287082 --as opr_4
  lintel approval reject apr_7 --remark \"wrong account\" --as opr_4

A proposal is the API's `proposal`, such as
  {\"kind\": \"check_waiver\", \"date\": \"2026-03-05\", \"position\": 1042, \"checks\": [\"cover\"]}";

/// What takes two people.
#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    /// One approval.
    Show {
        /// Its id, such as apr_7.
        id: String,
    },
    /// Approvals, oldest first.
    List {
        /// pending, approved, rejected, withdrawn or expired.
        #[arg(long)]
        status: Option<String>,
        /// A kind of proposal, such as manual_voucher.
        #[arg(long)]
        kind: Option<String>,
        /// Proposed by this operator.
        #[arg(long, value_name = "ID")]
        maker: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Propose what a file says.
    Propose {
        /// A JSON file with `kind` and what that kind needs; `-` is standard input.
        file: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The name of the document that shows it.
        #[arg(long, value_name = "NAME", requires = "digest")]
        evidence: Option<String>,
        /// Its SM3 digest: 64 hexadecimal digits.
        #[arg(long, value_name = "HEX", group = "digest", requires = "evidence")]
        sm3: Option<String>,
        /// Its SHA-256 digest in place of SM3.
        #[arg(long, value_name = "HEX", group = "digest", requires = "evidence")]
        sha256: Option<String>,
    },
    /// Approve: it is carried out at once.
    Approve {
        /// Its id.
        id: String,
        /// The one-time code now; it is used up by this.
        #[arg(long, value_name = "CODE")]
        totp: String,
        /// What there is to say.
        #[arg(long, value_name = "TEXT")]
        remark: Option<String>,
    },
    /// Reject.
    Reject {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        remark: String,
    },
    /// Take one's own proposal back.
    Withdraw {
        /// Its id.
        id: String,
    },
}

const APPROVAL: [Field; 14] = [
    text("id"),
    text("proposal"),
    text("reason"),
    text("evidence/name"),
    text("evidence/algorithm"),
    text("evidence/digest"),
    text("maker"),
    text("created_at"),
    text("expires_at"),
    text("status"),
    text("checker"),
    text("decided_at"),
    text("remark"),
    text("outcome"),
];
const APPROVALS: [Field; 8] = [
    text("id"),
    text("proposal/kind"),
    text("reason"),
    text("maker"),
    text("status"),
    text("checker"),
    text("outcome"),
    text("created_at"),
];

impl Approval {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let decide = |id: &str, verb: &str, body: &Value| {
            Ok(shown(client.post(&target(&["v1", "approvals", id, verb], &[]), body)?))
        };
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "approvals", id], &[]))?)),
            Self::List { status, kind, maker, page: wanted } => {
                let filters = [("status", status.as_deref()), ("kind", kind.as_deref()), ("maker", maker.as_deref())];
                let approvals = client.get(&wanted.target(&["v1", "approvals"], &filters))?;
                let text = page(&APPROVALS, &approvals, None);
                Ok(Answer::new(approvals, text))
            }
            Self::Propose { file, reason, evidence, sm3, sha256 } => {
                let digest = sm3.as_ref().map(|hex| ("SM3", hex)).or(sha256.as_ref().map(|hex| ("SHA-256", hex)));
                let evidence = evidence.as_ref().zip(digest);
                let evidence = evidence
                    .map(|(name, (algorithm, hex))| json!({"name": name, "algorithm": algorithm, "digest": hex}));
                propose(client, &proposal(file)?, reason, evidence)
            }
            Self::Approve { id, totp, remark } => decide(id, "approve", &json!({"totp": totp, "remark": remark})),
            Self::Reject { id, remark } => decide(id, "reject", &json!({"remark": remark})),
            Self::Withdraw { id } => decide(id, "withdraw", &json!({})),
        }
    }
}

/// Proposes `proposal`, for every subcommand whose change takes two people.
pub(super) fn propose(client: &Client, proposal: &Value, reason: &str, evidence: Option<Value>) -> Result<Answer> {
    let body = json!({"proposal": proposal, "reason": reason, "evidence": evidence});
    Ok(shown(client.post(&target(&["v1", "approvals"], &[]), &body)?))
}

fn proposal(file: &str) -> Result<Value> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))
}

fn shown(approval: Value) -> Answer {
    let text = record(&APPROVAL, &approval);
    Answer::new(approval, text)
}
