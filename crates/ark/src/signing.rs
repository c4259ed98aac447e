//! HMAC-SM3 signatures of the merchants' gateway: requests, answers, webhooks.
//!
//! ```text
//! Authorization: LINTEL-HMAC-SM3 mch_id="…",nonce="…",timestamp="…",serial_no="…",signature="…"
//!
//! signature = base64(HMAC-SM3(key, METHOD \n path?query \n timestamp \n nonce \n body \n))     requests
//!             base64(HMAC-SM3(key,                      timestamp \n nonce \n body \n))     answers and webhooks
//! ```
//!
//! `METHOD` is in upper case, `path?query` as it stands in the request line, `timestamp` in whole seconds since 1970,
//! `body` the bytes as sent (none: empty, its line feed stays). The key is the 32 bytes that the merchant's API secret
//! spells in hexadecimal; `serial_no` says which of the merchant's keys it is.
//!
//! Who verifies does it in this order: [`Authorization::parse`], [`Authorization::check_fresh`] against the wall clock,
//! the key of `mch_id` and `serial_no`, [`Authorization::verify`], and last that the nonce was not used before by this
//! merchant within twice [`SKEW_MAX_SECONDS`] (last, so that a forged request cannot burn a nonce).
//!
//! # Test vectors
//! Key `000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f`; each can be had from
//! `printf 'STRING' | openssl dgst -sm3 -mac HMAC -macopt hexkey:KEY -binary | base64`.
//!
//! | string to sign | signature |
//! |---|---|
//! | `POST\n/v1/orders?dry_run=false\n1767225600\n5K8264ILTKCH16CQ2502SI8ZNMTM67VS\n{"amount":500000,"currency":"CNY"}\n` | `RAyzJshn6HJqvHy9hXnWs05y2Bs4YNwuuWYA+Vud6yY=` |
//! | `GET\n/v1/accounts/acc_42\n1767225601\nC380BEC2BFD727A4B6845133519F3AD6\n\n` | `JKgD1N3hs2IHgK10vjHJjWSEAk+3iRDz/A2jk/loY70=` |
//! | `POST\n/v1/merchants\n1767225602\n0123456789abcdef\n{"name":"示例商户"}\n` (UTF-8) | `WItwL25S2Fhg1E8SW+rYsrNJKVsYS54GD4pYg3ZOvPo=` |
//! | `1767225603\n7Q0d3nJr2gEo1yB4wT6uLs9xKvHcMzPa\n{"id":"ord_7","status":"SUCCESS"}\n` | `49prP9Mr6i4JOwzDk+EEC0x7xUqlu8d/jPyXla5BUq8=` |
//! | `1767225604\nC380BEC2BFD727A4B6845133519F3AD6\n\n` | `m3ULi9mffsiSk1oTHusOQPwXfEG6+HOWNqs6Reo9At0=` |

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    error::Error,
    mac::{Mac, MacKey, TAG_LENGTH},
    random::random_bytes,
};

/// The scheme in front of the parameters.
pub const SCHEME: &str = "LINTEL-HMAC-SM3";
/// A request further than this from the verifier's clock, before or after, is refused.
pub const SKEW_MAX_SECONDS: u64 = 300;
/// Header of an answer or webhook with its time stamp.
pub const TIMESTAMP_HEADER: &str = "lintel-timestamp";
/// Header of an answer or webhook with its nonce.
pub const NONCE_HEADER: &str = "lintel-nonce";
/// Header of an answer or webhook with the serial number of the key that signed it.
pub const SERIAL_HEADER: &str = "lintel-serial";
/// Header of an answer or webhook with its signature.
pub const SIGNATURE_HEADER: &str = "lintel-signature";

const ID_LENGTH_MAX: usize = 64;
const NONCE_LENGTH_MIN: usize = 16;
const NONCE_LENGTH_MAX: usize = 64;
const ID_EXPECTED: &str = "1 to 64 letters, digits, `_` or `-`";
const NONCE_EXPECTED: &str = "16 to 64 letters, digits, `_` or `-`";
const TIMESTAMP_EXPECTED: &str = "whole seconds since 1970 in decimal digits without leading zeros";
const SIGNATURE_EXPECTED: &str = "the base64 of 32 bytes, with padding";

/// What of a request is signed besides its stamp.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Path and query as in the request line.
    pub target: &'a str,
    /// The bytes as sent.
    pub body: &'a [u8],
}

