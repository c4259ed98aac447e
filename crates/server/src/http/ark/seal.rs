//! The key service itself: whether it is there and open, its root key among custodians, its copy.

use ark::ceremony::{RootKey, Share};
use ark::device::Health;
use ark::keys::{By, Error, KeyUse as _, Proposal, Role};
use ark::provider::KeyError;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Base64, Body};
use super::{App, Caller, Why, blocking, error, with};
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::shell::clock::wall_ms;

/// Where the key service stands.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct ArkStatus {
    /// Whether there is one.
    made: bool,
    sealed: bool,
    /// While fewer than two administrators stand, the institution's programs give roles and policies alone.
    founding: Option<bool>,
    keys: Option<usize>,
    /// The public key that signs the trail, in base64: keep it elsewhere than the keys file.
    audit_public_key: Option<String>,
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
                founding: Some(service.access()?.is_founding()),
                keys: Some(service.list()?.len()),
                audit_public_key: Some(Base64::text(&service.audit_public_key()?.bytes)),
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

/// Make the key service
///
/// By the institution's programs. The shares are shown this once: an answer that is lost is a key service that never opens
/// again; `lintel ark init` on the machine itself is safer.
#[utoipa::path(
    post, path = "/v1/ark/init", tag = "ark", request_body = Ceremony, params(Why),
    responses((status = OK, body = Dealt))
)]
pub(crate) async fn init(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(ceremony): Body<Ceremony>,
) -> Result<Json<Dealt>, ApiError> {
    caller.program()?;
    let (ark, who) = (app.here()?, caller.id().to_owned());
    let work = move || {
        if ark.service().map_err(error::of)?.is_some() {
            let message = "the key service was made before; its custodians unseal it";
            return Err(ApiError::new("ark_made", None, message));
        }
        let by = By::new(&who, &why.reason, wall_ms());
        let shares = ark.init(ceremony.threshold, ceremony.shares, &by).map_err(error::of)?;
        Ok(Dealt { shares })
    };
    blocking(work).await.map(Json)
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

/// How far the shares are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unsealing {
    sealed: bool,
    /// Shares here.
    found: u8,
    /// Shares needed.
    threshold: u8,
}

/// Bring a share
///
/// Anyone of the institution may: who has a share proves it by the share. With the last one needed the service is open.
#[utoipa::path(
    post, path = "/v1/ark/unseal", tag = "ark", request_body = Brought, params(Why),
    responses((status = OK, body = Unsealing))
)]
pub(crate) async fn unseal(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(brought): Body<Brought>,
) -> Result<Json<Unsealing>, ApiError> {
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        let share = Share::parse(&brought.share)?;
        if brought.forget {
            service.forget_shares(by)?;
        }
        let progress = service.unseal_share(share, by)?;
        Ok(Unsealing { sealed: service.is_sealed(), found: progress.found, threshold: progress.threshold })
    };
    with(&app, &caller, &why, work).await.map(Json)
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
    with(&app, &caller, &why, work).await.map(Json)
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
    with(&app, &caller, &why, work).await.map(Json)
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
