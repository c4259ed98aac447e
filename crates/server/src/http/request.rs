//! The outermost layers: a request's id, its line in the log, its metrics, and the form of every error, whoever made it.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use metrics::{Counter, Histogram};
use tracing::Instrument;

use super::cashier;
use super::certificate::{AnswerKey, signed};
use super::error::ApiError;
use super::version::{self, ApiVersion};
use super::wait;

const REQUEST_ID: HeaderName = HeaderName::from_static("lintel-request-id");

/// Gives the request its id, counts and times it, writes its line in the log and the id into the body of an error.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = taken_over(&request).unwrap_or_else(made);
    let method = request.method().clone();
    // The path as it was routed: ids in metrics would be a series each, and the query may name persons' things.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = %id, %method, route, caller = tracing::field::Empty);
    // A panic ends its request only: what it may have left half done lies in the request, or behind locks that are told of it.
    let run = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = run.unwrap_or_else(|panic| span.in_scope(|| panicked(panic)));
    let key = response.extensions_mut().remove::<AnswerKey>();
    let version = response.extensions_mut().remove::<ApiVersion>();
    response = identified(response, &id);
    if let Some(key) = key {
        let signing = signed(response, key).instrument(span.clone()).await;
        response = signing.unwrap_or_else(|error| identified(error.into_response(), &id));
    }
    if cashier::is_for_browsers(&route) {
        cashier::for_browsers(response.headers_mut());
    }
    let (status, elapsed) = (response.status().as_u16(), began.elapsed());
    span.in_scope(|| {
        let ms = elapsed.as_secs_f64() * 1_000.0;
        if status >= 500 {
            tracing::warn!(status, ms, "answered");
        } else {
            tracing::debug!(status, ms, "answered");
        }
    });
    count(&method, &route, status, elapsed);
    wait::say_timing(&mut response, elapsed);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(ApiVersion(version)) = version {
        response.headers_mut().insert(version::HEADER, HeaderValue::from_static(version));
    }
    response
}

/// Requests that are told apart by the same labels, besides their route.
struct Series {
    method: Method,
    status: u16,
    requests: Counter,
    seconds: Histogram,
}

/// Series by route. Each is looked up by its labels once: that takes longer than counting.
static SERIES: LazyLock<RwLock<HashMap<String, Vec<Series>>>> = LazyLock::new(RwLock::default);

/// Methods whose series are kept; others are whatever a caller invents.
const KEPT: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Counts and times a request.
fn count(method: &Method, route: &str, status: u16, elapsed: Duration) {
    let note = |series: &Series| {
        series.requests.increment(1);
        series.seconds.record(elapsed.as_secs_f64());
    };
    let known = SERIES.read().unwrap_or_else(PoisonError::into_inner);
    let mut of_route = known.get(route).into_iter().flatten();
    if let Some(series) = of_route.find(|series| series.status == status && series.method == *method) {
        return note(series);
    }
    drop(known);
    let labels = [("method", method.to_string()), ("route", route.to_owned()), ("status", status.to_string())];
    let series = Series {
        method: method.clone(),
        status,
        requests: metrics::counter!("lintel_http_requests_total", &labels),
        seconds: metrics::histogram!("lintel_http_request_seconds", &labels),
    };
    note(&series);
    if KEPT.contains(method) {
        let mut known = SERIES.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(route.to_owned()).or_default().push(series);
    }
}

/// The caller's own id, if it is one.
fn taken_over(request: &Request) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

fn made() -> String {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Unique enough to find a request in a log; nothing secret hangs on it.
    format!("req_{:016x}", HASHER.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// An error with its request's id in the body.
fn identified(mut response: Response, id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    error.of_request(id).into_response()
}

/// A handler panicked: the request fails, the process goes on.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("not a text"), "a handler panicked");
    ApiError::new("internal", None, "the request broke a rule of the platform itself; report it with its request id")
        .into_response()
}

/// No such path.
pub(crate) async fn route_unknown(request: Request) -> ApiError {
    no_route(&request)
}

/// The path exists, the method does not.
pub(crate) async fn method_not_allowed(request: Request) -> ApiError {
    no_method(&request)
}

/// There is no such path.
pub(super) fn no_route(request: &Request) -> ApiError {
    let message = format!("there is no {:.128}; GET /docs shows what there is", request.uri().path());
    ApiError::new("route_unknown", Some("path"), message)
}

/// The path is not asked with this method.
pub(super) fn no_method(request: &Request) -> ApiError {
    let message = format!("{} is not taken here; GET /docs shows what is", request.method());
    ApiError::new("method_not_allowed", Some("method"), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn an_id_is_taken_over_only_if_well_formed() {
        let of = |id: &str| taken_over(&Request::builder().header(REQUEST_ID, id).body(Body::empty()).unwrap());
        assert_eq!(of("a-1_b.c").as_deref(), Some("a-1_b.c"));
        for id in ["", "a b", "<script>", &"x".repeat(65)] {
            assert_eq!(of(id), None, "{id}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_in_the_form_of_all_errors() {
        let response = identified(panicked(Box::new("secret detail")), "req_1");
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "internal");
        assert_eq!(body["error"]["request_id"], "req_1");
        assert!(!body.to_string().contains("secret"), "what broke goes to the log, not to the caller");
    }

    #[test]
    fn made_ids_differ() {
        assert_ne!(made(), made());
    }
}
