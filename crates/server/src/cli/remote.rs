//! What all subcommands share that ask a running platform: where it is, who asks, how the answer is shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use ark::MacKey;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, Proof};
use super::key::api_root;
use super::print;
use crate::config::Config;
use crate::http::auth::{KEY_SERIAL, OPERATOR, api_key};
use crate::tls::Files;

/// The file in the data directory that may say where the platform listens: `serve --port-file DIRECTORY/address`.
const ADDRESS_FILE: &str = "address";

/// A noun with its verbs, asked of a running platform.
#[derive(Debug, Args)]
pub(crate) struct Remote<T: Subcommand> {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: T,
}

impl<T: Subcommand> Remote<T> {
    /// Asks and prints.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub(crate) fn run(&self, config: &Config, ask: impl FnOnce(&T, &Client) -> Result<Answer>) -> Result<()> {
        self.connection.ask(config, |client| ask(&self.verb, client))
    }

    /// Where the platform is, and what is wanted of it, for verbs that ask more than once.
    pub(super) fn parts(&self) -> (&Connection, &T) {
        (&self.connection, &self.verb)
    }
}

/// Where the platform is, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Where the platform is.
    ///
    /// Else what the file `address` in the data directory says (`lintel serve --port-file DIRECTORY/address` writes it),
    /// else the setting listen.
    #[arg(long, global = true, env = "LINTEL_URL", value_name = "URL")]
    url: Option<String>,
    /// Who asks: `operator` for the institution's programs, or an operator's own id, such as opr_1.
    #[arg(long = "as", global = true, env = "LINTEL_AS", value_name = "ID", default_value = OPERATOR)]
    who: String,
    /// The secret of who asks: 64 hexadecimal digits.
    ///
    /// Else it is derived from the vault in the data directory. Other users of this machine see arguments: prefer the
    /// environment.
    #[arg(long, global = true, env = "LINTEL_KEY", value_name = "HEX", hide_env_values = true)]
    key: Option<String>,
    /// The secret's serial number: another one than the first once it was rotated (`lintel api-key rotate`).
    #[arg(long, global = true, env = "LINTEL_KEY_SERIAL", value_name = "N", default_value = KEY_SERIAL)]
    key_serial: String,
    /// Say who asks by the name alone, unsigned: for `lintel ark serve --insecure-loopback`.
    #[arg(long, global = true)]
    unsigned: bool,
    /// A certificate that says who asks, with its chain, in PEM; nothing is signed then.
    ///
    /// For `lintel ark serve`: its own certificate.
    #[arg(long, global = true, env = "LINTEL_CERT", value_name = "FILE", requires_all = ["cert_key", "ca"])]
    cert: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    #[arg(long, global = true, env = "LINTEL_CERT_KEY", value_name = "FILE")]
    cert_key: Option<PathBuf>,
    /// Who signs the certificates of the other side, in PEM.
    #[arg(long, global = true, env = "LINTEL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Have a change done once, however often it is asked for under this key.
    ///
    /// A new one each time unless said.
    #[arg(long, global = true, value_name = "TEXT")]
    idempotency_key: Option<String>,
    /// Print the API's JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// What was answered, for programs and for people.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The API's own answer.
    json: Value,
    text: String,
    complaint: Option<String>,
}

impl Answer {
    /// An answer with its form for people.
    pub(crate) fn new(json: Value, text: String) -> Self {
        Self { json, text, complaint: None }
    }

    /// An answer that is text for programs too, such as CSV.
    pub(crate) fn text(text: String) -> Self {
        Self { json: Value::String(text.clone()), text, complaint: None }
    }

    /// The same; the command ends with exit code 1 for this reason, if there is one.
    pub(crate) fn complaining(self, complaint: Option<String>) -> Self {
        Self { complaint, ..self }
    }
}

impl Connection {
    /// Asks and prints what was answered.
    ///
    /// # Errors
    /// No key, no answer, or the platform's refusal.
    pub(crate) fn ask(&self, config: &Config, ask: impl FnOnce(&Client) -> Result<Answer>) -> Result<()> {
        self.show(ask(&self.client(config)?)?)
    }

