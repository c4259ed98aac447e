//! SM4-GCM (GB/T 32907-2016 under RFC 8998 and NIST SP 800-38D): sealing with a random nonce.
//!
//! Output is `nonce (12) ‖ ciphertext ‖ tag (16)`. Nonces are random, so one key may seal at most 2³² messages; a
//! customer's data key seals tens, the root key one message per customer.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    error::Error,
    random::random_bytes,
    soft::sm4::{Sm4, Sm4Gcm},
};

/// Length of an SM4 key in bytes.
pub const KEY_LENGTH: usize = 16;
/// Length of the nonce in front of the ciphertext.
pub const NONCE_LENGTH: usize = 12;
/// Length of the tag behind the ciphertext.
pub const TAG_LENGTH: usize = 16;

/// A key for SM4-GCM: wiped when dropped, never printed.
#[derive(Clone)]
pub struct Sm4Key(Zeroizing<[u8; KEY_LENGTH]>);

impl Sm4Key {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::from_bytes(random_bytes()?))
    }

    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Encrypts `plaintext` and binds it to `associated`, which must be given again to open it.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes for the nonce.
    pub fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.seal_with(random_bytes()?, associated, plaintext))
    }

    /// Decrypts what [`Sm4Key::seal`] made.
    ///
    /// # Errors
    /// [`NotAuthentic`] if nonce, ciphertext, tag, associated data or key is not the one it was sealed with. Which one
    /// cannot be told.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(NotAuthentic)?;
        let cipher = Sm4::new(&self.0);
        Sm4Gcm::new(&cipher).decrypt(&cipher, nonce, associated, ciphertext).ok_or(NotAuthentic)
    }

    fn seal_with(&self, nonce: [u8; NONCE_LENGTH], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let cipher = Sm4::new(&self.0);
        let ciphertext = Sm4Gcm::new(&cipher).encrypt(&cipher, &nonce, associated, plaintext);
        [nonce.as_slice(), &ciphertext].concat()
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

/// Prints nothing of the key.
impl fmt::Debug for Sm4Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sm4Key(…)")
    }
}

/// The sealed bytes do not open under this key and this associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes, their associated data or the key are not those they were sealed with")]
pub struct NotAuthentic;

#[cfg(test)]
mod tests {
    use super::{NONCE_LENGTH, NotAuthentic, Sm4Key};

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).expect("hexadecimal").try_into().expect("the length of the vector")
    }

    fn rfc_key() -> Sm4Key {
        Sm4Key::from_bytes(unhex("0123456789abcdeffedcba9876543210"))
    }

    /// RFC 8998, appendix A.1.
    #[test]
    fn rfc_8998_vector() {
        let nonce: [u8; NONCE_LENGTH] = unhex("00001234567800000000abcd");
        let associated: [u8; 20] = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plaintext: [u8; 64] = unhex(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
             eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        );
        let sealed = rfc_key().seal_with(nonce, &associated, &plaintext);
        assert_eq!(
            hex::encode(&sealed),
            "00001234567800000000abcd\
             17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
             d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d\
             83de3541e4c2b58177e065a9bf7b62ec"
        );
        assert_eq!(rfc_key().open(&associated, &sealed).expect("its own").as_slice(), plaintext);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let sealed = rfc_key().seal(b"about", b"plain").expect("random bytes");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(rfc_key().open(b"about", &changed), Err(NotAuthentic), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(rfc_key().open(b"about", &sealed[..length]), Err(NotAuthentic), "length {length}");
        }
        assert_eq!(rfc_key().open(b"above", &sealed), Err(NotAuthentic));
        assert_eq!(Sm4Key::from_bytes([7; 16]).open(b"about", &sealed), Err(NotAuthentic));
    }

    #[test]
    fn the_same_text_seals_differently_each_time() {
        let [one, two] = [(); 2].map(|()| rfc_key().seal(b"", b"plain").expect("random bytes"));
        assert_ne!(one, two);
    }
}