/// Prints neither the body nor the query, which may be personal.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// When a message was signed, and a word that makes it unlike every other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    timestamp: u64,
    nonce: String,
}

impl Stamp {
    /// A stamp of this second with a random nonce of 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives no random bytes.
    pub fn random(timestamp: u64) -> Result<Self, Error> {
        Ok(Self { timestamp, nonce: hex::encode_upper(random_bytes::<16>()?) })
    }

    /// Reads both parts as they stand in headers.
    ///
    /// # Errors
    /// [`SigningError::Value`] naming the part that is in another form.
    pub fn parse(timestamp: &str, nonce: &str) -> Result<Self, SigningError> {
        let seconds: Option<u64> = timestamp.parse().ok();
        let seconds = seconds
            .filter(|number| number.to_string() == timestamp)
            .ok_or(SigningError::Value { parameter: "timestamp", expected: TIMESTAMP_EXPECTED })?;
        let nonce = word("nonce", nonce, NONCE_LENGTH_MIN..=NONCE_LENGTH_MAX, NONCE_EXPECTED)?;
        Ok(Self { timestamp: seconds, nonce })
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The nonce; a verifier remembers it.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether the stamp is within [`SKEW_MAX_SECONDS`] of a wall clock.
    ///
    /// # Errors
    /// [`SigningError::Stale`].
    pub fn check_fresh(&self, now: u64) -> Result<(), SigningError> {
        if self.timestamp.abs_diff(now) > SKEW_MAX_SECONDS {
            return Err(SigningError::Stale { timestamp: self.timestamp, now });
        }
        Ok(())
    }
}

/// Which key of which merchant signs.
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
    merchant: String,
    serial: String,
    stamp: Stamp,
    signature: [u8; TAG_LENGTH],
}

impl Authorization {
    /// Signs a request.
    ///
    /// # Errors
    /// [`SigningError::Value`] if the merchant's id or the serial number is in a form that cannot be sent.
    pub fn sign(credential: &Credential<'_>, stamp: Stamp, request: &Request<'_>) -> Result<Self, SigningError> {
        let signature = request_mac(credential.key, &stamp, request).finish();
        Ok(Self {
            merchant: word("mch_id", credential.merchant, 1..=ID_LENGTH_MAX, ID_EXPECTED)?,
            serial: word("serial_no", credential.serial, 1..=ID_LENGTH_MAX, ID_EXPECTED)?,
            stamp,
            signature,
        })
    }

    /// Reads the header's value: the scheme, one space, then each of the five parameters once, in any order, in double
    /// quotes, separated by a comma and at most one space.
    ///
    /// # Errors
    /// [`SigningError`] naming the parameter that is missing, twice there, unknown or in another form.
    pub fn parse(header: &str) -> Result<Self, SigningError> {
        let parameters = match header.split_once(' ') {
            Some((scheme, parameters)) if scheme.eq_ignore_ascii_case(SCHEME) => parameters,
            Some(_) | None => return Err(SigningError::Scheme),
        };
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
        Ok(Self {
            merchant: word("mch_id", needed("mch_id", merchant)?, 1..=ID_LENGTH_MAX, ID_EXPECTED)?,
            serial: word("serial_no", needed("serial_no", serial)?, 1..=ID_LENGTH_MAX, ID_EXPECTED)?,
            stamp: Stamp::parse(needed("timestamp", timestamp)?, needed("nonce", nonce)?)?,
            signature: signature_bytes(needed("signature", signature)?)?,
        })
    }

    /// Checks the signature, in constant time.
    ///
    /// # Errors
    /// [`SigningError::Mismatch`] if the request, the stamp or the key is not the signed one.
    pub fn verify(&self, key: &MacKey, request: &Request<'_>) -> Result<(), SigningError> {
        request_mac(key, &self.stamp, request).verify(&self.signature).map_err(|_| SigningError::Mismatch)
    }

    /// As [`Stamp::check_fresh`].
    ///
    /// # Errors
    /// [`SigningError::Stale`].
    pub fn check_fresh(&self, now: u64) -> Result<(), SigningError> {
        self.stamp.check_fresh(now)
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
            r#"{SCHEME} mch_id="{}",nonce="{}",timestamp="{}",serial_no="{}",signature="{}""#,
            self.merchant,
            self.stamp.nonce,
            self.stamp.timestamp,
            self.serial,
            STANDARD.encode(self.signature),
        )
    }
}

/// The signature of an answer or webhook, in base64.
#[must_use]
pub fn sign_answer(key: &MacKey, stamp: &Stamp, body: &[u8]) -> String {
    STANDARD.encode(stamped(key.mac(), stamp, body).finish())
}

