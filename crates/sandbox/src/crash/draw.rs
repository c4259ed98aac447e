//! Draws that follow from a seed.

use crate::bench::numbers::Numbers;

/// One of a list; `None` of an empty one.
pub(super) fn one_of<'a, T>(list: &'a [T], numbers: &mut Numbers) -> Option<&'a T> {
    list.get(usize::try_from(numbers.below(list.len() as u64)).ok()?)
}

/// One of the accounts.
pub(super) fn account(accounts: &[u64], numbers: &mut Numbers) -> u64 {
    one_of(accounts, numbers).copied().unwrap_or_default()
}

/// Two different ones of two accounts or more.
pub(super) fn two_accounts(accounts: &[u64], numbers: &mut Numbers) -> (u64, u64) {
    let first = account(accounts, numbers);
    loop {
        let second = account(accounts, numbers);
        if second != first {
            return (first, second);
        }
    }
}
