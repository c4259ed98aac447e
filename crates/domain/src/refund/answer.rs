//! What a channel's answer does to a refund: success clears 2211 against the rail, failure is an exact contra. What goes back to a
//! balance waits for no answer. What a channel says of a part that had failed is in `late`.

use alloc::vec;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::{Refund, RefundKind, RefundPart, RefundStatus, item, late, return_entries, start_entries};
use crate::arrears::{self, Arrears};
use crate::attempt::{Attempt, Outcome};
use crate::book::Subject;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AttemptId, RefundId};
use crate::leg::Instrument;
use crate::money::Minor;
use crate::order::{self, Order, Share};
use crate::payment::balance;
use crate::refusal::Refusal;
use crate::state::State;
use crate::task::Claim;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

/// A channel answered an attempt for a refund.
pub(crate) fn answered(
    draft: &mut Draft<'_>,
    id: RefundId,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    let refund = draft.state.refund(id)?.clone();
    let order = draft.state.order(refund.order)?.clone();
    let at = refund.parts.iter().position(|part| part.attempt == Some(attempt.id));
    let at = at.expect("an attempt for a refund belongs to one of its parts");
    let part = &refund.parts[at];
    if late::is_late(&refund, part) {
        return late::answered(draft, &order, &refund, at, attempt, outcome);
    }
    let (mut shares, mut suspense, mut beside) = (Vec::new(), 0, None);
    let part_status = match outcome {
        Outcome::Success { clearing_date, .. } => {
            succeed(draft, &order, part, attempt, *clearing_date)?;
            RefundStatus::Success
        }
        Outcome::Declined { .. } | Outcome::NotFound => {
            // Its money counts as the leg's again.
            let others = draft.state.leg(part.leg)?.asked_back().saturating_sub(part.amount);
            beside = (refund.kind == RefundKind::Order).then_some(others);
            match put_back(draft, &order, &refund, part, attempt.id)? {
                Back::ToPayee(restored) => shares = restored,
                Back::ToSuspense(amount) => suspense = amount,
            }
            RefundStatus::Failed
        }
        Outcome::Unknown => RefundStatus::Unknown,
    };
    let mut parts = refund.parts.clone();
    parts[at].status = part_status;
    let status = Refund::status_of(&parts);
    let all_back = parts.iter().all(|part| part.status == RefundStatus::Failed) && refund.suspense + suspense == 0;
    if all_back {
        shares.extend(give_parts_again(draft, &order, &refund)?);
    }
    let part = u32::try_from(at).expect("a refund has a handful of parts");
    let (claimed, late) = (false, false);
    draft.emit(Event::RefundAnswered(Answered {
        refund: id,
        part,
        part_status,
        status,
        shares,
        suspense,
        beside,
        claimed,
        late,
    }));
    Ok(())
}

