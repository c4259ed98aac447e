//! The platform's own keys of the gateway: they sign the answers to requests that a pair signed; who has a shared secret gets its
//! answers signed with it.
//!
//! ```text
//! Lintel-Timestamp, Lintel-Nonce, Lintel-Serial, Lintel-Signature = base64(SIGN(timestamp \n nonce \n body \n))
//! ```
//! The serial number of a platform's key is `PLATFORM-SM2-` or `PLATFORM-RSA-` and the version of the key. A rotation overlaps on both
//! sides: the next version is in the list before it signs, and versions before stay there as long as they verify.

use std::sync::Arc;

use ark::MacKey;
use ark::keys::{
    ENCRYPTION_KEY, KeyUse, Purpose, RSA_ENCRYPTION_KEY, RSA_SIGNING_KEY, SIGNING_KEY, Spec, State as KeyState,
    by_platform, bytes_of,
};
use ark::provider::KeyKind;
use ark::signing::{
    NONCE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER, Scheme, Stamp, TIMESTAMP_HEADER, answer_to_sign, sign_answer,
};
use axum::Json;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::certificate::CertificateAlgorithm;
use domain::envelope::Time;
use http::{HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::App;
use super::super::answer::blocking;
use super::super::error::ApiError;
use super::super::sensitive;
use super::super::wire::time_text;
use super::pem;
use crate::shell::clock::wall_ms;

/// Why the key is used, for the trail.
const REASON: &str = "gateway answer";

/// What begins the serial numbers of the platform's SM2 keys; the version follows.
pub(crate) const SM2_SERIAL: &str = "PLATFORM-SM2-";

/// Whose key signs an answer.
#[derive(Clone)]
pub(crate) enum AnswerKey {
    /// The secret that the caller signed with.
    Shared { key: MacKey, serial: String },
    /// The platform's pair of the caller's scheme.
    Platform { keys: Arc<dyn KeyUse>, scheme: Scheme },
}

/// The platform's keys of each scheme: name in the key service, what begins their serial numbers.
const fn key_of(scheme: Scheme) -> Option<(&'static str, &'static str)> {
    match scheme {
        Scheme::HmacSm3 => None,
        Scheme::Sm2WithSm3 => Some((SIGNING_KEY, SM2_SERIAL)),
        Scheme::Sha256Rsa2048 => Some((RSA_SIGNING_KEY, "PLATFORM-RSA-")),
    }
}

/// The platform's pairs for encryption: name in the key service, what begins their serial numbers, the scheme.
const ENCRYPTING: [(&str, &str, &str); 2] = [
    (ENCRYPTION_KEY, sensitive::SM2_SERIAL, "SM2-DER"),
    (RSA_ENCRYPTION_KEY, sensitive::RSA_SERIAL, "RSA-OAEP-SHA256"),
];

/// Makes the platform's pairs of an algorithm where they are missing: RSA takes a second, and the approved mode has none.
pub(in crate::http) async fn ensure(app: &App, algorithm: CertificateAlgorithm) -> Result<(), ApiError> {
    match algorithm {
        CertificateAlgorithm::Sm2WithSm3 => Ok(()),
        CertificateAlgorithm::Sha256Rsa2048 => {
            let keys = app.ark.keys();
            let made = move || {
                let by = by_platform("first RSA certificate");
                keys.ensure(&by, &Spec::new(RSA_SIGNING_KEY, KeyKind::Rsa2048, Purpose::Sign))?;
                keys.ensure(&by, &Spec::new(RSA_ENCRYPTION_KEY, KeyKind::Rsa2048, Purpose::Decrypt)).map(drop)
            };
            blocking(move || made().map_err(|error| super::super::ark::error_of(&error))).await
        }
    }
}

/// Signs an answer whose body is whole; a download that streams carries no signature.
///
/// # Errors
/// That of the key service, in the answer's place.
pub(crate) async fn signed(response: Response, key: AnswerKey) -> Result<Response, ApiError> {
    let (mut parts, body) = response.into_parts();
    let Some(length) = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()) else {
        return Ok(Response::from_parts(parts, body));
    };
    let failed = |error: axum::Error| ApiError::internal("reading an answer to sign it", &error);
    let body = to_bytes(body, length).await.map_err(failed)?;
    let now = u64::try_from(wall_ms() / 1_000).unwrap_or_default();
    let stamp = Stamp::random(now).map_err(|error| ApiError::internal("making a nonce", &error))?;
    let (serial, signature) = match key {
        AnswerKey::Shared { key, serial } => (serial, sign_answer(&key, &stamp, &body)),
        AnswerKey::Platform { keys, scheme } => {
            let message = answer_to_sign(&stamp, &body);
            blocking(move || by_platform_key(&*keys, scheme, &message, REASON)).await?
        }
    };
    let said = [
        (TIMESTAMP_HEADER, stamp.timestamp().to_string()),
        (NONCE_HEADER, stamp.nonce().to_owned()),
        (SERIAL_HEADER, serial),
        (SIGNATURE_HEADER, signature),
    ];
    for (name, value) in said {
        let value = HeaderValue::try_from(value).map_err(|error| ApiError::internal("signing an answer", &error))?;
        parts.headers.insert(HeaderName::from_static(name), value);
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The serial number of the platform's pair of an algorithm and its signature in base64, of a message that leaves without having been
/// asked for. Blocks.
///
/// # Errors
/// That of the key service.
pub(crate) fn platform_signature(
    keys: &dyn KeyUse,
    algorithm: CertificateAlgorithm,
    message: &[u8],
    reason: &str,
) -> Result<(String, String), ApiError> {
    by_platform_key(keys, super::scheme_of(algorithm), message, reason)
}

fn by_platform_key(
    keys: &dyn KeyUse,
    scheme: Scheme,
    message: &[u8],
    reason: &str,
) -> Result<(String, String), ApiError> {
    let none = || ApiError::new("internal", None, "the platform has no key of this scheme");
    let (name, prefix) = key_of(scheme).ok_or_else(none)?;
    let text = keys.sign(&by_platform(reason), name, message).map_err(|error| super::super::ark::error_of(&error))?;
    let (version, signature) = bytes_of(&text).ok_or_else(none)?;
    Ok((format!("{prefix}{version}"), BASE64_STANDARD.encode(signature)))
}

/// A key of the platform.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformKeyView {
    /// What `Lintel-Serial` names it by.
    #[schema(example = "PLATFORM-SM2-1")]
    serial_no: String,
    /// `LINTEL-SM2-WITH-SM3` or `LINTEL-SHA256-RSA2048`; of a key to encrypt with `SM2-DER` or `RSA-OAEP-SHA256`.
    #[schema(example = "LINTEL-SM2-WITH-SM3")]
    scheme: &'static str,
    /// In PEM.
    public_key: String,
    /// Whether it signs now; one that does not may still verify what it signed before, or sign later.
    signs: bool,
    /// From when it signs, of one that waits: it takes the place of the one that signs now, at once if that may sign no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-06T01:00:00Z")]
    signs_from: Option<String>,
    /// Whether sensitive fields are encrypted with it now; one with which they no longer are may still open what was.
    encrypts: bool,
}

/// The platform's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformKeysView {
    data: Vec<PlatformKeyView>,
}

