//! What configurations of devices share: how their text is read, the limits, and secrets in files of their own.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{DeviceError, Limits};
use crate::{key_file::shared_mode, secret::Secret};

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

/// The one line of the file that `setting` names, which nobody but its owner may read.
pub(crate) fn secret(setting: &str, path: &Path, needed: &'static str) -> Result<Secret, DeviceError> {
    let wrong =
        |what: String| DeviceError::Configuration { what: format!("{setting} {}: {what}", path.display()), needed };
    let failed = |error: io::Error| wrong(error.to_string());
    let mut file = File::open(path).map_err(failed)?;
    // Asked of the open file, not of the path: the answer is about the line read below.
    if let Some(mode) = shared_mode(&file.metadata().map_err(failed)?) {
        return Err(wrong(format!("others may read or write it (mode {mode:04o}); chmod 600 it")));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}
