//! Splits (分账): a paid order's money shared among merchants before it is settled. A broker network (ACN) splits one
//! commission among a dozen roles.
//!
//! ```text
//!  order SUCCESS, unsettled ─ MakeSplit ─► Dr 2202 payee / Cr 2202 each receiver ─► each settles by itself
//!                                            ├ a refund takes parts back in the order's return order
//!                                            └ a receiver returns of its part: see `giving_back`
//! ```
//! Σ parts never exceeds what the payee has unsettled of the order. With rates each part is rounded down and what rounding
//! leaves goes to one named receiver, so the parts always add up. Who receives is registered before: [`crate::receiver`].

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{MerchantId, OrderId, SplitId, SplitPlanId, VoucherId};
use crate::money::{Minor, RATE_WHOLE, add, positive};
use crate::order::{self, Order, Share, can_split, name_fits};
use crate::recall::Leaves;
use crate::receiver;
use crate::refusal::{Refusal, RefusalCode};
use crate::split_plan::{self, Filled, PlannedParts};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

mod giving_back;
#[cfg(test)]
mod tests;

pub(crate) use giving_back::apply_returned;
pub use giving_back::{ReturnSplit, SplitReturn, decide_return};

/// The most parts of one split.
pub const MAX_PARTS: usize = 30;

/// One receiver's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SplitPart {
    /// Who receives it.
    #[n(0)]
    pub merchant: MerchantId,
    /// Minor units above zero.
    #[n(1)]
    pub amount: Minor,
}

/// How the parts are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// In minor units.
    Amounts(Vec<SplitPart>),
    /// In parts of [`RATE_WHOLE`], which they add up to.
    Rates {
        /// What is split, in minor units.
        amount: Minor,
        /// Who receives how much of it.
        rates: Vec<(MerchantId, Minor)>,
        /// The receiver of what rounding leaves.
        remainder_to: MerchantId,
    },
    /// By a plan, see [`crate::split_plan`].
    Plan(PlannedParts),
}

/// Splits what the payee has unsettled of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeSplit {
    /// The order.
    pub order: OrderId,
    /// The caller's own number; the engine keeps it unique.
    pub out_split_no: String,
    /// Who receives what.
    pub parts: Parts,
    /// The receivers in the order in which a refund takes their parts back; as the plan says, or else the last part first, if empty.
    pub return_order: Vec<MerchantId>,
}

/// A split.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Split {
    /// Its id.
    #[n(0)]
    pub id: SplitId,
    /// The order.
    #[n(1)]
    pub order: OrderId,
    /// The caller's own number.
    #[n(2)]
    pub out_split_no: String,
    /// Whose share was split.
    #[n(3)]
    pub payee: MerchantId,
    /// Who received what.
    #[n(4)]
    pub parts: Vec<SplitPart>,
    /// Σ parts.
    #[n(5)]
    pub amount: Minor,
    /// The receivers in the order in which a refund takes their parts back.
    #[n(6)]
    pub return_order: Vec<MerchantId>,
    /// The changes of the order's shares.
    #[n(7)]
    pub shares: Vec<Share>,
    /// Its voucher.
    #[n(8)]
    pub voucher: VoucherId,
    /// When it was made.
    #[n(9)]
    pub created_at: Time,
    /// What receivers returned of it without a refund, oldest first.
    #[n(10)]
    #[cbor(default)]
    pub returns: Vec<SplitReturn>,
    /// The version of a plan that it went by; none where it named none, or one of the settings.
    #[n(11)]
    pub plan: Option<SplitPlanId>,
}

impl Leaves for Split {
    /// It is over once it is made; a receiver may return of it still.
    fn is_closed(&self) -> bool {
        true
    }
}

/// Splits an order.
///
/// # Errors
/// `order_unknown`, `split_state`, `split_amount`, `merchant_unknown`, `receiver_not_allowed`, `receiver_not_registered`,
/// `split_plan_unknown`, `split_plan_role`, `value_invalid`, `amount_not_positive`, and those of the voucher.
pub fn decide_make(draft: &mut Draft<'_>, command: MakeSplit) -> Result<Reply, Refusal> {
    let MakeSplit { order, out_split_no, parts, return_order } = command;
    let order = draft.state.order(order)?.clone();
    can_split(&order)?;
    name_fits(&out_split_no, "out_split_no")?;
    let Given { parts, return_order: planned, plan } = given(draft.state, parts)?;
    let return_order = if return_order.is_empty() { planned } else { return_order };
    let amount = check_parts(draft.state, &order, &parts)?;
    let return_order = check_return_order(&parts, return_order)?;
    let id = SplitId(draft.state.splits.next_id());
    let mut entries = vec![Entry::debit(order.destination, amount, order.currency)];
    let mut shares =
        vec![Share { merchant: order.merchant, account: order.destination, amount: -amount, settled: false }];
    for SplitPart { merchant, amount } in parts.iter().copied() {
        let account = draft.state.merchant(merchant)?.pending;
        entries.push(Entry::credit(account, amount, order.currency));
        shares.push(Share { merchant, account, amount, settled: false });
    }
    let business = BusinessNumber::object(BusinessKind::Split, id.0);
    let voucher = draft.post(business, EventCode::SplitPaid, entries, order.dimensions(None, None))?;
    let (payee, created_at) = (order.merchant, draft.context.now);
    draft.emit(Event::SplitMade(Split {
        id,
        order: order.id,
        out_split_no,
        payee,
        parts,
        amount,
        return_order,
        shares,
        voucher,
        created_at,
        returns: Vec::new(),
        plan,
    }));
    Ok(Reply::Split(id))
}

