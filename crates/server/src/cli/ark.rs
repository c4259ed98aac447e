//! `lintel ark`: the key service by hand. Making one, restoring one and verifying a copy's trail need no platform; all else
//! asks the one that runs, or `lintel ark serve`, for one process has the keys.
//!
//! Plaintexts, messages and shares come from standard input or a file, never from the command line: other users of the
//! machine see that.

mod financial;
mod offline;
mod rewrap_vault;
mod serve;
mod verbs;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::offline::Trail;
use super::remote::{Connection, Remote};
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel ark serve --data-dir ark --cert ark.pem --cert-key ark.key --ca callers-ca.pem
  lintel ark status --url https://ark.example:7882 --cert alice.pem --cert-key alice.key --ca ark-ca.pem
  lintel ark init --shares 5 --threshold 3                    deals the root key; the shares are shown once
  lintel ark unseal                                           reads a share from standard input, one custodian at a time
  lintel ark keys create orders --kind sm4 --purpose encrypt
  lintel ark access allow operator --prefix orders encrypt decrypt
  lintel ark keys take-in channel/our-bank --in FILE          a key that a bank gave, in hexadecimal
  echo -n secret | lintel ark encrypt orders --context merchant=7
  lintel ark keys rotate platform/vault && lintel ark rewrap-vault
  lintel ark financial form t1/tmk --kind sm4 --purpose terminal-master --components 2
  lintel ark financial component t1/tmk --as opr_3            reads hexadecimal digits; then another custodian
  lintel ark approvals propose destroy orders 1 --reason \"no longer needed\" --as opr_1
  lintel ark audit verify --file keys-backup.db --public-key BASE64
  lintel --config pg.toml ark restore keys-backup.db          into the PostgreSQL schema of [ark.place], which must hold no keys
  lintel --config pg.toml ark audit verify --offline --public-key BASE64";

