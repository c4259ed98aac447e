//! The figures of a day, as `docs/simulator.md`, "A day", defines them.

use std::collections::BTreeMap;

use domain::attempt::FailureClass;
use domain::calendar::Date;
use domain::order::{Order, OrderStatus};
use domain::payout::{Payout, PayoutStatus};
use domain::rates::Rates;
use domain::refund::RefundStatus;
use serde::Serialize;

use super::chances::{Chances, allowed};
use super::money::Money;
use super::plan::Aims;
use super::{Counts, Watch};
use crate::check::{Checked, broken};
use crate::world::World;

/// A rate as it was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// How many of them.
    pub numerator: u64,
    /// Of how many.
    pub denominator: u64,
}

impl Rate {
    /// In percent; 100 of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a day are far below 2^52")]
    pub fn percent(self) -> f64 {
        if self.denominator == 0 { 100.0 } else { self.numerator as f64 * 100.0 / self.denominator as f64 }
    }

    fn count(&mut self, counts: bool, succeeded: bool) {
        self.denominator += u64::from(counts);
        self.numerator += u64::from(counts && succeeded);
    }
}

/// What a day came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Orders and payouts that were asked for.
    pub asked: u64,
    /// Of them orders, and payouts, that were taken.
    pub orders: u64,
    /// As above.
    pub payouts: u64,
    /// Refused by the platform, or without an answer; each counts as a failure of the system in its direction's rate.
    pub refused: u64,
    /// Why, by the refusal's code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Effective success of what comes in.
    pub effective_in: Rate,
    /// Of what goes out.
    pub effective_out: Rate,
    /// First try.
    pub first_try: Rate,
    /// Orders and payouts that failed, by whose failure it was.
    pub failures_in: BTreeMap<&'static str, u64>,
    /// As above.
    pub failures_out: BTreeMap<&'static str, u64>,
    /// Orders that were paid on a later try, after a cascade.
    pub cascaded: u64,
    /// From the beginning of the outage, in milliseconds: until the site was taken for sick.
    pub found_ms: Option<i64>,
    /// Until the last call through it had ended.
    pub drained_ms: Option<i64>,
    /// Until it got a share again, and all of its weight.
    pub back_ms: Option<i64>,
    /// As above.
    pub up_ms: Option<i64>,
    /// Sites that were taken out though nothing ailed them.
    pub mistaken_drains: u64,
    /// By what the banks say: orders and payouts that moved more money than they came to.
    pub duplicates: u64,
    /// And less.
    pub lost: u64,
    /// Orders, payouts, refunds and attempts that were not final when the next day's file was taken.
    pub open_at_file: u64,
    /// Rows of nine picks, and those that were not 8 and 1.
    pub pick_rows: u64,
    /// As above.
    pub pick_rows_bent: u64,
    /// Operations and queries that were written.
    pub operations: u64,
    /// As above.
    pub queries: u64,
    /// Answers that never came, answers that came too late, messages that arrived twice, and what the outage cut off.
    pub answers_lost: u64,
    /// As above.
    pub answers_slow: u64,
    /// As above.
    pub messages_doubled: u64,
    /// As above.
    pub messages_cut: u64,
    /// What did not reach its aim.
    pub missed: Vec<String>,
}

/// Whether an order has its end.
const fn is_final(order: &Order) -> bool {
    match order.status {
        OrderStatus::Created | OrderStatus::Paying => false,
        OrderStatus::Success | OrderStatus::Failed | OrderStatus::Closed => !order.trying,
    }
}

/// Whether a payout has its end.
const fn is_paid_or_back(payout: &Payout) -> bool {
    match payout.status {
        PayoutStatus::Created | PayoutStatus::Held | PayoutStatus::Sent | PayoutStatus::Unknown => false,
        PayoutStatus::Success | PayoutStatus::Failed | PayoutStatus::Cancelled | PayoutStatus::Returned => true,
    }
}

impl Figures {
    /// An order: effective success and first try.
    fn order(&mut self, order: &Order) {
        let success = order.status == OrderStatus::Success;
        let lost = !success && (!is_final(order) || order.failure == Some(FailureClass::System));
        self.effective_in.count(success || lost, success);
        let first = success && order.tries == 1;
        let payers = matches!(order.first_failure, Some(FailureClass::User | FailureClass::Risk));
        self.first_try.count(!payers && order.tries > 0, first);
        self.cascaded += u64::from(success && order.tries > 1);
        if !success {
            *self.failures_in.entry(order.failure.map_or("open", FailureClass::name)).or_default() += 1;
        }
    }

