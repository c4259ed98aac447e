//! The keys between EPCC and the platform: SM2 with SM3, or RSA of 2048 bits with SHA-256.

use std::fmt;
use std::sync::Arc;

use ark::provider::{Check, KeyHandle, KeyKind, PublicKey, Signing};
use ark::{Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The platform's private SM2 key of every sandbox, in hexadecimal. It protects nothing: EPCC is not real.
pub const SANDBOX_EPCC_PLATFORM_KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
/// EPCC's private SM2 key of every sandbox, in hexadecimal. It protects nothing either.
pub const SANDBOX_EPCC_KEY: &str = "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c";

/// What stands before the point in the `SubjectPublicKeyInfo` of an SM2 key (GM/T 0009, RFC 5480).
const SM2_FRAME: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];

/// Keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EpccKeyError {
    /// A method that there is not.
    #[error("the sign method is '{0:.20}': it is sm2 or rsa")]
    Method(String),
    /// Not a private key of that method.
    #[error(
        "the network's key is no private key for {0}: SM2 takes 32 bytes, RSA-2048 PKCS #8 in DER, both in hexadecimal"
    )]
    Private(&'static str),
    /// Not a public key of that method.
    #[error(
        "the platform's key is no public key for {0}: SubjectPublicKeyInfo in base64, as openssl pkey -pubout prints"
    )]
    Public(&'static str),
}

/// Both sides' keys: EPCC's, or those of another bank that signs so.
#[derive(Clone)]
pub struct EpccKeys {
    soft: Arc<Soft>,
    ours: KeyHandle,
    theirs: PublicKey,
}

impl EpccKeys {
    /// EPCC's private key in hexadecimal, and the platform's public key in base64.
    ///
    /// # Errors
    /// [`EpccKeyError`].
    pub fn read(method: &str, private: &str, public: &str) -> Result<Self, EpccKeyError> {
        let (kind, name) = match method {
            "sm2" => (KeyKind::Sm2, "SM2"),
            "rsa" => (KeyKind::Rsa2048, "RSA"),
            other => return Err(EpccKeyError::Method(other.to_owned())),
        };
        let wrong = || EpccKeyError::Private(name);
        let soft = Soft::with_known_keys(1).map_err(|_| wrong())?;
        let ours = soft.import(kind, &hex::decode(private).map_err(|_| wrong())?).map_err(|_| wrong())?;
        let lines = public.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        let info = BASE64_STANDARD.decode(lines.collect::<String>()).map_err(|_| EpccKeyError::Public(name))?;
        let bytes = if kind == KeyKind::Sm2 {
            info.strip_prefix(&SM2_FRAME).map(<[u8]>::to_vec).ok_or(EpccKeyError::Public(name))?
        } else {
            info
        };
        Ok(Self { soft: Arc::new(soft), ours, theirs: PublicKey { kind, bytes } })
    }

    /// Those of every sandbox.
    ///
    /// # Panics
    /// If the keys of the sandbox are none.
    #[must_use]
    pub fn sandbox() -> Self {
        Self::known(SANDBOX_EPCC_KEY, SANDBOX_EPCC_PLATFORM_KEY)
    }

    /// Two known SM2 keys, ours and the platform's, in hexadecimal.
    pub(in crate::bank) fn known(private: &str, platform: &str) -> Self {
        Self::read("sm2", private, &public_text(platform)).expect("the sandbox's keys are keys")
    }

    /// Whether messages are signed with SM2.
    pub(in crate::bank) fn are_sm2(&self) -> bool {
        self.theirs.kind == KeyKind::Sm2
    }

    /// EPCC's public key in base64, as the platform's setting `peer_key` takes it.
    ///
    /// # Panics
    /// Never: the key was taken in.
    #[must_use]
    pub fn public_key(&self) -> String {
        info_of(&self.soft.public_key(self.ours).expect("the pair is here"))
    }

    pub(in crate::bank) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.soft.sign(self.ours, scheme(self.theirs.kind), message).expect("the pair is here and signs")
    }

    pub(in crate::bank) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        let check = Check { public: &self.theirs, scheme: scheme(self.theirs.kind), message, signature };
        self.soft.verify(&check).is_ok()
    }
}

/// Shows no key.
impl fmt::Debug for EpccKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EpccKeys({})", self.theirs.kind.name())
    }
}

fn scheme(kind: KeyKind) -> Signing<'static> {
    if kind == KeyKind::Sm2 { Signing::SM2 } else { Signing::RsaPkcs1Sha256 }
}

pub(crate) fn info_of(public: &PublicKey) -> String {
    let frame: &[u8] = if public.kind == KeyKind::Sm2 { &SM2_FRAME } else { &[] };
    BASE64_STANDARD.encode([frame, &public.bytes].concat())
}

/// The public half of a private SM2 key of the sandbox.
fn public_text(private: &str) -> String {
    let soft = Soft::with_known_keys(0).expect("keys of the sandbox need nothing");
    let pair = soft.import(KeyKind::Sm2, &hex::decode(private).unwrap_or_default()).expect("the sandbox's key is one");
    info_of(&soft.public_key(pair).expect("the pair is here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_signs_the_other_believes() {
        let here = EpccKeys::sandbox();
        let there = EpccKeys::read("sm2", SANDBOX_EPCC_PLATFORM_KEY, &here.public_key()).unwrap();
        let signature = there.sign(b"message");
        assert!(here.fits(b"message", &signature) && !here.fits(b"messagf", &signature));
        assert!(there.fits(b"answer", &here.sign(b"answer")) && !there.fits(b"answer", &there.sign(b"answer")));
        assert_eq!(format!("{here:?}"), "EpccKeys(sm2)");
    }

    #[test]
    fn keys_that_are_none_are_refused_by_what_they_should_be() {
        let public = EpccKeys::sandbox().public_key();
        let refused = |method, private, public: &str| EpccKeys::read(method, private, public).unwrap_err().to_string();
        assert!(refused("dsa", SANDBOX_EPCC_KEY, &public).contains("'dsa'"));
        assert!(refused("sm2", "00", &public).contains("32 bytes"));
        assert!(refused("rsa", SANDBOX_EPCC_KEY, &public).contains("PKCS #8"));
        assert!(refused("sm2", SANDBOX_EPCC_KEY, "AAAA").contains("SubjectPublicKeyInfo"));
    }
}
