//! What the key service refuses, each with a stable code. No message carries a key, a plaintext or a share.

use std::{io, path::PathBuf};

use super::{Kind, PlaceError, Purpose, State};
use crate::{ceremony::ShareError, provider::KeyError};

/// A refusal or failure of the key service. Nothing was changed where one is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No root key: nothing can be done with any key.
    #[error("the key service is sealed; unseal it with the custodians' shares")]
    Sealed,
    /// The root key given is not the one that this key service was made under.
    #[error("this root key does not open {path}: its check value is another; bring the shares of this key service")]
    Root {
        /// The keys file.
        path: PathBuf,
    },
    /// The root key lies in a device: there are no shares of it.
    #[error("the root key of this key service lies in its device; there are no shares to bring")]
    RootInDevice,
    /// A share was refused.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// No key has this name.
    #[error("there is no key `{0}`; create it first")]
    Unknown(String),
    /// The name is taken, also by keys that are destroyed.
    #[error("a key `{0}` exists or existed; choose another name, or rotate it")]
    Exists(String),
    /// A key of this name is there, and it is not the one that the platform needs.
    #[error("there is a key `{0}` of another kind or purpose, or one that may leave: the platform cannot use it")]
    OtherKey(String),
    /// A name in another form.
    #[error("`{0}` is no name of a key: 1 to 128 of a-z, 0-9, `-`, `_`, `.`, `/`")]
    Name(String),
    /// The key never had this version.
    #[error("key `{name}` has no version {version}; its versions are 1 to {latest}")]
    Version {
        /// The key.
        name: String,
        /// What was asked for.
        version: u32,
        /// Its last version.
        latest: u32,
    },
    /// The state of the version does not allow the operation.
    #[error("version {version} of key `{name}` is {state}: it cannot {operation}")]
    State {
        /// The key.
        name: String,
        /// Its version.
        version: u32,
        /// Its state.
        state: State,
        /// What was asked for.
        operation: &'static str,
    },
    /// The key was not made for this.
    #[error("key `{name}` is for `{purpose}`: it cannot {operation}; its use was fixed when it was made")]
    Usage {
        /// The key.
        name: String,
        /// What it is for.
        purpose: Purpose,
        /// What was asked for.
        operation: &'static str,
    },
    /// The key may not leave.
    #[error("key `{0}` was not made exportable, and cannot become it")]
    NotExportable(String),
    /// A kind that cannot serve the purpose.
    #[error("a key of kind {kind} cannot be for `{purpose}`")]
    Kind {
        /// The kind.
        kind: Kind,
        /// The purpose.
        purpose: Purpose,
    },
    /// A kind that the approved mode does not have.
    #[error(
        "key `{name}` is of kind {kind}, which the approved mode does not have: use sm2, sm4 or hmac-sm3, or set ark.mode = \"any\""
    )]
    NotApproved {
        /// The key.
        name: String,
        /// Its kind.
        kind: Kind,
    },
    /// A key that is formed of components cannot be, or not yet; says why.
    #[error("{0}")]
    Forming(&'static str),
    /// An encryption context, caller or reason that is too large.
    #[error("{what} is too large: {found} where {limit} are allowed")]
    TooLarge {
        /// Which part, and its unit.
        what: &'static str,
        /// What came.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// More values in one call than allowed.
    #[error("a batch has at most {limit} values, this one has {found}; send it in parts")]
    BatchTooLarge {
        /// How many came.
        found: usize,
        /// How many may come.
        limit: usize,
    },
    /// Neither a role nor a policy lets the caller do it.
    #[error("`{caller}` may not {operation} `{key}`: it takes a role or a policy that an administrator gives")]
    NotPermitted {
        /// Who asked.
        caller: String,
        /// For what.
        operation: &'static str,
        /// With which key; empty for none.
        key: String,
    },
    /// Roles or policies that cannot be; says why.
    #[error("{0}")]
    Access(&'static str),
    /// It takes two people, and no approval was named.
    #[error("this takes two people: ask for an approval of `{0}`, have another administrator approve it, and name it")]
    ApprovalRequired(&'static str),
    /// No approval has this number.
    #[error("there is no approval {0}")]
    ApprovalUnknown(i64),
    /// The approval does not allow it.
    #[error("approval {id}: {reason}")]
    ApprovalState {
        /// Its number.
        id: i64,
        /// Why not.
        reason: &'static str,
    },
    /// Whatever did not open: altered, cut, of another key, version or context.
    #[error("decryption failed")]
    Decryption,
    /// A row that is not as it was written.
    #[error("{row} in {path} is not as it was written; put its backup in its place")]
    Damaged {
        /// Which row.
        row: String,
        /// Which file.
        path: PathBuf,
    },
    /// A file that is there already, or is no keys file of this program.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        reason: &'static str,
    },
    /// The system refused a file.
    #[error("could not {action} {path}: {source}")]
    Io {
        /// What was done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database of the keys failed.
    #[error(transparent)]
    Database(#[from] PlaceError),
    /// The provider refused or failed.
    #[error(transparent)]
    Provider(KeyError),
    /// The key service is a process of its own, and did not answer, or not as one does.
    #[error("the key service at {at} is unavailable: {problem}")]
    Unavailable {
        /// Its address.
        at: String,
        /// How it failed.
        problem: String,
    },
    /// The key service is a process of its own, and refused, in its own words.
    #[error("{message}")]
    Elsewhere {
        /// Its code.
        code: &'static str,
        /// What it says.
        message: String,
    },
    /// The key file for development.
    #[error(transparent)]
    KeyFile(#[from] crate::error::Error),
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        if matches!(error, KeyError::Decryption) { Self::Decryption } else { Self::Provider(error) }
    }
}

/// What whoever comes second is told.
pub(super) const TAKEN: &str = "another process has this key service; stop it first";

impl Error {
    /// Whether it is that another process has the keys.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::File { reason: TAKEN, .. } | Self::Database(PlaceError::Taken { .. }))
    }

    /// The stable code, for interfaces and the audit trail.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Root { .. } => "root_wrong",
            Self::RootInDevice => "root_in_device",
            Self::Share(error) => error.code(),
            Self::Unknown(_) => "key_not_found",
            Self::Exists(_) => "key_exists",
            Self::OtherKey(_) => "key_other",
            Self::Name(_) => "key_name",
            Self::Version { .. } => "key_version",
            Self::State { .. } => "key_state",
            Self::Usage { .. } => "key_usage",
            Self::NotExportable(_) => "key_not_exportable",
            Self::Kind { .. } => "key_kind",
            Self::NotApproved { .. } => "not_approved",
            Self::Forming(_) => "key_forming",
            Self::TooLarge { .. } => "too_large",
            Self::BatchTooLarge { .. } => "batch_too_large",
            Self::NotPermitted { .. } => "not_permitted",
            Self::Access(_) => "access_invalid",
            Self::ApprovalRequired(_) => "ark_approval_required",
            Self::ApprovalUnknown(_) => "ark_approval_unknown",
            Self::ApprovalState { .. } => "ark_approval_state",
            Self::Decryption => "decryption_failed",
            Self::Damaged { .. } => "key_damaged",
            Self::File { .. } => "keys_file",
            Self::Io { .. } | Self::Database(_) => "keys_unavailable",
            Self::Provider(error) => error.code(),
            Self::Unavailable { .. } => "keys_unavailable",
            Self::Elsewhere { code, .. } => code,
            Self::KeyFile(_) => "key_file",
        }
    }
}
