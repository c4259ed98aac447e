//! Approvals: propose what takes two people, and decide as the second one.
//!
//! A proposal's body says `kind` and what that kind needs, see [`proposal`]; it is shown the same way. Approving takes the
//! checker's one-time code, which is looked at before the command is decided: the domain sees only the code's time step. A
//! code that is wrong leaves nothing in the journal.

pub(crate) mod proposal;

use axum::extract::State;
use domain::approval::{Approval, ApprovalCommand, ApprovalStatus, DigestAlgorithm, Evidence, Propose};
use domain::ids::ApprovalId;
use domain::{Command, Reply};
use engine::Meta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::proposal::{Wire, WireProposal};
use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::totp::Code;
use super::wire::{date_text, parse_some, time_text, word};

/// What is proposed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApproval {
    /// `kind` and what that kind needs.
    proposal: WireProposal,
    /// Why; 1 to 512 bytes.
    #[schema(example = "bank statement of 5 March, line 14")]
    reason: String,
    /// What shows it; manual vouchers and adjustments need it.
    evidence: Option<WireEvidence>,
}

/// A document that lies elsewhere, by its digest.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireEvidence {
    /// What it is called there.
    #[schema(example = "statement-2026-03-05.pdf")]
    name: String,
    /// `SM3` or `SHA-256`.
    #[schema(example = "SM3")]
    algorithm: String,
    /// 64 hexadecimal digits.
    digest: String,
}

/// The second person's yes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approve {
    /// The checker's one-time code now: six digits.
    totp: Code,
    /// What the checker has to say.
    remark: Option<String>,
}

/// The second person's no.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reject {
    /// Why; 1 to 512 bytes.
    remark: String,
}

/// An approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    #[schema(example = "apr_7")]
    id: String,
    /// What is proposed.
    proposal: WireProposal,
    reason: String,
    evidence: Option<WireEvidence>,
    /// Who proposed it.
    #[schema(example = "opr_1")]
    maker: String,
    created_at: String,
    /// When it lapses unless decided.
    expires_at: String,
    /// `pending`, `approved`, `rejected`, `withdrawn` or `expired`.
    #[schema(example = "pending")]
    status: &'static str,
    /// Who approved or rejected it.
    checker: Option<String>,
    decided_at: Option<String>,
    /// What the checker said.
    remark: Option<String>,
    /// What came of it: the id of what was posted, changed or made.
    #[schema(example = "vch_1042")]
    outcome: Option<String>,
    /// The roles of which a maker needs one.
    makers: Vec<&'static str>,
    /// The roles of which a checker, who is someone else, needs one.
    checkers: Vec<&'static str>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

const ALGORITHMS: [DigestAlgorithm; 2] = [DigestAlgorithm::Sm3, DigestAlgorithm::Sha256];

impl WireEvidence {
    fn read(self) -> Result<Evidence, ApiError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&self.digest, &mut digest).map_err(|_| {
            let message = format!("the digest has {} characters; send 64 hexadecimal digits", self.digest.len());
            ApiError::malformed("evidence.digest", message)
        })?;
        let algorithm = word(&self.algorithm, "evidence.algorithm", &ALGORITHMS, DigestAlgorithm::name)?;
        Ok(Evidence { name: self.name, algorithm, digest: digest.into() })
    }

    fn show(evidence: &Evidence) -> Self {
        let (name, algorithm) = (evidence.name.clone(), evidence.algorithm.name().to_owned());
        Self { name, algorithm, digest: hex::encode(*evidence.digest) }
    }
}

impl ApprovalView {
    fn of(approval: &Approval) -> Self {
        let roles = |roles: &[domain::operator::Role]| roles.iter().map(|role| role.name()).collect();
        Self {
            id: approval.id.to_string(),
            proposal: WireProposal::show(&approval.proposal),
            reason: approval.reason.clone(),
            evidence: approval.evidence.as_ref().map(WireEvidence::show),
            maker: approval.maker.to_string(),
            created_at: time_text(approval.created_at),
            expires_at: time_text(approval.expires_at),
            status: approval.status.name(),
            checker: approval.checker.map(|id| id.to_string()),
            decided_at: approval.decided_at.map(time_text),
            remark: approval.remark.clone(),
            outcome: approval.outcome.as_ref().and_then(outcome),
            makers: roles(approval.proposal.makers()),
            checkers: roles(approval.proposal.checkers()),
            allowed_actions: approval.allowed_actions().to_vec(),
        }
    }
}

