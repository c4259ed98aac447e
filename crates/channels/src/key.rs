//! The keys of a channel: in its settings, for a sandbox, or by name in the key service.
//!
//! | what | in the settings | in the key service |
//! |---|---|---|
//! | a MAC key | 64 hexadecimal digits | `ark:NAME`: the key service makes and checks the MACs |
//! | a private RSA or SM2 key | RSA: PKCS #8 in DER, SM2: 32 bytes; hexadecimal | `ark:NAME`: the key service signs |
//! | a secret that a format hashes with the message | the text itself | `ark:NAME=ark:vN:…`: what `lintel ark encrypt NAME` made, opened for each use |
//! | the other side's public keys | `SubjectPublicKeyInfo` in base64 or PEM | public: they stay in the settings |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ark::keys::{Error, KeyUse, NamedMac, by_platform, bytes_of};
use ark::provider::{Check, KeyError, KeyHandle, KeyKind, PublicKey, Signing};
use ark::{MacKey, Provider as _, Secret, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::error::ChannelError;

/// How a setting begins that names a key of the key service: `ark:channel/our-bank`.
pub(crate) const BY_NAME: &str = "ark:";

/// A key for HMAC-SM3.
#[derive(Debug)]
pub(crate) enum ChannelKey {
    /// In the settings: for the sandbox and development.
    Plain(MacKey),
    /// In the key service.
    Named { name: String, mac: NamedMac },
}

impl ChannelKey {
    /// Reads the setting; `None` if it is neither form, or names a key where there is no key service.
    pub(crate) fn read(channel: &'static str, text: &str, keys: Option<&Arc<dyn KeyUse>>) -> Option<Self> {
        let Some(name) = text.strip_prefix(BY_NAME) else { return MacKey::from_hex(text).ok().map(Self::Plain) };
        let mac = NamedMac::new(Arc::clone(keys?), name, &format!("channel {channel}"));
        (!name.is_empty()).then(|| Self::Named { name: name.to_owned(), mac })
    }

    /// The tag of a message in two parts.
    ///
    /// # Errors
    /// [`ChannelError::Key`].
    pub(crate) fn tag(&self, channel: &'static str, head: &[u8], body: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self {
            Self::Plain(key) => Ok(key.mac().update(head).update(body).finish().to_vec()),
            Self::Named { name, mac } => mac.tag(&whole(head, body)).map_err(failed(channel, name)),
        }
    }

    /// Whether the tag is that of a message in two parts.
    ///
    /// # Errors
    /// [`ChannelError::Key`]: then nobody knows.
    pub(crate) fn fits(
        &self,
        channel: &'static str,
        head: &[u8],
        body: &[u8],
        tag: &[u8],
    ) -> Result<bool, ChannelError> {
        match self {
            Self::Plain(key) => Ok(key.mac().update(head).update(body).verify(tag).is_ok()),
            Self::Named { name, mac } => match mac.check(&whole(head, body), tag) {
                Ok(()) => Ok(true),
                Err(Error::Provider(KeyError::Tag)) => Ok(false),
                Err(error) => Err(failed(channel, name)(error)),
            },
        }
    }
}

/// Keys of the other side that are kept ready.
const PEERS_MAX: usize = 4;

/// How messages are signed with a pair of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSA of 2048 bits, PKCS #1 with SHA-256.
    Rsa,
    /// SM2 with SM3 under the usual id; DER.
    Sm2,
}

impl Scheme {
    const fn kind(self) -> KeyKind {
        match self {
            Self::Rsa => KeyKind::Rsa2048,
            Self::Sm2 => KeyKind::Sm2,
        }
    }

    const fn signing(self) -> Signing<'static> {
        match self {
            Self::Rsa => Signing::RsaPkcs1Sha256,
            Self::Sm2 => Signing::SM2,
        }
    }

    /// The key in a `SubjectPublicKeyInfo` as the provider takes it, if it is one of this kind.
    fn public(self, info: Vec<u8>) -> Option<PublicKey> {
        let bytes = match self {
            // The frame of an RSA key of 2048 bits is 294 bytes: what has another length is another kind of key.
            Self::Rsa => (info.len() == 294).then_some(info)?,
            Self::Sm2 => info.strip_prefix(SM2_FRAME).filter(|point| point.len() == 65)?.to_vec(),
        };
        Some(PublicKey { kind: self.kind(), bytes })
    }
}

/// What stands before the point in the `SubjectPublicKeyInfo` of an SM2 key: id-ecPublicKey, the curve, a bit string.
const SM2_FRAME: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];

/// A private key that signs.
pub(crate) enum KeyPair {
    /// In the settings: for the sandbox and development.
    Plain { soft: Soft, handle: KeyHandle, scheme: Scheme },
    /// In the key service.
    Named { name: String, keys: Arc<dyn KeyUse>, reason: String },
}

