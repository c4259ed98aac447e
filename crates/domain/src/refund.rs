//! Refunds (退款): money of a paid order back to where each leg of it came from.
//!
//! ```text
//!  CreateRefund ─► CREATED ─ money leaves the merchant, a request to each leg's channel ─► IN_TRANSIT
//!                    IN_TRANSIT ─► SUCCESS   every part reached the payer
//!                         │  │  └► FAILED    a part did not; its money is back with the merchant, by an exact contra
//!                         └──┴───► UNKNOWN ─► SUCCESS │ FAILED
//!                    FAILED ─ the channel carries it out after all ─► SUCCESS, or a claim on its bank: see `late`
//! ```
//! CREATED and IN_TRANSIT fall into one command: there is nothing between them to wait for.
//!
//! - **To whom.** A refund goes to the legs that paid, each up to what it paid and has not got back: of rent the fund first, of anything
//!   else the card. A refund may name its items, its legs, or both. Fund money never goes to a card.
//! - **From whom.** After a split the receivers return their parts first (Dr receiver / Cr payee), as the refund says or in
//!   the order's return order; the payee bears the rest. Settled money is taken from 2203, unsettled from 2202.
//! - **Fee.** Kept, or returned in proportion: round(fee × refunded with fee so far / paid) − returned before. A fee that the payer paid
//!   on top is no part of what is asked back: a refund is of what was bought, and the fee that it returns goes back beside it.
//! - **Lack.** A refund that the payee cannot pay is refused, unless two people let own money cover it: then receivers return
//!   what they have, the payee pays what it has, 2291 the rest, and that becomes the payee's arrears. A failure undoes what
//!   is left of them and gives the payee what was collected meanwhile.
//! - **A balance** has its money back at once: no channel is asked, and CREATED to SUCCESS fall into one command. An account that takes
//!   nothing any more (closed, barred) refuses the refund, and the merchant keeps the money.
//! - Money that no order can use goes back the same way, from 2243 in place of a merchant.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::arrears::{self, ArrearsSource};
use crate::attempt::{self, Operation, Purpose};
use crate::book::Subject;
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::fee_plan::FeePayer;
use crate::ids::{AttemptId, MerchantId, OrderId, RefundId, VoucherId};
use crate::leg::Leg;
use crate::money::{Currency, Minor, add, proportion};
use crate::order::{self, Order, Share};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

mod answer;
mod item;
mod late;
mod leg;
mod plan;
mod row;
#[cfg(test)]
mod tests;

pub use answer::Answered;
pub(crate) use answer::{answered, apply_answered};
pub use item::ItemRefund;
pub use leg::LegRefund;
use leg::LegShare;
use plan::{Plan, plan};
pub(crate) use plan::{payee_share, take};
pub use row::{Refund, RefundKind, RefundPart, RefundStatus};

/// Gives money of a paid order back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CreateRefund {
    /// The order.
    #[n(0)]
    pub order: OrderId,
    /// The merchant's own number; the engine keeps it unique.
    #[n(1)]
    pub out_refund_no: String,
    /// Minor units above zero; of what was bought, where the payer paid the fee on top.
    #[n(2)]
    pub amount: Minor,
    /// Whether the fee is returned too, where the order's fee plan leaves that to its refunds.
    #[n(3)]
    pub return_fee: bool,
    /// What each receiver of a split returns; in the order's return order if empty.
    #[n(4)]
    pub take_from: Vec<(MerchantId, Minor)>,
    /// What of which items, together the amount; the order as a whole if empty.
    #[n(5)]
    #[cbor(default)]
    pub items: Vec<ItemRefund>,
    /// What to which leg, together the amount; as the items have it if empty. A fee that was on top goes back beside it, with the card.
    #[n(6)]
    #[cbor(default)]
    pub legs: Vec<LegRefund>,
}

