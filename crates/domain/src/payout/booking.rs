//! The vouchers of a payout, as the header of [`super`] lists them.

use alloc::vec;
use alloc::vec::Vec;

use super::{Destination, Payout};
use crate::account::{AccountStatus, Owner};
use crate::attempt::Rail;
use crate::book::Subject;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::ids::VoucherId;
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

/// Dr account / Cr 2212, amount and fee.
pub(super) fn sent(draft: &mut Draft<'_>, payout: &Payout) -> Result<VoucherId, Refusal> {
    let transit = draft.state.institution(Subject::PayoutTransit, payout.currency)?;
    let (total, currency) = (payout.total(), payout.currency);
    let entries = vec![Entry::debit(payout.account, total, currency), Entry::credit(transit, total, currency)];
    post(draft, payout, EventCode::PayoutSent, entries, None)
}

/// Dr 2212 / Cr 1121 or the own 2206, Cr 2291 and its mirror Dr 1291 / Cr 5001 for the fee.
pub(super) fn succeeded(
    draft: &mut Draft<'_>,
    payout: &Payout,
    clearing_date: Option<Date>,
) -> Result<VoucherId, Refusal> {
    let currency = payout.currency;
    let own = |subject| draft.state.institution(subject, currency);
    let to = match &payout.destination {
        Destination::Bank(_) | Destination::Settlement(_) => own(Rail::Epcc.subject())?,
        Destination::Company(account) => *account,
    };
    let mut entries = vec![
        Entry::debit(own(Subject::PayoutTransit)?, payout.total(), currency),
        Entry::credit(to, payout.amount, currency),
    ];
    if payout.fee > 0 {
        entries.push(Entry::credit(own(Subject::DueToOwn)?, payout.fee, currency));
        entries.push(Entry::debit(own(Subject::DueFromReserve)?, payout.fee, currency));
        entries.push(Entry::credit(own(Subject::FeeIncome)?, payout.fee, currency));
    }
    let dimensions = Dimensions { clearing_date, ..dimensions(draft.state, payout) };
    draft.post(number(payout), EventCode::PayoutSucceeded, entries, dimensions)
}

/// Dr 2212 / Cr account: the contra of [`sent`].
pub(super) fn failed(draft: &mut Draft<'_>, payout: &Payout) -> Result<VoucherId, Refusal> {
    let transit = draft.state.institution(Subject::PayoutTransit, payout.currency)?;
    let (total, currency) = (payout.total(), payout.currency);
    let entries = vec![Entry::debit(transit, total, currency), Entry::credit(payout.account, total, currency)];
    post(draft, payout, EventCode::PayoutFailed, entries, payout.sent)
}

/// Dr 1121 / Cr 2241: the money is back.
pub(super) fn returned(draft: &mut Draft<'_>, payout: &Payout, date: Date) -> Result<VoucherId, Refusal> {
    let clearing = draft.state.institution(Rail::Epcc.subject(), payout.currency)?;
    let suspense = draft.state.institution(Subject::Suspense, payout.currency)?;
    let entries = vec![
        Entry::debit(clearing, payout.amount, payout.currency),
        Entry::credit(suspense, payout.amount, payout.currency),
    ];
    let dimensions = Dimensions { clearing_date: Some(date), ..dimensions(draft.state, payout) };
    draft.post(number(payout), EventCode::PayoutReturned, entries, dimensions)
}

/// Dr 2241 / Cr the account that paid; `None` if it takes no money any more, which leaves the money in suspense for an
/// operator to allocate. A deduction that comes back never left for its account: it may be barred for in.
pub(super) fn credited(draft: &mut Draft<'_>, payout: &Payout) -> Result<Option<VoucherId>, Refusal> {
    let account = draft.state.account(payout.account, "account")?;
    let deducted = payout.freeze.is_some();
    if account.status == AccountStatus::Closed || (account.barred().in_barred && !deducted) {
        return Ok(None);
    }
    let suspense = draft.state.institution(Subject::Suspense, payout.currency)?;
    let entries = vec![
        Entry::debit(suspense, payout.amount, payout.currency),
        Entry::credit(payout.account, payout.amount, payout.currency),
    ];
    let contra_of = payout.sent.filter(|_| deducted);
    post(draft, payout, EventCode::SuspenseAllocated, entries, contra_of).map(Some)
}

fn post(
    draft: &mut Draft<'_>,
    payout: &Payout,
    event: EventCode,
    entries: Vec<Entry>,
    contra_of: Option<VoucherId>,
) -> Result<VoucherId, Refusal> {
    let dimensions = dimensions(draft.state, payout);
    draft.post_contra(number(payout), event, entries, dimensions, contra_of)
}

pub(super) fn number(payout: &Payout) -> BusinessNumber {
    BusinessNumber::object(BusinessKind::Payout, payout.id.0)
}

pub(super) fn dimensions(state: &State, payout: &Payout) -> Dimensions {
    let merchant = match state.accounts.get(payout.account.0).map(|account| account.owner) {
        Some(Owner::Merchant(id)) => Some(id),
        Some(Owner::User(_) | Owner::Institution) | None => None,
    };
    let channel = payout.destination.receiver().map(|_| Rail::Epcc.name().into());
    Dimensions { merchant, channel, ..Dimensions::default() }
}