    /// Prints what was answered.
    ///
    /// # Errors
    /// What the answer complains of.
    pub(super) fn show(&self, answer: Answer) -> Result<()> {
        let Answer { json, text, complaint } = answer;
        if self.json {
            print(&format!("{json}\n"));
        } else {
            print(&text);
        }
        complaint.map_or(Ok(()), |complaint| bail!(complaint))
    }

    /// A client of the platform that runs.
    ///
    /// # Errors
    /// No key, or no address.
    pub(super) fn client(&self, config: &Config) -> Result<Client> {
        Client::new(&self.base(config)?, self.proof(config)?, self.idempotency_key.clone())
    }

    /// A client for what takes no key: a certificate it shows if it has one.
    ///
    /// # Errors
    /// No address.
    pub(super) fn keyless(&self, config: &Config) -> Result<Client> {
        let proof = match self.files()? {
            Some(files) => Proof::Certificate(files),
            None if self.unsigned => Proof::Said(self.who.clone()),
            None => Proof::Nothing,
        };
        Client::new(&self.base(config)?, proof, self.idempotency_key.clone())
    }

    /// A client of the platform at an address of this machine.
    ///
    /// # Errors
    /// No key.
    pub(super) fn client_at(&self, address: SocketAddr, config: &Config) -> Result<Client> {
        Client::new(&format!("http://{address}"), self.proof(config)?, self.idempotency_key.clone())
    }

    /// Files of a certificate, if the command line or the environment names them.
    ///
    /// # Errors
    /// If some are missing.
    pub(super) fn files(&self) -> Result<Option<Files>> {
        let of = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
        Files::of(&of(&self.cert), &of(&self.cert_key), &of(&self.ca))
    }

    fn proof(&self, config: &Config) -> Result<Proof> {
        if let Some(files) = self.files()? {
            return Ok(Proof::Certificate(files));
        }
        if self.unsigned {
            return Ok(Proof::Said(self.who.clone()));
        }
        Ok(Proof::Key { id: self.who.clone(), key: self.secret(config)?, serial: self.key_serial.clone() })
    }

    /// Whether the command line or the environment names the platform.
    pub(super) fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Whether the answer is wanted as JSON.
    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    /// Refuses an idempotency key for what has keys of its own.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn refuse_idempotency_key(&self) -> Result<()> {
        match self.idempotency_key {
            None => Ok(()),
            Some(_) => bail!("this has keys of its own, by which it is safe to run again: leave --idempotency-key out"),
        }
    }

    fn base(&self, config: &Config) -> Result<String> {
        if let Some(url) = &self.url {
            return Ok(if url.contains("://") { url.clone() } else { format!("{}://{url}", self.scheme()) });
        }
        let path = config.data_dir.join(ADDRESS_FILE);
        let address = match std::fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .with_context(|| format!("{} holds no address such as 127.0.0.1:7880", path.display()))?,
            Err(_) => config.listen,
        };
        if address.port() == 0 {
            bail!("the platform listens on a free port ({address}); say where with --url http://HOST:PORT");
        }
        Ok(format!("{}://{}", self.scheme(), reachable(address)))
    }

    fn scheme(&self) -> &'static str {
        if self.cert.is_some() { "https" } else { "http" }
    }

    fn secret(&self, config: &Config) -> Result<MacKey> {
        if let Some(hex) = &self.key {
            return MacKey::from_hex(hex).context("--key or LINTEL_KEY");
        }
        let directory = &config.data_dir;
        if !ark::vault::is_made(directory)? {
            bail!(
                "there is no vault in {} to derive the key from; name the platform's --data-dir, or give --key",
                directory.display()
            );
        }
        Ok(api_key(&api_root(config, None)?, &self.who, &self.key_serial))
    }
}

/// Where to reach what listens on all of a machine's addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// How many rows.
    #[arg(long)]
    limit: Option<u32>,
    /// Where to begin: what the page before said.
    #[arg(long)]
    cursor: Option<String>,
}

impl Page {
    /// The target of this page of a list.
    pub(crate) fn target(&self, path: &[&str], filters: &[(&str, Option<&str>)]) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let page = [("limit", limit.as_deref()), ("cursor", self.cursor.as_deref())];
        super::client::target(path, &[filters, &page].concat())
    }
}
