//! Whole business days against the built programs: many seeds, UnionPay's forms signed by either method, the power cut at random
//! moments, and PostgreSQL.
//!
//! Each day is small and is played as the demo is: two processes, HTTP, a bank that misbehaves. A day passes only if every
//! check at close holds and the bank saw no serial number twice. One more is simulated, and must reach its plan's rates.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::binaries::{Binaries, Tested};
use crate::steps::Outcome;
use crate::workspace;

#[path = "../../crates/journal/tests/it/cluster.rs"]
mod cluster;

/// Seeds of the days without a power cut.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// Orders of such a day.
const ORDERS: u64 = 200;
/// Seeds of the days with power cuts.
const CUT_SEEDS: std::ops::RangeInclusive<u64> = 101..=105;
/// Orders of such a day, enough to be hit in the middle of it.
const CUT_ORDERS: u64 = 1_000;
/// Power cuts of such a day.
const CUTS: u64 = 3;

/// Orders of the day that is simulated; its plan's 200,000 take too long for every change.
const SIMULATED_ORDERS: &str = "5000";

/// How UnionPay's forms are signed: with a secret; on one day more with RSA.
const SECRET: &str = "12";
const RSA: &str = "01";

/// Days at a time. A day mostly waits: for answers that come late, for a site that is down, for the morning's terminals.
const AT_ONCE: usize = 2;

/// Plays all of them.
pub(crate) fn check() -> anyhow::Result<Outcome> {
    let tested = Tested::build()?;
    // Effective success in and out, first try, the outage, doubles: it ends with an error that names what is missed.
    workspace::run(Command::new(tested.sim()?).args(["day", "--orders", SIMULATED_ORDERS]))?;
    let programs = tested.binaries()?;
    let cluster = cluster::cluster("days");
    let quiet = SEEDS.map(|seed| (seed, ORDERS, 0, SECRET)).chain([(*SEEDS.start(), ORDERS, 0, RSA)]);
    let embedded = quiet.chain(CUT_SEEDS.map(|seed| (seed, CUT_ORDERS, CUTS, SECRET)));
    let mut days: Vec<Day> = embedded
        .map(|(seed, orders, cuts, sign_method)| Day { seed, orders, cuts, sign_method, settings: Vec::new() })
        .collect();
    if let Some(cluster) = &cluster {
        for (seed, orders, cuts) in [(1, ORDERS, 0), (101, CUT_ORDERS, CUTS)] {
            let schema = cluster.schema();
            let places = ["journal", "store", "ark.place"].into_iter();
            let settings = places.flat_map(|place| {
                let url = format!("{place}.url={}", cluster.url());
                [url, format!("{place}.schema={schema}_{}", place.split('.').next().unwrap_or(place))]
            });
            days.push(Day { seed, orders, cuts, sign_method: SECRET, settings: settings.collect() });
        }
    }
    all(&programs, &days)?;
    Ok(match cluster {
        Some(_) => Outcome::Passed,
        None => Outcome::Skipped("SKIP postgres: apt-get install postgresql".to_owned()),
    })
}

/// Plays every day, some of them at once, the longest first; the first that fails keeps others from being begun.
fn all(programs: &Binaries, days: &[Day]) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        // From the end: the days with power cuts and those in PostgreSQL are there, and take longest.
        while let Some(day) = days.iter().rev().nth(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = play(programs, day) {
                next.store(days.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("playing a day does not panic"))
    })
}

struct Day {
    seed: u64,
    orders: u64,
    cuts: u64,
    sign_method: &'static str,
    settings: Vec<String>,
}

/// Plays one day; its words are shown only if it fails.
fn play(programs: &Binaries, day: &Day) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut command = Command::new(&programs.sandbox);
    command.args(["play", "--exit", "--lintel"]).arg(&programs.lintel);
    command.args(["--seed", &day.seed.to_string(), "--orders", &day.orders.to_string()]);
    command.args(["--kills", &day.cuts.to_string(), "--unionpay-sign-method", day.sign_method]);
    command.args(day.settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command.output().context("playing a day")?;
    let place = if day.settings.is_empty() { "embedded" } else { "PostgreSQL" };
    let Day { seed, orders, cuts, sign_method, .. } = day;
    let what = format!("day of seed {seed}: {orders} orders, {cuts} power cuts, signMethod {sign_method}, {place}");
    if !output.status.success() {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{what}: {}", output.status);
    }
    println!("{what}: every check holds ({:.1} s)", began.elapsed().as_secs_f64());
    Ok(())
}