/// Parts in minor units, and what a plan says beside them.
#[derive(Debug)]
struct Given {
    parts: Vec<SplitPart>,
    /// None where no plan names one.
    return_order: Vec<MerchantId>,
    plan: Option<SplitPlanId>,
}

fn given(state: &State, parts: Parts) -> Result<Given, Refusal> {
    let plain = |parts| Given { parts, return_order: Vec::new(), plan: None };
    match parts {
        Parts::Amounts(parts) => Ok(plain(parts)),
        Parts::Rates { amount, rates, remainder_to } => amounts(amount, rates, remainder_to).map(plain),
        Parts::Plan(planned) => {
            let Filled { rates, remainder_to, return_order, plan } = split_plan::fill(state, &planned)?;
            Ok(Given { parts: amounts(planned.amount, rates, remainder_to)?, return_order, plan })
        }
    }
}

fn amounts(
    amount: Minor,
    rates: Vec<(MerchantId, Minor)>,
    remainder_to: MerchantId,
) -> Result<Vec<SplitPart>, Refusal> {
    let amount = positive(amount, "amount")?;
    let whole = rates.iter().try_fold(0, |sum, (_, rate)| add(sum, positive(*rate, "rates")?, "rates"))?;
    if whole != RATE_WHOLE {
        let message = format!("the rates add up to {whole}; they must add up to {RATE_WHOLE}");
        return Err(Refusal::new(RefusalCode::SplitAmount, "rates", message));
    }
    let mut left = amount;
    let mut parts = Vec::with_capacity(rates.len());
    for (merchant, rate) in rates {
        let part = i128::from(amount) * i128::from(rate) / i128::from(RATE_WHOLE);
        let part = Minor::try_from(part).expect("a part of 64-bit minor units fits in them");
        left -= part;
        parts.push(SplitPart { merchant, amount: part });
    }
    let Some(part) = parts.iter_mut().find(|part| part.merchant == remainder_to) else {
        let message = format!("{remainder_to} has no rate; the remainder goes to one of the receivers");
        return Err(Refusal::new(RefusalCode::SplitAmount, "remainder_to", message));
    };
    part.amount += left;
    Ok(parts)
}

fn check_parts(state: &State, order: &Order, parts: &[SplitPart]) -> Result<Minor, Refusal> {
    if parts.is_empty() || parts.len() > MAX_PARTS {
        let message = format!("the split has {} parts; use 1 to {MAX_PARTS}", parts.len());
        return Err(Refusal::new(RefusalCode::SplitAmount, "parts", message));
    }
    let mut sum = 0;
    for (at, part) in parts.iter().enumerate() {
        sum = add(sum, positive(part.amount, "parts")?, "parts")?;
        if part.merchant == order.merchant {
            let message = format!("{} is paid by the order itself; leave its own part out", part.merchant);
            return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "parts", message));
        }
        if parts.iter().take(at).any(|earlier| earlier.merchant == part.merchant) {
            let message = format!("{} stands in two parts; add them up", part.merchant);
            return Err(Refusal::new(RefusalCode::SplitAmount, "parts", message));
        }
        check_receiver(state, order, *part)?;
    }
    let available = order.share(order.merchant, false);
    if sum > available {
        let message = format!("the parts add up to {sum} and {available} of {} can be split", order.id);
        return Err(Refusal::new(RefusalCode::SplitAmount, "parts", message));
    }
    Ok(sum)
}

/// Whether the receiver is registered and has, with this part, no more of the order than it may; what a refund took back counts
/// no more.
fn check_receiver(state: &State, order: &Order, part: SplitPart) -> Result<(), Refusal> {
    let SplitPart { merchant, amount } = part;
    let Some(most) = receiver::of_part(state, order.merchant, merchant)?.most_of(order.amount) else { return Ok(()) };
    let has = add(order.share(merchant, false), order.share(merchant, true), "parts")?;
    if add(has, amount, "parts")? <= most {
        return Ok(());
    }
    let message = format!(
        "{merchant} is registered for at most {most} of {} and has {has}; {amount} more needs a larger share",
        order.id
    );
    Err(Refusal::new(RefusalCode::SplitAmount, "parts", message))
}

fn check_return_order(parts: &[SplitPart], wanted: Vec<MerchantId>) -> Result<Vec<MerchantId>, Refusal> {
    let mut receivers: Vec<MerchantId> = parts.iter().rev().map(|part| part.merchant).collect();
    if wanted.is_empty() {
        return Ok(receivers);
    }
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    receivers.sort_unstable();
    if sorted == receivers {
        return Ok(wanted);
    }
    let message = "the return order must name each receiver of the split once";
    Err(Refusal::new(RefusalCode::ValueInvalid, "return_order", message))
}

impl State {
    /// The split.
    ///
    /// # Errors
    /// `split_unknown`.
    pub fn split(&self, id: SplitId) -> Result<&Split, Refusal> {
        let unknown = || Refusal::new(RefusalCode::SplitUnknown, "split", format!("there is no split {id}"));
        self.splits.get(id.0).ok_or_else(unknown)
    }
}

pub(crate) fn apply_made(state: &mut State, split: &Split) {
    order::change(state, split.order, |order| {
        order::add_shares(order, &split.shares);
        // The latest split is returned first.
        let earlier = order.return_order.iter().filter(|merchant| !split.return_order.contains(merchant));
        order.return_order = split.return_order.iter().chain(earlier).copied().collect();
    });
    state.splits.insert(split.id.0, split.clone());
}
