//! What the platform tells: verified first, read then.
//!
//! A receiver hands the headers and the body's bytes to [`Received::verify`], answers 200 once it has kept what came, and keeps the
//! ids: what comes again has the same one.

use ark::signing::{NONCE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER, Stamp, TIMESTAMP_HEADER};
use serde::Deserialize;
use serde_json::Value;

use crate::credential::now;
use crate::error::Error;
use crate::platform_keys::PlatformKeys;

/// Why something is not taken. Answer 401, and keep nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A header is not there, or not in its form.
    #[error("the header '{0}' is missing or not in its form")]
    Header(&'static str),
    /// Sent, or sent again, more than five minutes ago.
    #[error("it was signed more than five minutes from this clock")]
    Stale,
    /// A key of the platform that is not known.
    #[error("it is signed with key '{0}', which is not known: take GET /v1/platform-keys again")]
    Key(String),
    /// Somebody else signed, or the body was touched.
    #[error("the signature is not the platform's over this body")]
    Forged,
    /// It is signed, and is no delivery.
    #[error("the body does not read as a delivery: {0}")]
    Body(#[source] serde_json::Error),
}

/// A delivery that the platform signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Received {
    /// The same when it comes again.
    pub id: String,
    /// Which webhook.
    pub webhook: String,
    /// Whose.
    pub merchant: String,
    /// `order.paid`, `refund.succeeded`, …: ignore what you do not know.
    pub kind: String,
    /// Grows with time.
    pub position: u64,
    /// When it happened.
    pub occurred_at: String,
    /// What it happened to: its `type`, its `id`, and what was told of it.
    pub object: Value,
}

impl Received {
    /// Checks signature and time of a delivery, and reads it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn verify<'h>(
        keys: &PlatformKeys,
        header: impl Fn(&'static str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<Self, WebhookError> {
        Self::verify_at(now(), keys, header, body)
    }

    fn verify_at<'h>(
        now: u64,
        keys: &PlatformKeys,
        header: impl Fn(&'static str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<Self, WebhookError> {
        let needed = |name| header(name).ok_or(WebhookError::Header(name));
        let stamp = Stamp::parse(needed(TIMESTAMP_HEADER)?, needed(NONCE_HEADER)?)
            .map_err(|_| WebhookError::Header(TIMESTAMP_HEADER))?;
        stamp.check_fresh(now).map_err(|_| WebhookError::Stale)?;
        let checked = keys.check(needed(SERIAL_HEADER)?, &stamp, body, needed(SIGNATURE_HEADER)?);
        checked.map_err(|error| {
            let Error::PlatformKey(serial) = error else { return WebhookError::Forged };
            WebhookError::Key(serial)
        })?;
        serde_json::from_slice(body).map_err(WebhookError::Body)
    }

    /// The id of the object.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.object.get("id").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    const TIME: u64 = 1_767_225_603;
    /// A vector of `docs/api/signing.md`, which `openssl` made.
    const SM2: &str =
        "MEQCICEthhZsoY3buejXLj3q9/qvCGvqNYjEAdtG/dbKV9jvAiBd6HKYwUBXWl0A75+h0ld37uUPRxqJouoyhqjgfHoa6g==";
    const BODY: &[u8] = br#"{"id":"ord_7","status":"SUCCESS"}"#;

    fn keys() -> PlatformKeys {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing/sm2.pub.pem");
        let mut keys = PlatformKeys::default();
        keys.add("PLATFORM-SM2-1", &std::fs::read_to_string(path).unwrap()).unwrap();
        keys
    }

    fn headers() -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (TIMESTAMP_HEADER, TIME.to_string()),
            (NONCE_HEADER, "7Q0d3nJr2gEo1yB4wT6uLs9xKvHcMzPa".to_owned()),
            (SERIAL_HEADER, "PLATFORM-SM2-1".to_owned()),
            (SIGNATURE_HEADER, SM2.to_owned()),
        ])
    }

    fn verified(headers: &BTreeMap<&'static str, String>, body: &[u8], now: u64) -> Result<Received, WebhookError> {
        Received::verify_at(now, &keys(), |name| headers.get(name).map(String::as_str), body)
    }

    #[test]
    fn only_what_the_platform_signed_is_read() {
        // The vector is an answer: its signature fits, and it is no delivery.
        assert!(matches!(verified(&headers(), BODY, TIME), Err(WebhookError::Body(_))));
        assert!(matches!(verified(&headers(), br#"{"id":"ord_8"}"#, TIME), Err(WebhookError::Forged)));
        assert!(matches!(verified(&headers(), BODY, TIME + 301), Err(WebhookError::Stale)));
        for name in [TIMESTAMP_HEADER, NONCE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER] {
            let mut without = headers();
            without.remove(name);
            assert!(matches!(verified(&without, BODY, TIME), Err(WebhookError::Header(_))), "{name}");
        }
        let mut other = headers();
        other.insert(SERIAL_HEADER, "PLATFORM-SM2-2".to_owned());
        assert!(matches!(verified(&other, BODY, TIME), Err(WebhookError::Key(serial)) if serial == "PLATFORM-SM2-2"));
    }
}
