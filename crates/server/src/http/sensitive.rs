//! Sensitive fields (敏感字段): what a caller encrypts for the platform inside the body that it signs.
//!
//! ```text
//!  Lintel-Encryption-Serial: PLATFORM-ENC-SM2-1
//!  {"name": "encrypted:BASE64", …} ─ signature, nonce ─► each "encrypted:…" opened in the key service ─► the handler's body
//! ```
//! Invariants:
//! - Only fields of the types [`Personal`] and [`Encrypted`] read what was opened. Every other field sees the ciphertext, so nobody has
//!   another's ciphertext opened by putting it into a field that is shown again.
//! - What was opened is in no error and no log. Whatever is wrong with a ciphertext is one error, which names the field.
//! - The same fields in clear, or encrypted once more, are the same request: its fingerprint is made of what was opened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ::ark::Secret;
use ::ark::keys::{Context, ENCRYPTION_KEY, Error, KeyUse, RSA_ENCRYPTION_KEY, by_platform, text_of};
use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::App;
use super::error::ApiError;
use crate::config::PersonalFields;

/// What begins the serial number of the platform's SM2 pair for encryption; the version follows.
pub(crate) const SM2_SERIAL: &str = "PLATFORM-ENC-SM2-";
/// As [`SM2_SERIAL`], of the RSA pair.
pub(crate) const RSA_SERIAL: &str = "PLATFORM-ENC-RSA-";
/// The header that names the key.
const HEADER: &str = "lintel-encryption-serial";
/// What an encrypted value begins with.
const MARK: &str = "encrypted:";
/// The most encrypted values of a request: each is an operation with a pair.
const MAX_VALUES: usize = 100;
/// The most letters of one: 256 bytes of text under either scheme take fewer.
const MAX_LETTERS: usize = 1_024;
/// Why the key is used, for the trail.
const REASON: &str = "sensitive field";
/// The most bytes of a personal text.
const MAX_TEXT: usize = 256;
/// How the error of a value begins that must not come in clear; [`super::extract`] gives it its code.
pub(super) const REQUIRED: &str = "it must be encrypted for the platform";
/// How the error of a value begins that was not opened.
pub(super) const NOT_OPENED: &str = "it is encrypted and was not opened";

thread_local! {
    /// What was opened of the body that this thread reads now.
    static OPENED: RefCell<Option<Opened>> = const { RefCell::new(None) };
}

/// What was opened of a request's body: by the letters behind the mark.
#[derive(Clone, Default)]
pub(crate) struct Opened {
    values: Arc<BTreeMap<String, Secret>>,
    /// Whether a personal text in clear is refused.
    required: bool,
}

/// Prints how many.
impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opened({})", self.values.len())
    }
}

impl Opened {
    /// Reads a body with these values at hand.
    pub(crate) fn read<T>(self, read: impl FnOnce() -> T) -> T {
        /// Takes them away also where reading panics.
        struct Reading;
        impl Drop for Reading {
            fn drop(&mut self) {
                OPENED.take();
            }
        }
        OPENED.set(Some(self));
        let _reading = Reading;
        read()
    }
}

/// A body's encrypted values, opened, and the body as if they had come in clear, to fingerprint it.
pub(crate) struct Opening {
    pub(crate) opened: Opened,
    pub(crate) clear: Zeroizing<Vec<u8>>,
}

impl App {
    /// Opens what a request's body holds encrypted; `None` where its headers name no key and it may come in clear.
    ///
    /// # Errors
    /// `encryption_serial_unknown`, `ciphertext_invalid` naming the field, `field_malformed` for too many; those of the key service.
    pub(super) async fn open_sensitive(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        merchant: bool,
    ) -> Result<Option<Opening>, ApiError> {
        let required = merchant && self.personal_fields == PersonalFields::Encrypted;
        let Some(serial) = headers.get(HEADER) else {
            let opened = Opened { required, ..Opened::default() };
            return Ok(required.then(|| Opening { opened, clear: Zeroizing::new(body.to_vec()) }));
        };
        let (name, version) = key_of(serial.to_str().unwrap_or_default())?;
        let (keys, body) = (self.ark.keys(), body.clone());
        let mut opening = self.blocking(move || open(&*keys, name, version, &body)).await?;
        opening.opened.required = required;
        Ok(Some(opening))
    }
}

