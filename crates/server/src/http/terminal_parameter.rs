//! Parameters of terminals (终端参数): public keys of card schemes, applications, settings. Terminals download them by
//! themselves (`pos/switch/terminal_parameter.rs`).

use axum::extract::State;
use domain::ids::{ParameterSetId, TerminalId};
use domain::operator::Role;
use domain::terminal::{TerminalCommand, TerminalParameters};
use domain::terminal_parameter::{ParameterRecord, ParameterSet, SetParameters};
use domain::{Command, Reply};
use iso8583::tlv::Reader;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::acquiring::ROLES;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::terminal::{TerminalView, change};
use super::wire::time_text;

/// RID or AID, a key's index, what a public key must have besides: its modulus or point, its check sum, when it ends.
const APPLICATION: u32 = 0x9F06;
const INDEX: u32 = 0x9F22;
const KEY_HAS: [(u32, &str); 3] = [(0xDF02, "DF02"), (0xDF03, "DF03"), (0xDF05, "DF05")];

/// A set's next version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewParameters {
    /// 1 to 32 small letters, digits, `-` and `_`.
    #[schema(example = "standard")]
    name: String,
    /// Public keys of card schemes, each BER-TLV in hexadecimal: 9F06 (RID), 9F22 (index), DF02, DF03, DF05 and what else the
    /// scheme gives.
    #[serde(default)]
    public_keys: Vec<String>,
    /// Applications, each BER-TLV in hexadecimal: 9F06 (AID) and what else a terminal needs of it.
    #[serde(default)]
    applications: Vec<String>,
    /// The terminal's own settings, ASCII, as its maker writes them.
    #[serde(default)]
    settings: String,
}

/// Which set a terminal uses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParametersUsed {
    #[schema(example = "standard")]
    set: String,
}

/// Which parameters a terminal uses; versions are 0 of what it has none of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TerminalParametersView {
    #[schema(example = "standard")]
    set: String,
    public_keys: u32,
    applications: u32,
    settings: u32,
}

impl TerminalParametersView {
    pub(super) fn of(parameters: &TerminalParameters) -> Self {
        let TerminalParameters { set, public_keys, applications, settings } = parameters.clone();
        Self { set, public_keys, applications, settings }
    }
}

/// A public key or an application.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParameterRecordView {
    /// What a terminal asks for it by: RID and index, or AID.
    #[schema(example = "A00000033301")]
    identity: String,
    /// All of it, BER-TLV in hexadecimal.
    content: String,
}

/// A version of a set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParameterSetView {
    #[schema(example = "pst_2")]
    id: String,
    #[schema(example = "standard")]
    name: String,
    /// The newest is in force.
    #[schema(example = 2)]
    version: u32,
    public_keys: Vec<ParameterRecordView>,
    applications: Vec<ParameterRecordView>,
    settings: String,
    set_at: String,
    set_by: String,
}

impl ParameterSetView {
    fn of(set: &ParameterSet) -> Self {
        let view = |record: &ParameterRecord| ParameterRecordView {
            identity: hex::encode_upper(&record.identity),
            content: hex::encode_upper(&record.content),
        };
        Self {
            id: set.id.to_string(),
            name: set.name.clone(),
            version: set.version,
            public_keys: set.public_keys.iter().map(view).collect(),
            applications: set.applications.iter().map(view).collect(),
            settings: set.settings.clone(),
            set_at: time_text(set.set_at),
            set_by: set.set_by.clone(),
        }
    }
}

/// Set parameters of terminals
///
/// The set's next version, as a whole. Terminals that use it are asked to download it at their next sign-in.
#[utoipa::path(
    post, path = "/v1/terminal-parameters", tag = "terminal", request_body = NewParameters,
    responses((status = OK, body = ParameterSetView))
)]
pub(crate) async fn set(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewParameters>,
) -> Answered<ParameterSetView> {
    caller.operator_with(&[Role::Administrator])?;
    let NewParameters { name, public_keys, applications, settings } = new;
    let public_keys =
        public_keys.iter().enumerate().map(|(at, text)| public_key(at, text)).collect::<Result<_, _>>()?;
    let applications =
        applications.iter().enumerate().map(|(at, text)| application(at, text)).collect::<Result<_, _>>()?;
    let command = Command::SetParameters(SetParameters { name, public_keys, applications, settings });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::ParameterSet(id) = reply else { return None };
        state.parameter_set(*id).ok().map(ParameterSetView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Say which parameters a terminal uses
///
/// It is asked to download them at its next sign-in.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/parameters", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = ParametersUsed, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn assign(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(ParametersUsed { set }): Json<ParametersUsed>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::UseParameters { terminal, set }).await
}

/// Look at a version of terminals' parameters
#[utoipa::path(
    get, path = "/v1/terminal-parameters/{id}", tag = "terminal", params(("id" = String, Path, example = "pst_2")),
    responses((status = OK, body = ParameterSetView))
)]
pub(crate) async fn get_set(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ParameterSetId>,
) -> Answered<ParameterSetView> {
    caller.operator()?;
    app.look(move |state| state.parameter_set(id).map(ParameterSetView::of)).await
}

