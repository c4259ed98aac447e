//! A fund that pays a part at once: its centre holds, captures or debits less than it was asked for, and says how much.
//!
//! ```text
//!  fund                       shortfall to the card (CONVERT)            no card for the shortfall
//!  ────                       ───────────────────────────────            ─────────────────────────
//!  held in part               the card, asked next, pays it besides      released, the try fails
//!  debited in part            the same                                   reversed at the centre, the try fails
//!  captured in part           a further leg asks the card for it         the card is undone, then the fund reversed
//!  refused, or never seen     the card pays the fund's share so          the table of `payment`
//!  in, and the card out, or not ready to pay the shortfall               undone, reversed
//! ```
//! A card that may pay no more since the try began has declined. The leg, its voucher, its clearing line and what goes back are of what
//! was done. What a centre does not capture of a hold is free there. Only where the instrument says that the centre may pay a part is one
//! taken, and never more than was asked for.

use alloc::format;

use super::{Next, Stand, ask, monthly, move_leg, new_leg, next, waits};
use crate::attempt::{Attempt, FailureClass, Operation};
use crate::calendar::Date;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::LegId;
use crate::leg::{Instrument, Leg, LegStatus, OnPart};
use crate::money::{Minor, subtract};
use crate::order::{self, Order};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Whether the centre may have done `part` of what an attempt asked for.
pub(crate) fn takes(state: &State, attempt: &Attempt, part: Minor) -> bool {
    let asked = match attempt.operation {
        Operation::FundHold { amount, .. }
        | Operation::FundCapture { amount, .. }
        | Operation::Debit { amount, .. } => amount,
        Operation::FundRelease { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. }
        | Operation::Redirect { .. }
        | Operation::FundBatch { .. } => return false,
    };
    let leg = attempt.purpose.leg().and_then(|leg| state.legs.get(leg.0));
    (1..asked).contains(&part) && leg.is_some_and(|leg| leg.instrument.on_part().is_some())
}

/// Refuses a part of what may not be done in part.
///
/// # Errors
/// `part_not_taken`.
pub(crate) fn check(state: &State, attempt: &Attempt, part: Minor) -> Result<(), Refusal> {
    if takes(state, attempt, part) {
        return Ok(());
    }
    let (id, (asked, _)) = (attempt.id, attempt.operation.money());
    let message = format!(
        "{id} asked for {asked}, and {part} was done; only a fund whose centre may pay a part at once pays less"
    );
    Err(Refusal::new(RefusalCode::PartNotTaken, "part", message))
}

/// Refuses what cannot follow where a fund pays a part.
///
/// # Errors
/// `instrument_not_allowed`.
pub(super) fn check_instrument(fund: &Instrument, instruments: &[Instrument]) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "shortfall", message));
    let card = |instrument: &Instrument| !instrument.is_fund() && !instrument.is_redirect();
    match fund.on_part() {
        Some(OnPart::Undo | OnPart::Convert) if fund.monthly().is_some() => {
            refuse("a month's batch says for itself what its shortfall does")
        }
        Some(OnPart::Convert) if !instruments.iter().any(card) => {
            refuse("name the card that pays the shortfall, with amount 0 if it pays nothing else")
        }
        Some(OnPart::Undo | OnPart::Convert) | None => Ok(()),
    }
}

/// The further leg by which the card is asked for a shortfall, if the order's try has one.
pub(super) fn shortfall(state: &State, order: &Order) -> Option<Leg> {
    state.legs_of(order, order.tries).filter(|leg| !leg.instrument.is_fund()).nth(1).cloned()
}

/// The next step where a fund fell short and the table of [`super`] does not say it.
pub(super) fn step(order: &Order, card: Option<&Leg>, fund: Option<&Leg>, further: Option<&Leg>) -> Option<Next> {
    let fund = fund.filter(|fund| fund.instrument.on_part().is_some())?;
    let (stands, shortfall) = (Stand::of(Some(fund)), Stand::of(further));
    if matches!(stands, Stand::New | Stand::Waiting) {
        return None;
    }
    if matches!(shortfall, Stand::New | Stand::Waiting | Stand::Held) {
        return Some(Next::Wait);
    }
    let pays = |leg: Option<&Leg>| leg.map_or(0, Leg::amount);
    let sum = pays(card).saturating_add(fund.amount()).saturating_add(pays(further));
    let short = shortfall == Stand::Out || sum != order.payable();
    // A card that stands by is asked for nothing once the fund has paid, or will not.
    let idle = |card: &Leg| short || (card.amount() == 0 && stands != Stand::Held);
    match card {
        Some(card) if card.status == LegStatus::Created && idle(card) => Some(Next::DropCard),
        Some(_) | None => short.then(|| back(Stand::of(card), stands)),
    }
}

