//! How much a city's fund pays for a lease (提取额度): the least of rent, monthly contribution, the city's cap and what is left of the
//! year; not before a number of months with contributions, and not more often than the city lets a lease draw.
//!
//! ```text
//!  the centre's words of a lease ┐
//!                                ├ judge ─► at most so much │ not filed │ months too few │ draws used up ─► the payment's instrument
//!  the city's rules ─────────────┘                                                                  check ─► paid │ refused
//! ```
//! The centre knows nothing of what waits for a batch here: that counts besides. Only the judgement goes into the journal: what a person
//! earns and contributes is nobody's here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

use super::month_of;
use crate::attempt::{Attempt, Operation};
use crate::calendar::Date;
use crate::ids::AttemptId;
use crate::leg::Instrument;
use crate::money::Minor;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What the centre says of a lease that is filed with it. Its figures are personal: no text form shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct FundLease {
    /// The rent of a month, as it is filed.
    pub rent: Minor,
    /// What is paid into the fund a month.
    pub contribution: Minor,
    /// What the fund still pays in the year of the month that was asked about.
    pub remaining: Minor,
    /// For how many months without a gap contributions were paid.
    pub months: u32,
    /// Any day of each month that was paid for, one a payment.
    pub draws: Vec<Date>,
}

impl fmt::Debug for FundLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FundLease").finish_non_exhaustive()
    }
}

/// In which time draws are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Every {
    /// A month.
    #[n(0)]
    Month,
    /// A quarter of the calendar year.
    #[n(1)]
    Quarter,
    /// A calendar year.
    #[n(2)]
    Year,
}

impl Every {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Month, Self::Quarter, Self::Year];

    /// The name in settings, API and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Whether two dates lie in the same.
    fn has_both(self, one: Date, other: Date) -> bool {
        let part = |date: Date| match self {
            Self::Month => date.month() % 100,
            Self::Quarter => (date.month() % 100).saturating_sub(1) / 3,
            Self::Year => 0,
        };
        (one.year(), part(one)) == (other.year(), part(other))
    }
}

/// How often a lease may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Frequency {
    /// The most payments.
    #[n(0)]
    pub draws: u32,
    /// In each of these.
    #[n(1)]
    pub every: Every,
}

/// What a city asks for beside what the centre says of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaRules {
    /// The most of a month, whoever rents; none if the city has no such cap.
    pub cap: Option<Minor>,
    /// The least months with contributions.
    pub months_min: u32,
    /// How often; none if the city does not say.
    pub frequency: Option<Frequency>,
}

/// What makes the quota no larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum QuotaBound {
    /// The rent.
    #[n(0)]
    Rent,
    /// The monthly contribution.
    #[n(1)]
    Contribution,
    /// The city's cap.
    #[n(2)]
    Cap,
    /// What is left of the year.
    #[n(3)]
    Remaining,
}

impl QuotaBound {
    /// The name in API and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rent => "rent",
            Self::Contribution => "contribution",
            Self::Cap => "cap",
            Self::Remaining => "remaining",
        }
    }
}

/// What a fund may pay of a month's rent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum FundQuota {
    /// So much and no more; nothing more if it is 0.
    #[n(0)]
    AtMost {
        /// Minor units.
        #[n(0)]
        amount: Minor,
        /// What bounds it.
        #[n(1)]
        bound: QuotaBound,
        /// How many payments are left in the time of that month; none if the city does not say.
        #[n(2)]
        left: Option<Frequency>,
    },
    /// The centre has no such lease.
    #[n(1)]
    Unfiled,
    /// Contributions were paid for too short a time.
    #[n(2)]
    MonthsTooFew {
        /// For how many months.
        #[n(0)]
        months: u32,
        /// The least that the city asks for.
        #[n(1)]
        least: u32,
    },
    /// The lease drew as often as it may.
    #[n(3)]
    DrawsUsedUp {
        /// How often.
        #[n(0)]
        draws: u32,
        /// The most that the city allows.
        #[n(1)]
        most: u32,
        /// In each of these.
        #[n(2)]
        every: Every,
    },
}

