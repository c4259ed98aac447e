//! Key pairs of the other worlds: RSA, P-256 and Ed25519, as their libraries have them.

use ed25519_dalek::{Signer as _, SigningKey as Ed25519Key, VerifyingKey as Ed25519Public};
use getrandom::SysRng;
use p256::{
    ecdsa::{
        DerSignature, SigningKey as P256Key, VerifyingKey as P256Public,
        signature::{RandomizedSigner as _, Verifier as _},
    },
    elliptic_curve::Generate as _,
};
use rsa::{
    pkcs1v15,
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _},
    signature::SignatureEncoding as _,
    traits::PublicKeyParts as _,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::provider::{KeyError, KeyKind, PublicKey};

/// The one public exponent that keys are made with and taken in with.
const RSA_EXPONENT: u64 = 65_537;

const RANDOM: KeyError = KeyError::Random(getrandom::Error::UNEXPECTED);

pub(super) fn rsa_bits(kind: KeyKind) -> Option<u32> {
    match kind {
        KeyKind::Rsa2048 => Some(2048),
        KeyKind::Rsa3072 => Some(3072),
        KeyKind::Sm2
        | KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3
        | KeyKind::P256
        | KeyKind::Ed25519 => None,
    }
}

/// An RSA key pair. Wiped when dropped, no `Debug`.
pub(super) struct Rsa(rsa::PrivateKey);

impl Rsa {
    pub(super) fn generate(bits: u32) -> Result<Self, KeyError> {
        // The library fails only where its randomness does.
        rsa::PrivateKey::new(&mut SysRng, bits as usize).map(Self).map_err(|_| RANDOM)
    }

    /// PKCS #8 in DER.
    pub(super) fn from_bytes(bits: u32, bytes: &[u8]) -> Option<Self> {
        let key = rsa::PrivateKey::from_pkcs8_der(bytes).ok()?;
        key.validate().ok()?;
        right_rsa(&key, bits).then_some(Self(key))
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let document = self.0.to_pkcs8_der().expect("a whole key has a form");
        Zeroizing::new(document.as_bytes().to_vec())
    }

    pub(super) fn public(&self) -> Vec<u8> {
        self.0.to_public_key().to_public_key_der().expect("a whole key has a form").into_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        // With randomness, which blinds the private operation.
        let key = pkcs1v15::SigningKey::<Sha256>::new(self.0.clone());
        let signature = key.try_sign_with_rng(&mut SysRng, message).map_err(|_| RANDOM)?;
        Ok(signature.to_vec())
    }

    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.oaep_decrypt_with_rng::<Sha256, _>(&mut SysRng, ciphertext).ok().map(Zeroizing::new)
    }
}

fn right_rsa(key: &impl rsa::traits::PublicKeyParts, bits: u32) -> bool {
    key.n().bit_width() == bits && *key.e() == rsa::BoxedUint::from(RSA_EXPONENT)
}

fn rsa_public(public: &PublicKey, bits: u32) -> Result<rsa::PublicKey, KeyError> {
    let key = rsa::PublicKey::from_public_key_der(&public.bytes).ok();
    key.filter(|key| right_rsa(key, bits)).ok_or(KeyError::PublicKey { kind: public.kind })
}

pub(super) fn rsa_verify(public: &PublicKey, bits: u32, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let key = pkcs1v15::VerifyingKey::<Sha256>::new(rsa_public(public, bits)?);
    let signature = pkcs1v15::Signature::try_from(signature).map_err(|_| KeyError::Signature)?;
    rsa::signature::Verifier::verify(&key, message, &signature).map_err(|_| KeyError::Signature)
}

pub(super) fn rsa_encrypt(public: &PublicKey, bits: u32, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let key = rsa_public(public, bits)?;
    // Two hashes and two bytes are OAEP's own.
    if message.len() > key.size() - 66 {
        let needed = "OAEP takes at most 190 bytes with RSA-2048 and 318 with RSA-3072";
        return Err(KeyError::Length { what: "message", found: message.len(), needed });
    }
    key.oaep_encrypt_with_rng::<Sha256, _>(&mut SysRng, message).map_err(|_| RANDOM)
}

/// A P-256 key pair. Wiped when dropped, no `Debug`.
pub(super) struct P256(P256Key);

impl P256 {
    pub(super) fn generate() -> Result<Self, KeyError> {
        P256Key::try_generate_from_rng(&mut SysRng).map(Self).map_err(KeyError::Random)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // The library also takes shorter numbers; a key that lost bytes is none.
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        P256Key::from_slice(bytes).ok().map(Self)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_bytes().to_vec())
    }

    pub(super) fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature: DerSignature = self.0.try_sign_with_rng(&mut SysRng, message).map_err(|_| RANDOM)?;
        Ok(signature.as_bytes().to_vec())
    }
}

pub(super) fn p256_verify(public: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let bad = KeyError::PublicKey { kind: KeyKind::P256 };
    if public.bytes.len() != 65 {
        return Err(bad);
    }
    let key = P256Public::from_sec1_bytes(&public.bytes).map_err(|_| bad)?;
    let signature = DerSignature::from_bytes(signature).map_err(|_| KeyError::Signature)?;
    key.verify(message, &signature).map_err(|_| KeyError::Signature)
}

/// An Ed25519 key pair. Wiped when dropped, no `Debug`.
pub(super) struct Ed25519(Ed25519Key);

impl Ed25519 {
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Ed25519Key::from_bytes(bytes))
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }

    pub(super) fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_bytes().to_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

pub(super) fn ed25519_verify(public: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let bad = || KeyError::PublicKey { kind: KeyKind::Ed25519 };
    let bytes: &[u8; 32] = public.bytes.as_slice().try_into().map_err(|_| bad())?;
    let key = Ed25519Public::from_bytes(bytes).map_err(|_| bad())?;
    if key.is_weak() {
        return Err(bad());
    }
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| KeyError::Signature)?;
    key.verify_strict(message, &signature).map_err(|_| KeyError::Signature)
}