/// The id of what a reply names.
fn outcome(reply: &Reply) -> Option<String> {
    Some(match reply {
        Reply::Done | Reply::Bulk(_) => return None,
        Reply::Day(date) => date_text(*date),
        Reply::Account(id) | Reply::Accounts { first: id, .. } => id.to_string(),
        Reply::Voucher(id) => id.to_string(),
        Reply::Hold(id) => id.to_string(),
        Reply::Customer(id) => id.to_string(),
        Reply::User(id) => id.to_string(),
        Reply::Merchant(id) => id.to_string(),
        Reply::Attempt(id) => id.to_string(),
        Reply::Order(id) => id.to_string(),
        Reply::Split(id) => id.to_string(),
        Reply::Refund(id) => id.to_string(),
        Reply::Clearing(id) => id.to_string(),
        Reply::Settlement(id) => id.to_string(),
        Reply::Payout(id) => id.to_string(),
        Reply::Agreement(id) => id.to_string(),
        Reply::Freeze(id) => id.to_string(),
        Reply::Operator(id) => id.to_string(),
        Reply::Approval(id) => id.to_string(),
        Reply::Template(id) => id.to_string(),
        Reply::Suspense(id) => id.to_string(),
        Reply::Task(of) => of.to_string(),
        Reply::TreeLink(id) => id.to_string(),
        Reply::TreeRun(id) => id.to_string(),
        Reply::ExchangeRate(id) => id.to_string(),
        Reply::Conversion(id) => id.to_string(),
        Reply::BlockEntry(id) => id.to_string(),
        Reply::Certificate(id) => id.to_string(),
        Reply::ApiKey(id) => id.to_string(),
        Reply::PayPassword(id) => id.to_string(),
        Reply::SignUp(id) => id.to_string(),
        Reply::RealNameCheck(id) => id.to_string(),
        Reply::Receiver(id) => id.to_string(),
        Reply::Webhook(id) => id.to_string(),
        Reply::LimitPolicy(id) => id.to_string(),
        Reply::TopUp(id) => id.to_string(),
        Reply::Transfer(id) => id.to_string(),
        Reply::BankCard(id) => id.to_string(),
        Reply::SiteWeights(id) => id.to_string(),
        Reply::Outflow(id) => id.to_string(),
        Reply::FundBatch(id) => id.to_string(),
        Reply::WithdrawalPlan(id) => id.to_string(),
        Reply::WithdrawalBatch(id) => id.to_string(),
        Reply::RetryRule(id) => id.to_string(),
        Reply::ReserveLine(id) => id.to_string(),
        Reply::ReserveBalance(id) => id.to_string(),
        Reply::OwnTransfer(id) => id.to_string(),
        Reply::Arrears { arrears, .. } => arrears.first()?.to_string(),
        Reply::Chargeback(id) => id.to_string(),
        Reply::Advance(id) => id.to_string(),
        Reply::CardFeePlan(id) => id.to_string(),
        Reply::CardCost(id) => id.to_string(),
        Reply::FeePlan(id) => id.to_string(),
        Reply::SplitPlan(id) => id.to_string(),
        Reply::Acquiring(id) => id.to_string(),
        Reply::Terminal(id) => id.to_string(),
        Reply::ParameterSet(id) => id.to_string(),
        Reply::CardTransaction(id) => id.to_string(),
        Reply::BatchClose(id) => id.to_string(),
        Reply::CardClearing(id) => id.to_string(),
        Reply::CalendarYear(year) => year.to_string(),
    })
}

/// Propose what takes two people (复核)
///
/// What would be refused now is refused to its maker; what counts is how things stand when another operator approves it.
#[utoipa::path(post, path = "/v1/approvals", tag = "approval", responses((status = OK, body = ApprovalView)))]
pub(crate) async fn propose(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewApproval>,
) -> Answered<ApprovalView> {
    caller.person()?;
    let NewApproval { proposal, reason, evidence } = new;
    let proposal = proposal.read().map_err(|error| error.within("proposal"))?;
    super::site_weight::check(&app, &proposal).map_err(|error| error.within("proposal"))?;
    let evidence = evidence.map(WireEvidence::read).transpose()?;
    change(&app, &caller, ApprovalCommand::Propose(Box::new(Propose { proposal, reason, evidence }))).await
}

