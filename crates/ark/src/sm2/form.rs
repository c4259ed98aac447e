//! Signatures and ciphertexts of SM2 in DER (GM/T 0009-2012): exact, nothing behind.

use der::{
    Decode as _, Encode as _, Reader as _, SliceReader, Tag,
    asn1::{AnyRef, OctetStringRef, UintRef},
};
use sm2::{Scalar, elliptic_curve::PrimeField as _};

use super::{encrypt::Ciphertext, key::Signature};

impl Signature {
    /// Takes in a sequence of r and s, each from 1 to n − 1.
    pub(crate) fn from_der(bytes: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(bytes).ok()?;
        let read = reader
            .sequence(|reader| -> der::Result<_> { Ok((UintRef::decode(reader)?, UintRef::decode(reader)?)) })
            .ok()?;
        reader.finish().ok()?;
        Some(Self { r: scalar(read.0.as_bytes())?, s: scalar(read.1.as_bytes())? })
    }

    /// Takes in `r ‖ s`, each from 1 to n − 1.
    pub(crate) fn from_numbers(numbers: &[u8; 64]) -> Option<Self> {
        let (r, s) = numbers.split_at(32);
        Some(Self { r: scalar(r)?, s: scalar(s)? })
    }

    /// `r ‖ s`.
    pub(crate) fn numbers(self) -> [u8; 64] {
        let mut numbers = [0; 64];
        numbers[..32].copy_from_slice(&self.r.to_repr());
        numbers[32..].copy_from_slice(&self.s.to_repr());
        numbers
    }

    pub(crate) fn to_der(self) -> Vec<u8> {
        sequence([&self.r, &self.s].map(|number| integer(&number.to_repr())))
    }
}

impl Ciphertext {
    /// Takes in a sequence of x, y, C3 and C2. Whether the point is one is not asked here.
    pub(super) fn from_der(bytes: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(bytes).ok()?;
        let (x, y, c3, c2) = reader
            .sequence(|reader| -> der::Result<_> {
                Ok((
                    UintRef::decode(reader)?,
                    UintRef::decode(reader)?,
                    <&OctetStringRef>::decode(reader)?,
                    <&OctetStringRef>::decode(reader)?,
                ))
            })
            .ok()?;
        reader.finish().ok()?;
        let mut c1 = [0; 64];
        c1[..32].copy_from_slice(&padded(x.as_bytes())?);
        c1[32..].copy_from_slice(&padded(y.as_bytes())?);
        Some(Self { c1, c3: c3.as_bytes().try_into().ok()?, c2: c2.as_bytes().to_vec() })
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let (x, y) = self.c1.split_at(32);
        sequence([integer(x), integer(y), octets(&self.c3), octets(&self.c2)])
    }
}

fn scalar(bytes: &[u8]) -> Option<Scalar> {
    let scalar: Option<Scalar> = Scalar::from_repr(padded(bytes)?.into()).into();
    scalar.filter(|scalar| !bool::from(scalar.is_zero()))
}

/// A big-endian number of at most 32 bytes, with zeros in front.
fn padded(bytes: &[u8]) -> Option<[u8; 32]> {
    let mut number = [0; 32];
    number[32_usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    Some(number)
}

const SHORT: &str = "what a process holds is far below DER's limit";

fn integer(bytes: &[u8]) -> Vec<u8> {
    UintRef::new(bytes).and_then(|number| number.to_der()).expect(SHORT)
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    AnyRef::new(Tag::OctetString, bytes).and_then(|octets| octets.to_der()).expect(SHORT)
}

fn sequence<const N: usize>(parts: [Vec<u8>; N]) -> Vec<u8> {
    AnyRef::new(Tag::Sequence, &parts.concat()).and_then(|sequence| sequence.to_der()).expect(SHORT)
}
