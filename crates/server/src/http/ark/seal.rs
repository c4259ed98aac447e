//! The key service itself: whether it is open, its root key among custodians, its copy.

use std::sync::Arc;

use ark::ceremony::{RootKey, Share};
use ark::device::Health;
use ark::keys::{By, Error, KeyUse as _, Proposal, Role, SIGNING_KEY};
use ark::provider::KeyError;
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Base64, Body};
use super::{App, Caller, Why, error, with};
use crate::http::answer::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::shell::clock::wall_ms;
use crate::shell::key_service::Ark;

/// Where the key service stands.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct ArkStatus {
    /// Whether there is one.
    made: bool,
    sealed: bool,
    /// `approved` if keys of national algorithms alone are made and used, else `any`.
    #[schema(example = "any")]
    mode: Option<&'static str>,
    /// While fewer than two administrators stand, the institution's programs give roles and policies alone.
    founding: Option<bool>,
    keys: Option<usize>,
    /// The public key that signs the trail, in base64: keep it elsewhere than the keys file.
    audit_public_key: Option<String>,
    /// The public key that signs for the platform (`platform/signing`), in base64.
    signing_public_key: Option<String>,
    /// Where it is, if it is a process of its own; its state is told there.
    elsewhere: Option<String>,
    /// Devices that keep the root key, and financial modules, by `ark.provider`.
    devices: Vec<ArkDeviceView>,
}

/// A device, as it was when it was last asked.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkDeviceView {
    #[schema(example = "sdf-a")]
    name: String,
    alive: bool,
    /// How often it was lost since the start.
    losses: u64,
}

impl ArkDeviceView {
    fn of(health: Health) -> Self {
        Self { name: health.device, alive: health.alive, losses: health.losses }
    }
}

/// Look at the key service
#[utoipa::path(get, path = "/v1/ark/status", tag = "ark", responses((status = OK, body = ArkStatus)))]
pub(crate) async fn status(State(app): State<App>, _: Caller) -> Result<Json<ArkStatus>, ApiError> {
    if let Some(keys) = app.ark.elsewhere() {
        let elsewhere = Some(keys.url().to_owned());
        return Ok(Json(ArkStatus { made: true, sealed: keys.is_sealed(), elsewhere, ..ArkStatus::default() }));
    }
    let ark = app.here()?;
    let work = move || {
        let devices = || ark.device_health().into_iter().map(ArkDeviceView::of).collect();
        let sealed = |made| ArkStatus { made, sealed: true, devices: devices(), ..ArkStatus::default() };
        let service = match ark.service() {
            Ok(Some(service)) => service,
            Ok(None) => return Ok(sealed(false)),
            Err(Error::Provider(KeyError::Device(_))) => return Ok(sealed(true)),
            Err(error) => return Err(error::of(error)),
        };
        let open = || -> Result<ArkStatus, Error> {
            Ok(ArkStatus {
                made: true,
                sealed: false,
                mode: Some(if service.is_in_approved_mode() { "approved" } else { "any" }),
                founding: Some(service.access()?.is_founding()),
                keys: Some(service.list()?.len()),
                audit_public_key: Some(Base64::text(&service.audit_public_key()?.bytes)),
                signing_public_key: signing_key(&service)?,
                elsewhere: None,
                devices: devices(),
            })
        };
        match open() {
            Err(Error::Sealed) => Ok(sealed(true)),
            other => other.map_err(error::of),
        }
    };
    blocking(work).await.map(Json)
}

/// How the root key is dealt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ceremony {
    /// So many custodians have a share each.
    #[schema(example = 5)]
    shares: u8,
    /// So many of them open the key service: two or more.
    #[schema(example = 3)]
    threshold: u8,
}

/// The shares, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Dealt {
    /// A line for each custodian.
    shares: Vec<String>,
}

/// A custodian's share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Brought {
    /// `ark-share-1-…`
    share: String,
    /// Whether the shares brought before are forgotten, such as one of another set.
    #[serde(default)]
    forget: bool,
}

/// Who brings shares, for the trail, where nobody has signed or shown a certificate.
const CUSTODIAN: &str = "custodian";

/// How far the shares are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unsealing {
    sealed: bool,
    /// Shares here.
    found: u8,
    /// Shares needed; 0 until the first one says so.
    threshold: u8,
}

impl Unsealing {
    fn of(service: &ark::KeyService) -> Self {
        let progress = service.shares_brought();
        let (found, threshold) = progress.map_or((0, 0), |progress| (progress.found, progress.threshold));
        Self { sealed: service.is_sealed(), found, threshold }
    }
}

/// Look whether the key service is sealed
///
/// Not signed, like the bringing of shares: while it is sealed, nothing can be told from another's signature.
#[utoipa::path(get, path = "/v1/ark/seal-status", tag = "ark", responses((status = OK, body = Unsealing)))]
pub(crate) async fn seal_status(State(ark): State<Arc<Ark>>) -> Result<Json<Unsealing>, ApiError> {
    blocking(move || here(&ark).map(|service| Unsealing::of(&service))).await.map(Json)
}