/// The key service.
#[derive(Debug, Subcommand)]
pub(crate) enum Ark {
    Serve(serve::Serve),
    /// Make the key service in the data directory, before the platform's first start, and deal its root key among custodians or make
    /// it in a device.
    ///
    /// With the setting ark.provider = "sdf" or "pkcs11" the root key is made in the device, which opens the key service at
    /// start: nobody has shares then.
    Init {
        /// How many custodians have a share each.
        #[arg(long, requires = "threshold")]
        shares: Option<u8>,
        /// How many of them open the key service: two or more.
        #[arg(long, requires = "shares")]
        threshold: Option<u8>,
    },
    /// Put a backup where keys lie by the settings, which must be empty, while no process has them: keys.db of the data directory, or the
    /// schema of [ark.place].
    ///
    /// What was destroyed since the backup is destroyed again before service, by keys.tombstones in the data directory.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Where the key service stands.
    Status,
    /// Bring a share, from standard input.
    Unseal {
        /// Forget the shares brought before, such as one of another set.
        #[arg(long)]
        forget: bool,
        #[command(flatten)]
        input: Input,
    },
    /// Forget root key and all keys until custodians open it again.
    Seal {
        #[command(flatten)]
        why: Why,
    },
    /// Deal another root key; takes an approval, and seals.
    ChangeRoot {
        /// How many custodians have a share each.
        #[arg(long)]
        shares: u8,
        /// How many of them open the key service.
        #[arg(long)]
        threshold: u8,
        #[command(flatten)]
        why: Why,
    },
    /// Move all keys under a new key-encryption key.
    RewrapKeys {
        #[command(flatten)]
        why: Why,
    },
    RewrapVault(rewrap_vault::RewrapVault),
    /// Copy the keys file of the running key service.
    Backup {
        /// Where the copy goes; must not exist.
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
    /// Keys: create, list, show, rotate, steps of their lives, export, import.
    #[command(subcommand)]
    Keys(verbs::Keys),
    /// Encrypt standard input.
    Encrypt(verbs::Seal),
    /// Decrypt a ciphertext from standard input.
    Decrypt(verbs::Seal),
    /// Move a ciphertext from standard input to the key's current version.
    Rewrap(verbs::Seal),
    /// Make a data key.
    Datakey {
        /// Which key encrypts it.
        name: String,
        /// 16 to 64.
        #[arg(long, default_value_t = 16)]
        bytes: u32,
        /// A pair that it is bound to; may be given several times.
        #[arg(long, value_name = "NAME=VALUE")]
        context: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Sign standard input.
    Sign(verbs::Tag),
    /// Verify a signature over standard input.
    Verify(verbs::Check),
    /// Make a tag of standard input.
    Hmac(verbs::Tag),
    /// Verify a tag of standard input.
    VerifyHmac(verbs::Check),
    /// Random bytes in base64.
    Random {
        /// How many.
        bytes: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Test the algorithms by their known answers; what does not pass seals the key service.
    SelfTest {
        /// Test randomness too, after GM/T 0005: twenty samples of a million bits, some seconds.
        #[arg(long)]
        randomness: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Keys of terminals and zones: formed, taken in, given out; PIN blocks, MACs, tracks.
    #[command(subcommand)]
    Financial(financial::Financial),
    /// Roles and policies.
    #[command(subcommand)]
    Access(verbs::Access),
    /// What takes two people.
    #[command(subcommand)]
    Approvals(verbs::Approvals),
    /// The trail.
    #[command(subcommand)]
    Audit(Audit),
}

/// The trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Records, in order.
    List {
        /// Behind this number.
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// How many, 1 to 1,000.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Verify all of it: of the running key service, of a copy, or where it lies.
    Verify {
        /// A backup, or the keys file while no platform runs; needs --public-key.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Read it where keys lie by the settings, keys.db or the schema of [ark.place], beside the process that has them or without
        /// one; needs --public-key.
        #[arg(long, conflicts_with = "file")]
        offline: bool,
        /// The key that signs the trail, as `lintel ark status` showed it once.
        #[arg(long, value_name = "BASE64")]
        public_key: Option<String>,
    },
}

/// Beside what is asked for.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Why, for the trail.
    #[arg(long, default_value = "")]
    reason: String,
    /// The number of the approval, for what takes two people.
    #[arg(long)]
    approval: Option<i64>,
}

impl Why {
    fn target(&self, path: &[&str]) -> String {
        let approval = self.approval.map(|number| number.to_string());
        let reason = Some(self.reason.as_str()).filter(|reason| !reason.is_empty());
        let path = [&["v1", "ark"][..], path].concat();
        super::client::target(&path, &[("reason", reason), ("approval", approval.as_deref())])
    }
}

/// Where bytes come from.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// A file in the place of standard input.
    #[arg(long = "in", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Input {
    fn bytes(&self) -> Result<Vec<u8>> {
        use anyhow::Context as _;
        use std::io::Read as _;
        if let Some(path) = &self.file {
            return std::fs::read(path).with_context(|| format!("reading {}", path.display()));
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("reading standard input")?;
        Ok(bytes)
    }

    fn text(&self) -> Result<String> {
        use anyhow::Context as _;
        let text = String::from_utf8(self.bytes()?).ok().context("this is not text")?;
        Ok(text.trim().to_owned())
    }
}

/// Does it.
///
/// # Errors
/// What the platform or the files refuse.
pub(super) fn run(ark: &Remote<Ark>, config: Config) -> Result<ExitCode> {
    let (connection, verb) = ark.parts();
    if let Ark::Serve(serve) = verb {
        return Ok(serve.run(connection, config));
    }
    run_verb(connection, verb, &config).map(|()| ExitCode::SUCCESS)
}

fn run_verb(connection: &Connection, verb: &Ark, config: &Config) -> Result<()> {
    if let Ark::Init { shares, threshold } = verb {
        return offline::init(config, threshold.zip(*shares), connection.wants_json());
    }
    if let Ark::Restore { file } = verb {
        return offline::restore(config, file, connection.wants_json());
    }
    if let Ark::Audit(Audit::Verify { file, offline, public_key }) = verb {
        let trail = match file {
            Some(file) => Some(Trail::Copy(file)),
            None => offline.then_some(Trail::Lying(config)),
        };
        if let Some(trail) = trail {
            return offline::verify(&trail, public_key.as_deref(), connection.wants_json());
        }
    }
    // While it is sealed nobody's key can be told from another's: what custodians ask needs none.
    if let Ark::Status | Ark::Unseal { .. } = verb
        && let Some(answer) = verbs::ask_unsigned(verb, &connection.keyless(config)?)?
    {
        return connection.show(answer);
    }
    connection.ask(config, |client| verbs::ask(verb, client))
}
