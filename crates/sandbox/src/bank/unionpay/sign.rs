//! How UnionPay's forms are signed, both ways, from the fixtures.
//!
//! ```text
//! signMethod 12   hex( SM3( text & hex(SM3(secret)) ) )                             one secret on both sides
//! signMethod 01   base64( RSA PKCS #1 with SHA-256 over hex(SHA-256(text)) )        a pair of each side
//! ```

use std::collections::BTreeMap;
use std::fmt;

use ark::sm3;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::bank::epcc::{EpccKeyError, EpccKeys};

/// The secret that bank and platform share unless another is given. It protects nothing: the bank is not real.
pub const SANDBOX_UNIONPAY_SECRET: &str = "sandbox-secret-of-unionpay-online";

/// The platform's settings under signMethod 01, its public key, and UnionPay's private one: those of the fixtures, which protect nothing.
const PLATFORM: &str = include_str!("../../../../../fixtures/channels/unionpay_online/rsa.json");
const PLATFORM_PUBLIC: &str = include_str!("../../../../../fixtures/channels/unionpay_online/ours.pub.pem");
const UNIONPAY_PRIVATE: &str = include_str!("../../../../../fixtures/channels/unionpay_online/theirs.key.pem");

/// How UnionPay's forms are signed.
#[derive(Clone)]
pub struct UnionPaySign(Method);

#[derive(Clone)]
enum Method {
    /// 12.
    Sm3 { secret: String },
    /// 01.
    Rsa(EpccKeys),
}

impl UnionPaySign {
    /// With one secret on both sides (signMethod 12).
    #[must_use]
    pub fn secret(secret: &str) -> Self {
        Self(Method::Sm3 { secret: secret.to_owned() })
    }

    /// With UnionPay's private RSA key, PKCS #8 in hexadecimal, and the platform's public key in base64 (signMethod 01).
    ///
    /// # Errors
    /// [`EpccKeyError`].
    pub fn rsa(private: &str, public: &str) -> Result<Self, EpccKeyError> {
        EpccKeys::read("rsa", private, public).map(|keys| Self(Method::Rsa(keys)))
    }

    /// That of every sandbox.
    #[must_use]
    pub fn sandbox() -> Self {
        Self::secret(SANDBOX_UNIONPAY_SECRET)
    }

    /// That of every sandbox whose forms are signed with RSA, unless other keys are given.
    ///
    /// # Panics
    /// If the keys of the fixtures are none.
    #[must_use]
    pub fn sandbox_rsa() -> Self {
        let lines: String = UNIONPAY_PRIVATE.lines().filter(|line| !line.starts_with("-----")).collect();
        let private = BASE64_STANDARD.decode(lines).expect("PEM is base64 between two lines");
        Self::rsa(&hex::encode(private), PLATFORM_PUBLIC).expect("the fixtures' keys are keys")
    }

    /// What the settings of the platform's channel say of signatures, in TOML: with [`UnionPaySign::sandbox_rsa`] on the other side, or
    /// with [`UnionPaySign::sandbox`].
    ///
    /// # Panics
    /// If the settings of the fixtures are none.
    #[must_use]
    pub fn platform_settings(rsa: bool) -> String {
        if !rsa {
            return format!("sign_method = \"12\"\nkey = \"{SANDBOX_UNIONPAY_SECRET}\"\n");
        }
        let settings: BTreeMap<String, String> =
            serde_json::from_str(PLATFORM).expect("the fixtures' settings are texts");
        ["sign_method", "key", "cert_id", "peer_key"].map(|name| format!("{name} = \"{}\"\n", settings[name])).concat()
    }

    /// The code in `signMethod`.
    pub(super) const fn method(&self) -> &'static str {
        match &self.0 {
            Method::Sm3 { .. } => "12",
            Method::Rsa(_) => "01",
        }
    }

    /// The signature of a form's text.
    pub(super) fn sign(&self, text: &str) -> String {
        match &self.0 {
            Method::Sm3 { secret } => hashed(secret, text),
            Method::Rsa(keys) => BASE64_STANDARD.encode(keys.sign(digest(text).as_bytes())),
        }
    }

    /// Whether the platform signed this text.
    pub(super) fn fits(&self, text: &str, signature: &str) -> bool {
        match &self.0 {
            Method::Sm3 { secret } => hashed(secret, text) == signature,
            Method::Rsa(keys) => {
                let signature = BASE64_STANDARD.decode(signature);
                signature.is_ok_and(|signature| keys.fits(digest(text).as_bytes(), &signature))
            }
        }
    }
}

/// Shows no secret.
impl fmt::Debug for UnionPaySign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UnionPaySign({})", self.method())
    }
}

fn hashed(secret: &str, text: &str) -> String {
    hex::encode(sm3(format!("{text}&{}", hex::encode(sm3(secret.as_bytes()))).as_bytes()))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
