//! Faults planted on purpose: each is found, by the law that is there for it. The same seeds find nothing where nothing is
//! planted: they are the first of those in `seeds`.

#[cfg(debug_assertions)]
use sim::PLANTED_OVERFLOW;
use sim::{Fault, run};

/// Seeds that each fault is tried on.
const SEEDS: u64 = 24;

/// Asserts that a fault is found in at least so many seeds, and only by these laws.
fn is_found(fault: Fault, least: usize, laws: &[&str]) {
    is_found_in(SEEDS, fault, least, laws);
}

fn is_found_in(seeds: u64, fault: Fault, least: usize, laws: &[&str]) {
    let violations = (1..=seeds).filter_map(|seed| run(seed, Some(fault), false).violation.map(|found| (seed, found)));
    let found: Vec<_> = violations.collect();
    assert!(found.len() >= least, "{} was found in {} of {seeds} seeds: {found:#?}", fault.name(), found.len());
    for (seed, violation) in &found {
        assert!(laws.contains(&violation.law), "{}, seed {seed}: {violation}", fault.name());
    }
}

// The fault is not there in a build without debug assertions, whoever asks for it.
#[cfg(debug_assertions)]
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

#[cfg(debug_assertions)]
#[test]
fn an_unchecked_overflow_is_found() {
    let laws = ["balance is the sum of its entries", "debits equal credits", "checks of the day"];
    is_found(Fault::UncheckedOverflow, 4, &laws);
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
    // The operator hears of it as of work that was done already; a posting that is asked again is made twice.
    let laws = ["a key is answered the same for ever", "the operator's work can be done", "a voucher is posted once"];
    is_found(Fault::ForgottenKeys, 6, &laws);
}

#[test]
fn a_not_found_that_is_believed_too_early_is_found() {
    // A request must be late, a query before it and lost answers after: few runs have that.
    is_found_in(90, Fault::EarlyNotFound, 1, &["banks and books agree", "nothing new while the old is unknown"]);
}
