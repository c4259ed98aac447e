//! The OpenAPI document: made from the handlers, completed here with what is the same for all of them, committed as
//! `docs/openapi.json`.

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Object, OpenApi, PathItem, Ref, RefOr, Required, Schema, Type};

use super::error::ErrorBody;
use super::version;

const SCHEME: &str = "LINTEL-HMAC-SM3";
/// What the requests of payers bring in its place.
const TOKEN: &str = "LINTEL-CASHIER";

/// POSTs that are safe to send twice by themselves: by a number of their own, or because they end where they should; and a pay
/// password that is compared, each time anew: a wrong one is a try however it was sent.
const UNKEYED: &[&str] = &[
    "/v1/postings",
    "/v1/days/{date}/close",
    "/v1/merchants/{id}/key",
    "/v1/orders/{id}/cashier-sessions",
    "/v1/operators/{id}/totp",
    "/v1/clearing/fetch",
    "/v1/payouts/returns/fetch",
    "/v1/sandbox/clock",
    "/v1/channels/{rail}/notify",
    "/v1/receipts/verify",
    "/v1/users/{id}/pay-password/verify",
    "/v1/webhooks/{id}/replay",
    "/v1/webhook-deliveries/{id}/replay",
];

/// What takes no signature of ours: what custodians do while none can be checked, what channels sign in their own way, and what
/// anyone may ask.
const UNSIGNED: &[&str] = &[
    "/v1/ark/seal-status",
    "/v1/ark/unseal",
    "/v1/channels/{rail}/notify",
    "/v1/receipts/verify",
    "/v1/receipts/{id}/verify",
];

/// What lies outside the journal has no keys: ciphertexts differ each time, and approvals are used once.
const OUTSIDE: &str = "/v1/ark/";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Lintel",
        description = "\
An open-source core for a licensed payment institution that serves property.

- **Amounts** are whole minor units (分) beside an ISO 4217 currency; dates are accounting dates of Asia/Shanghai; times \
are RFC 3339; ids carry a prefix (`ord_42`).
- **Keys.** A request that changes something carries an `Idempotency-Key`, unless it is safe to send twice by itself. \
The same key with the same body does nothing again and answers the same object or refusal (`Lintel-Repeated: true`), the \
object as it stands now; with another body it is `key_reused`.
- **Positions.** Each answer names the journal position it shows in `Lintel-Position`; lists lag a little behind and wait \
for a `min_position`.
- **Errors** are `{error: {type, code, message, param, request_id, retryable}}`; `GET /v1/codes` lists the codes. Only \
`retryable` errors are worth the same request again.
- **Versions.** `Lintel-Version: 2026-11-29` pins the form of requests and answers, now and later; a request that names none is served \
in the first version that is. Within a version, things are only added.
- **Request ids.** `Lintel-Request-Id` is taken over if it is 1 to 64 letters, digits, `-`, `_` or `.`, else made.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody))
)]
struct Base;

/// What the handlers add themselves to.
pub(crate) fn base() -> OpenApi {
    let mut document = Base::openapi();
    version::NEWEST.0.clone_into(&mut document.info.version);
    document
}

/// Adds what every operation has: a unique id, the errors, the signature, the idempotency key.
pub(crate) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let value = ApiKeyValue::with_description(
        "Authorization",
        "`LINTEL-HMAC-SM3 mch_id=\"…\",nonce=\"…\",timestamp=\"…\",serial_no=\"…\",signature=\"…\"`: the HMAC-SM3, in \
         base64, of `METHOD\\npath?query\\ntimestamp\\nnonce\\nbody\\n` under the secret of the key. `mch_id` is a \
         merchant's id, an operator's, or `operator` for the institution's programs, `timestamp` in seconds at most five minutes off, the nonce new. \
         What was signed before the platform's start is answered 503 `signed_before_start`: sign it anew. \
         Merchants may sign with a registered certificate: `LINTEL-SM2-WITH-SM3` or `LINTEL-SHA256-RSA2048`. Answers are signed in \
         return: `Lintel-Timestamp`, `Lintel-Nonce`, `Lintel-Serial`, `Lintel-Signature` over `timestamp\\nnonce\\nbody\\n`.",
    );
    components.add_security_scheme(SCHEME, SecurityScheme::ApiKey(ApiKey::Header(value)));
    let value = ApiKeyValue::with_description(
        "Authorization",
        "`LINTEL-CASHIER token=\"…\"`: the token of `POST /v1/orders/{id}/cashier-sessions`, of one order and until it expires, in the \
         hands of its payer. Nothing is signed by it, and the answers are not either.",
    );
    components.add_security_scheme(TOKEN, SecurityScheme::ApiKey(ApiKey::Header(value)));
    for (path, item) in &mut document.paths.paths {
        let signed = path.starts_with("/v1/");
        each(item, |operation, writes| {
            let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            operation.operation_id = operation.operation_id.take().map(|name| format!("{tag}_{name}"));
            if signed {
                if !UNSIGNED.contains(&path.as_str()) {
                    let scheme = if super::cashier::is_for_browsers(path) { TOKEN } else { SCHEME };
                    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], _>(scheme, [])]);
                }
                let responses = &mut operation.responses.responses;
                responses.insert("4XX".into(), error("Refused, malformed or not permitted; nothing was changed"));
                responses.insert("5XX".into(), error("Overloaded (503, with Retry-After) or broken"));
            }
            if signed && writes && !UNKEYED.contains(&path.as_str()) && !path.starts_with(OUTSIDE) {
                operation.parameters.get_or_insert_default().push(idempotency_key().into());
            }
        });
    }
}

fn each(item: &mut PathItem, mut change: impl FnMut(&mut Operation, bool)) {
    for (operation, writes) in [(&mut item.get, false), (&mut item.post, true)] {
        if let Some(operation) = operation {
            change(operation, writes);
        }
    }
}

fn error(description: &str) -> RefOr<utoipa::openapi::Response> {
    let schema = Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build().into()
}

fn idempotency_key() -> utoipa::openapi::path::Parameter {
    let text = Schema::Object(Object::with_type(Type::String));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("1 to 128 visible characters of your own, new for each thing you want done."))
        .schema(Some(text))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::document;
    use super::*;

    #[test]
    fn the_committed_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let fresh = document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("LINTEL_BLESS").is_some() {
            std::fs::write(path, &fresh).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == fresh, "docs/openapi.json is stale: run LINTEL_BLESS=1 cargo test -p server document");
    }

    #[test]
    fn every_operation_has_id_tag_summary_and_errors() {
        let mut ids = BTreeSet::new();
        for (path, mut item) in document().paths.paths {
            each(&mut item, |operation, _| {
                let id = operation.operation_id.clone().unwrap_or_default();
                assert!(!id.is_empty() && ids.insert(id.clone()), "{path}: '{id}' is not unique");
                assert_eq!(operation.tags.as_ref().map(Vec::len), Some(1), "{path}");
                assert!(operation.summary.as_ref().is_some_and(|summary| !summary.is_empty()), "{path}");
                let errors = operation.responses.responses.contains_key("4XX");
                assert!(errors || !path.starts_with("/v1/"), "{path}");
            });
        }
        assert!(ids.len() > 60, "{ids:?}");
    }

    #[test]
    fn what_needs_no_key_exists() {
        let paths = document().paths.paths;
        for path in UNKEYED {
            assert!(paths.get(*path).is_some_and(|item| item.post.is_some()), "{path}");
        }
    }
}
