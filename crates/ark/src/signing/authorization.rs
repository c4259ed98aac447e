//! The `Authorization` header of a signed request: written, read, verified.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{ID_EXPECTED, ID_LENGTH_MAX, Request, Scheme, SigningError, Stamp, quoted, stamped, word};
use crate::{
    mac::{Mac, MacKey},
    provider::{Check, KeyError, Provider, PublicKey},
};

/// Which key of which merchant signs with a shared secret.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// The merchant's id in its text form.
    pub merchant: &'a str,
    /// Which of the merchant's keys.
    pub serial: &'a str,
    /// The key.
    pub key: &'a MacKey,
}

/// The value of an `Authorization` header. `Display` writes it, [`Authorization::parse`] reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    scheme: Scheme,
    merchant: String,
    serial: String,
    stamp: Stamp,
    signature: Vec<u8>,
}

impl Authorization {
    /// Signs a request with a shared secret.
    ///
    /// # Errors
    /// [`SigningError::Value`] if the merchant's id or the serial number is in a form that cannot be sent.
    pub fn sign(credential: &Credential<'_>, stamp: Stamp, request: &Request<'_>) -> Result<Self, SigningError> {
        let signature = request_mac(credential.key, &stamp, request).finish().to_vec();
        Self::of(Scheme::HmacSm3, credential.merchant, credential.serial, stamp, signature)
    }

    /// A header with a signature that was made elsewhere, over [`string_to_sign`].
    ///
    /// # Errors
    /// [`SigningError::Value`] if the merchant's id, the serial number or the signature is in a form that cannot be sent.
    pub fn of(
        scheme: Scheme,
        merchant: &str,
        serial: &str,
        stamp: Stamp,
        signature: Vec<u8>,
    ) -> Result<Self, SigningError> {
        if !scheme.takes(signature.len()) {
            return Err(SigningError::Value { parameter: "signature", expected: scheme.expected() });
        }
        let merchant = word("mch_id", merchant, 1..=ID_LENGTH_MAX, ID_EXPECTED)?;
        let serial = word("serial_no", serial, 1..=ID_LENGTH_MAX, ID_EXPECTED)?;
        Ok(Self { scheme, merchant, serial, stamp, signature })
    }

    /// Reads the header's value: the scheme, one space, then each of the five parameters once, in any order, in double
    /// quotes, separated by a comma and at most one space.
    ///
    /// # Errors
    /// [`SigningError`] naming the parameter that is missing, twice there, unknown or in another form.
    pub fn parse(header: &str) -> Result<Self, SigningError> {
        let (scheme, parameters) = header.split_once(' ').ok_or(SigningError::Scheme)?;
        let scheme = Scheme::parse(scheme)?;
        let [mut merchant, mut nonce, mut timestamp, mut serial, mut signature] = [None; 5];
        for parameter in parameters.split(',') {
            let (name, value) = quoted(parameter.strip_prefix(' ').unwrap_or(parameter))?;
            let (name, slot) = match name {
                "mch_id" => ("mch_id", &mut merchant),
                "nonce" => ("nonce", &mut nonce),
                "timestamp" => ("timestamp", &mut timestamp),
                "serial_no" => ("serial_no", &mut serial),
                "signature" => ("signature", &mut signature),
                _ => return Err(SigningError::Unknown),
            };
            if slot.replace(value).is_some() {
                return Err(SigningError::Twice { parameter: name });
            }
        }
        let needed = |parameter, value: Option<_>| value.ok_or(SigningError::Missing { parameter });
        let (merchant, serial) = (needed("mch_id", merchant)?, needed("serial_no", serial)?);
        let stamp = Stamp::parse(needed("timestamp", timestamp)?, needed("nonce", nonce)?)?;
        let wrong = SigningError::Value { parameter: "signature", expected: scheme.expected() };
        let signature = STANDARD.decode(needed("signature", signature)?).map_err(|_| wrong)?;
        Self::of(scheme, merchant, serial, stamp, signature)
    }

    /// Checks the signature of a shared secret, in constant time.
    ///
    /// # Errors
    /// [`SigningError::OtherScheme`] if a pair signed, [`SigningError::Mismatch`] if the request, the stamp or the key is
    /// not the signed one.
    pub fn verify(&self, key: &MacKey, request: &Request<'_>) -> Result<(), SigningError> {
        if self.scheme != Scheme::HmacSm3 {
            return Err(SigningError::OtherScheme);
        }
        request_mac(key, &self.stamp, request).verify(&self.signature).map_err(|_| SigningError::Mismatch)
    }

    /// Checks the signature of a pair by its public key; `provider` does the arithmetic and keeps tables of the keys that
    /// it saw before.
    ///
    /// # Errors
    /// [`SigningError::OtherScheme`] if the key is of another kind than the scheme, [`SigningError::Mismatch`] if the
    /// request, the stamp or the key is not the signed one.
    pub fn verify_by(
        &self,
        provider: &dyn Provider,
        public: &PublicKey,
        request: &Request<'_>,
    ) -> Result<(), SigningError> {
        let scheme = self.scheme.signing().ok_or(SigningError::OtherScheme)?;
        let message = string_to_sign(request, &self.stamp);
        let check = Check { public, scheme, message: &message, signature: &self.signature };
        provider.verify(&check).map_err(|error| {
            let other = matches!(error, KeyError::WrongKind { .. });
            if other { SigningError::OtherScheme } else { SigningError::Mismatch }
        })
    }

    /// As [`Stamp::check_fresh`].
    ///
    /// # Errors
    /// [`SigningError::Stale`].
    pub fn check_fresh(&self, now: u64) -> Result<(), SigningError> {
        self.stamp.check_fresh(now)
    }

    /// Which algorithm signed.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whose request it says it is (`mch_id`).
    #[must_use]
    pub fn merchant(&self) -> &str {
        &self.merchant
    }

    /// Which of the merchant's keys it says signed it (`serial_no`).
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Time and nonce.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// Prints no signature: within its five minutes it would open the door to who reads the log.
impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authorization")
            .field("scheme", &self.scheme)
            .field("merchant", &self.merchant)
            .field("serial", &self.serial)
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            r#"{} mch_id="{}",nonce="{}",timestamp="{}",serial_no="{}",signature="{}""#,
            self.scheme.name(),
            self.merchant,
            self.stamp.nonce,
            self.stamp.timestamp,
            self.serial,
            STANDARD.encode(&self.signature),
        )
    }
}

/// What a request's signature is over.
#[must_use]
pub fn string_to_sign(request: &Request<'_>, stamp: &Stamp) -> Vec<u8> {
    let head = format!("{}\n{}\n{}\n{}\n", request.method, request.target, stamp.timestamp, stamp.nonce);
    [head.as_bytes(), request.body, b"\n"].concat()
}

/// Only the body may hold a line feed, and it is last, so no two requests have one string to sign.
fn request_mac(key: &MacKey, stamp: &Stamp, request: &Request<'_>) -> Mac {
    let head =
        key.mac().update(request.method.as_bytes()).update(b"\n").update(request.target.as_bytes()).update(b"\n");
    stamped(head, stamp, request.body)
}
