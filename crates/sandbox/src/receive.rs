//! A merchant's receiver of webhooks: it believes what the platform signed, says it in one line each, and knows what comes again.
//!
//! ```text
//!  POST / ─ signature of a known key ─► 200, told once by its id
//!        ├─ of a key that is not known ─► the platform's keys are taken again, then as above
//!        └─ anything else ─► 401, and nothing of it is kept
//! ```

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use client::{Client, PlatformKeys, Received, WebhookError};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

struct Receiver {
    client: Client,
    keys: Mutex<PlatformKeys>,
    seen: Mutex<BTreeSet<String>>,
    told: mpsc::UnboundedSender<Received>,
}

/// Receives on `listener` what the platform of `client` tells, until `stop`; each delivery goes to `told` once.
///
/// # Errors
/// If the platform's keys cannot be had, or serving fails.
pub async fn receive(
    listener: TcpListener,
    client: Client,
    told: mpsc::UnboundedSender<Received>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let keys = Mutex::new(client.platform_keys().await.context("taking the platform's keys")?);
    let receiver = Arc::new(Receiver { client, keys, seen: Mutex::default(), told });
    let router = Router::new().route("/", post(take)).with_state(receiver);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.context("receiving webhooks")
}

async fn take(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let verified = match receiver.verify(&headers, &body) {
        Err(WebhookError::Key(_)) => {
            if let Ok(keys) = receiver.client.platform_keys().await {
                *receiver.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
            }
            receiver.verify(&headers, &body)
        }
        other => other,
    };
    match verified {
        Ok(delivery) => {
            let new = receiver.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(delivery.id.clone());
            if new && receiver.told.send(delivery).is_err() {
                return (StatusCode::SERVICE_UNAVAILABLE, "nobody listens any more\n".to_owned());
            }
            (StatusCode::OK, "taken\n".to_owned())
        }
        Err(error) => (StatusCode::UNAUTHORIZED, format!("{error}\n")),
    }
}

impl Receiver {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Received, WebhookError> {
        let header = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
        Received::verify(&self.keys.lock().unwrap_or_else(PoisonError::into_inner), header, body)
    }
}
