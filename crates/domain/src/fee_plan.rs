//! Fees (手续费) as data: what an order that is paid online costs its merchant or its payer, and what a payout or
//! withdrawal costs the account that pays it.
//!
//! ```text
//!  no plan yet: the merchant's rate ─► version from day A ─► version from day B … in force: the last one that began
//!
//!  the amount ─► its tier ─► amount × rate, rounded by the plan's rule, + fixed part ─► at least, at most ─► fee
//! ```
//! A version holds from its first accounting day until a later one does, and is never edited; two people set it. The fee is
//! reckoned when the order or payout is created, by the version of that accounting day, and stays with it: whatever is set
//! later changes none that there is. The tier of an amount counts for the whole of it, not only for what lies above the
//! tier's bound. For orders a merchant without a plan pays the rate that it was opened with, half up; for payouts, see ADR
//! 0100, an account without one pays what the institution names, or nothing.
//!
//! Who pays an order's fee is the merchant, the fee lying inside the order's amount, or the payer on top of it: an order of
//! 5,000 with a fee of 10 brings the merchant 4,990, or costs the payer 5,010, see ADR 0098. Orders to an agreement account
//! have no fee, by a plan or without one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{FeePlanId, MerchantId};
use crate::money::{Minor, RATE_WHOLE, Rounding, add, fee, fee_by, subtract};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod owner;
mod payout;
#[cfg(test)]
mod tests;

pub use owner::{FeeOf, FeeOwner};
pub(crate) use payout::{beside, plan_in_force};

/// The most tiers of a plan.
pub const MAX_TIERS: usize = 16;

/// Who pays an order's fee (手续费承担方).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum FeePayer {
    /// The merchant, out of the order's amount (内扣).
    #[default]
    #[n(0)]
    Merchant,
    /// The payer, on top of the order's amount (外扣).
    #[n(1)]
    Payer,
}

impl FeePayer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Merchant, Self::Payer];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Payer => "payer",
        }
    }
}

/// What becomes of an order's fee when the order is refunded (退款是否退手续费).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum FeeOnRefund {
    /// Each refund says whether it goes back.
    #[default]
    #[n(0)]
    AsAsked,
    /// It is kept.
    #[n(1)]
    Kept,
    /// It goes back, in proportion.
    #[n(2)]
    Returned,
}

impl FeeOnRefund {
    /// All three.
    pub const ALL: [Self; 3] = [Self::AsAsked, Self::Kept, Self::Returned];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsAsked => "as_asked",
            Self::Kept => "kept",
            Self::Returned => "returned",
        }
    }
}

/// What amounts from one on pay (阶梯费率).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct FeeTier {
    /// Its least amount, in minor units; 0 in the first tier.
    #[n(0)]
    pub from: Minor,
    /// In parts of [`RATE_WHOLE`], of the whole amount: 0.60 % is 6,000.
    #[n(1)]
    pub rate: Minor,
    /// What is added to it, in minor units.
    #[n(2)]
    pub fixed: Minor,
}

/// A version of what orders, payouts or withdrawals cost.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FeePlan {
    /// Its id.
    #[n(0)]
    pub id: FeePlanId,
    /// Whose.
    #[n(1)]
    pub owner: FeeOwner,
    /// The first accounting day on which it holds.
    #[n(2)]
    pub from: Date,
    /// By amount, the smallest first.
    #[n(3)]
    pub tiers: Vec<FeeTier>,
    /// The least that a fee comes to (保底), in minor units; none for no bound.
    #[n(4)]
    pub least: Option<Minor>,
    /// The most that a fee comes to (封顶), in minor units; none for no bound.
    #[n(5)]
    pub cap: Option<Minor>,
    /// Who pays an order's; of payouts and withdrawals the account does, beside the amount.
    #[n(6)]
    pub payer: FeePayer,
    /// How the rate's part is rounded to the minor unit.
    #[n(7)]
    pub rounding: Rounding,
    /// When it was set.
    #[n(8)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(9)]
    pub set_by: String,
    /// Who approved it.
    #[n(10)]
    pub approver: Option<String>,
    /// What it prices; absent in the journal for orders.
    #[n(11)]
    #[cbor(skip_if = "is_default")]
    pub of: FeeOf,
    /// What becomes of an order's when it is refunded; absent in the journal where each refund says.
    #[n(12)]
    #[cbor(skip_if = "is_default")]
    pub on_refund: FeeOnRefund,
}

impl FeePlan {
    /// The fee of this amount, in minor units; zero below the first tier.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn fee_of(&self, amount: Minor) -> Result<Minor, Refusal> {
        let Some(tier) = self.tiers.iter().rfind(|tier| tier.from <= amount) else { return Ok(0) };
        let fee = add(fee_by(amount, tier.rate, self.rounding)?, tier.fixed, "amount")?;
        let fee = self.least.map_or(fee, |least| fee.max(least));
        Ok(self.cap.map_or(fee, |cap| fee.min(cap)))
    }
}

