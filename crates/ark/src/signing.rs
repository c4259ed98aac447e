//! Signatures of the merchants' gateway: requests, answers, webhooks.
//!
//! ```text
//! Authorization: SCHEME mch_id="…",nonce="…",timestamp="…",serial_no="…",signature="…"
//!
//! signature = base64(SIGN(METHOD \n path?query \n timestamp \n nonce \n body \n))     requests
//!             base64(SIGN(                      timestamp \n nonce \n body \n))     answers and webhooks
//! ```
//!
//! | SCHEME | SIGN | `serial_no` |
//! |---|---|---|
//! | `LINTEL-HMAC-SM3` | HMAC-SM3 with the 32 bytes that the merchant's API secret spells in hexadecimal | which of its secrets |
//! | `LINTEL-SM2-WITH-SM3` | SM2 with SM3, id `1234567812345678`, DER | which of its certificates |
//! | `LINTEL-SHA256-RSA2048` | RSA with SHA-256, PKCS #1 v1.5 | which of its certificates |
//!
//! `METHOD` is in upper case, `path?query` as it stands in the request line, `timestamp` in whole seconds since 1970,
//! `body` the bytes as sent (none: empty, its line feed stays).
//!
//! Who verifies does it in this order: [`Authorization::parse`], [`Authorization::check_fresh`] against the wall clock,
//! the key of `mch_id` and `serial_no`, [`Authorization::verify`] or [`Authorization::verify_by`], and last that the
//! nonce was not used before by this merchant within twice [`SKEW_MAX_SECONDS`] (last, so that a forged request cannot
//! burn a nonce).
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

mod authorization;
mod error;
mod scheme;

use crate::{
    error::Error,
    mac::{Mac, MacKey, TAG_LENGTH},
    random::random_bytes,
};

pub use self::authorization::{Authorization, Credential, string_to_sign};
pub use self::error::SigningError;
pub use self::scheme::Scheme;

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

/// The signature of an answer or webhook, in base64.
#[must_use]
pub fn sign_answer(key: &MacKey, stamp: &Stamp, body: &[u8]) -> String {
    STANDARD.encode(stamped(key.mac(), stamp, body).finish())
}

/// What the signature of an answer or webhook is over.
#[must_use]
pub fn answer_to_sign(stamp: &Stamp, body: &[u8]) -> Vec<u8> {
    [format!("{}\n{}\n", stamp.timestamp, stamp.nonce).as_bytes(), body, b"\n"].concat()
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

/// The 32 bytes of a tag.
fn signature_bytes(text: &str) -> Result<[u8; TAG_LENGTH], SigningError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(SigningError::Value { parameter: "signature", expected: Scheme::HmacSm3.expected() })
}
