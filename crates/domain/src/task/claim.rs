//! A claim (追索): what a channel gave out besides what it was to, since it carried out what it had refused. Its bank owes it.

use alloc::vec;

use crate::attempt::Attempt;
use crate::book::Subject;
use crate::draft::Draft;
use crate::ids::VoucherId;
use crate::refusal::Refusal;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

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
