//! The move of the vault under the newest version of its key: where it stands, and having it look again.
//!
//! The platform does it by itself after each rotation of `platform/vault`; the vault is its own wherever the keys are.

use ark::KeyService;
use ark::keys::{By, Role, Step, VAULT_KEY};
use axum::Json;
use axum::extract::{FromRef as _, State};
use domain::envelope::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, Caller, Why, with};
use crate::http::customer::sealing_failed;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::wire::time_text;
use crate::shell::rewrapper::{Phase, Progress};

/// How far the vault is under the newest version of its key. Rows are data keys of people, secrets of one-time codes, and one more.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkVaultRewrap {
    /// The version of `platform/vault` that wraps now; 0 while none is active.
    #[schema(example = 2)]
    version: u32,
    /// `resting`, `counting` or `moving`.
    #[schema(example = "resting")]
    state: &'static str,
    /// Whether nothing lies under a version before that one, so that those may be destroyed.
    complete: bool,
    /// Rows under an older version, as far as they were counted.
    left: u64,
    /// Rows that this run moved, or the last one.
    moved: u64,
    /// Rows that do not open, or whose version may not open any more: they stay as they are; `lintel verify` names them.
    refused: u64,
    /// Rows that move a second at most: `ark.rewrap_per_second`.
    per_second: u32,
    began_at: Option<String>,
    ended_at: Option<String>,
    /// The code of what keeps it from going on; it is tried again by itself.
    trouble: Option<&'static str>,
}

impl ArkVaultRewrap {
    /// `newest` may be of a rotation that it has not seen yet.
    fn of(progress: Progress, newest: u32, per_second: u32) -> Self {
        let time = |at: Option<i64>| at.map(|at| time_text(Time(at)));
        let is_of_newest = progress.version == newest;
        Self {
            version: newest,
            state: match progress.phase {
                Phase::Resting if progress.is_under_way() || !is_of_newest => "counting",
                Phase::Resting => "resting",
                Phase::Counting => "counting",
                Phase::Moving => "moving",
            },
            complete: is_of_newest && progress.is_complete(),
            left: progress.left,
            moved: progress.moved,
            refused: progress.refused,
            per_second,
            began_at: time(progress.began),
            ended_at: time(progress.ended),
            trouble: progress.trouble,
        }
    }
}

/// Look how far the vault is under the newest version of its key
#[utoipa::path(get, path = "/v1/ark/rewrap-vault", tag = "ark", responses((status = OK, body = ArkVaultRewrap)))]
pub(crate) async fn vault_standing(
    State(platform): State<crate::http::App>,
    _: Caller,
) -> Result<Json<ArkVaultRewrap>, ApiError> {
    view(&platform, |platform| platform.rewrapper.progress()).await
}

/// Move the vault under the newest version of its key
///
/// The platform does so by itself after a rotation; this has it look at every row again now, such as after rows were refused. It
/// answers at once, and goes on in the background. Takes the role operator.
#[utoipa::path(
    post, path = "/v1/ark/rewrap-vault", tag = "ark", params(Why), responses((status = OK, body = ArkVaultRewrap))
)]
pub(crate) async fn rewrap_vault(
    State(platform): State<crate::http::App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<ArkVaultRewrap>, ApiError> {
    // Elsewhere roles are that key service's, and it asks for rights with each row.
    if platform.ark.elsewhere().is_none() {
        let permitted =
            |service: &KeyService, by: &By<'_>| service.check_role(by, &[Role::Operator], "", "rewrap-vault");
        with(&App::from_ref(&platform), &caller, &why, permitted).await?;
    }
    view(&platform, |platform| platform.rewrapper.run()).await
}

/// Refuses a step after which rows of the vault would open no more: nobody could take it back, and people's data would be gone.
///
/// # Errors
/// `key_needed`.
pub(super) async fn refuse_needed(app: &App, name: &str, version: u32, step: Step) -> Result<(), ApiError> {
    let bars = match step {
        Step::Suspend | Step::Compromise | Step::Schedule | Step::Destroy => true,
        Step::Activate | Step::Resume | Step::Deactivate | Step::Cancel => false,
    };
    let (true, Some(platform)) = (bars && name == VAULT_KEY, app.platform.clone()) else { return Ok(()) };
    let rows = platform.clone().blocking(move || platform.vault.rows_under(version).map_err(sealing_failed)).await?;
    if rows == 0 {
        return Ok(());
    }
    let message = format!(
        "{rows} rows of the vault lie under version {version} of {VAULT_KEY} and would open no more: rotate the key if this is its newest \
         version, and have them move first (lintel ark rewrap-vault)"
    );
    Err(ApiError::new("key_needed", Some("version"), message))
}

async fn view(
    platform: &crate::http::App,
    look: impl FnOnce(&crate::http::App) -> Progress + Send + 'static,
) -> Result<Json<ArkVaultRewrap>, ApiError> {
    let asked = platform.clone();
    platform
        .blocking(move || {
            let newest = asked.vault.newest_version().map_err(sealing_failed)?;
            Ok(ArkVaultRewrap::of(look(&asked), newest, asked.rewrapper.per_second()))
        })
        .await
        .map(Json)
}
