//! Which devices, which of their keys, and how many sessions: written as TOML, passwords in files of their own.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{
    device::{DeviceError, Limits, Profile, written},
    secret::Secret,
};

/// One device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// Its name in messages.
    pub name: String,
    /// The vendor's library.
    pub library: PathBuf,
    /// Whether this library's `SDF_InternalDecrypt_ECC` takes the algorithm behind the index, as several vendors' do and
    /// the standard's does not.
    #[serde(default)]
    pub decrypt_takes_algorithm: bool,
}

/// What a pair in a device is for: each index has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairUse {
    /// Signs.
    Sign,
    /// Decrypts, and takes in keys.
    Encrypt,
}

impl PairUse {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sign => "signing",
            Self::Encrypt => "encryption",
        }
    }
}

/// The password (私钥权限标识码) of the pairs at one index.
#[derive(Debug, Clone)]
pub struct PairConfig {
    /// The index in the devices.
    pub index: u32,
    /// The same in each device.
    pub password: Secret,
}

/// Devices that hold the same keys.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the installation is for.
    pub profile: Profile,
    /// The devices, at least one.
    pub devices: Vec<DeviceConfig>,
    /// The index of the key-encryption key that new keys are made under.
    pub kek: Option<u32>,
    /// Passwords.
    pub pairs: Vec<PairConfig>,
    /// Sessions and waiting.
    pub limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    profile: Option<String>,
    device: Vec<DeviceConfig>,
    kek: Option<u32>,
    #[serde(default)]
    pair: Vec<WrittenPair>,
    sessions: Option<usize>,
    wait_ms: Option<u64>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPair {
    index: u32,
    password_file: PathBuf,
}

impl Config {
    /// Reads a configuration. Without `profile` it is a production.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] for text that is none, or a password file that cannot be read.
    pub fn from_toml(text: &str) -> Result<Self, DeviceError> {
        let written: Written = written::read(text, "see \"Devices\" in docs/ark.md for every setting")?;
        let limits = written::limits(written.sessions, written.wait_ms, written.retry_after_ms);
        Ok(Self {
            profile: written.profile.map_or(Ok(Profile::default()), |profile| profile.parse())?,
            devices: written.device,
            kek: written.kek,
            pairs: written.pair.into_iter().map(WrittenPair::read).collect::<Result<_, _>>()?,
            limits,
        })
    }
}

impl WrittenPair {
    fn read(self) -> Result<PairConfig, DeviceError> {
        let needed = "a file with the password of the pair in one line, readable by this user alone";
        let password = written::secret("password_file", &self.password_file, needed)?;
        Ok(PairConfig { index: self.index, password })
    }
}