/// Sets what orders, payouts or withdrawals cost from a day on; two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetFeePlan {
    /// Whose.
    #[n(0)]
    pub owner: FeeOwner,
    /// The first accounting day on which it holds; not one that has passed.
    #[n(1)]
    pub from: Date,
    /// 1 to [`MAX_TIERS`], the first from 0, each from more than the one before.
    #[n(2)]
    pub tiers: Vec<FeeTier>,
    /// The least that a fee comes to, above zero; none for no bound.
    #[n(3)]
    pub least: Option<Minor>,
    /// The most that a fee comes to, above zero and not below the least; none for no bound.
    #[n(4)]
    pub cap: Option<Minor>,
    /// Who pays an order's; the merchant for others, whose account pays.
    #[n(5)]
    pub payer: FeePayer,
    /// How the rate's part is rounded.
    #[n(6)]
    pub rounding: Rounding,
    /// What it prices; absent in the journal for orders.
    #[n(7)]
    #[cbor(skip_if = "is_default")]
    pub of: FeeOf,
    /// What becomes of an order's when it is refunded; of others nothing is refunded. Absent in the journal where each refund says.
    #[n(8)]
    #[cbor(skip_if = "is_default")]
    pub on_refund: FeeOnRefund,
}

/// Whether a field is written at all: one that is as it was before there was the field is not.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What happened to fees.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FeePlanEvent {
    /// A version was set.
    #[n(0)]
    Set(#[n(0)] FeePlan),
}

/// Sets a version of a plan.
///
/// # Errors
/// `approval_required`, `merchant_unknown`; `value_invalid` for tiers, bounds, a day that has passed, orders of a product,
/// or a payer or refunds of payouts; `already_exists` for a second version of the same day.
pub fn decide(draft: &mut Draft<'_>, command: SetFeePlan) -> Result<Reply, Refusal> {
    approval::require(draft, "setting what orders, payouts or withdrawals cost")?;
    let SetFeePlan { owner, from, tiers, least, cap, payer, rounding, of, on_refund } = command;
    owner.check(draft.state)?;
    check_of(&owner, of, payer)?;
    if of != FeeOf::Order && on_refund != FeeOnRefund::AsAsked {
        return Err(invalid("on_refund", format!("nothing of a {} is refunded; leave it out", of.name())));
    }
    draft.state.days.not_passed(from, "fees")?;
    check_tiers(&tiers)?;
    check_bounds(least, cap)?;
    if let Some(known) = draft.state.fee_plan_days.get(&(owner.clone(), of, from)) {
        let message = format!("{known} says from {from} on what {owner} pays for {}s; set another day's", of.name());
        return Err(Refusal::new(RefusalCode::AlreadyExists, "from", message));
    }
    let id = FeePlanId(draft.state.fee_plans.next_id());
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    draft.emit(Event::FeePlan(FeePlanEvent::Set(FeePlan {
        id,
        owner,
        from,
        tiers,
        least,
        cap,
        payer,
        rounding,
        set_at,
        set_by,
        approver,
        of,
        on_refund,
    })));
    Ok(Reply::FeePlan(id))
}

/// Orders are a merchant's, and only of orders somebody else may pay the fee.
fn check_of(owner: &FeeOwner, of: FeeOf, payer: FeePayer) -> Result<(), Refusal> {
    match (of, owner, payer) {
        (FeeOf::Order, FeeOwner::Product(_), _) => {
            Err(invalid("of", format!("orders are a merchant's; name payout or withdrawal for {owner}")))
        }
        (FeeOf::Payout | FeeOf::Withdrawal, _, FeePayer::Payer) => {
            let message = format!("the account pays the fee of a {} beside its amount; leave the payer out", of.name());
            Err(invalid("payer", message))
        }
        (FeeOf::Order, FeeOwner::Merchant(_), _) | (FeeOf::Payout | FeeOf::Withdrawal, _, FeePayer::Merchant) => Ok(()),
    }
}

fn check_tiers(tiers: &[FeeTier]) -> Result<(), Refusal> {
    if tiers.is_empty() || tiers.len() > MAX_TIERS {
        return Err(invalid("tiers", format!("{} tiers; name 1 to {MAX_TIERS}", tiers.len())));
    }
    let mut before = None;
    for FeeTier { from, rate, fixed } in tiers {
        match before {
            None if *from != 0 => {
                return Err(invalid("tiers", format!("the first tier is from {from}; let it be from 0")));
            }
            Some(before) if *from <= before => {
                let message = format!("a tier from {from} stands behind one from {before}; order them by amount");
                return Err(invalid("tiers", message));
            }
            None | Some(_) => before = Some(*from),
        }
        if !(0..RATE_WHOLE).contains(rate) {
            let message = format!("{rate} is not a rate; use 0 to 999,999 millionths (0.60 % is 6000)");
            return Err(invalid("rate", message));
        }
        if *fixed < 0 {
            return Err(invalid("fixed", format!("a fixed part of {fixed} is none; name minor units, or 0")));
        }
    }
    Ok(())
}