impl KeyPair {
    /// Reads the setting; `None` if it is neither form, or names a key where there is no key service.
    pub(crate) fn read(
        channel: &'static str,
        text: &str,
        scheme: Scheme,
        keys: Option<&Arc<dyn KeyUse>>,
    ) -> Option<Self> {
        let Some(name) = text.strip_prefix(BY_NAME) else {
            let bytes = Zeroizing::new(hex::decode(text).ok()?);
            let soft = Soft::with_known_keys(0).ok()?;
            let handle = soft.import(scheme.kind(), &bytes).ok()?;
            return Some(Self::Plain { soft, handle, scheme });
        };
        let keys = keys.filter(|_| !name.is_empty())?;
        Some(Self::Named { name: name.to_owned(), keys: Arc::clone(keys), reason: format!("channel {channel}") })
    }

    /// The signature of a message.
    ///
    /// # Errors
    /// [`ChannelError::Key`].
    pub(crate) fn sign(&self, channel: &'static str, message: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self {
            Self::Plain { soft, handle, scheme } => soft
                .sign(*handle, scheme.signing(), message)
                .map_err(|error| failed(channel, "in the settings")(Error::Provider(error))),
            Self::Named { name, keys, reason } => {
                let text = keys.sign(&by_platform(reason), name, message).map_err(failed(channel, name))?;
                let signature = bytes_of(&text).map(|(_, bytes)| bytes);
                signature.ok_or_else(|| failed(channel, name)(Error::Provider(KeyError::Signature)))
            }
        }
    }
}

/// Shows where the key is, not the key.
impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { .. } => formatter.write_str("KeyPair(in the settings)"),
            Self::Named { name, .. } => write!(formatter, "KeyPair({BY_NAME}{name})"),
        }
    }
}

/// The public keys that the other side may sign with: two while it changes its certificate.
#[derive(Debug)]
pub(crate) struct PeerKeys {
    soft: Soft,
    scheme: Scheme,
    keys: Vec<PublicKey>,
}

impl PeerKeys {
    /// Reads `SubjectPublicKeyInfo` in base64, one or more with commas between, each with or without the lines of PEM.
    pub(crate) fn read(text: &str, scheme: Scheme) -> Option<Self> {
        let read = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
            scheme.public(BASE64_STANDARD.decode(lines.collect::<String>()).ok()?)
        };
        let keys: Option<Vec<_>> = text.split(',').map(read).collect();
        // Its tables of multiples make the keys that come again fast.
        Some(Self { soft: Soft::with_known_keys(PEERS_MAX).ok()?, scheme, keys: keys? })
    }

    /// Whether one of them made the signature.
    pub(crate) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        let scheme = self.scheme.signing();
        self.keys.iter().any(|public| self.soft.verify(&Check { public, scheme, message, signature }).is_ok())
    }
}

/// A secret that a format hashes together with the message, so that no MAC key can stand for it.
#[derive(Debug)]
pub(crate) enum SharedSecret {
    /// In the settings: for the sandbox and development.
    Plain(Secret),
    /// Encrypted under a key of the key service.
    Sealed { name: String, text: String, keys: Arc<dyn KeyUse>, context: BTreeMap<String, String>, reason: String },
}

impl SharedSecret {
    /// Reads the setting; `None` if it is neither form, empty, or names a key where there is no key service.
    pub(crate) fn read(channel: &'static str, text: &str, keys: Option<&Arc<dyn KeyUse>>) -> Option<Self> {
        let Some(named) = text.strip_prefix(BY_NAME) else {
            return (!text.is_empty()).then(|| Self::Plain(Secret::from(text)));
        };
        let (name, sealed) = named.split_once('=')?;
        bytes_of(sealed)?;
        let context = BTreeMap::from([(String::from("channel"), channel.to_owned())]);
        let (name, text, reason) = (name.to_owned(), sealed.to_owned(), format!("channel {channel}"));
        Some(Self::Sealed { name, text, keys: Arc::clone(keys?), context, reason })
    }

    /// Uses the secret's bytes.
    ///
    /// # Errors
    /// [`ChannelError::Key`].
    pub(crate) fn with<T>(&self, channel: &'static str, then: impl FnOnce(&[u8]) -> T) -> Result<T, ChannelError> {
        match self {
            Self::Plain(secret) => Ok(then(secret.expose().as_bytes())),
            Self::Sealed { name, text, keys, context, reason } => {
                let opened = keys.decrypt(&by_platform(reason), name, context, text);
                opened.map(|bytes| then(&bytes)).map_err(failed(channel, name))
            }
        }
    }
}

/// One message, wiped afterwards: a body has personal fields in it.
fn whole(head: &[u8], body: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([head, body].concat())
}

fn failed(channel: &'static str, name: &str) -> impl FnOnce(Error) -> ChannelError {
    move |source| ChannelError::Key { channel, name: name.to_owned(), source: Box::new(source) }
}
