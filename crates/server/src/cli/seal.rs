//! Encrypting fields for the platform (docs/api/signing.md): what a command brings from a file or standard input, never as an argument.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ark::provider::{KeyKind, PublicKey, PublicKeyEncryption};
use ark::{Provider as _, Secret, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::client::{Client, target};

/// The platform's SM2 key for encryption.
pub(super) struct Sealer {
    soft: Soft,
    public: PublicKey,
    serial: String,
}

impl Sealer {
    /// Asks for the key that encrypts now.
    ///
    /// # Errors
    /// No answer, or none with such a key.
    pub(super) fn of(client: &Client) -> Result<Self> {
        let keys = client.get(&target(&["v1", "platform-keys"], &[]))?;
        let mut keys = keys["data"].as_array().into_iter().flatten();
        let key = keys.find(|key| key["encrypts"] == true && key["scheme"] == "SM2-DER");
        let key = key.context("the platform has no key that encrypts; is it older than this program?")?;
        let text = |name: &str| key[name].as_str().unwrap_or_default();
        let der: String = text("public_key").lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(der).context("reading the platform's key")?;
        // The point ends it.
        let at = der.len().checked_sub(65).context("the platform's key is too short for SM2")?;
        let public = PublicKey { kind: KeyKind::Sm2, bytes: der[at..].to_vec() };
        let soft = Soft::with_known_keys(0).context("beginning to encrypt")?;
        Ok(Self { soft, public, serial: text("serial_no").to_owned() })
    }

    /// What names the key.
    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// A text as it goes into a field.
    ///
    /// # Errors
    /// An empty text.
    pub(super) fn seal(&self, text: &str) -> Result<Value> {
        let sealed = self.soft.encrypt_for(&self.public, PublicKeyEncryption::Sm2Der, text.as_bytes());
        Ok(format!("encrypted:{}", BASE64_STANDARD.encode(sealed.context("encrypting a field")?)).into())
    }
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// If it does not read, or has more than a few fields would.
pub(super) fn read(file: &Path) -> Result<Secret> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(65_536).read_to_string(&mut text).context("reading standard input")?;
    } else {
        let open = std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
        open.take(65_536).read_to_string(&mut text).with_context(|| format!("reading {}", file.display()))?;
    }
    if text.trim().is_empty() {
        bail!(
            "{} is empty",
            if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
        );
    }
    Ok(Secret::new(text.trim().to_owned()))
}
