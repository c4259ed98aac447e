//! What handlers take from a request: an id of the path, the query, a JSON body. Each error names the field and what
//! would be right.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::auth::read;
use super::error::ApiError;
use super::sensitive::{self, Opened};
use super::wire::parse;

/// The id (or date) that the path names.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|error| ApiError::malformed("path", error.to_string()))?;
        let (name, text) = path.iter().next().unwrap_or(("id", ""));
        parse(text, name).map(Self)
    }
}

/// The query, strictly of the shape asked for.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|error| {
            // The rejection's own text names no field; its source does, in front of what is wrong with it.
            let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let named = |(name, _): &(&str, &str)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let (name, text) = text.split_once(": ").filter(named).unwrap_or((".", &text));
            of_text(name, text)
        })
    }
}

/// A JSON body, strictly of the shape asked for.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let body = read(body).await?;
        match parts.extensions.remove::<Opened>() {
            Some(opened) => opened.read(|| from_json(&body)).map(Self),
            None => from_json(&body).map(Self),
        }
    }
}

/// Reads JSON; an error names what was wrong and where.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let read = if object { serde_json::from_slice(body) } else { Err(serde::de::Error::custom("this is no object")) };
    read.map_err(|error: serde_json::Error| {
        if !object || !error.is_data() {
            let message = format!("{error}; send one JSON object");
            return ApiError::new("json_malformed", Some("body"), message);
        }
        // Only what went wrong is read a second time, with the path to it: that costs what works nothing.
        let again = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body));
        match again {
            Err(error) => of_text(&error.path().to_string(), &error.inner().to_string()),
            Ok(_) => of_text(".", &error.to_string()),
        }
    })
}

/// The error that serde's text is about.
fn of_text(path: &str, text: &str) -> ApiError {
    let path = if path == "." { None } else { Some(path) };
    let named = || {
        let field = text.split('`').nth(1).unwrap_or("body");
        match path {
            None => field.to_owned(),
            Some(path) if path.rsplit('.').next() == Some(field) => path.to_owned(),
            Some(path) => format!("{path}.{field}"),
        }
    };
    let param = path.unwrap_or("body");
    if text.starts_with("unknown field") {
        ApiError::new("field_unknown", Some(&named()), text)
    } else if text.starts_with("missing field") {
        ApiError::new("field_missing", Some(&named()), text)
    } else if text.starts_with(super::wire::NOT_WHOLE) {
        ApiError::new("amount_not_whole", Some(param), text)
    } else if text.starts_with(sensitive::REQUIRED) {
        ApiError::new("encryption_required", Some(param), text)
    } else if text.starts_with(sensitive::NOT_OPENED) {
        ApiError::new("encryption_serial_missing", Some(param), text)
    } else if text.starts_with(super::wire::TOO_LARGE) {
        ApiError::new("amount_overflow", Some(param), text)
    } else {
        ApiError::malformed(param, text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Amount;
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its reading is looked at")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its reading is looked at")]
        amount: Amount,
    }

    #[test]
    fn an_error_names_code_and_field() {
        let cases = [
            (r#"{"inner":[{"amount":1},{"amount":1.5}]}"#, "amount_not_whole", "inner[1].amount"),
            (r#"{"inner":[{"amount":"1"}]}"#, "amount_not_whole", "inner[0].amount"),
            (r#"{"inner":[{"amount":9223372036854775808}]}"#, "amount_overflow", "inner[0].amount"),
            (r#"{"inner":[{"amount":-1e40}]}"#, "amount_overflow", "inner[0].amount"),
            (r#"{"inner":[{"amount":1,"fee":2}]}"#, "field_unknown", "inner[0].fee"),
            (r#"{"inner":[{}]}"#, "field_missing", "inner[0].amount"),
            (r#"{"inner":7}"#, "field_malformed", "inner"),
            (r#"{"inner":[]"#, "json_malformed", "body"),
            ("", "json_malformed", "body"),
            ("[[]]", "json_malformed", "body"),
        ];
        for (body, code, param) in cases {
            let error = from_json::<Outer>(body.as_bytes()).unwrap_err();
            let text = format!("{error:?}");
            assert_eq!(error.code(), code, "{body}: {text}");
            assert!(text.contains(&format!("Some({param:?})")), "{body}: {text}");
        }
        assert!(from_json::<Outer>(br#"{"inner":[{"amount":9223372036854775807}]}"#).is_ok());
    }
}
