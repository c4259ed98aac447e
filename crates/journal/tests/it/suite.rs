//! What every implementation must do; each runs all of it.

use journal::{Batch, Hash, Journal, JournalError, Reader, Record, Sqlite};

/// A journal somewhere, which can be opened again and again.
pub(crate) trait Place {
    fn open(&self) -> Box<dyn Journal>;
    fn reader(&self) -> Reader;
}

/// The next batch for `journal`: `count` events in `payload`.
pub(crate) fn batch(journal: &dyn Journal, count: u32, payload: &[u8]) -> Batch {
    let first = journal.tip().next;
    Batch { first, count, level: 1, time_ms: 1_000, payload: payload.to_vec() }
}

/// Reads everything, page by page.
pub(crate) fn read_all(journal: &mut dyn Journal, max_bytes: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut from = 1;
    loop {
        let page = journal.read(from, max_bytes).expect("a sound journal");
        let Some(last) = page.last() else { return records };
        from = last.next();
        records.extend(page);
    }
}

/// Payloads of `records`, as text.
pub(crate) fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.payload).expect("text")).collect()
}

type Case = fn(&dyn Place);

#[expect(clippy::print_stderr, reason = "a failure is read with the case's name above it")]
pub(crate) fn run(new: impl Fn() -> Box<dyn Place>) {
    let cases: [(&str, Case); 8] = [
        ("an empty journal begins at position 1", empty),
        ("what is appended reads back", append_and_read),
        ("the chain goes on when it is opened again", reopen),
        ("pages end where they should", pages),
        ("reading begins inside a batch", inside),
        ("a batch out of order is refused", out_of_order),
        ("a batch that cannot be a row is refused", bad_batch),
        ("verify counts what is there", verify),
    ];
    for (name, case) in cases {
        eprintln!("case: {name}");
        case(new().as_ref());
    }
}

fn empty(place: &dyn Place) {
    let mut journal = place.open();
    let tip = journal.tip();
    assert_eq!((tip.next, tip.hash, tip.epoch), (1, Hash::ZERO, 1));
    assert_eq!(journal.read(1, 1000).unwrap(), []);
    assert_eq!(journal.read(99, 1000).unwrap(), []);
}

fn append_and_read(place: &dyn Place) {
    let mut journal = place.open();
    let first = batch(&*journal, 3, b"one");
    let after_first = journal.append(&first).unwrap();
    let second = Batch { level: 7, time_ms: 2_000, ..batch(&*journal, 2, b"two") };
    let after_second = journal.append(&second).unwrap();
    assert_eq!((after_first.next, after_second.next), (4, 6));
    assert_eq!(journal.tip(), after_second);

    let records = journal.read(1, 1000).unwrap();
    assert_eq!(texts(&records), ["one", "two"]);
    let [one, two] = records.as_slice() else { panic!("two rows") };
    assert_eq!((one.row, one.first, one.count, one.epoch, one.level, one.time_ms), (2, 1, 3, 1, 1, 1_000));
    assert_eq!((two.row, two.first, two.count, two.epoch, two.level, two.time_ms), (3, 4, 2, 1, 7, 2_000));
    assert_eq!((one.hash, two.hash), (after_first.hash, after_second.hash));
    assert_eq!(two.previous, one.hash);
    assert_ne!(one.previous, Hash::ZERO, "the leader's epoch row lies before it");
}

fn reopen(place: &dyn Place) {
    let mut journal = place.open();
    journal.append(&batch(&*journal, 1, b"one")).unwrap();
    let before = journal.tip();
    drop(journal);

    let mut journal = place.open();
    let tip = journal.tip();
    assert_eq!((tip.next, tip.hash, tip.epoch), (before.next, before.hash, 2));
    let level_9 = Batch { level: 9, ..batch(&*journal, 1, b"two") };
    journal.append(&level_9).unwrap();
    drop(journal);

    let mut journal = place.open();
    assert_eq!(journal.tip().epoch, 3);
    let records = read_all(&mut *journal, 1000);
    assert_eq!(texts(&records), ["one", "two"]);
    let rows: Vec<(u64, u64, u64)> = records.iter().map(|r| (r.row, r.first, r.epoch)).collect();
    assert_eq!(rows, [(2, 1, 1), (4, 2, 2)]);
}

