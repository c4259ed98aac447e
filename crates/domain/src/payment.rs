//! Payments: what becomes of the legs of an order's try together (组合支付).
//!
//! Order of work: hold the fund, take the card, capture the fund. What comes next follows from where the two legs stand;
//! nothing is done while either waits for an answer:
//!
//! ```text
//!  card     fund      next
//!  ─────    held      capture the fund
//!  in       in        final entry, SUCCESS
//!  in       out       undo the card: 2205 ─► 2211 ─► its rail
//!  out      held      release the fund
//!  out      in        reverse it at the centre: 2205 ─► 1131
//!  out      out       the try has failed
//! ```
//! Finished legs of a combined payment wait on 2205; a single leg posts straight to the order's destination. What an undo
//! cannot give back stays on 2205 and its leg needs a person; the order fails for good. Money that no order can use (a
//! late success, a second one, another amount, a destination that takes nothing) goes to 2243 and back to its source as a refund.
//!
//! A fund that pays by its centre's monthly batch comes first, and the card may be asked for its shortfall (CONVERT): [`monthly`]. So may
//! it where a centre pays a part at once; else what was held or taken goes back: [`part`].
//! A balance pays alone, and no channel is asked: [`balance`].

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::attempt::{self, Attempt, FailureClass, Operation, Outcome, Purpose, Rail};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::fund_batch::{self, FundBatchEvent};
use crate::ids::{AccountId, AttemptId, LegId, OrderId};
use crate::leg::{Instrument, Leg, LegStatus};
use crate::money::Currency;
use crate::order::{Order, OrderStatus, can_pay, refuse_blocked};
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};
use crate::{clearing, front_page, refund, sign_up};

pub(crate) mod again;
pub(crate) mod balance;
mod cascade;
mod instruments;
mod monthly;
pub(crate) mod part;
#[cfg(test)]
mod tests;

pub use cascade::MAX_ALTERNATIVES;
pub(crate) use instruments::carries_cards;

/// How often a capture that the centre never saw is asked for again under a new serial.
pub const MAX_CAPTURES: u8 = 3;

/// What counts of a leg when the next step is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// The try has no such leg, or it pays nothing.
    Absent,
    /// To be asked for.
    New,
    /// An answer is awaited.
    Waiting,
    /// Held at the centre.
    Held,
    /// The money is here.
    In,
    /// It is not and will not be.
    Out,
}

impl Stand {
    fn of(leg: Option<&Leg>) -> Self {
        let Some(leg) = leg.filter(|leg| leg.amount() > 0) else { return Self::Absent };
        if leg.open.is_some() {
            return Self::Waiting;
        }
        if leg.needs_person {
            return Self::Out;
        }
        match leg.status {
            LegStatus::Unknown | LegStatus::Sent => Self::Waiting,
            LegStatus::Created => Self::New,
            LegStatus::Held => Self::Held,
            LegStatus::Captured => Self::In,
            LegStatus::Failed | LegStatus::Released | LegStatus::Reversed => Self::Out,
        }
    }
}

/// The next step of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    AskFund,
    AskCard,
    DropCard,
    CaptureFund,
    ReleaseFund,
    UndoCard,
    ReverseFund,
    Finish,
    Fail,
}

/// The table of the module's header.
const fn next(card: Stand, fund: Stand) -> Next {
    use Stand::{Absent, Held, In, New, Out, Waiting};
    match (card, fund) {
        // A card is never held.
        (Waiting | Held, _) | (_, Waiting) => Next::Wait,
        (_, New) => Next::AskFund,
        (New, Absent | Held | In) => Next::AskCard,
        (New, Out) => Next::DropCard,
        (Absent | In, Held) => Next::CaptureFund,
        (Absent | In, Absent | In) => Next::Finish,
        (In, Out) => Next::UndoCard,
        (Out, Held) => Next::ReleaseFund,
        (Out, In) => Next::ReverseFund,
        (Absent | Out, Out) | (Out, Absent) => Next::Fail,
    }
}

