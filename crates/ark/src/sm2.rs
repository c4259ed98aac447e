//! SM2 (GB/T 32918-2016): signatures, encryption and key exchange over the curve that GB/T 32918.5 recommends.
//!
//! Field, scalars and points are the `sm2` crate's, in constant time where a secret goes in. What the standard builds
//! of them stands here: [`point`] takes in public keys, [`key`] signs, [`verify`] verifies, [`encrypt`] encrypts and
//! decrypts, [`exchange`] agrees on a key, [`form`] reads and writes DER. [`table`] makes multiples of a point, [`known`] keeps them for
//! keys that are verified with often.

pub(crate) mod encrypt;
pub(crate) mod exchange;
mod form;
pub(crate) mod key;
pub(crate) mod known;
pub(crate) mod point;
mod table;
pub(crate) mod verify;

use sm2::{AffinePoint, elliptic_curve::point::AffineCoordinates as _};

use crate::hash::DIGEST_LENGTH;

/// The id of a signer who was told none (GM/T 0009-2012, 7).
pub const DEFAULT_ID: &[u8] = b"1234567812345678";

/// The longest id: its length in bits is two bytes.
pub const ID_LENGTH_MAX: usize = 8191;

/// `x ‖ y` of a point that is not infinity.
fn coordinates(point: &AffinePoint) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&point.x());
    bytes[32..].copy_from_slice(&point.y());
    bytes
}

/// The key derivation function of GB/T 32918.4, 5.4.3: SM3 over `input` and a counter from 1.
pub(crate) fn derive(input: &[u8], output: &mut [u8]) {
    for (counter, chunk) in (1_u32..).zip(output.chunks_mut(DIGEST_LENGTH)) {
        let mut digest = crate::Sm3::new().update(input).update(&counter.to_be_bytes()).finish();
        chunk.copy_from_slice(&digest[..chunk.len()]);
        zeroize::Zeroize::zeroize(&mut digest);
    }
}

/// SM3 of parts in a row.
fn hash(parts: &[&[u8]]) -> [u8; DIGEST_LENGTH] {
    parts.iter().fold(crate::Sm3::new(), |hash, part| hash.update(part)).finish()
}

#[cfg(test)]
fn test_scalar(text: &str) -> sm2::Scalar {
    use sm2::elliptic_curve::PrimeField as _;

    let bytes: [u8; 32] = hex::decode(text).expect("hex").try_into().expect("32 bytes");
    Option::from(sm2::Scalar::from_repr(bytes.into())).expect("below n")
}
