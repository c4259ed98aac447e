//! An advance that its bank had refused, and paid after all.
//!
//! ```text
//!  the late word   OWN Dr 1241 4,990 / Cr 1103 4,990       (if 1103 has less: nothing yet, and the same when two people settle it)
//!  back (退票)      OWN Dr 1103 4,990 / Cr 1241 4,990       (if the claim was not booked: Dr 1103 / Cr 1103, for what left and came)
//! ```
//! Its failure gave 1103 the money back, its shares are unsettled again, and by now they may be settled, refunded or advanced anew: the
//! merchant may have them twice. So nothing of an order is touched; the advance stays FAILED, and what left is a claim of own money on
//! whoever has it, the bank or the merchant. 1131 is not for that: it is the reserve's.
//!
//! 1103 is never overdrawn, and an answer is never refused for want of money: what 1103 does not have is not booked. The claim is a task all
//! the same, which cannot be settled before own money bears it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{Advance, AdvanceEvent, AdvanceStatus, booking};
use crate::book::Subject;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, AdvanceId, VoucherId};
use crate::money::Minor;
use crate::refusal::Refusal;
use crate::state::State;
use crate::task::Claim;
use crate::voucher::{Entry, EventCode};

/// Takes the word that the bank paid it, whatever own money has.
pub(super) fn paid(draft: &mut Draft<'_>, id: AdvanceId, reference: &str) {
    // Whatever bars the voucher now, the word is true: two people find the claim unbooked, and settling it books it.
    let voucher = post(draft, id).ok();
    let reference = String::from(reference);
    draft.emit(Event::Advance(AdvanceEvent::Claimed { advance: id, reference, voucher }));
}

/// Books the claim, unless its voucher was posted with the bank's word.
///
/// # Errors
/// Those of the voucher: `insufficient_funds` while 1103 has less than what left.
pub(crate) fn book(draft: &mut Draft<'_>, id: AdvanceId) -> Result<(), Refusal> {
    if draft.state.advance(id)?.claim_voucher.is_none() {
        let voucher = post(draft, id)?;
        draft.emit(Event::Advance(AdvanceEvent::ClaimBooked { advance: id, voucher }));
    }
    Ok(())
}

fn post(draft: &mut Draft<'_>, id: AdvanceId) -> Result<VoucherId, Refusal> {
    let advance = draft.state.advance(id)?;
    let (merchant, outlay, currency) = (advance.merchant, advance.outlay(), advance.currency);
    let own = |subject| draft.state.institution(subject, currency);
    let entries = vec![
        Entry::debit(own(Subject::Shortages)?, outlay, currency),
        Entry::credit(own(Subject::OwnBank)?, outlay, currency),
    ];
    booking::post(draft, id, merchant, EventCode::AdvanceClaimed, entries, None)
}

/// Folds the word into the state.
pub(super) fn apply(state: &mut State, id: AdvanceId, reference: &str, voucher: Option<VoucherId>) {
    let advance = super::row(state, id);
    advance.reference = Some(String::from(reference));
    (advance.claim, advance.claim_voucher) = (Some(Claim::Open), voucher);
    state.claimed_advances.insert(id, ());
}

impl Advance {
    /// Where its claim stands, as API and files name it: one that came back before two people settled it is nobody's to settle.
    #[must_use]
    pub fn claim_name(&self) -> Option<&'static str> {
        let claim = self.claim?;
        let is_back = self.status == AdvanceStatus::Returned && claim == Claim::Open;
        Some(if is_back { "returned" } else { claim.name() })
    }
}

impl State {
    /// What left own money of advances that had failed, in minor units, until two people settle it or it comes back.
    pub(super) fn claimed_of_advances(&self) -> Minor {
        let claimed = self.claimed_advances.iter().filter_map(|(id, ())| self.advances.get(id.0));
        claimed.fold(0, |sum, advance| sum.saturating_add(advance.outlay()))
    }
}

/// What bears the claim: 1241, or 1103 itself while nothing is booked.
pub(super) fn borne_by(state: &State, advance: &Advance) -> Result<AccountId, Refusal> {
    let subject = if advance.claim_voucher.is_some() { Subject::Shortages } else { Subject::OwnBank };
    state.institution(subject, advance.currency)
}

/// It came back to own money from what bore it.
pub(super) fn back(state: &State, advance: &Advance, borne_by: AccountId) -> Result<Vec<Entry>, Refusal> {
    let (outlay, currency) = (advance.outlay(), advance.currency);
    let own = state.institution(Subject::OwnBank, currency)?;
    Ok(vec![Entry::debit(own, outlay, currency), Entry::credit(borne_by, outlay, currency)])
}