/// Tries to pay an order.
///
/// # Errors
/// `order_unknown`, `order_state`, `order_expired`, `order_amount` unless Σ instruments = what the payer pays, `instrument_not_allowed`,
/// `fee_payer_unsupported` of a fund, `amount_not_positive`, `value_invalid`, `blocked`; those of a fund's month; `agreement_not_own`,
/// `sign_up_state` for an agreement that was signed here; of a balance `account_unknown`, `account_not_own`, `account_closed`,
/// `subject_not_allowed`, `currency_mismatch`, `limit_exceeded`, `insufficient_funds`, `account_restricted`, `calendar_unknown`.
pub fn decide_pay(draft: &mut Draft<'_>, id: OrderId, instruments: Vec<Instrument>) -> Result<Reply, Refusal> {
    let order = draft.state.order(id)?;
    can_pay(draft.state, order, draft.context.now)?;
    let instruments = sign_up::as_signed(draft.state, order.payer, instruments)?;
    instruments::check(order, &instruments, draft.context.now)?;
    fund_batch::quota::check_waiting(draft.state, &instruments)?;
    refuse_blocked(draft, order.merchant, order.payer, &instruments)?;
    sign_up::check_instruments(draft.state, order.payer, &instruments)?;
    instruments.iter().try_for_each(|it| balance::check(draft.state, order, it))?;
    let legs = legs_of(draft.state, order, instruments);
    draft.emit(Event::OrderTried { order: id, legs });
    drive(draft, id)?;
    Ok(Reply::Order(id))
}

/// The legs of an order's next try.
fn legs_of(state: &State, order: &Order, instruments: Vec<Instrument>) -> Vec<Leg> {
    let (id, try_number, currency) = (order.id, order.tries.saturating_add(1), order.currency);
    let legs = (state.legs.next_id()..).zip(instruments);
    legs.map(|(leg, instrument)| new_leg(LegId(leg), id, try_number, instrument, currency)).collect()
}

/// A leg that nobody was asked for yet.
const fn new_leg(id: LegId, order: OrderId, try_number: u8, instrument: Instrument, currency: Currency) -> Leg {
    Leg {
        id,
        order,
        try_number,
        instrument,
        currency,
        status: LegStatus::Created,
        open: None,
        held_by: None,
        captured_by: None,
        captures: 0,
        failure: None,
        needs_person: false,
        clearing_date: None,
        cleared: None,
        refunded: 0,
        undo: None,
        charged_back: 0,
        expired: false,
        settled_by: None,
        taken_again: 0,
        claimed: 0,
    }
}

/// The card and the fund leg of the order's current try. A redirect stands where a card does.
fn legs_of_try(state: &State, order: &Order) -> (Option<Leg>, Option<Leg>) {
    let mut legs = order.legs.iter().filter_map(|id| state.legs.get(id.0)).filter(|leg| leg.try_number == order.tries);
    let card = legs.clone().find(|leg| !leg.instrument.is_fund()).cloned();
    (card, legs.find(|leg| leg.instrument.is_fund()).cloned())
}

/// Takes every step of the order's try that needs no answer.
fn drive(draft: &mut Draft<'_>, id: OrderId) -> Result<(), Refusal> {
    loop {
        let order = draft.state.order(id)?.clone();
        if !order.trying {
            return Ok(());
        }
        let (card, fund) = legs_of_try(draft.state, &order);
        let further = part::shortfall(draft.state, &order);
        let step = part::step(&order, card.as_ref(), fund.as_ref(), further.as_ref());
        let step = step.or_else(|| monthly::step(&order, card.as_ref(), fund.as_ref()));
        let step = step.unwrap_or_else(|| next(Stand::of(card.as_ref()), Stand::of(fund.as_ref())));
        match (step, card, fund) {
            (Next::AskFund, _, Some(fund)) => ask(draft, &fund),
            // Nothing more is asked of the payer; what a month's batch paid to a landlord cannot be taken back.
            (Next::AskCard, Some(card), Some(fund)) if order.closing && fund.instrument.monthly().is_none() => {
                move_leg(draft, &card, LegStatus::Failed, |_| {});
            }
            (Next::AskCard, Some(card), _) if card.instrument.is_balance() => {
                return balance::pay(draft, &order, &card);
            }
            (Next::AskCard, Some(card), _) => ask(draft, &card),
            (Next::DropCard, Some(card), _) => move_leg(draft, &card, LegStatus::Failed, |_| {}),
            (Next::CaptureFund, _, Some(fund)) => capture(draft, &fund),
            (Next::ReleaseFund, _, Some(fund)) => release(draft, &fund),
            (Next::UndoCard, Some(card), _) => undo_card(draft, &order, &card)?,
            (Next::ReverseFund, _, Some(fund)) if fund.instrument.pays_directly() => monthly::leave(draft, &fund),
            (Next::ReverseFund, _, Some(fund)) => give_back(draft, &fund),
            (Next::Finish, card, fund) => {
                return finish(draft, &order, card.into_iter().chain(fund).chain(further).collect());
            }
            (Next::Fail, card, fund) => {
                let legs = card.into_iter().chain(fund).chain(further).collect::<Vec<_>>();
                if !cascade::cascades(draft, &order, &legs) {
                    fail(draft, &order, &legs);
                    return Ok(());
                }
            }
            (
                Next::Wait
                | Next::AskFund
                | Next::AskCard
                | Next::DropCard
                | Next::CaptureFund
                | Next::ReleaseFund
                | Next::UndoCard
                | Next::ReverseFund,
                _,
                _,
            ) => return Ok(()),
        }
    }
}

