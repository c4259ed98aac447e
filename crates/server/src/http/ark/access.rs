//! Roles and policies of the key service.

use std::collections::BTreeSet;

use ark::keys::{Access, By, Change, Role};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, word};
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::Query;

/// Who has which role.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkRoleView {
    #[schema(example = "opr_1")]
    caller: String,
    #[schema(example = "administrator")]
    role: &'static str,
}

/// Which operations a caller may do with keys whose name begins so.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkPolicyView {
    #[schema(example = "operator")]
    caller: String,
    #[schema(example = "orders")]
    prefix: String,
    #[schema(example = json!(["encrypt", "decrypt"]))]
    operations: Vec<String>,
}

/// Roles and policies.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkAccessView {
    roles: Vec<ArkRoleView>,
    policies: Vec<ArkPolicyView>,
    /// While fewer than two administrators stand, the institution's programs change this alone.
    founding: bool,
}

impl ArkAccessView {
    fn of(access: Access) -> Self {
        let founding = access.is_founding();
        let role = |(caller, role): (String, Role)| ArkRoleView { caller, role: role.name() };
        let policy = |((caller, prefix), operations): ((String, String), BTreeSet<String>)| ArkPolicyView {
            caller,
            prefix,
            operations: operations.into_iter().collect(),
        };
        let roles = access.roles.into_iter().map(role).collect();
        Self { roles, policies: access.policies.into_iter().map(policy).collect(), founding }
    }
}

/// A change of roles or policies.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AccessChange {
    /// Give a role.
    Grant {
        /// `operator` for the institution's programs, or an operator's id.
        caller: String,
        /// `administrator`, `custodian`, `operator` or `auditor`.
        role: String,
    },
    /// Take a role.
    Revoke {
        /// Whose.
        caller: String,
        /// Which.
        role: String,
    },
    /// Put a policy in the place of the one for this prefix.
    Allow {
        /// For whom.
        caller: String,
        /// How the names of the keys begin; empty for all.
        prefix: String,
        /// Of `encrypt`, `decrypt`, `rewrap`, `datakey`, `sign`, `verify`, `hmac`, `verify-hmac`, `random`, and those of keys of
        /// terminals and zones: `check-value`, `terminal-import`, `terminal-export`, `terminal-derive`, `terminal-issue`,
        /// `terminal-mac`, `terminal-verify-mac`, `translate-pin`, `translate-pin-card`, `encrypt-track`, `translate-track`.
        operations: BTreeSet<String>,
    },
    /// Take the policy for this prefix away.
    Forbid {
        /// Whose.
        caller: String,
        /// Its prefix.
        prefix: String,
    },
}

impl AccessChange {
    pub(super) fn read(self) -> Result<Change, ApiError> {
        let role = |text: &str| word(text, "role", &Role::ALL, Role::name);
        Ok(match self {
            Self::Grant { caller, role: text } => Change::Grant { caller, role: role(&text)? },
            Self::Revoke { caller, role: text } => Change::Revoke { caller, role: role(&text)? },
            Self::Allow { caller, prefix, operations } => Change::Allow { caller, prefix, operations },
            Self::Forbid { caller, prefix } => Change::Forbid { caller, prefix },
        })
    }
}

/// Look at roles and policies
#[utoipa::path(get, path = "/v1/ark/access", tag = "ark_access", params(Why), responses((status = OK, body = ArkAccessView)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<ArkAccessView>, ApiError> {
    let work = |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &Role::ALL, "", "look")?;
        service.access().map(ArkAccessView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// Change roles or policies
///
/// By the institution's programs while fewer than two administrators stand; afterwards by an administrator with an approval
/// of `change-access`.
#[utoipa::path(
    post, path = "/v1/ark/access", tag = "ark_access", request_body = AccessChange, params(Why),
    responses((status = OK, body = ArkAccessView))
)]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(change): Body<AccessChange>,
) -> Result<Json<ArkAccessView>, ApiError> {
    let (change, approval) = (change.read()?, why.approval);
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.change_access(by, &change, approval)?;
        service.access().map(ArkAccessView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}
