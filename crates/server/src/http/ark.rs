//! ARK, the key service, over HTTP: shaped like Vault's Transit, each operation also as a batch.
//!
//! | where | what |
//! |---|---|
//! | `seal` | status, shares, sealing, another root key, backup |
//! | `keys` | create, list, look, rotate, steps of a life, import, export |
//! | `operate` | encrypt, decrypt, rewrap, data keys, sign, verify, tags, randomness |
//! | `access` | roles and policies |
//! | `approval` | what takes two people |
//! | `audit` | the trail: list, verify |
//! | `body` | what comes in: bytes in base64, one or many; no error repeats it |
//! | `error` | codes and statuses |
//!
//! Who asks is who signed the request; merchants are refused. Why, and the approval where it takes one, stand in the
//! query, which is signed too. Two routes are not signed: whether it is sealed, and bringing a share. All of this lies outside the journal: no positions, no idempotency keys.

mod access;
mod approval;
mod audit;
mod body;
mod error;
mod keys;
mod operate;
mod seal;

use std::sync::Arc;

use ark::KeyService;
use ark::keys::{By, Error};
use axum::extract::FromRef;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Caller;
use super::error::ApiError;
use crate::shell::clock::wall_ms;
use crate::shell::key_service::Ark;

pub(crate) use self::error::{CODES, of_ref as error_of, sealed};

/// Beside what is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Why, for the trail: at most 256 bytes.
    #[serde(default)]
    reason: String,
    /// The number of the approval, for what takes two people.
    approval: Option<i64>,
}

/// The routes below `/v1/ark`.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(seal::status))
        .routes(routes!(seal::seal))
        .routes(routes!(seal::change_root))
        .routes(routes!(seal::rewrap_keys))
        .routes(routes!(seal::backup))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::get))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::step))
        .routes(routes!(keys::export))
        .routes(routes!(keys::import))
        .routes(routes!(keys::take_in))
        .routes(routes!(operate::encrypt))
        .routes(routes!(operate::decrypt))
        .routes(routes!(operate::rewrap))
        .routes(routes!(operate::datakey))
        .routes(routes!(operate::sign))
        .routes(routes!(operate::verify))
        .routes(routes!(operate::hmac))
        .routes(routes!(operate::verify_hmac))
        .routes(routes!(operate::random))
        .routes(routes!(access::get, access::change))
        .routes(routes!(approval::propose, approval::list))
        .routes(routes!(approval::decide))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
}

/// Has the key service do something, beside the runtime.
async fn with<T: Send + 'static>(
    app: &App,
    caller: &Caller,
    why: &Why,
    work: impl FnOnce(&KeyService, &By<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    caller.operator()?;
    let (ark, who, reason) = (Arc::clone(&app.ark), caller.id().to_owned(), why.reason.clone());
    app.blocking(move || {
        let service = ark.service().ok_or_else(error::stopped)?;
        work(&service, &By::new(&who, &reason, wall_ms())).map_err(error::of)
    })
    .await
}

/// What custodians ask without a key: while the key service is sealed, no API key can be told from another.
pub(super) fn ceremony<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Arc<Ark>: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(seal::seal_status)).routes(routes!(seal::unseal))
}
