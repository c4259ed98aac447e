//! Whether the process lives, whether it may be sent requests, and its metrics for Prometheus. None is signed.

use std::sync::OnceLock;

use axum::extract::State;
use http::header;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::error::ApiError;
use crate::shell::key_service::Ark;

/// Bounds of every latency histogram, in seconds.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How the platform is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `live` or `ready`; `sealed` while the key service waits for its custodians, `starting` just after.
    #[schema(example = "ready")]
    status: &'static str,
    /// The durable journal position, once ready.
    position: Option<u64>,
    /// Why the journal cannot be written, while it cannot: requests are refused, and taken again without a restart.
    recovering: Option<String>,
    /// Why tables and files of history stand still, while they do: postings and statements go on.
    behind: Option<String>,
}

/// Is the process alive?
///
/// Answers as long as the process runs, also while it recovers or stops, and says why it recovers.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = OK, body = Health)))]
pub(crate) async fn live(State(app): State<App>) -> axum::Json<Health> {
    axum::Json(Health::of(&app, if app.ark.is_sealed() { "sealed" } else { "live" }, None))
}

impl Health {
    /// Before the platform runs.
    pub(crate) fn before(ark: &Ark) -> Self {
        let status = if ark.is_sealed() { "sealed" } else { "starting" };
        Self { status, position: None, recovering: None, behind: None }
    }

    fn of(app: &App, status: &'static str, position: Option<u64>) -> Self {
        let recovering = app.platform.standing().trouble().map(|trouble| trouble.cause);
        Self { status, position, recovering, behind: app.books.projector.trouble() }
    }
}

/// Does it take requests?
///
/// Asks the writer, so a yes means that a request sent now would be decided.
#[utoipa::path(
    get, path = "/health/ready", tag = "health",
    responses((status = OK, body = Health), (status = SERVICE_UNAVAILABLE, body = super::error::ErrorBody))
)]
pub(crate) async fn ready(State(app): State<App>) -> Result<axum::Json<Health>, ApiError> {
    if app.ark.is_sealed() {
        return Err(super::ark::sealed());
    }
    let ((), position) = app.platform.read(|_| ()).await?;
    Ok(axum::Json(Health::of(&app, "ready", Some(position))))
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(app): State<App>) -> ([(header::HeaderName, &'static str); 1], String) {
    let waiting = u32::try_from(app.platform.waiting()).unwrap_or(u32::MAX);
    metrics::gauge!("lintel_queue_waiting").set(f64::from(waiting));
    rendered()
}

/// The metrics as they are.
pub(crate) fn rendered() -> ([(header::HeaderName, &'static str); 1], String) {
    let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// The process's recorder of metrics, installed at the first call; `None` if another one was installed before.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS);
        let handle = builder.and_then(PrometheusBuilder::install_recorder);
        handle.inspect_err(|error| tracing::warn!(%error, "no metrics are recorded")).ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Drains what histograms gather between two looks, so that it does not pile up where nobody looks.
pub(crate) async fn keep_up_metrics() {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    while let Some(recorder) = recorder() {
        every.tick().await;
        recorder.run_upkeep();
    }
}
