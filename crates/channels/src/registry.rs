//! Every channel, one line each.

use std::sync::Arc;

use ark::keys::KeyUse;
use serde_json::Value;

use crate::channel::Channel;
use crate::error::ChannelError;
use crate::manifest::Setting;
use crate::{sandbox_bank, sandbox_fund};

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

/// Every channel there is.
pub const CHANNELS: &[Entry] = &[
    Entry { name: sandbox_bank::NAME, settings: sandbox_bank::SETTINGS, open: sandbox_bank::open },
    Entry { name: sandbox_fund::NAME, settings: sandbox_fund::SETTINGS, open: sandbox_fund::open },
];

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

fn open(name: &str, config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let entry = CHANNELS.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<_> = CHANNELS.iter().map(|entry| entry.name).collect();
        ChannelError::Unregistered { name: name.to_owned(), known: known.join(", ") }
    })?;
    (entry.open)(config, keys)
}
