//! What providers behind a device share: how they fail, the pool of their sessions, what a production forbids, and keys
//! of this process under a root key of theirs.
//!
//! ```text
//!  caller ─► provider ─► Pool ─┬─ device a   sessions idle, sessions in use
//!                              └─ device b   dead until …: routed around, tried again
//! ```

mod error;
mod handles;
mod pool;
mod refusal;
mod rooted;
pub(crate) mod written;

pub use self::{
    error::DeviceError,
    pool::{Device, Health, Limits, Pool},
    rooted::Rooted,
};

pub(crate) use self::{
    handles::Handles,
    refusal::{no_financial, refuse_financial},
};

use crate::provider::KeyError;

/// What an installation is for. In a production no clear PIN and no terminal's key may be where the host can read it
/// (GM/T 0045), so the financial commands need a financial module there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Development and tests: every provider does what it can.
    Development,
    /// A production: PIN and terminal keys only in a financial module. What is not said otherwise is a production.
    #[default]
    Production,
}

impl Profile {
    /// Whether `provider`, which shows the host a clear PIN, may do financial commands.
    ///
    /// # Errors
    /// [`KeyError::Production`] in a production.
    pub(crate) fn allows_financial(self, provider: &'static str) -> Result<(), KeyError> {
        match self {
            Self::Development => Ok(()),
            Self::Production => Err(KeyError::Production { provider }),
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            other => Err(DeviceError::Configuration {
                what: format!("profile = \"{other}\""),
                needed: "either \"development\" or \"production\"",
            }),
        }
    }
}
