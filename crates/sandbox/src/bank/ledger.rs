//! The ledger: one record a serial number, in shards so that requests seldom wait for each other.
//!
//! ```text
//!  (nothing) ─ arrive ─► OPEN ─ close ─► DONE │ DECLINED
//!      └───── arrive ─► LOST ─ arrive again ─► OPEN
//! ```
//! No call holds two shards at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;

use super::days::DayTotals;
use super::names::{House, Rail, Serial, Verb};

const SHARDS: usize = 64;

/// What was asked under a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) serial: Serial,
    pub(crate) verb: Verb,
    pub(crate) rail: Rail,
    /// Minor units.
    pub(crate) amount: i64,
    /// What it takes from, where the verb has an original.
    pub(crate) original: Option<Serial>,
    /// Whether the currency is one that is taken.
    pub(crate) currency_taken: bool,
}

/// Where a serial number stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The request was on its way and never arrived: for the bank it is not there.
    Lost,
    /// Taken and not finished. `queries_left` more queries will hear so; nothing: it is being worked on.
    Open { queries_left: Option<u32> },
    /// Done, cleared under this date.
    Done { date: Date },
    /// Refused for good.
    Declined { code: Box<str> },
}

#[derive(Debug, Clone)]
struct Record {
    entry: Entry,
    state: State,
    /// What refunds, or captures and releases, took of the amount.
    taken: i64,
}

/// How a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The serial number is new.
    First,
    /// It was sent before and lost on the way.
    AfterLoss,
    /// It was seen before.
    Again,
}

/// What a query meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No such serial number.
    Nothing,
    /// Where it stands.
    At(Entry, State),
    /// This query is the one that is told the outcome: settle it first.
    Settle(Entry),
}

/// Why nothing can be taken from an original, as the code of a decline.
pub(crate) const NO_ORIGINAL: &str = "40000002";
pub(crate) const TOO_MUCH: &str = "40000003";

#[derive(Debug)]
pub(crate) struct Ledger {
    shards: Vec<Mutex<HashMap<Serial, Record>>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Ledger {
    fn shard(&self, serial: Serial) -> MutexGuard<'_, HashMap<Serial, Record>> {
        let [low, high] = serial.halves();
        let index = usize::try_from((low ^ (low >> 32) ^ high) % SHARDS as u64).expect("less than the shards");
        lock(&self.shards[index])
    }

    /// Takes a request in. Only the first arrival, or the first after a loss, is for the caller to carry out.
    pub(crate) fn arrive(&self, entry: Entry, state: State) -> Arrival {
        let mut shard = self.shard(entry.serial);
        let arrival = match shard.get(&entry.serial).map(|record| &record.state) {
            None => Arrival::First,
            Some(State::Lost) => Arrival::AfterLoss,
            Some(State::Open { .. } | State::Done { .. } | State::Declined { .. }) => return Arrival::Again,
        };
        // A second loss would lose it for ever: what is sent again arrives.
        let state = if arrival == Arrival::AfterLoss { State::Open { queries_left: None } } else { state };
        shard.insert(entry.serial, Record { entry, state, taken: 0 });
        arrival
    }

    /// Ends what is open.
    pub(crate) fn close(&self, serial: Serial, state: State) {
        if let Some(record) = self.shard(serial).get_mut(&serial) {
            record.state = state;
        }
    }

    /// What was done is another amount than was asked for: that is what the record is of from now on.
    pub(crate) fn did(&self, serial: Serial, amount: i64) {
        if let Some(record) = self.shard(serial).get_mut(&serial) {
            record.entry.amount = amount;
        }
    }

    /// Looks a serial number up for a query, and counts the query.
    pub(crate) fn query(&self, house: House, serial: Serial) -> Seen {
        let mut shard = self.shard(serial);
        let Some(record) = shard.get_mut(&serial).filter(|record| house.reached_by(record.entry.rail)) else {
            return Seen::Nothing;
        };
        match &mut record.state {
            State::Lost => Seen::Nothing,
            State::Open { queries_left: Some(0) } => {
                record.state = State::Open { queries_left: None };
                Seen::Settle(record.entry)
            }
            State::Open { queries_left: Some(left) } => {
                *left = left.saturating_sub(1);
                Seen::At(record.entry, record.state.clone())
            }
            State::Open { queries_left: None } | State::Done { .. } | State::Declined { .. } => {
                Seen::At(record.entry, record.state.clone())
            }
        }
    }

    /// Where a serial number stands.
    pub(crate) fn state(&self, serial: Serial) -> Option<State> {
        self.shard(serial).get(&serial).map(|record| record.state.clone())
    }

    /// What is recorded of a serial number, and where it stands.
    pub(crate) fn at(&self, serial: Serial) -> Option<(Entry, State)> {
        self.shard(serial).get(&serial).map(|record| (record.entry, record.state.clone()))
    }

    /// Takes the amount of `entry` from its original, if that is done, of the right kind and has so much left.
    ///
    /// # Errors
    /// The code of the decline.
    pub(crate) fn take(&self, entry: &Entry) -> Result<(), &'static str> {
        let Some(original) = entry.original else { return Ok(()) };
        let mut shard = self.shard(original);
        let record = shard.get_mut(&original).ok_or(NO_ORIGINAL)?;
        let done = matches!(record.state, State::Done { .. });
        let fits = entry.verb.originals().contains(&record.entry.verb) && record.entry.rail == entry.rail;
        if !done || !fits {
            return Err(NO_ORIGINAL);
        }
        let taken = record.taken.checked_add(entry.amount).filter(|taken| *taken <= record.entry.amount);
        record.taken = taken.ok_or(TOO_MUCH)?;
        Ok(())
    }

    /// Rail and amount of a payment that is done.
    pub(crate) fn paid(&self, serial: Serial) -> Option<(Rail, i64)> {
        let shard = self.shard(serial);
        let record = shard.get(&serial)?;
        let done = record.entry.verb == Verb::Pay && matches!(record.state, State::Done { .. });
        done.then_some((record.entry.rail, record.entry.amount))
    }

    /// What was done on a date over a rail, added up record by record.
    pub(crate) fn totals(&self, date: Date, rail: Rail) -> DayTotals {
        let mut totals = DayTotals::default();
        for shard in &self.shards {
            for record in lock(shard).values() {
                let there = record.entry.rail == rail && record.state == State::Done { date };
                if let Some(inbound) = record.entry.verb.inbound().filter(|_| there) {
                    totals.add(inbound, record.entry.amount);
                }
            }
        }
        totals
    }
}

