//! The key shared with a channel: in its settings, or by name in the key service, which then makes and checks the MACs.

use std::sync::Arc;

use ark::MacKey;
use ark::keys::{Error, KeyUse, NamedMac};
use ark::provider::KeyError;
use zeroize::Zeroizing;

use crate::error::ChannelError;

/// How a setting begins that names a key of the key service: `ark:channel/our-bank`.
const BY_NAME: &str = "ark:";

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

/// One message, wiped afterwards: a body has personal fields in it.
fn whole(head: &[u8], body: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([head, body].concat())
}

fn failed(channel: &'static str, name: &str) -> impl FnOnce(Error) -> ChannelError {
    move |source| ChannelError::Key { channel, name: name.to_owned(), source: Box::new(source) }
}