/// List the platform's keys
///
/// Its public keys: they verify the answers to requests that a certificate signed, and sensitive fields are encrypted with those that
/// encrypt (`Lintel-Encryption-Serial`). The answer to this is signed like any other; a
/// merchant's first look is signed with its API secret. A next key that signs stands here before it does: take the list daily.
#[utoipa::path(get, path = "/v1/platform-keys", tag = "certificate", responses((status = OK, body = PlatformKeysView)))]
pub(crate) async fn platform_keys(State(app): State<App>) -> Result<Json<PlatformKeysView>, ApiError> {
    let keys = app.ark.keys();
    blocking(move || Ok(Json(PlatformKeysView { data: shown(&*keys)? }))).await
}

/// Those that sensitive fields are encrypted with now. Blocks.
///
/// # Errors
/// That of the key service.
pub(in crate::http) fn that_encrypt(keys: &dyn KeyUse) -> Result<Vec<PlatformKeyView>, ApiError> {
    let mut all = encrypting(keys)?;
    all.retain(|key| key.encrypts);
    Ok(all)
}

fn shown(keys: &dyn KeyUse) -> Result<Vec<PlatformKeyView>, ApiError> {
    let mut all = Vec::new();
    for scheme in Scheme::ALL {
        let Some((name, prefix)) = key_of(scheme) else { continue };
        let verifies = |state| matches!(state, KeyState::Active | KeyState::Suspended | KeyState::Deactivated);
        for Listed { version, is_current: signs, from, public_key } in versions(keys, name, verifies)? {
            let (serial_no, scheme) = (format!("{prefix}{version}"), scheme.name());
            let signs_from = from.map(|from| time_text(Time(from)));
            all.push(PlatformKeyView { serial_no, scheme, public_key, signs, signs_from, encrypts: false });
        }
    }
    all.extend(encrypting(keys)?);
    Ok(all)
}

/// The pairs for encryption, those that still open among them.
fn encrypting(keys: &dyn KeyUse) -> Result<Vec<PlatformKeyView>, ApiError> {
    let mut all = Vec::new();
    for (name, prefix, scheme) in ENCRYPTING {
        for listed in versions(keys, name, |state| state == KeyState::Active)? {
            let Listed { version, is_current: encrypts, from: _, public_key } = listed;
            let serial_no = format!("{prefix}{version}");
            all.push(PlatformKeyView { serial_no, scheme, public_key, signs: false, signs_from: None, encrypts });
        }
    }
    Ok(all)
}

/// A version of a pair.
struct Listed {
    version: u32,
    is_current: bool,
    /// From when it is, of one that waits.
    from: Option<i64>,
    /// Its public half in PEM.
    public_key: String,
}

/// The versions of a pair in such a state; none of a pair that is not made yet.
fn versions(keys: &dyn KeyUse, name: &str, shows: impl Fn(KeyState) -> bool) -> Result<Vec<Listed>, ApiError> {
    let info = match keys.info(name) {
        Err(ark::keys::Error::Unknown(_)) => return Ok(Vec::new()),
        info => info.map_err(|error| super::super::ark::error_of(&error))?,
    };
    let now = wall_ms();
    let current = info.current(now).map(|version| version.version);
    let shown = info.versions.iter().filter(|version| shows(version.state));
    let told = shown.filter_map(|version| {
        let public_key = pem::of_key(version.public.as_ref()?);
        let from = version.signs_from.filter(|from| *from > now);
        Some(Listed { version: version.version, is_current: current == Some(version.version), from, public_key })
    });
    Ok(told.collect())
}
