//! Faults planted on purpose: each is found, by the law that is there for it.

use sim::{Fault, PLANTED_OVERFLOW, run};

/// Seeds that each fault is tried on.
const SEEDS: u64 = 24;

/// Asserts that a fault is found in at least so many seeds, and only by these laws.
fn is_found(fault: Fault, least: usize, laws: &[&str]) {
    let violations = (1..=SEEDS).filter_map(|seed| run(seed, Some(fault), false).violation.map(|found| (seed, found)));
    let found: Vec<_> = violations.collect();
    assert!(found.len() >= least, "{} was found in {} of {SEEDS} seeds: {found:#?}", fault.name(), found.len());
    for (seed, violation) in &found {
        assert!(laws.contains(&violation.law), "{}, seed {seed}: {violation}", fault.name());
    }
}

#[test]
fn the_overflow_bears_the_name_that_the_domain_knows() {
    assert_eq!(PLANTED_OVERFLOW, domain::planted::UNCHECKED_OVERFLOW);
}

#[test]
fn a_lost_outbox_entry_is_found() {
    is_found(Fault::LostOutbox, 12, &["nothing in the outbox is forgotten"]);
}

#[test]
fn a_row_applied_twice_is_found() {
    is_found(Fault::DoubleApply, 12, &["state is the replay of the journal", "nothing panics"]);
}

#[test]
fn an_unchecked_overflow_is_found() {
    is_found(Fault::UncheckedOverflow, 6, &["balance is the sum of its entries", "debits equal credits"]);
}

#[test]
fn an_early_reply_is_found() {
    is_found(Fault::EarlyReply, 24, &["nothing leaves before it is durable"]);
}

#[test]
fn an_early_read_is_found() {
    is_found(Fault::EarlyRead, 12, &["nothing leaves before it is durable"]);
}

#[test]
fn what_is_sent_again_under_a_new_serial_is_found() {
    is_found(Fault::ResendNewSerial, 12, &["sent only what the journal holds"]);
}

#[test]
fn forgotten_keys_are_found_by_what_is_asked_again() {
    is_found(Fault::ForgottenKeys, 6, &["a key is answered the same for ever", "state is the replay of the journal"]);
}

#[test]
fn a_not_found_that_is_believed_too_early_is_found() {
    is_found(Fault::EarlyNotFound, 4, &["banks and books agree", "nothing new while the old is unknown"]);
}
