//! Operators: the people of the institution, their roles, and the secret of their one-time codes.
//!
//! An operator signs with a key of its own, which `lintel key opr_N` prints where the vault lies; nothing of the API gives
//! one out. Its first act is to enrol its one-time codes. Roles and status change by approvals of kind `operator`.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::OperatorId;
use domain::operator::{Operator, OperatorCommand, OperatorStatus, Role};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse, time_text, word};

/// What an authenticator app shows beside the login.
const ISSUER: &str = "Lintel";

/// Whom to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOperator {
    /// 3 to 32 of `a-z0-9._-`; the journal names the person by it for ever.
    #[schema(example = "li.wei")]
    login: String,
    /// Of `administrator`, `accountant`, `treasurer`, `risk`, `auditor`.
    #[schema(example = json!(["administrator"]))]
    roles: Vec<String>,
}

/// An approval's change of operators.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum OperatorChange {
    /// Register one.
    Register {
        /// 3 to 32 of `a-z0-9._-`.
        login: String,
        /// One or more.
        roles: Vec<String>,
    },
    /// Give other roles.
    ChangeRoles {
        /// To whom.
        operator: String,
        /// All of them from now on.
        roles: Vec<String>,
    },
    /// Let it act no more.
    Suspend {
        /// Whom.
        operator: String,
    },
    /// Let it act again.
    Resume {
        /// Whom.
        operator: String,
    },
    /// Let it enrol a new secret for its one-time codes.
    RenewTotp {
        /// Whom.
        operator: String,
    },
}

impl Wire for OperatorChange {
    type Of = OperatorCommand;

    fn read(self) -> Result<OperatorCommand, ApiError> {
        let id = |text: String| parse(&text, "operator");
        Ok(match self {
            Self::Register { login, roles } => OperatorCommand::Register { login, roles: read_roles(&roles)? },
            Self::ChangeRoles { operator, roles } => {
                OperatorCommand::ChangeRoles { operator: id(operator)?, roles: read_roles(&roles)? }
            }
            Self::Suspend { operator } => OperatorCommand::Suspend(id(operator)?),
            Self::Resume { operator } => OperatorCommand::Resume(id(operator)?),
            Self::RenewTotp { operator } => OperatorCommand::RenewTotp(id(operator)?),
        })
    }

    fn show(command: &OperatorCommand) -> Self {
        match command {
            OperatorCommand::Register { login, roles } => {
                Self::Register { login: login.clone(), roles: role_names(roles) }
            }
            OperatorCommand::ChangeRoles { operator, roles } => {
                Self::ChangeRoles { operator: operator.to_string(), roles: role_names(roles) }
            }
            OperatorCommand::Suspend(id) => Self::Suspend { operator: id.to_string() },
            OperatorCommand::Resume(id) => Self::Resume { operator: id.to_string() },
            OperatorCommand::RenewTotp(id) => Self::RenewTotp { operator: id.to_string() },
        }
    }
}

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperatorView {
    #[schema(example = "opr_1")]
    id: String,
    #[schema(example = "li.wei")]
    login: String,
    #[schema(example = json!(["administrator"]))]
    roles: Vec<String>,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
    created_at: String,
    /// Which secret makes its one-time codes; a renewal counts up.
    #[schema(example = 1)]
    totp_serial: u32,
    changed_at: String,
    /// Who wanted the last change, by login.
    changed_by: String,
    /// Who approved it, by login; none for what the institution began with.
    approved_by: Option<String>,
    /// What may be proposed for it now; `enrol_totp` it does itself.
    allowed_actions: Vec<&'static str>,
}

/// The secret of one-time codes, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpView {
    /// For an authenticator app, mostly as a QR code.
    #[schema(example = "otpauth://totp/Lintel:li.wei?secret=…&issuer=Lintel&algorithm=SHA1&digits=6&period=30")]
    uri: String,
}

