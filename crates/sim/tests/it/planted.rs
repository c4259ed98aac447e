//! Faults planted on purpose: each is found, by the law that is there for it.

use sim::{Fault, PLANTED_OVERFLOW, run};

/// Seeds tried until one finds the fault.
const SEEDS: u64 = 40;

/// Which law finds a fault, in how many seeds, and the first of them.
fn found_by(fault: Fault) -> Vec<&'static str> {
    let found: Vec<_> = (1..=SEEDS).filter_map(|seed| run(seed, Some(fault), false).violation).collect();
    println!("{} is found by {} of {SEEDS} seeds", fault.name(), found.len());
    let mut laws: Vec<_> = found.iter().map(|violation| violation.law).collect();
    laws.sort_unstable();
    laws.dedup();
    laws
}

#[test]
fn the_overflow_bears_the_name_that_the_domain_knows() {
    assert_eq!(PLANTED_OVERFLOW, domain::planted::UNCHECKED_OVERFLOW);
}

#[test]
fn a_lost_outbox_entry_is_found() {
    assert_eq!(found_by(Fault::LostOutbox), ["nothing in the outbox is forgotten"]);
}
