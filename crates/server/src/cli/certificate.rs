//! `lintel certificate`: merchants' API certificates, and the platform's own public keys.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel certificate register mch_3 sm2.pub.pem        a bare public key, valid for two years
  lintel certificate register mch_3 merchant.pem       an X.509 certificate, valid as it says
  lintel certificate list --merchant mch_3 --revoked false
  lintel certificate revoke crt_2 --reason rotated     at once and for ever
  lintel certificate platform --json                   what merchants verify answers with

How requests are signed: docs/api/signing.md";

/// Certificates by which merchants sign.
#[derive(Debug, Subcommand)]
pub(crate) enum Certificate {
    /// Register a merchant's certificate or public key, beside those that it has.
    Register {
        /// The merchant, such as mch_3.
        merchant: String,
        /// PEM: BEGIN CERTIFICATE or BEGIN PUBLIC KEY; SM2, or RSA of 2,048 bits.
        file: PathBuf,
        /// By what requests will name it; its own serial number unless said.
        #[arg(long)]
        serial: Option<String>,
        /// When a bare key ends, such as 2028-12-01T00:00:00+08:00.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// One certificate.
    Show {
        /// Its id, such as crt_2.
        id: String,
    },
    /// Certificates, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// true for those that were revoked, false for the others.
        #[arg(long)]
        revoked: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Revoke one: it signs nothing any more.
    Revoke {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// The platform's public keys, which verify its answers.
    Platform,
}

const CERTIFICATE: [Field; 11] = [
    text("id"),
    text("merchant"),
    text("serial_no"),
    text("algorithm"),
    text("subject"),
    text("status"),
    text("not_before"),
    text("not_after"),
    text("registered_by"),
    text("revoked/reason"),
    text("public_key"),
];
const CERTIFICATES: [Field; 6] =
    [text("id"), text("merchant"), text("serial_no"), text("algorithm"), text("status"), text("not_after")];
const KEYS: [Field; 5] = [text("serial_no"), text("scheme"), text("signs"), text("signs_from"), text("public_key")];

impl Certificate {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Register { merchant, file, serial, until } => {
                let certificate = std::fs::read_to_string(file)
                    .with_context(|| format!("reading a certificate in PEM from {}", file.display()))?;
                let body = json!({"certificate": certificate, "serial_no": serial, "not_after": until});
                Ok(shown(client.post(&target(&["v1", "merchants", merchant, "certificates"], &[]), &body)?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "certificates", id], &[]))?)),
            Self::List { merchant, revoked, page: wanted } => {
                let filters = [("merchant", merchant.as_deref()), ("revoked", revoked.as_deref())];
                let all = client.get(&wanted.target(&["v1", "certificates"], &filters))?;
                let text = page(&CERTIFICATES, &all, None);
                Ok(Answer::new(all, text))
            }
            Self::Revoke { id, reason } => {
                let target = target(&["v1", "certificates", id, "revoke"], &[]);
                Ok(shown(client.post(&target, &json!({ "reason": reason }))?))
            }
            Self::Platform => {
                let keys = client.get(&target(&["v1", "platform-keys"], &[]))?;
                let text = page(&KEYS, &keys, None);
                Ok(Answer::new(keys, text))
            }
        }
    }
}

fn shown(certificate: Value) -> Answer {
    let text = record(&CERTIFICATE, &certificate);
    Answer::new(certificate, text)
}
