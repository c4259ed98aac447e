//! What no route takes: a path or a method that there is not.
//!
//! ```text
//!  below /v1, signed ─► signature, nonce ─► route_unknown │ method_not_allowed, signed in return
//!  anything else ─────────────────────────► the same, unsigned; nothing of the request is read
//! ```
//! No layer of a route is here: the router asks these handlers where it found no route. So they verify a signature themselves. A payer's
//! token is no signature: its page is told so as anyone is.

use ark::signing::Scheme;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, header};

use super::App;
use super::auth;
use super::error::ApiError;
use super::request::{no_method, no_route};

/// Below it every request is signed.
const SIGNED: &str = "/v1/";

/// No such path.
pub(super) async fn route_unknown(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let refusal = no_route(&request);
    refuse(&app, request, refusal).await
}

/// The path exists, the method does not.
pub(super) async fn method_not_allowed(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let refusal = no_method(&request);
    refuse(&app, request, refusal).await
}

async fn refuse(app: &App, request: Request, refusal: ApiError) -> Result<Response, ApiError> {
    let signed = request.headers().get(header::AUTHORIZATION).is_some_and(names_scheme);
    if signed && request.uri().path().starts_with(SIGNED) {
        return auth::refuse_signed(app, request, refusal).await;
    }
    Err(refusal)
}

/// Whether a header names one of the schemes that requests are signed by.
fn names_scheme(header: &HeaderValue) -> bool {
    let named = header.to_str().ok().and_then(|text| text.split_once(' '));
    named.is_some_and(|(scheme, _)| Scheme::parse(scheme).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payers_token_is_no_signature() {
        let of = |text: &str| names_scheme(&HeaderValue::from_str(text).unwrap());
        for scheme in Scheme::ALL {
            assert!(of(&format!("{} mch_id=\"mch_3\"", scheme.name())), "{scheme:?}");
        }
        for other in ["", "LINTEL-HMAC-SM3", "LINTEL-CASHIER token=\"x\"", "Bearer x", "Basic eA=="] {
            assert!(!of(other), "{other}");
        }
    }
}