list_query! {
    /// Which versions.
    pub(crate) struct ParameterSetQuery {
        /// Of this set.
        name,
    }
}

/// List versions of terminals' parameters
#[utoipa::path(
    get, path = "/v1/terminal-parameters", tag = "terminal", params(ParameterSetQuery),
    responses((status = OK, body = PageView<ParameterSetView>))
)]
pub(crate) async fn list_sets(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ParameterSetQuery>,
) -> ListAnswer<ParameterSetView> {
    caller.operator()?;
    let page = query.page();
    let filter = store::terminal_parameter::ParameterSetFilter { name: query.name };
    app.list(filter, page, |_, set| ParameterSetView::of(set)).await
}

fn public_key(at: usize, text: &str) -> Result<ParameterRecord, ApiError> {
    let (content, found) = elements(at, "public_keys", text)?;
    let value = |tag, length| found.iter().find(|(known, value)| *known == tag && value.len() == length);
    let (Some((_, rid)), Some((_, index))) = (value(APPLICATION, 5), value(INDEX, 1)) else {
        let message = format!("public key {at} lacks 9F06 (RID, 5 bytes) or 9F22 (index, 1 byte)");
        return Err(ApiError::malformed("public_keys", message));
    };
    if let Some((_, missing)) = KEY_HAS.iter().find(|(tag, _)| !found.iter().any(|(known, _)| known == tag)) {
        let message = format!("public key {at} lacks {missing}; it has a modulus or point, a check sum and an end");
        return Err(ApiError::malformed("public_keys", message));
    }
    Ok(ParameterRecord { identity: [rid.as_slice(), index].concat(), content: content.clone() })
}

fn application(at: usize, text: &str) -> Result<ParameterRecord, ApiError> {
    let (content, found) = elements(at, "applications", text)?;
    let aid = found.iter().find(|(tag, value)| *tag == APPLICATION && (5..=16).contains(&value.len()));
    let aid = aid.map(|(_, aid)| aid.clone()).ok_or_else(|| {
        ApiError::malformed("applications", format!("application {at} lacks 9F06 (AID, 5 to 16 bytes)"))
    })?;
    Ok(ParameterRecord { identity: aid, content })
}

/// A record's bytes, and its elements.
type Elements = (Vec<u8>, Vec<(u32, Vec<u8>)>);

fn elements(at: usize, param: &'static str, text: &str) -> Result<Elements, ApiError> {
    let bytes = hex::decode(text)
        .map_err(|_| ApiError::malformed(param, format!("record {at} is not an even number of hexadecimal digits")))?;
    let found: Result<Vec<_>, _> =
        Reader::new(&bytes).map(|element| element.map(|element| (element.tag, element.value.to_vec()))).collect();
    let found = found.map_err(|error| ApiError::malformed(param, format!("record {at} is no BER-TLV: {error}")))?;
    Ok((bytes, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_known_by_rid_and_index_and_lacks_nothing() {
        let whole = "9F0605A0000003339F220101DF050420301231DF0201AADF03011BDF040103";
        let record = public_key(0, whole).map_err(|error| format!("{error:?}")).unwrap();
        assert_eq!(
            (hex::encode_upper(record.identity).as_str(), record.content.len()),
            ("A00000033301", whole.len() / 2)
        );
        for wrong in ["9F0605A000000333", "9F0605A0000003339F220101DF0201AA", "9F0605A000", "9F0"] {
            assert!(public_key(0, wrong).is_err(), "{wrong}");
        }
        let record = application(0, "9F0608A000000333010101DF0101009F0802030").err();
        assert!(record.is_some(), "an odd number of digits");
        let record = application(0, "9F0608A000000333010101DF010100").map_err(|error| format!("{error:?}")).unwrap();
        assert_eq!(hex::encode_upper(record.identity), "A000000333010101");
    }
}