fn pages(place: &dyn Place) {
    let mut journal = place.open();
    for _ in 0..5 {
        journal.append(&batch(&*journal, 2, &[b'x'; 100])).unwrap();
    }
    drop(journal);
    let mut journal = place.open();
    journal.append(&batch(&*journal, 2, &[b'y'; 100])).unwrap();

    let rows = |page: Vec<Record>| page.iter().map(|record| record.first).collect::<Vec<_>>();
    assert_eq!(rows(journal.read(1, 0).unwrap()), [1], "at least one row");
    assert_eq!(rows(journal.read(1, 100).unwrap()), [1]);
    assert_eq!(rows(journal.read(1, 101).unwrap()), [1, 3]);
    assert_eq!(rows(journal.read(11, 0).unwrap()), [11], "across an epoch row");
    assert_eq!(rows(journal.read(9, 10_000).unwrap()), [9, 11]);
    assert_eq!(read_all(&mut *journal, 1).len(), 6);
    assert_eq!(read_all(&mut *journal, 250), read_all(&mut *journal, usize::MAX));
}

fn inside(place: &dyn Place) {
    let mut journal = place.open();
    journal.append(&batch(&*journal, 3, b"one")).unwrap();
    journal.append(&batch(&*journal, 3, b"two")).unwrap();
    let first = |page: Vec<Record>| page.first().map(|record| record.first);
    assert_eq!(first(journal.read(0, 1).unwrap()), Some(1));
    assert_eq!(first(journal.read(3, 1).unwrap()), Some(1));
    assert_eq!(first(journal.read(4, 1).unwrap()), Some(4));
    assert_eq!(first(journal.read(6, 1).unwrap()), Some(4));
    assert_eq!(first(journal.read(7, 1).unwrap()), None);
    assert_eq!(first(journal.read(u64::MAX, 1).unwrap()), None);
}

fn out_of_order(place: &dyn Place) {
    let mut journal = place.open();
    journal.append(&batch(&*journal, 3, b"one")).unwrap();
    for first in [0, 3, 5, u64::MAX] {
        let wrong = Batch { first, ..batch(&*journal, 1, b"x") };
        let error = journal.append(&wrong).unwrap_err();
        assert!(matches!(error, JournalError::OutOfOrder { next: 4, .. }), "{error}");
    }
    journal.append(&batch(&*journal, 1, b"two")).expect("a refusal stops nothing");
}

fn bad_batch(place: &dyn Place) {
    let mut journal = place.open();
    let too_large = vec![0; (256 << 20) + 1];
    for (count, payload) in [(0, b"x".as_slice()), (1, b""), (1, &too_large)] {
        let error = journal.append(&batch(&*journal, count, payload)).unwrap_err();
        assert!(matches!(error, JournalError::BadBatch { .. }), "{error}");
    }
    journal.append(&batch(&*journal, u32::MAX, b"one")).expect("the largest count fits");
    assert_eq!(journal.tip().next, 1 + u64::from(u32::MAX));
}

fn verify(place: &dyn Place) {
    let mut journal = place.open();
    journal.append(&batch(&*journal, 3, b"one")).unwrap();
    drop(journal);
    let mut journal = place.open();
    journal.append(&batch(&*journal, 2, b"four")).unwrap();
    let tip = journal.tip();
    drop(journal);

    let mut reader = place.reader();
    let mut seen = Vec::new();
    let report = reader.verify(|record| seen.push((record.row, record.count))).unwrap();
    assert_eq!((report.rows, report.events, report.tip, report.fault), (4, 5, tip, None));
    assert_eq!(seen, [(1, 0), (2, 3), (3, 0), (4, 2)]);
    assert_eq!(reader.tip().unwrap(), tip);
    assert_eq!(texts(&reader.read(1, 1000).unwrap()), ["one", "four"]);
}

/// A data directory with a SQLite journal, deleted at the end.
pub(crate) struct Directory(pub(crate) tempfile::TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn lock(&self) -> journal::DirectoryLock {
        journal::DirectoryLock::acquire(self.0.path()).expect("nobody else holds it")
    }
}

impl Place for Directory {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(Sqlite::open(&self.lock(), 500).expect("a sound journal"))
    }

    fn reader(&self) -> Reader {
        Reader::sqlite(&self.lock()).expect("a journal is there")
    }
}

#[test]
fn sqlite() {
    run(|| Box::new(Directory::new()));
}
