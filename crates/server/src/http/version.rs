//! Dated versions of the API: the form of requests and answers, kept for whoever was written against it.
//!
//! ```text
//!  Lintel-Version: 2026-11-29 ─► done and answered in that form; the answer names it
//!  no such header             ─► in the form of the first version that is served
//!  another date               ─► version_unknown, signed as any answer; nothing was done
//! ```
//! A version is the day on which its form was fixed. Within one, things are only added; `docs/api/versions.md` says which. Whatever else
//! would change is a new line in [`VERSIONS`], and who names an older one, or none, does not see it.

use axum::http::{HeaderMap, HeaderName};

use super::error::ApiError;

/// The header of requests and answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("lintel-version");

/// A version that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ApiVersion(pub(super) &'static str);

/// Those that are served, in the order of their days.
pub(super) const VERSIONS: [ApiVersion; 1] = [ApiVersion("2026-11-29")];

/// The one that the document describes.
pub(super) const NEWEST: ApiVersion = {
    let [.., newest] = VERSIONS;
    newest
};

/// In which version a request is served.
///
/// # Errors
/// `version_unknown`.
pub(super) fn asked(headers: &HeaderMap) -> Result<ApiVersion, ApiError> {
    let [first, ..] = VERSIONS;
    let Some(named) = headers.get(HEADER) else { return Ok(first) };
    VERSIONS.into_iter().find(|version| named == version.0).ok_or_else(|| {
        let served = VERSIONS.map(|version| version.0).join(", ");
        let named = String::from_utf8_lossy(named.as_bytes());
        let message = format!("'{named:.64}' is no version that is served: name one of {served}");
        ApiError::new("version_unknown", Some("Lintel-Version"), message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(named: Option<&str>) -> Result<ApiVersion, &'static str> {
        let pairs = named.map(|named| (HEADER, named.parse().unwrap()));
        asked(&pairs.into_iter().collect()).map_err(|error| error.code())
    }

    #[test]
    fn who_names_none_gets_the_first_and_every_other_date_is_refused() {
        assert_eq!(of(None), Ok(VERSIONS[0]));
        for version in VERSIONS {
            assert_eq!(of(Some(version.0)), Ok(version));
        }
        for wrong in ["2019-01-01", "2999-01-01", "2026-11-29 ", "", "v1"] {
            assert_eq!(of(Some(wrong)), Err("version_unknown"), "{wrong}");
        }
    }

    #[test]
    fn they_are_days_in_their_order() {
        let days: Vec<domain::calendar::Date> = VERSIONS.iter().map(|version| version.0.parse().unwrap()).collect();
        assert!(days.is_sorted_by(|one, next| one < next), "{days:?}");
    }
}
