//! One key of the soft provider: its kind's own type, wiped when dropped.

use zeroize::Zeroizing;

use super::{
    modes::BlockCipher,
    pairs::{Ed25519, P256, Rsa, rsa_bits},
};
use crate::{
    mac::MacKey,
    provider::{KeyError, KeyKind, PublicKey},
    sm2::key::PrivateKey,
};

/// A key and its kind. No `Debug`.
pub(super) struct Material {
    pub(super) kind: KeyKind,
    pub(super) secret: SecretKey,
}

pub(super) enum SecretKey {
    Sm2(PrivateKey),
    /// The cipher under the key, and the key, for wrapping.
    Cipher(Box<BlockCipher>, Zeroizing<Vec<u8>>),
    HmacSm3(MacKey),
    Rsa(Rsa),
    P256(P256),
    Ed25519(Ed25519),
}

impl Material {
    pub(super) fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let secret = match kind {
            KeyKind::Sm2 => SecretKey::Sm2(PrivateKey::generate()?),
            KeyKind::P256 => SecretKey::P256(P256::generate()?),
            KeyKind::Rsa2048 => SecretKey::Rsa(Rsa::generate(2048)?),
            KeyKind::Rsa3072 => SecretKey::Rsa(Rsa::generate(3072)?),
            KeyKind::Sm4
            | KeyKind::HmacSm3
            | KeyKind::Aes128
            | KeyKind::Aes256
            | KeyKind::TripleDes2
            | KeyKind::TripleDes3
            | KeyKind::Ed25519 => return Self::random(kind),
        };
        Ok(Self { kind, secret })
    }

    /// A key of a kind of which any bytes are one.
    fn random(kind: KeyKind) -> Result<Self, KeyError> {
        // Ed25519 is the one pair among them.
        let length = symmetric_length(kind).unwrap_or(32);
        loop {
            let mut bytes = Zeroizing::new(vec![0; length]);
            getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
            if is_triple_des(kind) {
                set_parity(&mut bytes);
            }
            // Triple DES with two equal parts is DES, and refused.
            if let Some(material) = Self::from_bytes(kind, &bytes) {
                return Ok(material);
            }
        }
    }

    /// The key in the form that [`Material::to_bytes`] gives. `None` if the bytes are no such key.
    ///
    /// Triple DES is taken with any parity, as terminals' keys come with any; not with equal parts.
    pub(super) fn from_bytes(kind: KeyKind, bytes: &[u8]) -> Option<Self> {
        let keep = || Zeroizing::new(bytes.to_vec());
        let secret = match kind {
            KeyKind::Sm2 => SecretKey::Sm2(PrivateKey::from_bytes(bytes)?),
            KeyKind::Sm4 => SecretKey::Cipher(Box::new(BlockCipher::sm4(bytes.try_into().ok()?)), keep()),
            KeyKind::HmacSm3 => SecretKey::HmacSm3(MacKey::from_bytes(bytes.try_into().ok()?)),
            KeyKind::Aes128 => SecretKey::Cipher(Box::new(BlockCipher::aes128(bytes.try_into().ok()?)), keep()),
            KeyKind::Aes256 => SecretKey::Cipher(Box::new(BlockCipher::aes256(bytes.try_into().ok()?)), keep()),
            KeyKind::TripleDes2 => {
                distinct_parts(bytes).then_some(())?;
                SecretKey::Cipher(Box::new(BlockCipher::triple_des2(bytes.try_into().ok()?)), keep())
            }
            KeyKind::TripleDes3 => {
                distinct_parts(bytes).then_some(())?;
                SecretKey::Cipher(Box::new(BlockCipher::triple_des3(bytes.try_into().ok()?)), keep())
            }
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => SecretKey::Rsa(Rsa::from_bytes(rsa_bits(kind)?, bytes)?),
            KeyKind::P256 => SecretKey::P256(P256::from_bytes(bytes)?),
            KeyKind::Ed25519 => SecretKey::Ed25519(Ed25519::from_bytes(bytes.try_into().ok()?)),
        };
        Some(Self { kind, secret })
    }

    /// SM2, P-256, Ed25519: 32 bytes. RSA: PKCS #8. Ciphers and HMAC: the key.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        match &self.secret {
            SecretKey::Sm2(key) => key.to_bytes(),
            SecretKey::Cipher(_, bytes) => bytes.clone(),
            SecretKey::HmacSm3(key) => Zeroizing::new(key.expose().to_vec()),
            SecretKey::Rsa(key) => key.to_bytes(),
            SecretKey::P256(key) => key.to_bytes(),
            SecretKey::Ed25519(key) => key.to_bytes(),
        }
    }

    pub(super) fn public(&self) -> Option<PublicKey> {
        let bytes = match &self.secret {
            SecretKey::Sm2(key) => key.public().to_bytes().to_vec(),
            SecretKey::Rsa(key) => key.public(),
            SecretKey::P256(key) => key.public(),
            SecretKey::Ed25519(key) => key.public(),
            SecretKey::Cipher(..) | SecretKey::HmacSm3(_) => return None,
        };
        Some(PublicKey { kind: self.kind, bytes })
    }

    pub(super) fn wrong(&self, operation: &'static str) -> KeyError {
        KeyError::WrongKind { operation, kind: self.kind }
    }

    pub(super) fn sm2(&self, operation: &'static str) -> Result<&PrivateKey, KeyError> {
        let SecretKey::Sm2(key) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(key)
    }

    pub(super) fn cipher(&self, operation: &'static str) -> Result<&BlockCipher, KeyError> {
        let SecretKey::Cipher(cipher, _) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(cipher)
    }

    pub(super) fn hmac(&self, operation: &'static str) -> Result<&MacKey, KeyError> {
        let SecretKey::HmacSm3(key) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(key)
    }

    pub(super) fn rsa(&self, operation: &'static str) -> Result<&Rsa, KeyError> {
        let SecretKey::Rsa(key) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(key)
    }

    pub(super) fn p256(&self, operation: &'static str) -> Result<&P256, KeyError> {
        let SecretKey::P256(key) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(key)
    }

    pub(super) fn ed25519(&self, operation: &'static str) -> Result<&Ed25519, KeyError> {
        let SecretKey::Ed25519(key) = &self.secret else { return Err(self.wrong(operation)) };
        Ok(key)
    }
}

