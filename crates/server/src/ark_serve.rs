//! `lintel ark serve`: the key service as a process of its own, for the platform and for whoever else has a certificate.
//!
//! ```text
//!  certificate (CN) ──► TLS ──► caller ──► the handlers of /v1/ark, as in the platform ──► keys.db of data_dir
//! ```
//! Callers are known by their certificates; without certificates it listens on a loopback address only, for
//! development, and believes the header `Lintel-Caller`. Stopping seals, which writes the end of the trail.

mod listener;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Json, Router};
use http::header;
use journal::DirectoryLock;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::listener::{Door, Peer};
use crate::config::{ArkProfile, Config};
use crate::http::ark::{self, App, Caller};
use crate::http::error::ApiError;
use crate::http::{document, health, request};
use crate::shell::key_service::{self, Ark};
use crate::tls::{Files, refuse_shared};

/// Who asks, where no certificate says so.
pub(crate) const CALLER: &str = "lintel-caller";
/// What the log says where nobody shows who it is.
const INSECURE: &str = "--insecure-loopback: callers have no certificates and are believed who they say they are; every user of \
                        this machine can use every key. This is for development";

/// Runs the key service until it is told to stop.
///
/// # Errors
/// What keeps it from starting, or what broke.
pub(crate) fn run(config: &Config, tls: Option<&Files>, insecure: bool, port_file: Option<&Path>) -> Result<()> {
    let listen = config.ark.serve.listen;
    if let (ArkProfile::Production, Some(files)) = (config.ark.profile, tls) {
        refuse_shared("ark.serve.certificate_key", &files.key)?;
    }
    let tls = match (tls, insecure) {
        (Some(files), false) => Some(files.server()?),
        (Some(_), true) => bail!("--insecure-loopback is for where there are no certificates: leave it out"),
        (None, true) if listen.ip().is_loopback() => {
            tracing::warn!("{INSECURE}");
            None
        }
        (None, true) => {
            bail!("--insecure-loopback listens on a loopback address such as 127.0.0.1:7882, not on {listen}")
        }
        (None, false) => bail!(
            "the key service knows its callers by their certificates: give --cert, --cert-key and --ca, or the settings \
             below [ark.serve]; for development on this machine alone there is --insecure-loopback"
        ),
    };
    if !config.ark.remote.url.is_empty() {
        bail!("ark.remote.url is set: this process has the keys itself; leave the setting out here");
    }
    let directory = &config.data_dir;
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let _lock = DirectoryLock::acquire(directory)?;
    health::recorder();
    let ark = Arc::new(Ark::start_alone(directory, &config.ark)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(listen, tls, ark, port_file))
}

async fn serve(
    listen: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    ark: Arc<Ark>,
    port_file: Option<&Path>,
) -> Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Before anyone is told that it is there.
    let stop = asked_to_stop()?;
    tokio::spawn(key_service::tick(Arc::clone(&ark)));
    tokio::spawn(health::keep_up_metrics());
    let router = router(App::alone(Arc::clone(&ark)));
    if let Some(path) = port_file {
        std::fs::write(path, address.to_string()).with_context(|| format!("writing {}", path.display()))?;
    }
    tracing::info!(%address, "ready: {scheme}://{address}/openapi.json");
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(Door::open(listener, tls), service).with_graceful_shutdown(stop).await.context("serving");
    // Nobody asks any more; sealing writes the disk.
    tokio::task::spawn_blocking(move || ark.stop()).await.context("sealing the key service")?;
    served
}

/// Ends when the process is asked to stop; listens from now on, not from when it is first waited for.
fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop");
    })
}

fn router(app: App) -> Router {
    let routes = OpenApiRouter::with_openapi(document::base())
        .merge(ark::routes())
        .merge(ark::ceremony())
        .route_layer(middleware::from_fn(identify))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics));
    let (router, mut document) = routes.split_for_parts();
    document::complete(&mut document);
    router
        .route("/openapi.json", axum::routing::get(move || async move { Json(document) }))
        .fallback(request::route_unknown)
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(middleware::from_fn(request::observe))
        .with_state(app)
}

/// Leaves a [`Caller`] for the handlers: whose certificate it is, or who it says it is where there are none.
async fn identify(mut request: Request, next: Next) -> Result<Response, ApiError> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.clone());
    let said = request.headers().get(CALLER).and_then(|value| value.to_str().ok());
    let caller = match peer {
        Some(Peer { name: Some(name) }) => Caller::named(&name)?,
        // A page in a browser cannot send a header of ours elsewhere: without it nobody is believed.
        Some(Peer { name: None }) => Caller::named(said.ok_or_else(nameless)?)?,
        None => return Err(nameless()),
    };
    tracing::Span::current().record("caller", caller.id());
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn nameless() -> ApiError {
    ApiError::new("caller_malformed", Some(CALLER), "say who asks in the header Lintel-Caller, such as operator")
}

/// How the key service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArkHealth {
    /// `live` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Is the process alive?
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = OK, body = ArkHealth)))]
pub(crate) async fn live() -> Json<ArkHealth> {
    Json(ArkHealth { status: "live" })
}

/// Does it take operations?
///
/// `sealed` until its custodians, or its device, opened it.
#[utoipa::path(
    get, path = "/health/ready", tag = "health",
    responses((status = OK, body = ArkHealth), (status = SERVICE_UNAVAILABLE, body = crate::http::error::ErrorBody))
)]
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<ArkHealth>, ApiError> {
    app.open().await.map(|()| Json(ArkHealth { status: "ready" }))
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "health", responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics() -> ([(header::HeaderName, &'static str); 1], String) {
    let text = health::recorder().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
