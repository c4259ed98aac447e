//! The tail: chunks come and go, readers keep what they took.

use std::sync::Arc;

use domain::ids::AccountId;
use history::{Chunk, Tail};

use crate::model::{Ledger, day, publish};

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..30 {
        ledger.transfer(day(0), 1 + number % 3, 1 + (number + 1) % 3, 10);
    }
    ledger
}

#[test]
fn entries_of_an_account_come_in_the_order_of_their_numbers() {
    let ledger = ledger();
    let tail = Tail::new();
    publish(&tail, &ledger.entries, 7);
    for account in 0..=4 {
        let expected: Vec<_> = ledger.entries.iter().filter(|entry| entry.account.0 == account).collect();
        assert_eq!(tail.snapshot().of(AccountId(account)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_chunk_stays_until_all_of_it_is_cut() {
    let ledger = ledger();
    let tail = Tail::new();
    publish(&tail, &ledger.entries, 20);
    let before = tail.snapshot();
    assert_eq!(
        before.chunks().iter().map(|chunk| (chunk.first(), chunk.last())).collect::<Vec<_>>(),
        [(1, 10), (11, 20), (21, 30)]
    );
    tail.drop_through(19);
    assert_eq!(tail.snapshot().entries(), 40);
    tail.clone().drop_through(20);
    assert_eq!(tail.snapshot().entries(), 20, "clones share the chunks");
    assert_eq!(before.entries(), 60, "a reader keeps what it took");
    assert_eq!((before.last(), tail.snapshot().last()), (Some(30), Some(30)));
    tail.drop_through(u64::MAX);
    assert_eq!(tail.snapshot().last(), None);
}

#[test]
fn a_chunk_without_entries_is_none() {
    assert!(Chunk::new(Vec::new()).is_none());
}

#[test]
#[should_panic(expected = "chunk at 1 after Some(30)")]
fn a_chunk_that_does_not_follow_is_refused() {
    let ledger = ledger();
    let tail = Tail::new();
    publish(&tail, &ledger.entries, 100);
    tail.push(Arc::new(Chunk::new(ledger.entries[..2].to_vec()).unwrap()));
}
