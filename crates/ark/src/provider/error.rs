//! What a provider answers when it cannot: stable codes, no secret, and one answer for every failed decryption.

use super::{KeyHandle, KeyKind};
use crate::{device::DeviceError, financial::TerminalKey};

/// A key operation that was not done. No message carries a key, a plaintext or why a ciphertext did not open.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such key here, or it was destroyed.
    #[error("key {0:?} is not in this provider: it was destroyed, or the handle is of another run")]
    UnknownKey(KeyHandle),

    /// The key is of a kind that cannot do this.
    #[error("a key of kind {kind} cannot {operation}")]
    WrongKind {
        /// What was asked.
        operation: &'static str,
        /// The kind of the key.
        kind: KeyKind,
    },

    /// There is no such terminal or network key here, or it was destroyed.
    #[error("terminal key {0:?} is not in this provider: it was destroyed, or the handle is of another run")]
    UnknownTerminalKey(TerminalKey),

    /// A terminal or network key that is for something else.
    #[error("the key is for another purpose or of another cipher: {needed}")]
    Purpose {
        /// What the command takes.
        needed: &'static str,
    },

    /// A parameter that is the caller's own to get right: a length, an identifier. Nothing of a ciphertext's content.
    #[error("{what} of {found} bytes: {needed}")]
    Length {
        /// Which parameter.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// What would be right.
        needed: &'static str,
    },

    /// A public key that is not one: wrong length or form, not on the curve, the point at infinity, another modulus.
    #[error("this is no public key of kind {kind}: wrong length or form, not on its curve, or the point at infinity")]
    PublicKey {
        /// The kind that it was given as.
        kind: KeyKind,
    },

    /// Bytes that are no key of this kind.
    #[error("these {found} bytes are no key of kind {kind}")]
    KeyBytes {
        /// The kind that was asked for.
        kind: KeyKind,
        /// How many bytes there were.
        found: usize,
    },

    /// A ciphertext, wrapped key or key agreement that did not open, for whatever reason.
    #[error("this does not open under this key")]
    Decryption,

    /// The signature is not one of this message under this public key.
    #[error("the signature is not valid for this message, public key and id")]
    Signature,

    /// The tag is not the one of this message under this key.
    #[error("the tag does not fit this message and key")]
    Tag,

    /// The other side of a key agreement did not prove that it has the key.
    #[error("the other side did not confirm the agreed key")]
    Agreement,

    /// A device did not do it.
    #[error(transparent)]
    Device(#[from] DeviceError),

    /// A production keeps PIN and terminal keys away from the host; this provider cannot.
    #[error(
        "profile = production: the provider {provider} shows clear PINs and terminal keys to this host; \
         PIN and terminal keys of a production belong into a financial module"
    )]
    Production {
        /// Which provider was asked.
        provider: &'static str,
    },

    /// The operating system gave no random bytes.
    #[error(
        "the operating system gives no random bytes ({0}); keys, nonces and signatures cannot be made without them"
    )]
    Random(#[source] getrandom::Error),

    /// Known answers that did not come out; nothing may be done with such a provider.
    #[error("self-tests failed: {0:?}; the program or the processor is damaged, do not use this machine for keys")]
    SelfTest(Vec<&'static str>),
}

impl KeyError {
    /// The stable code, for interfaces and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey(_) => "key_unknown",
            Self::WrongKind { .. } => "key_kind",
            Self::UnknownTerminalKey(_) => "terminal_key_unknown",
            Self::Purpose { .. } => "key_purpose",
            Self::Length { .. } => "length_invalid",
            Self::PublicKey { .. } => "public_key_invalid",
            Self::KeyBytes { .. } => "key_bytes_invalid",
            Self::Decryption => "decryption_failed",
            Self::Signature => "signature_invalid",
            Self::Tag => "tag_mismatch",
            Self::Agreement => "agreement_unconfirmed",
            Self::Device(error) => error.code(),
            Self::Production { .. } => "profile_production",
            Self::Random(_) => "random_unavailable",
            Self::SelfTest(_) => "self_test_failed",
        }
    }
}
