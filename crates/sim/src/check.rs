//! The laws, asked of a state or of an output. Who breaks one ends the run.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use domain::State;
use domain::book::{Book, Side, Subject};
use domain::checks;
use domain::ids::OrderId;
use domain::money::Currency;
use domain::payout::PayoutStatus;
use domain::refund::{RefundKind, RefundStatus};

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one, in a word or two; `docs/simulator.md` lists them.
    pub law: &'static str,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.law, self.found)
    }
}

impl Violation {
    /// Of what a run ended with that panicked.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Self { law: "nothing panics", found: text.unwrap_or_default() }
    }
}

/// What came of a step.
pub(crate) type Checked<T = ()> = Result<T, Violation>;

/// A broken law.
pub(crate) fn broken<T>(law: &'static str, found: impl Into<String>) -> Checked<T> {
    Err(Violation { law, found: found.into() })
}

/// Every law that the state alone answers. `due`: a timer is due that was not carried out yet.
pub(crate) fn sound(state: &State, due: bool) -> Checked {
    balanced(state)?;
    covered(state)?;
    in_transit(state)?;
    refunded(state)?;
    for day in state.days.open_days() {
        for check in checks::run(state, day).into_iter().filter(|check| !check.holds) {
            // What has expired stands until the next tick.
            if !(due && ["holds", "freezes"].contains(&check.name.as_str())) {
                return broken("checks of the day", format!("{} of {day}: {}", check.name, check.detail));
            }
        }
    }
    Ok(())
}

/// Σ debits = Σ credits, per book and currency.
fn balanced(state: &State) -> Checked {
    let mut sums: BTreeMap<(Book, Currency), i128> = BTreeMap::new();
    for (_, account) in state.accounts.iter() {
        let balance = i128::from(account.balance);
        *sums.entry((account.subject.book(), account.currency)).or_default() += match account.subject.side() {
            Side::Debit => balance,
            Side::Credit => -balance,
        };
    }
    match sums.iter().find(|(_, sum)| **sum != 0) {
        None => Ok(()),
        Some(((book, currency), sum)) => {
            broken("debits equal credits", format!("{} {} differ by {sum}", book.name(), currency.code()))
        }
    }
}

/// What may not be overdrawn is not, with what is held and frozen.
fn covered(state: &State) -> Checked {
    for (_, account) in state.accounts.iter().filter(|(_, account)| !account.overdraft) {
        if account.available() < 0 || account.balance < 0 {
            let (available, balance) = (account.available(), account.balance);
            return broken("never overdrawn", format!("{} stands at {balance}, available {available}", account.id));
        }
    }
    Ok(())
}

/// 2212 is what is on its way.
fn in_transit(state: &State) -> Checked {
    let Ok(transit) = state.institution(Subject::PayoutTransit, Currency::Cny) else { return Ok(()) };
    let balance = state.accounts.get(transit.0).map_or(0, |account| account.balance);
    let payouts = state.payouts.iter().map(|(_, payout)| payout);
    let on_their_way = payouts.filter(|payout| matches!(payout.status, PayoutStatus::Sent | PayoutStatus::Unknown));
    let sum: i64 = on_their_way.map(|payout| payout.total()).sum();
    if balance == sum { Ok(()) } else { broken("payouts in transit", format!("2212 is {balance}, payouts are {sum}")) }
}

/// No order gives back more than was paid for it.
fn refunded(state: &State) -> Checked {
    let mut sums: BTreeMap<OrderId, i128> = BTreeMap::new();
    for (_, refund) in state.refunds.iter().filter(|(_, refund)| refund.kind == RefundKind::Order) {
        let parts = refund.parts.iter().filter(|part| part.status != RefundStatus::Failed);
        *sums.entry(refund.order).or_default() += parts.map(|part| i128::from(part.amount)).sum::<i128>();
    }
    for (id, sum) in sums {
        // An order that left memory while a refund of it is on its way; whoever keeps all has both.
        if state.is_away(id.into()) {
            continue;
        }
        let order = state.orders.get(id.0);
        let paid = order.map_or(0, |order| i128::from(order.payable()));
        if sum > paid {
            return broken("no more goes back than was paid", format!("{id} was {paid}, its refunds are {sum}"));
        }
    }
    Ok(())
}
