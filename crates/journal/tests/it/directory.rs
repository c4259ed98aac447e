//! The data directory: one holder, and what a process that was killed leaves behind.

use std::fs;

use journal::{DirectoryLock, Journal, JournalError, Reader, Sqlite};

use crate::suite::{Directory, Place, batch, texts};

#[test]
fn a_second_holder_is_turned_away_by_name() {
    let directory = Directory::new();
    let lock = directory.lock();
    let error = DirectoryLock::acquire(directory.0.path()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JournalError::Locked { .. }), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");

    let shared = lock.clone();
    drop(lock);
    assert!(DirectoryLock::acquire(directory.0.path()).is_err(), "a clone still holds it");
    drop(shared);
    assert!(DirectoryLock::acquire(directory.0.path()).is_ok());
}

#[test]
fn the_journal_holds_the_lock_as_long_as_it_lives() {
    let directory = Directory::new();
    let journal = directory.open();
    assert!(DirectoryLock::acquire(directory.0.path()).is_err());
    drop(journal);
    assert!(DirectoryLock::acquire(directory.0.path()).is_ok());
}

#[test]
fn one_file_has_one_writer_even_under_one_lock() {
    let directory = Directory::new();
    let lock = directory.lock();
    let journal = Sqlite::open(&lock, 0).unwrap();
    let error = Sqlite::open(&lock, 0).unwrap_err();
    assert!(matches!(error, JournalError::Database { .. }), "{error}");
    drop(journal);
    assert_eq!(Sqlite::open(&lock, 0).unwrap().tip().epoch, 2);
}

#[test]
fn reading_makes_no_journal() {
    let directory = Directory::new();
    let error = Reader::sqlite(&directory.lock()).unwrap_err();
    assert!(error.to_string().contains("journal.db"), "{error}");
    assert!(!directory.0.path().join("journal.db").exists());
}

#[test]
fn an_unknown_layout_is_refused() {
    let directory = Directory::new();
    drop(directory.open());
    let raw = rusqlite::Connection::open(directory.0.path().join("journal.db")).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let error = Sqlite::open(&directory.lock(), 0).unwrap_err().to_string();
    assert!(error.contains("layout is 99") && error.contains("layouts 1 and 2"), "{error}");
}

#[test]
fn what_a_killed_process_leaves_is_read_whole() {
    // The files of a running journal, copied without its leave, are what a power cut leaves:
    // everything acknowledged is in the database file or in its write-ahead log.
    let running = Directory::new();
    let mut journal = running.open();
    for text in ["one", "two", "three"] {
        journal.append(&batch(&*journal, 1, text.as_bytes())).unwrap();
    }
    let killed = Directory::new();
    for file in ["journal.db", "journal.db-wal"] {
        fs::copy(running.0.path().join(file), killed.0.path().join(file)).unwrap();
    }
    let mut reader = killed.reader();
    assert_eq!(texts(&reader.read(1, 1000).unwrap()), ["one", "two", "three"]);
    drop(reader);
    let mut journal = killed.open();
    assert_eq!((journal.tip().next, journal.tip().epoch), (4, 2));
    journal.append(&batch(&*journal, 1, b"four")).unwrap();
    assert_eq!(texts(&journal.read(1, 1000).unwrap()), ["one", "two", "three", "four"]);
}

#[test]
fn a_torn_end_of_the_log_loses_only_what_was_never_acknowledged() {
    let running = Directory::new();
    let mut journal = running.open();
    journal.append(&batch(&*journal, 1, b"one")).unwrap();
    let acknowledged = fs::metadata(running.0.path().join("journal.db-wal")).unwrap().len();
    journal.append(&batch(&*journal, 1, b"two")).unwrap();

    let killed = Directory::new();
    fs::copy(running.0.path().join("journal.db"), killed.0.path().join("journal.db")).unwrap();
    let log = fs::read(running.0.path().join("journal.db-wal")).unwrap();
    let torn = usize::try_from(acknowledged).unwrap() + 2_000;
    fs::write(killed.0.path().join("journal.db-wal"), &log[..torn]).unwrap();
    let mut journal = killed.open();
    assert_eq!(texts(&journal.read(1, 1000).unwrap()), ["one"]);
    assert_eq!(journal.tip().next, 2);
}
