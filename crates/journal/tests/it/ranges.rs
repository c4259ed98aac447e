//! Rows that left the database: of a journal in PostgreSQL and of an embedded one, to a folder and to storage. Nobody who reads can
//! tell, and a stop at any moment loses none.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use journal::{
    Batch, DirectoryLock, Journal, JournalError, Keep, Postgres, PostgresConfig, RangePlace, Reader, Record, Sealing,
    Sqlite, Storage,
};
use tempfile::TempDir;

use crate::cluster::cluster;
use crate::server::{Admin, Schema};

const KEEP: Keep = Keep { database: 0, range: 20_000 };

/// Storage in a folder, that refuses or garbles when told to.
#[derive(Debug)]
struct Shelf {
    folder: PathBuf,
    refuses: AtomicBool,
    garbles: AtomicBool,
}

impl Storage for Shelf {
    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn write(&self, name: &str, mut bytes: Vec<u8>) -> io::Result<()> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(io::Error::other("the shelf is full"));
        }
        if self.garbles.load(Ordering::Relaxed) {
            bytes.pop();
        }
        fs::write(self.folder.join(name), bytes)
    }
}

/// A journal with a place for ranges.
struct World {
    directory: TempDir,
    shelf: Option<Arc<Shelf>>,
    /// None of an embedded one.
    postgres: Option<PostgresConfig>,
}

impl World {
    fn new(config: Option<PostgresConfig>, on_a_shelf: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("shelf");
        fs::create_dir(&folder).unwrap();
        let shelf = Shelf { folder, refuses: AtomicBool::new(false), garbles: AtomicBool::new(false) };
        let mut world = Self { directory, shelf: on_a_shelf.then(|| Arc::new(shelf)), postgres: None };
        let ranges = Some(world.ranges());
        world.postgres = config.map(|config| PostgresConfig { ranges, ..config });
        world
    }

    fn ranges(&self) -> RangePlace {
        let place = RangePlace::of_data_dir(self.directory.path());
        match &self.shelf {
            Some(shelf) => place.behind(shelf.clone()),
            None => place,
        }
    }

    /// Where the ranges are.
    fn folder(&self) -> PathBuf {
        self.directory.path().join(if self.shelf.is_some() { "shelf" } else { "journal" })
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".part")).collect();
        names.sort();
        names
    }

    fn lock(&self) -> DirectoryLock {
        DirectoryLock::acquire(self.directory.path()).unwrap()
    }

    fn try_open(&self) -> Result<Box<dyn Journal>, JournalError> {
        Ok(match &self.postgres {
            Some(config) => Box::new(Postgres::open(config, 0)?.keeping(KEEP)),
            None => Box::new(Sqlite::open_with(&self.lock(), &self.ranges(), 0)?.keeping(KEEP)),
        })
    }

    fn open(&self) -> Box<dyn Journal> {
        self.try_open().unwrap()
    }

    fn reader(&self) -> Reader {
        match &self.postgres {
            Some(config) => Reader::postgres(config).unwrap(),
            None => Reader::sqlite_with(&self.lock(), &self.ranges()).unwrap(),
        }
    }

    /// Every row, found sound.
    fn all(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let report = self.reader().verify(|record| records.push(record.clone())).unwrap();
        assert_eq!(report.fault, None);
        records
    }
}

fn fill(journal: &mut dyn Journal, batches: u64) {
    for _ in 0..batches {
        let first = journal.tip().next;
        let payload = vec![u8::try_from(first % 251).unwrap(); 700 + usize::try_from(first % 7).unwrap() * 900];
        journal.append(&Batch { first, count: 3, level: 1, time_ms: 7, payload }).unwrap();
    }
}

/// One step, as soon as what is on its way has arrived.
fn step(journal: &mut dyn Journal) -> Sealing {
    loop {
        let done = journal.seal().unwrap();
        if !matches!(done, Sealing::Waiting) {
            return done;
        }
        std::thread::yield_now();
    }
}

/// Steps until nothing is to be done; how many files were finished.
fn seal(journal: &mut dyn Journal) -> usize {
    let mut files = 0;
    loop {
        match step(journal) {
            Sealing::Idle => return files,
            Sealing::More | Sealing::Waiting => {}
            Sealing::Sealed => files += 1,
            Sealing::Failed(error) => panic!("{error}"),
        }
    }
}

