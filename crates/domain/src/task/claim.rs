//! A claim (追索): what a channel gave out besides what it was to, since it carried out what it had refused. Its bank owes it.

use alloc::vec;

use minicbor::{Decode, Encode};

use crate::attempt::Attempt;
use crate::book::Subject;
use crate::draft::Draft;
use crate::ids::{ApprovalId, VoucherId};
use crate::refusal::Refusal;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Claim {
    /// It waits for two people.
    #[n(0)]
    Open,
    /// They said that it is settled, by this approval.
    #[n(1)]
    Settled(#[n(0)] ApprovalId),
}

impl Claim {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled(_) => "settled",
        }
    }

    /// The approval by which it was settled.
    #[must_use]
    pub const fn settled_by(self) -> Option<ApprovalId> {
        match self {
            Self::Open => None,
            Self::Settled(approval) => Some(approval),
        }
    }
}

/// Dr 1131 / Cr the rail, under the attempt's number: what an attempt did is claimed once.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn post(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    event: EventCode,
    dimensions: Dimensions,
) -> Result<VoucherId, Refusal> {
    let (amount, currency) = attempt.operation.money();
    let owes = draft.state.institution(Subject::ReceivableFund, currency)?;
    let rail = draft.state.institution(attempt.rail.subject(), currency)?;
    // Of a fund both are 1131: what its file takes from the reserve is then the claim.
    let entries = vec![Entry::debit(owes, amount, currency), Entry::credit(rail, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    draft.post(business, event, entries, dimensions)
}
