//! Values whose signature was checked.

use std::ops::Deref;

use ark::{MacKey, Mismatch};

/// A value read from bytes that carry a channel's signature. There is no other way to make one:
///
/// ```compile_fail
/// let forged = channels::Verified("paid");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<'a> Verified<&'a [u8]> {
    /// The bytes, if `tag` is the HMAC-SM3 of `prefix` and the bytes.
    pub(crate) fn by_mac(key: &MacKey, prefix: &[u8], bytes: &'a [u8], tag: &[u8]) -> Result<Self, Mismatch> {
        key.mac().update(prefix).update(bytes).verify(tag)?;
        Ok(Self(bytes))
    }
}

impl<T> Verified<T> {
    /// What is read from a verified value is verified.
    pub(crate) fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Verified<U>, E> {
        read(self.0).map(Verified)
    }

    /// The value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_bytes_are_verified() {
        let key = MacKey::from_bytes([7; 32]);
        let tag = key.tag(b"prefix and bytes");
        assert_eq!(*Verified::by_mac(&key, b"prefix", b" and bytes", &tag).unwrap(), b" and bytes");
        assert_eq!(Verified::by_mac(&key, b"prefix", b" and byteS", &tag), Err(Mismatch));
        assert_eq!(Verified::by_mac(&key, b"Prefix", b" and bytes", &tag), Err(Mismatch));
        assert_eq!(Verified::by_mac(&key, b"prefix", b" and bytes", &tag[1..]), Err(Mismatch));
    }
}
