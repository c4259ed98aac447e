//! Errors as callers see them: `{error: {type, code, message, param, request_id, retryable}}`.
//!
//! Refusals are the domain's and carry its codes. Everything that goes wrong before a command is decided has one of the
//! codes of [`CODES`]; it binds no key and changes nothing.

use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::{Refusal, RefusalCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::shell::Unavailable;

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorObject,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErrorObject {
    /// `refusal` (business said no), `request` (the request is malformed), `authentication`, `unavailable`, `internal`.
    #[schema(example = "refusal")]
    pub(crate) r#type: &'static str,
    /// The stable code; `GET /v1/codes` lists them all.
    #[schema(example = "insufficient_funds")]
    pub(crate) code: &'static str,
    /// What was wrong with which value, and what would be right.
    #[schema(example = "acc_42 has 400 available and the entry takes 500")]
    pub(crate) message: String,
    /// The parameter it is about.
    #[schema(example = "entries")]
    pub(crate) param: Option<String>,
    /// The request's id, also in the `Lintel-Request-Id` header.
    #[schema(example = "req_5f0c1b7a90e2d4c3")]
    pub(crate) request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub(crate) retryable: bool,
}

/// Codes of what goes wrong before a command is decided: name, status, meaning. A name is for ever.
pub(crate) const CODES: &[(&str, u16, &str)] = &[
    ("json_malformed", 400, "The body is not JSON."),
    ("cbor_malformed", 400, "The body is not the CBOR that the documentation draws."),
    ("field_unknown", 400, "The body or the query has a field that does not exist."),
    ("field_missing", 400, "A field is missing."),
    ("field_malformed", 400, "A field's value has another form than it should."),
    ("amount_not_whole", 400, "An amount is not a whole number of minor units."),
    ("amount_overflow", 400, "An amount leaves the range of 64-bit minor units."),
    ("idempotency_key_missing", 400, "A request that changes something came without an Idempotency-Key header."),
    ("idempotency_key_malformed", 400, "The Idempotency-Key is not 1 to 128 visible ASCII characters."),
    ("encryption_serial_missing", 400, "A field is encrypted, and no Lintel-Encryption-Serial says for which key."),
    ("encryption_serial_unknown", 400, "Lintel-Encryption-Serial names no key of the platform that opens."),
    ("encryption_required", 400, "A field came in clear that is taken encrypted for the platform alone."),
    ("ciphertext_invalid", 400, "An encrypted field does not open under the key that Lintel-Encryption-Serial names."),
    ("version_unknown", 400, "Lintel-Version names no version of the API that is served."),
    ("cursor_malformed", 400, "The cursor is none that a list gave out."),
    ("notification_refused", 400, "A channel's notification is not signed by it, or not about what was asked."),
    ("receipt_not_yet", 409, "There is no receipt of what has not ended well."),
    ("signature_missing", 401, "The request is not signed."),
    ("signature_malformed", 401, "The Authorization header does not read."),
    ("signature_stale", 401, "The signature's timestamp is more than five minutes off."),
    ("signature_mismatch", 401, "The signature is not the one of this key over this request."),
    ("signature_key_unknown", 401, "No certificate of this merchant signs under this serial number now."),
    ("cashier_token_missing", 401, "A cashier's request brings no session token."),
    ("cashier_token_invalid", 401, "The session token is none that the platform gave out."),
    ("cashier_token_expired", 401, "The cashier session is over."),
    ("nonce_reused", 401, "The nonce was used before."),
    ("totp_wrong", 401, "The one-time code is not the one of now, of this operator."),
    ("totp_locked", 403, "Five wrong one-time codes: the operator approves nothing for fifteen minutes."),
    ("operator_suspended", 403, "The key is that of an operator who is suspended."),
    ("pay_password_wrong", 403, "The pay password is not the one that is set; five such tries lock it."),
    ("pay_password_required", 403, "The payer has a pay password, and it was not brought."),
    ("cashier_token_other_order", 403, "The session token is another order's."),
    ("not_permitted", 403, "The key may not do this, or the object belongs to someone else."),
    ("route_unknown", 404, "There is no such path."),
    ("delivery_unknown", 404, "No delivery of a webhook has this id, or it ended so long ago that it is forgotten."),
    ("cashier_instrument_unknown", 404, "The cashier session lists no such instrument."),
    ("channel_no_sign_up", 422, "The channel signs no agreements over this interface."),
    ("channel_no_real_name_check", 422, "The channel checks no real names over this interface."),
    ("channel_unknown", 404, "No channel is configured that does this."),
    ("method_not_allowed", 405, "The path is not asked with this method."),
    ("cashier_order_ended", 409, "The session's order takes no payment any more."),
    ("totp_not_enrolled", 409, "The operator has no secret for its one-time codes yet, or must enrol the renewed one."),
    ("totp_enrolled", 409, "The secret was shown already; two administrators renew it."),
    ("clock_not_manual", 409, "Time is moved by hand only on sandbox books with clock = \"manual\"."),
    ("clearing_not_ready", 409, "The day is not over at the channel; its clearing file comes later."),
    ("body_too_large", 413, "The body is larger than 32 MiB."),
    ("check_sum_wrong", 422, "A card scheme's public key is not what its check sum is of."),
    (
        "certificate_required",
        422,
        "A terminal's public key comes with its maker's certificate here: pos.terminal_ca is set.",
    ),
    ("certificate_untrusted", 422, "A terminal's certificate does not prove whose its key is; see the message."),
    ("holder_mismatch", 422, "The bank account's holder is not the customer."),
    ("pay_password_weak", 422, "Others would try this pay password first."),
    ("customer_erased", 422, "The identity's personal data was erased; nothing can be sealed for it."),
    ("internal", 500, "A part of the platform failed; report it with the request id."),
    ("channel_rejected", 502, "The channel's answer does not prove what it says; see the message."),
    ("channel_unavailable", 503, "The channel does not answer; come back after Retry-After."),
    ("signed_before_start", 503, "Signed before the platform's start; sign anew, with a new time and nonce."),
    ("overloaded", 503, "Too many requests wait; come back after Retry-After."),
    ("unavailable", 503, "The platform stops or recovers; come back after Retry-After."),
];

/// An error on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    object: Box<ErrorObject>,
}

