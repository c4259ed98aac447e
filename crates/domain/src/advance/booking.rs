//! The vouchers of an advance: its sending, the fee that its success earns, and the contra.

use alloc::vec;
use alloc::vec::Vec;

use super::Advance;
use crate::attempt::Rail;
use crate::book::{Side, Subject};
use crate::draft::Draft;
use crate::ids::{AccountId, AdvanceId, MerchantId, VoucherId};
use crate::money::{Currency, Minor, subtract};
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

/// OWN Dr 1151 / Cr 1103 · Dr 2202 / Cr 2292, and a fee: Cr where it waits, or, if that is nowhere, [`earned`].
pub(super) fn sent(
    state: &State,
    from: AccountId,
    amount: Minor,
    (fee, fee_on): (Minor, Option<AccountId>),
    currency: Currency,
) -> Result<Vec<Entry>, Refusal> {
    let own = |subject| state.institution(subject, currency);
    let outlay = subtract(amount, fee, "orders")?;
    let mut entries = vec![
        Entry::debit(own(Subject::Advances)?, outlay, currency),
        Entry::credit(own(Subject::OwnBank)?, outlay, currency),
        Entry::debit(from, amount, currency),
        Entry::credit(own(Subject::OwnClaims)?, outlay, currency),
    ];
    match fee_on {
        Some(waits) => entries.push(Entry::credit(waits, fee, currency)),
        None if fee > 0 => entries.extend(earned(state, fee, currency)?),
        None => {}
    }
    Ok(entries)
}

/// Cr 2291 · OWN Dr 1291 / Cr 5001.
fn earned(state: &State, fee: Minor, currency: Currency) -> Result<[Entry; 3], Refusal> {
    let own = |subject| state.institution(subject, currency);
    Ok([
        Entry::credit(own(Subject::DueToOwn)?, fee, currency),
        Entry::debit(own(Subject::DueFromReserve)?, fee, currency),
        Entry::credit(own(Subject::FeeIncome)?, fee, currency),
    ])
}

/// The merchant has it: a fee that waited for that is the institution's.
pub(super) fn earn(draft: &mut Draft<'_>, id: AdvanceId) -> Result<(), Refusal> {
    let Advance { merchant, fee, fee_on, currency, .. } = *draft.state.advance(id)?;
    let Some(waits) = fee_on else { return Ok(()) };
    let mut entries = vec![Entry::debit(waits, fee, currency)];
    entries.extend(earned(draft.state, fee, currency)?);
    post(draft, id, merchant, EventCode::AdvanceFeeEarned, entries, None).map(|_| ())
}

/// The contra of its sending, with the merchant's money to this account; a fee comes from where it lies by now.
pub(super) fn contra(state: &State, advance: &Advance, to: AccountId) -> Result<Vec<Entry>, Refusal> {
    let lies_on = advance.fee_on.filter(|_| advance.is_uncertain());
    let mut entries = sent(state, to, advance.amount, (advance.fee, lies_on), advance.currency)?;
    for entry in &mut entries {
        entry.side = Side::opposite(entry.side);
    }
    Ok(entries)
}

/// Posts a voucher of an advance under its number.
pub(super) fn post(
    draft: &mut Draft<'_>,
    id: AdvanceId,
    merchant: MerchantId,
    event: EventCode,
    entries: Vec<Entry>,
    contra_of: Option<VoucherId>,
) -> Result<VoucherId, Refusal> {
    let business = BusinessNumber::object(BusinessKind::Advance, id.0);
    let channel = Some(Rail::OwnBank.name().into());
    let dimensions = Dimensions { merchant: Some(merchant), channel, ..Dimensions::default() };
    draft.post_contra(business, event, entries, dimensions, contra_of)
}
