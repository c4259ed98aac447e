//! Keys and personal data under Chinese national cryptography (国密).
//!
//! Three uses, one rule. Keys of any kind lie behind a [`Provider`] and are used by handle. Personal fields are sealed
//! one by one and their keys live here, apart from the journal, so that deleting a key deletes the field everywhere it
//! was ever written. The gateway signs requests and answers. The rule: what goes in readable never comes out in a
//! `Debug`, an error or a file.
//!
//! ```text
//!  ark.key  root key (SM4, 0600) ── wraps ──► vault.db  one data key per customer ── seals ──► fields in the journal
//!                                └─ wraps ──►           one MAC root ── derives ──► blind index, request fingerprint
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`provider`] | the boundary to whatever holds keys: handles, schemes, one error for what does not open |
//! | [`soft`] | the provider in this process, and its known answers |
//! | [`device`] | what providers behind devices share: errors, pooled sessions, failover, what a production forbids |
//! | [`sdf`] | devices behind any library of GM/T 0018 |
//! | [`fhsm`] | financial modules of GM/T 0045, in the dialect of a vendor's profile file |
//! | [`financial`] | commands over keys of terminals and networks: PIN blocks, MACs, tracks, keys under keys |
//! | [`pkcs11`] | tokens behind any library of PKCS #11 |
//! | [`keys`] | the key service: keys with names, versions and states, in `keys.db` |
//! | [`ceremony`] | the root key among custodians |
//! | [`audit`] | who did what with which key, chained and signed |
//! | [`sm2`] | SM2 over the library's points |
//! | [`randomness`] | tests of a provider's randomness |
//! | [`hash`], [`mac`] | SM3 and HMAC-SM3 |
//! | [`fingerprint`] | by what a request sent again is known |
//! | [`sm4_gcm`] | SM4-GCM with random nonces |
//! | [`secret`] | readable text that does not print itself |
//! | [`field`], [`mask`] | which fields are sealed, their class, and what of them may be shown |
//! | [`seal`] | a sealed field: ciphertext, key reference, class, mask |
//! | [`identity`] | certificate type and number, and their blind index |
//! | [`key_file`] | the root key of the vault in a file |
//! | [`vault`] | identity → customer id, data keys, sealing, opening, erasure |
//! | [`pem`] | keys in DER as text |
//! | [`totp`] | one-time codes of operators |
//! | [`signing`] | HMAC-SM3 signatures of the merchants' gateway |
//!
//! Nothing here depends on another crate of the platform: `server` turns [`SealedParts`] into the domain's sealed
//! field and back.

pub mod audit;
pub mod ceremony;
pub mod device;
pub mod error;
pub mod fhsm;
pub mod field;
pub mod financial;
pub mod fingerprint;
pub mod hash;
pub mod identity;
pub mod key_file;
pub mod keys;
pub mod mac;
pub mod mask;
pub mod pem;
pub mod pkcs11;
pub mod provider;
mod random;
pub mod randomness;
pub mod sdf;
pub mod seal;
pub mod secret;
pub mod signing;
pub mod sm2;
pub mod sm4_gcm;
pub mod soft;
pub mod totp;
pub mod vault;

pub use error::Error;
pub use field::{Class, Field, Kind};
pub use financial::Financial;
pub use fingerprint::FingerprintKey;
pub use hash::{Sm3, sha1, sm3};
pub use identity::{CertificateType, Identity, IdentityError};
pub use key_file::KEY_FILE_WARNING;
pub use keys::KeyService;
pub use mac::{Mac, MacKey, Mismatch};
pub use provider::Provider;
pub use seal::SealedParts;
pub use secret::Secret;
pub use soft::Soft;
pub use totp::TotpSecret;
pub use vault::{CustomerId, Known, Vault};
