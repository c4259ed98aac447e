//! How many orders may fail on a day of fewer orders than its plan says. A rate of 99.987 % says nothing about 360 payouts: one that
//! fails is 99.72 %. What the plan itself makes fail is known, so how many of a few may fail is computed and not chosen:
//!
//! ```text
//!  first failure   a bank or the network refuses it (codes 3 and 4; who is refused as the payer, by 1 or 2, is not counted)
//!                  or it goes to the sick site before that is found: the busiest minute's orders, as long as finding may take
//!  in fails        a first failure, and the other network fails too by its own fault, or the fund's hold does
//!  out fails       the network's own fault, or the sick site; there is no second try
//!  allowed         so many that on 9,999 of 10,000 such days no more fail (Poisson)
//! ```

use sandbox::bank::Rates;

use super::figures::Rate;
use super::plan::{Mix, Plan};

/// The share of days on which more fail though everything is as the plan says.
const SELDOM: f64 = 1e-4;
const WHOLE: f64 = 10_000.0;

/// The chance that one of those that count fails, by the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chances {
    pub(super) effective_in: f64,
    pub(super) effective_out: f64,
    pub(super) first_try: f64,
}

impl Chances {
    pub(super) fn of(plan: &Plan) -> Self {
        let lost = before_it_is_found(plan);
        let Mix { card_by_epcc, card_by_unionpay, fund_and_card, .. } = plan.mix;
        let [cards, funds] = [card_by_epcc + card_by_unionpay, fund_and_card].map(share_of_whole);
        let funds = funds / (cards + funds).max(f64::MIN_POSITIVE);
        let (debit, hold) = (&plan.bank.debit, &plan.bank.hold);
        let first = refused(debit, &['3', '4']) + lost + funds * refused(hold, &['3', '4']);
        let payers = refused(debit, &['1', '2']) + funds * refused(hold, &['1', '2']);
        let second = refused(debit, &['4']) + lost;
        Self {
            effective_in: first * second + funds * refused(hold, &['4']),
            effective_out: refused(&plan.bank.pay, &['4']) + lost,
            first_try: first / (1.0 - payers).max(f64::MIN_POSITIVE),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 10,000")]
fn share_of_whole(count: u64) -> f64 {
    count as f64 / WHOLE
}

/// The chance of a refusal whose code begins with one of these digits; which codes there are without a list is not known here, so that
/// any may be one of them.
fn refused(rates: &Rates, digits: &[char]) -> f64 {
    let all = rates.decline_codes.len();
    let such = rates.decline_codes.iter().filter(|code| code.starts_with(digits)).count();
    let share = if all == 0 { 1.0 } else { share(such, all) };
    f64::from(rates.decline) / WHOLE * share
}

#[expect(clippy::cast_precision_loss, reason = "codes of a list")]
fn share(some: usize, all: usize) -> f64 {
    some as f64 / all as f64
}

/// The share of the day's orders that comes, by the site's weight, to the sick site in the busiest minutes, as long as it may take to find
/// that out. Of what is written there not all is lost; that it is makes it the most.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few minutes")]
fn before_it_is_found(plan: &Plan) -> f64 {
    let hours = plan.curve.iter().map(|weight| f64::from(*weight));
    let busiest = hours.clone().fold(0.0, f64::max) / hours.sum::<f64>();
    let hours_until_found = plan.aims.found_within_ms as f64 / 3_600_000.0;
    let (_, site, _) = plan.outage();
    let weights = plan.sites.weights.map(f64::from);
    let weight = weights.get(site).copied().unwrap_or(0.0) / weights.iter().sum::<f64>();
    busiest * hours_until_found * weight
}

/// How many of a rate's may fail that fail with this chance.
#[expect(clippy::cast_precision_loss, reason = "counts of a day are far below 2^52")]
pub(super) fn allowed(rate: Rate, chance: f64) -> u64 {
    let mean = rate.denominator as f64 * chance;
    // In logarithms: e to the power of a large mean is none that a float can hold.
    let (mut logarithm, mut failures, mut at) = (-mean, 0_u64, 0.0_f64);
    let mut so_many_or_fewer = logarithm.exp();
    while so_many_or_fewer < 1.0 - SELDOM {
        failures += 1;
        at += 1.0;
        logarithm += mean.ln() - at.ln();
        so_many_or_fewer += logarithm.exp();
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::super::plan::DEFAULT;
    use super::*;

    fn of(denominator: u64) -> Rate {
        Rate { numerator: 0, denominator }
    }

    /// By hand: of 1.6 % refused debits 1 in 8 is the bank's and 1 the network's, of 1 % refused holds 1 in 5 the bank's; 1,500 of 8,200
    /// orders hold. In a minute of the busiest hour, 96 of 1,080, come 0.14 % of the orders, 8 of 9 of them to the sick site.
    #[test]
    fn the_chances_are_those_of_the_committed_plan() {
        let chances = Chances::of(&Plan::parse(DEFAULT).unwrap());
        let per_million = |chance: f64| format!("{:.0}", chance * 1e6);
        let found = [chances.first_try, chances.effective_in, chances.effective_out].map(per_million);
        assert_eq!(found, ["5760", "19", "1317"]);
    }

    #[test]
    fn so_many_may_fail_that_more_do_on_one_day_in_ten_thousand() {
        // Poisson: of a mean of 1 there are more than 6 on 8 of 100,000 days and more than 5 on 59; of 0.01 more than 1 on 5.
        assert_eq!([allowed(of(1_000), 0.001), allowed(of(10), 0.001)], [6, 1]);
        assert_eq!([allowed(of(0), 0.5), allowed(of(1_000), 0.0)], [0, 0]);
        // e to the power of such a mean is none that a float can hold; about 3.7 of its roots above it.
        let many = allowed(of(1_000_000), 0.001);
        assert!((1_110..1_130).contains(&many), "{many}");
    }
}
