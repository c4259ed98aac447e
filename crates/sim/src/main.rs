//! `sim`: runs one seed and tells everything, or many and tells how far they came; or a day of many orders under a plan.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks through its standard streams"
)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, bail};
use sim::{Fault, Outcome, Stats};

mod told;

const HELP: &str = "\
sim SEED [--fault NAME]                replays one run and prints everything that happened
sim --seeds N [--from S] [--fault NAME] runs N seeds from S on (1 if none is named) and prints the first that fails
sim day [--plan FILE] [--orders N] [--trace] [--json]
                                       runs a day under a plan (crates/sandbox/plans/day.toml if none is named; 200,000 orders take
                                       some minutes) and prints what it came to; --trace prints everything that happened before,
                                       --json ends with one object. Fails if a law is broken or a figure misses its aim";

/// What is asked for.
#[derive(Debug)]
struct Asked {
    seed: Option<u64>,
    seeds: Option<u64>,
    from: u64,
    fault: Option<Fault>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [day, rest @ ..] = &arguments[..]
        && day == "day"
    {
        return told::day(rest).unwrap_or_else(|error| {
            eprintln!("sim: {error:#}\n\n{HELP}");
            ExitCode::FAILURE
        });
    }
    match ask(&arguments).and_then(|asked| run(&asked)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sim: {error:#}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn ask(arguments: &[String]) -> anyhow::Result<Asked> {
    let mut asked = Asked { seed: None, seeds: None, from: 1, fault: None };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seeds" => asked.seeds = Some(value()?.parse().context("--seeds takes a number")?),
            "--from" => asked.from = value()?.parse().context("--from takes a number")?,
            "--fault" => asked.fault = Some(fault(value()?)?),
            text => asked.seed = Some(text.parse().with_context(|| format!("`{text}` is no seed: a number is one"))?),
        }
    }
    if asked.seed.is_some() == asked.seeds.is_some() {
        bail!("name one seed, or --seeds with how many");
    }
    Ok(asked)
}

fn fault(name: &str) -> anyhow::Result<Fault> {
    let known = || Fault::ALL.map(Fault::name).join(", ");
    let fault = Fault::parse(name).with_context(|| format!("there is no fault `{name}`: {}", known()))?;
    if fault == Fault::UncheckedOverflow {
        bail!("`{name}` is compiled in only for tests: cargo test -p sim overflow");
    }
    Ok(fault)
}

fn run(asked: &Asked) -> anyhow::Result<ExitCode> {
    match (asked.seed, asked.seeds) {
        (Some(seed), _) => Ok(one(seed, asked.fault)),
        (None, Some(count)) => Ok(many(asked.from, count, asked.fault)),
        (None, None) => bail!("name one seed, or --seeds with how many"),
    }
}

fn one(seed: u64, fault: Option<Fault>) -> ExitCode {
    let Outcome { stats, violation, trace, .. } = sim::run(seed, fault, true);
    print!("{trace}");
    println!("{stats:#?}");
    match violation {
        None => {
            println!("seed {seed}: every law held");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("seed {seed}: BROKEN: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn many(from: u64, count: u64, fault: Option<Fault>) -> ExitCode {
    let (next, first) = (AtomicU64::new(from), AtomicU64::new(u64::MAX));
    let (total, began) = (Mutex::new((0_u64, Stats::default())), Instant::now());
    let end = from.saturating_add(count);
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || first.load(Ordering::Relaxed) < seed {
            return;
        }
        let outcome = sim::run(seed, fault, false);
        if let Some(violation) = outcome.violation {
            first.fetch_min(seed, Ordering::Relaxed);
            println!("seed {seed}: BROKEN: {violation}");
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.0 += 1;
        total.1.add(&outcome.stats);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (runs, stats) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let hourly = runs as f64 / seconds * 3_600.0;
    println!("{runs} seeds in {seconds:.1} s: {hourly:.0} an hour\n{stats:#?}");
    match first.into_inner() {
        u64::MAX => {
            println!("every law held");
            ExitCode::SUCCESS
        }
        seed => {
            println!("first failing seed: {seed}; replay it with `cargo xtask sim {seed}`");
            ExitCode::FAILURE
        }
    }
}