/// Bring a share
///
/// Not signed: who has a share proves it by the share. With the last one needed the service is open, and the platform serves.
#[utoipa::path(
    post, path = "/v1/ark/unseal", tag = "ark", request_body = Brought, params(Why),
    responses((status = OK, body = Unsealing))
)]
pub(crate) async fn unseal(
    State(ark): State<Arc<Ark>>,
    certified: Option<Extension<Caller>>,
    Query(why): Query<Why>,
    Body(brought): Body<Brought>,
) -> Result<Json<Unsealing>, ApiError> {
    let work = move || {
        let service = here(&ark)?;
        if !service.is_sealed() {
            return Ok(Unsealing::of(&service));
        }
        let who = certified.as_ref().map_or(CUSTODIAN, |Extension(caller)| caller.id());
        let by = By::new(who, &why.reason, wall_ms());
        let share = Share::parse(&brought.share).map_err(|error| error::of(error.into()))?;
        if brought.forget {
            service.forget_shares(&by).map_err(error::of)?;
        }
        let progress = service.unseal_share(share, &by).map_err(error::of)?;
        ark.shares_were_brought();
        Ok(Unsealing { sealed: service.is_sealed(), found: progress.found, threshold: progress.threshold })
    };
    blocking(work).await.map(Json)
}

/// Seal
///
/// Root key and all keys leave memory at once. A custodian or an administrator may, alone.
#[utoipa::path(post, path = "/v1/ark/seal", tag = "ark", params(Why), responses((status = OK, body = Sealed)))]
pub(crate) async fn seal(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<Sealed>, ApiError> {
    let work = |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &[Role::Custodian, Role::Administrator], "", "seal")?;
        service.seal(by)?;
        Ok(Sealed { sealed: true })
    };
    let sealed = with(&app, &caller, &why, work).await.map(Json);
    forget(&app);
    sealed
}

/// What was derived from keys leaves memory with them, if they are sealed now.
pub(super) fn forget(app: &App) {
    if let Some(platform) = &app.platform {
        drop(platform.vault.kept_request_keys());
    }
}

/// The key service, if it is this process's.
fn here(ark: &Ark) -> Result<Arc<ark::KeyService>, ApiError> {
    if let Some(keys) = ark.elsewhere() {
        return Err(super::elsewhere(keys.url()));
    }
    ark.service().map_err(error::of)?.ok_or_else(|| error::absent(ark))
}

/// The public key that signs for the platform, if there is a platform that made one.
fn signing_key(service: &ark::KeyService) -> Result<Option<String>, Error> {
    match service.public_key(SIGNING_KEY) {
        Err(Error::Unknown(_)) => Ok(None),
        found => Ok(found?.map(|key| Base64::text(&key.bytes))),
    }
}

/// It is sealed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sealed {
    sealed: bool,
}

/// Deal another root key
///
/// Takes an approval of `change-root`. The service is sealed then; the new shares, shown this once, open it: take a backup
/// before, which the old shares open, for an answer that is lost.
#[utoipa::path(
    post, path = "/v1/ark/root", tag = "ark", request_body = Ceremony, params(Why),
    responses((status = OK, body = Dealt))
)]
pub(crate) async fn change_root(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(ceremony): Body<Ceremony>,
) -> Result<Json<Dealt>, ApiError> {
    let approval = why.approval;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &[Role::Custodian], "", "change-root")?;
        let root = RootKey::generate()?;
        let dealt = root.deal(ceremony.threshold, ceremony.shares)?;
        service.redeem(by, approval, &Proposal::change_root(ceremony.threshold, ceremony.shares))?;
        service.change_root(by, &root)?;
        Ok(Dealt { shares: dealt.iter().map(|share| share.text().to_string()).collect() })
    };
    let dealt = with(&app, &caller, &why, work).await.map(Json);
    forget(&app);
    dealt
}

/// What was moved.
#[derive(Serialize, ToSchema)]
pub(crate) struct Moved {
    /// The number of the key-encryption key that all versions lie under now.
    generation: i64,
}

/// Move all keys under a new key-encryption key
///
/// A thousand at a time, while the service goes on.
#[utoipa::path(post, path = "/v1/ark/rewrap-keys", tag = "ark", params(Why), responses((status = OK, body = Moved)))]
pub(crate) async fn rewrap_keys(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<Moved>, ApiError> {
    let work = |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &[Role::Operator], "", "rewrap-keys")?;
        let generation = service.rotate_kek(by)?;
        while service.rewrap_keys(by, 1_000)? > 0 {}
        Ok(Moved { generation })
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// A copy of the keys file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Copied {
    /// The file in base64, as secret as the keys file: worthless without the root key.
    file: String,
}

/// Take a backup
#[utoipa::path(post, path = "/v1/ark/backup", tag = "ark", params(Why), responses((status = OK, body = Copied)))]
pub(crate) async fn backup(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<Copied>, ApiError> {
    let ark = app.here()?;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &[Role::Custodian, Role::Operator], "", "backup")?;
        Ok(Copied { file: Base64::text(&ark.copy(service, by)?) })
    };
    with(&app, &caller, &why, work).await.map(Json)
}
