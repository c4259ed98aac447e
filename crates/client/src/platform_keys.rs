//! The platform's public keys: they sign answers to whoever signs with a pair, and all webhooks; sensitive fields are encrypted with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ark::provider::{Check, KeyKind, PublicKey, PublicKeyEncryption, Signing};
use ark::signing::{Stamp, answer_to_sign};
use ark::{Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::credential::der_of;
use crate::error::{CredentialError, Error};
use crate::model::PlatformKey;

/// What stands before the point in the `SubjectPublicKeyInfo` of an SM2 key.
const SM2_FRAME: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];
/// How the form of a receipt begins; a version follows.
const RECEIPT_FORM: &str = "lintel-receipt-";
/// Keys whose tables of multiples are kept.
const KEPT: usize = 4;

/// Public keys by their serial numbers.
#[derive(Debug, Clone, Default)]
pub struct PlatformKeys {
    soft: Option<Arc<Soft>>,
    keys: BTreeMap<String, PublicKey>,
    encrypting: BTreeMap<String, PublicKey>,
}

/// What encrypts sensitive fields (敏感字段) for the platform: names, numbers of cards and certificates, phones, pay passwords.
#[derive(Debug, Clone)]
pub struct Sealer {
    soft: Arc<Soft>,
    serial: String,
    public: PublicKey,
}

impl Sealer {
    /// What the header `Lintel-Encryption-Serial` says of a request with such fields; [`crate::Client::post_sealed`] sets it.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// A text as it goes into a field: `encrypted:` and base64. Each time it is another one.
    ///
    /// # Errors
    /// [`Error::Encryption`] for an empty text, or one of more than 190 bytes under RSA.
    pub fn seal(&self, text: &str) -> Result<String, Error> {
        let sm2 = self.public.kind == KeyKind::Sm2;
        let scheme = if sm2 { PublicKeyEncryption::Sm2Der } else { PublicKeyEncryption::RsaOaepSha256 };
        let sealed = self.soft.encrypt_for(&self.public, scheme, text.as_bytes()).map_err(|_| Error::Encryption)?;
        Ok(format!("encrypted:{}", BASE64_STANDARD.encode(sealed)))
    }
}