/// Checks the signature of an answer or webhook, in constant time. The caller checks that the stamp is fresh.
///
/// # Errors
/// [`SigningError::Value`] if the signature is not base64 of 32 bytes, [`SigningError::Mismatch`] if body, stamp or
/// key is not the signed one.
pub fn verify_answer(key: &MacKey, stamp: &Stamp, body: &[u8], signature: &str) -> Result<(), SigningError> {
    let signature = signature_bytes(signature)?;
    stamped(key.mac(), stamp, body).verify(&signature).map_err(|_| SigningError::Mismatch)
}

/// Only the body may hold a line feed, and it is last, so no two requests have one string to sign.
fn request_mac(key: &MacKey, stamp: &Stamp, request: &Request<'_>) -> Mac {
    let head =
        key.mac().update(request.method.as_bytes()).update(b"\n").update(request.target.as_bytes()).update(b"\n");
    stamped(head, stamp, request.body)
}

fn stamped(head: Mac, stamp: &Stamp, body: &[u8]) -> Mac {
    head.update(format!("{}\n{}\n", stamp.timestamp, stamp.nonce).as_bytes()).update(body).update(b"\n")
}

/// Splits `name="value"`.
fn quoted(parameter: &str) -> Result<(&str, &str), SigningError> {
    parameter
        .split_once('=')
        .and_then(|(name, value)| Some((name, value.strip_prefix('"')?.strip_suffix('"')?)))
        .ok_or(SigningError::Malformed)
}

fn word(
    parameter: &'static str,
    value: &str,
    lengths: std::ops::RangeInclusive<usize>,
    expected: &'static str,
) -> Result<String, SigningError> {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain && lengths.contains(&value.len()) {
        Ok(value.to_owned())
    } else {
        Err(SigningError::Value { parameter, expected })
    }
}

fn signature_bytes(text: &str) -> Result<[u8; TAG_LENGTH], SigningError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(SigningError::Value { parameter: "signature", expected: SIGNATURE_EXPECTED })
}

/// Why a signed message is refused. What the caller sent is not repeated: it may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Another scheme, or none.
    #[error("the Authorization header must begin with `{SCHEME} `")]
    Scheme,
    /// Something else than `name="value"` between the commas.
    #[error(
        "the Authorization header must be `{SCHEME} name=\"value\",…`: each value in double quotes, commas between"
    )]
    Malformed,
    /// A parameter beyond the five.
    #[error("the Authorization header has a parameter that is none of mch_id, nonce, timestamp, serial_no, signature")]
    Unknown,
    /// A parameter is not there.
    #[error("the Authorization header lacks `{parameter}`")]
    Missing {
        /// Which one.
        parameter: &'static str,
    },
    /// A parameter is there twice.
    #[error("the Authorization header has `{parameter}` twice; give it once")]
    Twice {
        /// Which one.
        parameter: &'static str,
    },
    /// A value in another form.
    #[error("`{parameter}` must be {expected}")]
    Value {
        /// Which one.
        parameter: &'static str,
        /// Its right form.
        expected: &'static str,
    },
    /// Signed too long ago or in the future.
    #[error(
        "`timestamp` {timestamp} is more than {SKEW_MAX_SECONDS} seconds from this server's clock, {now}; set the \
         clock and sign again"
    )]
    Stale {
        /// Seconds since 1970 in the message.
        timestamp: u64,
        /// Seconds since 1970 on the verifier's clock.
        now: u64,
    },
    /// The signature is another message's or another key's.
    #[error(
        "`signature` does not fit: check that the string to sign has the path with its query and the body byte for \
         byte as sent, and that `serial_no` names the key that signed"
    )]
    Mismatch,
}

impl SigningError {
    /// Its stable code in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme
            | Self::Malformed
            | Self::Unknown
            | Self::Missing { .. }
            | Self::Twice { .. }
            | Self::Value { .. } => "signature_malformed",
            Self::Stale { .. } => "signature_stale",
            Self::Mismatch => "signature_mismatch",
        }
    }

    /// The parameter at fault.
    #[must_use]
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Scheme | Self::Malformed | Self::Unknown => "Authorization",
            Self::Missing { parameter } | Self::Twice { parameter } | Self::Value { parameter, .. } => parameter,
            Self::Stale { .. } => "timestamp",
            Self::Mismatch => "signature",
        }
    }
}
