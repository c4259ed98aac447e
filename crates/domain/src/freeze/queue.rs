//! The queue (轮候): which precise freeze bites on what, and what is left to go out.
//!
//! ```text
//!  rest of an account = max(0, balance − held out)
//!  freezes by (priority, order of placing):
//!    of an account   takes from its rest
//!    of a customer   takes first what no later freeze of an account needs, then the rest; both in the order of accounts
//!  free of an account = max(0, balance − held out − Σ its own freezes)
//!  room of a customer = max(0, Σ free − Σ the customer's freezes)          per currency, over 2201–2206
//!  available          = min(free, room)
//! ```
//! A customer's freeze may take what a later one of an account needs only once nothing else is left, so what all freezes
//! bite on together is always Σ rest − room: nothing that is frozen is free, and nothing that is free is frozen.
//!
//! Moving money between two accounts of the customer in one voucher takes nothing away from the freeze: what counts is by how
//! much the voucher lowers Σ free. One account may so pay its sibling more than its `available`, never more than its own free.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Freeze, FreezeKind, FreezeScope};
use crate::account::{Account, AccountStatus, Owner};
use crate::book::Subject;
use crate::ids::{AccountId, CustomerId, FreezeId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::Voucher;

/// What a freeze bites on in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bite {
    /// The account.
    pub account: AccountId,
    /// Minor units above zero.
    pub amount: Minor,
}

/// Whether accounts of this subject are in the scope of a customer's freeze: 2201–2206.
pub(super) const fn is_customers(subject: Subject) -> bool {
    matches!(subject.code(), 2201..=2206)
}

/// Whether an account is in the scope of a freeze of its customer.
pub(crate) fn in_scope(account: &Account) -> bool {
    is_customers(account.subject) && account.status == AccountStatus::Open && account.owner != Owner::Institution
}

/// Freezes that compete for the same money.
struct Contest<'s> {
    /// What each account has for them.
    rests: BTreeMap<AccountId, Minor>,
    /// In the order in which they are served.
    queue: Vec<&'s Freeze>,
}

impl<'s> Contest<'s> {
    /// Those of one account alone.
    fn of_account(state: &'s State, account: &Account) -> Self {
        let mut contest = Self { rests: BTreeMap::new(), queue: Vec::new() };
        contest.enter(state, account);
        contest.sorted()
    }

    /// Those of a customer and of all its accounts in a currency.
    fn of_customer(state: &'s State, customer: CustomerId, currency: Currency) -> Self {
        let mut contest = Self { rests: BTreeMap::new(), queue: Vec::new() };
        let own = precise(state, FreezeScope::Customer(customer));
        contest.queue.extend(own.filter(|freeze| freeze.currency == Some(currency)));
        for account in state.accounts_of(customer).filter(|it| in_scope(it) && it.currency == currency) {
            contest.enter(state, account);
        }
        contest.sorted()
    }

    fn enter(&mut self, state: &'s State, account: &Account) {
        self.rests.insert(account.id, account.balance.saturating_sub(account.held_out).max(0));
        self.queue.extend(precise(state, FreezeScope::Account(account.id)));
    }

    fn sorted(mut self) -> Self {
        self.queue.sort_unstable_by_key(|freeze| freeze.order());
        self
    }

    /// Serves the queue; gives what each freeze bites on.
    fn bites(mut self) -> Vec<(FreezeId, Vec<Bite>)> {
        let mut later: BTreeMap<AccountId, Minor> = BTreeMap::new();
        for freeze in &self.queue {
            if let Some(account) = freeze.account {
                let sum = later.entry(account).or_default();
                *sum = sum.saturating_add(freeze.frozen());
            }
        }
        let mut served = Vec::new();
        for freeze in &self.queue {
            let mut left = freeze.frozen();
            let mut taken: BTreeMap<AccountId, Minor> = BTreeMap::new();
            let mut take = |account: AccountId, rest: &mut Minor, at_most: Minor| {
                let amount = left.min(at_most).max(0);
                (left, *rest) = (left.saturating_sub(amount), rest.saturating_sub(amount));
                let sum = taken.entry(account).or_default();
                *sum = sum.saturating_add(amount);
            };
            if let Some(account) = freeze.account {
                if let Some(needed) = later.get_mut(&account) {
                    *needed = needed.saturating_sub(freeze.frozen());
                }
                if let Some(rest) = self.rests.get_mut(&account) {
                    take(account, rest, *rest);
                }
            } else {
                for (account, rest) in &mut self.rests {
                    let needed = later.get(account).copied().unwrap_or_default();
                    take(*account, rest, rest.saturating_sub(needed));
                }
                for (account, rest) in &mut self.rests {
                    take(*account, rest, *rest);
                }
            }
            let bites = taken.into_iter().filter(|(_, amount)| *amount > 0);
            served.push((freeze.id, bites.map(|(account, amount)| Bite { account, amount }).collect()));
        }
        served
    }
}

fn precise(state: &State, scope: FreezeScope) -> impl Iterator<Item = &Freeze> {
    state.freezes_on(scope).filter(|freeze| freeze.kind == FreezeKind::Precise)
}

impl State {
    /// What a freeze in force bites on now, by account; nothing if it is not precise.
    #[must_use]
    pub fn bites(&self, freeze: &Freeze) -> Vec<Bite> {
        let Some(contest) = self.contest(freeze) else { return Vec::new() };
        contest.bites().into_iter().find(|(id, _)| *id == freeze.id).map(|(_, bites)| bites).unwrap_or_default()
    }

