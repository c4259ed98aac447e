//! Roll-ups (汇总余额): own + Σ children's roll-ups, by subject and currency, and the check at close.
//!
//! The tree of a day is in the links. The balances of its end are in the state while the day is not closed, and in its
//! end-of-day file afterwards, so [`roll_up`] is told the accounts' own figures.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::links::{Node, walk};
use crate::account::Account;
use crate::book::Subject;
use crate::calendar::Date;
use crate::ids::AccountId;
use crate::money::Currency;
use crate::state::State;

/// Sums of minor units, on the side on which the subject grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Posted.
    pub balance: i128,
    /// Reserved to go out.
    pub held: i128,
    /// What freezes bite on.
    pub frozen: i128,
    /// What may go out.
    pub available: i128,
}

impl Figures {
    /// Those of an account now.
    #[must_use]
    pub fn now(state: &State, account: &Account) -> Self {
        Self {
            balance: account.balance.into(),
            held: account.held_out.into(),
            frozen: i128::from(account.effective_frozen()) + i128::from(state.frozen_by_customer(account)),
            available: state.available(account).into(),
        }
    }

    /// Those of an account at a day's end, which has posted balances only.
    #[must_use]
    pub fn at_end(balance: i64) -> Self {
        Self { balance: balance.into(), ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.balance += other.balance;
        self.held += other.held;
        self.frozen += other.frozen;
        self.available += other.available;
    }
}

/// Figures by subject and currency.
pub type Sums = BTreeMap<(Subject, Currency), Figures>;

/// The roll-up of each account of a walk, in its order. `own` tells an account's own figures; an account without any
/// (opened later) adds nothing.
#[must_use]
pub fn roll_up(nodes: &[Node], own: impl Fn(AccountId) -> Option<((Subject, Currency), Figures)>) -> Vec<Sums> {
    let mut sums: Vec<Sums> = vec![Sums::new(); nodes.len()];
    // A child stands behind its parent, so from the end each account is complete before it is added to its parent.
    for (at, node) in nodes.iter().enumerate().rev() {
        let mut below = sums.get_mut(at).map(core::mem::take).unwrap_or_default();
        if let Some((key, figures)) = own(node.account) {
            below.entry(key).or_default().add(figures);
        }
        if let Some(parent) = node.parent.and_then(|parent| sums.get_mut(parent)) {
            below.iter().for_each(|(key, figures)| parent.entry(*key).or_default().add(*figures));
        }
        if let Some(sum) = sums.get_mut(at) {
            *sum = below;
        }
    }
    sums
}

/// An account's own figures at the end of a day that is not closed.
#[must_use]
pub fn own_at_end(state: &State, id: AccountId, date: Date) -> Option<((Subject, Currency), Figures)> {
    let account = state.accounts.get(id.0)?;
    let closing = state.days.closing(account, date)?;
    Some(((account.subject, account.currency), Figures::at_end(closing)))
}

/// The check at close: links form a forest, and the roll-ups of the roots with the accounts outside trees are Σ accounts.
/// Breaks, and what was compared if there are none.
pub(crate) fn check(state: &State, date: Date) -> (Vec<String>, String) {
    let mut breaks = Vec::new();
    let parents = parents(state, date, &mut breaks);
    let links = parents.iter().filter(|parent| **parent != 0).count();
    if links == 0 && breaks.is_empty() {
        return (breaks, String::from("no account has a parent"));
    }
    find_cycles(&parents, &mut breaks);
    find_lost_links(state, &mut breaks);
    let mut is_parent = vec![false; parents.len()];
    for parent in &parents {
        if let Some(flag) = is_parent.get_mut(slot(*parent)).filter(|_| *parent != 0) {
            *flag = true;
        }
    }
    let (mut told, mut flat) = (Sums::new(), Sums::new());
    let mut trees = 0_usize;
    for (id, account) in state.accounts.iter() {
        let Some((key, own)) = own_at_end(state, account.id, date) else { continue };
        flat.entry(key).or_default().add(own);
        if parents.get(slot(id)).is_some_and(|parent| *parent != 0) {
            continue;
        }
        if is_parent.get(slot(id)).copied().unwrap_or_default() {
            trees += 1;
            let nodes = walk(state, account.id, Some(date));
            let sums = roll_up(&nodes, |id| own_at_end(state, id, date));
            let root = sums.into_iter().next().unwrap_or_default();
            root.into_iter().for_each(|(key, figures)| told.entry(key).or_default().add(figures));
        } else {
            told.entry(key).or_default().add(own);
        }
    }
    for (key, sum) in &flat {
        let rolled = told.get(key).copied().unwrap_or_default().balance;
        if rolled != sum.balance {
            let (subject, currency) = (key.0.code(), key.1.code());
            breaks.push(format!("{subject} {currency}: roll-ups {rolled}, accounts {}", sum.balance));
        }
    }
    (breaks, format!("{trees} trees with {links} children roll up to their accounts"))
}

/// The slot of an id; none for 0, which no account has.
fn slot(id: u64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// The parent of each account at the day's end, 0 if it has none.
fn parents(state: &State, date: Date, breaks: &mut Vec<String>) -> Vec<u64> {
    let mut parents = Vec::new();
    for (_, link) in state.tree_links.iter().filter(|(_, link)| link.holds_on(date)) {
        if parents.is_empty() {
            parents.resize(slot(state.accounts.next_id()), 0);
        }
        match parents.get_mut(slot(link.child.0)) {
            Some(parent) if *parent == 0 => *parent = link.parent.0,
            Some(parent) => breaks.push(format!("{} is under {} and under acc_{parent}", link.child, link.parent)),
            None => breaks.push(format!("{} links {}, which is no account", link.id, link.child)),
        }
    }
    parents
}

/// What is read beside the links is what the links say now: indexes and the quota on the account's row.
fn find_lost_links(state: &State, breaks: &mut Vec<String>) {
    let mut current = 0_usize;
    for (_, link) in state.tree_links.iter().filter(|(_, link)| link.is_current()) {
        current += 1;
        let found = [state.tree_parents.get(&link.child), state.tree_children.get(&(link.parent, link.child))];
        let quota = state.accounts.get(link.child.0).and_then(|account| account.rare.quota);
        if found != [Some(&link.id); 2] || quota != link.quota.map(|_| link.id) {
            breaks.push(format!("{} of {} under {} is not where it is looked for", link.id, link.child, link.parent));
        }
    }
    if state.tree_parents.len() != current || state.tree_children.len() != current {
        breaks.push(format!("{current} links, and others are looked for"));
    }
}

/// Every account leads to a root. Each is looked at once: what led to a root before does so again.
fn find_cycles(parents: &[u64], breaks: &mut Vec<String>) {
    let mut sound = vec![false; parents.len()];
    let mut on_the_way = vec![false; parents.len()];
    for begin in 1..parents.len() {
        let (mut at, mut path) = (begin, Vec::new());
        while at != 0 && !sound.get(at).copied().unwrap_or(true) {
            if on_the_way.get(at).copied().unwrap_or_default() {
                breaks.push(format!("acc_{at} is below itself"));
                break;
            }
            if let Some(flag) = on_the_way.get_mut(at) {
                *flag = true;
            }
            path.push(at);
            at = parents.get(at).copied().map_or(0, slot);
        }
        for at in path {
            if let (Some(sound), Some(flag)) = (sound.get_mut(at), on_the_way.get_mut(at)) {
                (*sound, *flag) = (true, false);
            }
        }
    }
}