/// Emits where a leg stands now.
fn move_leg(draft: &mut Draft<'_>, leg: &Leg, status: LegStatus, change: impl FnOnce(&mut Leg)) {
    let mut leg = Leg { status, ..leg.clone() };
    change(&mut leg);
    draft.emit(Event::LegMoved(leg));
}

fn send(draft: &mut Draft<'_>, leg: &Leg, operation: Operation, status: LegStatus, change: impl FnOnce(&mut Leg)) {
    let channel = leg.instrument.channel_name().expect("a balance is asked of no channel");
    let attempt = attempt::request(draft, channel, operation, Purpose::Leg(leg.id));
    move_leg(draft, leg, status, |leg| {
        leg.open = Some(attempt);
        change(leg);
    });
}

/// The way the money of a leg comes that a channel carries.
fn rail_of(leg: &Leg) -> Rail {
    leg.instrument.rail().expect("a balance is asked of no channel")
}

/// Asks for what a leg pays; a card that may pay no more since the try began has declined, and the table goes on from there.
fn ask(draft: &mut Draft<'_>, leg: &Leg) {
    if instruments::still_pays(draft, leg).is_err() {
        move_leg(draft, leg, LegStatus::Failed, |leg| leg.failure = Some(FailureClass::User));
        return;
    }
    let (amount, currency) = (leg.amount(), leg.currency);
    let operation = match leg.instrument.clone() {
        Instrument::Card { agreement, .. } => Operation::Debit { agreement, amount, currency },
        Instrument::Fund { contract, monthly: Some(monthly), .. } => {
            Operation::FundBatch { contract, period: monthly.period, route: monthly.route, amount, currency }
        }
        Instrument::Fund { contract, holds: true, .. } => Operation::FundHold { contract, amount, currency },
        Instrument::Fund { contract, holds: false, .. } => Operation::Debit { agreement: contract, amount, currency },
        Instrument::Redirect { return_url, .. } => {
            let ends = draft.state.orders.get(leg.order.0).and_then(|order| order.expires_at);
            front_page::operation(amount, currency, return_url, draft.context.now, ends)
        }
        // It was paid with its try.
        Instrument::Balance { .. } => return,
    };
    send(draft, leg, operation, LegStatus::Sent, |_| {});
}

fn serial_of(state: &State, attempt: Option<AttemptId>) -> String {
    attempt.and_then(|id| state.attempts.get(id.0)).map(Attempt::serial).unwrap_or_default()
}

fn capture(draft: &mut Draft<'_>, fund: &Leg) {
    let (original, amount, currency) = (serial_of(draft.state, fund.held_by), fund.amount(), fund.currency);
    let operation = Operation::FundCapture { original, amount, currency };
    send(draft, fund, operation, LegStatus::Held, |leg| leg.captures += 1);
}

fn release(draft: &mut Draft<'_>, fund: &Leg) {
    let (original, currency) = (serial_of(draft.state, fund.held_by), fund.currency);
    // What is held there: of a leg that pays nothing any more too.
    let hold = fund.held_by.and_then(|id| draft.state.attempts.get(id.0));
    let amount = hold.map_or(fund.amount(), |hold| hold.operation.money().0);
    send(draft, fund, Operation::FundRelease { original, amount, currency }, fund.status, |_| {});
}

