//! The load: terminals that wait in a row, and lanes that sell with the first of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::bench::load::Stop;
use crate::bench::numbers::Numbers;
use crate::bench::progress::{Progress, thousands};
use crate::terminal::{Card, Outcome, Terminal, Transaction};

/// Terminals that sign in, or settle, at once.
const AT_ONCE: usize = 32;
/// A batch close counts to 999 a side.
const FULL: usize = 900;
/// Of a sale: from, and how much more at most, in fen.
const AMOUNT: (i64, u64) = (1_000, 100_000);

/// What was sold.
#[derive(Debug)]
pub(super) struct Sold {
    pub(super) approved: u64,
    /// Σ of it, fen.
    pub(super) amount: i64,
    pub(super) declined: BTreeMap<String, u64>,
    /// No answer, or none that is proved: the terminal took it back.
    pub(super) unheard: u64,
    /// Batches that were full and closed on the way: balanced or not.
    pub(super) closed: [u64; 2],
    pub(super) times_ms: Vec<f64>,
    /// When the last sale had ended.
    pub(super) ended: Instant,
}

impl Sold {
    fn nothing() -> Self {
        let (declined, times_ms, ended) = (BTreeMap::new(), Vec::new(), Instant::now());
        Self { approved: 0, amount: 0, declined, unheard: 0, closed: [0; 2], times_ms, ended }
    }

    /// Sales that ended, one way or another.
    pub(super) fn count(&self) -> u64 {
        self.approved + self.declined.values().sum::<u64>() + self.unheard
    }

    fn add(&mut self, other: Self) {
        self.approved += other.approved;
        self.amount += other.amount;
        other.declined.into_iter().for_each(|(code, count)| *self.declined.entry(code).or_default() += count);
        self.unheard += other.unheard;
        self.closed = [self.closed[0] + other.closed[0], self.closed[1] + other.closed[1]];
        self.times_ms.extend(other.times_ms);
        self.ended = self.ended.max(other.ended);
    }
}

/// What the lanes share.
pub(super) struct Load {
    waiting: Mutex<VecDeque<Terminal>>,
    /// Sales a second, 0 for as fast as it goes.
    rate: u32,
    seconds: u32,
    cards: u64,
    next: AtomicU64,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
}

/// Has all sign in, some at once.
pub(super) async fn sign_in(terminals: Vec<Terminal>, progress: &Progress) -> Result<Vec<Terminal>> {
    let (mut tasks, mut ready, count) = (JoinSet::new(), Vec::new(), terminals.len());
    for mut terminal in terminals {
        if tasks.len() >= AT_ONCE {
            ready.extend(tasks.join_next().await);
        }
        tasks.spawn(async move {
            let what = || format!("terminal {terminal:?}; each takes a file descriptor on either side (`ulimit -n`)");
            let context = what();
            terminal.be_ready().await.with_context(|| context).map(|()| terminal)
        });
        progress.now_and_then(|| format!("{} of {count} have signed in", thousands(ready.len() as u64)));
    }
    ready.extend(tasks.join_all().await.into_iter().map(Ok));
    ready.into_iter().map(|signed| signed.context("a terminal's task")?).collect()
}

impl Load {
    pub(super) fn new(
        terminals: Vec<Terminal>,
        (rate, seconds, cards): (u32, u32, u64),
        stop: Arc<Stop>,
        progress: Arc<Progress>,
    ) -> Self {
        let waiting = Mutex::new(terminals.into());
        Self { waiting, rate, seconds, cards, next: AtomicU64::new(0), stop, progress }
    }

    /// Sells until the time is over; the terminals, and what was sold.
    pub(super) async fn run(self, lanes: u32) -> Result<(Vec<Terminal>, Sold)> {
        let (shared, began) = (Arc::new(self), Instant::now());
        let mut tasks = JoinSet::new();
        for _ in 0..lanes {
            tasks.spawn(lane(Arc::clone(&shared), began));
        }
        let mut sold = Sold::nothing();
        while let Some(lane) = tasks.join_next().await {
            sold.add(lane.context("a lane panicked")??);
        }
        let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((waiting.drain(..).collect(), sold))
    }

    /// The next sale's number and moment; none when the time is over.
    fn moment(&self, began: Instant) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let moment = match self.rate {
            0 => Instant::now(),
            rate => began + Duration::from_secs_f64(number as f64 / f64::from(rate)),
        };
        let over = moment.duration_since(began) >= Duration::from_secs(self.seconds.into());
        (!over && !self.stop.is_asked()).then_some((number, moment))
    }

    fn take(&self) -> Option<Terminal> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn put_back(&self, terminal: Terminal) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(terminal);
    }
}

async fn lane(load: Arc<Load>, began: Instant) -> Result<Sold> {
    let mut sold = Sold::nothing();
    while let Some((number, moment)) = load.moment(began) {
        sleep_until(moment.into()).await;
        // There are no more lanes than terminals.
        let mut terminal = load.take().context("a terminal that waits")?;
        let mut numbers = Numbers(number);
        let card = Card::made_up(numbers.below(load.cards));
        let amount = AMOUNT.0 + i64::try_from(numbers.below(AMOUNT.1))?;
        if terminal.records() >= FULL {
            let settled = terminal.settle().await.context("settling a full batch")?;
            sold.closed[usize::from(!settled.balanced)] += 1;
        }
        let outcome = terminal.transact(&Transaction::Sale(&card, amount)).await.context("a sale")?;
        sold.ended = Instant::now();
        sold.times_ms.push(sold.ended.duration_since(moment).as_secs_f64() * 1_000.0);
        match outcome {
            Outcome::Approved(receipt) => {
                sold.approved += 1;
                sold.amount += receipt.amount;
            }
            Outcome::Declined(code) => *sold.declined.entry(code).or_default() += 1,
            Outcome::Unheard(_) => sold.unheard += 1,
        }
        load.put_back(terminal);
        load.progress.now_and_then(|| format!("{} sales", thousands(number)));
    }
    Ok(sold)
}

/// Has all take back what they owe and settle; how many batches balanced, and how many did not.
pub(super) async fn settle(terminals: Vec<Terminal>) -> Result<[u64; 2]> {
    let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
    for mut terminal in terminals {
        if tasks.len() >= AT_ONCE {
            done.extend(tasks.join_next().await);
        }
        tasks.spawn(async move { terminal.settle().await });
    }
    done.extend(tasks.join_all().await.into_iter().map(Ok));
    let mut counts = [0; 2];
    for settled in done {
        let settled = settled.context("a terminal's task")?.context("settling a batch")?;
        counts[usize::from(!settled.balanced)] += 1;
    }
    Ok(counts)
}
