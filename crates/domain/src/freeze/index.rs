//! What freezes in force add up to on accounts, customers and the clock: a freeze's share goes out before it changes and
//! in again after, so no way of changing one can forget a part of it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Freeze, FreezeKind, FreezeScope, FreezeStatus, in_scope};
use crate::account::{Account, Owner};
use crate::book::Subject;
use crate::envelope::Time;
use crate::ids::{AccountId, CustomerId, FreezeId};
use crate::money::{Currency, Minor};
use crate::restriction::{Bars, Restriction};
use crate::state::{State, Timer};

/// A freeze was placed.
pub(crate) fn apply_placed(state: &mut State, freeze: &Freeze) {
    enter(state, freeze);
    state.freezes.insert(freeze.id.0, freeze.clone());
}

/// A freeze is no longer `before` but `after`.
pub(super) fn replace(state: &mut State, before: &Freeze, after: Freeze) {
    leave(state, before);
    enter(state, &after);
    state.freezes.insert(after.id.0, after);
}

fn enter(state: &mut State, freeze: &Freeze) {
    if let Some((key, id)) = stop_key(freeze) {
        state.stop_payments.insert(key, id);
    }
    let Some((key, ())) = in_force_key(freeze) else { return };
    state.freezes_in_force.insert(key, ());
    if let Some((key, ())) = timer_key(freeze) {
        state.timers.insert(key, ());
    }
    for account in barred(state, freeze) {
        state.account_row(account).rare.freezes.add(freeze.bars);
    }
    shift(state, freeze, freeze.frozen());
}

fn leave(state: &mut State, freeze: &Freeze) {
    if let Some((key, _)) = stop_key(freeze) {
        state.stop_payments.remove(&key);
    }
    let Some((key, ())) = in_force_key(freeze) else { return };
    state.freezes_in_force.remove(&key);
    if let Some((key, ())) = timer_key(freeze) {
        state.timers.remove(&key);
    }
    for account in barred(state, freeze) {
        state.account_row(account).rare.freezes.remove(freeze.bars);
    }
    shift(state, freeze, -freeze.frozen());
}

/// The accounts whose ways a freeze bars. None of them closes meanwhile.
fn barred(state: &State, freeze: &Freeze) -> Vec<AccountId> {
    match (freeze.kind, freeze.scope()) {
        (FreezeKind::Precise, _) => Vec::new(),
        (FreezeKind::Whole | FreezeKind::StopPayment, scope) => state.accounts_in(scope),
    }
}

fn shift(state: &mut State, freeze: &Freeze, by: Minor) {
    if by == 0 {
        return;
    }
    match (freeze.scope(), freeze.currency) {
        (FreezeScope::Account(account), _) => state.account_row(account).rare.frozen += by,
        (FreezeScope::Customer(customer), Some(currency)) => {
            let key = (customer, currency);
            match state.customer_frozen.get(&key).copied().unwrap_or_default() + by {
                0 => state.customer_frozen.remove(&key),
                sum => state.customer_frozen.insert(key, sum),
            }
        }
        (FreezeScope::Customer(_), None) => {}
    }
}

/// The place of a freeze in the index of those in force.
pub(crate) fn in_force_key(freeze: &Freeze) -> Option<((FreezeScope, FreezeId), ())> {
    (freeze.status == FreezeStatus::InForce).then(|| ((freeze.scope(), freeze.id), ()))
}

/// The place of a freeze in force in the queue of timers.
pub(crate) fn timer_key(freeze: &Freeze) -> Option<((Time, Timer), ())> {
    let at = freeze.expires_at.filter(|_| freeze.status == FreezeStatus::InForce)?;
    Some(((at, Timer::Freeze(freeze.id)), ()))
}

/// The place of a stop-payment, in force or lapsed, in the index of those that no freeze has followed: its authority may
/// not order another.
pub(crate) fn stop_key(freeze: &Freeze) -> Option<((FreezeScope, String), FreezeId)> {
    let stands = match freeze.status {
        FreezeStatus::InForce | FreezeStatus::Lapsed => freeze.kind == FreezeKind::StopPayment,
        FreezeStatus::Released | FreezeStatus::Expired | FreezeStatus::Deducted | FreezeStatus::Followed => false,
    };
    (stands && freeze.followed_by.is_none()).then(|| ((freeze.scope(), freeze.authority.clone()), freeze.id))
}

/// What the precise freezes in force on customers add up to.
pub(crate) fn customer_sums<'f>(freezes: impl Iterator<Item = &'f Freeze>) -> BTreeMap<(CustomerId, Currency), Minor> {
    let mut sums = BTreeMap::new();
    for freeze in freezes.filter(|freeze| freeze.frozen() != 0) {
        if let (Some(customer), Some(currency)) = (freeze.customer, freeze.currency) {
            *sums.entry((customer, currency)).or_default() += freeze.frozen();
        }
    }
    sums
}

/// What bars an account that is being opened: the whole freezes of its customer.
pub(crate) fn barred_from_birth(state: &State, subject: Subject, owner: Owner) -> Bars {
    let mut bars = Bars::default();
    if let Some(customer) = state.customer_of(owner).filter(|_| super::queue::is_customers(subject)) {
        for freeze in state.freezes_on(FreezeScope::Customer(customer)) {
            bars.add(freeze.bars);
        }
    }
    bars
}

impl State {
    /// The freezes in force on an account itself, or on a customer itself, in the order of placing.
    pub fn freezes_on(&self, scope: FreezeScope) -> impl Iterator<Item = &Freeze> {
        let all = (scope, FreezeId(0))..=(scope, FreezeId(u64::MAX));
        self.freezes_in_force.range(all).filter_map(|((_, id), ())| self.freezes.get(id.0))
    }

    /// The accounts that a freeze of this scope lies on, by id.
    pub(crate) fn accounts_in(&self, scope: FreezeScope) -> Vec<AccountId> {
        match scope {
            FreezeScope::Account(account) => alloc::vec![account],
            FreezeScope::Customer(customer) => {
                self.accounts_of(customer).filter(|account| in_scope(account)).map(|account| account.id).collect()
            }
        }
    }

    /// How often the whole freezes in force bar each way of an account, counted from the freezes.
    pub(crate) fn counted_bars(&self, account: &Account) -> Bars {
        let mut bars = Bars::default();
        if self.freezes_in_force.is_empty() {
            return bars;
        }
        let customer = self.customer_of(account.owner).filter(|_| in_scope(account)).map(FreezeScope::Customer);
        for scope in [Some(FreezeScope::Account(account.id)), customer].into_iter().flatten() {
            self.freezes_on(scope).for_each(|freeze| bars.add(freeze.bars));
        }
        bars
    }
}

impl Bars {
    /// One more freeze bars.
    fn add(&mut self, restriction: Restriction) {
        self.ways_in += u32::from(restriction.in_barred);
        self.ways_out += u32::from(restriction.out_barred);
    }

    /// One freeze fewer bars.
    fn remove(&mut self, restriction: Restriction) {
        self.ways_in -= u32::from(restriction.in_barred);
        self.ways_out -= u32::from(restriction.out_barred);
    }
}