/// On each database with each kind of place.
fn everywhere(test: &str, run: impl Fn(&World)) {
    for on_a_shelf in [false, true] {
        run(&World::new(None, on_a_shelf));
        if let Some(cluster) = cluster(test) {
            run(&World::new(Some(Schema::new(cluster).config), on_a_shelf));
        }
    }
}

#[test]
fn a_journal_reads_the_same_wherever_its_rows_lie() {
    everywhere("a_journal_reads_the_same_wherever_its_rows_lie", |world| {
        let mut journal = world.open();
        fill(journal.as_mut(), 60);
        drop(journal);
        let before = world.all();
        let mut journal = world.open();
        assert!(seal(journal.as_mut()) >= 4, "no range was sealed");
        assert!(journal.read(1, 1).unwrap()[0] == before[1]);
        for record in before.iter().filter(|record| record.count > 0) {
            for position in record.first..record.next() {
                assert_eq!(&journal.read(position, 1).unwrap()[0], record, "position {position}");
            }
        }
        for record in &before {
            assert_eq!(&journal.rows(record.row, 1).unwrap()[0], record);
        }
        fill(journal.as_mut(), 60);
        seal(journal.as_mut());
        let tip = journal.tip();
        drop(journal);
        let after = world.all();
        assert_eq!(after[..before.len()], before);
        assert_eq!(after.len(), before.len() + 1 + 60);
        assert!(world.files().len() >= 8, "{:?}", world.files());
        assert_eq!(world.reader().tip().unwrap(), tip);
        if let Some(config) = &world.postgres {
            let admin = Admin::new(&config.url);
            let left = admin.number(&format!("SELECT count(*) FROM {}.journal", config.schema));
            assert!(left < 30, "{left} rows are in the table");
        }
        // A leader whose first row is all that the table holds finds what lies before it.
        let again = world.open();
        assert_eq!((again.tip().next, again.tip().hash), (tip.next, tip.hash));
    });
}

#[test]
fn a_stop_between_any_two_steps_loses_no_row() {
    everywhere("a_stop_between_any_two_steps_loses_no_row", |world| {
        let mut journal = world.open();
        fill(journal.as_mut(), 30);
        drop(journal);
        let before = world.all();
        let mut steps = 0;
        loop {
            let mut journal = world.open();
            let mut idle = false;
            for _ in 0..steps {
                idle = match step(journal.as_mut()) {
                    Sealing::Idle => true,
                    Sealing::More | Sealing::Waiting | Sealing::Sealed => false,
                    Sealing::Failed(error) => panic!("{error}"),
                };
            }
            drop(journal);
            assert_eq!(world.all()[..before.len()], before, "after {steps} steps");
            if idle {
                break;
            }
            steps += 1;
        }
        assert!(steps > 5 && !world.files().is_empty(), "only {steps} steps");
    });
}

#[test]
fn a_place_that_refuses_or_garbles_leaves_the_rows_where_they_are() {
    let Some(cluster) = cluster("a_place_that_refuses_or_garbles") else { return };
    for config in [None, Some(Schema::new(cluster).config)] {
        let world = World::new(config, true);
        let shelf = world.shelf.clone().unwrap();
        let mut journal = world.open();
        fill(journal.as_mut(), 30);
        for (switch, said) in [(&shelf.refuses, "the shelf is full"), (&shelf.garbles, "other bytes")] {
            switch.store(true, Ordering::Relaxed);
            let error = loop {
                match step(journal.as_mut()) {
                    Sealing::Failed(error) => break error,
                    Sealing::More | Sealing::Waiting => {}
                    other @ (Sealing::Idle | Sealing::Sealed) => panic!("{other:?}"),
                }
            };
            assert!(error.to_string().contains(said), "{error}");
            assert!(matches!(journal.seal().unwrap(), Sealing::Idle), "it is not tried again at once");
            fill(journal.as_mut(), 10);
            switch.store(false, Ordering::Relaxed);
        }
        drop(journal);
        // What came there garbled is found before a row that it should hold goes.
        let mut journal = world.open();
        let sealing = loop {
            match step(journal.as_mut()) {
                Sealing::More | Sealing::Waiting => {}
                done @ (Sealing::Idle | Sealing::Sealed | Sealing::Failed(_)) => break done,
            }
        };
        assert!(matches!(sealing, Sealing::Failed(_)), "{sealing:?}");
        drop(journal);
        let rows = world.all().len();
        assert_eq!(rows, 52, "2 leaders' rows and 50 batches");
        world.files().iter().for_each(|name| fs::remove_file(world.folder().join(name)).unwrap());
        fs::remove_dir_all(world.directory.path().join("journal")).unwrap();
        let mut journal = world.open();
        assert!(seal(journal.as_mut()) > 0, "then it goes on");
        drop(journal);
        assert_eq!(world.all().len(), rows + 1);
    }
}

