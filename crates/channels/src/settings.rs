//! The settings of a channel, read strictly: a name that it does not know is refused, so no typing error passes for a
//! default.

use std::sync::Arc;

use ark::keys::KeyUse;
use serde_json::Value;

use crate::codes::Codes;
use crate::error::ChannelError;
use crate::key::{ChannelKey, KeyPair, PeerKeys, Scheme, SharedSecret};
use crate::manifest::Setting;
use crate::signed_text::Signer;

/// How messages are signed, of a channel that takes either.
pub(crate) const SIGN_METHOD: Setting = Setting::open("sign_method", "`sm2`: SM2 with SM3; `rsa`: RSA with SHA-256");
/// Our private key there.
pub(crate) const KEY: Setting = Setting::secret(
    "key",
    "our private key: `ark:NAME` of one in the key service; for a sandbox in hexadecimal (SM2: 32 bytes, RSA-2048: PKCS #8)",
);
/// The other side's public keys there.
pub(crate) const PEER_KEY: Setting = Setting::open(
    "peer_key",
    "the other side's public key (openssl pkey -pubout; of its certificate: openssl x509 -noout -pubkey), PEM or its base64; two with a \
     comma between while it changes",
);
/// Where a channel of one path posts.
pub(crate) const PATH: Setting = Setting::open("path", "where messages are posted: a path; / if not said");
/// What codes say.
pub(crate) const CODES: Setting = Setting::open(
    "codes",
    "CODE=WORD,… of the codes that your agreement names, as long as the one for \"done\"; words: user, bank, risk, system (refused for \
     good, and whose failure), duplicate, not_found; the sandbox's if not said",
);

/// The settings of one channel.
pub(crate) struct Settings<'a> {
    channel: &'static str,
    values: &'a serde_json::Map<String, Value>,
    keys: Option<&'a Arc<dyn KeyUse>>,
}

impl<'a> Settings<'a> {
    pub(crate) fn read(
        channel: &'static str,
        known: &'static [Setting],
        config: &'a Value,
        keys: Option<&'a Arc<dyn KeyUse>>,
    ) -> Result<Self, ChannelError> {
        let names = || known.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ");
        let wrong =
            |setting: &str, reason: String| ChannelError::Config { channel, setting: setting.to_owned(), reason };
        let values = config.as_object().ok_or_else(|| wrong("", format!("settings are an object of {}", names())))?;
        if let Some(name) = values.keys().find(|name| known.iter().all(|setting| setting.name != name.as_str())) {
            return Err(wrong(name, format!("there is no such setting; there are {}", names())));
        }
        Ok(Self { channel, values, keys })
    }

    pub(crate) fn text(&self, setting: &Setting) -> Result<&'a str, ChannelError> {
        self.values.get(setting.name).and_then(Value::as_str).ok_or_else(|| self.wrong(setting))
    }

    /// A setting that need not be there.
    pub(crate) fn text_or(&self, setting: &Setting, default: &'a str) -> Result<&'a str, ChannelError> {
        if self.values.contains_key(setting.name) { self.text(setting) } else { Ok(default) }
    }

    /// A setting that has no default.
    pub(crate) fn maybe(&self, setting: &Setting) -> Result<Option<&'a str>, ChannelError> {
        if self.values.contains_key(setting.name) { self.text(setting).map(Some) } else { Ok(None) }
    }

    /// A text that `fits`.
    pub(crate) fn fitting(&self, setting: &Setting, fits: impl Fn(&str) -> bool) -> Result<String, ChannelError> {
        let text = self.text(setting)?;
        if fits(text) { Ok(text.to_owned()) } else { Err(self.wrong(setting)) }
    }

    /// As [`Settings::fitting`], where the setting need not be there.
    pub(crate) fn fitting_or(
        &self,
        setting: &Setting,
        default: &'a str,
        fits: impl Fn(&str) -> bool,
    ) -> Result<String, ChannelError> {
        let text = self.text_or(setting, default)?;
        if fits(text) { Ok(text.to_owned()) } else { Err(self.wrong(setting)) }
    }

    /// Two different words of letters, digits and dots with a comma between, where the setting need not be there.
    pub(crate) fn pair_or(&self, setting: &Setting, default: &'a str) -> Result<(String, String), ChannelError> {
        let fits =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let pair = self.text_or(setting, default)?.split_once(',');
        let pair = pair.filter(|(first, second)| fits(first) && fits(second) && first != second);
        pair.map(|(first, second)| (first.to_owned(), second.to_owned())).ok_or_else(|| self.wrong(setting))
    }

    /// A key for HMAC-SM3.
    pub(crate) fn mac_key(&self, setting: &Setting) -> Result<ChannelKey, ChannelError> {
        ChannelKey::read(self.channel, self.text(setting)?, self.keys).ok_or_else(|| self.wrong(setting))
    }

    /// A private key.
    pub(crate) fn key_pair(&self, setting: &Setting, scheme: Scheme) -> Result<KeyPair, ChannelError> {
        KeyPair::read(self.channel, self.text(setting)?, scheme, self.keys).ok_or_else(|| self.wrong(setting))
    }

    /// The other side's public keys.
    pub(crate) fn peer_keys(&self, setting: &Setting, scheme: Scheme) -> Result<PeerKeys, ChannelError> {
        PeerKeys::read(self.text(setting)?, scheme).ok_or_else(|| self.wrong(setting))
    }

    /// How messages are signed with pairs of keys: `sm2` or `rsa`.
    pub(crate) fn scheme(&self, setting: &Setting) -> Result<Scheme, ChannelError> {
        match self.text(setting)? {
            "sm2" => Ok(Scheme::Sm2),
            "rsa" => Ok(Scheme::Rsa),
            _ => Err(self.wrong(setting)),
        }
    }

    /// Our private key and the other side's public keys.
    pub(crate) fn signer(&self, ours: &Setting, theirs: &Setting, scheme: Scheme) -> Result<Signer, ChannelError> {
        Ok(Signer { ours: self.key_pair(ours, scheme)?, theirs: self.peer_keys(theirs, scheme)? })
    }

    /// Codes with what they say, each as long as `done`, which is no refusal.
    pub(crate) fn codes(&self, setting: &Setting, default: &'a str, done: &str) -> Result<Codes, ChannelError> {
        Codes::read(self.text_or(setting, default)?, done).ok_or_else(|| self.wrong(setting))
    }

    /// A shared secret that the format needs as bytes.
    pub(crate) fn shared_secret(&self, setting: &Setting) -> Result<SharedSecret, ChannelError> {
        SharedSecret::read(self.channel, self.text(setting)?, self.keys).ok_or_else(|| self.wrong(setting))
    }

    /// Refuses a setting that belongs to another choice.
    pub(crate) fn absent(&self, setting: &Setting, reason: &str) -> Result<(), ChannelError> {
        if self.values.contains_key(setting.name) { Err(self.refused(setting, reason)) } else { Ok(()) }
    }

    /// A setting that does not go with another one.
    pub(crate) fn refused(&self, setting: &Setting, reason: &str) -> ChannelError {
        let (channel, setting) = (self.channel, setting.name.to_owned());
        ChannelError::Config { channel, setting, reason: reason.to_owned() }
    }

    pub(crate) fn wrong(&self, setting: &Setting) -> ChannelError {
        let reason = format!("it must be a text: {}", setting.doc);
        ChannelError::Config { channel: self.channel, setting: setting.name.to_owned(), reason }
    }
}