/// Name and version of the key of a serial number.
fn key_of(serial: &str) -> Result<(&'static str, u32), ApiError> {
    let of = |prefix, name| Some((name, serial.strip_prefix(prefix)?.parse().ok()?));
    let found = of(SM2_SERIAL, ENCRYPTION_KEY).or_else(|| of(RSA_SERIAL, RSA_ENCRYPTION_KEY));
    found.ok_or_else(serial_unknown)
}

fn serial_unknown() -> ApiError {
    let message = "it names no key of the platform that opens; take one of GET /v1/platform-keys that encrypts now";
    ApiError::new("encryption_serial_unknown", Some("Lintel-Encryption-Serial"), message)
}

fn invalid(field: &str) -> ApiError {
    let message = "it does not open under that key: encrypted: and the base64 of SM2 in DER (GM/T 0009), or of RSA-OAEP with SHA-256, \
                   of a text in UTF-8";
    ApiError::new("ciphertext_invalid", Some(field), message)
}

/// An encrypted value within a body.
struct Marked {
    /// Its letters behind the mark, quotes not among them; with the mark for the body in clear.
    place: Range<usize>,
    letters: String,
    field: String,
}

/// The encrypted values of a JSON body. A quote inside a text is escaped, so a bare one before the mark begins a value.
fn marked(body: &[u8]) -> Result<Vec<Marked>, ApiError> {
    let (mut found, mut at) = (Vec::new(), 0);
    let begins = format!("\"{MARK}");
    while let Some(next) = find(&body[at..], begins.as_bytes()) {
        let (quote, start) = (at + next, at + next + 1);
        at = start;
        if quote > 0 && body[quote - 1] == b'\\' {
            continue;
        }
        let field = field_before(&body[..quote]);
        let length = body[start..].iter().position(|byte| *byte == b'"').ok_or_else(|| invalid(&field))?;
        let place = start..start + length;
        // Some encoders write every slash with an escape.
        let letters = std::str::from_utf8(&body[place.clone()]).unwrap_or_default().replace("\\/", "/");
        let letters = letters.strip_prefix(MARK).filter(|letters| letters.len() <= MAX_LETTERS);
        let letters = letters.ok_or_else(|| invalid(&field))?.to_owned();
        at = place.end;
        found.push(Marked { place, letters, field });
    }
    Ok(found)
}

fn find(body: &[u8], wanted: &[u8]) -> Option<usize> {
    body.windows(wanted.len()).position(|window| window == wanted)
}

/// The name before a value, to tell which one was wrong.
fn field_before(body: &[u8]) -> String {
    let before = String::from_utf8_lossy(&body[body.len().saturating_sub(80)..]).into_owned();
    let name = || before.trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?.rsplit('"').next();
    let plain = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    name().filter(plain).unwrap_or("body").to_owned()
}