    fn payout(&mut self, payout: &Payout) {
        let success = payout.status == PayoutStatus::Success;
        let class = payout.failure.as_ref().map(|failure| failure.class);
        let lost = !success && (!is_paid_or_back(payout) || matches!(class, None | Some(FailureClass::System)));
        self.effective_out.count(success || lost, success);
        if !success {
            *self.failures_out.entry(class.map_or("open", FailureClass::name)).or_default() += 1;
        }
    }

    /// Holds the figures against the aims. On a day of fewer orders than its plan says a rate may fall short of its aim by as many
    /// failures as these `chances` come to.
    pub(super) fn judge(&mut self, aims: &Aims, chances: Option<Chances>) {
        let mut missed = Vec::new();
        let rates = [
            ("effective success in", self.effective_in, aims.effective_in_percent, chances.map(|of| of.effective_in)),
            (
                "effective success out",
                self.effective_out,
                aims.effective_out_percent,
                chances.map(|of| of.effective_out),
            ),
            ("first try", self.first_try, aims.first_try_percent, chances.map(|of| of.first_try)),
        ];
        for (name, rate, aim, chance) in rates {
            let Rate { numerator, denominator } = rate;
            let allowed = chance.map(|chance| allowed(rate, chance));
            let few = allowed.is_some_and(|allowed| denominator.saturating_sub(numerator) <= allowed);
            if rate.percent() < aim && !few {
                let or = allowed.map_or_else(String::new, |allowed| format!(", or {allowed} failures at most"));
                let percent = rate.percent();
                missed.push(format!("{name} is {numerator} of {denominator}, {percent:.4} %; {aim} % at least{or}"));
            }
        }
        let times =
            [("found", self.found_ms, aims.found_within_ms), ("drained", self.drained_ms, aims.drained_within_ms)];
        for (name, found, aim) in times {
            if found.is_none_or(|ms| ms > aim) {
                missed.push(format!("the outage was {name} after {found:?} ms; {aim} at most"));
            }
        }
        let none = [
            ("duplicates", self.duplicates),
            ("lost", self.lost),
            ("open at the next day's file", self.open_at_file),
            ("rows of picks that are not by the weights", self.pick_rows_bent),
        ];
        missed
            .extend(none.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}: {count}; none")));
        self.missed = missed;
    }
}

impl World {
    /// What is not final now.
    pub(crate) fn open_now(&self) -> u64 {
        let state = self.follower.state();
        let orders = state.orders.iter().filter(|(_, order)| !is_final(order)).count();
        let payouts = state.payouts.iter().filter(|(_, payout)| !is_paid_or_back(payout)).count();
        let refunds = state.refunds.iter().flat_map(|(_, refund)| &refund.parts);
        let is_over = |status| matches!(status, RefundStatus::Success | RefundStatus::Failed);
        let refunds = refunds.filter(|part| !is_over(part.status)).count();
        (orders + payouts + refunds + state.outbox.iter().count()) as u64
    }

    /// The figures of the day, which is over, but for what the banks say. The platform's own rates must be the same, if everything
    /// has its end: what has not counts as lost here, whatever it waits for.
    pub(crate) fn figures(&self, tomorrow: Date) -> Checked<Figures> {
        let mut figures = Figures { open_at_file: self.open_now(), ..Figures::default() };
        let Some(day) = &self.day else { return Ok(figures) };
        let state = self.follower.state();
        let (orders, payouts) = (day.orders.iter(), day.payouts.iter());
        orders.filter_map(|id| state.orders.get(id.0)).for_each(|order| figures.order(order));
        payouts.filter_map(|id| state.payouts.get(id.0)).for_each(|payout| figures.payout(payout));
        let own = Rates::of(state, tomorrow);
        let same = |own: domain::rates::Rate, found: Rate| {
            (own.numerator, own.denominator) == (found.numerator, found.denominator)
        };
        let agree = same(own.effective, figures.effective_in) && same(own.first_try, figures.first_try);
        if figures.open_at_file == 0 && !agree {
            let found = format!("the platform counts {own:?}, its orders are {figures:?}");
            return broken("rates are what the orders came to", found);
        }
        let unanswered = day.waiting.len() as u64;
        figures.asked = day.arrivals.len() as u64;
        (figures.orders, figures.payouts) = (day.orders.len() as u64, day.payouts.len() as u64);
        figures.refusals.clone_from(&day.refused);
        figures.refused = day.refused.values().sum::<u64>() + unanswered;
        // Which way a request that was refused would have gone is not looked up: it counts in both.
        figures.effective_in.denominator += figures.refused;
        figures.effective_out.denominator += figures.refused;
        figures.first_try.denominator += figures.refused;
        self.counted(&mut figures);
        Ok(figures)
    }

