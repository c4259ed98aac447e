//! Tokens of cashier sessions: a statement that the platform authenticated, kept by whoever has it and nowhere here.
//!
//! ```text
//!  token = base64url( version 1 │ order │ expires_at │ nonce │ tag )     1 + 8 + 8 + 16 + 32 bytes
//!  tag   = HMAC-SM3 of what stands before it, under a key that derives from the same root as the secrets of API keys
//!
//!  Authorization: LINTEL-CASHIER token="…" ─► the tag, in constant time ─► not expired ─► of the path's order ─► a Session
//! ```
//! Invariants:
//! - A token opens the routes below `/v1/cashier/orders/` of its own order, and no other route: those ask for signatures.
//! - What is bound to an `Idempotency-Key` is bound for the order, not for the token: a payer who is given another token and asks again
//!   under the same key asks for the same payment.
//! - A token is in no log, no error and no debug print.

use std::sync::Arc;

use ark::signing::{Request as Signed, Stamp};
use ark::{MacKey, Secret};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::envelope::Time;
use domain::ids::{OrderId, UserId};
use domain::{Actor, Origin};
use engine::Meta;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::super::App;
use super::super::auth::{self, IDEMPOTENCY_KEY};
use super::super::error::ApiError;
use super::super::extract::Id;
use super::super::version;
use super::super::wire::time_text;

/// How the header begins.
const SCHEME: &str = "LINTEL-CASHIER ";
/// The form of what is authenticated.
const VERSION: u8 = 1;
/// Its bytes: version, order, expiry, nonce.
const SAID: usize = 1 + 8 + 8 + NONCE;
const NONCE: usize = 16;

/// The key of tokens.
fn key(root: &MacKey) -> MacKey {
    MacKey::from_bytes(root.tag(b"cashier-session"))
}

/// A new token of an order. No two are the same.
///
/// # Errors
/// `internal` where the machine gives no random bytes.
pub(super) fn made(root: &MacKey, order: OrderId, expires_at: Time) -> Result<Secret, ApiError> {
    let stamp = Stamp::random(0).map_err(|error| ApiError::internal("making a nonce", &error))?;
    let mut nonce = [0; NONCE];
    hex::decode_to_slice(stamp.nonce(), &mut nonce).map_err(|error| ApiError::internal("making a nonce", &error))?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&order.0.to_be_bytes());
    bytes.extend_from_slice(&expires_at.0.to_be_bytes());
    bytes.extend_from_slice(&nonce);
    let tag = key(root).tag(&bytes);
    bytes.extend_from_slice(&tag);
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// Which order a token is of, and until when; none if the platform did not give it out.
fn read(root: &MacKey, token: &str) -> Option<(OrderId, Time)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (said, tag) = bytes.split_at_checked(SAID)?;
    key(root).mac().update(said).verify(tag).ok()?;
    let [VERSION, rest @ ..] = said else { return None };
    let (order, rest) = rest.split_first_chunk::<8>()?;
    let (expires_at, _) = rest.split_first_chunk::<8>()?;
    Some((OrderId(u64::from_be_bytes(*order)), Time(i64::from_be_bytes(*expires_at))))
}

fn missing() -> ApiError {
    let message = "bring the token of a cashier session: Authorization: LINTEL-CASHIER token=\"…\"; the merchant opens one by \
                   POST /v1/orders/{id}/cashier-sessions";
    ApiError::new("cashier_token_missing", Some("Authorization"), message)
}

fn invalid() -> ApiError {
    let message =
        "it is no token that was given out here: bring it whole and as it is, or ask the merchant for another";
    ApiError::new("cashier_token_invalid", Some("token"), message)
}

fn expired(at: Time) -> ApiError {
    let message = format!("the session ended at {}: ask the merchant for another", time_text(at));
    ApiError::new("cashier_token_expired", Some("token"), message)
}

fn other_order(own: OrderId, asked: OrderId) -> ApiError {
    let message = format!("the token is that of {own}, not of {asked}: ask the merchant for one of this order");
    ApiError::new("cashier_token_other_order", Some("token"), message)
}

/// The token that a request brings.
fn brought(headers: &HeaderMap) -> Result<&str, ApiError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let parameter = header.and_then(|value| value.strip_prefix(SCHEME)).ok_or_else(missing)?;
    parameter.strip_prefix("token=\"").and_then(|rest| rest.strip_suffix('"')).ok_or_else(invalid)
}

/// The payer who asks, as the holder of an order's token.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The order, and the only one.
    pub(super) order: OrderId,
    /// Until when.
    pub(super) expires_at: Time,
    fingerprint: [u8; 16],
    idempotency_key: Option<Arc<str>>,
}

