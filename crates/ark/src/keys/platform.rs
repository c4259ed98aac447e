//! The platform's own keys: their names, who uses them in the trail, and a MAC key by name.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{By, Error, KeyUse, Purpose, Spec, State, bytes_of, text_of};
use crate::provider::{KeyError, KeyKind};

/// How the names of the platform's own keys begin. No policy reaches them, and nobody else makes one.
pub const PLATFORM: &str = "platform/";
/// Wraps what the vault keeps (SM4).
pub const VAULT_KEY: &str = "platform/vault";
/// Signs for the platform (SM2).
pub const SIGNING_KEY: &str = "platform/signing";
/// Signs the gateway's answers to merchants who sign with RSA (RSA-2048); made for the first of them.
pub const RSA_SIGNING_KEY: &str = "platform/signing-rsa";

/// Decrypts what merchants encrypt for the platform (SM2).
pub const ENCRYPTION_KEY: &str = "platform/encryption";
/// Decrypts what merchants who have RSA encrypt for the platform (RSA-2048); made with [`RSA_SIGNING_KEY`].
pub const RSA_ENCRYPTION_KEY: &str = "platform/encryption-rsa";

/// Makes the tags of pay passwords (HMAC-SM3): with it and a tag, a million tries would find the password, so it never leaves.
pub const PAY_PASSWORD_KEY: &str = "platform/pay-password";

/// A use by the platform itself, for the trail, whose time is the machine's.
#[must_use]
pub fn by_platform(reason: &str) -> By<'_> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    By::new("lintel", reason, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// Makes the keys that every platform has, where they are missing.
///
/// # Errors
/// Those of [`KeyUse::ensure`].
pub fn ensure_platform_keys(keys: &dyn KeyUse) -> Result<(), Error> {
    let by = by_platform("first start");
    keys.ensure(&by, &Spec::new(SIGNING_KEY, KeyKind::Sm2, Purpose::Sign))?;
    keys.ensure(&by, &Spec::new(ENCRYPTION_KEY, KeyKind::Sm2, Purpose::Decrypt))?;
    keys.ensure(&by, &Spec::new(PAY_PASSWORD_KEY, KeyKind::HmacSm3, Purpose::Mac)).map(drop)
}

/// A MAC key by its name, for a protocol whose tags carry no version: the current version makes them, and one before is still
/// believed.
#[derive(Debug, Clone)]
pub struct NamedMac {
    keys: Arc<dyn KeyUse>,
    name: String,
    reason: String,
}

impl NamedMac {
    /// The key of this name, used for this reason. It need not be there yet.
    #[must_use]
    pub fn new(keys: Arc<dyn KeyUse>, name: &str, reason: &str) -> Self {
        Self { keys, name: name.to_owned(), reason: reason.to_owned() }
    }

    /// The tag of a message.
    ///
    /// # Errors
    /// Those of [`KeyUse::hmac`].
    pub fn tag(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let text = self.keys.hmac(&by_platform(&self.reason), &self.name, message)?;
        bytes_of(&text).map(|(_, tag)| tag).ok_or(Error::Provider(KeyError::Tag))
    }

    /// Compares a tag with the message's, in constant time, under every version that verifies, the newest first.
    ///
    /// # Errors
    /// [`Error::Provider`] with `tag_mismatch` if it is none of theirs, else those of [`KeyUse::verify_hmac`].
    pub fn check(&self, message: &[u8], tag: &[u8]) -> Result<(), Error> {
        let verifies = |state| matches!(state, State::Active | State::Suspended | State::Deactivated);
        let versions = self.keys.info(&self.name)?.versions;
        for version in versions.iter().rev().filter(|version| verifies(version.state)) {
            let text = text_of(version.version, tag);
            match self.keys.verify_hmac(&by_platform(&self.reason), &self.name, message, &text) {
                Err(Error::Provider(KeyError::Tag)) => {}
                checked => return checked,
            }
        }
        Err(Error::Provider(KeyError::Tag))
    }
}
