//! Whole business days against the built programs: many seeds, the power cut at random moments, and PostgreSQL.
//!
//! Each day is small and is played as the demo is: two processes, HTTP, a bank that misbehaves. A day passes only if every
//! check at close holds and the bank saw no serial number twice.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::binaries::{self, Binaries};
use crate::steps::Outcome;

#[path = "../../crates/journal/tests/it/cluster.rs"]
mod cluster;

/// Seeds of the days without a power cut.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// Orders of such a day.
const ORDERS: u64 = 200;
/// Seeds of the days with power cuts.
const CUT_SEEDS: std::ops::RangeInclusive<u64> = 101..=105;
/// Orders of such a day, enough to be hit in the middle of it.
const CUT_ORDERS: u64 = 3_000;
/// Power cuts of such a day.
const CUTS: u64 = 3;

/// Plays all of them.
pub(crate) fn check() -> anyhow::Result<Outcome> {
    let programs = binaries::build()?;
    for seed in SEEDS {
        play(&programs, &Day { seed, orders: ORDERS, cuts: 0, settings: &[] })?;
    }
    for seed in CUT_SEEDS {
        play(&programs, &Day { seed, orders: CUT_ORDERS, cuts: CUTS, settings: &[] })?;
    }
    let Some(cluster) = cluster::cluster("days") else {
        return Ok(Outcome::Skipped("SKIP postgres: apt-get install postgresql".to_owned()));
    };
    for (seed, cuts) in [(1, 0), (101, CUTS)] {
        let schema = cluster.schema();
        let settings = [
            format!("journal.url={}", cluster.url()),
            format!("journal.schema={schema}_journal"),
            format!("store.url={}", cluster.url()),
            format!("store.schema={schema}_store"),
            format!("ark.place.url={}", cluster.url()),
            format!("ark.place.schema={schema}_ark"),
        ];
        let orders = if cuts > 0 { CUT_ORDERS } else { ORDERS };
        play(&programs, &Day { seed, orders, cuts, settings: &settings })?;
    }
    Ok(Outcome::Passed)
}

struct Day<'a> {
    seed: u64,
    orders: u64,
    cuts: u64,
    settings: &'a [String],
}

/// Plays one day; its words are shown only if it fails.
fn play(programs: &Binaries, day: &Day<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut command = Command::new(&programs.sandbox);
    command.args(["play", "--exit", "--lintel"]).arg(&programs.lintel);
    command.args(["--seed", &day.seed.to_string(), "--orders", &day.orders.to_string()]);
    command.args(["--kills", &day.cuts.to_string()]);
    command.args(day.settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command.output().context("playing a day")?;
    let place = if day.settings.is_empty() { "embedded" } else { "PostgreSQL" };
    let what = format!("day of seed {}: {} orders, {} power cuts, {place}", day.seed, day.orders, day.cuts);
    if !output.status.success() {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{what}: {}", output.status);
    }
    println!("{what}: every check holds ({:.1} s)", began.elapsed().as_secs_f64());
    Ok(())
}
