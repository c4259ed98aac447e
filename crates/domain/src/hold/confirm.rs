//! The vouchers of a hold: held money leaves the account, announced money comes to it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{Hold, HoldConfirm, HoldDirection, HoldEvent, HoldPart, check_confirm, free_hold, held_of};
use crate::book::Side;
use crate::bulk::BulkConfirm;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, HoldId, VoucherId};
use crate::money::{Minor, add, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode, Voucher, check, refuse_entries_by_hand};

/// The most confirms of one hold: they stand on its row.
pub(super) const MAX_CONFIRMS: usize = 100;
/// The most receivers of one confirm.
pub(super) const MAX_PARTS: usize = 100;

/// Moves `amount` of held money, all if none, to one receiver.
pub(super) fn to_one(
    draft: &mut Draft<'_>,
    id: HoldId,
    amount: Option<Minor>,
    to: AccountId,
) -> Result<Reply, Refusal> {
    let date = draft.state.days.posting_date(None)?;
    let parts = whole_or(draft.state, id, amount, Some(to))?;
    book(draft, id, parts, date).map(|_| Reply::Hold(id))
}

/// Moves held money, or books announced money, as an item of a bulk posting.
pub(super) fn item(draft: &mut Draft<'_>, item: &BulkConfirm, date: Date) -> Result<VoucherId, Refusal> {
    let parts = whole_or(draft.state, item.hold, item.amount, item.to)?;
    book(draft, item.hold, parts, date)
}

/// One part of `amount`, all that is held if none: to the receiver, or without one from the source of announced money.
fn whole_or(state: &State, id: HoldId, amount: Option<Minor>, to: Option<AccountId>) -> Result<Vec<HoldPart>, Refusal> {
    let direction = if to.is_some() { HoldDirection::Out } else { HoldDirection::In };
    let hold = of_direction(state, id, direction)?;
    let account = to.or(hold.source).expect("announced money names its source");
    Ok(vec![HoldPart { account, amount: amount.unwrap_or(hold.held()) }])
}

/// Moves held money to several receivers.
pub(super) fn to_many(draft: &mut Draft<'_>, id: HoldId, parts: &[HoldPart]) -> Result<Reply, Refusal> {
    of_direction(draft.state, id, HoldDirection::Out)?;
    if !(1..=MAX_PARTS).contains(&parts.len()) {
        let message = format!("the confirm has {} receivers; name 1 to {MAX_PARTS}", parts.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "parts", message));
    }
    for (at, part) in parts.iter().enumerate() {
        if parts.iter().take(at).any(|earlier| earlier.account == part.account) {
            let message = format!("{} is named twice; name each receiver once, with the sum", part.account);
            return Err(Refusal::new(RefusalCode::ValueInvalid, "parts", message));
        }
    }
    let date = draft.state.days.posting_date(None)?;
    book(draft, id, parts.to_vec(), date).map(|_| Reply::Hold(id))
}

/// Books `amount` of announced money, all if none, from its source.
pub(super) fn receive(draft: &mut Draft<'_>, id: HoldId, amount: Option<Minor>) -> Result<Reply, Refusal> {
    let date = draft.state.days.posting_date(None)?;
    let parts = whole_or(draft.state, id, amount, None)?;
    book(draft, id, parts, date).map(|_| Reply::Hold(id))
}

/// A hold that is open, no payout's, and of this direction.
fn of_direction(state: &State, id: HoldId, direction: HoldDirection) -> Result<&Hold, Refusal> {
    let hold = free_hold(state, id)?;
    if hold.direction == direction {
        return Ok(hold);
    }
    let message = match direction {
        HoldDirection::Out => format!("{id} is of announced money, which comes from its source; name no receiver"),
        HoldDirection::In => format!("{id} is of money that goes out; name who receives it"),
    };
    Err(Refusal::new(RefusalCode::HoldDirection, "to", message))
}

/// Lets the sum of the parts go and moves it by one voucher; nothing changes before all of it is checked.
fn book(draft: &mut Draft<'_>, id: HoldId, parts: Vec<HoldPart>, date: Date) -> Result<VoucherId, Refusal> {
    let hold = free_hold(draft.state, id)?;
    let (held, direction, earlier) = (hold.account, hold.direction, hold.confirms.len());
    if earlier >= MAX_CONFIRMS {
        let message = format!("{id} was confirmed {earlier} times; cancel the rest and place a new hold");
        return Err(Refusal::new(RefusalCode::HoldState, "hold", message));
    }
    let mut amount = 0;
    for part in &parts {
        amount = add(amount, positive(part.amount, "amount")?, "amount")?;
        if part.account == held {
            let message = format!("{id} is on {held} itself; name another account");
            return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message));
        }
    }
    check_confirm(draft.state, draft.context.now, id, amount)?;
    let entries = entries(draft.state, held, direction, amount, &parts)?;
    refuse_entries_by_hand(draft.state, &entries)?;
    let number = u32::try_from(earlier).map_or(u32::MAX, |earlier| earlier.saturating_add(1));
    let business = BusinessNumber::step(BusinessKind::Hold, id.0, number);
    let event = match direction {
        HoldDirection::Out => EventCode::HoldConfirmed,
        HoldDirection::In => EventCode::HoldReceived,
    };
    let voucher = Voucher { business, event, date, entries, dimensions: None, contra_of: None };
    check_freed(draft.state, &voucher, held, direction, amount)?;
    draft.emit(Event::HoldConfirmed { hold: id, amount });
    let voucher = draft.emit_voucher(&voucher);
    let (at, by) = (draft.context.now, draft.operator());
    let confirm = HoldConfirm { number, amount, parts, voucher, at, by };
    draft.emit(Event::Hold(HoldEvent::Moved { hold: id, confirm }));
    Ok(voucher)
}

/// Checks a voucher against the held account as it will stand once the hold has let the money go. The row is as before
/// afterwards, and not noted as changed.
fn check_freed(
    state: &mut State,
    voucher: &Voucher,
    held: AccountId,
    direction: HoldDirection,
    amount: Minor,
) -> Result<(), Refusal> {
    let move_held = |state: &mut State, by: Minor| {
        let account = state.accounts.change(held.0).expect("a hold is on an account");
        *held_of(account, direction) += by;
    };
    move_held(state, -amount);
    let checked = check(state, voucher);
    move_held(state, amount);
    checked
}

/// The held account's entry makes it smaller or larger by the direction; every part stands on the other side.
fn entries(
    state: &State,
    held: AccountId,
    direction: HoldDirection,
    amount: Minor,
    parts: &[HoldPart],
) -> Result<Vec<Entry>, Refusal> {
    let account = state.account(held, "account")?;
    let (currency, grows) = (account.currency, account.subject.side());
    let side = match direction {
        HoldDirection::Out => grows.opposite(),
        HoldDirection::In => grows,
    };
    let own = Entry { account: held, side, amount, currency };
    let others =
        parts.iter().map(|part| Entry { account: part.account, side: side.opposite(), amount: part.amount, currency });
    let mut entries: Vec<Entry> = core::iter::once(own).chain(others).collect();
    // Debits stand first, as accountants write them.
    entries.sort_by_key(|entry| entry.side != Side::Debit);
    Ok(entries)
}