/// The lock of a shard. No code that holds one can panic half-way through a change, so a poisoned one is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: State = State::Open { queries_left: None };

    fn entry(number: u32, verb: Verb, amount: i64, original: Option<u32>) -> Entry {
        let serial = |number: u32| format!("20260305{number:016}0{number:06}").parse().unwrap();
        let rail = if matches!(verb, Verb::Hold | Verb::Capture | Verb::Release) { Rail::Fund } else { Rail::Epcc };
        Entry { serial: serial(number), verb, rail, amount, original: original.map(serial), currency_taken: true }
    }

    fn done() -> State {
        State::Done { date: jiff::civil::date(2026, 3, 5) }
    }

    #[test]
    fn a_serial_number_is_carried_out_once() {
        let ledger = Ledger::default();
        let debit = entry(1, Verb::Debit, 500, None);
        assert_eq!(ledger.arrive(debit, OPEN), Arrival::First);
        assert_eq!(ledger.arrive(debit, OPEN), Arrival::Again);
        ledger.close(debit.serial, done());
        assert_eq!(ledger.arrive(entry(1, Verb::Debit, 999, None), OPEN), Arrival::Again);
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::At(debit, done()));
    }

    #[test]
    fn what_was_lost_is_not_there_until_it_is_sent_again() {
        let ledger = Ledger::default();
        let debit = entry(1, Verb::Debit, 500, None);
        assert_eq!(ledger.arrive(debit, State::Lost), Arrival::First);
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::Nothing);
        assert_eq!(ledger.arrive(debit, State::Lost), Arrival::AfterLoss);
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::At(debit, OPEN));
        assert_eq!(ledger.query(House::Fund, debit.serial), Seen::Nothing);
    }

    #[test]
    fn an_operation_in_progress_is_settled_by_one_query() {
        let ledger = Ledger::default();
        let debit = entry(1, Verb::Debit, 500, None);
        ledger.arrive(debit, State::Open { queries_left: Some(1) });
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::At(debit, State::Open { queries_left: Some(0) }));
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::Settle(debit));
        assert_eq!(ledger.query(House::Bank, debit.serial), Seen::At(debit, OPEN));
    }

    #[test]
    fn an_original_gives_no_more_than_it_has() {
        let ledger = Ledger::default();
        let debit = entry(1, Verb::Debit, 500, None);
        let refund = |amount| entry(2, Verb::Refund, amount, Some(1));
        assert_eq!(ledger.take(&refund(1)), Err(NO_ORIGINAL));
        ledger.arrive(debit, OPEN);
        assert_eq!(ledger.take(&refund(1)), Err(NO_ORIGINAL));
        ledger.close(debit.serial, done());
        assert_eq!(ledger.take(&entry(3, Verb::Capture, 1, Some(1))), Err(NO_ORIGINAL));
        assert_eq!(ledger.take(&refund(501)), Err(TOO_MUCH));
        assert_eq!(ledger.take(&refund(300)), Ok(()));
        assert_eq!(ledger.take(&refund(201)), Err(TOO_MUCH));
        assert_eq!(ledger.take(&refund(200)), Ok(()));
        assert_eq!(ledger.take(&refund(i64::MAX)), Err(TOO_MUCH));
    }

    #[test]
    fn a_capture_in_part_uses_the_hold_up_and_gives_back_no_more_than_it_captured() {
        let ledger = Ledger::default();
        let (hold, capture) = (entry(1, Verb::Hold, 500, None), entry(2, Verb::Capture, 500, Some(1)));
        ledger.arrive(hold, OPEN);
        ledger.close(hold.serial, done());
        ledger.arrive(capture, OPEN);
        assert_eq!(ledger.take(&capture), Ok(()));
        ledger.did(capture.serial, 300);
        ledger.close(capture.serial, done());
        assert_eq!(ledger.at(capture.serial), Some((Entry { amount: 300, ..capture }, done())));
        assert_eq!(ledger.take(&entry(3, Verb::Release, 200, Some(1))), Err(TOO_MUCH));
        let refund = |amount| Entry { rail: Rail::Fund, ..entry(4, Verb::Refund, amount, Some(2)) };
        assert_eq!(ledger.take(&refund(301)), Err(TOO_MUCH));
        assert_eq!(ledger.take(&refund(300)), Ok(()));
    }

    #[test]
    fn captures_and_releases_share_what_is_held() {
        let ledger = Ledger::default();
        let hold = entry(1, Verb::Hold, 500, None);
        ledger.arrive(hold, OPEN);
        ledger.close(hold.serial, done());
        assert_eq!(ledger.take(&entry(2, Verb::Capture, 300, Some(1))), Ok(()));
        assert_eq!(ledger.take(&entry(3, Verb::Release, 201, Some(1))), Err(TOO_MUCH));
        assert_eq!(ledger.take(&entry(3, Verb::Release, 200, Some(1))), Ok(()));
    }
}
