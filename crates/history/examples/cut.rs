//! How fast entries are cut into segments and merged, and how long a statement over them takes before and after.
//!
//! ```text
//! cargo run --profile fast -p history --example cut -- [ENTRIES] [SEGMENTS] [ACCOUNTS]
//! ```
//! Entries come in postings of 8,189 two-entry vouchers, as `lintel bench ledger` makes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::book::Side;
use domain::calendar::Date;
use domain::ids::{AccountId, StreamId, VoucherId};
use domain::voucher::{BusinessNumber, EventCode, PostedEntry};
use history::{Chunk, History, HistoryError, Snapshot, StatementQuery, Tail, merge};
use store::run::SegmentRow;

const POSTING: u32 = 8_189;
const QUERIES: usize = 2_000;

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let (entries, segments, accounts) = (argument(2_000_000)?, argument(20)?, argument(10_000)?);
    let directory = tempfile::tempdir()?;
    let history = History::new(directory.path());
    let mut ledger = Ledger::new(accounts);

    let mut rows: Vec<SegmentRow> = Vec::new();
    let (mut spent, mut computed) = (Duration::ZERO, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    for _ in 0..segments {
        let first = ledger.position + 1;
        let tail = ledger.post(entries / segments);
        let (started, computing) = (Instant::now(), cpu_time());
        rows.extend(history.cut(tail.chunks(), first..=ledger.position)?);
        spent += started.elapsed();
        computed += cpu_time() - computing;
        slowest = slowest.max(started.elapsed());
    }
    let written: u64 = rows.iter().map(|row| row.rows).sum();
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    println!(
        "cut: {written} entries in {} segments, {:.1} bytes each: {:.2} million entries/s with syncs (slowest {slowest:.0?}), \
         {:.2} million entries a second of processor time",
        rows.len(),
        bytes as f64 / written as f64,
        written as f64 / spent.as_secs_f64() / 1e6,
        written as f64 / computed.as_secs_f64() / 1e6,
    );

    let tail = ledger.post(200_000);
    let started = Instant::now();
    for chunk in tail.chunks() {
        chunk.index();
    }
    println!("index of {} entries in the tail: {:.1?}", tail.entries(), started.elapsed());

    let fresh = History::new(directory.path());
    let first = ask(&fresh, 1, &tail, &rows, 1, 100)?;
    println!("first statement of a new process (checksums, footers): {:.1?}", first[0]);
    report("statement, page of 100 lines", ask(&history, accounts, &tail, &rows, QUERIES, 100)?);
    if entries / accounts < 100_000 {
        report("statement, whole day", ask(&history, accounts, &tail, &rows, QUERIES, usize::MAX)?);
    }
    let rows = merged(&history, rows)?;
    report("merged: statement, page of 100 lines", ask(&history, accounts, &tail, &rows, QUERIES, 100)?);
    let started = Instant::now();
    let mut sum = 0_i128;
    for row in &rows {
        for movement in history.movements(row)? {
            sum += i128::from(movement?.amount);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("movements: {:.1} million entries/s (sum {sum})", written as f64 / seconds / 1e6);
    let started = Instant::now();
    rows.iter().try_for_each(|row| history.verify(row))?;
    println!("verify: {:.1} million entries/s", written as f64 / started.elapsed().as_secs_f64() / 1e6);
    Ok(())
}

/// Ten neighbours become one until there are no ten of a level any more.
#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn merged(history: &History, mut rows: Vec<SegmentRow>) -> Result<Vec<SegmentRow>, HistoryError> {
    let (mut spent, mut computed, mut entries) = (Duration::ZERO, Duration::ZERO, 0);
    let alike = |rows: &[SegmentRow]| rows.iter().all(|row| merge::level(row) == merge::level(&rows[0]));
    while let Some(at) = rows.windows(10).position(alike) {
        let (started, computing) = (Instant::now(), cpu_time());
        let Some(one) = history.merge(&rows[at..at + 10], || true)? else { break };
        spent += started.elapsed();
        computed += cpu_time() - computing;
        entries += one.rows;
        rows.splice(at..at + 10, [one]);
    }
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / entries.max(1) as f64;
    println!(
        "merge: {entries} entries, {} files left: {:.3} µs an entry with syncs, {:.3} µs of processor time",
        rows.len(),
        each(spent),
        each(computed),
    );
    Ok(rows)
}

fn ask(
    history: &History,
    accounts: u64,
    tail: &Snapshot,
    rows: &[SegmentRow],
    queries: usize,
    limit: usize,
) -> Result<Vec<Duration>, HistoryError> {
    let mut random = Random(7);
    let mut times = Vec::with_capacity(queries);
    for _ in 0..queries {
        let account = AccountId(1 + random.below(accounts));
        let query = StatementQuery { account, side: Side::Credit, from: day(), to: day(), after: None, limit };
        let started = Instant::now();
        let statement = history.statement(&query, tail, rows)?;
        times.push(started.elapsed());
        let last = statement.lines.last().map_or(0, |line| line.entry.balance);
        assert!(statement.next.is_some() || statement.closing == last, "the closing balance is the last line's");
    }
    Ok(times)
}

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |hundredth: usize| times[(times.len() - 1) * hundredth / 100];
    println!("{name}: p50 {:.2?}, p99 {:.2?}, p100 {:.2?} of {} queries", at(50), at(99), at(100), times.len());
}