/// Asks the channel to give a captured leg back.
fn give_back(draft: &mut Draft<'_>, leg: &Leg) {
    let (original, amount, currency) = (serial_of(draft.state, leg.captured_by), leg.amount(), leg.currency);
    send(draft, leg, Operation::Refund { original, amount, currency }, LegStatus::Captured, |_| {});
}

fn undo_card(draft: &mut Draft<'_>, order: &Order, card: &Leg) -> Result<(), Refusal> {
    let entries = between(draft.state, card, Subject::PaymentInProgress, Subject::RefundTransit)?;
    let dimensions = order.dimensions(card.instrument.rail(), card.clearing_date);
    // By the attempt that asks for it, which is the next one: a person may have an undo asked for again.
    let business = BusinessNumber::object(BusinessKind::Attempt, draft.state.attempts.next_id());
    let undo = draft.post(business, EventCode::RefundStarted, entries, dimensions)?;
    give_back(draft, &Leg { undo: Some(undo), ..card.clone() });
    Ok(())
}

/// The entries that move a leg's amount between two of the institution's accounts.
fn between(state: &State, leg: &Leg, debit: Subject, credit: Subject) -> Result<Vec<Entry>, Refusal> {
    let (amount, currency) = (leg.amount(), leg.currency);
    let (debit, credit) = (state.institution(debit, currency)?, state.institution(credit, currency)?);
    Ok(vec![Entry::debit(debit, amount, currency), Entry::credit(credit, amount, currency)])
}

/// Every leg is in: the final entry. A destination that takes nothing (closed, barred) sends all of it back.
fn finish(draft: &mut Draft<'_>, order: &Order, legs: Vec<Leg>) -> Result<(), Refusal> {
    let order = &monthly::outside(draft, order, &legs)?;
    let (legs, others): (Vec<Leg>, Vec<Leg>) = legs.into_iter().partition(monthly::is_carried);
    let single = match legs.as_slice() {
        // The centre has paid the landlord all of it.
        [] => {
            draft.emit(Event::FundBatch(FundBatchEvent::OrderPaid(order.id)));
            return clearing::clear_orders(draft, &[order.id]);
        }
        [leg] => Some(leg),
        _ => None,
    };
    let rail = single.and_then(|leg| leg.instrument.rail());
    let from = rail.map_or(Subject::PaymentInProgress, Rail::subject);
    let code = if single.is_some() { EventCode::PaymentCaptured } else { EventCode::OrderPaid };
    let source = draft.state.institution(from, order.currency)?;
    let entries = paid_entries(draft.state, order, source)?;
    let dimensions = order.dimensions(rail, legs.iter().filter_map(|leg| leg.clearing_date).max());
    let business = BusinessNumber::object(BusinessKind::Order, order.id.0);
    let Ok(voucher) = draft.post(business, code, entries, dimensions) else {
        // One that captured nothing stands here only while another of the try is away from memory, and then all of this is taken back.
        for (leg, attempt) in legs.iter().filter_map(|leg| Some((leg, leg.captured_by?))) {
            useless(draft, order, leg, from, attempt)?;
        }
        others.iter().filter(|leg| leg.amount() > 0).for_each(|leg| monthly::leave(draft, leg));
        let class = Some(FailureClass::System);
        draft.emit(Event::OrderTryFailed { order: order.id, class, status: OrderStatus::Failed });
        return Ok(());
    };
    draft.emit(Event::OrderSucceeded { order: order.id, voucher });
    clearing::clear_orders(draft, &[order.id])
}

/// Dr where the money waits / Cr the destination, Cr 2291 · OWN Dr 1291 / Cr 5001. Lines of zero are left out.
fn paid_entries(state: &State, order: &Order, from: AccountId) -> Result<Vec<Entry>, Refusal> {
    let Order { net, fee, currency, destination, .. } = *order;
    let mut entries = vec![Entry::debit(from, order.carried(), currency)];
    if net > 0 {
        entries.push(Entry::credit(destination, net, currency));
    }
    if fee > 0 {
        entries.extend([
            Entry::credit(state.institution(Subject::DueToOwn, currency)?, fee, currency),
            Entry::debit(state.institution(Subject::DueFromReserve, currency)?, fee, currency),
            Entry::credit(state.institution(Subject::FeeIncome, currency)?, fee, currency),
        ]);
    }
    Ok(entries)
}