#[test]
fn a_reader_goes_on_while_rows_move_away_under_it() {
    let Some(cluster) = cluster("a_reader_goes_on_while_rows_move_away_under_it") else { return };
    for on_a_shelf in [false, true] {
        let world = World::new(Some(Schema::new(cluster).config), on_a_shelf);
        let mut journal = world.open();
        fill(journal.as_mut(), 40);
        let mut reader = world.reader();
        let first = reader.rows(1, 1).unwrap();
        assert!(seal(journal.as_mut()) > 1);
        let mut next = 2;
        let mut last = first[0].clone();
        loop {
            let page = reader.rows(next, 3_000).unwrap();
            let Some(end) = page.last() else { break };
            assert!(page[0].row == next && page[0].previous == last.hash);
            (next, last) = (end.row + 1, end.clone());
        }
        assert_eq!(next, 42);
        assert_eq!(reader.read(1, 1).unwrap()[0].row, 2);
    }
}

#[test]
fn what_a_deposed_writer_still_seals_harms_nobody() {
    let Some(cluster) = cluster("what_a_deposed_writer_still_seals_harms_nobody") else { return };
    let world = World::new(Some(Schema::new(cluster).config), false);
    let mut old = world.open();
    fill(old.as_mut(), 40);
    // It has begun a file when another takes over, whose files are cut in other places.
    for _ in 0..3 {
        assert!(matches!(step(old.as_mut()), Sealing::More));
    }
    let before = world.all();
    let config = world.postgres.as_ref().unwrap();
    let keep = Keep { database: 0, range: 45_000 };
    let mut new = Postgres::open(config, 0).unwrap().keeping(keep);
    fill(&mut new, 40);
    assert!(seal(&mut new) >= 1);
    let files = world.files().len();
    // Its connection was ended; it finishes what it has begun over another one, or is told that it cannot.
    for _ in 0..40 {
        step(old.as_mut());
    }
    assert!(world.files().len() >= files, "{:?}", world.files());
    drop((old, new));
    let after = world.all();
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1 + 40);
    let mut journal = world.open();
    fill(journal.as_mut(), 10);
    seal(journal.as_mut());
    drop(journal);
    assert_eq!(world.all().len(), after.len() + 11);
}

#[test]
fn ranges_of_another_journal_or_of_a_later_end_are_refused() {
    everywhere("ranges_of_another_journal_or_of_a_later_end_are_refused", |world| {
        let mut journal = world.open();
        fill(journal.as_mut(), 40);
        seal(journal.as_mut());
        drop(journal);
        // A journal that has just begun finds files that go on behind its end.
        let mut config = world.postgres.clone();
        if let (Some(config), Some(cluster)) = (&mut config, cluster("ranges_of_another_journal")) {
            config.schema = cluster.schema();
        }
        let other = World { postgres: config, directory: tempfile::tempdir().unwrap(), shelf: world.shelf.clone() };
        if world.shelf.is_none() && world.postgres.is_none() {
            fs::create_dir(other.folder()).unwrap();
            for name in world.files() {
                fs::copy(world.folder().join(&name), other.folder().join(&name)).unwrap();
            }
        }
        let error = other.try_open().map(drop).unwrap_err();
        assert!(
            matches!(error, JournalError::Corrupt(_)) && error.to_string().contains("of another journal"),
            "{error}"
        );
    });
}