fn check_bounds(least: Option<Minor>, cap: Option<Minor>) -> Result<(), Refusal> {
    for (bound, param) in [(least, "least"), (cap, "cap")] {
        if let Some(bound) = bound.filter(|bound| *bound <= 0) {
            let message = format!("{bound} bounds nothing; name minor units above zero, or leave it out");
            return Err(invalid(param, message));
        }
    }
    if let (Some(least), Some(cap)) = (least, cap)
        && least > cap
    {
        return Err(invalid("cap", format!("a cap of {cap} is below the least, {least}; let it be that or more")));
    }
    Ok(())
}

fn invalid(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

/// What an order that is created now costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The fee, in minor units.
    pub(crate) fee: Minor,
    /// What reaches the destination, in minor units.
    pub(crate) net: Minor,
    /// The fee, where the payer pays it on top.
    pub(crate) on_top: Option<Minor>,
    /// The version that gave it; none where the merchant's rate did.
    pub(crate) plan: Option<FeePlanId>,
}

impl Charge {
    /// Nothing, of an order of this amount.
    pub(crate) const fn none(amount: Minor) -> Self {
        Self { fee: 0, net: amount, on_top: None, plan: None }
    }

    /// By the version that holds, or by the merchant's rate, in millionths, where none has begun.
    ///
    /// # Errors
    /// `fee_above_amount` if the plan leaves the merchant less than nothing; `amount_overflow`, also of amount and fee together.
    pub(crate) fn of(state: &State, merchant: MerchantId, fee_rate: Minor, amount: Minor) -> Result<Self, Refusal> {
        let plan = state.days.current().and_then(|today| state.fee_plan_on(merchant.into(), FeeOf::Order, today));
        let Some(plan) = plan else {
            let fee = fee(amount, fee_rate)?;
            return Ok(Self { fee, net: subtract(amount, fee, "amount")?, on_top: None, plan: None });
        };
        let (fee, id) = (plan.fee_of(amount)?, Some(plan.id));
        match plan.payer {
            FeePayer::Merchant if fee > amount => {
                let message = format!("{} takes {fee} of an order; {amount} is too little for it", plan.id);
                Err(Refusal::new(RefusalCode::FeeAboveAmount, "items", message))
            }
            FeePayer::Merchant => Ok(Self { fee, net: subtract(amount, fee, "amount")?, on_top: None, plan: id }),
            FeePayer::Payer => {
                add(amount, fee, "amount")?;
                Ok(Self { fee, net: amount, on_top: Some(fee), plan: id })
            }
        }
    }
}

/// Whether a refund of an order returns its fee: as the version that priced the order has it, else as the refund asks.
///
/// # Errors
/// `value_invalid` for a fee that is asked for and that the version keeps.
pub(crate) fn returned_on_refund(state: &State, priced_by: Option<FeePlanId>, asked: bool) -> Result<bool, Refusal> {
    let Some(plan) = priced_by.and_then(|id| state.fee_plans.get(id.0)) else { return Ok(asked) };
    match plan.on_refund {
        FeeOnRefund::AsAsked => Ok(asked),
        FeeOnRefund::Returned => Ok(true),
        FeeOnRefund::Kept if asked => {
            Err(invalid("return_fee", format!("{} keeps the fee of what is refunded; leave return_fee out", plan.id)))
        }
        FeeOnRefund::Kept => Ok(false),
    }
}

impl State {
    /// The version of a plan that holds on an accounting day; none before its first one.
    #[must_use]
    pub fn fee_plan_on(&self, owner: FeeOwner, of: FeeOf, on: Date) -> Option<&FeePlan> {
        let until = (owner.clone(), of, Date(i32::MIN))..=(owner, of, on);
        let version = self.fee_plan_days.range(until).next_back().map(|(_, id)| *id);
        version.and_then(|id| self.fee_plans.get(id.0))
    }
}

/// Folds what happened to fees into the state.
pub(crate) fn apply(state: &mut State, event: &FeePlanEvent) {
    match event {
        FeePlanEvent::Set(plan) => {
            state.fee_plan_days.insert((plan.owner.clone(), plan.of, plan.from), plan.id);
            state.fee_plans.insert(plan.id.0, plan.clone());
        }
    }
}