impl OperatorView {
    fn of(operator: &Operator) -> Self {
        let allowed_actions = match operator.status {
            OperatorStatus::Active => vec!["change_roles", "suspend", "renew_totp", "enrol_totp"],
            OperatorStatus::Suspended => vec!["change_roles", "resume", "renew_totp"],
        };
        Self {
            id: operator.id.to_string(),
            login: operator.login.clone(),
            roles: role_names(&operator.roles),
            status: operator.status.name(),
            created_at: time_text(operator.created_at),
            totp_serial: operator.totp_serial,
            changed_at: time_text(operator.changed_at),
            changed_by: operator.changed_by.clone(),
            approved_by: operator.approved_by.clone(),
            allowed_actions,
        }
    }
}

fn read_roles(roles: &[String]) -> Result<Vec<Role>, ApiError> {
    roles.iter().map(|role| word(role, "roles", &Role::ALL, Role::name)).collect()
}

fn role_names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}

/// Register an administrator
///
/// For the beginning: while fewer than two administrators are active, the institution's programs register them so. After
/// that, operators are registered by two administrators: an approval of kind `operator`.
#[utoipa::path(post, path = "/v1/operators", tag = "operator", responses((status = OK, body = OperatorView)))]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewOperator>,
) -> Answered<OperatorView> {
    caller.operator()?;
    let command = OperatorCommand::Register { login: new.login, roles: read_roles(&new.roles)? };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Operator(id) = reply else { return None };
        state.operator(*id).ok().map(OperatorView::of)
    };
    app.change(caller.meta()?, Command::Operator(command), view).await
}

/// Enrol one's own one-time codes
///
/// Signed with the operator's own key. The secret is made now and shown this once; whoever loses it has two administrators
/// renew it (an approval of kind `operator`, `renew_totp`) and asks here again.
#[utoipa::path(
    post, path = "/v1/operators/{id}/totp", tag = "operator", params(("id" = String, Path, example = "opr_1")),
    responses((status = OK, body = TotpView))
)]
pub(crate) async fn enrol_totp(State(app): State<App>, caller: Caller, Id(id): Id<OperatorId>) -> Answered<TotpView> {
    let person = caller.person()?;
    if person.id != id {
        return Err(ApiError::forbidden(format!("only {id} itself may see the secret of its one-time codes")));
    }
    let now = app.look(move |state| state.operator(id).cloned()).await?;
    let (vault, serial, login) = (Arc::clone(&app.vault), now.view.totp_serial, now.view.login.clone());
    let secret = app.blocking(move || vault.enrol_totp(id.0, serial).map_err(sealing_failed)).await?;
    let secret = secret.ok_or_else(|| {
        let message = format!("the secret of {id} was shown already; two administrators must renew it first");
        ApiError::new("totp_enrolled", Some("id"), message)
    })?;
    tracing::info!(operator = %id, serial, "one-time codes enrolled");
    Ok(now.map(|_| TotpView { uri: secret.uri(ISSUER, &login).expose().to_owned() }))
}

/// Look at an operator
#[utoipa::path(
    get, path = "/v1/operators/{id}", tag = "operator", params(("id" = String, Path, example = "opr_1")),
    responses((status = OK, body = OperatorView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<OperatorId>) -> Answered<OperatorView> {
    caller.operator()?;
    app.look(move |state| state.operator(id).map(OperatorView::of)).await
}

list_query! {
    /// Which operators.
    pub(crate) struct OperatorQuery {
        /// By exactly this login.
        login,
        /// `active` or `suspended`.
        status,
    }
}

/// List operators
#[utoipa::path(
    get, path = "/v1/operators", tag = "operator", params(OperatorQuery),
    responses((status = OK, body = PageView<OperatorView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OperatorQuery>,
) -> ListAnswer<OperatorView> {
    caller.operator()?;
    let all = [OperatorStatus::Active, OperatorStatus::Suspended];
    let page = query.page();
    let filter = store::operator::OperatorFilter {
        login: query.login,
        status: query.status.as_deref().map(|text| word(text, "status", &all, OperatorStatus::name)).transpose()?,
    };
    app.list(filter, page, |_, operator| OperatorView::of(operator)).await
}