/// What this thread has computed so far: on a busy machine it tells more than the clock. Zero outside Linux.
fn cpu_time() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(spent.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn day() -> Date {
    Date::new(2026, 3, 5).expect("the fifth of March is a date")
}

/// Transfers between random accounts.
struct Ledger {
    balances: Vec<(u64, i64)>,
    random: Random,
    position: u64,
    posting: u64,
}

impl Ledger {
    fn new(accounts: u64) -> Self {
        let balances = (0..accounts).map(|_| (0, 0)).collect();
        Self { balances, random: Random(42), position: 0, posting: 0 }
    }

    /// About so many entries, a chunk a posting.
    fn post(&mut self, entries: u64) -> Snapshot {
        let tail = Tail::new();
        for _ in 0..entries.div_ceil(2 * u64::from(POSTING)) {
            self.posting += 1;
            let mut posted = Vec::with_capacity(2 * POSTING as usize);
            for index in 0..POSTING {
                self.position += 1;
                self.transfer(index, &mut posted);
            }
            tail.push(Arc::new(Chunk::new(posted).expect("a posting has entries")));
        }
        tail.snapshot()
    }

    fn transfer(&mut self, index: u32, posted: &mut Vec<PostedEntry>) {
        let accounts = self.balances.len() as u64;
        let debtor = self.random.below(accounts);
        let creditor = (debtor + 1 + self.random.below(accounts - 1)) % accounts;
        let amount = 1 + i64::try_from(self.random.below(10_000)).unwrap_or(0);
        for (own, other, side) in [(debtor, creditor, Side::Debit), (creditor, debtor, Side::Credit)] {
            let (number, balance) = &mut self.balances[usize::try_from(own).unwrap_or(0)];
            *number += 1;
            *balance += if side == Side::Credit { amount } else { -amount };
            posted.push(PostedEntry {
                account: AccountId(own + 1),
                number: *number,
                voucher: VoucherId(self.position),
                posted_at: day().starts_at().plus_ms(i64::try_from(self.posting * 20).unwrap_or(0)),
                date: day(),
                side,
                event: EventCode::Transfer,
                amount,
                balance: *balance,
                counterpart: AccountId(other + 1),
                business: BusinessNumber::Bulk { stream: StreamId(1), number: self.posting, index },
                dimensions: None,
            });
        }
    }
}

/// A small generator (xorshift64*): the same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}
