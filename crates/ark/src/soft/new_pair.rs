//! A pair for somebody else: its private half goes out as PKCS #8 in PEM, and nothing of it stays here.
//!
//! Invariants: only of the kinds by which merchants sign; the private half is in a [`Secret`], never in a `Debug` or an
//! error.

use zeroize::Zeroizing;

use super::{Soft, material::Material};
use crate::{
    Secret, pem,
    provider::{KeyError, KeyKind, Provider as _, PublicKey},
};

/// `PrivateKeyInfo` (RFC 5208) of an SM2 key up to its number: `id-ecPublicKey` on the curve of SM2 (GM/T 0006), then an
/// `ECPrivateKey` (RFC 5915).
const SM2_BEFORE_NUMBER: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20,
];
/// What stands between the number and the point.
const SM2_BEFORE_POINT: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// A pair that was made for somebody else.
#[derive(Debug)]
pub struct NewPair {
    private: Secret,
    public: PublicKey,
}

impl NewPair {
    /// Makes one of kind SM2 or RSA-2048.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for another kind, [`KeyError::SelfTest`], [`KeyError::Random`].
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        if !matches!(kind, KeyKind::Sm2 | KeyKind::Rsa2048) {
            return Err(KeyError::WrongKind { operation: "be a merchant's pair", kind });
        }
        // Its self-tests stand before every key, and it takes in the very bytes that go out.
        let soft = Soft::with_known_keys(0)?;
        let bytes = Material::generate(kind)?.to_bytes();
        let public = soft.public_key(soft.import(kind, &bytes)?)?;
        let der = if kind == KeyKind::Sm2 { sm2_pkcs8(&bytes, &public.bytes) } else { bytes };
        Ok(Self { private: Secret::new(pem::encode("PRIVATE KEY", &der)), public })
    }

    /// The private half: PKCS #8 in PEM, not encrypted.
    #[must_use]
    pub fn private_pem(&self) -> &Secret {
        &self.private
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

fn sm2_pkcs8(number: &[u8], point: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&SM2_BEFORE_NUMBER[..], number, &SM2_BEFORE_POINT[..], point].concat())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn an_sm2_key_is_written_byte_for_byte_as_openssl_writes_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing/sm2.key.pem");
        let text = fs::read_to_string(path).expect("the fixture");
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(base64).expect("base64");
        assert_eq!(sm2_pkcs8(&der[36..68], &der[73..]).as_slice(), der);
    }

    #[test]
    fn two_pairs_differ_and_other_kinds_are_none_of_a_merchant() {
        let [one, two] = [(); 2].map(|()| NewPair::generate(KeyKind::Sm2).expect("a pair"));
        assert_ne!(one.private_pem().expose(), two.private_pem().expose());
        assert_ne!(one.public(), two.public());
        let shown = format!("{one:?}");
        assert!(shown.contains("private: Secret(…)") && !shown.contains("BEGIN"), "{shown}");
        for kind in [KeyKind::Sm4, KeyKind::P256, KeyKind::Rsa3072] {
            assert_eq!(NewPair::generate(kind).expect_err("no such pair").code(), "key_kind", "{kind}");
        }
    }
}