/// Gives money of a paid order back.
///
/// # Errors
/// `order_unknown`, `order_state`, `refund_exceeded`, `amount_not_positive`, `value_invalid`, `receiver_not_allowed` for
/// a receiver without a share, those of the voucher (`insufficient_funds` above all); `account_closed` or `account_restricted` for a
/// balance that takes no money any more.
pub fn decide_create(draft: &mut Draft<'_>, command: CreateRefund) -> Result<Reply, Refusal> {
    create(draft, command, Lack::Refused)
}

/// As [`decide_create`], with own money for what the payee lacks; the caller has asked for the approval.
///
/// # Errors
/// As [`decide_create`]; `order_state` for money that lies on an agreement account, `insufficient_funds` if 2291 has too
/// little: then own money is injected first.
pub(crate) fn decide_covered(draft: &mut Draft<'_>, command: CreateRefund) -> Result<Reply, Refusal> {
    let order = draft.state.order(command.order)?;
    if !order.settles {
        let message = format!("{} lies on an agreement account, which pays its own refunds", order.id);
        return Err(Refusal::new(RefusalCode::OrderState, "order", message));
    }
    create(draft, command, Lack::Covered)
}

/// What happens if the payee has too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// The refund is refused.
    Refused,
    /// Own money pays, and the payee owes it.
    Covered,
}

fn create(draft: &mut Draft<'_>, command: CreateRefund, lack: Lack) -> Result<Reply, Refusal> {
    let plan = plan(draft.state, &command, lack)?;
    let id = RefundId(draft.state.refunds.next_id());
    let return_voucher = take_parts_back(draft, id, &plan)?;
    let parts = start_parts(draft, id, &plan, lack)?;
    let Plan { order, amount, returns_fee, fee, returned, payee, .. } = plan;
    draft.emit(Event::RefundCreated(Refund {
        id,
        order: order.id,
        out_refund_no: command.out_refund_no,
        kind: RefundKind::Order,
        amount,
        currency: order.currency,
        returns_fee,
        fee,
        parts,
        returned,
        payee: Some(payee),
        return_voucher,
        status: RefundStatus::InTransit,
        created_at: draft.context.now,
        ended_at: None,
        suspense: 0,
        items: command.items,
        retried_as: None,
        settled_by: None,
        overtaken_by: None,
    }));
    answer::to_balance(draft, id)?;
    Ok(Reply::Refund(id))
}

/// Dr each receiver / Cr payee.
fn take_parts_back(draft: &mut Draft<'_>, id: RefundId, plan: &Plan) -> Result<Option<VoucherId>, Refusal> {
    if plan.returned.is_empty() {
        return Ok(None);
    }
    let entries = return_entries(&plan.returned, &plan.payee, plan.order.currency);
    let business = BusinessNumber::object(BusinessKind::Refund, id.0);
    draft.post(business, EventCode::SplitReturned, entries, plan.order.dimensions(None, None)).map(Some)
}

pub(crate) fn return_entries(returned: &[Share], payee: &Share, currency: Currency) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        returned.iter().map(|share| Entry::debit(share.account, share.amount, currency)).collect();
    entries.push(Entry::credit(payee.account, payee.amount, currency));
    entries
}

