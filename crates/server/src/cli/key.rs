//! `lintel key`: the secret of an API key, for whoever may read the data directory and has the root key of its key service;
//! and, in a sandbox, a pair for a merchant.

mod pair;

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ark::ceremony::{RootKey, Share, Shares};
use ark::keys::{Home, KeyUse, by_platform};
use ark::signing::Scheme;
use ark::vault::{KEY_FILE_NAME, api_root_beside, is_made};
use ark::{KeyService, MacKey, Soft, Vault};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::remote::Connection;
use crate::config::{ArkUnseal, Config};
use crate::http::auth::{KEY_SERIAL, OPERATOR, api_key};
use crate::shell::key_service::held_elsewhere;

/// How long a platform that has the keys may take to make its vault.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for.
const EVERY: Duration = Duration::from_millis(50);

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel key --data-dir data                     the secret of the institution's programs
  lintel key mch_1 --data-dir data               that of a merchant
  lintel key mch_1 --pair keys --data-dir data   in a sandbox: an SM2 pair for it in keys/, registered

--pair asks the platform that runs; the options below Connection say where it is and who asks. Outside a sandbox merchants \
make their own pairs: docs/api/signing.md";

/// Print the secret of an API key, or make a merchant's pair in a sandbox.
///
/// With the root key in the file ark.key, or with --shares by its custodians, who type their lines one after another. Beside a
/// platform that runs, or without one; where a device has the root key, without one.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// `operator` for the institution's programs, an operator's or a merchant's id.
    #[arg(default_value = OPERATOR)]
    id: String,
    /// Which serial number: the first unless said; rotations count up (`lintel api-key show`).
    #[arg(long, default_value = KEY_SERIAL)]
    serial: u32,
    /// Read custodians' shares from standard input, a line each, as many as it takes.
    #[arg(long)]
    shares: bool,
    /// Make a pair for this merchant of a sandbox in place of printing a secret, and register its public half.
    ///
    /// The private key (mode 0600, PKCS #8) and the public key are written into this directory, both in PEM; no file is
    /// written over.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["serial", "shares"])]
    pair: Option<PathBuf>,
    /// With --pair: RSA of 2,048 bits; SM2 unless said.
    #[arg(long, requires = "pair")]
    rsa: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Key {
    /// Prints it as 64 hexadecimal digits, or makes a pair and says where it is.
    ///
    /// # Errors
    /// A vault that does not open; of a pair, what keeps it from being made or registered.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        if let Some(directory) = &self.pair {
            let scheme = if self.rsa { Scheme::Sha256Rsa2048 } else { Scheme::Sm2WithSm3 };
            return self.connection.ask(config, |client| pair::make(client, &self.id, scheme, directory));
        }
        let root = if self.shares { Some(collect()?) } else { None };
        let until = Instant::now() + PATIENCE;
        let root = loop {
            let made = is_made(&config.data_dir)?;
            match if made { api_root(config, root.as_ref()) } else { first(config, root.as_ref()) } {
                // The platform that has the keys was opened a moment ago, and makes its vault now.
                Err(error) if !made && is_taken(&error) && Instant::now() < until => sleep(EVERY),
                root => break root?,
            }
        };
        let serial = self.serial.to_string();
        let secret = api_key(&root, &self.id, &serial).to_hex();
        if self.connection.wants_json() {
            let said = json!({"mch_id": self.id, "serial_no": serial, "secret": secret.expose()});
            super::print(&format!("{said}\n"));
        } else {
            super::print(&format!("{}\n", secret.expose()));
        }
        Ok(())
    }
}

/// Whether it is that another process has the keys.
fn is_taken(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref()).any(ark::keys::Error::is_taken)
}

/// What API keys of a data directory derive from, beside a platform that may run.
///
/// # Errors
/// No root key, or another's.
pub(super) fn api_root(config: &Config, root: Option<&RootKey>) -> Result<MacKey> {
    let directory = &config.data_dir;
    if let (None, Some(keys)) = (root, held_elsewhere(config)?) {
        return root_of(&Vault::open(directory, keys)?);
    }
    let needed = || {
        format!(
            "deriving a key from {} takes its root key: the file {KEY_FILE_NAME}, or custodians' shares for `lintel key \
             --shares`; who has an API key already gives it in LINTEL_KEY",
            directory.display()
        )
    };
    api_root_beside(config.ark_home(), root).with_context(needed)
}

/// Makes the vault of a directory whose platform did not run yet.
fn first(config: &Config, root: Option<&RootKey>) -> Result<MacKey> {
    let keys = held(config, root, "lintel key")?;
    if keys.is_none() {
        let none = "there is no vault yet, and ark.unseal is \"shares\": bring the custodians' lines with --shares";
        ensure!(config.ark.unseal == ArkUnseal::File, none);
    }
    root_of(&vault(&config.ark_home(), keys)?)
}

fn root_of(vault: &Vault) -> Result<MacKey> {
    Ok(vault.request_keys()?.root.clone())
}

/// The keys of a platform that is down: under a root key that custodians brought, or elsewhere than in its directory. `None` if the
/// file ark.key is what remains.
///
/// # Errors
/// Another's root key, and those of [`held_elsewhere`].
pub(super) fn held(config: &Config, root: Option<&RootKey>, why: &str) -> Result<Option<Arc<dyn KeyUse>>> {
    let Some(root) = root else { return held_elsewhere(config) };
    let service = KeyService::open(config.ark_home(), Arc::new(Soft::new()?))?;
    service.unseal(root, &by_platform(why))?;
    Ok(Some(Arc::new(service)))
}

/// The vault of a directory by these keys, or by the file ark.key.
///
/// # Errors
/// Those of [`Vault::open`] and [`Vault::open_with_key_file`].
pub(super) fn vault(home: &Home, keys: Option<Arc<dyn KeyUse>>) -> Result<Vault, ark::Error> {
    match keys {
        Some(keys) => Vault::open(home.directory(), keys),
        None => Vault::open_with_key_file(home),
    }
}

/// The root key of the shares on standard input.
pub(super) fn collect() -> Result<RootKey> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().read_to_string(&mut text).context("reading shares from standard input")?;
    let mut shares = Shares::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        shares.add(Share::parse(line)?)?;
    }
    Ok(shares.combine()?)
}
