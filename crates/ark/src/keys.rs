//! The key service: keys with names, versions, states and a trail, in a file or a schema of its own.
//!
//! ```text
//!  root key (custodians, or a device)
//!   └─ wraps ─► key-encryption key, generations ─ wraps ─► versions of named keys
//!   └─ wraps ─► row key (HMAC-SM3: an altered row is refused)  ·  audit key (SM2: signs the trail)
//!
//!  sealed ── m shares, or a key file ──► open ── seal ──► sealed
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`life`] | states of a version, pure |
//! | `service` | seal and unseal, info |
//! | `place` | where the rows lie: SQLite or PostgreSQL, one process at a time |
//! | `load` | rows to keys, at unsealing |
//! | `operate` | encrypt, decrypt, sign … by name |
//! | `change` | create, rotate, states, import and export |
//! | `financial` | keys of terminals and zones: formed, taken in, given out; PIN blocks, MACs, tracks |
//! | `held` | a key as the provider has it: a general one, or one of a terminal or zone |
//! | `kind` | kinds and purposes |
//! | `overlap` | which version of the platform's signing keys signs while a next one waits |
//! | `at_hand` | which uses wait for nothing |
//! | `told` | what it tells of keys and of the trail |
//! | `upkeep` | tick, re-wrap under a new key-encryption key or root, backup and restore |
//! | `access`, `approval` | who may do what; what takes two people |
//! | `beside` | one value opened beside the process that has the keys, and a copy of the file |
//! | `platform` | the platform's own keys by name |
//! | `key_use`, `financial_use` | what the platform asks of it, as traits |
//! | `row`, `tombstone` | rows and destroyed keys as they lie on disk |
//!
//! Invariants: the rows hold no key in clear, and the root key is not among them; purpose, kind and whether a key may leave
//! are fixed when it is made; a use is counted before its result leaves, in durable blocks, so a crash counts too many
//! and never too few; one process has the rows. The clock is the caller's: every call says when it is.

mod access;
mod approval;
mod at_hand;
mod beside;
mod change;
mod error;
mod financial;
mod financial_use;
mod held;
mod key_use;
mod kind;
pub mod life;
mod load;
mod operate;
mod overlap;
pub(crate) mod place;
mod platform;
mod row;
mod service;
mod text;
mod told;
mod tombstone;
mod upkeep;

use std::collections::BTreeMap;

pub(crate) use self::text::version_of;
pub use self::{
    access::{Access, Change, OPERATIONS, Role},
    approval::{APPROVAL_LIFE_MS, Approval, ApprovalState, Dangerous, Proposal},
    beside::{copy, open_beside},
    error::Error,
    financial::{Birth, Exported, Formed, KeyAt, PinAt, TrackAt},
    financial_use::FinancialUse,
    key_use::{KeyUse, Many},
    kind::{Kind, Purpose},
    life::{Rotation, State, Step},
    operate::{BATCH_MAX, DataKey, RANDOM_MAX},
    place::{Home, PlaceError, PostgresConfig},
    platform::{
        ENCRYPTION_KEY, NamedMac, PAY_PASSWORD_KEY, PLATFORM, RSA_ENCRYPTION_KEY, RSA_SIGNING_KEY, SIGNING_KEY,
        VAULT_KEY, by_platform, ensure_platform_keys,
    },
    service::{KEYS_NAME, KeyService},
    text::{bytes_of, text_of},
    told::SelfTest,
    tombstone::TOMBSTONES_NAME,
    upkeep::{Done, restore},
};
use crate::provider::{CHECK_VALUE_LENGTH, PublicKey};

/// Who calls, why, and when it is.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The caller, as the interface has established it. At most 256 bytes.
    pub caller: &'a str,
    /// Why, for the trail; may be empty. At most 256 bytes.
    pub reason: &'a str,
    /// Now, in milliseconds since 1970.
    pub now: i64,
    /// Whether compromised versions may still open and verify for this call.
    pub compromised_too: bool,
}

impl<'a> By<'a> {
    /// A call that takes no compromised version.
    #[must_use]
    pub const fn new(caller: &'a str, reason: &'a str, now: i64) -> Self {
        Self { caller, reason, now, compromised_too: false }
    }
}

/// What a ciphertext is bound to: pairs that must be given again to decrypt. In the order of their names.
pub type Context = BTreeMap<String, String>;

/// A key to be made.
#[derive(Debug, Clone, Copy)]
pub struct Spec<'a> {
    /// Its name: 1 to 128 of a-z, 0-9, `-`, `_`, `.`, `/`.
    pub name: &'a str,
    /// Its kind.
    pub kind: Kind,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it may leave, wrapped.
    pub exportable: bool,
    /// Whether its first version waits for [`Step::Activate`].
    pub pre_active: bool,
    /// When it is rotated.
    pub rotation: Rotation,
    /// How long a scheduled destruction waits, in milliseconds.
    pub wait_ms: i64,
}

impl<'a> Spec<'a> {
    /// Seven days, in milliseconds.
    pub const WAIT_MS: i64 = 7 * 86_400_000;

    /// Active at once, never leaves, never rotated by itself, destruction waits seven days.
    #[must_use]
    pub fn new(name: &'a str, kind: impl Into<Kind>, purpose: Purpose) -> Self {
        let rotation = Rotation { age: None, uses: None };
        Self {
            name,
            kind: kind.into(),
            purpose,
            exportable: false,
            pre_active: false,
            rotation,
            wait_ms: Self::WAIT_MS,
        }
    }
}

/// What may be shown of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it may leave, wrapped.
    pub exportable: bool,
    /// When it is rotated.
    pub rotation: Rotation,
    /// How long a scheduled destruction waits, in milliseconds.
    pub wait_ms: i64,
    /// Its versions, from 1.
    pub versions: Vec<VersionInfo>,
}

/// What may be shown of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Its number, from 1.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// From when it signs, in milliseconds since 1970, where one before it is active too; see [`KeyService::with_overlap`].
    pub signs_from: Option<i64>,
    /// When it is destroyed, if that is scheduled.
    pub destroy_at: Option<i64>,
    /// Uses that protected something: counted up after a crash, never down.
    pub uses: u64,
    /// Check value of a cipher's key; of others the start of SM3 of the public key or of a tag over nothing. `None` once
    /// destroyed.
    pub check_value: Option<[u8; CHECK_VALUE_LENGTH]>,
    /// The public key of a pair; `None` once destroyed.
    pub public: Option<PublicKey>,
}
