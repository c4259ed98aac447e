//! Values whose signature was checked.

use std::ops::Deref;

use crate::error::ChannelError;
use crate::key::ChannelKey;

/// A value read from bytes that carry a channel's signature. There is no other way to make one:
///
/// ```compile_fail
/// let forged = channels::Verified("paid");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<'a> Verified<&'a [u8]> {
    /// The bytes, if `tag` is the HMAC-SM3 of `head` and the bytes; `None` if it is not.
    ///
    /// # Errors
    /// [`ChannelError::Key`]: then nobody knows.
    pub(crate) fn by_mac(
        channel: &'static str,
        key: &ChannelKey,
        head: &[u8],
        bytes: &'a [u8],
        tag: &[u8],
    ) -> Result<Option<Self>, ChannelError> {
        Ok(key.fits(channel, head, bytes, tag)?.then_some(Self(bytes)))
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
    use ark::MacKey;

    use super::*;

    #[test]
    fn only_the_signed_bytes_are_verified() {
        let mac = MacKey::from_bytes([7; 32]);
        let tag = mac.tag(b"prefix and bytes");
        let key = ChannelKey::Plain(mac);
        let by_mac = |head: &[u8], bytes: &'static [u8], tag: &[u8]| {
            Verified::by_mac("test", &key, head, bytes, tag).unwrap().map(Verified::into_inner)
        };
        assert_eq!(by_mac(b"prefix", b" and bytes", &tag), Some(b" and bytes".as_slice()));
        assert_eq!(by_mac(b"prefix", b" and byteS", &tag), None);
        assert_eq!(by_mac(b"Prefix", b" and bytes", &tag), None);
        assert_eq!(by_mac(b"prefix", b" and bytes", &tag[1..]), None);
    }
}
