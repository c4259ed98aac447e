//! Approvals (复核): what takes two people, a maker and a checker who is someone else.
//!
//! ```text
//!  propose ─► PENDING ─ approve: another operator, its role, a fresh one-time code ─► APPROVED, carried out at once
//!               ├ the guarded step is refused as things stand now: stays PENDING, the checker is told why
//!               ├ reject, by one who could approve ─► REJECTED
//!               ├ withdraw, by its maker ─► WITHDRAWN
//!               └ seven days ─► EXPIRED
//! ```
//! A guarded step asks [`require`] first: it is refused unless it is being carried out for an approval, so no other way
//! leads to it. A proposal is tried when it is made and taken back, so what would be refused now is refused to its maker;
//! what counts is how things stand when it is approved. Maker and checker must both be active and have the role at that
//! moment. A code's time step is used up by the approval it let through and by nothing else.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::command::{self, Reply};
use crate::draft::Draft;
use crate::envelope::{Actor, Time};
use crate::event::Event;
use crate::ids::{ApprovalId, OperatorId};
use crate::operator::{Operator, Role};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};

mod proposal;
#[cfg(test)]
mod tests;

pub use proposal::Proposal;

/// How long a proposal waits for its checker: seven days.
pub const LIFETIME_MS: i64 = 7 * 86_400_000;
/// The most bytes of a reason, a remark or the name of a piece of evidence.
pub const MAX_TEXT: usize = 512;

/// Two people's decision, while it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The approval.
    pub id: ApprovalId,
    /// Who proposed it, by login name.
    pub maker: String,
    /// Who approved it, by login name.
    pub checker: String,
}

/// The digest's algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DigestAlgorithm {
    /// SM3 (GB/T 32905).
    #[n(0)]
    Sm3,
    /// SHA-256.
    #[n(1)]
    Sha256,
}

impl DigestAlgorithm {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sm3 => "SM3",
            Self::Sha256 => "SHA-256",
        }
    }
}

/// A document that lies elsewhere, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// What it is called there.
    #[n(0)]
    pub name: String,
    /// How the digest was made.
    #[n(1)]
    pub algorithm: DigestAlgorithm,
    /// The digest of its bytes.
    #[n(2)]
    pub digest: ByteArray<32>,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ApprovalStatus {
    /// Waits for a checker.
    #[n(0)]
    Pending,
    /// Approved and carried out.
    #[n(1)]
    Approved,
    /// A checker said no.
    #[n(2)]
    Rejected,
    /// Its maker took it back.
    #[n(3)]
    Withdrawn,
    /// Nobody decided in time.
    #[n(4)]
    Expired,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Rejected, Self::Withdrawn, Self::Expired];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// A proposal and what two people made of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Approval {
    /// Its id.
    #[n(0)]
    pub id: ApprovalId,
    /// What is proposed.
    #[n(1)]
    pub proposal: Proposal,
    /// Why.
    #[n(2)]
    pub reason: String,
    /// What shows it.
    #[n(3)]
    pub evidence: Option<Evidence>,
    /// Who proposed it.
    #[n(4)]
    pub maker: OperatorId,
    /// When.
    #[n(5)]
    pub created_at: Time,
    /// When it lapses.
    #[n(6)]
    pub expires_at: Time,
    /// Where it stands.
    #[n(7)]
    pub status: ApprovalStatus,
    /// Who approved or rejected it.
    #[n(8)]
    pub checker: Option<OperatorId>,
    /// When it ended.
    #[n(9)]
    pub decided_at: Option<Time>,
    /// What the checker said.
    #[n(10)]
    pub remark: Option<String>,
    /// What came of carrying it out.
    #[n(11)]
    pub outcome: Option<Reply>,
}

impl Approval {
    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            ApprovalStatus::Pending => &["approve", "reject", "withdraw"],
            ApprovalStatus::Approved
            | ApprovalStatus::Rejected
            | ApprovalStatus::Withdrawn
            | ApprovalStatus::Expired => &[],
        }
    }
}

/// Proposes a guarded step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propose {
    /// What is proposed.
    pub proposal: Proposal,
    /// Why.
    pub reason: String,
    /// What shows it.
    pub evidence: Option<Evidence>,
}

