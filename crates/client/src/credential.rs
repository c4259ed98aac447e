//! Who asks, and with which key.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ark::provider::{KeyHandle, KeyKind, Signing};
use ark::signing::{Authorization, Credential as Shared, Request, Scheme, Stamp, string_to_sign};
use ark::{MacKey, Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::error::{CredentialError, Error};

/// The serial number of everyone's first API secret.
const SECRET_SERIAL: &str = "1";
/// id-ecPublicKey's curve SM2 (GB/T 32918.5), as it stands in a PKCS #8 key.
const SM2_CURVE: &[u8] = &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];
/// What stands before the 32 bytes of the private number (RFC 5915).
const PRIVATE_NUMBER: &[u8] = &[0x02, 0x01, 0x01, 0x04, 0x20];

/// A caller: a merchant, an operator or a program, with its key.
#[derive(Clone)]
pub struct Credential {
    id: String,
    serial: String,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Secret(MacKey),
    Pair { soft: Arc<Soft>, handle: KeyHandle, scheme: Scheme },
}

impl Credential {
    /// Of an API secret in 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`CredentialError::Secret`].
    pub fn secret(id: &str, secret_hex: &str) -> Result<Self, CredentialError> {
        let key = MacKey::from_hex(secret_hex.trim()).map_err(|_| CredentialError::Secret)?;
        Ok(Self { id: id.to_owned(), serial: SECRET_SERIAL.to_owned(), key: Key::Secret(key) })
    }

    /// The same, of a secret that was rotated: under this serial number. Its answers are believed only if `Lintel-Serial` names the same
    /// one.
    #[must_use]
    pub fn of_serial(mut self, serial: &str) -> Self {
        serial.clone_into(&mut self.serial);
        self
    }

    /// Of a private SM2 or RSA-2048 key in PEM (PKCS #8, as `openssl genpkey` writes it), whose public half is registered
    /// under `serial`.
    ///
    /// # Errors
    /// [`CredentialError::Pem`].
    pub fn pair(id: &str, serial: &str, pem: &str) -> Result<Self, CredentialError> {
        let der = Zeroizing::new(der_of(pem)?);
        let soft = Soft::with_known_keys(0).map_err(|_| CredentialError::Pem)?;
        let sm2 = find(&der, SM2_CURVE).is_some();
        let (handle, scheme) = if sm2 {
            let at = find(&der, PRIVATE_NUMBER).ok_or(CredentialError::Pem)?;
            let from = at.checked_add(PRIVATE_NUMBER.len()).ok_or(CredentialError::Pem)?;
            let number = from.checked_add(32).and_then(|to| der.get(from..to)).ok_or(CredentialError::Pem)?;
            (soft.import(KeyKind::Sm2, number), Scheme::Sm2WithSm3)
        } else {
            (soft.import(KeyKind::Rsa2048, &der), Scheme::Sha256Rsa2048)
        };
        let handle = handle.map_err(|_| CredentialError::Pem)?;
        let key = Key::Pair { soft: Arc::new(soft), handle, scheme };
        Ok(Self { id: id.to_owned(), serial: serial.to_owned(), key })
    }

    /// Who asks.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The shared secret and its serial number, where it is one: it signs answers too.
    pub(crate) const fn shared(&self) -> Option<(&MacKey, &str)> {
        match &self.key {
            Key::Secret(key) => Some((key, self.serial.as_str())),
            Key::Pair { .. } => None,
        }
    }

    /// The `Authorization` of a request, with a new nonce.
    pub(crate) fn authorize(&self, request: &Request<'_>) -> Result<Authorization, Error> {
        let stamp = Stamp::random(now()).map_err(|_| Error::Random)?;
        let signed = match &self.key {
            Key::Secret(key) => {
                let credential = Shared { merchant: &self.id, serial: &self.serial, key };
                Authorization::sign(&credential, stamp, request)
            }
            Key::Pair { soft, handle, scheme } => {
                let signing = if *scheme == Scheme::Sm2WithSm3 { Signing::SM2 } else { Signing::RsaPkcs1Sha256 };
                let message = string_to_sign(request, &stamp);
                let signature = soft.sign(*handle, signing, &message).map_err(|_| Error::Random)?;
                Authorization::of(*scheme, &self.id, &self.serial, stamp, signature)
            }
        };
        signed.map_err(Error::Signing)
    }
}

/// Shows who it is and no key.
impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({}, {})", self.id, self.serial)
    }
}

/// Seconds since 1970 by the machine's clock, which must be within five minutes of the platform's.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The bytes between the lines of PEM.
pub(crate) fn der_of(pem: &str) -> Result<Vec<u8>, CredentialError> {
    let lines: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let begins = pem.trim_start().starts_with("-----BEGIN ");
    BASE64_STANDARD.decode(lines).ok().filter(|der| begins && !der.is_empty()).ok_or(CredentialError::Pem)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::platform_keys::PlatformKeys;

    fn fixture(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing").join(name);
        std::fs::read_to_string(&path).unwrap()
    }

    const REQUEST: Request<'static> = Request { method: "POST", target: "/v1/orders", body: b"{}" };

    #[test]
    fn a_pair_of_openssl_signs_what_its_public_half_verifies() {
        for (name, scheme) in [("sm2", "LINTEL-SM2-WITH-SM3"), ("rsa", "LINTEL-SHA256-RSA2048")] {
            let credential = Credential::pair("mch_3", "7A10F3C2", &fixture(&format!("{name}.key.pem"))).unwrap();
            let authorization = credential.authorize(&REQUEST).unwrap();
            assert!(authorization.to_string().starts_with(scheme), "{authorization}");
            let mut keys = PlatformKeys::default();
            keys.add("7A10F3C2", &fixture(&format!("{name}.pub.pem"))).unwrap();
            keys.check_request(&authorization, &REQUEST).unwrap();
            let other = Request { body: b"{ }", ..REQUEST };
            assert!(keys.check_request(&authorization, &other).is_err());
            assert!(!format!("{credential:?}").contains("BEGIN"));
        }
    }

    #[test]
    fn keys_that_are_none_are_refused_without_being_shown() {
        assert!(matches!(Credential::secret("mch_3", "5ec2e7"), Err(CredentialError::Secret)));
        let public = fixture("sm2.pub.pem");
        for wrong in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", public.as_str()] {
            assert!(matches!(Credential::pair("mch_3", "1", wrong), Err(CredentialError::Pem)), "{wrong}");
        }
    }
}
