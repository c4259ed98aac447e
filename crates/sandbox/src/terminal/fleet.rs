//! Many terminals at work at once, and what came of it all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::device::{Counts, Outcome, Terminal};
use super::message::{Kind, Receipt};
use super::shift::{self, Shift, Watch};
use crate::bench::numbers::Numbers;
use crate::bench::statistics::Percentiles;

/// Terminals that sign in at once: each sign-in makes keys, of which a platform makes few hundred a second.
const SIGNING_IN: usize = 16;

/// What came of the work.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Transactions that were approved, by kind.
    pub approved: BTreeMap<Kind, u64>,
    /// Those that were declined, by code.
    pub declined: BTreeMap<String, u64>,
    /// Those that no answer was heard to.
    pub unheard: u64,
    /// Batches that the platform counted as the terminal did.
    pub batches_balanced: u64,
    /// Those that it did not, whose records went up.
    pub batches_unbalanced: u64,
    /// Σ of what cards paid in those batches, as the terminals count it, in fen.
    pub debit: i64,
    /// Σ of what went back to cards.
    pub credit: i64,
    /// How often a terminal had to wait for the platform.
    pub waits: u64,
    /// What the terminals counted.
    pub counts: Counts,
    /// Terminals that gave up, by why.
    pub gave_up: BTreeMap<String, u64>,
    /// From asking to the end of each transaction, in milliseconds; reversals and sign-ins before it are in it.
    #[serde(skip)]
    pub times_ms: Vec<f64>,
}

impl Summary {
    /// Counts what came of a transaction; the receipt of one that was approved.
    pub(super) fn count(&mut self, kind: Kind, outcome: Outcome) -> Option<Receipt> {
        match outcome {
            Outcome::Approved(receipt) => {
                *self.approved.entry(kind).or_default() += 1;
                return Some(receipt);
            }
            Outcome::Declined(code) => *self.declined.entry(code).or_default() += 1,
            Outcome::Unheard(_) => self.unheard += 1,
        }
        None
    }

    fn add(&mut self, other: Self) {
        let Self { approved, declined, unheard, batches_balanced, batches_unbalanced, waits, .. } = other;
        approved.into_iter().for_each(|(kind, count)| *self.approved.entry(kind).or_default() += count);
        declined.into_iter().for_each(|(code, count)| *self.declined.entry(code).or_default() += count);
        self.unheard += unheard;
        self.batches_balanced += batches_balanced;
        self.batches_unbalanced += batches_unbalanced;
        self.waits += waits;
        self.debit += other.debit;
        self.credit += other.credit;
        self.times_ms.extend(other.times_ms);
    }

    /// How many transactions ended, one way or another.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.approved.values().sum::<u64>() + self.declined.values().sum::<u64>() + self.unheard
    }

    /// As one JSON object.
    #[must_use]
    pub fn object(&self) -> serde_json::Value {
        let mut object = serde_json::json!(self);
        let times = Percentiles::of(self.times_ms.clone());
        object["transactions"] = self.transactions().into();
        for (name, value) in
            [("p50_ms", times.p50), ("p95_ms", times.p95), ("p99_ms", times.p99), ("max_ms", times.max)]
        {
            object[name] = value.into();
        }
        object
    }
}

/// A table for people.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &mut dyn Iterator<Item = (String, u64)>| {
            let parts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        };
        let name = |kind: Kind| serde_json::json!(kind).as_str().unwrap_or_default().replace('_', " ");
        let times = Percentiles::of(self.times_ms.clone());
        let Counts { reversed, reversals_of_nothing, given_up, sign_ins, connects, .. } = self.counts;
        writeln!(f, "transactions    {}", self.transactions())?;
        writeln!(f, "approved        {}", list(&mut self.approved.iter().map(|(kind, count)| (name(*kind), *count))))?;
        let codes = &mut self.declined.iter().map(|(code, count)| (format!("with {code}"), *count));
        writeln!(f, "declined        {}", list(codes))?;
        writeln!(f, "not heard of    {}", self.unheard)?;
        writeln!(
            f,
            "taken back      {reversed}, {reversals_of_nothing} that the platform never had, {given_up} given up"
        )?;
        writeln!(f, "batches         {} balanced, {} not", self.batches_balanced, self.batches_unbalanced)?;
        writeln!(f, "sessions        {sign_ins} sign-ins over {connects} connections, {} waits", self.waits)?;
        writeln!(
            f,
            "times           p50 {:.1} ms, p95 {:.1}, p99 {:.1}, max {:.1}",
            times.p50, times.p95, times.p99, times.max
        )?;
        for (why, count) in &self.gave_up {
            writeln!(f, "gave up         {count}: {why}")?;
        }
        Ok(())
    }
}

/// Has each terminal work so many shifts, all at once; until the end, or until `watch` says stop.
pub async fn work(terminals: Vec<Terminal>, shifts: u32, shift: Shift, watch: Arc<Watch>) -> Summary {
    let (mut tasks, signing) = (JoinSet::new(), Arc::new(Semaphore::new(SIGNING_IN)));
    for (at, mut terminal) in terminals.into_iter().enumerate() {
        let (watch, signing) = (Arc::clone(&watch), Arc::clone(&signing));
        tasks.spawn(async move {
            let mut summary = Summary::default();
            let mut numbers = Numbers(shift.seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for _ in 0..shifts {
                if watch.stop.load(Ordering::Relaxed) {
                    break;
                }
                let ready = {
                    // A closed semaphore has no turns to give; this one is never closed.
                    let _turn = signing.acquire().await;
                    terminal.be_ready().await
                };
                let worked = match ready {
                    Ok(()) => shift::work(&mut terminal, &shift, &mut numbers, &watch).await,
                    Err(fault) => Err(fault),
                };
                match worked {
                    Ok(worked) => summary.add(worked),
                    Err(fault) => {
                        *summary.gave_up.entry(fault.to_string()).or_default() += 1;
                        break;
                    }
                }
            }
            watch.finished.fetch_add(1, Ordering::Relaxed);
            summary.counts = terminal.counts();
            summary
        });
    }
    let mut all = Summary::default();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(mut one) => {
                all.counts = all.counts.plus(one.counts);
                for (why, count) in std::mem::take(&mut one.gave_up) {
                    *all.gave_up.entry(why).or_default() += count;
                }
                all.add(one);
            }
            Err(error) => *all.gave_up.entry(error.to_string()).or_default() += 1,
        }
    }
    all
}
