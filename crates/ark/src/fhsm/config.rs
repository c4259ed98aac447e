//! Which financial modules, in which vendor's dialect, and how long one waits for them: written as TOML.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Deserialize;

use super::dialect::Dialect;
use crate::device::{DeviceError, Limits, written};

/// One module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleConfig {
    /// Its name in messages.
    pub name: String,
    /// Host and port of its command interface. It is neither encrypted nor authenticated: a network of its own.
    pub address: String,
}

/// Modules that hold the same master key.
#[derive(Debug, Clone)]
pub struct Config {
    /// The modules, at least one.
    pub modules: Vec<ModuleConfig>,
    /// How they are spoken to.
    pub dialect: Arc<Dialect>,
    /// Connections and waiting for one.
    pub limits: Limits,
    /// How long a module may take to accept a connection.
    pub connect: Duration,
    /// How long a module may take from the request to the last byte of its answer.
    pub answer: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    dialect: PathBuf,
    module: Vec<ModuleConfig>,
    sessions: Option<usize>,
    wait_ms: Option<u64>,
    retry_after_ms: Option<u64>,
    connect_ms: Option<u64>,
    answer_ms: Option<u64>,
}

impl Config {
    /// How long a module may take to accept a connection, unless told otherwise.
    pub const CONNECT: Duration = Duration::from_secs(2);
    /// How long a module may take to answer, unless told otherwise.
    pub const ANSWER: Duration = Duration::from_secs(3);

    /// Reads a configuration and the profile file it names.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] for text that is none, and for a profile file that cannot be read or used.
    pub fn from_toml(text: &str) -> Result<Self, DeviceError> {
        let written: Written = written::read(text, "see \"Financial modules\" in docs/ark.md for every setting")?;
        let limits = written::limits(written.sessions, written.wait_ms, written.retry_after_ms);
        let time = |name: &str, written: Option<u64>, otherwise| match written {
            None => Ok(otherwise),
            Some(0) => {
                let needed = "at least a millisecond: without a limit a module that hangs holds its callers for ever";
                Err(DeviceError::Configuration { what: format!("{name} = 0"), needed })
            }
            Some(time_ms) => Ok(Duration::from_millis(time_ms)),
        };
        Ok(Self {
            modules: written.module,
            dialect: Arc::new(Dialect::read(&written.dialect)?),
            limits,
            connect: time("connect_ms", written.connect_ms, Self::CONNECT)?,
            answer: time("answer_ms", written.answer_ms, Self::ANSWER)?,
        })
    }
}
