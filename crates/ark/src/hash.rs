//! SM3 (GB/T 32905-2016): the platform's hash, 32 bytes.

use std::fmt;

use ::sm3::Digest as _;

/// Length of an SM3 digest in bytes.
pub const DIGEST_LENGTH: usize = 32;

/// The SM3 digest of `bytes`.
///
/// ```
/// let digest = ark::sm3(b"abc");
/// assert_eq!(digest[..4], [0x66, 0xc7, 0xf0, 0xf4]);
/// ```
#[must_use]
pub fn sm3(bytes: &[u8]) -> [u8; DIGEST_LENGTH] {
    ::sm3::Sm3::digest(bytes).into()
}

/// The SHA-1 digest of `bytes`: for check sums that a standard fixed long ago, such as those of EMV's public keys. It keeps nobody
/// from making two messages of one digest.
#[must_use]
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    ::sha1::Sha1::digest(bytes).into()
}

/// SM3 of a message that arrives in pieces. How the pieces are cut does not change the digest.
#[derive(Clone, Default)]
pub struct Sm3(::sm3::Sm3);

impl Sm3 {
    /// A hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes` to the message.
    #[must_use]
    pub fn update(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; DIGEST_LENGTH] {
        self.0.finalize().into()
    }
}

/// Prints no state: the message may be personal.
impl fmt::Debug for Sm3 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sm3(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Sm3, sha1, sm3};

    /// The first example of RFC 3174, section 7.3.
    #[test]
    fn sha1_is_that_of_its_standard() {
        assert_eq!(hex::encode(sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    /// The two examples of GB/T 32905-2016, appendix A.
    #[test]
    fn standard_examples() {
        assert_eq!(hex::encode(sm3(b"abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        assert_eq!(
            hex::encode(sm3(&b"abcd".repeat(16))),
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
        );
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let message: Vec<u8> = (0..=255).collect();
        for cut in [0, 1, 63, 64, 65, 255] {
            let (head, tail) = message.split_at(cut);
            assert_eq!(Sm3::new().update(head).update(tail).finish(), sm3(&message), "cut at {cut}");
        }
    }
}