impl PlatformKeys {
    /// Those of a list that was had over a request signed with a secret, or with a pair while the key that signed it is believed: not
    /// after one was known to others.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn of(list: &[PlatformKey]) -> Result<Self, CredentialError> {
        let mut keys = Self::default();
        for key in list {
            match key.scheme.as_str() {
                "SM2-DER" | "RSA-OAEP-SHA256" if key.encrypts => {
                    keys.add_encrypting(&key.serial_no, &key.public_key)?;
                }
                // One that is no longer encrypted with.
                "SM2-DER" | "RSA-OAEP-SHA256" => {}
                _ => keys.add(&key.serial_no, &key.public_key)?,
            }
        }
        Ok(keys)
    }

    /// What encrypts sensitive fields: with SM2, or with RSA where there is no SM2. `None` where no key for it is known.
    #[must_use]
    pub fn sealer(&self) -> Option<Sealer> {
        let sm2 = self.encrypting.iter().find(|(_, key)| key.kind == KeyKind::Sm2);
        let (serial, public) = sm2.or_else(|| self.encrypting.first_key_value())?;
        Some(Sealer { soft: self.soft.clone()?, serial: serial.clone(), public: public.clone() })
    }

    /// Adds a key in PEM that sensitive fields are encrypted with. It verifies nothing.
    ///
    /// # Errors
    /// As [`PlatformKeys::add`].
    pub fn add_encrypting(&mut self, serial: &str, pem: &str) -> Result<(), CredentialError> {
        let key = self.read(pem)?;
        self.encrypting.insert(serial.to_owned(), key);
        Ok(())
    }

    /// Adds a key in PEM.
    ///
    /// # Errors
    /// [`CredentialError::Pem`] if it is no public SM2 or RSA-2048 key.
    pub fn add(&mut self, serial: &str, pem: &str) -> Result<(), CredentialError> {
        let key = self.read(pem)?;
        self.keys.insert(serial.to_owned(), key);
        Ok(())
    }

    fn read(&mut self, pem: &str) -> Result<PublicKey, CredentialError> {
        if self.soft.is_none() {
            self.soft = Some(Arc::new(Soft::with_known_keys(KEPT).map_err(|_| CredentialError::Pem)?));
        }
        let info = der_of(pem)?;
        match info.strip_prefix(SM2_FRAME) {
            Some(point) if point.len() == 65 => Ok(PublicKey { kind: KeyKind::Sm2, bytes: point.to_vec() }),
            // The frame of an RSA key of 2048 bits is 294 bytes.
            None if info.len() == 294 => Ok(PublicKey { kind: KeyKind::Rsa2048, bytes: info }),
            Some(_) | None => Err(CredentialError::Pem),
        }
    }

    /// Whether the key of a serial number is known: if not, ask for the list again.
    #[must_use]
    pub fn knows(&self, serial: &str) -> bool {
        self.keys.contains_key(serial)
    }

    /// What a receipt says, if one of these keys signed exactly this `content`. Whatever else the platform signs is no receipt.
    #[must_use]
    pub fn receipt(&self, content: &str, serial: &str, signature: &str) -> Option<Value> {
        self.check_message(serial, content.as_bytes(), signature).ok()?;
        let receipt: Value = serde_json::from_str(content).ok()?;
        receipt["form"].as_str().is_some_and(|form| form.starts_with(RECEIPT_FORM)).then_some(receipt)
    }

    /// Checks the signature, in base64, of an answer or webhook.
    pub(crate) fn check(&self, serial: &str, stamp: &Stamp, body: &[u8], signature: &str) -> Result<(), Error> {
        self.check_message(serial, &answer_to_sign(stamp, body), signature)
    }

    /// Checks the signature, in base64, of a text that is handed on.
    pub(crate) fn check_message(&self, serial: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        let public = self.keys.get(serial).ok_or_else(|| Error::PlatformKey(serial.to_owned()))?;
        let soft = self.soft.as_ref().ok_or_else(|| Error::PlatformKey(serial.to_owned()))?;
        let scheme = if public.kind == KeyKind::Sm2 { Signing::SM2 } else { Signing::RsaPkcs1Sha256 };
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| Error::Forged)?;
        let check = Check { public, scheme, message, signature: &signature };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(serial: &str, scheme: &str, file: &str, encrypts: bool) -> PlatformKey {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing").join(file);
        let public_key = std::fs::read_to_string(path).unwrap();
        PlatformKey { serial_no: serial.to_owned(), scheme: scheme.to_owned(), public_key, encrypts }
    }

    #[test]
    fn a_sealer_takes_sm2_before_rsa_and_what_it_seals_opens() {
        let rsa = listed("PLATFORM-ENC-RSA-1", "RSA-OAEP-SHA256", "rsa.pub.pem", true);
        let sm2 = listed("PLATFORM-ENC-SM2-2", "SM2-DER", "sm2.pub.pem", true);
        let old = listed("PLATFORM-ENC-SM2-1", "SM2-DER", "sm2.pub.pem", false);
        let keys = PlatformKeys::of(&[rsa.clone(), old.clone(), sm2]).unwrap();
        let sealer = keys.sealer().unwrap();
        assert_eq!(sealer.serial(), "PLATFORM-ENC-SM2-2");
        assert!(!keys.knows("PLATFORM-ENC-SM2-2"), "a key to encrypt with verifies nothing");
        assert_eq!(PlatformKeys::of(&[rsa]).unwrap().sealer().unwrap().serial(), "PLATFORM-ENC-RSA-1");
        assert!(PlatformKeys::of(&[old]).unwrap().sealer().is_none());
        assert!(matches!(sealer.seal(""), Err(Error::Encryption)));

        let pem = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing/sm2.key.pem");
        let der = der_of(&std::fs::read_to_string(pem).unwrap()).unwrap();
        let soft = Soft::with_known_keys(0).unwrap();
        // The number within PKCS #8.
        let pair = soft.import(KeyKind::Sm2, &der[36..68]).unwrap();
        let sealed = [sealer.seal("张三").unwrap(), sealer.seal("张三").unwrap()];
        assert_ne!(sealed[0], sealed[1]);
        for text in sealed {
            let bytes = BASE64_STANDARD.decode(text.strip_prefix("encrypted:").unwrap()).unwrap();
            let opened = soft.decrypt_with(pair, PublicKeyEncryption::Sm2Der, &bytes).unwrap();
            assert_eq!(opened.as_slice(), "张三".as_bytes());
        }
    }
}
