//! What payouts and withdrawals cost the account that pays them, by a plan of its merchant or of its user's product. The
//! fee is taken beside the amount, see [`crate::payout`]. A fee above zero that the institution names goes before the plan.
//! What stays in these books, a withdrawal to the own 2206, is priced by no plan, and neither is a deduction.

use super::{FeeOf, FeeOwner, FeePlan};
use crate::account::Owner;
use crate::ids::FeePlanId;
use crate::money::{Minor, add};
use crate::payout::{Destination, PayoutKind};
use crate::refusal::Refusal;
use crate::state::State;

/// The fee of a payout in minor units, and the version that gave it; as it was named if that is not zero.
///
/// # Errors
/// `amount_overflow`.
pub(crate) fn beside(
    state: &State,
    owner: Owner,
    to: (PayoutKind, &Destination),
    amount: Minor,
    named: Minor,
) -> Result<(Minor, Option<FeePlanId>), Refusal> {
    let of = match to {
        (_, Destination::Company(_)) | (PayoutKind::Deduction, _) => return Ok((named, None)),
        (PayoutKind::Payout, _) => FeeOf::Payout,
        (PayoutKind::Withdrawal, _) => FeeOf::Withdrawal,
    };
    match plan_in_force(state, owner, of) {
        Some(plan) if named == 0 => Ok((plan.fee_of(amount)?, Some(plan.id))),
        Some(_) | None => Ok((named, None)),
    }
}

/// The version that prices what leaves an account of this owner now.
pub(crate) fn plan_in_force(state: &State, owner: Owner, of: FeeOf) -> Option<&FeePlan> {
    let owner = match owner {
        Owner::Merchant(merchant) => FeeOwner::Merchant(merchant),
        Owner::User(user) => FeeOwner::Product(state.users.get(user.0)?.product.clone()),
        Owner::Institution => return None,
    };
    state.fee_plan_on(owner, of, state.days.current()?)
}

impl FeePlan {
    /// The largest amount that fits into a sum together with its fee, and that fee; none if no amount above zero does.
    ///
    /// Within a tier the fee never falls as the amount grows; where the next one begins it may. So the tiers are tried from
    /// the largest amounts down, and the first that has an amount that fits has the largest.
    pub(crate) fn most_within(&self, sum: Minor) -> Option<(Minor, Minor)> {
        let fee_if_fits = |amount: Minor| {
            let fee = self.fee_of(amount).ok()?;
            add(amount, fee, "amount").is_ok_and(|total| total <= sum).then_some(fee)
        };
        // What is sought lies below this.
        let mut beyond = sum.saturating_add(1);
        for tier in self.tiers.iter().rev() {
            let least = tier.from.max(1);
            if least < beyond && fee_if_fits(least).is_some() {
                let mut fits = least;
                while beyond - fits > 1 {
                    let middle = fits + (beyond - fits) / 2;
                    if fee_if_fits(middle).is_some() {
                        fits = middle;
                    } else {
                        beyond = middle;
                    }
                }
                return fee_if_fits(fits).map(|fee| (fits, fee));
            }
            beyond = beyond.min(tier.from);
        }
        None
    }
}
