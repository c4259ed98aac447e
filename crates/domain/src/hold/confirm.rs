//! The vouchers of a hold: held money leaves the account, announced money comes to it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{Hold, HoldConfirm, HoldDirection, HoldEvent, HoldPart, confirm, free_hold};
use crate::book::Side;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, HoldId};
use crate::money::{Minor, add, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode, refuse_entries_by_hand};

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
    let hold = of_direction(draft, id, HoldDirection::Out)?;
    let amount = amount.unwrap_or(hold.held());
    book(draft, id, vec![HoldPart { account: to, amount }])
}

/// Moves held money to several receivers.
pub(super) fn to_many(draft: &mut Draft<'_>, id: HoldId, parts: &[HoldPart]) -> Result<Reply, Refusal> {
    of_direction(draft, id, HoldDirection::Out)?;
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
    book(draft, id, parts.to_vec())
}

/// Books `amount` of announced money, all if none, from its source.
pub(super) fn receive(draft: &mut Draft<'_>, id: HoldId, amount: Option<Minor>) -> Result<Reply, Refusal> {
    let hold = of_direction(draft, id, HoldDirection::In)?;
    let account = hold.source.expect("announced money names its source");
    let amount = amount.unwrap_or(hold.held());
    book(draft, id, vec![HoldPart { account, amount }])
}

/// A hold that is open, no payout's, and of this direction.
fn of_direction<'d>(draft: &'d Draft<'_>, id: HoldId, direction: HoldDirection) -> Result<&'d Hold, Refusal> {
    let hold = free_hold(draft.state, id)?;
    if hold.direction == direction {
        return Ok(hold);
    }
    let message = match direction {
        HoldDirection::Out => format!("{id} is of announced money, which comes from its source; name no receiver"),
        HoldDirection::In => format!("{id} is of money that goes out; name who receives it"),
    };
    Err(Refusal::new(RefusalCode::HoldDirection, "to", message))
}

/// Lets the sum of the parts go and moves it by one voucher.
fn book(draft: &mut Draft<'_>, id: HoldId, parts: Vec<HoldPart>) -> Result<Reply, Refusal> {
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
    confirm(draft, id, amount)?;
    let entries = entries(draft, held, direction, amount, &parts)?;
    refuse_entries_by_hand(draft.state, &entries)?;
    let number = u32::try_from(earlier).map_or(u32::MAX, |earlier| earlier.saturating_add(1));
    let business = BusinessNumber::step(BusinessKind::Hold, id.0, number);
    let event = match direction {
        HoldDirection::Out => EventCode::HoldConfirmed,
        HoldDirection::In => EventCode::HoldReceived,
    };
    let voucher = draft.post(business, event, entries, Dimensions::default())?;
    let (at, by) = (draft.context.now, draft.operator());
    let confirm = HoldConfirm { number, amount, parts, voucher, at, by };
    draft.emit(Event::Hold(HoldEvent::Moved { hold: id, confirm }));
    Ok(Reply::Hold(id))
}

/// The held account's entry makes it smaller or larger by the direction; every part stands on the other side.
fn entries(
    draft: &Draft<'_>,
    held: AccountId,
    direction: HoldDirection,
    amount: Minor,
    parts: &[HoldPart],
) -> Result<Vec<Entry>, Refusal> {
    let account = draft.state.account(held, "account")?;
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
