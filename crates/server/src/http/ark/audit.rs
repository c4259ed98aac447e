//! The trail of the key service: listed in pages, verified as a whole.

use ark::audit::{Broken, Record};
use ark::keys::{By, Role};
use ark::provider::{KeyKind, PublicKey};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Base64, Body};
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::wire::time_text;

const READERS: &[Role] = &[Role::Auditor, Role::Administrator];
const PAGE_MAX: u32 = 1_000;

/// Which part of the trail.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// Records behind this number.
    #[serde(default)]
    after: i64,
    /// How many: 1 to 1,000.
    limit: Option<u32>,
}

/// A record.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkRecordView {
    number: i64,
    at: String,
    caller: String,
    key: String,
    version: u32,
    operation: String,
    reason: String,
    /// `ok` or a code.
    outcome: String,
    /// How often within the second.
    count: u64,
}

/// A page of the trail.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkTrailView {
    data: Vec<ArkRecordView>,
}

fn view(record: Record) -> ArkRecordView {
    let Record { number, at, act, count } = record;
    ArkRecordView {
        number,
        at: time_text(domain::envelope::Time(at)),
        caller: act.caller,
        key: act.key,
        version: act.version,
        operation: act.operation,
        reason: act.reason,
        outcome: act.outcome,
        count,
    }
}

/// List the trail
///
/// In the order of its numbers; ask again behind the last one.
#[utoipa::path(get, path = "/v1/ark/audit", tag = "ark_audit", params(Since), responses((status = OK, body = ArkTrailView)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(since): Query<Since>,
) -> Result<Json<ArkTrailView>, ApiError> {
    let limit = since.limit.unwrap_or(100);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::malformed("limit", format!("a page has 1 to {PAGE_MAX} records, not {limit}")));
    }
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, READERS, "", "audit")?;
        Ok(ArkTrailView { data: service.audit(since.after, limit)?.into_iter().map(view).collect() })
    };
    with(&app, &caller, &Why::default(), work).await.map(Json)
}

/// By which key the trail must be signed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrailKey {
    /// In base64, as `GET /v1/ark/status` showed it once; without it the key service's own, which shows less.
    public_key: Option<Base64>,
}

/// What the trail holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Records, all in the chain.
    records: i64,
    /// Checkpoints, all signed.
    checkpoints: i64,
    /// The last record that a checkpoint covers.
    signed_to: i64,
}

/// Verify the trail
#[utoipa::path(
    post, path = "/v1/ark/audit/verify", tag = "ark_audit", request_body = TrailKey, params(Why),
    responses((status = OK, body = Verified))
)]
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(wanted): Body<TrailKey>,
) -> Result<Json<Verified>, ApiError> {
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, READERS, "", "audit")?;
        let public = match wanted.public_key {
            Some(Base64(bytes)) => PublicKey { kind: KeyKind::Sm2, bytes },
            None => service.audit_public_key()?,
        };
        Ok(service.verify_audit(&public))
    };
    let found = with(&app, &caller, &why, work).await?.map_err(|broken| match broken {
        Broken::Record(_) | Broken::Checkpoint(_) => ApiError::new("audit_broken", None, broken.to_string()),
        Broken::Provider(_) => ApiError::malformed("public_key", "this is no SM2 public key"),
        Broken::Database(_) | Broken::Place(_) => ApiError::internal("reading the trail", &broken),
    })?;
    Ok(Json(Verified { records: found.records, checkpoints: found.checkpoints, signed_to: found.signed_to }))
}
