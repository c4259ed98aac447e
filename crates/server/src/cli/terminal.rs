//! `lintel terminal`: terminals at points of sale, from stock to scrap. An address is read from standard input: it is personal.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel terminal register N900-0042117 --model N900
  lintel ark financial form terminal/7/master --kind sm4 --purpose terminal-master      custodians form its key …
  lintel terminal load-key trm_7                                                       … and it is the terminal's
  lintel terminal load-key trm_7 --under terminal/transport --cipher sm4 \\
      --encrypted 3D66234C49E4296FF9C78D8BACBD6A76 --check-value 861E83E3
  lintel terminal public-key trm_7 04F1…                                               or it shows a public key of its own …
  lintel terminal issue-key trm_7                                                      … and fetches a key made for that
  lintel terminal issue-key trm_7 --certificate terminal.pem                           or a certificate shows it, if pos.terminal_ca is set
  lintel terminal set-parameters standard standard.json && lintel terminal use-parameters trm_7 standard
  echo '北京市朝阳区建国路一号院二号楼' | lintel terminal bind trm_7 acq_2 --latitude 39908722 --longitude 116397499
  lintel terminal list --status suspended
  lintel terminal suspend trm_7 --reason 'stolen'

What a terminal then says over the wire: docs/pos.md";

/// Terminals at points of sale.
#[derive(Debug, Subcommand)]
pub(crate) enum Terminal {
    /// One terminal.
    Show {
        /// Its id, such as trm_7.
        id: String,
    },
    /// Terminals, oldest first.
    List {
        /// Of this serial.
        #[arg(long)]
        serial: Option<String>,
        /// stock, keys_loaded, bound, online, suspended, recovered or scrapped.
        #[arg(long)]
        status: Option<String>,
        /// With this merchant now.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Register one that was bought.
    Register {
        /// Its maker's serial.
        serial: String,
        /// Its maker's name for the model.
        #[arg(long)]
        model: String,
    },
    /// Load its master key: under a transport key, or, with none named, as custodians formed terminal/N/master.
    LoadKey {
        /// Its id.
        id: String,
        #[command(flatten)]
        under: Under,
    },
    /// Register its public key of SM2, as it shows it or its certificate does: a master key can be issued to it then.
    PublicKey {
        /// Its id.
        id: String,
        /// 04, x and y: 130 hexadecimal digits.
        #[arg(value_name = "HEX", required_unless_present = "certificate")]
        public_key: Option<String>,
        /// Its maker's certificate in PEM, with the CAs between it and pos.terminal_ca behind it.
        #[arg(long, value_name = "FILE", conflicts_with = "public_key")]
        certificate: Option<PathBuf>,
    },
    /// Make its master key in the key service, for its public key; the terminal fetches it by itself.
    IssueKey {
        /// Its id.
        id: String,
        /// Its maker's certificate in PEM, as above: its public key is registered first. Needed where pos.terminal_ca is set.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Set parameters that terminals download: a file in JSON with public_keys, applications (each BER-TLV in hexadecimal) and
    /// settings.
    SetParameters {
        /// The set's name.
        name: String,
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say which parameters it uses.
    UseParameters {
        /// Its id.
        id: String,
        /// The set's name.
        set: String,
    },
    /// Versions of sets of parameters, oldest first.
    Parameters {
        /// Of this set.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Bind it to a merchant at a place; the address comes from standard input.
    Bind {
        /// Its id.
        id: String,
        /// The merchant's acquiring, such as acq_2.
        acquiring: String,
        #[command(flatten)]
        place: Place,
        /// How far from there it may report itself, in metres.
        #[arg(long, default_value_t = 500, value_name = "METRES")]
        tolerance: u32,
    },
    /// Say where it is; too far from its address it is suspended.
    Location {
        /// Its id.
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take nothing from it.
    Suspend {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let it sign in again.
    Resume {
        /// Its id.
        id: String,
    },
    /// It is back from its merchant: its key and binding are over.
    Recover {
        /// Its id.
        id: String,
    },
    /// It is gone for good.
    Scrap {
        /// Its id.
        id: String,
    },
    /// Batch closes: what terminals and the platform counted.
    Batches {
        /// Of this terminal.
        #[arg(long, value_name = "ID")]
        terminal: Option<String>,
        /// balanced, unbalanced or uploaded.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

/// A master key under a transport key; all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Under {
    /// The transport key's name in the key service.
    #[arg(long, value_name = "NAME", requires_all = ["cipher", "encrypted", "check_value"])]
    under: Option<String>,
    /// 3des-2 or sm4.
    #[arg(long, requires = "under")]
    cipher: Option<String>,
    /// The key, encrypted block by block.
    #[arg(long, value_name = "HEX", requires = "under")]
    encrypted: Option<String>,
    /// The start of its check value, 3 to 8 bytes.
    #[arg(long, value_name = "HEX", requires = "under")]
    check_value: Option<String>,
}

/// A place, in millionths of a degree.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// North of the equator.
    #[arg(long, value_name = "MILLIONTHS", allow_hyphen_values = true)]
    latitude: i32,
    /// East of Greenwich.
    #[arg(long, value_name = "MILLIONTHS", allow_hyphen_values = true)]
    longitude: i32,
}

impl Place {
    fn json(&self) -> Value {
        json!({"latitude": self.latitude, "longitude": self.longitude})
    }
}

const TERMINAL: [Field; 25] = [
    text("id"),
    text("number"),
    text("serial"),
    text("model"),
    text("status"),
    text("key/name"),
    text("key/check_value"),
    text("binding/acquiring"),
    text("binding/merchant"),
    text("binding/number"),
    text("binding/settlement"),
    text("binding/address"),
    number("batch"),
    number("trace"),
    number("location/distance_m"),
    text("suspended/reason"),
    text("suspended/text"),
    text("parameters/set"),
    number("parameters/public_keys"),
    number("parameters/applications"),
    number("parameters/settings"),
    text("issued/check_value"),
    text("signed_in_at"),
    text("registered_at"),
    text("allowed_actions"),
];
const TERMINALS: [Field; 7] = [
    text("id"),
    text("serial"),
    text("model"),
    text("status"),
    text("binding/merchant"),
    text("binding/number"),
    text("signed_in_at"),
];
const PARAMETERS: [Field; 5] = [text("id"), text("name"), number("version"), text("set_at"), text("set_by")];
const BATCHES: [Field; 9] = [
    text("id"),
    text("terminal"),
    number("batch"),
    text("status"),
    number("ours/domestic/debit"),
    number("theirs/domestic/debit"),
    number("different"),
    text("asked_at"),
    text("closed_at"),
];

impl Terminal {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let act = |id: &str, what: &str, body: Value| client.post(&target(&["v1", "terminals", id, what], &[]), &body);
        let terminal = match self {
            Self::Show { id } => client.get(&target(&["v1", "terminals", id], &[]))?,
            Self::List { serial, status, merchant, page: wanted } => {
                let filters =
                    [("serial", serial.as_deref()), ("status", status.as_deref()), ("merchant", merchant.as_deref())];
                return listed(client, wanted, "terminals", &filters, &TERMINALS);
            }
            Self::Batches { terminal, status, page: wanted } => {
                let filters = [("terminal", terminal.as_deref()), ("status", status.as_deref())];
                return listed(client, wanted, "batch-closes", &filters, &BATCHES);
            }
            Self::Parameters { name, page: wanted } => {
                let filters = [("name", name.as_deref())];
                return listed(client, wanted, "terminal-parameters", &filters, &PARAMETERS);
            }
            Self::SetParameters { name, file } => {
                let set = client.post(&target(&["v1", "terminal-parameters"], &[]), &parameters(name, file)?)?;
                let shown = record(&PARAMETERS, &set);
                return Ok(Answer::new(set, shown));
            }
            Self::PublicKey { id, public_key: Some(public_key), .. } => {
                act(id, "public-key", json!({ "public_key": public_key }))?
            }
            Self::PublicKey { id, public_key: None, certificate } => {
                act(id, "public-key", json!({ "certificate": pem(certificate.as_deref())? }))?
            }
            Self::IssueKey { id, certificate } => {
                let body = json!({ "certificate": pem(certificate.as_deref())? });
                client.post(&target(&["v1", "terminals", id, "key", "issue"], &[]), &body)?
            }
            Self::UseParameters { id, set } => act(id, "parameters", json!({ "set": set }))?,
            Self::Register { serial, model } => {
                client.post(&target(&["v1", "terminals"], &[]), &json!({"serial": serial, "model": model}))?
            }
            Self::LoadKey { id, under: Under { under, cipher, encrypted, check_value } } => {
                let under = under.as_ref().map(
                    |key| json!({"key": key, "cipher": cipher, "encrypted": encrypted, "check_value": check_value}),
                );
                act(id, "key", json!({ "under": under }))?
            }
            Self::Bind { id, acquiring, place, tolerance } => {
                let body = json!({
                    "acquiring": acquiring, "address": address()?, "place": place.json(), "tolerance_m": tolerance,
                });
                act(id, "bind", body)?
            }
            Self::Location { id, place } => act(id, "location", json!({"place": place.json()}))?,
            Self::Suspend { id, reason } => act(id, "suspend", json!({ "reason": reason }))?,
            Self::Resume { id } => act(id, "resume", json!({}))?,
            Self::Recover { id } => act(id, "recover", json!({}))?,
            Self::Scrap { id } => act(id, "scrap", json!({}))?,
        };
        let shown = record(&TERMINAL, &terminal);
        Ok(Answer::new(terminal, shown))
    }
}

fn listed(
    client: &Client,
    wanted: &Page,
    noun: &str,
    filters: &[(&str, Option<&str>)],
    fields: &[Field],
) -> Result<Answer> {
    let rows = client.get(&wanted.target(&["v1", noun], filters))?;
    let shown = page(fields, &rows, None);
    Ok(Answer::new(rows, shown))
}

/// A certificate of a file.
fn pem(file: Option<&Path>) -> Result<Option<String>> {
    let read = |file: &Path| {
        std::fs::read_to_string(file).with_context(|| format!("reading a certificate in PEM from {}", file.display()))
    };
    file.map(read).transpose()
}

/// A set of the file, under this name.
fn parameters(name: &str, file: &Path) -> Result<Value> {
    let reading = || format!("reading parameters from {}", file.display());
    let text = std::fs::read_to_string(file).with_context(reading)?;
    let mut set: Value = serde_json::from_str(&text).with_context(reading)?;
    match set.as_object_mut() {
        Some(fields) => drop(fields.insert("name".to_owned(), json!(name))),
        None => bail!("{} is no object with public_keys, applications and settings", file.display()),
    }
    Ok(set)
}

fn address() -> Result<String> {
    let line = std::io::stdin().lines().next().transpose().context("reading the address from standard input")?;
    match line.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line),
        None => bail!("there is no address on standard input; write it there, as in the example of --help"),
    }
}
