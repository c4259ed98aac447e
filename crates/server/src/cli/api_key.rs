//! `lintel api-key`: secrets of API keys, rotated alone.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel api-key show mch_3
  lintel api-key rotate mch_3 --overlap 86400     the old secret signs for one more day
  lintel api-key end mch_3 --serial 1             at once and for ever
  lintel key mch_3 --serial 2                     the secret, from the data directory

Who rotates the secret of `operator` names its serial number from then on: --key-serial, or LINTEL_KEY_SERIAL.";

/// Secrets of API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    /// Which serial numbers sign.
    Show {
        /// `operator`, a merchant's id or an operator's.
        id: String,
    },
    /// Make the next secret, and print it.
    Rotate {
        /// As in `show`.
        id: String,
        /// How long the present one still signs, in seconds; seven days unless said.
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<i64>,
    },
    /// End an old one before its overlap is over.
    End {
        /// As in `show`.
        id: String,
        /// Its serial number.
        #[arg(long)]
        serial: u32,
    },
}

const KEYS: [Field; 5] = [text("serial_no"), text("signs"), text("since"), text("ends_at"), text("by")];
const SECRET: [Field; 4] = [text("mch_id"), text("serial_no"), text("secret"), text("previous_ends_at")];

impl ApiKey {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "api-keys", id], &[]))?)),
            Self::Rotate { id, overlap } => {
                let body = json!({"overlap_seconds": overlap});
                let made = client.post(&target(&["v1", "api-keys", id, "rotate"], &[]), &body)?;
                let text = record(&SECRET, &made);
                Ok(Answer::new(made, text))
            }
            Self::End { id, serial } => {
                let body = json!({"serial_no": serial});
                Ok(shown(client.post(&target(&["v1", "api-keys", id, "end"], &[]), &body)?))
            }
        }
    }
}

fn shown(keys: Value) -> Answer {
    let text = page(&KEYS, &keys, None);
    Answer::new(keys, text)
}
