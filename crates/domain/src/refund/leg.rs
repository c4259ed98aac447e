//! Refunds by leg: which leg gets how much back, and of which items. Nothing changes here.
//!
//! - **What follows the item.** A fund pays rent and nothing else, so what goes back of rent is the fund's first, up to what it paid and
//!   has not got back, and the rest is the card's; what goes back of anything else is the card's first. A refund that names no items gives
//!   back what is not rent before it gives back rent.
//! - **What names its legs.** A refund may say which leg gets how much, together all that goes back. If it names items too, the fund
//!   gets what it would get by the items alone: no rent that the fund paid goes to a card.
//! - No leg gets more than it brought, less what went back of it or was charged back.

use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use super::{CreateRefund, ItemRefund, item};
use crate::ids::LegId;
use crate::leg::Leg;
use crate::money::{Minor, add, positive};
use crate::order::Order;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What goes back to a leg, where a refund says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LegRefund {
    /// A leg of the try that paid the order.
    #[n(0)]
    pub leg: LegId,
    /// Minor units above zero.
    #[n(1)]
    pub amount: Minor,
}

/// What a refund gives back to one leg.
pub(super) struct LegShare {
    pub(super) leg: Leg,
    pub(super) amount: Minor,
    /// Of which items; nothing if the refund names none.
    pub(super) items: Vec<ItemRefund>,
}

impl LegShare {
    fn give(&mut self, item: Option<u32>, amount: Minor) {
        self.amount += amount;
        self.items.extend(item.map(|item| ItemRefund { item, amount }));
    }
}

/// Money of one kind that goes back.
#[derive(Clone, Copy)]
struct Source {
    /// Whose it is; none if the refund names no items.
    item: Option<u32>,
    /// Whether a fund may have paid it.
    rent: bool,
    left: Minor,
}

/// Which leg gets how much of `amount` back.
///
/// # Errors
/// Of legs that the refund names: `value_invalid`, `amount_not_positive`, `amount_overflow`, `refund_exceeded`.
pub(super) fn allocate(
    state: &State,
    order: &Order,
    command: &CreateRefund,
    amount: Minor,
) -> Result<Vec<LegShare>, Refusal> {
    let mut legs: Vec<&Leg> = state.legs_of(order, order.tries).collect();
    legs.sort_by_key(|leg| leg.instrument.is_fund());
    let sources = sources(order, command, amount);
    let free: Vec<(&Leg, Minor)> = legs.iter().map(|leg| (*leg, leg.refundable())).collect();
    let followed = fill(&free, sources.clone());
    if command.legs.is_empty() {
        let is_whole = || !order.legs.iter().any(|leg| state.is_away((*leg).into()));
        let given: Minor = followed.iter().map(|share| share.amount).sum();
        debug_assert!(given == amount || !is_whole(), "the legs of a paid order add up to it");
        return Ok(followed);
    }
    let shares = fill(&named(order, &legs, &command.legs, amount)?, sources);
    let (wanted, fund) = (to_funds(&shares), to_funds(&followed));
    if !command.items.is_empty() && wanted != fund {
        let message = format!("of these items {fund} is the fund's, not {wanted}; leave the legs out, or the items");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "legs", message));
    }
    Ok(shares)
}

/// The legs that the refund names, each with what it is to get.
fn named<'a>(
    order: &Order,
    legs: &[&'a Leg],
    wanted: &[LegRefund],
    amount: Minor,
) -> Result<Vec<(&'a Leg, Minor)>, Refusal> {
    let wrong = |message| Refusal::new(RefusalCode::ValueInvalid, "legs", message);
    let mut rooms: Vec<(&Leg, Minor)> = Vec::with_capacity(wanted.len());
    let mut sum = 0;
    for &LegRefund { leg: id, amount } in wanted {
        let leg = legs.iter().copied().find(|leg| leg.id == id);
        let leg = leg.ok_or_else(|| wrong(format!("{id} is no leg of the try that paid {}", order.id)))?;
        if rooms.iter().any(|(named, _)| named.id == id) {
            return Err(wrong(format!("{id} stands there twice; add it up")));
        }
        let amount = positive(amount, "legs")?;
        sum = add(sum, amount, "legs")?;
        if amount > leg.refundable() {
            let message = format!("{} of {id} are left to refund, not {amount}", leg.refundable());
            return Err(Refusal::new(RefusalCode::RefundExceeded, "legs", message));
        }
        rooms.push((leg, amount));
    }
    if sum != amount {
        return Err(wrong(format!("the legs add up to {sum}, the refund is of {amount}")));
    }
    rooms.sort_by_key(|(leg, _)| leg.instrument.is_fund());
    Ok(rooms)
}

/// What goes back of what: the items that the refund names, or what is not rent and then rent. A fee beside them is no rent.
fn sources(order: &Order, command: &CreateRefund, amount: Minor) -> Vec<Source> {
    let items = &command.items;
    if items.is_empty() {
        let other = item::other_left(order).min(command.amount);
        let rent = command.amount - other;
        let of = |rent, left| Source { item: None, rent, left };
        return vec![of(false, amount - rent), of(true, rent)];
    }
    let of =
        |part: &ItemRefund| Source { item: Some(part.item), rent: item::is_rent(order, part.item), left: part.amount };
    // The fee that goes back beside the items is of no item, and no rent. It comes first, as in each part's own fee: a part is of its items
    // and of its fee, and of nothing else.
    let named: Minor = items.iter().map(|part| part.amount).sum();
    let beside = Source { item: None, rent: false, left: (amount - named).max(0) };
    [beside].into_iter().chain(items.iter().map(of)).collect()
}

/// Gives each source to the legs that paid it, and then, where those have no room, to the others: the card before the fund.
fn fill(rooms: &[(&Leg, Minor)], mut sources: Vec<Source>) -> Vec<LegShare> {
    let empty = |(leg, _): &(&Leg, Minor)| LegShare { leg: (*leg).clone(), amount: 0, items: Vec::new() };
    let mut shares: Vec<LegShare> = rooms.iter().map(empty).collect();
    for its_own in [true, false] {
        for ((leg, room), share) in rooms.iter().zip(&mut shares) {
            let fund = leg.instrument.is_fund();
            for source in sources.iter_mut().filter(|source| !its_own || source.rent == fund) {
                let amount = source.left.min(room - share.amount);
                if amount > 0 {
                    share.give(source.item, amount);
                    source.left -= amount;
                }
            }
        }
    }
    shares.retain(|share| share.amount > 0);
    shares
}

fn to_funds(shares: &[LegShare]) -> Minor {
    shares.iter().filter(|share| share.leg.instrument.is_fund()).map(|share| share.amount).sum()
}