fn open(keys: &dyn KeyUse, name: &str, version: u32, body: &[u8]) -> Result<Opening, ApiError> {
    let marked = marked(body)?;
    if marked.len() > MAX_VALUES {
        let message = format!("{} values of it are encrypted; send at most {MAX_VALUES} in one request", marked.len());
        return Err(ApiError::malformed("body", message));
    }
    let context = Context::new();
    let text = |value: &Marked| {
        let bytes = BASE64_STANDARD.decode(&value.letters).map_err(|_| invalid(&value.field))?;
        Ok(text_of(version, &bytes))
    };
    let texts = marked.iter().map(text).collect::<Result<Vec<_>, ApiError>>()?;
    let values: Vec<_> = texts.iter().map(|text| (&context, text.as_str())).collect();
    let many = if values.is_empty() { Ok(Vec::new()) } else { keys.decrypt_many(&by_platform(REASON), name, &values) };
    let mut opened = BTreeMap::new();
    let (mut clear, mut after) = (Zeroizing::new(Vec::with_capacity(body.len())), 0);
    for (value, bytes) in marked.into_iter().zip(many.map_err(|error| failed(&error, "body"))?) {
        let bytes = bytes.map_err(|error| failed(&error, &value.field))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| invalid(&value.field))?;
        clear.extend_from_slice(&body[after..value.place.start]);
        clear.extend_from_slice(text.as_bytes());
        after = value.place.end;
        opened.insert(value.letters, Secret::from(text));
    }
    clear.extend_from_slice(&body[after..]);
    metrics::counter!("lintel_sensitive_fields_total", "outcome" => "opened").increment(opened.len() as u64);
    Ok(Opening { opened: Opened { values: Arc::new(opened), required: false }, clear })
}

/// A failure of the key service, by its code: it may be a service elsewhere.
fn failed(error: &Error, field: &str) -> ApiError {
    let refused = match error.code() {
        "decryption_failed" => invalid(field),
        "key_not_found" | "key_version" | "key_state" => serial_unknown(),
        _ => return super::ark::error_of(error),
    };
    metrics::counter!("lintel_sensitive_fields_total", "outcome" => refused.code()).increment(1);
    refused
}

/// A text of a body: opened, where it is encrypted.
fn read<'de, D: Deserializer<'de>>(deserializer: D, required: bool) -> Result<Secret, D::Error> {
    let text = Secret::new(String::deserialize(deserializer)?);
    let Some(letters) = text.expose().strip_prefix(MARK) else {
        let everywhere = OPENED.with_borrow(|opened| opened.as_ref().is_some_and(|opened| opened.required));
        if required || everywhere {
            return Err(de::Error::custom(format!(
                "{REQUIRED}: encrypted: and base64, with the header Lintel-Encryption-Serial"
            )));
        }
        return Ok(text);
    };
    let opened = OPENED.with_borrow(|opened| opened.as_ref().and_then(|opened| opened.values.get(letters).cloned()));
    opened.ok_or_else(|| {
        de::Error::custom(format!(
            "{NOT_OPENED}: name the key in the header Lintel-Encryption-Serial, and write it without escapes"
        ))
    })
}

/// A personal text on its way to the vault, in clear or encrypted. It is not printed.
#[derive(Clone, ToSchema)]
#[schema(value_type = String)]
pub(crate) struct Personal(Secret);

impl<'de> Deserialize<'de> for Personal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, false).map(Self)
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl Personal {
    /// The text, if it has a length that a name or number may have.
    pub(crate) fn checked(&self, param: &str) -> Result<&Secret, ApiError> {
        checked(&self.0, param)
    }
}

/// A text that is taken encrypted alone. It is not printed.
#[derive(Clone, ToSchema)]
#[schema(value_type = String, example = "encrypted:MIGIAiEA…")]
pub(crate) struct Encrypted(Secret);

impl<'de> Deserialize<'de> for Encrypted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, true).map(Self)
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted(…)")
    }
}

impl Encrypted {
    /// As [`Personal::checked`].
    pub(crate) fn checked(&self, param: &str) -> Result<&Secret, ApiError> {
        checked(&self.0, param)
    }
}

fn checked<'a>(text: &'a Secret, param: &str) -> Result<&'a Secret, ApiError> {
    let length = text.expose().len();
    if text.expose().trim().is_empty() || length > MAX_TEXT {
        let message = format!("it has {length} bytes; use 1 to {MAX_TEXT}, not only blanks");
        return Err(ApiError::malformed(param, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