/// Dr 2211 / Cr the rail that the payment came by.
fn succeed(
    draft: &mut Draft<'_>,
    order: &Order,
    part: &RefundPart,
    attempt: &Attempt,
    clearing_date: Date,
) -> Result<(), Refusal> {
    let (_, currency) = attempt.operation.money();
    let transit = draft.state.institution(Subject::RefundTransit, currency)?;
    let rail = draft.state.institution(attempt.rail.subject(), currency)?;
    let entries = vec![Entry::debit(transit, part.amount, currency), Entry::credit(rail, part.amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.id.0);
    let dimensions = order.dimensions(part.rail, Some(clearing_date));
    draft.post(business, EventCode::RefundSucceeded, entries, dimensions)?;
    Ok(())
}

/// What goes back to a balance is there at once: Dr 2211 / Cr the payer's account.
///
/// # Errors
/// `account_closed`, `account_restricted` for an account that takes no money.
pub(super) fn to_balance(draft: &mut Draft<'_>, id: RefundId) -> Result<(), Refusal> {
    let refund = draft.state.refund(id)?;
    // A balance pays alone, so what goes back to it is all that goes back.
    let [part @ RefundPart { attempt: None, .. }] = refund.parts.as_slice() else { return Ok(()) };
    let (amount, currency, order) = (part.amount, refund.currency, refund.order);
    let leg = draft.state.leg(part.leg)?.clone();
    let Instrument::Balance { account, .. } = leg.instrument else { return Ok(()) };
    let transit = draft.state.institution(Subject::RefundTransit, currency)?;
    let entries = vec![Entry::debit(transit, amount, currency), Entry::credit(account, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Refund, id.0);
    let dimensions = draft.state.order(order)?.dimensions(None, None);
    let posted = draft.post(business, EventCode::RefundSucceeded, entries, dimensions);
    posted.map_err(|refusal| balance::discreet(refusal, account))?;
    balance::came_back(draft, &leg, amount)?;
    let (status, shares) = (RefundStatus::Success, Vec::new());
    draft.emit(Event::RefundAnswered(Answered {
        refund: id,
        part: 0,
        part_status: status,
        status,
        shares,
        suspense: 0,
        beside: None,
        claimed: false,
        late: false,
    }));
    Ok(())
}

/// Where the money of a part went that did not reach the payer.
enum Back {
    /// To whom it came from: whose shares grow again.
    ToPayee(Vec<Share>),
    /// Into suspense, for a person: how much.
    ToSuspense(Minor),
}

/// The exact contra of a part's start, but for what own money had covered: what is left of those arrears is undone, and what
/// was collected of them meanwhile goes to the payee. Where an account takes no money any more (closed, barred) the
/// merchant's money goes into suspense.
fn put_back(
    draft: &mut Draft<'_>,
    order: &Order,
    refund: &Refund,
    part: &RefundPart,
    attempt: AttemptId,
) -> Result<Back, Refusal> {
    let currency = refund.currency;
    let owed = part.arrears.and_then(|id| draft.state.arrears.get(id.0)).map_or(0, Arrears::left);
    let mut taken = part.taken.clone();
    if part.covered > owed {
        let (merchant, amount) = (order.merchant, part.covered - owed);
        let account = draft.state.merchant(merchant)?.available;
        taken.push(Share { merchant, account, amount, settled: true });
    }
    let mut entries = match refund.kind {
        RefundKind::Order => start_entries(draft.state, &taken, part.amount, part.fee, owed, currency)?,
        RefundKind::Useless => {
            let due = draft.state.institution(Subject::RefundDue, currency)?;
            let transit = draft.state.institution(Subject::RefundTransit, currency)?;
            vec![Entry::debit(due, part.amount, currency), Entry::credit(transit, part.amount, currency)]
        }
    };
    turn(&mut entries);
    let business = BusinessNumber::object(BusinessKind::Attempt, attempt.0);
    let dimensions = order.dimensions(part.rail, None);
    let contra_of = Some(part.voucher);
    let exact =
        draft.post_contra(business.clone(), EventCode::RefundFailed, entries.clone(), dimensions.clone(), contra_of);
    let back = if exact.is_ok() {
        Back::ToPayee(taken)
    } else {
        let suspense = draft.state.institution(Subject::Suspense, currency)?;
        for entry in &mut entries {
            if taken.iter().any(|share| share.account == entry.account) {
                entry.account = suspense;
            }
        }
        draft.post_contra(business, EventCode::RefundFailed, entries, dimensions, contra_of)?;
        Back::ToSuspense(part.amount - part.fee - owed)
    };
    if let Some(id) = part.arrears {
        arrears::undo(draft, id, owed);
    }
    Ok(back)
}

fn turn(entries: &mut [Entry]) {
    for entry in entries {
        entry.side = entry.side.opposite();
    }
}

/// The whole refund failed: what receivers returned goes to them again, by an exact contra. Where that cannot be posted
/// (an account closed or barred, the payee frozen) the payee keeps it.
fn give_parts_again(draft: &mut Draft<'_>, order: &Order, refund: &Refund) -> Result<Vec<Share>, Refusal> {
    let (Some(payee), Some(_)) = (&refund.payee, refund.return_voucher) else {
        return Ok(Vec::new());
    };
    let mut entries = return_entries(&refund.returned, payee, refund.currency);
    turn(&mut entries);
    let business = BusinessNumber::object(BusinessKind::Refund, refund.id.0);
    let dimensions = order.dimensions(None, None);
    let posted = draft.post_contra(business, EventCode::SplitRestored, entries, dimensions, refund.return_voucher);
    if posted.is_err() {
        return Ok(Vec::new());
    }
    let mut shares = refund.returned.clone();
    shares.push(Share { amount: -payee.amount, ..*payee });
    Ok(shares)
}

/// What a channel's answer did to a part of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Answered {
    /// The refund.
    #[n(0)]
    pub refund: RefundId,
    /// The part's place, from 0.
    #[n(1)]
    pub part: u32,
    /// Where the part stands now.
    #[n(2)]
    pub part_status: RefundStatus,
    /// Where the refund stands now.
    #[n(3)]
    pub status: RefundStatus,
    /// Whose shares of the order grew again, or shrank.
    #[n(4)]
    pub shares: Vec<Share>,
    /// What could not go back to the merchant and lies in suspense.
    #[n(5)]
    pub suspense: Minor,
    /// What the leg's other refunds came to when an order's part failed, but for what was taken again, in minor units.
    #[n(6)]
    pub beside: Option<Minor>,
    /// Whether what was carried out after all is claimed from the channel's bank.
    #[n(7)]
    #[cbor(default, skip_if = "crate::fee_plan::is_default")]
    pub claimed: bool,
    /// Whether the part had failed, or its refund was overtaken, when the channel said so (level 15).
    #[n(8)]
    #[cbor(default, skip_if = "crate::fee_plan::is_default")]
    pub late: bool,
}

pub(crate) fn apply_answered(state: &mut State, answered: &Answered) {
    let Answered { refund: id, part, part_status, status, ref shares, suspense, beside, claimed, late: _ } = *answered;
    let (now, at) = (state.now, part as usize);
    let refund = state.refunds.get_mut(id.0).expect("decide checked the refund");
    let part = &mut refund.parts[at];
    let before = core::mem::replace(&mut part.status, part_status);
    part.beside = beside.or(part.beside);
    part.claim = if claimed { Some(Claim::Open) } else { part.claim };
    // What is claimed of a refund that had ended leaves it as it was.
    let ends = matches!(status, RefundStatus::Success | RefundStatus::Failed) && status != refund.status;
    refund.status = status;
    refund.suspense += suspense;
    if ends {
        refund.ended_at = Some(now);
    }
    let refund = refund.clone();
    let failed = RefundStatus::Failed;
    if before == failed && part_status == RefundStatus::Success {
        late::apply(state, &refund, at, shares);
    } else if before != failed && part_status == failed && refund.kind == RefundKind::Order {
        count_back(state, &refund, at, shares);
    }
}

/// What a part that failed had taken is there to be refunded again.
fn count_back(state: &mut State, refund: &Refund, at: usize, shares: &[Share]) {
    let RefundPart { leg, amount, fee, items: of_part, .. } = &refund.parts[at];
    let failed = refund.parts.iter().filter(|part| part.status == RefundStatus::Failed);
    let (failed, failed_fee) =
        failed.fold((0, 0), |(sum, fees): (Minor, Minor), part| (sum + part.amount, fees + part.fee));
    order::change(state, refund.order, |order| {
        let (bought, all) = (order.bought(*amount, *fee), order.bought(failed, failed_fee));
        order.refunded -= amount;
        if of_part.is_empty() {
            item::count_back(order, &refund.items, all - bought, bought);
        } else {
            item::count_part_back(order, of_part);
        }
        order.fee_returned -= fee;
        if refund.returns_fee {
            order.refunded_with_fee -= bought;
        }
        order::add_shares(order, shares);
    });
    state.legs.get_mut(leg.0).expect("decide chose the leg").refunded -= amount;
}