    /// A freeze's place, from 1, among those that may take money before it or after it; `None` if it does not queue.
    #[must_use]
    pub fn place_in_queue(&self, freeze: &Freeze) -> Option<usize> {
        let contest = self.contest(freeze)?;
        let rival = |other: &&&Freeze| match (freeze.account, other.account) {
            (Some(account), Some(others)) => account == others,
            (None, _) | (_, None) => true,
        };
        contest.queue.iter().filter(rival).position(|other| other.id == freeze.id).map(|at| at.saturating_add(1))
    }

    fn contest(&self, freeze: &Freeze) -> Option<Contest<'_>> {
        if freeze.kind != FreezeKind::Precise || freeze.frozen() == 0 {
            return None;
        }
        match freeze.scope() {
            FreezeScope::Customer(customer) => Some(Contest::of_customer(self, customer, freeze.currency?)),
            FreezeScope::Account(id) => {
                let account = self.accounts.get(id.0)?;
                Some(match self.frozen_customer(account) {
                    Some(customer) => Contest::of_customer(self, customer, account.currency),
                    None => Contest::of_account(self, account),
                })
            }
        }
    }

    /// The customer whose freezes reach this account.
    pub(crate) fn frozen_customer(&self, account: &Account) -> Option<CustomerId> {
        if self.customer_frozen.is_empty() || !in_scope(account) {
            return None;
        }
        let customer = self.customer_of(account.owner)?;
        self.customer_frozen.get(&(customer, account.currency)).map(|_| customer)
    }

    /// What may go out of an account now, the freezes of its customer counted: `min(free, room)`.
    #[must_use]
    pub fn available(&self, account: &Account) -> Minor {
        match self.frozen_customer(account) {
            None => account.available(),
            Some(customer) => account.available().min(self.room(customer, account.currency)),
        }
    }

    /// What the freezes of the account's customer bite on in this account now.
    #[must_use]
    pub fn frozen_by_customer(&self, account: &Account) -> Minor {
        let Some(customer) = self.frozen_customer(account) else { return 0 };
        let served = Contest::of_customer(self, customer, account.currency).bites();
        let of_customer = |id: &FreezeId| self.freezes.get(id.0).is_some_and(|freeze| freeze.customer.is_some());
        let bites = served.iter().filter(|(id, _)| of_customer(id)).flat_map(|(_, bites)| bites);
        bites.filter(|bite| bite.account == account.id).map(|bite| bite.amount).sum()
    }

    /// What of all its accounts in a currency may leave a customer now.
    fn room(&self, customer: CustomerId, currency: Currency) -> Minor {
        let accounts = self.accounts_of(customer).filter(|it| in_scope(it) && it.currency == currency);
        let free: i128 = accounts.map(|account| free(account, 0)).sum();
        let frozen = self.customer_frozen.get(&(customer, currency)).copied().unwrap_or_default();
        Minor::try_from(free.saturating_sub(i128::from(frozen)).max(0)).unwrap_or(Minor::MAX)
    }
}

/// What the account's own freezes leave of it, if its balance were changed so.
fn free(account: &Account, change: i128) -> i128 {
    let taken = i128::from(account.held_out).saturating_add(i128::from(account.rare.frozen));
    i128::from(account.balance).saturating_add(change).saturating_sub(taken).max(0)
}

/// Refuses a voucher that takes more out of a customer's accounts together than the customer's freezes leave.
///
/// # Errors
/// `insufficient_funds`.
pub(crate) fn check_customers(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    let mut changes: BTreeMap<AccountId, (CustomerId, i128)> = BTreeMap::new();
    for entry in &voucher.entries {
        let Some(account) = state.accounts.get(entry.account.0) else { continue };
        let Some(customer) = state.frozen_customer(account) else { continue };
        let amount = i128::from(entry.amount);
        let change = &mut changes.entry(account.id).or_insert((customer, 0)).1;
        *change = change.saturating_add(if account.grows_on(entry.side) { amount } else { -amount });
    }
    let mut lowered: BTreeMap<(CustomerId, Currency), i128> = BTreeMap::new();
    for (id, (customer, change)) in changes {
        let Some(account) = state.accounts.get(id.0) else { continue };
        let sum = lowered.entry((customer, account.currency)).or_default();
        *sum = sum.saturating_add(free(account, 0)).saturating_sub(free(account, change));
    }
    for ((customer, currency), amount) in lowered {
        let room = state.room(customer, currency);
        if amount > i128::from(room) {
            let message = format!(
                "the freezes of {customer} leave {room} {} to go out of its accounts and the voucher takes {amount}",
                currency.code()
            );
            return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
        }
    }
    Ok(())
}

/// Who bars this way of an account, in words.
pub(crate) fn who_bars(state: &State, account: &Account, out: bool) -> String {
    let bars = |restriction: crate::restriction::Restriction| {
        if out { restriction.out_barred } else { restriction.in_barred }
    };
    if bars(account.restriction) {
        return String::from("the institution restricted it; lift the restriction first");
    }
    let customer = state.customer_of(account.owner).map(FreezeScope::Customer);
    let scopes = [Some(FreezeScope::Account(account.id)), customer];
    let mut freezes = scopes.into_iter().flatten().flat_map(|scope| state.freezes_on(scope));
    match freezes.find(|freeze| bars(freeze.bars)) {
        Some(freeze) => format!("{} of '{}' bars it until that authority releases it", freeze.id, freeze.authority),
        None => String::from("nothing bars it"),
    }
}
