//! A master key for a terminal's own public key (SM2 加密下发主密钥): made in the key service, encrypted there for the terminal,
//! fetched by it over its own protocol. Nobody else opens it, and it is nowhere in clear.

use ark::keys::By;
use ark::provider::{KeyKind, PublicKey};
use axum::extract::State;
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
use super::terminal::{TerminalView, change};
use crate::pos::keys::{TerminalKeys, beside};
use crate::shell::clock::wall_ms;

/// A terminal's public key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TerminalPublicKey {
    /// SM2: `04 ‖ x ‖ y` in hexadecimal, as the terminal shows it.
    public_key: String,
}

/// Nothing but that it is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueKey {}

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
/// Whoever registers it has seen it on the terminal itself: a master key goes out for it.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/public-key", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = TerminalPublicKey, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn register_public_key(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(TerminalPublicKey { public_key }): Json<TerminalPublicKey>,
) -> Answered<TerminalView> {
    caller.operator_with(&[Role::Administrator])?;
    let wrong = |_| ApiError::malformed("public_key", "it is not an even number of hexadecimal digits");
    let point = hex::decode(&public_key).map_err(wrong)?;
    change(&app, &caller, TerminalCommand::RegisterPublicKey { terminal, point }).await
}

/// Make a master key for a terminal's public key
///
/// The key service makes `terminal/N/master`, the first or the next version, of SM4; the terminal fetches it by itself. Its
/// sign-ins need the new key from then on.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/key/issue", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = IssueKey, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn issue(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(IssueKey {}): Json<IssueKey>,
) -> Answered<TerminalView> {
    caller.operator_with(&[Role::Administrator])?;
    // Before the key service is asked: a key that goes nowhere is not made.
    let may = |row: &Terminal| row.allowed_actions().contains(&"load_key");
    let look =
        move |state: &domain::State| state.terminal(terminal).map(|row| row.public_key.clone().filter(|_| may(row)));
    let Some(bytes) = app.look(look).await?.view else {
        // The command says what is wrong.
        let issued = IssuedKey { encrypted: vec![0], check_value: "0".repeat(16) };
        return change(&app, &caller, TerminalCommand::IssueKey { terminal, name: String::new(), issued }).await;
    };
    let (who, to) = (caller.id().to_owned(), PublicKey { kind: KeyKind::Sm2, bytes });
    let issue = move |keys: &TerminalKeys| keys.issue(&By::new(&who, "terminal key", wall_ms()), terminal, &to);
    let issued = beside(&TerminalKeys::new(app.ark.financial()), issue).await;
    let (name, issued) = issued.map_err(|error| error_of(&error))?;
    let issued = IssuedKey { check_value: hex::encode_upper(issued.check_value), encrypted: issued.encrypted };
    change(&app, &caller, TerminalCommand::IssueKey { terminal, name, issued }).await
}
