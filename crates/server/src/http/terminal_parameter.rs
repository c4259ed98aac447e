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

/// RID or AID, a key's index; of a public key its modulus or point, check sum, exponent, end and algorithm.
const APPLICATION: u32 = 0x9F06;
const INDEX: u32 = 0x9F22;
const MODULUS: u32 = 0xDF02;
const CHECK_SUM: u32 = 0xDF03;
const EXPONENT: u32 = 0xDF04;
const END: u32 = 0xDF05;
const ALGORITHM: u32 = 0xDF07;
/// What `ALGORITHM` says: RSA, which it is unless it says, and SM2.
const RSA: u8 = 1;
const SM2: u8 = 4;

/// A set's next version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewParameters {
    /// 1 to 32 small letters, digits, `-` and `_`.
    #[schema(example = "standard")]
    name: String,
    /// Public keys of card schemes, each BER-TLV in hexadecimal: 9F06 (RID), 9F22 (index), DF02 (modulus or point), DF03 (its check
    /// sum, SHA-1 over RID, index, DF02 and DF04: it is made again and compared), DF04 (exponent, of RSA), DF05 (end) and what else the scheme gives.
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
    let wrong = |what: &str| ApiError::malformed("public_keys", format!("public key {at} {what}"));
    // A terminal may read the first of two or the last.
    let twice = [APPLICATION, INDEX, MODULUS, CHECK_SUM, EXPONENT, END, ALGORITHM]
        .iter()
        .find(|tag| found.iter().filter(|(known, _)| known == *tag).count() > 1);
    if let Some(tag) = twice {
        return Err(wrong(&format!("has {tag:04X} twice")));
    }
    let value = |tag| found.iter().find(|(known, _)| *known == tag).map(|(_, value)| value.as_slice());
    let (Some(rid @ [_, _, _, _, _]), Some(index @ [_])) = (value(APPLICATION), value(INDEX)) else {
        return Err(wrong("lacks 9F06 (RID, 5 bytes) or 9F22 (index, 1 byte)"));
    };
    let identity = [rid, index].concat();
    if value(END).is_none() {
        return Err(wrong("lacks DF05, when it ends"));
    }
    let key = value(MODULUS).ok_or_else(|| wrong("lacks DF02, its modulus or point"))?;
    let sum = value(CHECK_SUM).ok_or_else(|| wrong("lacks DF03, its check sum"))?;
    let exponent = value(EXPONENT);
    match value(ALGORITHM).unwrap_or(&[RSA]) {
        [RSA] if exponent.is_none_or(<[u8]>::is_empty) || sum.len() != 20 => {
            return Err(wrong("of RSA (DF07) has no exponent (DF04), or a check sum (DF03) of other than 20 bytes"));
        }
        [SM2] if !matches!(key.len(), 64 | 65) || !matches!(sum.len(), 20 | 32) => {
            return Err(wrong(
                "of SM2 (DF07) has a point (DF02) of other than 64 or 65 bytes, or no check sum of 20 or 32",
            ));
        }
        [RSA | SM2] => {}
        _ => return Err(wrong("is of neither RSA (DF07 01) nor SM2 (04)")),
    }
    let covered = [identity.as_slice(), key, exponent.unwrap_or_default()].concat();
    if !is_check_sum(&covered, sum) {
        let name = hex::encode_upper(&identity);
        let message = format!(
            "public key {name} has the check sum {}, which is not that of its 9F06, 9F22, DF02 and DF04: a digit is wrong in one of them",
            hex::encode_upper(sum)
        );
        return Err(ApiError::new("check_sum_wrong", Some("public_keys"), message));
    }
    Ok(ParameterRecord { identity, content: content.clone() })
}