/// What is wanted of an approval. Who wants it is the operator who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalCommand {
    /// Propose a guarded step.
    Propose(Box<Propose>),
    /// Approve it: it is carried out.
    Approve {
        /// Which.
        approval: ApprovalId,
        /// The time step of the checker's one-time code, which was verified outside.
        totp_step: u64,
        /// What the checker has to say.
        remark: Option<String>,
    },
    /// Say no.
    Reject {
        /// To which.
        approval: ApprovalId,
        /// Why.
        remark: String,
    },
    /// Take one's own proposal back.
    Withdraw(ApprovalId),
}

/// What happened to an approval.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ApprovalEvent {
    /// It was proposed.
    #[n(0)]
    Proposed(#[n(0)] Box<Approval>),
    /// It was approved; what it carried out stands before this event.
    #[n(1)]
    Approved {
        /// Which.
        #[n(0)]
        approval: ApprovalId,
        /// By whom.
        #[n(1)]
        checker: OperatorId,
        /// The time step of the checker's one-time code.
        #[n(2)]
        totp_step: u64,
        /// What the checker said.
        #[n(3)]
        remark: Option<String>,
        /// What came of it.
        #[n(4)]
        outcome: Reply,
    },
    /// It was rejected.
    #[n(2)]
    Rejected {
        /// Which.
        #[n(0)]
        approval: ApprovalId,
        /// By whom.
        #[n(1)]
        checker: OperatorId,
        /// Why.
        #[n(2)]
        remark: String,
    },
    /// Its maker took it back.
    #[n(3)]
    Withdrawn(#[n(0)] ApprovalId),
    /// Nobody decided in time.
    #[n(4)]
    Expired(#[n(0)] ApprovalId),
}

/// The approval that a guarded step is carried out for.
///
/// # Errors
/// `approval_required` where there is none; `what` names the step.
pub fn require<'d>(draft: &'d Draft<'_>, what: &str) -> Result<&'d Approved, Refusal> {
    draft.approved.as_ref().ok_or_else(|| {
        let message = format!("{what} takes two people: propose it as an approval, and another operator approves it");
        Refusal::new(RefusalCode::ApprovalRequired, "approval", message)
    })
}

/// Proposes, approves, rejects or withdraws.
///
/// # Errors
/// `not_an_operator`, `operator_state`, `role_missing`, `same_person`, `approval_unknown`, `approval_state`,
/// `approval_expired`, `totp_replayed`, `value_invalid` for a text, and every refusal of the guarded step.
pub fn decide(draft: &mut Draft<'_>, command: ApprovalCommand) -> Result<Reply, Refusal> {
    match command {
        ApprovalCommand::Propose(propose) => decide_propose(draft, *propose),
        ApprovalCommand::Approve { approval, totp_step, remark } => decide_approve(draft, approval, totp_step, remark),
        ApprovalCommand::Reject { approval, remark } => decide_reject(draft, approval, remark),
        ApprovalCommand::Withdraw(approval) => decide_withdraw(draft, approval),
    }
}

fn decide_propose(draft: &mut Draft<'_>, propose: Propose) -> Result<Reply, Refusal> {
    let Propose { mut proposal, reason, evidence } = propose;
    let maker = draft.state.acting_operator(&draft.context.actor)?;
    has_role(maker, proposal.makers(), &proposal)?;
    check_text(&reason, "reason")?;
    match &evidence {
        Some(evidence) => check_text(&evidence.name, "evidence.name")?,
        None if proposal.needs_evidence() => {
            let message = format!("'{}' needs evidence: name a document and its digest", proposal.kind());
            return Err(Refusal::new(RefusalCode::EvidenceRequired, "evidence", message));
        }
        None => {}
    }
    let (maker, login) = (maker.id, maker.login.clone());
    let id = ApprovalId(draft.state.approvals.next_id());
    proposal.note_what_is_there(draft.state);
    let command = proposal.clone().command();
    draft.trial(|draft| {
        carried_out(draft, Approved { id, maker: login, checker: String::from("nobody yet") }, command)
    })?;
    let created_at = draft.context.now;
    draft.emit(Event::Approval(ApprovalEvent::Proposed(Box::new(Approval {
        id,
        proposal,
        reason,
        evidence,
        maker,
        created_at,
        expires_at: created_at.plus_ms(LIFETIME_MS),
        status: ApprovalStatus::Pending,
        checker: None,
        decided_at: None,
        remark: None,
        outcome: None,
    }))));
    Ok(Reply::Approval(id))
}

fn decide_approve(
    draft: &mut Draft<'_>,
    id: ApprovalId,
    totp_step: u64,
    remark: Option<String>,
) -> Result<Reply, Refusal> {
    let approval = draft.pending(id)?;
    let checker = checker(draft, approval)?;
    if totp_step <= checker.last_totp_step {
        let message = format!("{} used this one-time code or a later one before; wait for the next", checker.id);
        return Err(Refusal::new(RefusalCode::TotpReplayed, "totp", message));
    }
    let maker = draft.state.operator(approval.maker)?;
    if !maker.is_active() {
        let message = format!("{}, who made it, is suspended; reject {id}", maker.id);
        return Err(Refusal::new(RefusalCode::OperatorState, "maker", message));
    }
    has_role(maker, approval.proposal.makers(), &approval.proposal)?;
    if let Some(remark) = &remark {
        check_text(remark, "remark")?;
    }
    let approved = Approved { id, maker: maker.login.clone(), checker: checker.login.clone() };
    let (checker, command) = (checker.id, approval.proposal.clone().command());
    let outcome = carried_out(draft, approved, command)?;
    draft.emit(Event::Approval(ApprovalEvent::Approved { approval: id, checker, totp_step, remark, outcome }));
    Ok(Reply::Approval(id))
}

fn decide_reject(draft: &mut Draft<'_>, id: ApprovalId, remark: String) -> Result<Reply, Refusal> {
    let approval = draft.pending(id)?;
    let checker = checker(draft, approval)?.id;
    check_text(&remark, "remark")?;
    draft.emit(Event::Approval(ApprovalEvent::Rejected { approval: id, checker, remark }));
    Ok(Reply::Approval(id))
}

fn decide_withdraw(draft: &mut Draft<'_>, id: ApprovalId) -> Result<Reply, Refusal> {
    let approval = draft.pending(id)?;
    let operator = draft.state.acting_operator(&draft.context.actor)?;
    if operator.id != approval.maker {
        let message = format!("{id} was made by {}; only that one takes it back, another rejects it", approval.maker);
        return Err(Refusal::new(RefusalCode::NotTheMaker, "approval", message));
    }
    draft.emit(Event::Approval(ApprovalEvent::Withdrawn(id)));
    Ok(Reply::Approval(id))
}

/// Decides `command` as approved.
fn carried_out(draft: &mut Draft<'_>, approved: Approved, command: command::Command) -> Result<Reply, Refusal> {
    draft.approved = Some(approved);
    let outcome = command::decide(draft, command);
    draft.approved = None;
    outcome
}

/// The operator who acts, if it may check this.
fn checker<'d>(draft: &'d Draft<'_>, approval: &Approval) -> Result<&'d Operator, Refusal> {
    let checker = draft.state.acting_operator(&draft.context.actor)?;
    if checker.id == approval.maker {
        let message = format!("{} made {} and cannot check it; another operator must", checker.id, approval.id);
        return Err(Refusal::new(RefusalCode::SamePerson, "approval", message));
    }
    has_role(checker, approval.proposal.checkers(), &approval.proposal)?;
    if approval.proposal.concerns() == Some(checker.id) {
        let message =
            format!("{} would change the rights of {} itself; another must check it", approval.id, checker.id);
        return Err(Refusal::new(RefusalCode::SamePerson, "approval", message));
    }
    Ok(checker)
}

fn has_role(operator: &Operator, roles: &[Role], proposal: &Proposal) -> Result<(), Refusal> {
    if operator.has_any(roles) {
        return Ok(());
    }
    let names = roles.iter().map(|role| role.name()).collect::<alloc::vec::Vec<_>>().join(" or ");
    let message = format!("{} has no role for '{}'; it takes {names}", operator.id, proposal.kind());
    Err(Refusal::new(RefusalCode::RoleMissing, "operator", message))
}

/// Refuses a text that is blank or too long.
pub(crate) fn check_text(text: &str, param: &'static str) -> Result<(), Refusal> {
    if !text.trim().is_empty() && text.len() <= MAX_TEXT {
        return Ok(());
    }
    let message = format!("{param} has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
    Err(Refusal::new(RefusalCode::ValueInvalid, param, message))
}

/// The timer ran out.
pub(crate) fn expire(draft: &mut Draft<'_>, id: ApprovalId) {
    if draft.state.approvals.get(id.0).is_some_and(|approval| approval.status == ApprovalStatus::Pending) {
        draft.emit(Event::Approval(ApprovalEvent::Expired(id)));
    }
}

impl State {
    /// The approval.
    ///
    /// # Errors
    /// `approval_unknown`.
    pub fn approval(&self, id: ApprovalId) -> Result<&Approval, Refusal> {
        let unknown = || Refusal::new(RefusalCode::ApprovalUnknown, "approval", format!("there is no approval {id}"));
        self.approvals.get(id.0).ok_or_else(unknown)
    }
}

/// Folds what happened to an approval into the state.
pub(crate) fn apply(state: &mut State, event: &ApprovalEvent) {
    match event {
        ApprovalEvent::Proposed(approval) => {
            state.timers.insert((approval.expires_at, Timer::Approval(approval.id)), ());
            state.approvals.insert(approval.id.0, Approval::clone(approval));
        }
        ApprovalEvent::Approved { approval, checker, totp_step, remark, outcome } => {
            let row = end(state, *approval, ApprovalStatus::Approved);
            (row.checker, row.remark, row.outcome) = (Some(*checker), remark.clone(), Some(outcome.clone()));
            let checker = state.operators.get_mut(checker.0).expect("decide checked the checker");
            checker.last_totp_step = *totp_step;
        }
        ApprovalEvent::Rejected { approval, checker, remark } => {
            let row = end(state, *approval, ApprovalStatus::Rejected);
            (row.checker, row.remark) = (Some(*checker), Some(remark.clone()));
        }
        ApprovalEvent::Withdrawn(id) => {
            end(state, *id, ApprovalStatus::Withdrawn);
        }
        ApprovalEvent::Expired(id) => {
            end(state, *id, ApprovalStatus::Expired);
        }
    }
}

fn end(state: &mut State, id: ApprovalId, status: ApprovalStatus) -> &mut Approval {
    let now = state.now;
    let approval = state.approvals.get_mut(id.0).expect("decide checked the approval");
    approval.status = status;
    approval.decided_at = Some(now);
    state.timers.remove(&(approval.expires_at, Timer::Approval(id)));
    approval
}

impl Draft<'_> {
    /// The approval, if it still waits for a checker.
    fn pending(&self, id: ApprovalId) -> Result<&Approval, Refusal> {
        let approval = self.state.approval(id)?;
        if approval.status != ApprovalStatus::Pending {
            let message = format!("{id} is {}; only a pending one can be decided", approval.status.name());
            return Err(Refusal::new(RefusalCode::ApprovalState, "approval", message));
        }
        if approval.expires_at <= self.context.now {
            let message = format!("{id} was not decided within seven days; propose it again");
            return Err(Refusal::new(RefusalCode::ApprovalExpired, "approval", message));
        }
        Ok(approval)
    }

    /// Who does it, for what keeps a name: the maker of an approval, else the actor.
    #[must_use]
    pub fn operator(&self) -> String {
        match (&self.approved, &self.context.actor) {
            (Some(approved), _) => approved.maker.clone(),
            (None, Actor::Operator(login)) => login.clone(),
            (None, Actor::User(id)) => format!("{id}"),
            (None, Actor::Merchant { merchant, .. }) => format!("{merchant}"),
            (None, Actor::Timer) => String::from("timer"),
            (None, Actor::Channel(name)) => name.clone(),
        }
    }

    /// Who approved it, where that was needed.
    #[must_use]
    pub fn approver(&self) -> Option<String> {
        self.approved.as_ref().map(|approved| approved.checker.clone())
    }
}
