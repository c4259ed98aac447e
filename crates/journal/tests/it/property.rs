//! The same random work on both implementations reads back the same.

use journal::{Batch, Journal, Record};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::cluster::cluster;
use crate::server::Schema;
use crate::suite::{Directory, Place, read_all};

#[derive(Clone, Debug)]
enum Step {
    Append { count: u32, level: u16, time_ms: i64, byte: u8, length: usize },
    Refused { offset: i64 },
    Reopen,
    Read { from: u64, max_bytes: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![8 => 1..200usize, 1 => 9_000..40_000usize];
    prop_oneof![
        8 => (1..50u32, any::<u16>(), any::<i64>(), any::<u8>(), length)
            .prop_map(|(count, level, time_ms, byte, length)| {
                Step::Append { count, level, time_ms, byte, length }
            }),
        1 => prop_oneof![-3..0i64, 1..4i64].prop_map(|offset| Step::Refused { offset }),
        1 => Just(Step::Reopen),
        3 => (0..300u64, 0..2_000usize).prop_map(|(from, max_bytes)| Step::Read { from, max_bytes }),
    ]
}

type Content = (u64, u64, u32, u64, u16, i64, Vec<u8>);

/// What must be equal; hashes are not, since each writer in PostgreSQL leaves its own mark in the
/// chain.
fn content(records: Vec<Record>) -> Vec<Content> {
    let content = |r: Record| (r.row, r.first, r.count, r.epoch, r.level, r.time_ms, r.payload);
    records.into_iter().map(content).collect()
}

/// Does `step` and says what came of it.
fn take(journal: &mut Box<dyn Journal>, place: &dyn Place, step: &Step) -> String {
    let next = journal.tip().next;
    match step {
        Step::Append { count, level, time_ms, byte, length } => {
            let (count, level, time_ms) = (*count, *level, *time_ms);
            let payload = vec![*byte; *length];
            let tip = journal.append(&Batch { first: next, count, level, time_ms, payload }).unwrap();
            format!("{} {}", tip.next, tip.epoch)
        }
        Step::Refused { offset } => {
            let first = next.saturating_add_signed(*offset);
            let batch = Batch { first, count: 1, level: 1, time_ms: 0, payload: vec![1] };
            if first == next { String::new() } else { journal.append(&batch).unwrap_err().to_string() }
        }
        Step::Reopen => {
            // One process may not hold a data directory twice.
            *journal = Box::new(Nothing);
            *journal = place.open();
            format!("{} {}", journal.tip().next, journal.tip().epoch)
        }
        Step::Read { from, max_bytes } => {
            format!("{:?}", content(journal.read(*from, *max_bytes).unwrap()))
        }
    }
}

/// Stands where a journal was closed and will be opened.
struct Nothing;

impl Journal for Nothing {
    fn tip(&self) -> journal::Tip {
        unreachable!("closed")
    }
    fn append(&mut self, _: &Batch) -> Result<journal::Tip, journal::JournalError> {
        unreachable!("closed")
    }
    fn read(&mut self, _: u64, _: usize) -> Result<Vec<Record>, journal::JournalError> {
        unreachable!("closed")
    }
    fn rows(&mut self, _: u64, _: usize) -> Result<Vec<Record>, journal::JournalError> {
        unreachable!("closed")
    }
}

#[test]
fn both_read_back_the_same() {
    let Some(cluster) = cluster("both_read_back_the_same") else { return };
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..30);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        let (directory, schema) = (Directory::new(), Schema::new(cluster));
        let (mut here, mut there) = (directory.open(), schema.open());
        for step in &steps {
            let (at_home, abroad) = (take(&mut here, &directory, step), take(&mut there, &schema, step));
            prop_assert_eq!(at_home, abroad);
        }
        let (here, there) = (read_all(&mut *here, 1_000), read_all(&mut *there, 1_000));
        prop_assert_eq!(content(here), content(there));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
