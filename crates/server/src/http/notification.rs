//! Where channels post what they tell of themselves (回调). What it is worth is the channel's signature in it, so nothing else
//! is asked of the caller.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use channels::{ChannelError, Headers};
use domain::channel::ChannelName;

use super::App;
use super::channel::name;
use super::error::ApiError;
use super::extract::Id;
use crate::shell::notification::{self as shell, NotTaken, Taken};

/// No channel tells more in one message.
const LENGTH_MAX: usize = 64 * 1024;

/// The name of a channel in the path: its rail's, or of a further one its own.
#[derive(Debug)]
pub(crate) struct RailName(pub(crate) String);

impl std::str::FromStr for RailName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Take a channel's notification
///
/// For channels only: the body is in the channel's own format and carries its signature. `ok` says that it was taken, also if it
/// had been before; anything else asks for it again. What is not signed, or not about what was asked, books nothing.
#[utoipa::path(
    post, path = "/v1/channels/{rail}/notify", tag = "attempt",
    params(("rail" = String, Path, description = "The channel's name", example = "unionpay")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn notify(
    State(app): State<App>,
    Id(called): Id<RailName>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<&'static str, ApiError> {
    let name = name(&called)?;
    if body.len() > LENGTH_MAX {
        return Err(ApiError::malformed("body", format!("a notification has at most {LENGTH_MAX} bytes")));
    }
    let text = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: Headers = text.collect();
    let taken = shell::take(&app.executor, &name, &headers, &body).await;
    let outcome = taken.as_ref().map_or_else(NotTaken::name, |taken| taken.name());
    metrics::counter!("lintel_notifications_total", "rail" => name.rail.name(), "outcome" => outcome).increment(1);
    match taken {
        Ok(Taken::Contradicts) => {
            tracing::error!(channel = %name, "a notification contradicts what its attempt was settled with");
            Ok("ok")
        }
        Ok(Taken::Settled | Taken::Repeated | Taken::Pending) => Ok("ok"),
        Err(error) => Err(refused(&name, error)),
    }
}

fn refused(name: &ChannelName, error: NotTaken) -> ApiError {
    let message = error.to_string();
    match error {
        NotTaken::NoChannel(_) => ApiError::new("channel_unknown", Some("rail"), message),
        NotTaken::Unavailable(unavailable) => unavailable.into(),
        NotTaken::Channel(error) => match error.of_keys() {
            Some(error) => super::ark::error_of(error),
            None if matches!(error, ChannelError::Signature { .. }) => {
                tracing::warn!(channel = %name, error = message, "a notification is not signed by its channel");
                ApiError::new("notification_refused", None, message)
            }
            None => foreign(name, message),
        },
        NotTaken::Mismatch(_) => foreign(name, message),
    }
}

fn foreign(name: &ChannelName, message: String) -> ApiError {
    tracing::error!(channel = %name, error = message, "a signed notification is not about what was asked");
    ApiError::new("notification_refused", None, message)
}
