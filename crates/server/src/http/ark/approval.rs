//! What takes two people: asked for here, approved here by an administrator with a one-time code or a certificate, then
//! done by who asked.

use ark::keys::{Approval, By, Dangerous, Error, Proposal, Role};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::AccessChange;
use super::body::Body;
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::{Id, Query};
use crate::http::totp::Code;
use crate::http::wire::time_text;

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Wanted {
    /// Schedule the destruction of a version.
    Destroy {
        /// Of which key.
        key: String,
        /// Which.
        version: u32,
    },
    /// Export a version, wrapped.
    Export {
        /// Of which key.
        key: String,
        /// Which.
        version: u32,
        /// Under which key.
        under: String,
    },
    /// Open or verify with compromised versions of a key, in one call.
    Compromised {
        /// Of which key.
        key: String,
    },
    /// Deal another root key.
    ChangeRoot {
        /// To so many custodians.
        shares: u8,
        /// So many of whom open.
        threshold: u8,
    },
    /// Change roles or policies.
    ChangeAccess {
        /// How.
        change: AccessChange,
    },
}

impl Wanted {
    fn read(self) -> Result<Proposal, ApiError> {
        Ok(match self {
            Self::Destroy { key, version } => Proposal::destroy(&key, version),
            Self::Export { key, version, under } => Proposal::export(&key, version, &under),
            Self::Compromised { key } => Proposal::compromised(&key),
            Self::ChangeRoot { shares, threshold } => Proposal::change_root(threshold, shares),
            Self::ChangeAccess { change } => Proposal::access(&change.read()?),
        })
    }
}

/// An approval.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkApprovalView {
    id: i64,
    #[schema(example = "destroy")]
    operation: &'static str,
    key: String,
    version: u32,
    detail: String,
    reason: String,
    proposed_by: String,
    proposed_at: String,
    /// `waiting`, `approved`, `rejected` or `used`; a day after it was asked for it counts no more.
    #[schema(example = "waiting")]
    state: &'static str,
    decided_by: Option<String>,
}

impl ArkApprovalView {
    fn of(approval: Approval) -> Self {
        let Proposal { operation, key, version, detail } = approval.proposal;
        Self {
            id: approval.id,
            operation: operation.name(),
            key,
            version,
            detail,
            reason: approval.reason,
            proposed_by: approval.proposed_by,
            proposed_at: time_text(domain::envelope::Time(approval.proposed_at)),
            state: approval.state.name(),
            decided_by: Some(approval.decided_by).filter(|who| !who.is_empty()),
        }
    }
}

/// The last approvals.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkApprovalsView {
    data: Vec<ArkApprovalView>,
}

/// Ask for what takes two people
///
/// By a person, with the role that does it. Once it is approved, the same person does it and names it.
#[utoipa::path(
    post, path = "/v1/ark/approvals", tag = "ark_approval", request_body = Wanted, params(Why),
    responses((status = OK, body = ArkApprovalView))
)]
pub(crate) async fn propose(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<ArkApprovalView>, ApiError> {
    caller.person()?;
    let proposal = wanted.read()?;
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        match proposal.operation {
            Dangerous::Destroy | Dangerous::Export => {
                service.check_role(by, &[Role::Operator], &proposal.key, "propose")?;
            }
            Dangerous::ChangeRoot => service.check_role(by, &[Role::Custodian], "", "propose")?,
            Dangerous::ChangeAccess => service.check_role(by, &[Role::Administrator], "", "propose")?,
            Dangerous::Compromised => {
                let may = |operation| service.check_policy(by, &proposal.key, operation);
                may("decrypt").or_else(|_| may("verify")).or_else(|_| may("verify-hmac"))?;
            }
        }
        service.propose(by, &proposal).map(ArkApprovalView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// List the last approvals
#[utoipa::path(
    get, path = "/v1/ark/approvals", tag = "ark_approval", params(Why), responses((status = OK, body = ArkApprovalsView))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Json<ArkApprovalsView>, ApiError> {
    let work = |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, &Role::ALL, "", "look")?;
        Ok(ArkApprovalsView { data: service.approvals(1_000)?.into_iter().map(ArkApprovalView::of).collect() })
    };
    with(&app, &caller, &why, work).await.map(Json)
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    approve: bool,
    /// The one-time code of who decides, of now. Not where a certificate proves who asks.
    totp: Option<Code>,
}

/// Approve or reject
///
/// By an administrator of the key service who is not who asked, with a one-time code; where callers have certificates, by the
/// certificate alone.
#[utoipa::path(
    post, path = "/v1/ark/approvals/{id}/decide", tag = "ark_approval", request_body = Decision,
    params(("id" = i64, Path, example = 1), Why), responses((status = OK, body = ArkApprovalView))
)]
pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<i64>,
    Query(why): Query<Why>,
    Body(decision): Body<Decision>,
) -> Result<Json<ArkApprovalView>, ApiError> {
    if let Err(refused) = app.prove(&caller, decision.totp.as_ref()).await {
        let (operation, code) = (if decision.approve { "approve" } else { "reject" }, refused.code());
        with(&app, &caller, &why, move |service, by| service.refuse(by, operation, code)).await?;
        return Err(refused);
    }
    let work = move |service: &ark::KeyService, by: &By<'_>| -> Result<ArkApprovalView, Error> {
        service.decide(by, id, decision.approve).map(ArkApprovalView::of)
    };
    with(&app, &caller, &why, work).await.map(Json)
}
