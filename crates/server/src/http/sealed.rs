//! What is served before the platform runs, while its key service waits for custodians: health, and the ceremony. All else is
//! told `sealed`, or that the platform starts once it is open.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router, middleware};

use super::error::ApiError;
use super::health::{self, Health};
use super::request;
use crate::shell::key_service::Ark;

/// The routes.
pub(crate) fn routes(ark: Arc<Ark>) -> Router {
    let (ceremony, _) = super::ark::ceremony::<Arc<Ark>>().split_for_parts();
    ceremony
        .route("/health/live", get(live))
        .route("/metrics", get(async || health::rendered()))
        .fallback(refuse)
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(middleware::from_fn(request::observe))
        .with_state(ark)
}

async fn live(State(ark): State<Arc<Ark>>) -> Json<Health> {
    Json(Health::before(&ark))
}

/// `/health/ready` too: it takes no requests.
async fn refuse(State(ark): State<Arc<Ark>>) -> ApiError {
    if ark.is_sealed() {
        return super::ark::sealed();
    }
    ApiError::new("unavailable", None, "the key service is open and the platform starts; try again shortly")
}
