//! What comes in: JSON whose bytes are base64. No error repeats anything of a body but the names of our own fields.

use std::fmt;

use ark::keys::{BATCH_MAX, Error};
use axum::extract::{FromRequest, Request};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use crate::http::auth::read;
use crate::http::error::ApiError;
use crate::http::extract::from_json;

/// Bytes of one value at most.
pub(crate) const VALUE_MAX: usize = 1 << 20;

/// Bytes in base64. They are not printed.
#[derive(ToSchema)]
#[schema(value_type = String, example = "5L2g5aW9")]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl Base64 {
    /// As they go out.
    pub(crate) fn text(bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(bytes)
    }

    /// The bytes, if they are not too many.
    pub(crate) fn bounded(&self) -> Result<&[u8], Error> {
        let found = self.0.len();
        if found > VALUE_MAX {
            return Err(Error::TooLarge { what: "value, bytes", found, limit: VALUE_MAX });
        }
        Ok(&self.0)
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
        BASE64_STANDARD.decode(text).map(Base64).map_err(|_| E::custom("this is not base64 with its padding"))
    }
}

/// Reads one of a few words; the error lists them, and does not repeat what came.
pub(super) fn word<T: Copy>(
    text: &str,
    param: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, ApiError> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        ApiError::malformed(param, format!("this is none of {}", names.join(", ")))
    })
}

/// A body, strictly of the shape asked for.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request.into_parts().1).await?;
        from_json(&body).map(Self).map_err(neutral)
    }
}

/// One value, or many in a `batch`.
pub(crate) enum Calls<T> {
    /// The body is the value.
    One(T),
    /// The body is `{"batch": […]}`.
    Many(Vec<T>),
}

#[derive(Deserialize)]
struct Probe {
    batch: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<T> {
    batch: Vec<T>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Calls<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request.into_parts().1).await?;
        let probe: Probe = from_json(&body).map_err(neutral)?;
        if probe.batch.is_none() {
            return from_json(&body).map(Self::One).map_err(neutral);
        }
        let Batch { batch } = from_json::<Batch<T>>(&body).map_err(neutral)?;
        if batch.len() > BATCH_MAX {
            return Err(super::error::of(Error::BatchTooLarge { found: batch.len(), limit: BATCH_MAX }));
        }
        Ok(Self::Many(batch))
    }
}

/// The same error without the values that serde's words repeat.
fn neutral(error: ApiError) -> ApiError {
    match error.code() {
        "body_too_large" => error,
        "json_malformed" => ApiError::new("json_malformed", Some("body"), "the body is not one JSON object"),
        code @ "field_missing" => {
            ApiError::new(code, Some("body"), "a field is missing; GET /docs shows which there are")
        }
        code @ "field_unknown" => ApiError::new(code, Some("body"), "a field does not exist; GET /docs shows which do"),
        _ => ApiError::malformed("body", "a field has another form than it should; bytes are base64 with padding"),
    }
}
