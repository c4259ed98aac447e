//! Named keys: made, looked at, rotated, led through their lives. What may be shown is shown; keys leave only wrapped.

use ark::financial::TerminalCipher;
use ark::keys::{By, Error, Info, Kind, Proposal, Purpose, Role, Rotation, Spec, Step, VersionInfo};
use ark::provider::KeyKind;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Base64, Body, word};
use super::rewrap_vault::refuse_needed;
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::{Id, Query};
use crate::http::wire::time_text;

pub(super) const MAKERS: &[Role] = &[Role::Operator];
const READERS: &[Role] = &[Role::Administrator, Role::Custodian, Role::Operator, Role::Auditor];

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// 1 to 128 of `a-z0-9-_./`.
    #[schema(example = "orders")]
    name: String,
    /// `sm4`, `hmac-sm3`, `sm2`, `aes-128`, `aes-256`, `rsa-2048`, `rsa-3072`, `p-256` or `ed25519`; of a terminal or zone
    /// `des`, `3des-2` or `sm4`.
    #[schema(example = "sm4")]
    kind: String,
    /// `encrypt`, `sign`, `mac` or `wrap`; `terminal-` or `zone-` with `master`, `pin`, `mac`, `track` or `derive`.
    #[schema(example = "encrypt")]
    purpose: String,
    /// Whether it may leave, wrapped.
    #[serde(default)]
    exportable: bool,
    /// Whether its first version waits to be activated.
    #[serde(default)]
    pre_active: bool,
    /// Rotated at this age.
    rotate_after_ms: Option<i64>,
    /// Rotated after so many uses.
    rotate_after_uses: Option<u64>,
    /// How long a scheduled destruction waits: seven days unless said.
    destroy_wait_ms: Option<i64>,
}

impl NewKey {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn spec(&self) -> Result<Spec<'_>, ApiError> {
        let purpose = word(&self.purpose, "purpose", &Purpose::ALL, Purpose::name)?;
        let kind = match purpose.duty() {
            None => Kind::from(word(&self.kind, "kind", &KeyKind::ALL, KeyKind::name)?),
            Some(_) => word(&self.kind, "kind", &TerminalCipher::ALL, TerminalCipher::name)?.into(),
        };
        let rotation = Rotation { age: self.rotate_after_ms, uses: self.rotate_after_uses };
        if rotation.age.is_some_and(|age| age < 1_000) || rotation.uses == Some(0) {
            let message = "a key is rotated after 1000 ms or one use at the least";
            return Err(ApiError::malformed("rotate_after_ms", message));
        }
        if self.destroy_wait_ms.is_some_and(|wait| wait < 0) {
            return Err(ApiError::malformed("destroy_wait_ms", "a wait is zero or more milliseconds"));
        }
        Ok(Spec {
            exportable: self.exportable,
            pre_active: self.pre_active,
            rotation,
            wait_ms: self.destroy_wait_ms.unwrap_or(Spec::WAIT_MS),
            ..Spec::new(&self.name, kind, purpose)
        })
    }
}

/// What may be shown of a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkKeyView {
    #[schema(example = "orders")]
    name: String,
    #[schema(example = "sm4")]
    kind: &'static str,
    #[schema(example = "encrypt")]
    purpose: &'static str,
    /// Whether its algorithm is a national one, which is all that the approved mode has.
    approved: bool,
    exportable: bool,
    rotate_after_ms: Option<i64>,
    rotate_after_uses: Option<u64>,
    destroy_wait_ms: i64,
    versions: Vec<ArkVersionView>,
}

/// What may be shown of a version.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkVersionView {
    version: u32,
    /// `pre-active`, `active`, `suspended`, `deactivated`, `compromised` or `destroyed`.
    #[schema(example = "active")]
    state: &'static str,
    created_at: String,
    /// From when it signs, of one that stands beside the one before it: of the platform's signing keys.
    signs_from: Option<String>,
    /// When it is destroyed, if that waits.
    destroy_at: Option<String>,
    /// Counted up after a crash, never down.
    uses: u64,
    /// In hexadecimal.
    check_value: Option<String>,
    /// The public key of a pair, in base64.
    public_key: Option<String>,
}

fn time(ms: i64) -> String {
    time_text(domain::envelope::Time(ms))
}

impl ArkKeyView {
    pub(super) fn of(info: Info) -> Self {
        let version = |version: VersionInfo| ArkVersionView {
            version: version.version,
            state: version.state.name(),
            created_at: time(version.created),
            signs_from: version.signs_from.map(time),
            destroy_at: version.destroy_at.map(time),
            uses: version.uses,
            check_value: version.check_value.map(hex::encode),
            public_key: version.public.map(|public| Base64::text(&public.bytes)),
        };
        Self {
            name: info.name,
            kind: info.kind.name(),
            purpose: info.purpose.name(),
            approved: info.kind.is_approved(),
            exportable: info.exportable,
            rotate_after_ms: info.rotation.age,
            rotate_after_uses: info.rotation.uses,
            destroy_wait_ms: info.wait_ms,
            versions: info.versions.into_iter().map(version).collect(),
        }
    }
}

/// Every key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkKeysView {
    data: Vec<ArkKeyView>,
}

