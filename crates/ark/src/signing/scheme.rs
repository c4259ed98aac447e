//! Which algorithm signs: a secret that both sides share, or a pair of which the platform knows the public half.

use super::SigningError;
use crate::{
    mac::TAG_LENGTH,
    provider::{KeyKind, Signing},
};

/// The schemes by name, for messages.
pub(super) const SCHEMES: &str = "LINTEL-HMAC-SM3, LINTEL-SM2-WITH-SM3 or LINTEL-SHA256-RSA2048";

/// What stands in front of the parameters of an `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HMAC-SM3 with a secret of 32 bytes; the signature is the tag.
    HmacSm3,
    /// SM2 with SM3 (GB/T 32918.2) and the id `1234567812345678` (GM/T 0009); the signature is DER.
    Sm2WithSm3,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017) and a key of 2,048 bits; the signature is 256 bytes.
    Sha256Rsa2048,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 3] = [Self::HmacSm3, Self::Sm2WithSm3, Self::Sha256Rsa2048];

    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSm3 => "LINTEL-HMAC-SM3",
            Self::Sm2WithSm3 => "LINTEL-SM2-WITH-SM3",
            Self::Sha256Rsa2048 => "LINTEL-SHA256-RSA2048",
        }
    }

    /// The scheme of a name, in any case of its letters.
    ///
    /// # Errors
    /// [`SigningError::Scheme`].
    pub fn parse(name: &str) -> Result<Self, SigningError> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name)).ok_or(SigningError::Scheme)
    }

    /// How its pairs sign; `None` for the shared secret.
    #[must_use]
    pub const fn signing(self) -> Option<Signing<'static>> {
        match self {
            Self::HmacSm3 => None,
            Self::Sm2WithSm3 => Some(Signing::SM2),
            Self::Sha256Rsa2048 => Some(Signing::RsaPkcs1Sha256),
        }
    }

    /// The kind of its keys.
    #[must_use]
    pub const fn kind(self) -> KeyKind {
        match self {
            Self::HmacSm3 => KeyKind::HmacSm3,
            Self::Sm2WithSm3 => KeyKind::Sm2,
            Self::Sha256Rsa2048 => KeyKind::Rsa2048,
        }
    }

    /// Whether a signature may have this length. That it is one shows when it is verified.
    pub(super) fn takes(self, length: usize) -> bool {
        match self {
            Self::HmacSm3 => length == TAG_LENGTH,
            Self::Sm2WithSm3 => (8..=72).contains(&length),
            Self::Sha256Rsa2048 => length == 256,
        }
    }

    /// What a signature must look like, for messages.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::HmacSm3 => "the base64 of 32 bytes, with padding",
            Self::Sm2WithSm3 => "the base64 of an SM2 signature in DER (70 to 72 bytes as a rule), with padding",
            Self::Sha256Rsa2048 => "the base64 of 256 bytes, with padding",
        }
    }
}
