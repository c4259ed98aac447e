//! The platform's public keys, which sign answers to whoever signs with a pair, and all webhooks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ark::provider::{Check, KeyKind, PublicKey, Signing};
use ark::signing::{Stamp, answer_to_sign};
use ark::{Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::credential::der_of;
use crate::error::{CredentialError, Error};
use crate::model::PlatformKey;

/// What stands before the point in the `SubjectPublicKeyInfo` of an SM2 key.
const SM2_FRAME: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];
/// Keys whose tables of multiples are kept.
const KEPT: usize = 4;

/// Public keys by their serial numbers.
#[derive(Debug, Clone, Default)]
pub struct PlatformKeys {
    soft: Option<Arc<Soft>>,
    keys: BTreeMap<String, PublicKey>,
}

impl PlatformKeys {
    /// Those of a list that was had over a request signed with a secret.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn of(list: &[PlatformKey]) -> Result<Self, CredentialError> {
        let mut keys = Self::default();
        list.iter().try_for_each(|key| keys.add(&key.serial_no, &key.public_key))?;
        Ok(keys)
    }

    /// Adds a key in PEM.
    ///
    /// # Errors
    /// [`CredentialError::Pem`] if it is no public SM2 or RSA-2048 key.
    pub fn add(&mut self, serial: &str, pem: &str) -> Result<(), CredentialError> {
        if self.soft.is_none() {
            self.soft = Some(Arc::new(Soft::with_known_keys(KEPT).map_err(|_| CredentialError::Pem)?));
        }
        let info = der_of(pem)?;
        let key = match info.strip_prefix(SM2_FRAME) {
            Some(point) if point.len() == 65 => PublicKey { kind: KeyKind::Sm2, bytes: point.to_vec() },
            // The frame of an RSA key of 2048 bits is 294 bytes.
            None if info.len() == 294 => PublicKey { kind: KeyKind::Rsa2048, bytes: info },
            Some(_) | None => return Err(CredentialError::Pem),
        };
        self.keys.insert(serial.to_owned(), key);
        Ok(())
    }

    /// Whether the key of a serial number is known: if not, ask for the list again.
    #[must_use]
    pub fn knows(&self, serial: &str) -> bool {
        self.keys.contains_key(serial)
    }

    /// Checks the signature, in base64, of an answer or webhook.
    pub(crate) fn check(&self, serial: &str, stamp: &Stamp, body: &[u8], signature: &str) -> Result<(), Error> {
        let public = self.keys.get(serial).ok_or_else(|| Error::PlatformKey(serial.to_owned()))?;
        let soft = self.soft.as_ref().ok_or_else(|| Error::PlatformKey(serial.to_owned()))?;
        let scheme = if public.kind == KeyKind::Sm2 { Signing::SM2 } else { Signing::RsaPkcs1Sha256 };
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| Error::Forged)?;
        let message = answer_to_sign(stamp, body);
        let check = Check { public, scheme, message: &message, signature: &signature };
        soft.verify(&check).map_err(|_| Error::Forged)
    }

    /// Checks a request's own signature: for the other end of a test.
    #[cfg(test)]
    pub(crate) fn check_request(
        &self,
        authorization: &ark::signing::Authorization,
        request: &ark::signing::Request<'_>,
    ) -> Result<(), Error> {
        let public = self.keys.get(authorization.serial()).unwrap();
        authorization.verify_by(&**self.soft.as_ref().unwrap(), public, request).map_err(Error::Signing)
    }
}