impl ApiError {
    /// An error with a code of [`CODES`], which says its status.
    pub(crate) fn new(code: &'static str, param: Option<&str>, message: impl Into<String>) -> Self {
        let known = CODES.iter().chain(super::ark::CODES).find(|(name, _, _)| *name == code);
        debug_assert!(known.is_some(), "'{code}' does not stand in CODES");
        let status = known.and_then(|(_, status, _)| StatusCode::from_u16(*status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let r#type = match status.as_u16() {
            401 | 403 => "authentication",
            500 | 502 => "internal",
            503 => "unavailable",
            _ => "request",
        };
        let retryable = status == StatusCode::SERVICE_UNAVAILABLE;
        let (param, message) = (param.map(str::to_owned), message.into());
        Self { status, object: Box::new(ErrorObject { r#type, code, message, param, request_id: None, retryable }) }
    }

    /// A field of another form than it should have.
    pub(crate) fn malformed(param: &str, message: impl Into<String>) -> Self {
        Self::new("field_malformed", Some(param), message)
    }

    /// Who asks may not.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new("not_permitted", None, message)
    }

    /// A part of the platform failed. The error itself goes to the log, not to the caller.
    pub(crate) fn internal(context: &str, error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "{context}");
        Self::new("internal", None, format!("{context} failed; report it with its request id"))
    }

    /// Whether it says that nobody knows who asks.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// The refusal's or request's stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.object.code
    }

    /// The same error about a parameter further out: `parties[2].name` for `name`.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        let inner = self.object.param.take();
        self.object.param = Some(inner.map_or_else(|| outer.to_owned(), |inner| format!("{outer}.{inner}")));
        self
    }

    /// The same error, bearing the id of its request.
    pub(crate) fn of_request(mut self, id: &str) -> Self {
        self.object.request_id = Some(id.to_owned());
        self
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code, param) = (status(refusal.code), refusal.code.name(), Some(refusal.param.into_owned()));
        let message = refusal.message;
        let object = ErrorObject { r#type: "refusal", code, message, param, request_id: None, retryable: false };
        Self { status, object: Box::new(object) }
    }
}

impl From<Unavailable> for ApiError {
    fn from(unavailable: Unavailable) -> Self {
        let code = match unavailable {
            Unavailable::Overloaded | Unavailable::Behind => "overloaded",
            Unavailable::Stopped | Unavailable::Recovering | Unavailable::Elsewhere | Unavailable::Unknown => {
                "unavailable"
            }
            Unavailable::Damaged => "internal",
        };
        Self::new(code, None, unavailable.to_string())
    }
}

/// The one table from refusals to statuses.
pub(crate) fn status(code: RefusalCode) -> StatusCode {
    let name = code.name();
    if name.ends_with("_unknown") && code != RefusalCode::CurrencyUnknown && code != RefusalCode::CalendarUnknown {
        StatusCode::NOT_FOUND
    } else if matches!(code, RefusalCode::KeyReused | RefusalCode::NumberExpired | RefusalCode::AlreadyExists) {
        StatusCode::CONFLICT
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry = self.object.retryable;
        let error = self.clone();
        let mut response = (self.status, Json(ErrorBody { error: *self.object })).into_response();
        if retry {
            response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        // The outermost layer takes it out again to add the request's id: see `request`.
        response.extensions_mut().insert(error);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_no_refusal_means_something_else_by_one() {
        let mut names: Vec<_> = CODES.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
        let shared: Vec<_> =
            RefusalCode::ALL.iter().map(|code| code.name()).filter(|name| names.contains(name)).collect();
        assert_eq!(shared, ["amount_overflow"], "the same meaning in both: the sum or the number itself is too large");
    }

    #[test]
    fn overload_says_when_to_come_back() {
        let response = ApiError::from(Unavailable::Overloaded).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            response.headers().get(http::header::RETRY_AFTER).map(|value| value.as_bytes()),
            Some(b"1".as_slice())
        );
        let again = ApiError::from(Unavailable::Stopped).of_request("req_1");
        assert!(again.object.retryable && again.object.request_id.as_deref() == Some("req_1"));
    }
}
