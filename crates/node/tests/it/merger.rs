//! Merging beside a real journal and store: stopped between any two of its steps, it changes nothing that anyone sees.

use std::fs;

use domain::Command;
use history::merge;
use node::close;
use node::merger::{Merged, Merger};
use store::{SegmentKind, SegmentRow, StoreError};

use crate::world::{World, day, transfer};

/// Books with so many checkpoints, each with a segment of two entries.
fn with_segments(checkpoints: i64) -> World {
    let mut world = World::of("Test Pay");
    let (from, to) = (world.open_account(), world.open_account());
    for amount in 1..=checkpoints {
        world.given(transfer(from, to, amount));
        world.checkpoint();
    }
    assert_eq!(segments(&world).len(), usize::try_from(checkpoints).unwrap());
    world
}

fn segments(world: &World) -> Vec<SegmentRow> {
    let entries = |row: &SegmentRow| row.kind == SegmentKind::Entries;
    world.rows().into_iter().filter(entries).collect()
}

fn merger(world: &World, files: usize) -> Merger {
    Merger::new(world.store.clone(), world.history.clone(), files)
}

/// Merges until nothing is left to merge; how many merges it were.
fn merge_all(world: &World, files: usize) -> usize {
    let merger = merger(world, files);
    std::iter::from_fn(|| merger.step(|| true).unwrap().merged).count()
}

#[test]
fn ten_become_one_and_ten_of_those_one_again() {
    let world = with_segments(23);
    let step = merger(&world, 10).step(|| true).unwrap();
    assert_eq!((step.committed, step.merged), (23, Some(Merged { files: 10, entries: 20 })));
    assert_eq!(merge_all(&world, 10), 1);
    let levels: Vec<u32> = segments(&world).iter().map(merge::level).collect();
    assert_eq!(levels, [1, 1, 0, 0, 0]);
    world.statements_equal_postings();
    // By three: 23 cut ones make seven and two are left; the seven make two, and so on.
    let world = with_segments(23);
    assert_eq!(merge_all(&world, 3), 9);
    let levels: Vec<u32> = segments(&world).iter().map(merge::level).collect();
    assert_eq!(levels, [2, 2, 1, 0, 0]);
    assert_eq!(world.entry_files(), 5, "what was merged is removed");
    world.statements_equal_postings();
    world.store_equals_state();
}

#[test]
fn a_merge_that_stops_between_two_of_its_steps_changes_nothing() {
    // Nothing yet; a file in the making; a file without its row; the row, and all files; the row, and some files.
    for stage in 0..5 {
        let world = with_segments(7);
        let due = segments(&world)[..3].to_vec();
        if stage == 1 {
            let name = format!("lake/entries/dt={}/seg-1-9-1.parquet.part", day(0));
            fs::write(world.directory.path().join(name), "half a").unwrap();
        }
        if stage >= 2 {
            let merged = world.history.merge(&due, || true).unwrap().unwrap();
            if stage >= 3 {
                store::run::replace(&world.store, &due, &merged).unwrap();
            }
            if stage == 4 {
                fs::remove_file(world.directory.path().join(&due[0].path)).unwrap();
            }
        }
        let mut world = world.reopened();
        world.history.remove_orphans(&world.rows()).unwrap();
        assert_eq!(world.entry_files(), segments(&world).len(), "stage {stage}");
        world.statements_equal_postings();
        let (from, to) = (world.open_account(), world.open_account());
        world.given(transfer(from, to, 5));
        world.checkpoint();
        merge_all(&world, 3);
        assert_eq!(segments(&world).len(), 4, "stage {stage}");
        assert_eq!(world.entry_files(), 4, "stage {stage}");
        world.statements_equal_postings();
        world.store_equals_state();
        world.reopened().statements_equal_postings();
    }
}

#[test]
fn a_merge_that_is_told_to_stop_leaves_the_catalogue_and_the_files() {
    let world = with_segments(4);
    let before = world.rows();
    let step = merger(&world, 2).step(|| false).unwrap();
    assert_eq!(step.merged, None);
    assert_eq!((world.rows(), world.entry_files()), (before, 4));
}

#[test]
fn two_mergers_do_not_lose_a_file_to_each_other() {
    let world = with_segments(4);
    let due = segments(&world);
    let merged = world.history.merge(&due[..3], || true).unwrap().unwrap();
    store::run::replace(&world.store, &due[..3], &merged).unwrap();
    let other = world.history.merge(&due[1..], || true).unwrap().unwrap();
    let refused = store::run::replace(&world.store, &due[1..], &other);
    assert_eq!(refused, Err(StoreError::FilesChanged { path: due[1].path.clone() }));
    world.statements_equal_postings();
}

#[test]
fn a_day_that_was_merged_closes_as_one_that_was_not() {
    let mut worlds: Vec<World> = (0..2).map(|_| with_segments(9)).collect();
    assert_eq!(merge_all(&worlds[0], 3), 4);
    let mut told = Vec::new();
    for (merges, world) in [true, false].into_iter().zip(&mut worlds) {
        world.given(Command::CutDay { next: None });
        let (from, to) = (world.open_account(), world.open_account());
        world.given(transfer(from, to, 11));
        world.flush();
        world.given(Command::Tick);
        world.given(Command::SealDay(day(0)));
        world.flush();
        let snapshot = close::snapshot(world.engine.state(), day(0)).unwrap();
        let check = world.projector.close(&snapshot).unwrap();
        assert!(check.holds, "{}", check.detail);
        let rows = world.rows();
        let end = close::end_of_day(&rows, day(0)).unwrap();
        let balances: Vec<_> = world.history.day_balances(end).unwrap().map(Result::unwrap).collect();
        told.push((check.detail, balances, close::trial_balance(&world.history, end).unwrap()));
        let checks = snapshot.checks.iter().cloned().chain([world.projector.close(&snapshot).unwrap()]).collect();
        world.given(Command::CloseDay { date: day(0), position: snapshot.sealed, checks });
        world.checkpoint();
        if merges {
            merge_all(world, 2);
        }
        world.statements_equal_postings();
    }
    assert_eq!(told[0], told[1]);
    // The balances come from the end of the day and the segments after it.
    for world in worlds {
        world.reopened().statements_equal_postings();
    }
}
