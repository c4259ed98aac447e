//! Fingerprints of requests: the same request sent again is known by 16 bytes, from which nobody can guess its body.
//!
//! BLAKE3 under a key, cut to 16 bytes. A fingerprint is compared with fingerprints of this platform alone and seals
//! nothing, so it need not be national cryptography, and a second pass of HMAC-SM3 over a large body took a tenth of
//! all the time of a bulk posting.

use std::fmt;

use zeroize::Zeroizing;

use crate::mac::MacKey;

/// Length of a fingerprint in bytes.
pub const FINGERPRINT_LENGTH: usize = 16;

/// A key for fingerprints: wiped when dropped, never printed.
#[derive(Clone)]
pub struct FingerprintKey(Zeroizing<[u8; 32]>);

impl FingerprintKey {
    /// The key that belongs to a MAC key, the same each time.
    #[must_use]
    pub fn derived_from(root: &MacKey) -> Self {
        Self(Zeroizing::new(root.tag(b"request-fingerprint")))
    }

    /// The fingerprint of a message in parts. Where one part ends and the next begins counts: each goes in behind its length.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> [u8; FINGERPRINT_LENGTH] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut fingerprint = [0; FINGERPRINT_LENGTH];
        hasher.finalize_xof().fill(&mut fingerprint);
        fingerprint
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FingerprintKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> FingerprintKey {
        FingerprintKey::derived_from(&MacKey::from_bytes([byte; 32]))
    }

    #[test]
    fn another_key_another_byte_or_another_cut_gives_another_fingerprint() {
        let first = key(1).of(&[b"POST", b"/v1/orders", b"body"]);
        assert_eq!(first, key(1).of(&[b"POST", b"/v1/orders", b"body"]));
        assert_ne!(first, key(2).of(&[b"POST", b"/v1/orders", b"body"]));
        assert_ne!(first, key(1).of(&[b"POST", b"/v1/orders", b"bodz"]));
        assert_ne!(first, key(1).of(&[b"POST", b"/v1/order", b"sbody"]));
        assert_ne!(first, key(1).of(&[b"POST", b"/v1/orders", b"", b"body"]));
    }

    #[test]
    fn a_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", key(1)), "FingerprintKey(…)");
    }
}
