//! Every channel by its name. Which there are is the list in `lib.rs`, one line each.

use std::sync::Arc;

use ark::keys::KeyUse;
use serde_json::Value;

use crate::channel::Channel;
use crate::error::ChannelError;
use crate::key::BY_NAME;
use crate::manifest::Setting;

/// A kind of channel that can be configured.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
    open: Opens,
}

/// Makes a channel of its settings and the key service, if there is one.
type Opens = fn(&Value, Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError>;

impl Entry {
    pub(crate) const fn new(name: &'static str, settings: &'static [Setting], open: Opens) -> Self {
        Self { name, settings, open }
    }
}

/// Every channel there is.
pub const CHANNELS: &[Entry] = crate::REGISTERED;

/// The channel of a name under a configuration, which is an object of its settings. Its keys are in them.
///
/// # Errors
/// [`ChannelError::Unregistered`], [`ChannelError::Config`].
pub fn by_name(name: &str, config: &Value) -> Result<Arc<dyn Channel>, ChannelError> {
    open(name, config, None)
}

/// As [`by_name`], where settings may name keys of this key service.
///
/// # Errors
/// As [`by_name`].
pub fn with_keys(name: &str, config: &Value, keys: &Arc<dyn KeyUse>) -> Result<Arc<dyn Channel>, ChannelError> {
    open(name, config, Some(keys))
}

/// The secret settings of a channel that stand there themselves, and not as the name of a key in the key service; none of a channel
/// that there is not.
#[must_use]
pub fn clear_secrets(name: &str, config: &Value) -> Vec<&'static str> {
    let settings = CHANNELS.iter().find(|entry| entry.name == name).map_or(&[][..], |entry| entry.settings);
    let stands = |setting: &&Setting| {
        let value = config.get(setting.name).filter(|_| setting.secret);
        value.is_some_and(|value| !value.as_str().is_some_and(|text| text.starts_with(BY_NAME)))
    };
    settings.iter().filter(stands).map(|setting| setting.name).collect()
}

fn open(name: &str, config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let entry = CHANNELS.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<_> = CHANNELS.iter().map(|entry| entry.name).collect();
        ChannelError::Unregistered { name: name.to_owned(), known: known.join(", ") }
    })?;
    (entry.open)(config, keys)
}