/// Neither pays: first what is of the card, then what is of the fund.
fn back(card: Stand, fund: Stand) -> Next {
    let step = next(card, Stand::Out);
    if step == Next::Fail { next(Stand::Out, fund) } else { step }
}

/// The money of a leg is here: all that was asked for, or what the attempt now says.
pub(super) fn captured(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    let paid = attempt.operation.money().0;
    let short = subtract(leg.amount(), paid, "amount")?;
    move_leg(draft, leg, LegStatus::Captured, |leg| {
        leg.open = None;
        leg.captured_by = Some(attempt.id);
        leg.clearing_date = Some(clearing_date);
        fell_short(leg, paid, short);
    });
    let goes_back = short > 0 && !converts(draft, order, leg, short);
    if !(goes_back || monthly::is_combined(draft.state, order, leg.try_number)) {
        return Ok(());
    }
    let leg = draft.state.leg(leg.id)?.clone();
    waits(draft, order, &leg, clearing_date)
}

/// The centre holds: all that was asked for, or what the attempt now says.
pub(super) fn held(draft: &mut Draft<'_>, order: &Order, leg: &Leg, attempt: &Attempt) -> Result<(), Refusal> {
    let held = attempt.operation.money().0;
    let short = subtract(leg.amount(), held, "amount")?;
    move_leg(draft, leg, LegStatus::Held, |leg| {
        leg.open = None;
        leg.held_by = Some(attempt.id);
        fell_short(leg, held, short);
    });
    if short > 0 {
        converts(draft, order, leg, short);
    }
    Ok(())
}

/// Nothing came of a fund: its whole share is the shortfall.
pub(super) fn refused(draft: &mut Draft<'_>, order: &Order, leg: &Leg) -> Result<(), Refusal> {
    if leg.instrument.on_part().is_some() && converts(draft, order, leg, leg.amount()) {
        let leg = draft.state.leg(leg.id)?.clone();
        move_leg(draft, &leg, leg.status, |leg| leg.instrument.set_amount(0));
    }
    Ok(())
}

fn fell_short(leg: &mut Leg, done: Minor, short: Minor) {
    if short > 0 {
        leg.instrument.set_amount(done);
        leg.failure = Some(FailureClass::User);
    }
}

/// Asks the card for what the fund does not pay, if the instrument says so; whether it does. Of an order that is being closed
/// nothing more is asked.
fn converts(draft: &mut Draft<'_>, order: &Order, fund: &Leg, short: Minor) -> bool {
    !order.closing && monthly::convert(draft, order, fund, short)
}

/// Asks `short` of the card: with its own share if it was not asked for that yet, else by a further leg.
pub(super) fn ask_card(draft: &mut Draft<'_>, card: &Leg, short: Minor) {
    if card.status == LegStatus::Created {
        let amount = card.amount().saturating_add(short);
        move_leg(draft, card, card.status, |card| card.instrument.set_amount(amount));
        return;
    }
    let mut instrument = card.instrument.clone();
    instrument.set_amount(short);
    if let Instrument::Card { alternatives, .. } = &mut instrument {
        // The network that took the card's own share is the one that is asked.
        alternatives.clear();
    }
    let id = LegId(draft.state.legs.next_id());
    let leg = new_leg(id, card.order, card.try_number, instrument, card.currency);
    draft.emit(Event::ShortfallAsked(leg.clone()));
    ask(draft, &leg);
}

/// Folds a further leg into the state.
pub(crate) fn apply_asked(state: &mut State, leg: &Leg) {
    order::change(state, leg.order, |order| order.legs.push(leg.id));
    state.legs.insert(leg.id.0, leg.clone());
}
