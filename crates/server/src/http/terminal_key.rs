//! A master key for a terminal's own public key (SM2 加密下发主密钥): made in the key service, encrypted there for the terminal,
//! fetched by it over its own protocol. Nobody else opens it, and it is nowhere in clear.

use ark::keys::By;
use ark::provider::{KeyKind, PublicKey};
use axum::extract::State;
use domain::envelope::Time;
use domain::ids::TerminalId;
use domain::operator::Role;
use domain::terminal::{IssuedKey, Terminal, TerminalCommand};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::ark::error_of;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json};
use super::terminal::{TerminalView, change, change_as};
use crate::pos::keys::{TerminalKeys, beside};
use crate::pos::terminal_ca::Refused;
use crate::shell::clock::wall_ms;

/// A terminal's public key, bare or in a certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TerminalPublicKey {
    /// SM2: `04 ‖ x ‖ y` in hexadecimal, as the terminal shows it. Where `pos.terminal_ca` is set none is taken bare.
    public_key: Option<String>,
    /// Its maker's certificate for encryption, X.509 in PEM, SM2 with SM3, that leads to `pos.terminal_ca` and names the
    /// terminal's serial as its `serialNumber` or else its common name. CAs between stand behind it, each followed by who signed it.
    certificate: Option<String>,
}

/// By what the key is known to go to the terminal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueKey {
    /// As of the public key, which it brings; needed where `pos.terminal_ca` is set, at every issue.
    certificate: Option<String>,
}

/// A master key as it goes to its terminal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedKeyView {
    /// `04 ‖ x ‖ y ‖ SM3 ‖ key` of SM2, in hexadecimal.
    encrypted: String,
    #[schema(example = "861E83E31FAEBF10")]
    check_value: String,
}

impl IssuedKeyView {
    pub(super) fn of(issued: &IssuedKey) -> Self {
        Self { encrypted: hex::encode_upper(&issued.encrypted), check_value: issued.check_value.clone() }
    }
}

/// Register a terminal's public key
///
/// A master key goes out for it. Whoever registers a bare one has seen it on the terminal itself; a certificate proves it.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/public-key", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = TerminalPublicKey, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn register_public_key(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(TerminalPublicKey { public_key, certificate }): Json<TerminalPublicKey>,
) -> Answered<TerminalView> {
    caller.operator_with(&[Role::Administrator])?;
    let wrong = |_| ApiError::malformed("public_key", "it is not an even number of hexadecimal digits");
    let point = match (certified(&app, terminal, certificate).await?, public_key) {
        (None, Some(public_key)) => hex::decode(&public_key).map_err(wrong)?,
        (Some(point), None) => point,
        (Some(_), Some(_)) => {
            return Err(ApiError::malformed("public_key", "the certificate brings it; give one of the two"));
        }
        (None, None) => {
            return Err(ApiError::new("field_missing", Some("public_key"), "give public_key or certificate"));
        }
    };
    change(&app, &caller, TerminalCommand::RegisterPublicKey { terminal, point }).await
}

/// Make a master key for a terminal's public key
///
/// The key service makes `terminal/N/master`, the first or the next version, of SM4; the terminal fetches it by itself. Its
/// sign-ins need the new key from then on. With a certificate its public key is registered first.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/key/issue", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = IssueKey, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn issue(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(IssueKey { certificate }): Json<IssueKey>,
) -> Answered<TerminalView> {
    caller.operator_with(&[Role::Administrator])?;
    let certified = certified(&app, terminal, certificate).await?;
    // Before the key service is asked: a key that goes nowhere is not made.
    let may = |row: &Terminal| row.allowed_actions().contains(&"load_key");
    let look =
        move |state: &domain::State| state.terminal(terminal).map(|row| row.public_key.clone().filter(|_| may(row)));
    let registered = app.look(look).await?.view;
    if let Some(point) = certified.filter(|point| registered.as_ref() != Some(point)) {
        let register = TerminalCommand::RegisterPublicKey { terminal, point };
        change_as(&app, caller.meta_part(0)?, register).await?;
    }
    let Some(bytes) = app.look(look).await?.view else {
        // The command says what is wrong.
        let issued = IssuedKey { encrypted: vec![0], check_value: "0".repeat(16) };
        return change(&app, &caller, TerminalCommand::IssueKey { terminal, name: String::new(), issued }).await;
    };
    let (who, to) = (caller.id().to_owned(), PublicKey { kind: KeyKind::Sm2, bytes });
    // A key service elsewhere knows this platform and not its people.
    let why = format!("terminal key, asked for by {who}");
    let issue = move |keys: &TerminalKeys| keys.issue(&By::new(&who, &why, wall_ms()), terminal, &to);
    let issued = beside(&TerminalKeys::new(app.ark.financial()), issue).await;
    let (name, issued) = issued.map_err(|error| error_of(&error))?;
    let issued = IssuedKey { check_value: hex::encode_upper(issued.check_value), encrypted: issued.encrypted };
    let command = TerminalCommand::IssueKey { terminal, name, issued };
    let answer = change(&app, &caller, command.clone()).await?;
    // Asked once more, the key service has made the next one: what the terminal fetches is the one that is in use.
    if answer.repeated { change_as(&app, caller.unkeyed(), command).await } else { Ok(answer) }
}

/// The key that a certificate proves to be the terminal's; `None` where keys come bare.
async fn certified(app: &App, terminal: TerminalId, certificate: Option<String>) -> Result<Option<Vec<u8>>, ApiError> {
    let (ca, text) = match (&app.terminal_ca, certificate) {
        (Some(ca), Some(text)) => (ca, text),
        (Some(_), None) => {
            let message = "public keys come with their maker's certificate here; give it in PEM";
            return Err(ApiError::new("certificate_required", Some("certificate"), message));
        }
        (None, Some(_)) => {
            let message =
                "nobody is believed to certify terminals here: set pos.terminal_ca, or give the bare public key";
            return Err(ApiError::new("certificate_untrusted", Some("certificate"), message));
        }
        (None, None) => return Ok(None),
    };
    let serial = app.look(move |state| state.terminal(terminal).map(|row| row.serial.clone())).await?.view;
    // Of the wall, as for merchants' certificates: books of a sandbox may stand at another day.
    let point = ca.key_of(&text, &serial, Time(wall_ms())).map_err(|refused| match refused {
        Refused::Malformed(message) => ApiError::malformed("certificate", message),
        Refused::Untrusted(message) => ApiError::new("certificate_untrusted", Some("certificate"), message),
    })?;
    Ok(Some(point))
}
