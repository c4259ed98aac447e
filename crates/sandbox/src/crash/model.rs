//! What the driver knows the books must say: the sum of every command that was acknowledged, or was found to be done.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

/// What one command does to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    /// The account's number.
    pub(super) account: u64,
    /// Added to its balance, in minor units, on the side on which it grows.
    pub(super) balance: i64,
    /// Added to what is held on it.
    pub(super) held: i64,
    /// Added to the number of its entries.
    pub(super) entries: u64,
}

impl Effect {
    /// One entry.
    pub(super) const fn entry(account: u64, balance: i64) -> Self {
        Self { account, balance, held: 0, entries: 1 }
    }

    /// Money that is held, or no longer is.
    pub(super) const fn held(account: u64, held: i64) -> Self {
        Self { account, balance: 0, held, entries: 0 }
    }
}

/// What an account must show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Posted.
    pub(super) balance: i64,
    /// Reserved.
    pub(super) held: i64,
    /// How many entries there are.
    pub(super) entries: u64,
}

/// The accounts whose every movement the driver itself brings about.
#[derive(Debug, Default)]
pub(super) struct Model {
    accounts: BTreeMap<u64, Expected>,
}

impl Model {
    /// An account that must be empty until something is added.
    pub(super) fn open(&mut self, account: u64) {
        self.accounts.entry(account).or_default();
    }

    /// Adds what a command did.
    ///
    /// # Errors
    /// An effect on an account that the model does not know.
    pub(super) fn add(&mut self, effects: impl IntoIterator<Item = Effect>) -> Result<()> {
        for effect in effects {
            let found = self.accounts.get_mut(&effect.account);
            ensure!(found.is_some(), "the model has no account acc_{}", effect.account);
            if let Some(account) = found {
                account.balance += effect.balance;
                account.held += effect.held;
                account.entries += effect.entries;
            }
        }
        Ok(())
    }

    /// Every account, by number.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (u64, Expected)> + '_ {
        self.accounts.iter().map(|(account, expected)| (*account, *expected))
    }
}
