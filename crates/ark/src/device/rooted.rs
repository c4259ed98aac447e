//! Keys of this process under a root key that a device keeps.
//!
//! ```text
//!  device   root key: one block in, one block out ── encrypts ──► a key for one wrapping
//!  here     that key ── wraps ──► key-encryption key, row key, audit key ── wrap ──► named keys
//! ```
//!
//! Devices of GM/T 0018 have no GCM and no HMAC-SM3, tokens of PKCS #11 no national cryptography: neither can hold what
//! the key service works with. So the root key never leaves the device, and everything below it is in this process's
//! memory while the service is open. Whoever copies the file has nothing without the device.
//!
//! Invariant: [`Rooted::ROOT`] does nothing but wrap and unwrap.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use zeroize::Zeroizing;

use crate::{
    provider::{
        Agreed, Authentication, CHECK_VALUE_LENGTH, Check, Cipher, Exchange, KeyError, KeyHandle, KeyKind, Provider,
        PublicKey, PublicKeyEncryption, Signing,
    },
    soft::Soft,
};

/// What stands in front of a wrapped key: the format.
const WRAP: &[u8; 4] = b"rtd1";
const BLOCK: usize = 16;

/// The soft provider under a device's root key.
pub struct Rooted {
    device: Arc<dyn Provider>,
    root: OnceLock<KeyHandle>,
    soft: Soft,
}

impl Rooted {
    /// The root key, once it is there. No other key has this handle.
    pub const ROOT: KeyHandle = KeyHandle(u64::MAX);

    /// Without a root key yet.
    ///
    /// # Errors
    /// [`KeyError::SelfTest`].
    pub fn new(device: Arc<dyn Provider>) -> Result<Self, KeyError> {
        Ok(Self { device, root: OnceLock::new(), soft: Soft::new()? })
    }

    /// Takes a key of the device as the root key: SM4 or AES. The first one stays.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`], [`KeyError::UnknownKey`].
    pub fn take_root(&self, root: KeyHandle) -> Result<(), KeyError> {
        let kind = self.device.kind(root)?;
        if !matches!(kind, KeyKind::Sm4 | KeyKind::Aes128 | KeyKind::Aes256) {
            return Err(KeyError::WrongKind { operation: "be a root key", kind });
        }
        self.root.get_or_init(|| root);
        Ok(())
    }

    fn root(&self) -> Result<KeyHandle, KeyError> {
        self.root.get().copied().ok_or(KeyError::UnknownKey(Self::ROOT))
    }

    /// Wraps under a key made for this once, which only the device opens.
    fn wrap_under_root(&self, key: KeyHandle) -> Result<Vec<u8>, KeyError> {
        let mut once = Zeroizing::new([0; BLOCK]);
        self.soft.random(&mut *once)?;
        let sealed = self.device.encrypt(self.root()?, Cipher::Ecb, &*once)?;
        let under = self.soft.import(KeyKind::Sm4, &*once)?;
        let wrapped = self.soft.wrap(key, under);
        self.soft.destroy(under);
        Ok([WRAP.as_slice(), &sealed, &wrapped?].concat())
    }

    /// The tag of what was wrapped tells whether the device opened the right key for it.
    fn unwrap_under_root(&self, wrapped: &[u8], kind: KeyKind) -> Result<KeyHandle, KeyError> {
        let rest = wrapped.strip_prefix(WRAP).ok_or(KeyError::Decryption)?;
        let (sealed, wrapped) = rest.split_at_checked(BLOCK).ok_or(KeyError::Decryption)?;
        let once = self.device.decrypt(self.root()?, Cipher::Ecb, sealed)?;
        let under = self.soft.import(KeyKind::Sm4, &once).map_err(|_| KeyError::Decryption)?;
        let key = self.soft.unwrap(wrapped, kind, under);
        self.soft.destroy(under);
        key
    }
}

/// Prints the device and whether the root key is there.
impl fmt::Debug for Rooted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_root = self.root.get().is_some();
        formatter.debug_struct("Rooted").field("device", &self.device).field("root", &has_root).finish_non_exhaustive()
    }
}

impl Provider for Rooted {
    fn financial(&self) -> Option<&dyn crate::Financial> {
        self.soft.financial()
    }

    fn generate(&self, kind: KeyKind) -> Result<KeyHandle, KeyError> {
        self.soft.generate(kind)
    }

