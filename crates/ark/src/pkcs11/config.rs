//! Which tokens, which key keys are made under, and how many sessions: written as TOML, PINs in files of their own.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{
    device::{DeviceError, Limits, Profile, written},
    secret::Secret,
};

/// One token.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// Its name in messages.
    pub name: String,
    /// The vendor's library (`libsofthsm2.so`, …).
    pub library: PathBuf,
    /// The token's label or its serial number, as the vendor's tool shows it.
    pub token: String,
    /// The PIN of the token's user (`CKU_USER`).
    pub pin: Secret,
}

/// Tokens that hold the same keys.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the installation is for.
    pub profile: Profile,
    /// The tokens, at least one.
    pub tokens: Vec<TokenConfig>,
    /// The label of the AES key in the tokens that new keys are made under.
    pub kek: Option<String>,
    /// Sessions and waiting.
    pub limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    profile: Option<String>,
    device: Vec<WrittenToken>,
    kek: Option<String>,
    sessions: Option<usize>,
    wait_ms: Option<u64>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    name: String,
    library: PathBuf,
    token: String,
    pin_file: PathBuf,
}

impl Config {
    /// Reads a configuration. Without `profile` it is a production.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] for text that is none, or a PIN file that cannot be read.
    pub fn from_toml(text: &str) -> Result<Self, DeviceError> {
        let written: Written = written::read(text, "see \"Tokens\" in docs/ark.md for every setting")?;
        let limits = written::limits(written.sessions, written.wait_ms, written.retry_after_ms);
        Ok(Self {
            profile: written.profile.map_or(Ok(Profile::default()), |profile| profile.parse())?,
            tokens: written.device.into_iter().map(WrittenToken::read).collect::<Result<_, _>>()?,
            kek: written.kek,
            limits,
        })
    }
}

impl WrittenToken {
    fn read(self) -> Result<TokenConfig, DeviceError> {
        let needed = "a file with the PIN of the token's user in one line, readable by this user alone";
        let pin = written::secret("pin_file", &self.pin_file, needed)?;
        Ok(TokenConfig { name: self.name, library: self.library, token: self.token, pin })
    }
}