impl QuotaRules {
    /// What a fund may pay for a month, of which `month` is any day. `lease` is none if the centre has none of that number.
    #[must_use]
    pub fn judge(&self, lease: Option<&FundLease>, month: Date) -> FundQuota {
        let Some(lease) = lease else { return FundQuota::Unfiled };
        if lease.months < self.months_min {
            return FundQuota::MonthsTooFew { months: lease.months, least: self.months_min };
        }
        let mut left = None;
        if let Some(Frequency { draws: most, every }) = self.frequency {
            let draws = lease.draws.iter().filter(|draw| every.has_both(**draw, month)).count();
            let draws = u32::try_from(draws).unwrap_or(u32::MAX);
            if draws >= most {
                return FundQuota::DrawsUsedUp { draws, most, every };
            }
            left = Some(Frequency { draws: most.saturating_sub(draws), every });
        }
        let bounds = [
            Some((lease.rent, QuotaBound::Rent)),
            Some((lease.contribution, QuotaBound::Contribution)),
            self.cap.map(|cap| (cap, QuotaBound::Cap)),
            Some((lease.remaining, QuotaBound::Remaining)),
        ];
        let least = bounds.into_iter().flatten().min_by_key(|(amount, _)| *amount);
        let (amount, bound) = least.unwrap_or((lease.rent, QuotaBound::Rent));
        FundQuota::AtMost { amount: amount.max(0), bound, left }
    }
}

/// Where an attempt that a monthly batch carries stands among those of its lease.
pub(crate) fn lease_key(attempt: &Attempt) -> Option<(String, AttemptId)> {
    let Operation::FundBatch { contract, .. } = &attempt.operation else { return None };
    Some((contract.clone(), attempt.id))
}

/// Whether what waits for a batch already, of the same lease, leaves so much of the quota.
///
/// # Errors
/// `fund_over_quota`, `fund_draws_used_up`.
pub(crate) fn check_waiting(state: &State, instruments: &[Instrument]) -> Result<(), Refusal> {
    for instrument in instruments {
        let Instrument::Fund { contract, amount, monthly: Some(monthly), .. } = instrument else { continue };
        let Some(FundQuota::AtMost { amount: most, left, .. }) = monthly.quota else { continue };
        let (period, month) = (&monthly.period, month_of(&monthly.period)?);
        let of_lease = (contract.clone(), AttemptId(0))..=(contract.clone(), AttemptId(u64::MAX));
        let tries = state.lease_tries.range(of_lease).filter_map(|((_, id), ())| state.attempts.get(id.0));
        let (mut waits, mut draws): (Minor, u32) = (0, 0);
        for attempt in tries {
            let Operation::FundBatch { period: other, amount, .. } = &attempt.operation else { continue };
            if other == period {
                waits = waits.saturating_add(*amount);
            }
            let counts = |left: Frequency| month_of(other).is_ok_and(|other| left.every.has_both(other, month));
            draws = draws.saturating_add(u32::from(left.is_some_and(counts)));
        }
        if waits > 0 && amount.saturating_add(waits) > most {
            let message = format!(
                "the fund pays {most} at most of {period}, and {waits} waits for its batch already; ask it for the rest at most, or pay by card"
            );
            return Err(Refusal::new(RefusalCode::FundOverQuota, "amount", message));
        }
        if let Some(Frequency { draws: most, every }) = left.filter(|left| draws >= left.draws) {
            let every = every.name();
            let message = format!(
                "{draws} payments of this lease wait for a batch already, and {most} are left in that {every}; wait for them, or pay by card"
            );
            return Err(Refusal::new(RefusalCode::FundDrawsUsedUp, "period", message));
        }
    }
    Ok(())
}

