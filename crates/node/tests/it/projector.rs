//! The projector behind a real journal: what it passes over, what it refuses, and what a failed checkpoint costs.

use domain::Command;
use node::load::LoadError;
use node::projector::ProjectorError;
use store::{Database, StoreError};

use crate::world::{World, transfer};

/// Books with two accounts, some vouchers and a checkpoint behind them.
fn checkpointed(institution: &str, vouchers: i64) -> World {
    let mut world = World::of(institution);
    let (from, to) = (world.open_account(), world.open_account());
    for amount in 1..=vouchers {
        world.given(transfer(from, to, amount));
        world.flush();
    }
    world.checkpoint();
    world
}

#[test]
fn entries_are_in_the_statement_before_and_after_a_checkpoint() {
    let mut world = World::of("Test Pay");
    let (from, to) = (world.open_account(), world.open_account());
    world.given(transfer(from, to, 500));
    world.flush();
    assert_eq!((world.tail.snapshot().entries(), world.rows().len(), world.projector.behind()), (2, 0, 2));
    world.statements_equal_postings();
    world.projector.write(&[]).unwrap();
    assert_eq!((world.tail.snapshot().entries(), world.rows().len(), world.projector.behind()), (0, 1, 0));
    world.statements_equal_postings();
    world.store_equals_state();
}

#[test]
fn a_checkpoint_is_due_a_second_after_the_first_batch_behind_it() {
    let mut world = World::of("Test Pay");
    assert!(!world.projector.is_due(999));
    assert!(world.projector.is_due(1_000));
    world.checkpoint();
    assert!(!world.projector.is_due(u64::MAX), "nothing changed since");
}

#[test]
fn a_replay_passes_over_what_the_checkpoint_holds() {
    let mut world = checkpointed("Test Pay", 3).reopened();
    assert_eq!(world.projector.checkpoint(), world.engine.state().position);
    assert_eq!((world.tail.snapshot().entries(), world.projector.behind()), (0, 0));
    assert!(!world.projector.is_due(u64::MAX));
    world.statements_equal_postings();
    // And takes what lies behind it.
    let (from, to) = (world.open_account(), world.open_account());
    world.given(transfer(from, to, 7));
    world.flush();
    let mut world = world.reopened();
    assert_eq!(world.tail.snapshot().entries(), 2);
    world.statements_equal_postings();
    world.checkpoint();
    world.store_equals_state();
}

#[test]
fn an_open_batch_that_was_lost_is_in_nothing() {
    let mut world = checkpointed("Test Pay", 1);
    let position = world.engine.state().position;
    world.open_account();
    let mut world = world.reopened();
    assert_eq!(world.engine.state().position, position);
    world.checkpoint();
    world.store_equals_state();
}

#[test]
fn a_checkpoint_without_news_changes_nothing() {
    let mut world = World::of("Test Pay");
    world.checkpoint();
    let (before, rows) = (store::checkpoint::latest(&world.store).unwrap(), world.rows());
    world.checkpoint();
    assert_eq!((store::checkpoint::latest(&world.store).unwrap(), world.rows()), (before, rows));
}

#[test]
fn a_store_ahead_of_the_journal_is_refused() {
    let ahead = checkpointed("Test Pay", 3);
    // The same books, put back as they were before the last vouchers.
    let mut behind = checkpointed("Test Pay", 1);
    let error = ahead.check_store_against(&mut behind).unwrap_err();
    let LoadError::Store(StoreError::Ahead { store, journal }) = error else { panic!("{error}") };
    assert_eq!((store, journal), (ahead.engine.state().position, behind.engine.state().position));
}

#[test]
fn a_store_of_another_journal_is_refused() {
    let mine = checkpointed("Test Pay", 1);
    // As long, longer, and with no row that ends at the checkpoint.
    let mut one_batch = World::of("Other Pay");
    let (from, to) = (one_batch.open_account(), one_batch.open_account());
    (1..=9).for_each(|amount| drop(one_batch.given(transfer(from, to, amount))));
    one_batch.flush();
    for mut other in [checkpointed("Other Pay", 1), checkpointed("Other Pay", 5), one_batch] {
        let error = mine.check_store_against(&mut other).unwrap_err();
        assert!(matches!(error, LoadError::Store(StoreError::OtherJournal { .. })), "{error}");
    }
}

