//! What is true: the durable rows, checked and folded one by one into a state that no other part of a run touches, and
//! beside it the plain sums of every voucher, which no code of the platform added up.

use std::collections::{BTreeMap, BTreeSet};

use domain::book::{Book, Side};
use domain::ids::AccountId;
use domain::money::Currency;
use domain::voucher::{BusinessNumber, EventCode, Voucher};
use domain::{Event, State};
use engine::{Engine, Keys, record};
use journal::Record;
use journal::chain::Chain;

use crate::check::{Checked, broken};
use crate::disk::Disk;

/// Debits less credits of every account, after each position at which they changed.
#[derive(Debug, Default)]
struct Sums(BTreeMap<AccountId, Vec<(u64, i128)>>);

/// The vouchers of a row.
fn vouchers(record: &Record) -> Result<Vec<(u64, Voucher)>, String> {
    let commands = record::decode(&record.payload).map_err(|error| error.to_string())?;
    let events = (record.first..).zip(commands.into_iter().flat_map(|command| command.events));
    let voucher =
        |(position, event)| if let Event::VoucherPosted(voucher) = event { Some((position, voucher)) } else { None };
    Ok(events.filter_map(voucher).collect())
}

impl Sums {
    fn take(&mut self, position: u64, voucher: &Voucher) {
        for entry in &voucher.entries {
            let amount = i128::from(entry.amount);
            self.add(entry.account, position, if entry.side == Side::Debit { amount } else { -amount });
        }
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
    /// What vouchers are known by.
    numbers: BTreeSet<(BusinessNumber, EventCode)>,
    /// What banks gave back after they had refused, which is claimed from them on 1131 and moves nothing there.
    claimed: i128,
}

impl Follower {
    /// Before the first row.
    pub(crate) fn new() -> Self {
        // What is closed stays, so each row that comes back is compared with what it was when it left.
        let state = State { keep_closed: true, ..State::default() };
        let engine = Engine::new(state, Keys::default(), 0);
        let (sums, numbers) = (Sums::default(), BTreeSet::new());
        Self { engine, chain: Chain::GENESIS, rows: 0, sums, numbers, claimed: 0 }
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

    /// What banks gave back after they had refused, and it was gone.
    pub(crate) fn claimed(&self) -> i128 {
        self.claimed
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
            self.engine.replay(&record).or_else(|error| broken("replay", error.to_string()))?;
            let vouchers = vouchers(&record).or_else(|error| broken("replay", error))?;
            for (position, voucher) in &vouchers {
                self.sums.take(*position, voucher);
                self.balances(*position, voucher)?;
                if matches!(voucher.event, EventCode::LegReversedTwice | EventCode::ClaimedLate) {
                    let debits = voucher.entries.iter().filter(|entry| entry.side == Side::Debit);
                    self.claimed += debits.map(|entry| i128::from(entry.amount)).sum::<i128>();
                }
                if !self.numbers.insert((voucher.business.clone(), voucher.event)) {
                    let found = format!("{:?} of {:?} was posted twice", voucher.event, voucher.business);
                    return broken("a voucher is posted once", found);
                }
            }
            for account in vouchers.iter().flat_map(|(_, voucher)| voucher.entries.iter().map(|entry| entry.account)) {
                self.agrees(account)?;
            }
        }
        Ok(())
    }

    /// Whether a voucher has two entries or more, all above zero, and its debits equal its credits per book and currency.
    fn balances(&self, position: u64, voucher: &Voucher) -> Checked {
        let mut sums: BTreeMap<(Book, Currency), i128> = BTreeMap::new();
        for entry in &voucher.entries {
            let Some(account) = self.state().accounts.get(entry.account.0) else {
                return broken("a voucher balances", format!("{} of {position} is no account", entry.account));
            };
            let amount = i128::from(entry.amount);
            *sums.entry((account.subject.book(), entry.currency)).or_default() +=
                if entry.side == Side::Debit { amount } else { -amount };
        }
        let filled = voucher.entries.len() >= 2 && voucher.entries.iter().all(|entry| entry.amount > 0);
        if filled && sums.values().all(|sum| *sum == 0) {
            return Ok(());
        }
        broken("a voucher balances", format!("{:?} of {position} differs: {sums:?}", voucher.business))
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
        broken(
            "balance is the sum of its entries",
            format!("{account} stands at {told:?}, its entries add up to {summed}"),
        )
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
