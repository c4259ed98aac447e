//! What is true: the durable rows, checked and folded one by one into a state that no other part of a run touches, and
//! beside it the plain sums of every voucher, which no code of the platform added up.

use std::collections::BTreeMap;

use domain::book::Side;
use domain::ids::AccountId;
use domain::{Event, State};
use engine::{Engine, Keys, record};
use journal::Record;
use journal::chain::Chain;

use crate::check::{Checked, broken};
use crate::disk::Disk;

/// Debits less credits of every account, after each position at which they changed.
#[derive(Debug, Default)]
struct Sums(BTreeMap<AccountId, Vec<(u64, i128)>>);

impl Sums {
    fn take(&mut self, record: &Record) -> Result<Vec<AccountId>, String> {
        let (mut position, mut moved) = (record.first, Vec::new());
        for command in record::decode(&record.payload).map_err(|error| error.to_string())? {
            for event in &command.events {
                if let Event::VoucherPosted(voucher) = event {
                    for entry in &voucher.entries {
                        let amount = i128::from(entry.amount);
                        self.add(entry.account, position, if entry.side == Side::Debit { amount } else { -amount });
                        moved.push(entry.account);
                    }
                }
                position += 1;
            }
        }
        Ok(moved)
    }

    fn add(&mut self, account: AccountId, position: u64, amount: i128) {
        let steps = self.0.entry(account).or_default();
        let sum = steps.last().map_or(0, |(_, sum)| *sum) + amount;
        steps.push((position, sum));
    }

    fn at(&self, account: AccountId, position: u64) -> i128 {
        let steps = self.0.get(&account).map_or(&[][..], Vec::as_slice);
        let known = steps.partition_point(|(at, _)| *at <= position);
        known.checked_sub(1).and_then(|last| steps.get(last)).map_or(0, |(_, sum)| *sum)
    }
}

/// The follower.
#[derive(Debug)]
pub(crate) struct Follower {
    engine: Engine,
    chain: Chain,
    rows: usize,
    sums: Sums,
}

impl Follower {
    /// Before the first row.
    pub(crate) fn new() -> Self {
        let engine = Engine::new(State::default(), Keys::default(), 0);
        Self { engine, chain: Chain::GENESIS, rows: 0, sums: Sums::default() }
    }

    /// The state of what is durable.
    pub(crate) fn state(&self) -> &State {
        self.engine.state()
    }

    /// The keys of what is durable.
    pub(crate) fn keys(&self) -> &Keys {
        self.engine.keys()
    }

    /// The last durable position.
    pub(crate) fn position(&self) -> u64 {
        self.engine.state().position
    }

    /// How many rows are durable.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes what became durable since.
    pub(crate) fn catch_up(&mut self, disk: &Disk) -> Checked {
        for stored in disk.rows_after(self.rows) {
            self.rows += 1;
            let record = self.chain.check(stored).or_else(|fault| broken("chain", fault.to_string()))?;
            if record.count == 0 {
                continue;
            }
            let moved = self.sums.take(&record).or_else(|error| broken("replay", error))?;
            self.engine.replay(&record).or_else(|error| broken("replay", error.to_string()))?;
            for account in moved {
                self.agrees(account)?;
            }
        }
        Ok(())
    }

    /// What the sum of an account's entries was after a position, on the side on which it grows.
    pub(crate) fn balance_at(&self, account: AccountId, position: u64) -> i128 {
        let debits = self.sums.at(account, position);
        let side = self.state().accounts.get(account.0).map_or(Side::Debit, |account| account.subject.side());
        if side == Side::Debit { debits } else { -debits }
    }

    fn agrees(&self, account: AccountId) -> Checked {
        let told = self.state().accounts.get(account.0).map(|account| i128::from(account.balance));
        let summed = self.balance_at(account, self.position());
        if told == Some(summed) {
            return Ok(());
        }
        broken("balance is the sum of its entries", format!("{account} stands at {told:?}, its entries add up to {summed}"))
    }

    /// Whether another state, at the same position, is this one.
    pub(crate) fn is(&self, other: &State, what: &str) -> Checked {
        let differing = self.state().differing(other);
        if differing.is_empty() {
            return Ok(());
        }
        broken("state is the replay of the journal", format!("{what} differs in {}", differing.join(", ")))
    }

    /// Replays every row from nothing and compares.
    pub(crate) fn replays(&self, disk: &Disk) -> Checked {
        let mut fresh = Self::new();
        fresh.catch_up(disk)?;
        self.is(fresh.state(), "a replay from the first row")
    }
}
