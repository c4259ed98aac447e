//! Approvals (复核): what takes two people, a maker and a checker who is someone else.
//!
//! A guarded step asks [`require`] first: it is refused unless it is being carried out for an approval, so no other way
//! leads to it.

use alloc::format;
use alloc::string::String;

use crate::draft::Draft;
use crate::envelope::Actor;
use crate::ids::ApprovalId;
use crate::refusal::{Refusal, RefusalCode};

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

impl Draft<'_> {
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
