//! The settings of a channel, read strictly: a name that it does not know is refused, so no typing error passes for a
//! default.

use std::sync::Arc;

use ark::keys::KeyUse;
use serde_json::Value;

use crate::error::ChannelError;
use crate::key::{ChannelKey, KeyPair, PeerKeys, Scheme, SharedSecret};
use crate::manifest::Setting;

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