/// Make a key
#[utoipa::path(
    post, path = "/v1/ark/keys", tag = "ark_key", request_body = NewKey, params(Why),
    responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(new): Body<NewKey>,
) -> Result<Json<ArkKeyView>, ApiError> {
    new.spec()?;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, MAKERS, &new.name, "create")?;
        service.check_name(by, &new.name, "create")?;
        let spec = new.spec().map_err(|_| Error::Name(String::new()))?;
        service.create(by, &spec).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// List keys
#[utoipa::path(get, path = "/v1/ark/keys", tag = "ark_key", params(Why), responses((status = OK, body = ArkKeysView)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<ArkKeysView>, ApiError> {
    let work = |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, READERS, "", "list")?;
        Ok(ArkKeysView { data: service.list()?.into_iter().map(ArkKeyView::of).collect() })
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// Look at a key
#[utoipa::path(
    get, path = "/v1/ark/keys/{name}", tag = "ark_key", params(("name" = String, Path, example = "orders"), Why),
    responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
) -> Result<Json<ArkKeyView>, ApiError> {
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, READERS, &name, "look")?;
        service.info(&name).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// Rotate a key
///
/// A new version protects from now on; the one before still opens and verifies. Of the platform's signing keys the one before signs
/// until the new one was there for `ark.signing_overlap_seconds`.
#[utoipa::path(
    post, path = "/v1/ark/keys/{name}/rotate", tag = "ark_key", params(("name" = String, Path, example = "orders"), Why),
    responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
) -> Result<Json<ArkKeyView>, ApiError> {
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, MAKERS, &name, "rotate")?;
        service.rotate(by, &name).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// A step of a version's life.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NextStep {
    version: u32,
    /// `activate`, `suspend`, `resume`, `deactivate`, `compromise`, `schedule-destruction`, `cancel-destruction`.
    #[schema(example = "suspend")]
    step: String,
}

/// Take a step of a version's life
///
/// `schedule-destruction` takes an approval of `destroy`; the version is destroyed by itself when its wait is over.
#[utoipa::path(
    post, path = "/v1/ark/keys/{name}/step", tag = "ark_key", request_body = NextStep,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn step(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    Body(next): Body<NextStep>,
) -> Result<Json<ArkKeyView>, ApiError> {
    // What is scheduled is destroyed by itself.
    let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| *step != Step::Destroy).collect();
    let step = word(&next.step, "step", &steps, Step::name)?;
    refuse_needed(&app, &name, next.version, step).await?;
    let approval = why.approval;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, MAKERS, &name, step.name())?;
        if step == Step::Schedule {
            service.redeem(by, approval, &Proposal::destroy(&name, next.version))?;
        }
        service.step(by, &name, next.version, step).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// What to export, under which key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    version: u32,
    /// A key of purpose `wrap`.
    under: String,
}

/// A wrapped key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Wrapped {
    /// In base64.
    wrapped: String,
}

/// Export a key, wrapped
///
/// Takes an approval of `export`, and a key that was made exportable.
#[utoipa::path(
    post, path = "/v1/ark/keys/{name}/export", tag = "ark_key", request_body = Export,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = Wrapped))
)]
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    Body(wanted): Body<Export>,
) -> Result<Json<Wrapped>, ApiError> {
    let approval = why.approval;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, MAKERS, &name, "export")?;
        service.redeem(by, approval, &Proposal::export(&name, wanted.version, &wanted.under))?;
        let wrapped = service.export(by, &name, wanted.version, &wanted.under)?;
        Ok(Wrapped { wrapped: Base64::text(&wrapped) })
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// A key that comes wrapped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// As it shall be here.
    key: NewKey,
    /// As it was exported, in base64.
    wrapped: Base64,
    /// The key of purpose `wrap` that it lies under.
    under: String,
}

/// Import a wrapped key
#[utoipa::path(
    post, path = "/v1/ark/import", tag = "ark_key", request_body = Import, params(Why),
    responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(import): Body<Import>,
) -> Result<Json<ArkKeyView>, ApiError> {
    import.key.spec()?;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        let Import { key, wrapped, under } = &import;
        service.check_role(by, MAKERS, &key.name, "import")?;
        service.check_name(by, &key.name, "import")?;
        let spec = key.spec().map_err(|_| Error::Name(String::new()))?;
        service.import(by, &spec, wrapped.bounded()?, under).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// A key that somebody brings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeIn {
    /// As it shall be here.
    key: NewKey,
    /// Its bytes, in base64.
    secret: Base64,
}

/// Take in a key in clear
///
/// Such as a secret that a bank gave. The trail says that it came so; where a key can come wrapped, import it.
#[utoipa::path(
    post, path = "/v1/ark/take-in", tag = "ark_key", request_body = TakeIn, params(Why),
    responses((status = OK, body = ArkKeyView))
)]
pub(crate) async fn take_in(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(brought): Body<TakeIn>,
) -> Result<Json<ArkKeyView>, ApiError> {
    brought.key.spec()?;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        let TakeIn { key, secret } = &brought;
        service.check_role(by, MAKERS, &key.name, "take-in")?;
        service.check_name(by, &key.name, "take-in")?;
        let spec = key.spec().map_err(|_| Error::Name(String::new()))?;
        service.take_in(by, &spec, secret.bounded()?).map(ArkKeyView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}