impl FundQuota {
    /// Whether the fund may pay `amount`.
    ///
    /// # Errors
    /// `fund_over_quota`, `fund_lease_unknown`, `fund_months_too_few`, `fund_draws_used_up`.
    pub fn check(self, amount: Minor) -> Result<(), Refusal> {
        match self {
            Self::AtMost { amount: most, .. } if amount <= most => Ok(()),
            Self::AtMost { amount: most, bound, .. } => {
                let name = bound.name();
                let message = if most == 0 {
                    format!("the fund pays nothing more of this month, bounded by {name}; pay by card")
                } else {
                    format!(
                        "the fund pays {most} at most, bounded by {name}, not {amount}; ask it for {most} and a card for the rest"
                    )
                };
                Err(Refusal::new(RefusalCode::FundOverQuota, "amount", message))
            }
            Self::Unfiled => {
                let message = "the centre has no lease filed under this number; have it filed first, or pay by card";
                Err(Refusal::new(RefusalCode::FundLeaseUnknown, "contract", message))
            }
            Self::MonthsTooFew { months, least } => {
                let message = format!(
                    "contributions were paid for {months} months and the city asks for {least}; pay by card until then"
                );
                Err(Refusal::new(RefusalCode::FundMonthsTooFew, "contract", message))
            }
            Self::DrawsUsedUp { draws, most, every } => {
                let every = every.name();
                let message = format!(
                    "the fund paid {draws} times for this lease in that {every}, and may {most} times; name a month of another \
                     {every}, or pay by card"
                );
                Err(Refusal::new(RefusalCode::FundDrawsUsedUp, "period", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn lease() -> FundLease {
        FundLease { rent: 500_000, contribution: 300_000, remaining: 900_000, months: 3, draws: Vec::new() }
    }

    fn rules() -> QuotaRules {
        QuotaRules { cap: Some(250_000), months_min: 3, frequency: None }
    }

    fn judged(rules: QuotaRules, lease: &FundLease) -> FundQuota {
        rules.judge(Some(lease), day("2026-03-01"))
    }

    #[test]
    fn the_least_of_rent_contribution_cap_and_remaining_bounds_it() {
        let at_most = |amount, bound| FundQuota::AtMost { amount, bound, left: None };
        assert_eq!(judged(rules(), &lease()), at_most(250_000, QuotaBound::Cap));
        let uncapped = QuotaRules { cap: None, ..rules() };
        assert_eq!(judged(uncapped, &lease()), at_most(300_000, QuotaBound::Contribution));
        assert_eq!(judged(uncapped, &FundLease { rent: 200_000, ..lease() }), at_most(200_000, QuotaBound::Rent));
        assert_eq!(judged(rules(), &FundLease { remaining: 1, ..lease() }), at_most(1, QuotaBound::Remaining));
        assert_eq!(judged(rules(), &FundLease { remaining: -5, ..lease() }), at_most(0, QuotaBound::Remaining));
        let both = FundLease { rent: 250_000, contribution: 250_000, remaining: 250_000, ..lease() };
        assert_eq!(judged(rules(), &both), at_most(250_000, QuotaBound::Rent), "the first of equals");
    }

    #[test]
    fn too_few_months_and_no_lease_pay_nothing() {
        let young = FundLease { months: 2, ..lease() };
        assert_eq!(judged(rules(), &young), FundQuota::MonthsTooFew { months: 2, least: 3 });
        assert_eq!(rules().judge(None, day("2026-03-01")), FundQuota::Unfiled);
    }

    #[test]
    fn draws_count_in_the_month_the_quarter_or_the_year_of_the_month_asked_for() {
        let draws = ["2025-03-01", "2025-12-01", "2026-01-01", "2026-02-01", "2026-02-01", "2026-04-01"].map(day);
        let drawn = FundLease { draws: draws.into(), ..lease() };
        let of = |draws, every, month: &str| {
            let rules = QuotaRules { frequency: Some(Frequency { draws, every }), ..rules() };
            rules.judge(Some(&drawn), day(month))
        };
        let used = |draws, most, every| FundQuota::DrawsUsedUp { draws, most, every };
        let free = |draws, every| {
            let left = Some(Frequency { draws, every });
            FundQuota::AtMost { amount: 250_000, bound: QuotaBound::Cap, left }
        };
        assert_eq!(of(2, Every::Month, "2026-02-28"), used(2, 2, Every::Month));
        assert_eq!(of(3, Every::Month, "2026-02-28"), free(1, Every::Month));
        assert_eq!(of(1, Every::Month, "2026-03-01"), free(1, Every::Month));
        assert_eq!(of(3, Every::Quarter, "2026-03-31"), used(3, 3, Every::Quarter));
        assert_eq!(of(2, Every::Quarter, "2026-06-01"), free(1, Every::Quarter));
        assert_eq!(of(4, Every::Year, "2026-12-31"), used(4, 4, Every::Year));
        assert_eq!(of(3, Every::Year, "2025-01-01"), free(1, Every::Year));
    }

    #[test]
    fn a_refusal_names_the_value_and_what_to_do() {
        let told = |quota: FundQuota, amount| {
            let refusal = quota.check(amount).unwrap_err();
            (refusal.code, refusal.message)
        };
        let most = FundQuota::AtMost { amount: 300, bound: QuotaBound::Cap, left: None };
        most.check(300).unwrap();
        let (code, message) = told(most, 301);
        assert_eq!(code, RefusalCode::FundOverQuota);
        assert!(message.contains("300 at most") && message.contains("not 301") && message.contains("cap"), "{message}");
        let (_, message) = told(FundQuota::AtMost { amount: 0, bound: QuotaBound::Remaining, left: None }, 1);
        assert!(message.contains("nothing more") && message.contains("remaining"), "{message}");
        assert_eq!(told(FundQuota::Unfiled, 1).0, RefusalCode::FundLeaseUnknown);
        let (code, message) = told(FundQuota::MonthsTooFew { months: 2, least: 3 }, 1);
        assert!(code == RefusalCode::FundMonthsTooFew && message.contains("for 2 months"), "{message}");
        let (code, message) = told(FundQuota::DrawsUsedUp { draws: 1, most: 1, every: Every::Quarter }, 1);
        assert!(code == RefusalCode::FundDrawsUsedUp && message.contains("quarter"), "{message}");
    }

    #[test]
    fn a_leases_figures_are_not_shown() {
        assert_eq!(format!("{:?}", lease()), "FundLease { .. }");
    }
}
