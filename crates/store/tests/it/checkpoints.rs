//! Checkpoints: compare-and-set, all or nothing, and what start-up refuses.

use std::sync::Barrier;

use domain::customer::CustomerKind;
use domain::ids::CustomerId;
use domain::restore::Core;
use domain::state::Changes;
use store::customer::CustomerFilter;
use store::{SegmentKind, SegmentRow, StoreError, checkpoint, list, run};

use crate::place::{Place, on_both};
use crate::world::{World, at, date};

on_both! {
    a_checkpoint_replaces_the_one_it_expects
    another_writer_is_refused_and_writes_nothing
    of_two_writers_at_once_one_wins
    a_commit_sent_again_is_done_already
    a_checkpoint_never_goes_back
    a_commit_that_fails_leaves_nothing
}

fn a_checkpoint_replaces_the_one_it_expects(place: &Place) {
    let database = place.open();
    assert_eq!(checkpoint::latest(&database), Ok(None));
    let nothing = Changes::default();
    checkpoint::commit(&database, None, &at(5), &Core::default(), &nothing, &[], &[]).unwrap();
    checkpoint::commit(&database, Some(&at(5)), &at(9), &Core::default(), &nothing, &[], &[]).unwrap();
    drop(database);
    assert_eq!(checkpoint::latest(&place.open()), Ok(Some(at(9))));
}

fn another_writer_is_refused_and_writes_nothing(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    world.store(&database);
    let found = world.previous;
    world.customer(CustomerKind::Person);
    let changes = world.state.take_changes();
    let next = at(world.state.position);
    for expected in [None, Some(at(1))] {
        let refused =
            checkpoint::commit(&database, expected.as_ref(), &next, &Core::default(), &changes, &[], &[]).unwrap_err();
        assert_eq!(refused, StoreError::Conflict { expected, found });
        let message = refused.to_string();
        assert!(message.contains(&found.unwrap().to_string()), "{message}");
    }
    assert_eq!(checkpoint::latest(&database), Ok(found));
    assert_eq!(list(&database, &CustomerFilter::default(), None, 10).unwrap().data, []);
    world.commit(&database, &changes).unwrap();
    assert_eq!(list(&database, &CustomerFilter::default(), None, 10).unwrap().data.len(), 1);
}

fn of_two_writers_at_once_one_wins(place: &Place) {
    checkpoint::commit(&place.open(), None, &at(1), &Core::default(), &Changes::default(), &[], &[]).unwrap();
    let start = Barrier::new(2);
    let write = |position| {
        let database = place.open();
        start.wait();
        checkpoint::commit(&database, Some(&at(1)), &at(position), &Core::default(), &Changes::default(), &[], &[])
    };
    let answers = std::thread::scope(|scope| {
        let writers = [scope.spawn(|| write(2)), scope.spawn(|| write(3))];
        writers.map(|writer| writer.join().unwrap())
    });
    let won = checkpoint::latest(&place.open()).unwrap();
    match &answers {
        [Ok(()), Err(StoreError::Conflict { found, .. })] => assert_eq!((won, *found), (Some(at(2)), Some(at(2)))),
        [Err(StoreError::Conflict { found, .. }), Ok(())] => assert_eq!((won, *found), (Some(at(3)), Some(at(3)))),
        other => panic!("not one winner and one conflict: {other:?}"),
    }
}

fn a_commit_sent_again_is_done_already(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    let changes = world.state.take_changes();
    let next = at(world.state.position);
    for _ in 0..2 {
        checkpoint::commit(&database, None, &next, &Core::default(), &changes, &[], &[]).unwrap();
    }
    assert_eq!(checkpoint::latest(&database), Ok(Some(next)));
}

fn a_checkpoint_never_goes_back(place: &Place) {
    let database = place.open();
    checkpoint::commit(&database, None, &at(5), &Core::default(), &Changes::default(), &[], &[]).unwrap();
    let older_epoch = checkpoint::Checkpoint { epoch: 0, ..at(9) };
    for next in [at(4), older_epoch] {
        let refused =
            checkpoint::commit(&database, Some(&at(5)), &next, &Core::default(), &Changes::default(), &[], &[]);
        assert_eq!(refused, Err(StoreError::Backward { previous: at(5), next }));
    }
}

fn a_commit_that_fails_leaves_nothing(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    world.store(&database);
    let before = world.previous;
    let segment = SegmentRow {
        path: "segments/1".into(),
        kind: SegmentKind::Entries,
        date: date(3, 5),
        first_position: 1,
        last_position: 2,
        rows: 2,
        bytes: 64,
        checksum: u32::MAX,
        min_account: 1,
        max_account: 2,
    };
    let customer = world.customer(CustomerKind::Person);
    let changes = world.state.take_changes();
    let twice = [segment.clone(), segment];
    let next = at(world.state.position);
    let failed =
        checkpoint::commit(&database, before.as_ref(), &next, &Core::default(), &changes, &twice, &[]).unwrap_err();
    assert!(failed.to_string().contains("segments/1"), "{failed}");
    assert_eq!(checkpoint::latest(&database), Ok(before));
    assert_eq!(run::all(&database), Ok(vec![]));
    assert_eq!(store::get::<domain::customer::Customer>(&database, customer), Ok(None));
    assert_eq!(customer, CustomerId(1));
}

#[test]
fn a_store_ahead_of_the_journal_or_of_another_one_is_refused() {
    let stored = at(7);
    assert_eq!(stored.check_against(7, Some(stored.hash)), Ok(()));
    assert_eq!(stored.check_against(100, Some(stored.hash)), Ok(()));
    assert_eq!(stored.check_against(6, None), Err(StoreError::Ahead { store: 7, journal: 6 }));
    for hash in [None, Some(at(8).hash)] {
        let refused = stored.check_against(9, hash).unwrap_err();
        assert!(matches!(&refused, StoreError::OtherJournal { position: 7, .. }), "{refused}");
    }
}