/// How many bytes a symmetric key has; `None` for a pair.
pub(super) fn symmetric_length(kind: KeyKind) -> Option<usize> {
    match kind {
        KeyKind::Sm4 | KeyKind::Aes128 | KeyKind::TripleDes2 => Some(16),
        KeyKind::TripleDes3 => Some(24),
        KeyKind::HmacSm3 | KeyKind::Aes256 => Some(32),
        KeyKind::Sm2 | KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::P256 | KeyKind::Ed25519 => None,
    }
}

/// A symmetric key of derived bytes.
pub(super) fn from_derived(kind: KeyKind, mut bytes: Zeroizing<Vec<u8>>) -> Option<Material> {
    if is_triple_des(kind) {
        set_parity(&mut bytes);
    }
    Material::from_bytes(kind, &bytes)
}

fn is_triple_des(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::TripleDes2 | KeyKind::TripleDes3)
}

/// DES keys have an odd number of ones in each byte; the lowest bit makes it so.
fn set_parity(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = (*byte & 0xfe) | u8::from((*byte & 0xfe).count_ones().is_multiple_of(2));
    }
}

/// Whether neighbouring parts differ in more than parity: with two equal ones triple DES falls back to DES.
fn distinct_parts(bytes: &[u8]) -> bool {
    let mut parts = bytes.chunks(8).zip(bytes.chunks(8).skip(1));
    parts.all(|(one, next)| one.iter().zip(next).fold(0, |differs, (one, next)| differs | ((one ^ next) & 0xfe)) != 0)
}
