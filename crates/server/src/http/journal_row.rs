//! The journal's rows as bytes, for copies beside a running platform: on the embedded default nobody else can read its file.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Query;

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RowsQuery {
    /// The number of the first row, from 1.
    #[param(example = 1)]
    from_row: u64,
}

/// Read rows of the journal
///
/// For the institution's programs: what `lintel backup` asks for. Some megabytes of whole rows, each its header (38 bytes), the
/// hash before it (32), its own (32), checksum (4), length (4) and payload, numbers big-endian; no bytes at the journal's end.
/// What is sent is durable. Personal fields are sealed in it.
#[utoipa::path(
    get, path = "/v1/journal/rows", tag = "journal", params(RowsQuery),
    responses((status = OK, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RowsQuery>,
) -> Result<Response, ApiError> {
    caller.program()?;
    let rows = app.platform.rows(query.from_row).await?;
    let bytes = rows.map_err(|why| ApiError::internal("reading the journal", &std::io::Error::other(why)))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
