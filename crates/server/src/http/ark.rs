//! ARK, the key service, over HTTP: shaped like Vault's Transit, each operation also as a batch.
//!
//! | where | what |
//! |---|---|
//! | `seal` | status, shares, sealing, another root key, backup |
//! | `keys` | create, list, look, rotate, steps of a life, import, export |
//! | `operate` | encrypt, decrypt, rewrap, data keys, sign, verify, tags, randomness |
//! | `financial` | keys of terminals and zones: formed, taken in, given out; PIN blocks, MACs, tracks |
//! | `access` | roles and policies |
//! | `approval` | what takes two people |
//! | `audit` | the trail: list, verify |
//! | `rewrap_vault` | where the vault stands after a rotation of its key; of a platform, not of a key service alone |
//! | `self_test` | known answers and randomness, on request |
//! | `caller` | who asks: an API key of the platform, or a certificate |
//! | `body` | what comes in: bytes in base64, one or many; no error repeats it |
//! | `error` | codes and statuses |
//!
//! The handlers serve the platform and `lintel ark serve` alike: what they share is [`App`], which either can be made into.
//! Merchants are refused. Why, and the approval where it takes one, stand in the query, which a signature covers. Two routes are not
//! signed: whether it is sealed, and bringing a share. All of this lies outside the journal: no positions, no idempotency keys.

mod access;
mod approval;
mod audit;
mod body;
mod caller;
mod error;
mod financial;
mod keys;
mod operate;
mod rewrap_vault;
mod seal;
mod self_test;

use std::sync::Arc;

use ark::KeyService;
use ark::keys::{By, Error};
use axum::extract::FromRef;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::blocking;
use super::error::ApiError;
use super::totp::Code;
use crate::shell::clock::wall_ms;
use crate::shell::key_service::Ark;

pub(crate) use self::caller::{Caller, is_name};
pub(crate) use self::error::{CODES, of_ref as error_of, sealed};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    /// The key service of this process.
    pub(crate) ark: Arc<Ark>,
    /// The platform around it, which knows people's one-time codes; none where callers have certificates.
    platform: Option<super::App>,
}

impl FromRef<super::App> for App {
    fn from_ref(platform: &super::App) -> Self {
        Self { ark: Arc::clone(&platform.ark), platform: Some(platform.clone()) }
    }
}

impl FromRef<App> for Arc<Ark> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.ark)
    }
}

impl App {
    /// Of a process that is a key service and nothing else.
    pub(crate) fn alone(ark: Arc<Ark>) -> Self {
        Self { ark, platform: None }
    }

    /// The key service, if it is this process's.
    ///
    /// # Errors
    /// `ark_elsewhere`.
    fn here(&self) -> Result<Arc<Ark>, ApiError> {
        match self.ark.elsewhere() {
            None => Ok(Arc::clone(&self.ark)),
            Some(keys) => Err(elsewhere(keys.url())),
        }
    }

    /// Whether operations are possible.
    ///
    /// # Errors
    /// `sealed`, and what keeps the keys file from being opened.
    pub(crate) async fn open(&self) -> Result<(), ApiError> {
        let ark = self.here()?;
        blocking(move || {
            let service = ark.service().map_err(error::of)?.ok_or_else(|| error::absent(&ark))?;
            if service.is_sealed() { Err(error::of(Error::Sealed)) } else { Ok(()) }
        })
        .await
    }

    /// Proves that the person who decides is there: by a one-time code on the platform; a certificate did it already.
    ///
    /// # Errors
    /// `not_permitted` for a program, `field_missing` without a code, and those of one-time codes.
    async fn prove(&self, caller: &Caller, code: Option<&Code>) -> Result<(), ApiError> {
        let person = caller.person()?;
        let Some(platform) = &self.platform else { return Ok(()) };
        let operator = person.ok_or_else(|| ApiError::forbidden("only a registered operator decides this"))?;
        let missing = || ApiError::new("field_missing", Some("totp"), "send the one-time code of now in totp");
        platform.totp_once(operator, code.ok_or_else(missing)?).await
    }
}

fn elsewhere(url: &str) -> ApiError {
    let message = format!("the key service is a process of its own at {url}; ask it there");
    ApiError::new("ark_elsewhere", None, message)
}

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
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    App: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(seal::status))
        .routes(routes!(seal::seal))
        .routes(routes!(seal::change_root))
        .routes(routes!(seal::rewrap_keys))
        .routes(routes!(seal::backup))
        .routes(routes!(self_test::run))
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
        .merge(financial::routes())
        .routes(routes!(access::get, access::change))
        .routes(routes!(approval::propose, approval::list))
        .routes(routes!(approval::decide))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
}

/// The routes below `/v1/ark` of a platform, which a key service that is a process of its own does not have.
pub(crate) fn of_platform() -> OpenApiRouter<super::App> {
    OpenApiRouter::new().routes(routes!(rewrap_vault::rewrap_vault, rewrap_vault::vault_standing))
}

/// Uses a person's one-time code up in the key service: `false` if it or a later one was used before.
pub(super) async fn use_code(app: &super::App, person: String, step: u64) -> Result<bool, ApiError> {
    let ark = Arc::clone(&app.ark);
    if ark.elsewhere().is_some() {
        // There the certificate is the proof, and codes are this process's own.
        return Ok(true);
    }
    app.blocking(move || {
        let service = ark.service().map_err(error::of)?.ok_or_else(|| error::absent(&ark))?;
        service.use_code(&By::new(&person, "", wall_ms()), step).map_err(error::of)
    })
    .await
}

/// Has the key service do something, beside the runtime.
async fn with<T: Send + 'static>(
    app: &App,
    caller: &Caller,
    why: &Why,
    work: impl FnOnce(&KeyService, &By<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    let (ark, who, reason) = (app.here()?, caller.id().to_owned(), why.reason.clone());
    blocking(move || {
        let service = ark.service().map_err(error::of)?.ok_or_else(|| error::absent(&ark))?;
        work(&service, &By::new(&who, &reason, wall_ms())).map_err(error::of)
    })
    .await
}

/// What custodians ask without a key: while the key service is sealed, no API key can be told from another.
pub(crate) fn ceremony<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Arc<Ark>: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(seal::seal_status)).routes(routes!(seal::unseal))
}
