//! HMAC-SM3 (RFC 2104 over SM3; GB/T 15852.2): keyed authentication of bytes, 32-byte tags.
//!
//! Tags are compared in constant time, and only here: callers hand the tag in and get a verdict.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use zeroize::Zeroizing;

use crate::{error::Error, random::random_bytes, secret::Secret};

/// Length of an HMAC-SM3 tag in bytes.
pub const TAG_LENGTH: usize = 32;

/// A key for HMAC-SM3: 32 bytes, wiped when dropped, never printed.
#[derive(Clone)]
pub struct MacKey {
    bytes: Zeroizing<[u8; 32]>,
    /// A message that has not begun: both of its hashes have taken in the key, which is two of the blocks that each message costs. It is
    /// wiped when dropped, as every message is.
    begun: Hmac<::sm3::Sm3>,
}

impl MacKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::from_bytes(random_bytes()?))
    }

    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let begun = Hmac::new_from_slice(&*bytes).expect("HMAC takes a key of any length");
        Self { bytes, begun }
    }

    /// Reads the text form that a merchant holds: 64 hexadecimal digits, either case.
    ///
    /// # Errors
    /// [`Error::MacKeyText`] if it is anything else; the error does not repeat it.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *bytes).map_err(|_| Error::MacKeyText { length: text.len() })?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The text form that a merchant is shown once: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex::encode(self.expose()))
    }

    /// Starts a message under this key.
    #[must_use]
    pub fn mac(&self) -> Mac {
        Mac(self.begun.clone())
    }

    /// The tag of one message.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> [u8; TAG_LENGTH] {
        self.mac().update(message).finish()
    }

    /// The key for one purpose under this one: HMAC-SM3 of the purpose's name.
    pub(crate) fn derive(&self, purpose: &str) -> Self {
        Self::from_bytes(self.mac().update(b"lintel/derive/1/").update(purpose.as_bytes()).finish())
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// Prints nothing of the key.
impl fmt::Debug for MacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MacKey(…)")
    }
}

/// A message under a key, taken in pieces so that a large body is not copied.
#[derive(Clone)]
pub struct Mac(Hmac<::sm3::Sm3>);

impl Mac {
    /// Appends `bytes` to the message. How the pieces are cut does not change the tag: a caller whose pieces could be
    /// cut elsewhere puts separators or lengths between them.
    #[must_use]
    pub fn update(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// The tag of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; TAG_LENGTH] {
        self.0.finalize().into_bytes().into()
    }

    /// Compares with a tag from outside, in constant time.
    ///
    /// # Errors
    /// [`Mismatch`] if the tag has another length or content.
    pub fn verify(self, tag: &[u8]) -> Result<(), Mismatch> {
        self.0.verify_slice(tag).map_err(|_| Mismatch)
    }
}

/// Prints no state.
impl fmt::Debug for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mac(…)")
    }
}

/// The tag is not the tag of this message under this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not the one that was authenticated, or the key is another")]
pub struct Mismatch;

#[cfg(test)]
mod tests {
    use super::{MacKey, Mismatch};
    use crate::error::Error;

    fn key() -> MacKey {
        MacKey::from_bytes(std::array::from_fn(|index| index as u8))
    }

    /// Computed with `openssl dgst -sm3 -mac HMAC`.
    #[test]
    fn known_tag() {
        assert_eq!(hex::encode(key().tag(b"abc")), "a8f95cf26f204957e7ca73c9602a25dda35f168b28103b51dfc968c810416b63");
    }

    #[test]
    fn verify_refuses_a_changed_message_tag_length_and_key() {
        let tag = key().tag(b"message");
        let mut flipped = tag;
        flipped[31] ^= 1;
        assert_eq!(key().mac().update(b"mess").update(b"age").verify(&tag), Ok(()));
        assert_eq!(key().mac().update(b"massage").verify(&tag), Err(Mismatch));
        assert_eq!(key().mac().update(b"message").verify(&flipped), Err(Mismatch));
        assert_eq!(key().mac().update(b"message").verify(&tag[..31]), Err(Mismatch));
        assert_eq!(key().derive("other").mac().update(b"message").verify(&tag), Err(Mismatch));
    }

    #[test]
    fn text_form_is_64_hexadecimal_digits() {
        let text = key().to_hex();
        assert_eq!(text.expose(), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let upper = MacKey::from_hex(&text.expose().to_uppercase()).expect("either case is read");
        assert_eq!(upper.expose(), key().expose());
        for wrong in ["", "00", &text.expose()[1..], &text.expose().replace('f', "g")] {
            let error = MacKey::from_hex(wrong).expect_err("not a key");
            assert!(matches!(error, Error::MacKeyText { length } if length == wrong.len()));
        }
    }

    #[test]
    fn each_purpose_has_its_own_key() {
        assert_ne!(key().derive("a").expose(), key().derive("b").expose());
        assert_ne!(key().derive("a").expose(), key().expose());
    }
}