/// Money that no order can use: Dr where it came / Cr 2243, then back to its source as a refund.
fn useless(draft: &mut Draft<'_>, order: &Order, leg: &Leg, from: Subject, attempt: AttemptId) -> Result<(), Refusal> {
    let entries = between(draft.state, leg, from, Subject::RefundDue)?;
    let dimensions = order.dimensions(leg.instrument.rail(), leg.clearing_date);
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.0);
    draft.post(business, EventCode::RefundDue, entries, dimensions)?;
    refund::start_useless(draft, order, leg, attempt)
}

/// The try has failed. The order ends with it if no try is left, a leg's money needs a person, the merchant wants it closed, or its
/// time is over.
fn fail(draft: &mut Draft<'_>, order: &Order, legs: &[Leg]) {
    let class = legs.iter().find_map(|leg| leg.failure);
    let stuck = legs.iter().any(|leg| leg.needs_person);
    let last = order.tries >= order.tries_allowed;
    // Nobody paid, and the channel said so.
    let closes = order.closing || (last && legs.iter().any(|leg| leg.expired));
    let status = if stuck || (last && !closes) { OrderStatus::Failed } else { OrderStatus::Paying };
    draft.emit(Event::OrderTryFailed { order: order.id, class, status });
    if closes && !stuck {
        draft.emit(Event::OrderClosed(order.id));
    }
}

/// A channel answered an attempt for a leg.
pub(crate) fn answered(draft: &mut Draft<'_>, id: LegId, attempt: &Attempt, outcome: &Outcome) -> Result<(), Refusal> {
    let leg = draft.state.leg(id)?.clone();
    let order = draft.state.order(leg.order)?.clone();
    match outcome {
        Outcome::Success { clearing_date, .. } if leg.open == Some(attempt.id) => {
            succeeded(draft, &order, &leg, attempt, *clearing_date)?;
        }
        Outcome::Success { clearing_date, .. } => {
            return succeeded_late(draft, &order, &leg, attempt, *clearing_date);
        }
        Outcome::Declined { .. } | Outcome::NotFound | Outcome::Unknown if again::is_superseded(&leg, attempt) => {
            return Ok(());
        }
        Outcome::Declined { class, .. } => not_done(draft, &order, &leg, attempt, Some(*class))?,
        Outcome::NotFound => not_done(draft, &order, &leg, attempt, None)?,
        Outcome::Unknown => {
            // An undo that hangs leaves its leg CAPTURED: the money is here until the channel says otherwise.
            let status = match attempt.operation {
                Operation::Refund { .. } => leg.status,
                Operation::Debit { .. }
                | Operation::FundHold { .. }
                | Operation::FundCapture { .. }
                | Operation::FundRelease { .. }
                | Operation::Pay { .. }
                | Operation::Redirect { .. }
                | Operation::FundBatch { .. } => LegStatus::Unknown,
            };
            move_leg(draft, &leg, status, |_| {});
            return Ok(());
        }
    }
    drive(draft, leg.order)
}

fn succeeded(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    match attempt.operation {
        Operation::Debit { .. } | Operation::Redirect { .. } | Operation::FundCapture { .. } => {
            part::captured(draft, order, leg, attempt, clearing_date)?;
        }
        Operation::FundBatch { .. } => monthly::captured(draft, order, leg, attempt, clearing_date)?,
        Operation::FundHold { .. } => part::held(draft, order, leg, attempt)?,
        Operation::FundRelease { .. } => move_leg(draft, leg, LegStatus::Released, |leg| leg.open = None),
        Operation::Refund { .. } => reversed(draft, order, leg, clearing_date)?,
        Operation::Pay { .. } => {}
    }
    Ok(())
}

/// What a leg brought waits for the others: Dr its rail / Cr 2205.
fn waits(draft: &mut Draft<'_>, order: &Order, leg: &Leg, clearing_date: Date) -> Result<(), Refusal> {
    let rail = rail_of(leg);
    let entries = between(draft.state, leg, rail.subject(), Subject::PaymentInProgress)?;
    let dimensions = order.dimensions(Some(rail), Some(clearing_date));
    draft.post(leg.business(), EventCode::LegCaptured, entries, dimensions).map(|_| ())
}

