//! A fund that pays by its centre's monthly batch: what its answer does to a try.
//!
//! ```text
//!  fund by batch          shortfall to the card (CONVERT)                    no card for the shortfall
//!  ─────────────          ───────────────────────────────                    ─────────────────────────
//!  paid in full           the card pays its own part, if it has one          the same
//!  paid in part           the card pays the shortfall besides                the fund goes back to the centre, the try fails
//!  refused                the card pays all of it                            the try fails
//!  in, and the card out   reversed at the centre; paid to the landlord
//!                         directly it stays there, for a person
//! ```
//! The fund comes first, the card last: nothing is taken from a card before the centre has paid. A leg whose amount is 0 pays
//! nothing: a card that stands by and was not needed, a fund that the card pays for. What a centre pays to the landlord directly
//! (`FundRoute::Direct`) enters no voucher, and the institution's fee is that of what it carries itself; where the payer pays the fee on
//! top, [`super::instruments`] refuses that route, so that what the payer was told to pay is what is taken.

use super::{Next, Stand, legs_of_try, move_leg, next, part, waits};
use crate::attempt::{Attempt, FailureClass};
use crate::calendar::Date;
use crate::draft::Draft;
use crate::event::Event;
use crate::fund_batch::FundBatchEvent;
use crate::leg::{Leg, LegStatus};
use crate::money::{Minor, proportion, subtract};
use crate::order::Order;
use crate::refusal::Refusal;
use crate::state::State;

/// The next step where the fund pays by batch and the table of [`super`] does not say it.
pub(super) fn step(order: &Order, card: Option<&Leg>, fund: Option<&Leg>) -> Option<Next> {
    let fund = fund.filter(|fund| fund.instrument.monthly().is_some())?;
    let stands = Stand::of(Some(fund));
    if matches!(stands, Stand::New | Stand::Waiting) {
        return None;
    }
    let sum = card.map_or(0, Leg::amount).saturating_add(fund.amount());
    let short = sum != order.payable();
    match card {
        // Nothing is asked of it any more.
        Some(card) if card.status == LegStatus::Created && (short || card.amount() == 0) => Some(Next::DropCard),
        Some(_) | None => short.then(|| next(Stand::Out, stands)),
    }
}

/// Whether the reserve carries a leg's money: it pays something, and not to the landlord directly.
pub(super) fn is_carried(leg: &Leg) -> bool {
    leg.amount() > 0 && !leg.instrument.pays_directly()
}

/// Whether the legs of an order's try wait for each other on 2205.
pub(super) fn is_combined(state: &State, order: &Order, try_number: u8) -> bool {
    state.legs_of(order, try_number).filter(|leg| is_carried(leg)).count() > 1
}

/// The centre paid: all that was applied for, or what the attempt now says.
pub(super) fn captured(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    let (paid, directly) = (attempt.operation.money().0, leg.instrument.pays_directly());
    let short = subtract(leg.amount(), paid, "amount")?;
    move_leg(draft, leg, LegStatus::Captured, |leg| {
        leg.open = None;
        leg.captured_by = Some(attempt.id);
        leg.clearing_date = Some(clearing_date);
        leg.instrument.set_amount(paid);
        // No clearing file has what the landlord is paid.
        leg.cleared = directly.then_some(clearing_date);
        leg.failure = (short > 0).then_some(FailureClass::User);
    });
    let converted = convert(draft, order, leg, short);
    let goes_back = short > 0 && !converted;
    if directly || !(goes_back || is_combined(draft.state, order, leg.try_number)) {
        return Ok(());
    }
    let leg = draft.state.leg(leg.id)?.clone();
    waits(draft, order, &leg, clearing_date)
}

/// The centre refused, or no batch ever had it.
pub(super) fn refused(draft: &mut Draft<'_>, order: &Order, leg: &Leg, class: Option<FailureClass>) {
    let amount = leg.amount();
    let converted = class.is_some() && !order.closing && convert(draft, order, leg, amount);
    move_leg(draft, leg, LegStatus::Failed, |leg| {
        leg.open = None;
        leg.failure = Some(class.unwrap_or(FailureClass::System));
        if converted {
            leg.instrument.set_amount(0);
        }
    });
}

/// Asks `short` of the card besides, if the instrument says so; whether it does.
pub(super) fn convert(draft: &mut Draft<'_>, order: &Order, fund: &Leg, short: Minor) -> bool {
    let (Some(card), _) = legs_of_try(draft.state, order) else { return false };
    if !fund.instrument.converts() {
        return false;
    }
    if short > 0 {
        part::ask_card(draft, &card, short);
    }
    true
}

/// The centre has paid the landlord of an order that is not paid: nothing here can take that back.
pub(super) fn leave(draft: &mut Draft<'_>, fund: &Leg) {
    move_leg(draft, fund, fund.status, |leg| leg.needs_person = true);
}

/// A batch that paid after its try had failed: the leg whose money no order can use; none if the landlord has it.
pub(super) fn late(draft: &mut Draft<'_>, leg: &Leg, attempt: &Attempt, clearing_date: Date) -> Option<Leg> {
    if leg.instrument.pays_directly() {
        leave(draft, leg);
        return None;
    }
    let mut late = Leg { clearing_date: Some(clearing_date), ..leg.clone() };
    late.instrument.set_amount(attempt.operation.money().0);
    Some(late)
}

/// Notes what of a paid order the centre pays to the landlord; the order as it is then.
pub(super) fn outside(draft: &mut Draft<'_>, order: &Order, legs: &[Leg]) -> Result<Order, Refusal> {
    let direct = legs.iter().filter(|leg| leg.instrument.pays_directly());
    let outside = direct.fold(0, |sum: Minor, leg| sum.saturating_add(leg.amount()));
    if outside > 0 {
        let carried = subtract(order.amount, outside, "amount")?;
        let fee = proportion(order.fee, carried, order.amount)?;
        let net = subtract(carried, fee, "amount")?;
        draft.emit(Event::FundBatch(FundBatchEvent::PaidOutside { order: order.id, outside, fee, net }));
    }
    draft.state.order(order.id).cloned()
}