    fn destroy(&self, key: KeyHandle) {
        self.soft.destroy(key);
    }

    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError> {
        if key == Self::ROOT { self.device.kind(self.root()?) } else { self.soft.kind(key) }
    }

    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError> {
        self.soft.public_key(key)
    }

    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        if key == Self::ROOT { self.device.check_value(self.root()?) } else { self.soft.check_value(key) }
    }

    fn wrap(&self, key: KeyHandle, under: KeyHandle) -> Result<Vec<u8>, KeyError> {
        if under == Self::ROOT { self.wrap_under_root(key) } else { self.soft.wrap(key, under) }
    }

    fn unwrap(&self, wrapped: &[u8], kind: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError> {
        if under == Self::ROOT { self.unwrap_under_root(wrapped, kind) } else { self.soft.unwrap(wrapped, kind, under) }
    }

    fn derive(&self, key: KeyHandle, context: &[u8], kind: KeyKind) -> Result<KeyHandle, KeyError> {
        self.soft.derive(key, context, kind)
    }

    fn sign(&self, key: KeyHandle, scheme: Signing<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.soft.sign(key, scheme, message)
    }

    fn verify(&self, check: &Check<'_>) -> Result<(), KeyError> {
        self.soft.verify(check)
    }

    fn verify_many(&self, checks: &[Check<'_>]) -> Vec<Result<(), KeyError>> {
        self.soft.verify_many(checks)
    }

    fn encrypt_for(
        &self,
        public: &PublicKey,
        scheme: PublicKeyEncryption,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.soft.encrypt_for(public, scheme, message)
    }

    fn decrypt_with(
        &self,
        key: KeyHandle,
        scheme: PublicKeyEncryption,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.soft.decrypt_with(key, scheme, ciphertext)
    }

    fn encrypt(&self, key: KeyHandle, cipher: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.soft.encrypt(key, cipher, message)
    }

    fn decrypt(&self, key: KeyHandle, cipher: Cipher<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.soft.decrypt(key, cipher, ciphertext)
    }

    fn seal(&self, key: KeyHandle, associated: &[u8], message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.soft.seal(key, associated, message)
    }

    fn open(&self, key: KeyHandle, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.soft.open(key, associated, sealed)
    }

    fn authenticate(&self, key: KeyHandle, scheme: Authentication, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.soft.authenticate(key, scheme, message)
    }

    fn check_tag(&self, key: KeyHandle, scheme: Authentication, message: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        self.soft.check_tag(key, scheme, message, tag)
    }

    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError> {
        self.soft.agree(exchange)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), KeyError> {
        self.soft.random(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooted() -> Rooted {
        let device = Arc::new(Soft::new().unwrap());
        let root = device.generate(KeyKind::Sm4).unwrap();
        let rooted = Rooted::new(device).unwrap();
        rooted.take_root(root).unwrap();
        rooted
    }

    #[test]
    fn what_the_root_key_wrapped_opens_under_it_alone() {
        let (one, two) = (rooted(), rooted());
        let key = one.generate(KeyKind::HmacSm3).unwrap();
        let tag = one.authenticate(key, Authentication::HmacSm3, b"text").unwrap();
        let wrapped = one.wrap(key, Rooted::ROOT).unwrap();
        assert_ne!(wrapped, one.wrap(key, Rooted::ROOT).unwrap(), "each wrapping has a key of its own");
        let again = one.unwrap(&wrapped, KeyKind::HmacSm3, Rooted::ROOT).unwrap();
        one.check_tag(again, Authentication::HmacSm3, b"text", &tag).unwrap();
        for place in 0..wrapped.len() {
            let mut altered = wrapped.clone();
            altered[place] ^= 1;
            let opened = one.unwrap(&altered, KeyKind::HmacSm3, Rooted::ROOT);
            assert!(matches!(opened, Err(KeyError::Decryption)), "byte {place}");
            let cut = one.unwrap(&wrapped[..place], KeyKind::HmacSm3, Rooted::ROOT);
            assert!(matches!(cut, Err(KeyError::Decryption)), "cut at {place}");
        }
        assert!(matches!(one.unwrap(&wrapped, KeyKind::Sm4, Rooted::ROOT), Err(KeyError::Decryption)), "kind");
        assert!(matches!(two.unwrap(&wrapped, KeyKind::HmacSm3, Rooted::ROOT), Err(KeyError::Decryption)), "root");
    }

    #[test]
    fn the_root_key_wraps_and_does_nothing_else() {
        let rooted = rooted();
        rooted.destroy(Rooted::ROOT);
        assert_eq!(rooted.kind(Rooted::ROOT).unwrap(), KeyKind::Sm4);
        let block = [0; BLOCK];
        assert!(matches!(rooted.encrypt(Rooted::ROOT, Cipher::Ecb, &block), Err(KeyError::UnknownKey(_))));
        assert!(matches!(rooted.decrypt(Rooted::ROOT, Cipher::Ecb, &block), Err(KeyError::UnknownKey(_))));
        assert!(matches!(rooted.wrap(Rooted::ROOT, Rooted::ROOT), Err(KeyError::UnknownKey(_))));
        let pair = Soft::new().unwrap();
        let signing = pair.generate(KeyKind::Sm2).unwrap();
        let without = Rooted::new(Arc::new(pair)).unwrap();
        assert!(matches!(without.take_root(signing), Err(KeyError::WrongKind { .. })));
        assert!(matches!(without.check_value(Rooted::ROOT), Err(KeyError::UnknownKey(_))));
    }
}