impl Session {
    /// The meta of a command that the order's payer asks for, bound to the `Idempotency-Key` among those of the order.
    ///
    /// # Errors
    /// `idempotency_key_missing`.
    pub(super) fn meta(&self, payer: UserId) -> Result<Meta, ApiError> {
        let key = self.idempotency_key.as_deref().ok_or_else(auth::key_missing)?;
        let (scope, keys) = (self.order.to_string(), vec![format!("{IDEMPOTENCY_KEY}:{key}")]);
        let (fingerprint, actor) = (self.fingerprint, Actor::User(payer));
        Ok(Meta { scope, keys, fingerprint, actor, approval: None, origin: Origin::Api })
    }

    /// The meta of a command that is safe to ask for twice.
    pub(super) fn unkeyed(&self, payer: UserId) -> Meta {
        Meta::unkeyed(Actor::User(payer), Origin::Api)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// The middleware: takes the token, and leaves a [`Session`] for the handlers.
pub(crate) async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let request = admit(&app, request).await.inspect_err(tell_of)?;
    let version = version::asked(request.headers())?;
    let mut response = next.run(request).await;
    response.extensions_mut().insert(version);
    Ok(response)
}

/// A token that is refused is counted. Which order it claims is not written down: only of a true one is it known.
fn tell_of(error: &ApiError) {
    let reason = error.code();
    if !reason.starts_with("cashier_token_") {
        return;
    }
    metrics::counter!("lintel_cashier_tokens_refused_total", "reason" => reason).increment(1);
    if matches!(reason, "cashier_token_invalid" | "cashier_token_other_order") {
        tracing::warn!(reason, "the token of a cashier session is refused");
    } else {
        tracing::debug!(reason, "the token of a cashier session is refused");
    }
}

/// The request with its [`Session`].
async fn admit(app: &App, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    let token = brought(&parts.headers)?;
    let keys = app.request_keys().await?;
    let (order, expires_at) = read(&keys.root, token).ok_or_else(invalid)?;
    if app.clock.now() >= expires_at {
        return Err(expired(expires_at));
    }
    let Id(asked) = Id::<OrderId>::from_request_parts(&mut parts, &()).await?;
    if asked != order {
        return Err(other_order(order, asked));
    }
    tracing::Span::current().record("caller", format!("cashier {order}").as_str());
    let body = auth::read_declared(&parts, body).await?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let opening = app.open_sensitive(&parts.headers, &body, true).await?;
    let clear = opening.as_ref().map_or(&body[..], |opening| &opening.clear);
    let signed = Signed { method: parts.method.as_str(), target: &target, body: clear };
    let fingerprint = auth::fingerprint(&keys.fingerprints, &signed);
    let idempotency_key = auth::idempotency_key(&parts.headers)?;
    if let Some(opening) = opening {
        parts.extensions.insert(opening.opened);
    }
    parts.extensions.insert(Session { order, expires_at, fingerprint, idempotency_key });
    Ok(Request::from_parts(parts, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(byte: u8) -> MacKey {
        MacKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_token_says_what_it_was_made_of_and_no_two_are_the_same() {
        let (order, at) = (OrderId(7), Time(1_772_676_000_000));
        let [one, two] = [(); 2].map(|()| made(&root(1), order, at).unwrap());
        assert_ne!(one.expose(), two.expose());
        for token in [&one, &two] {
            assert_eq!(read(&root(1), token.expose()), Some((order, at)));
            assert_eq!(read(&root(2), token.expose()), None, "under another key");
        }
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn a_token_of_which_any_byte_was_touched_is_none() {
        let token = made(&root(1), OrderId(7), Time(1)).unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
        for at in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[at] ^= 1;
            assert_eq!(read(&root(1), &BASE64_URL_SAFE_NO_PAD.encode(touched)), None, "byte {at}");
        }
        let more = [&bytes[..], &[0]].concat();
        for wrong in [&bytes[..SAID], &bytes[..bytes.len() - 1], &more[..], &bytes[..0]] {
            assert_eq!(read(&root(1), &BASE64_URL_SAFE_NO_PAD.encode(wrong)), None);
        }
        for wrong in [format!("{}=", token.expose()), token.expose().replacen('A', "!", 1)] {
            assert_eq!(read(&root(1), &wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_header_is_read_in_one_form() {
        let code = |value: Option<&str>| {
            let pairs = value.map(|value| (AUTHORIZATION, value.parse().unwrap()));
            brought(&pairs.into_iter().collect()).map(str::to_owned).map_err(|error| error.code())
        };
        assert_eq!(code(Some("LINTEL-CASHIER token=\"abc\"")), Ok("abc".to_owned()));
        for (value, refused) in [
            (None, "cashier_token_missing"),
            (Some("Bearer abc"), "cashier_token_missing"),
            (Some("LINTEL-CASHIER"), "cashier_token_missing"),
            (Some("LINTEL-HMAC-SM3 mch_id=\"mch_1\""), "cashier_token_missing"),
            (Some("LINTEL-CASHIER abc"), "cashier_token_invalid"),
            (Some("LINTEL-CASHIER token=abc"), "cashier_token_invalid"),
            (Some("LINTEL-CASHIER token=\""), "cashier_token_invalid"),
        ] {
            assert_eq!(code(value), Err(refused), "{value:?}");
        }
    }
}