/// The channel gave a leg back: Dr 2211 (card) or 2205 (fund, or an undo once given up) / Cr its rail.
fn reversed(draft: &mut Draft<'_>, order: &Order, leg: &Leg, clearing_date: Date) -> Result<(), Refusal> {
    let rail = rail_of(leg);
    let from = if leg.undo.is_some() { Subject::RefundTransit } else { Subject::PaymentInProgress };
    let entries = between(draft.state, leg, from, rail.subject())?;
    let dimensions = order.dimensions(Some(rail), Some(clearing_date));
    draft.post(leg.business(), EventCode::LegReversed, entries, dimensions)?;
    move_leg(draft, leg, LegStatus::Reversed, |leg| {
        leg.open = None;
        leg.undo = None;
        leg.needs_person = false;
    });
    Ok(())
}

fn not_done(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    class: Option<FailureClass>,
) -> Result<(), Refusal> {
    let failed = |leg: &mut Leg| {
        leg.open = None;
        // What a channel never saw was lost by a system between.
        leg.failure = Some(class.unwrap_or(FailureClass::System));
    };
    match attempt.operation {
        Operation::FundCapture { .. } if class.is_none() && leg.captures < MAX_CAPTURES => {
            move_leg(draft, leg, LegStatus::Held, |leg| leg.open = None);
        }
        Operation::Redirect { .. } => move_leg(draft, leg, LegStatus::Failed, |leg| {
            leg.open = None;
            // Who was sent to a page and did not pay there is a payer who did not pay.
            leg.failure = Some(class.unwrap_or(FailureClass::User));
            leg.expired = class.is_none();
        }),
        Operation::Debit { .. } | Operation::FundHold { .. } | Operation::FundCapture { .. } => {
            move_leg(draft, leg, LegStatus::Failed, failed);
            part::refused(draft, order, leg)?;
        }
        Operation::FundBatch { .. } => monthly::refused(draft, order, leg, class),
        Operation::FundRelease { .. } => move_leg(draft, leg, LegStatus::Failed, |leg| {
            leg.open = None;
            leg.needs_person = true;
        }),
        Operation::Refund { .. } => {
            if let Some(undo) = leg.undo {
                let entries = between(draft.state, leg, Subject::RefundTransit, Subject::PaymentInProgress)?;
                let dimensions = order.dimensions(leg.instrument.rail(), leg.clearing_date);
                let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
                draft.post_contra(business, EventCode::RefundFailed, entries, dimensions, Some(undo))?;
            }
            move_leg(draft, leg, leg.status, |leg| {
                leg.open = None;
                leg.undo = None;
                leg.needs_person = true;
            });
        }
        Operation::Pay { .. } => {}
    }
    Ok(())
}

/// A channel that had refused, or never seen, an attempt did carry it out.
fn succeeded_late(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    match attempt.operation {
        Operation::Debit { .. } | Operation::Redirect { .. } | Operation::FundCapture { .. } => {
            let mut leg = Leg { clearing_date: Some(clearing_date), ..leg.clone() };
            // What came, which may be another amount than was asked for.
            leg.instrument.set_amount(attempt.operation.money().0);
            useless(draft, order, &leg, attempt.rail.subject(), attempt.id)
        }
        Operation::FundBatch { .. } => match monthly::late(draft, leg, attempt, clearing_date) {
            Some(leg) => useless(draft, order, &leg, attempt.rail.subject(), attempt.id),
            None => Ok(()),
        },
        Operation::FundHold { .. } => {
            release(draft, &Leg { held_by: Some(attempt.id), ..leg.clone() });
            Ok(())
        }
        Operation::FundRelease { .. } => {
            move_leg(draft, leg, LegStatus::Released, |leg| {
                leg.open = None;
                leg.needs_person = false;
            });
            Ok(())
        }
        Operation::Refund { .. } if again::is_over(leg) => again::gave_twice(draft, order, leg, attempt, clearing_date),
        Operation::Refund { .. } => reversed(draft, order, leg, clearing_date),
        Operation::Pay { .. } => Ok(()),
    }
}

pub(crate) fn apply_tried(state: &mut State, id: OrderId, legs: &[Leg]) {
    let now = state.now;
    crate::order::change(state, id, |order| {
        order.status = OrderStatus::Paying;
        order.trying = true;
        order.tries += 1;
        order.tried_at = Some(now);
        order.legs.extend(legs.iter().map(|leg| leg.id));
    });
    for leg in legs {
        state.legs.insert(leg.id.0, leg.clone());
    }
}
