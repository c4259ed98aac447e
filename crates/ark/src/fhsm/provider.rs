//! A financial module as a [`Provider`]: it has financial commands and no general key, so every other operation is refused
//! by name.

use zeroize::Zeroizing;

use super::Fhsm;
use crate::provider::{
    Agreed, Authentication, CHECK_VALUE_LENGTH, Check, Cipher, Exchange, KeyError, KeyHandle, KeyKind, Provider,
    PublicKey, PublicKeyEncryption, Signing,
};

impl Fhsm {
    fn financial_only(&self, operation: &'static str) -> KeyError {
        let reason = "a financial module has keys of terminals and networks only; take the soft provider or a device of \
                      GM/T 0018 for others";
        self.dialect.lacks(operation, reason.to_owned()).into()
    }
}

impl Provider for Fhsm {
    fn financial(&self) -> Option<&dyn crate::Financial> {
        Some(self)
    }

    fn generate(&self, _: KeyKind) -> Result<KeyHandle, KeyError> {
        Err(self.financial_only("make a general key"))
    }

    fn destroy(&self, _: KeyHandle) {}

    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn wrap(&self, key: KeyHandle, _: KeyHandle) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn unwrap(&self, _: &[u8], _: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError> {
        Err(KeyError::UnknownKey(under))
    }

    fn derive(&self, key: KeyHandle, _: &[u8], _: KeyKind) -> Result<KeyHandle, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn sign(&self, key: KeyHandle, _: Signing<'_>, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn verify(&self, _: &Check<'_>) -> Result<(), KeyError> {
        Err(self.financial_only("verify a signature"))
    }

    fn encrypt_for(&self, _: &PublicKey, _: PublicKeyEncryption, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(self.financial_only("encrypt for a public key"))
    }

    fn decrypt_with(&self, key: KeyHandle, _: PublicKeyEncryption, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn encrypt(&self, key: KeyHandle, _: Cipher<'_>, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn decrypt(&self, key: KeyHandle, _: Cipher<'_>, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn authenticate(&self, key: KeyHandle, _: Authentication, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn check_tag(&self, key: KeyHandle, _: Authentication, _: &[u8], _: &[u8]) -> Result<(), KeyError> {
        Err(KeyError::UnknownKey(key))
    }

    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError> {
        Err(KeyError::UnknownKey(exchange.own))
    }

    fn random(&self, _: &mut [u8]) -> Result<(), KeyError> {
        Err(self.financial_only("give random bytes"))
    }
}
