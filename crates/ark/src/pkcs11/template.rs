//! Attributes: what a key of each kind is made with, which kind an object is of, and public keys as tokens show them.

use cryptoki::{
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType, KeyType, ObjectClass},
};
use rsa::{BoxedUint, pkcs8::EncodePublicKey as _};

use crate::provider::{KeyKind, PublicKey};

/// DER of the object identifier of P-256.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DER of the name of Ed25519's curve (PKCS #11 v3.0, 2.3.5), which some tokens show.
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// DER of its object identifier (RFC 8410).
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// What is asked of an object to know its kind.
pub(super) const KIND: [AttributeType; 4] =
    [AttributeType::KeyType, AttributeType::ValueLen, AttributeType::Modulus, AttributeType::EcParams];
/// What is asked of an object to know its public key.
pub(super) const PUBLIC: [AttributeType; 3] =
    [AttributeType::Modulus, AttributeType::PublicExponent, AttributeType::EcPoint];

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Encrypts, authenticates, signs.
    Data,
    /// Wraps and unwraps keys, and nothing else: a key that did both would open what it wrapped.
    Kek,
}

/// The mechanism that makes a key, or `None` for a kind that PKCS #11 has no mechanism for here.
pub(super) fn generator(kind: KeyKind) -> Option<Mechanism<'static>> {
    match kind {
        KeyKind::Aes128 | KeyKind::Aes256 => Some(Mechanism::AesKeyGen),
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => Some(Mechanism::RsaPkcsKeyPairGen),
        KeyKind::P256 => Some(Mechanism::EccKeyPairGen),
        KeyKind::Ed25519 => Some(Mechanism::EccEdwardsKeyPairGen),
        KeyKind::Sm2 | KeyKind::Sm4 | KeyKind::HmacSm3 | KeyKind::TripleDes2 | KeyKind::TripleDes3 => None,
    }
}

/// The mechanism that wraps a key of this kind: only AES keys are whole blocks.
pub(super) fn wrapper(kind: KeyKind) -> (Mechanism<'static>, MechanismType) {
    if aes_length(kind).is_some() {
        (Mechanism::AesKeyWrap, MechanismType::AES_KEY_WRAP)
    } else {
        (Mechanism::AesKeyWrapPad, MechanismType::AES_KEY_WRAP_PAD)
    }
}

pub(super) fn aes_length(kind: KeyKind) -> Option<u64> {
    match kind {
        KeyKind::Aes128 => Some(16),
        KeyKind::Aes256 => Some(32),
        KeyKind::Sm2
        | KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3
        | KeyKind::Rsa2048
        | KeyKind::Rsa3072
        | KeyKind::P256
        | KeyKind::Ed25519 => None,
    }
}

fn key_type(kind: KeyKind) -> KeyType {
    match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => KeyType::RSA,
        KeyKind::P256 => KeyType::EC,
        KeyKind::Ed25519 => KeyType::EC_EDWARDS,
        KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::Sm2
        | KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3 => KeyType::AES,
    }
}

/// What every secret or private key has: `named` are the label and id of one that outlives this process.
pub(super) fn secret(kind: KeyKind, usage: Usage, named: Option<(&str, &[u8])>) -> Vec<Attribute> {
    let symmetric = aes_length(kind).is_some();
    let class = if symmetric { ObjectClass::SECRET_KEY } else { ObjectClass::PRIVATE_KEY };
    let (data, rsa) = (usage == Usage::Data, matches!(kind, KeyKind::Rsa2048 | KeyKind::Rsa3072));
    let mut attributes = vec![
        Attribute::Class(class),
        Attribute::KeyType(key_type(kind)),
        Attribute::Token(named.is_some()),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        // What lives in the token alone never leaves it; what lives here as ciphertext has to.
        Attribute::Extractable(named.is_none()),
        Attribute::Sign(data),
        Attribute::Decrypt(data && (symmetric || rsa)),
        Attribute::Unwrap(!data),
    ];
    if symmetric {
        attributes.extend([Attribute::Encrypt(data), Attribute::Verify(data), Attribute::Wrap(!data)]);
    }
    attributes.extend(names(named));
    attributes
}

/// What the public half has. The provider verifies and encrypts outside the token.
pub(super) fn public(kind: KeyKind, named: Option<(&str, &[u8])>) -> Vec<Attribute> {
    let mut attributes = vec![Attribute::Token(named.is_some()), Attribute::Private(false), Attribute::Verify(true)];
    match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => {
            let bits: u32 = if kind == KeyKind::Rsa2048 { 2048 } else { 3072 };
            attributes.extend([
                Attribute::ModulusBits(u64::from(bits).into()),
                Attribute::PublicExponent(RSA_EXPONENT.to_vec()),
                Attribute::Encrypt(true),
            ]);
        }
        KeyKind::P256 => attributes.push(Attribute::EcParams(P256.to_vec())),
        KeyKind::Ed25519 => attributes.push(Attribute::EcParams(ED25519.to_vec())),
        KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::Sm2
        | KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3 => {}
    }
    attributes.extend(names(named));
    attributes
}

