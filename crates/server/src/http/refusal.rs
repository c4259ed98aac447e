//! Every code that an error can carry.

use domain::RefusalCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::error::{CODES, status};

/// A stable code of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodeView {
    #[schema(example = "insufficient_funds")]
    code: &'static str,
    /// The status that it comes with.
    #[schema(example = 422)]
    status: u16,
    /// Whether the business said no. Such a refusal may bind the request's key.
    refusal: bool,
    #[schema(example = "The account's available balance does not cover the amount.")]
    meaning: &'static str,
}

/// Every code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodesView {
    data: Vec<CodeView>,
}

/// List the codes of errors
#[utoipa::path(get, path = "/v1/codes", tag = "refusal", responses((status = OK, body = CodesView)))]
pub(crate) async fn codes(_: Caller) -> axum::Json<CodesView> {
    let refused = RefusalCode::ALL.iter().map(|code| CodeView {
        code: code.name(),
        status: status(*code).as_u16(),
        refusal: true,
        meaning: code.meaning(),
    });
    let malformed = CODES.iter().chain(super::ark::CODES).map(|&(code, status, meaning)| CodeView {
        code,
        status,
        refusal: false,
        meaning,
    });
    axum::Json(CodesView { data: refused.chain(malformed).collect() })
}