    fn counted(&self, figures: &mut Figures) {
        let Some(day) = &self.day else { return };
        let since = |at: Option<i64>| at.map(|at| at - day.outage.0);
        let Watch { found_at, ended_at, back_at, up_at, mistaken } = day.watch;
        figures.found_ms = since(found_at);
        figures.drained_ms = since(ended_at).max(since(found_at));
        (figures.back_ms, figures.up_ms) = (since(back_at), since(up_at));
        figures.mistaken_drains = mistaken;
        figures.pick_rows = day.picks.values().map(|picks| picks.rows).sum();
        figures.pick_rows_bent = day.picks.values().map(|picks| picks.bent).sum();
        let Counts { lost, slow, doubled, cut, operations, queries } = day.counts;
        (figures.operations, figures.queries) = (operations, queries);
        (figures.answers_lost, figures.answers_slow) = (lost, slow);
        (figures.messages_doubled, figures.messages_cut) = (doubled, cut);
    }

    /// What the banks say, into the figures.
    pub(crate) fn adds_money(&mut self, figures: &mut Figures) {
        let Money { duplicates, lost } = self.money_of_day();
        (figures.duplicates, figures.lost) = (duplicates, lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIMS: Aims = Aims {
        effective_in_percent: 99.0,
        effective_out_percent: 99.0,
        first_try_percent: 99.0,
        found_within_ms: 60_000,
        drained_within_ms: 120_000,
    };

    #[test]
    fn each_figure_that_is_missed_is_named() {
        let good = Rate { numerator: 99, denominator: 100 };
        let mut figures = Figures {
            effective_in: good,
            effective_out: good,
            first_try: good,
            found_ms: Some(60_000),
            drained_ms: Some(120_000),
            ..Figures::default()
        };
        figures.judge(&AIMS, None);
        assert_eq!(figures.missed, [""; 0]);
        figures.first_try.numerator = 98;
        figures.found_ms = None;
        figures.drained_ms = Some(120_001);
        (figures.duplicates, figures.lost, figures.open_at_file, figures.pick_rows_bent) = (1, 2, 3, 4);
        figures.judge(&AIMS, None);
        assert_eq!(figures.missed.len(), 7, "{:#?}", figures.missed);
        assert!(figures.missed[0].contains("first try is 98 of 100"));
    }

    /// One of a few is more than the aim leaves; whether it is too many is for the plan's own chances to say.
    #[test]
    fn a_day_of_few_orders_misses_a_rate_by_more_failures_than_its_plan_makes() {
        let whole = Rate { numerator: 100, denominator: 100 };
        let mut figures = Figures {
            effective_in: whole,
            effective_out: Rate { numerator: 94, ..whole },
            first_try: Rate { numerator: 90, ..whole },
            found_ms: Some(1),
            drained_ms: Some(1),
            ..Figures::default()
        };
        // Of a mean of 1, and of none.
        let chances = Chances { effective_in: 0.0, effective_out: 0.01, first_try: 0.0 };
        figures.judge(&AIMS, Some(chances));
        assert_eq!(figures.missed, ["first try is 90 of 100, 90.0000 %; 99 % at least, or 0 failures at most"]);
        figures.first_try = whole;
        figures.effective_out.numerator = 93;
        figures.judge(&AIMS, Some(chances));
        assert_eq!(
            figures.missed,
            ["effective success out is 93 of 100, 93.0000 %; 99 % at least, or 6 failures at most"]
        );
        // As large a day as the plan's is held to the aims.
        figures.effective_out.numerator = 98;
        figures.judge(&AIMS, None);
        assert_eq!(figures.missed, ["effective success out is 98 of 100, 98.0000 %; 99 % at least"]);
    }
}