/// SHA-1 of RID, index, modulus and exponent (EMV book 2, section 11.2.2); of 32 bytes SM3 of the same, which no text that we
/// read says of keys of SM2.
fn is_check_sum(covered: &[u8], sum: &[u8]) -> bool {
    ark::sha1(covered) == *sum || ark::sm3(covered) == *sum
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

    /// UnionPay's public key of 1,152 bits, as terminals have it in their programs.
    const UNIONPAY: &str = "9F0605A0000003339F220102DF050420211231DF060101DF070101DF028190A3767ABD1B6AA69D7F3FBF28C092DE9ED1E658BA5F\
        0909AF7A1CCD907373B7210FDEB16287BA8E78E1529F443976FD27F991EC67D95E5F4E96B127CAB2396A94D6E45CDA44CA4C4867570D6B07542F8D4BF9FF\
        97975DB9891515E66F525D2B3CBEB6D662BFB6C3F338E93B02142BFC44173A3764C56AADD202075B26DC2F9F7D7AE74BD7D00FD05EE430032663D27A57DF\
        040103DF031403BB335A8549A03B87AB089D006F60852E4B8060";

    #[test]
    fn a_public_key_is_known_by_rid_and_index_and_lacks_nothing() {
        let record = public_key(0, UNIONPAY).map_err(|error| format!("{error:?}")).unwrap();
        assert_eq!(
            (hex::encode_upper(record.identity).as_str(), record.content.len()),
            ("A00000033302", UNIONPAY.len() / 2)
        );
        for wrong in ["9F0605A000000333", "9F0605A0000003339F220101DF0201AA", "9F0605A000", "9F0"] {
            assert!(public_key(0, wrong).is_err(), "{wrong}");
        }
        for tag in ["DF0504", "DF028190", "DF0401", "DF0314"] {
            // The tag becomes one that nobody knows.
            let lacks = public_key(0, &UNIONPAY.replace(tag, &format!("DF7F{}", &tag[4..]))).err();
            assert_eq!(lacks.map(|error| error.code()), Some("field_malformed"), "{tag}");
        }
        let twice = public_key(0, &format!("{UNIONPAY}9F220102")).err();
        assert_eq!(twice.map(|error| error.code()), Some("field_malformed"));
        let record = application(0, "9F0608A000000333010101DF0101009F0802030").err();
        assert!(record.is_some(), "an odd number of digits");
        let record = application(0, "9F0608A000000333010101DF010100").map_err(|error| format!("{error:?}")).unwrap();
        assert_eq!(hex::encode_upper(record.identity), "A000000333010101");
    }

    /// A digit that was mistyped anywhere in what the sum is of, or in the sum.
    #[test]
    fn a_key_that_is_not_what_its_check_sum_is_of_is_refused_by_name() {
        for (right, wrong) in [
            ("9F0605A000000333", "9F0605A000000003"),
            ("9F220102", "9F220103"),
            ("A3767ABD1B6A", "A3767ABD1B6B"),
            ("DF040103", "DF040105"),
            ("E4B8060", "E4B8061"),
        ] {
            let error = public_key(3, &UNIONPAY.replace(right, wrong)).map(drop).unwrap_err();
            let name = if wrong.starts_with("9F06") { "A00000000302" } else { "A000000333" };
            assert_eq!(error.code(), "check_sum_wrong", "{wrong}");
            assert!(format!("{error:?}").contains(&format!("public key {name}")), "{error:?}");
        }
    }

    /// The example's point of GB/T 32918.5, with sums made here: what such keys have is not public.
    #[test]
    fn a_key_of_sm2_has_a_check_sum_too() {
        let point = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
        let of = |sum: &[u8]| {
            let length = format!("{:02X}", sum.len());
            format!(
                "9F0605A0000003339F220157DF050420301231DF060107DF070104DF0240{point}DF03{length}{}",
                hex::encode_upper(sum)
            )
        };
        let covered = hex::decode(format!("A00000033357{point}")).unwrap();
        for sum in [ark::sm3(&covered).to_vec(), ark::sha1(&covered).to_vec()] {
            assert!(public_key(0, &of(&sum)).is_ok());
            let mut wrong = sum;
            wrong[0] ^= 1;
            assert_eq!(public_key(0, &of(&wrong)).err().map(|error| error.code()), Some("check_sum_wrong"));
        }
        assert_eq!(public_key(0, &of(&[1])).err().map(|error| error.code()), Some("field_malformed"));
        let unknown = of(&ark::sm3(&covered)).replace("DF070104", "DF070109");
        assert_eq!(public_key(0, &unknown).err().map(|error| error.code()), Some("field_malformed"));
    }
}