/// Approve: it is carried out at once
///
/// By another operator than its maker, with a role for it and a one-time code that was not used before. Where the step is
/// refused as things stand now, the approval stays pending and the code is not used up.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/approve", tag = "approval", params(("id" = String, Path, example = "apr_7")),
    responses((status = OK, body = ApprovalView))
)]
pub(crate) async fn approve(
    State(app): State<App>,
    caller: Caller,
    Id(approval): Id<ApprovalId>,
    Json(body): Json<Approve>,
) -> Answered<ApprovalView> {
    let person = caller.person()?;
    // Without a key nothing is decided, so no code is tried either. The journal's header names the approval, so that
    // everything done for it is found by that.
    let meta = Meta { approval: Some(approval), ..caller.meta()? };
    let pending = app.look(move |state| Ok(state.approval(approval)?.status == ApprovalStatus::Pending)).await?.view;
    // What is decided takes no code any more: the engine answers a request it answered before, or refuses.
    let totp_step = if pending { app.totp_step(person, &body.totp).await? } else { 0 };
    let command = ApprovalCommand::Approve { approval, totp_step, remark: body.remark };
    app.change(meta, Command::Approval(command), viewed).await
}

/// Reject
///
/// By one who could approve it.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/reject", tag = "approval", params(("id" = String, Path, example = "apr_7")),
    responses((status = OK, body = ApprovalView))
)]
pub(crate) async fn reject(
    State(app): State<App>,
    caller: Caller,
    Id(approval): Id<ApprovalId>,
    Json(body): Json<Reject>,
) -> Answered<ApprovalView> {
    caller.person()?;
    change(&app, &caller, ApprovalCommand::Reject { approval, remark: body.remark }).await
}

/// Withdraw one's own proposal
#[utoipa::path(
    post, path = "/v1/approvals/{id}/withdraw", tag = "approval", params(("id" = String, Path, example = "apr_7")),
    responses((status = OK, body = ApprovalView))
)]
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Id(approval): Id<ApprovalId>,
) -> Answered<ApprovalView> {
    caller.person()?;
    change(&app, &caller, ApprovalCommand::Withdraw(approval)).await
}

pub(crate) async fn change(app: &App, caller: &Caller, command: ApprovalCommand) -> Answered<ApprovalView> {
    app.change(caller.meta()?, Command::Approval(command), viewed).await
}

fn viewed(state: &domain::State, reply: &Reply) -> Option<ApprovalView> {
    let Reply::Approval(id) = reply else { return None };
    state.approval(*id).ok().map(ApprovalView::of)
}

/// Look at an approval
#[utoipa::path(
    get, path = "/v1/approvals/{id}", tag = "approval", params(("id" = String, Path, example = "apr_7")),
    responses((status = OK, body = ApprovalView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ApprovalId>) -> Answered<ApprovalView> {
    caller.operator()?;
    app.look(move |state| state.approval(id).map(ApprovalView::of)).await
}

list_query! {
    /// Which approvals.
    pub(crate) struct ApprovalQuery {
        /// A kind of proposal, such as `manual_voucher`.
        kind,
        /// `pending`, `approved`, `rejected`, `withdrawn` or `expired`.
        status,
        /// Proposed by this operator.
        maker,
    }
}

/// List approvals
#[utoipa::path(
    get, path = "/v1/approvals", tag = "approval", params(ApprovalQuery),
    responses((status = OK, body = PageView<ApprovalView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ApprovalQuery>,
) -> ListAnswer<ApprovalView> {
    caller.operator()?;
    let page = query.page();
    let status = |text: &str| word(text, "status", &ApprovalStatus::ALL, ApprovalStatus::name);
    let kind = |text: &str| word(text, "kind", domain::approval::Proposal::KINDS, |kind| kind);
    let filter = store::approval::ApprovalFilter {
        kind: query.kind.as_deref().map(kind).transpose()?.map(str::to_owned),
        status: query.status.as_deref().map(status).transpose()?,
        maker: parse_some(query.maker.as_deref(), "maker")?,
    };
    app.list(filter, page, |_, approval| ApprovalView::of(approval)).await
}