/// Each leg's part leaves the payee, with a request to the leg's channel if one carried it.
fn start_parts(draft: &mut Draft<'_>, id: RefundId, plan: &Plan, lack: Lack) -> Result<Vec<RefundPart>, Refusal> {
    let currency = plan.order.currency;
    let mut own = plan.own.clone();
    let mut fee_left = plan.fee;
    let mut parts = Vec::with_capacity(plan.legs.len());
    for (at, LegShare { leg, amount, items }) in plan.legs.iter().enumerate() {
        let fee = match plan.order.fee_payer() {
            // No fund paid it: it goes with the card, which comes first.
            FeePayer::Payer => fee_left.min(*amount),
            FeePayer::Merchant if at + 1 == plan.legs.len() => fee_left,
            FeePayer::Merchant => proportion(plan.fee, *amount, plan.amount)?.min(fee_left),
        };
        fee_left -= fee;
        let (taken, covered) = take_own(draft.state, &mut own, amount - fee, lack, currency);
        if covered > 0 {
            arrears::can_cover(draft.state, covered.saturating_add(fee), currency)?;
        }
        let entries = start_entries(draft.state, &taken, *amount, fee, covered, currency)?;
        let (leg_id, rail, status) = (leg.id, leg.instrument.rail(), RefundStatus::InTransit);
        let part = RefundPart {
            leg: leg_id,
            rail,
            attempt: None,
            amount: *amount,
            fee,
            status,
            taken,
            voucher: VoucherId(0),
            covered,
            arrears: None,
            items: items.clone(),
            beside: None,
            claim: None,
        };
        let mut part = start_part(draft, id, &plan.order, leg, leg.captured_by, entries, part)?;
        if covered > 0 {
            let source = ArrearsSource::Refund(id);
            part.arrears = Some(arrears::open(draft, plan.order.merchant, source, covered, currency));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Takes `left` from what the payee still gives: what was taken, and what is lacking if own money covers it.
fn take_own(state: &State, own: &mut [Share], mut left: Minor, lack: Lack, currency: Currency) -> (Vec<Share>, Minor) {
    let mut taken = Vec::new();
    for share in own {
        let mut amount = share.amount.min(left);
        if lack == Lack::Covered {
            amount = amount.min(state.usable(share.account, currency));
        }
        if amount > 0 {
            taken.push(Share { amount, ..*share });
            share.amount -= amount;
            left -= amount;
        }
    }
    (taken, left)
}

fn start_part(
    draft: &mut Draft<'_>,
    id: RefundId,
    order: &Order,
    leg: &Leg,
    original: Option<AttemptId>,
    entries: Vec<Entry>,
    part: RefundPart,
) -> Result<RefundPart, Refusal> {
    let (attempt, business) = match part.rail {
        Some(rail) => {
            let original = original.expect("what a channel carried has the attempt that brought it");
            let original = draft.state.attempt(original)?;
            // Whoever brought the money is asked to give it back.
            let (channel, original) = (ChannelName { rail, ..original.channel_name() }, original.serial());
            let operation = Operation::Refund { original, amount: part.amount, currency: order.currency };
            let attempt = attempt::request(draft, channel, operation, Purpose::Refund(id));
            (Some(attempt), BusinessNumber::object(BusinessKind::Attempt, attempt.0))
        }
        None => (None, BusinessNumber::object(BusinessKind::Refund, id.0)),
    };
    let dimensions = order.dimensions(part.rail, leg.clearing_date);
    let voucher = draft.post(business, EventCode::RefundStarted, entries, dimensions)?;
    Ok(RefundPart { attempt, voucher, ..part })
}

/// Dr the payee, Dr 2291 the fee and what own money covers / Cr 2211 · OWN Dr 5001 the fee, Dr 1152 the cover / Cr 1291.
fn start_entries(
    state: &State,
    taken: &[Share],
    amount: Minor,
    fee: Minor,
    covered: Minor,
    currency: Currency,
) -> Result<Vec<Entry>, Refusal> {
    let mut entries: Vec<Entry> =
        taken.iter().map(|share| Entry::debit(share.account, share.amount, currency)).collect();
    let own = |subject| state.institution(subject, currency);
    let from_own = add(fee, covered, "amount")?;
    if from_own > 0 {
        entries.push(Entry::debit(own(Subject::DueToOwn)?, from_own, currency));
    }
    entries.push(Entry::credit(own(Subject::RefundTransit)?, amount, currency));
    if fee > 0 {
        entries.push(Entry::debit(own(Subject::FeeIncome)?, fee, currency));
    }
    if covered > 0 {
        entries.push(Entry::debit(own(Subject::Arrears)?, covered, currency));
    }
    if from_own > 0 {
        entries.push(Entry::credit(own(Subject::DueFromReserve)?, from_own, currency));
    }
    Ok(entries)
}

/// Sends money that no order can use from 2243 back to the leg it came by.
pub(crate) fn start_useless(
    draft: &mut Draft<'_>,
    order: &Order,
    leg: &Leg,
    original: AttemptId,
) -> Result<(), Refusal> {
    let id = RefundId(draft.state.refunds.next_id());
    let (amount, currency) = (leg.amount(), leg.currency);
    let due = draft.state.institution(Subject::RefundDue, currency)?;
    let transit = draft.state.institution(Subject::RefundTransit, currency)?;
    let entries = vec![Entry::debit(due, amount, currency), Entry::credit(transit, amount, currency)];
    let part = start_part(
        draft,
        id,
        order,
        leg,
        Some(original),
        entries,
        RefundPart {
            leg: leg.id,
            rail: leg.instrument.rail(),
            attempt: None,
            amount,
            fee: 0,
            status: RefundStatus::InTransit,
            taken: Vec::new(),
            voucher: VoucherId(0),
            covered: 0,
            arrears: None,
            items: Vec::new(),
            beside: None,
            claim: None,
        },
    )?;
    draft.emit(Event::RefundCreated(Refund {
        id,
        order: order.id,
        out_refund_no: String::new(),
        kind: RefundKind::Useless,
        amount,
        currency,
        returns_fee: false,
        fee: 0,
        parts: vec![part],
        returned: Vec::new(),
        payee: None,
        return_voucher: None,
        status: RefundStatus::InTransit,
        created_at: draft.context.now,
        ended_at: None,
        suspense: 0,
        items: Vec::new(),
        retried_as: None,
        settled_by: None,
        overtaken_by: None,
    }));
    Ok(())
}

/// Sends money that its source refused back to it once more: a refund of its own, by a new attempt.
pub(crate) fn start_again(draft: &mut Draft<'_>, refused: &Refund) -> Result<RefundId, Refusal> {
    let order = draft.state.order(refused.order)?.clone();
    let part = refused.parts.first().expect("money that no order can use came by one leg");
    let mut leg = draft.state.leg(part.leg)?.clone();
    leg.instrument.set_amount(refused.amount);
    let attempt = draft.state.attempt(part.attempt.expect("it came by a channel"))?;
    let original = attempt.operation.original().and_then(attempt::attempt_of_serial);
    let id = RefundId(draft.state.refunds.next_id());
    start_useless(draft, &order, &leg, original.expect("a refund names what it gives back"))?;
    Ok(id)
}

impl State {
    /// The refund.
    ///
    /// # Errors
    /// `refund_unknown`.
    pub fn refund(&self, id: RefundId) -> Result<&Refund, Refusal> {
        let unknown = || Refusal::new(RefusalCode::RefundUnknown, "refund", format!("there is no refund {id}"));
        self.refunds.get(id.0).ok_or_else(unknown)
    }
}

pub(crate) fn apply_created(state: &mut State, refund: &Refund) {
    if refund.kind == RefundKind::Order {
        let taken = refund.parts.iter().flat_map(|part| &part.taken).chain(&refund.returned);
        let mut shares: Vec<Share> = taken.map(|share| Share { amount: -share.amount, ..*share }).collect();
        shares.extend(refund.payee.filter(|payee| payee.amount != 0));
        order::change(state, refund.order, |order| {
            order.refunded += refund.amount;
            item::count(order, &refund.items);
            order.fee_returned += refund.fee;
            if refund.returns_fee {
                order.refunded_with_fee += order.bought(refund.amount, refund.fee);
            }
            order::add_shares(order, &shares);
        });
        for part in &refund.parts {
            state.legs.get_mut(part.leg.0).expect("decide chose the leg").refunded += part.amount;
        }
    }
    state.refunds.insert(refund.id.0, refund.clone());
}
