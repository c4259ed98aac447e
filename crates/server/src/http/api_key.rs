//! Secrets of API keys, rotated alone: which serial numbers of a caller's secret sign now, the next one, the end of an old one.
//!
//! ```text
//!  HMAC verified ─► (caller, serial) ─► kept ──────────────────────────────────► before its end? ─► in
//!                         └ not kept ─► the state, behind its gate ─► kept, unless something was rotated meanwhile
//! ```
//! Invariant: once a rotation or an end was answered, nothing that was read before it lets a request in.

use std::sync::Arc;

use ::ark::MacKey;
use axum::extract::State;
use domain::api_key::{ApiKey, ApiKeyCommand, KeyOwner, MAX_OVERLAP_MS};
use domain::envelope::Time;
use domain::operator::Role;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::{Caller, OPERATOR, api_key};
use super::customer::sealing_failed;
use super::error::ApiError;
use super::extract::{Id, Json};
use super::kept::Kept;
use super::wire::time_text;
use crate::shell::clock::wall_ms;

/// How long the old secret still signs unless said: seven days.
const OVERLAP_S: i64 = 7 * 86_400;
/// The most callers whose serial numbers are kept; past it all are asked for anew.
const KEPT: usize = 100_000;

/// Serial numbers that sign, with their ends, by who signs with them: what was asked for last, until something is rotated or ended.
pub(crate) type ApiKeys = Kept<String, Arc<[ApiKey]>>;

/// None yet.
pub(super) fn none_kept() -> ApiKeys {
    Kept::new(KEPT)
}

impl App {
    /// Refuses a serial number of a caller's secret that does not sign now.
    ///
    /// # Errors
    /// `signature_key_unknown`.
    pub(super) async fn check_api_key(&self, id: &str, serial: &str) -> Result<(), ApiError> {
        let (kept, epoch) = self.callers.api_keys.find(id);
        let keys = match kept {
            Some(keys) => keys,
            // Who is nobody is refused where the caller is looked up.
            None => match id.parse() {
                Ok(owner) => self.look_up_api_keys(id, owner, epoch).await?,
                Err(_) => return Ok(()),
            },
        };
        let now = Time(wall_ms());
        let signs = match &*keys {
            [] => serial == "1",
            keys => keys.iter().any(|key| key.signs(now) && key.serial.to_string() == serial),
        };
        if signs {
            return Ok(());
        }
        let message =
            format!("the secret of serial number '{serial:.16}' does not sign for {id} any more; take the newest");
        Err(ApiError::new("signature_key_unknown", Some("serial_no"), message))
    }

    async fn look_up_api_keys(&self, id: &str, owner: KeyOwner, epoch: u64) -> Result<Arc<[ApiKey]>, ApiError> {
        let look = move |state: &domain::State| state.api_keys_of(owner).cloned().collect::<Vec<_>>();
        let keys: Arc<[ApiKey]> = self.see(look).await?.0.into();
        self.callers.api_keys.keep(epoch, id.to_owned(), Arc::clone(&keys));
        Ok(keys)
    }

    /// What secrets derive from.
    pub(super) fn api_root(&self) -> Result<MacKey, ApiError> {
        Ok(self.vault.request_keys().map_err(sealing_failed)?.root.clone())
    }
}

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the present secret still signs beside the next one: 0 to 2,592,000, seven days unless said.
    #[schema(example = 604_800)]
    overlap_seconds: Option<i64>,
}

/// Which one to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndedSerial {
    /// The old one's serial number.
    #[schema(example = 1)]
    serial_no: u32,
}

/// A serial number of a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyView {
    /// What `Authorization` names.
    #[schema(example = "2")]
    serial_no: String,
    /// Whether it signs now.
    signs: bool,
    /// Since when; of the first, when it was first rotated.
    since: Option<String>,
    /// When it signs no more; none of the newest.
    ends_at: Option<String>,
    /// Who made it, or ended it.
    by: Option<String>,
}

/// The serial numbers of a caller's secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeysView {
    #[schema(example = "mch_3")]
    mch_id: String,
    data: Vec<ApiKeyView>,
}

/// A secret that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecretView {
    #[schema(example = "mch_3")]
    mch_id: String,
    /// What `Authorization` names it by.
    #[schema(example = "2")]
    serial_no: String,
    /// 64 hexadecimal digits.
    secret: String,
    /// Until when the one before still signs.
    previous_ends_at: Option<String>,
}

