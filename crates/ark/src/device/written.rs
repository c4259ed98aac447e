//! What configurations of devices share: how their text is read, the limits, and secrets in files of their own.

use std::{fs, path::Path, time::Duration};

use serde::de::DeserializeOwned;

use super::{DeviceError, Limits};
use crate::secret::Secret;

/// Reads TOML; `needed` says where the settings are explained.
pub(crate) fn read<T: DeserializeOwned>(text: &str, needed: &'static str) -> Result<T, DeviceError> {
    toml::from_str(text)
        .map_err(|error| DeviceError::Configuration { what: error.to_string().trim_end().to_owned(), needed })
}

/// The limits that were set, and the usual ones.
pub(crate) fn limits(sessions: Option<usize>, wait_ms: Option<u64>, retry_after_ms: Option<u64>) -> Limits {
    let usual = Limits::default();
    Limits {
        sessions: sessions.unwrap_or(usual.sessions),
        wait: wait_ms.map_or(usual.wait, Duration::from_millis),
        retry_after: retry_after_ms.map_or(usual.retry_after, Duration::from_millis),
    }
}

/// The one line of the file that `setting` names.
pub(crate) fn secret(setting: &str, path: &Path, needed: &'static str) -> Result<Secret, DeviceError> {
    let text = fs::read_to_string(path).map_err(|error| DeviceError::Configuration {
        what: format!("{setting} {}: {error}", path.display()),
        needed,
    })?;
    let text = zeroize::Zeroizing::new(text);
    Ok(text.trim_end_matches(['\r', '\n']).into())
}
