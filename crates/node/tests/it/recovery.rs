//! The state by the checkpoint is the state by the journal, wherever a node crashes.

use node::load::LoadError;
use store::StoreError;

use crate::crash_world::{Disk, Node};

/// Walks of how many steps.
const WALKS: u64 = 8;
const STEPS: u64 = 250;

#[test]
fn a_crashed_node_comes_back_by_its_checkpoint_as_by_its_journal() {
    let (mut crashes, mut closed, mut recalled) = (0, 0, 0);
    for seed in 0..WALKS {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Node::begin(directory.path(), seed);
        for _ in 0..STEPS {
            match node.random(43) {
                0..=14 => node.transfer(),
                15 => node.open_account(),
                16..=21 => node.hold_or_freeze(),
                22..=24 => node.order(),
                25..=26 => node.clear_and_settle(),
                27..=29 => recalled += u32::from(node.refund()),
                30 => node.cut(),
                31 => node.close(),
                32..=37 => node.flush(),
                38..=40 => {
                    node.flush();
                    node.checkpoint();
                }
                _ => {
                    // What no batch made durable is lost, and nothing else.
                    let seed = node.random(u64::MAX);
                    drop(node);
                    node = Node::start(directory.path(), seed);
                    crashes += 1;
                }
            }
        }
        let days = node.engine.state().days.iter().count();
        closed += days - node.engine.state().days.open_days().count();
    }
    assert!(crashes > 10 && closed > 3, "{crashes} crashes, {closed} days closed");
    assert!(recalled > 3, "{recalled} refunds of orders that had left memory");
}

/// Books of which the store holds a checkpoint.
fn stored(rounds: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Node::begin(directory.path(), rounds);
    for _ in 0..rounds {
        node.transfer();
        node.flush();
    }
    node.checkpoint();
    directory
}

#[test]
fn a_store_ahead_of_the_journal_or_of_another_one_is_refused() {
    let (short, long) = (stored(1), stored(9));
    let refused = |of: &tempfile::TempDir, journal: &tempfile::TempDir| {
        let mut disk = Disk::open(journal.path());
        let other = Disk::open(of.path());
        (disk.store, disk.history) = (other.store.clone(), other.history.clone());
        let error = disk.load(|_| panic!("nothing may be projected")).unwrap_err();
        let LoadError::Store(error) = error else { panic!("{error}") };
        error
    };
    let error = refused(&long, &short);
    assert!(matches!(error, StoreError::Ahead { store, journal } if store > journal), "{error}");
    let error = refused(&short, &long);
    assert!(matches!(&error, StoreError::OtherJournal { store, journal, .. } if store != journal), "{error}");
}

#[test]
fn a_checkpoint_of_an_older_program_is_passed_over() {
    let directory = stored(5);
    let mut disk = Disk::open(directory.path());
    disk.store.execute("UPDATE checkpoint SET core = $1", &[store::Value::Null]).unwrap();
    let loaded = disk.load(|_| {}).unwrap();
    assert_eq!(loaded.restored, 0);
    assert!(loaded.engine.state().position > 0);
}

#[test]
fn a_file_that_is_gone_is_an_error_and_never_another_balance() {
    let directory = stored(5);
    let mut disk = Disk::open(directory.path());
    let gone = store::run::all(&disk.store).unwrap().into_iter().map(|row| directory.path().join(row.path));
    gone.for_each(|path| drop(std::fs::remove_file(path)));
    let error = disk.load(|_| {}).unwrap_err();
    assert!(matches!(error, LoadError::History(_)), "{error}");
    node::load::replay(&mut disk.journal, |_| {}).unwrap();
}