impl ApiKeysView {
    fn of(state: &domain::State, owner: KeyOwner) -> Self {
        let now = Time(wall_ms());
        let view = |key: &ApiKey| ApiKeyView {
            serial_no: key.serial.to_string(),
            signs: key.signs(now),
            since: Some(time_text(key.since)),
            ends_at: key.ends_at.map(time_text),
            by: Some(key.by.clone()),
        };
        let mut data: Vec<_> = state.api_keys_of(owner).map(view).collect();
        if data.is_empty() {
            let (since, ends_at, by) = (None, None, None);
            data.push(ApiKeyView { serial_no: "1".to_owned(), signs: true, since, ends_at, by });
        }
        Self { mch_id: owner.to_string(), data }
    }
}

/// The caller itself, the institution's programs, or an administrator for people.
fn may(caller: &Caller, owner: KeyOwner) -> Result<(), ApiError> {
    if caller.id() == owner.to_string() || caller.id() == OPERATOR {
        return Ok(());
    }
    match owner {
        KeyOwner::Operator(_) => caller.operator_with(&[Role::Administrator]),
        KeyOwner::Programs | KeyOwner::Merchant(_) => {
            Err(ApiError::forbidden(format!("{} may not touch the secret of {owner}", caller.id())))
        }
    }
}

/// Look at the serial numbers of a secret
///
/// Of one's own, or for the institution's programs anyone's: `operator`, `mch_3`, `opr_1`. The secrets themselves are not shown.
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", tag = "api_key", params(("id" = String, Path, example = "mch_3")),
    responses((status = OK, body = ApiKeysView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(owner): Id<KeyOwner>) -> Answered<ApiKeysView> {
    may(&caller, owner)?;
    app.look(move |state| Ok(ApiKeysView::of(state, owner))).await
}

/// Rotate a secret
///
/// The next serial number signs at once; the present one still does until its overlap is over. The answer holds the new secret, and is
/// signed with the old one. Asked again under the same `Idempotency-Key` it holds the same.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/rotate", tag = "api_key", params(("id" = String, Path, example = "mch_3")),
    responses((status = OK, body = NewSecretView))
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(owner): Id<KeyOwner>,
    Json(body): Json<Rotation>,
) -> Answered<NewSecretView> {
    may(&caller, owner)?;
    let seconds = body.overlap_seconds.unwrap_or(OVERLAP_S);
    let overlap_ms = seconds.checked_mul(1_000).filter(|ms| (0..=MAX_OVERLAP_MS).contains(ms)).ok_or_else(|| {
        let most = MAX_OVERLAP_MS / 1_000;
        ApiError::malformed(
            "overlap_seconds",
            format!("{seconds} is no overlap; use 0 to {most}, which is thirty days"),
        )
    })?;
    let wall = Time(wall_ms());
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::ApiKey(id) = reply else { return None };
        let serial = state.api_keys.get(id.0)?.serial;
        let before = state.api_keys_of(owner).take_while(|key| key.id != *id).last();
        Some((serial, before.and_then(|key| key.ends_at)))
    };
    let command = Command::ApiKey(ApiKeyCommand::Rotate { owner, overlap_ms, wall });
    let made = app.change(caller.meta()?, command, view).await?;
    app.callers.api_keys.forget();
    let (root, mch_id) = (app.api_root()?, owner.to_string());
    let view = |(serial, before): (u32, Option<Time>)| {
        let serial_no = serial.to_string();
        let secret = api_key(&root, &mch_id, &serial_no).to_hex().expose().to_owned();
        NewSecretView { mch_id: mch_id.clone(), serial_no, secret, previous_ends_at: before.map(time_text) }
    };
    Ok(made.map(view))
}

/// End an old secret at once
///
/// The newest is not ended: rotate it without overlap.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/end", tag = "api_key", params(("id" = String, Path, example = "mch_3")),
    responses((status = OK, body = ApiKeysView))
)]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Id(owner): Id<KeyOwner>,
    Json(body): Json<EndedSerial>,
) -> Answered<ApiKeysView> {
    may(&caller, owner)?;
    let command = ApiKeyCommand::End { owner, serial: body.serial_no, wall: Time(wall_ms()) };
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::ApiKey(_) = reply else { return None };
        Some(ApiKeysView::of(state, owner))
    };
    let ended: Answer<_> = app.change(caller.meta()?, Command::ApiKey(command), view).await?;
    app.callers.api_keys.forget();
    Ok(ended)
}
