//! An advance that came back (退票): the merchant's bank sent own money's payment back after its success.
//!
//! ```text
//!  SUCCESS  OWN Dr 1103 4,990 / Cr 1151 4,990 · Dr 2292 4,990 / Cr 2202 4,990   (the contra of SENT, and of a fee's SUCCESS)
//!  REPAID   OWN Dr 1103 4,990 / Cr 1291 4,990 · Dr 2291 4,990 / Cr 2203 4,990
//!  FAILED, and paid after all: see `late`
//! ```
//! Before the reserve has paid it back it is as if it had not been sent: the shares are unsettled again, and settled as ever.
//! Afterwards own money has been paid twice, by the reserve and by what came back. The second is the merchant's: the reserve
//! owes own money so much less, and owes it to the merchant, whose shares stay settled. If it owes too little, own money is
//! injected first. Between instruction and line nobody knows which of the two it is, so the return waits for the line.
//!
//! A fee is given back from 2291, which had it of the success; if there is too little, own money is injected first too. An account
//! that takes no money any more leaves it in suspense, with the shares as they are. Nothing more goes to that settlement account
//! until it is verified.
//!
//! Of one that its bank paid after it had failed, own money has what it claimed. If 1241 has it no more, since a voucher took the claim off,
//! that voucher is undone first.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use super::{Advance, AdvanceEvent, AdvanceStatus, booking, late};
use crate::account::AccountStatus;
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, AdvanceId};
use crate::payout;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{Entry, EventCode};

/// Books the return of an advance that had arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAdvance {
    /// Which.
    pub advance: AdvanceId,
    /// The bank's reference of the return, 1 to 128 bytes.
    pub reference: String,
    /// The date on which it came back.
    pub date: Date,
}

/// # Errors
/// `advance_unknown`, `advance_state`, `value_invalid` for the reference, and those of the voucher: `insufficient_funds` if the
/// reserve owes own money too little: the fee, or all of it after the repayment; or if 1241 has no claim on it any more.
pub(super) fn decide(draft: &mut Draft<'_>, command: ReturnAdvance) -> Result<Reply, Refusal> {
    let ReturnAdvance { advance: id, reference, date } = command;
    let advance = draft.state.advance(id)?.clone();
    can_return(&advance)?;
    payout::check_reference(&reference)?;
    let credited = credited(draft.state, &advance)?;
    let unsent = credited == advance.from;
    if unsent {
        // What was advanced of them is unsettled again.
        advance.shares.iter().try_for_each(|share| draft.state.order(share.order).map(drop))?;
    }
    let entries = entries(draft.state, &advance, credited)?;
    let contra_of = unsent.then_some(advance.voucher);
    let voucher = booking::post(draft, id, advance.merchant, EventCode::AdvanceReturned, entries, contra_of)?;
    draft.emit(Event::Advance(AdvanceEvent::Returned { advance: id, voucher, credited, reference, date }));
    payout::suspend_settlement(draft, advance.to)?;
    Ok(Reply::Advance(id))
}

/// Whether its return may be booked now: the merchant had it, if only after all, and no repayment is on its way.
pub(super) fn can_return(advance: &Advance) -> Result<(), Refusal> {
    let message = match (advance.status, advance.repayment) {
        (AdvanceStatus::Success, None) | (AdvanceStatus::Repaid, _) => return Ok(()),
        (AdvanceStatus::Failed, _) if advance.claim.is_some() => return Ok(()),
        (AdvanceStatus::Success, Some(transfer)) => {
            format!("{} is being paid back by {transfer}; cancel that, or wait for its line", advance.id)
        }
        (AdvanceStatus::Sent | AdvanceStatus::Unknown | AdvanceStatus::Failed | AdvanceStatus::Returned, _) => {
            format!("{} is {}; only one that arrived comes back", advance.id, advance.status.name())
        }
    };
    Err(Refusal::new(RefusalCode::AdvanceState, "advance", message))
}

/// The account that takes it: 2202, or 2203 once it was paid back; suspense where that takes no money any more. What bars an
/// account does not bar the contra of its own sending. Of a claim, what bore it.
fn credited(state: &State, advance: &Advance) -> Result<AccountId, Refusal> {
    if advance.claim.is_some() {
        return late::borne_by(state, advance);
    }
    let repaid = advance.status == AdvanceStatus::Repaid;
    let id = if repaid { advance.to } else { advance.from };
    let account = state.account(id, "account")?;
    if account.status == AccountStatus::Closed || (repaid && account.barred().in_barred) {
        return state.institution(Subject::Suspense, advance.currency);
    }
    Ok(id)
}

/// The entries of the table above.
fn entries(state: &State, advance: &Advance, credited: AccountId) -> Result<Vec<Entry>, Refusal> {
    if advance.claim.is_some() {
        return late::back(state, advance, credited);
    }
    if advance.status != AdvanceStatus::Repaid {
        return booking::contra(state, advance, credited);
    }
    let Advance { amount, fee, currency, .. } = *advance;
    let own = |subject| state.institution(subject, currency);
    let mut entries = vec![
        Entry::debit(own(Subject::DueToOwn)?, amount, currency),
        Entry::credit(credited, amount, currency),
        Entry::debit(own(Subject::OwnBank)?, advance.outlay(), currency),
        Entry::credit(own(Subject::DueFromReserve)?, amount, currency),
    ];
    if fee > 0 {
        entries.push(Entry::debit(own(Subject::FeeIncome)?, fee, currency));
    }
    Ok(entries)
}

/// Folds a return into the state.
pub(super) fn apply(state: &mut State, id: AdvanceId, credited: AccountId, reference: &str, date: Date) {
    let now = state.now;
    let advance = super::row(state, id);
    advance.status = AdvanceStatus::Returned;
    advance.return_reference = Some(reference.into());
    advance.return_date = Some(date);
    advance.ended_at = Some(now);
    let advance = advance.clone();
    state.claimed_advances.remove(&id);
    if credited == advance.from {
        super::move_shares(state, &advance, -1);
    }
}
