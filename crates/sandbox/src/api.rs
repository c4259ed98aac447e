//! The platform's public API, signed: what load generators and the day player speak.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ark::MacKey;
use ark::signing::{Authorization, Credential, Request, Stamp};
use serde_json::Value;

/// How long a caller goes on asking a platform that is not there.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A caller of the platform: where it is and who asks.
#[derive(Clone)]
pub struct Api {
    base: Arc<str>,
    http: reqwest::Client,
    id: Arc<str>,
    key: MacKey,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({} as {})", self.base, self.id)
    }
}

/// The `Authorization` of a request that `id` signs now, with a new nonce.
pub(crate) fn authorize(id: &str, key: &MacKey, request: &Request<'_>) -> Result<Authorization> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let credential = Credential { merchant: id, serial: "1", key };
    Ok(Authorization::sign(&credential, Stamp::random(now)?, request)?)
}

/// An answer of the platform.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether the platform says that it had answered this request before.
    pub repeated: bool,
    /// The journal position of the state that it shows, of an answer that has one.
    pub position: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if the status says it went well.
    ///
    /// # Errors
    /// The platform's own words otherwise.
    pub fn json(&self) -> Result<Value> {
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if (200..300).contains(&self.status) {
            return Ok(value);
        }
        bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }

    /// The stable code of the error in the body, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        value.pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
    }
}

impl Api {
    /// A caller `id` with its secret, of the platform at `base` (`http://127.0.0.1:7880`).
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(base: &str, id: &str, key: MacKey) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build().context("making an HTTP client")?;
        Ok(Self { base: base.into(), http, id: id.into(), key })
    }

    /// The same platform, asked by another.
    #[must_use]
    pub fn with_caller(&self, id: &str, key: MacKey) -> Self {
        Self { id: id.into(), key, ..self.clone() }
    }

    /// Who asks.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Sends one signed request.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer> {
        let authorization = authorize(&self.id, &self.key, &Request { method, target, body: &body })?;
        let url = format!("{}{target}", self.base);
        let method = method.parse().with_context(|| format!("{method} is no HTTP method"))?;
        let mut builder = self.http.request(method, url).header("authorization", authorization.to_string());
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let response = builder.body(body).send().await.with_context(|| format!("asking {target}"))?;
        let status = response.status().as_u16();
        let repeated = response.headers().get("lintel-repeated").is_some_and(|value| value == "true");
        let position = response.headers().get("lintel-position").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.bytes().await.with_context(|| format!("reading the answer of {target}"))?.to_vec();
        Ok(Answer { status, repeated, position, body })
    }

    /// Asks for something; while the platform is not there, again.
    ///
    /// # Errors
    /// No answer within [`PATIENCE`], or the platform's words.
    pub async fn get(&self, target: &str) -> Result<Value> {
        self.read(target, "application/json").await?.json()
    }

    /// Asks for something in a format.
    ///
    /// # Errors
    /// No answer within [`PATIENCE`].
    pub async fn read(&self, target: &str, format: &str) -> Result<Answer> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.send("GET", target, &[("accept", format)], Vec::new()).await {
                Ok(answer) if answer.status != 503 => return Ok(answer),
                Ok(answer) if Instant::now() >= until => return Ok(answer),
                Err(error) if Instant::now() >= until => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Has something done, under an idempotency key, and does not ask again.
    ///
    /// # Errors
    /// If no answer came: it may be done or not.
    pub async fn post_once(&self, target: &str, key: &str, body: &Value) -> Result<Answer> {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        self.send("POST", target, &headers, body).await
    }

    /// Has something done, under an idempotency key. Without an answer, or while the platform is not there, it asks
    /// again under the same key: it is done once however often it is asked.
    ///
    /// # Errors
    /// If no answer came within [`PATIENCE`]; what the platform says is in the answer.
    pub async fn post(&self, target: &str, key: &str, body: &Value) -> Result<Answer> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.post_once(target, key, body).await {
                Ok(answer) if answer.status != 503 => return Ok(answer),
                Ok(answer) if Instant::now() >= until => return Ok(answer),
                Err(error) if Instant::now() >= until => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