/// Another process moves the checkpoint by `epochs`.
fn meddle(world: &World, epochs: i64) {
    let other = Database::sqlite(&world.directory.path().join("store.db")).unwrap();
    let changed = other.execute("UPDATE checkpoint SET epoch = epoch + $1 WHERE id = 1", &[epochs.into()]).unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn a_checkpoint_that_failed_loses_nothing_of_what_was_pending() {
    let mut world = checkpointed("Test Pay", 1);
    let (from, to) = (world.open_account(), world.open_account());
    world.keyed("first", transfer(from, to, 40)).unwrap();
    world.flush();
    meddle(&world, 1);
    let error = world.projector.write(&[]).unwrap_err();
    assert!(matches!(error, ProjectorError::Store(StoreError::Conflict { .. })), "{error}");
    world.statements_equal_postings();
    assert_eq!(world.projector.behind(), 2);
    // Whoever goes on regardless must not leave rows out for ever: a replay would pass them over.
    meddle(&world, -1);
    world.given(transfer(from, to, 2));
    world.checkpoint();
    world.store_equals_state();
    world.statements_equal_postings();
}

#[test]
fn files_that_were_written_for_a_failed_checkpoint_are_named_by_the_next() {
    let mut world = checkpointed("Test Pay", 1);
    let (from, to) = (world.open_account(), world.open_account());
    meddle(&world, 1);
    for amount in [40, 50] {
        world.given(transfer(from, to, amount));
        world.flush();
        for _ in 0..3 {
            world.projector.write(&[]).unwrap_err();
        }
    }
    assert_eq!(
        (world.entry_files(), world.rows().len()),
        (3, 1),
        "one file for each batch, however often it was tried"
    );
    meddle(&world, -1);
    world.checkpoint();
    assert_eq!((world.entry_files(), world.rows().len()), (3, 3));
    world.store_equals_state();
    world.statements_equal_postings();
}

#[test]
fn a_checkpoint_that_happened_though_its_answer_was_lost_is_gone_on_from() {
    for more in [false, true] {
        let mut world = checkpointed("Test Pay", 1);
        let (from, to) = (world.open_account(), world.open_account());
        world.keyed("first", transfer(from, to, 40)).unwrap();
        world.flush();
        meddle(&world, 1);
        world.projector.write(&[]).unwrap_err();
        meddle(&world, -1);
        world.checkpoint_unseen();
        if more {
            world.keyed("second", transfer(to, from, 5)).unwrap();
        }
        world.checkpoint();
        assert_eq!(world.projector.checkpoint(), world.engine.state().position);
        world.store_equals_state();
        world.statements_equal_postings();
        let world = world.reopened();
        world.store_equals_state();
        world.statements_equal_postings();
    }
}

#[test]
fn a_checkpoint_that_was_never_tried_is_a_conflict() {
    let mut world = checkpointed("Test Pay", 1);
    let (from, to) = (world.open_account(), world.open_account());
    world.given(transfer(from, to, 40));
    world.flush();
    world.checkpoint_unseen();
    world.given(transfer(from, to, 2));
    world.flush();
    let error = world.projector.write(&[]).unwrap_err();
    assert!(matches!(error, ProjectorError::Store(StoreError::Conflict { .. })), "{error}");
}

#[test]
fn a_restart_after_a_checkpoint_that_failed_makes_it_good() {
    let mut world = checkpointed("Test Pay", 1);
    let (from, to) = (world.open_account(), world.open_account());
    world.keyed("first", transfer(from, to, 40)).unwrap();
    world.flush();
    meddle(&world, 1);
    world.projector.write(&[]).unwrap_err();
    meddle(&world, -1);
    let mut world = world.reopened();
    world.statements_equal_postings();
    world.checkpoint();
    world.store_equals_state();
    world.statements_equal_postings();
}

#[test]
fn keys_of_refused_requests_are_kept_too() {
    let mut world = checkpointed("Test Pay", 1);
    let (from, to) = (world.open_account(), world.open_account());
    world.keyed("no", Command::CancelHold(domain::ids::HoldId(9))).unwrap_err();
    world.keyed("yes", transfer(from, to, 1)).unwrap();
    world.checkpoint();
    world.store_equals_state();
    assert_eq!(store::key::all(&world.store).unwrap().len(), 2);
}
