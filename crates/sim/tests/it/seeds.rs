//! Seeds that must find nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sim::{Stats, run};

/// How many seeds these tests go through, with debug assertions and checked sums; `cargo xtask test` runs a thousand without.
const SEEDS: u64 = 100;

/// What so many seeds must have had of [`sim::RARE`]: laws that are never put to the test hold by nothing.
const REACHED: [&str; 12] = [
    "rows that a fund paid",
    "rows paid in part",
    "rows refused",
    "orders paid with the fee on top",
    "orders paid from a balance",
    "refunds to a balance",
    "orders that expired",
    "refunds by item",
    "refunds of two legs",
    "returns of splits",
    "money that no order could use",
    "lines of sessions a day after",
];

/// Seeds that once found something, each with what it was. They run for ever.
const FOUND: &[(u64, &str)] = &[];

fn all(seeds: &[u64]) -> Stats {
    let (next, total, failed) = (AtomicU64::new(0), Mutex::new(Stats::default()), Mutex::new(Vec::new()));
    let work = || loop {
        let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("a count");
        let Some(seed) = seeds.get(at) else { return };
        let outcome = run(*seed, None, false);
        total.lock().expect("no run panics").add(&outcome.stats);
        if let Some(violation) = outcome.violation {
            failed.lock().expect("no run panics").push(format!("seed {seed}: {violation}"));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no run panics");
    assert!(failed.is_empty(), "replay them with `cargo xtask sim SEED`:\n{}", failed.join("\n"));
    total.into_inner().expect("no run panics")
}

#[test]
fn no_seed_breaks_a_law() {
    let seeds: Vec<u64> = (1..=SEEDS).collect();
    let stats = all(&seeds);
    // A run that does nothing would break nothing.
    assert!(stats.crashes > 3 * SEEDS && stats.starts > 3 * SEEDS, "{stats:#?}");
    assert!(stats.answered > 80 * SEEDS && stats.refused < stats.answered / 2, "{stats:#?}");
    assert!(stats.settled > 10 * SEEDS && stats.unknown > SEEDS && stats.calls > 20 * SEEDS, "{stats:#?}");
    assert!(
        stats.reads > 5 * SEEDS && stats.checkpoints > 5 * SEEDS && stats.merges > SEEDS / 4 && stats.kept > SEEDS / 4,
        "{stats:#?}"
    );
    assert!(stats.drained > SEEDS / 10, "{stats:#?}");
    assert!(stats.lies > SEEDS / 10 && stats.recalled > SEEDS / 20, "{stats:#?}");
    assert!(REACHED.iter().all(|name| sim::RARE.contains(name)), "a name that nothing is counted under");
    let missing: Vec<&str> = stats.rare.never().filter(|name| REACHED.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} never happened: {stats:#?}");
}

#[test]
fn seeds_that_found_something_find_nothing_now() {
    let seeds: Vec<u64> = FOUND.iter().map(|(seed, _)| *seed).collect();
    all(&seeds);
}

#[test]
fn the_same_seed_does_the_same_line_by_line() {
    for seed in [3, 77] {
        let (first, second) = (run(seed, None, true), run(seed, None, true));
        assert!(first.trace.lines().count() > 500, "a run has a story to tell");
        let other = first.trace.lines().zip(second.trace.lines()).find(|(one, other)| one != other);
        assert_eq!(other, None, "the first lines that differ");
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.stats, second.stats);
    }
}