fn names(named: Option<(&str, &[u8])>) -> impl Iterator<Item = Attribute> {
    named.into_iter().flat_map(|(label, id)| [Attribute::Label(label.as_bytes().to_vec()), Attribute::Id(id.to_vec())])
}

/// The object on the token with this label and of this class.
pub(super) fn called(label: &str, class: ObjectClass) -> [Attribute; 3] {
    [Attribute::Class(class), Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec())]
}

/// The kind of an object by [`KIND`], or `None` if it is of none of ours.
pub(super) fn kind_of(attributes: &[Attribute]) -> Option<KeyKind> {
    let (mut kind, mut length, mut modulus, mut curve) = (None, None, 0, Vec::new());
    for attribute in attributes {
        if let Attribute::KeyType(found) = attribute {
            kind = Some(*found);
        }
        if let Attribute::ValueLen(found) = attribute {
            length = Some(**found);
        }
        if let Attribute::Modulus(found) = attribute {
            modulus = found.iter().skip_while(|byte| **byte == 0).count();
        }
        if let Attribute::EcParams(found) = attribute {
            curve.clone_from(found);
        }
    }
    let kind = kind?;
    match (length, modulus, &curve[..]) {
        (Some(16), ..) if kind == KeyType::AES => Some(KeyKind::Aes128),
        (Some(32), ..) if kind == KeyType::AES => Some(KeyKind::Aes256),
        (_, 256, _) if kind == KeyType::RSA => Some(KeyKind::Rsa2048),
        (_, 384, _) if kind == KeyType::RSA => Some(KeyKind::Rsa3072),
        (.., P256) if kind == KeyType::EC => Some(KeyKind::P256),
        (.., ED25519 | ED25519_NAME) if kind == KeyType::EC_EDWARDS => Some(KeyKind::Ed25519),
        _ => None,
    }
}

/// The public key of an object by [`PUBLIC`].
pub(super) fn public_key(kind: KeyKind, attributes: &[Attribute]) -> Option<PublicKey> {
    let (mut modulus, mut exponent, mut point) = (None, None, None);
    for attribute in attributes {
        if let Attribute::Modulus(found) = attribute {
            modulus = Some(found);
        }
        if let Attribute::PublicExponent(found) = attribute {
            exponent = Some(found);
        }
        if let Attribute::EcPoint(found) = attribute {
            point = Some(found);
        }
    }
    let bytes = match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => rsa_info(modulus?, exponent?)?,
        KeyKind::P256 => octets(point?, 65)?,
        KeyKind::Ed25519 => octets(point?, 32)?,
        KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::Sm2
        | KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3 => return None,
    };
    Some(PublicKey { kind, bytes })
}

/// `SubjectPublicKeyInfo` in DER.
fn rsa_info(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let number = BoxedUint::from_be_slice_vartime;
    let key = rsa::PublicKey::new(number(modulus), number(exponent)).ok()?;
    Some(key.to_public_key_der().ok()?.into_vec())
}

/// A point in the octet string that the standard asks for, or bare, as some tokens give it.
fn octets(point: &[u8], length: usize) -> Option<Vec<u8>> {
    let bare = match point {
        [0x04, size, rest @ ..] if usize::from(*size) == rest.len() && rest.len() == length => rest,
        bare => bare,
    };
    (bare.len() == length).then(|| bare.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_in_an_octet_string_or_bare() {
        let point = [[4].as_slice(), &[7; 64]].concat();
        assert_eq!(octets(&[[4, 65].as_slice(), &point].concat(), 65).as_deref(), Some(&point[..]));
        assert_eq!(octets(&point, 65).as_deref(), Some(&point[..]));
        // 04 1e is a bare key that begins like an octet string.
        let key = [[4, 30].as_slice(), &[7; 30]].concat();
        assert_eq!(octets(&key, 32).as_deref(), Some(&key[..]));
        for wrong in [&point[1..], &[], &[4, 65]] {
            assert_eq!(octets(wrong, 65), None);
        }
    }

    #[test]
    fn objects_of_no_kind_of_ours_are_none() {
        let kind = |attributes: &[Attribute]| kind_of(attributes);
        let aes = |length: u64| kind(&[Attribute::KeyType(KeyType::AES), Attribute::ValueLen(length.into())]);
        assert_eq!((aes(16), aes(32), aes(24)), (Some(KeyKind::Aes128), Some(KeyKind::Aes256), None));
        assert_eq!(kind(&[Attribute::KeyType(KeyType::RSA), Attribute::Modulus(vec![1; 128])]), None);
        assert_eq!(kind(&[Attribute::KeyType(KeyType::EC), Attribute::EcParams(ED25519.to_vec())]), None);
        assert_eq!(kind(&[]), None);
    }
}
