//! Golden journals: what earlier programs wrote is read for ever, and gives the same books.
//!
//! `fixtures/journals/vN` holds journals as rows (`NAME.rows`, in the bytes of [`journal::copy`]), the books that each gives
//! (`NAME.state`, for people too) and a twin of each with one bit flipped (`NAME.damaged`). New ones are made by the server's
//! tests: see fixtures/journals/README.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::State;
use engine::{Engine, Keys};
use journal::chain::Chain;
use journal::copy::{Copy, decode};
use journal::{DirectoryLock, Journal as _, JournalError, Sqlite};

/// Where they lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/journals")
}

/// Every golden journal, by its path without extension.
pub(crate) fn journals() -> Vec<PathBuf> {
    let versions =
        std::fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let files = versions.flat_map(|version| std::fs::read_dir(version).unwrap().flatten().map(|entry| entry.path()));
    let rows = files.filter(|path| path.extension().is_some_and(|extension| extension == "rows"));
    let found: BTreeSet<PathBuf> = rows.map(|path| path.with_extension("")).collect();
    found.into_iter().collect()
}

/// A journal of a directory of its own, made of these rows.
pub(crate) fn written(mut rows: &[u8]) -> Result<(tempfile::TempDir, DirectoryLock), JournalError> {
    let directory = tempfile::tempdir().unwrap();
    let lock = DirectoryLock::acquire(directory.path())?;
    let mut copy = Copy::create(&lock)?;
    while let Some(row) = decode(&mut rows) {
        copy.push(row)?;
    }
    copy.finish()?;
    Ok((directory, lock))
}

/// What the books hold, a line each. Fields that later versions add do not change it.
fn shown(state: &State) -> String {
    let mut text = format!("position {}\ntime {}\n", state.position, state.now.0);
    let mut line = |words: String| writeln!(text, "{words}").unwrap();
    for (kind, count) in state.counts().filter(|(_, count)| *count > 0) {
        line(format!("count {kind} {count}"));
    }
    for (_, it) in state.accounts.iter() {
        let money = [it.balance, it.held_out, it.rare.held_in, it.rare.frozen];
        let (subject, currency) = (it.subject.code(), it.currency.code());
        line(format!("{} {subject} {currency} {money:?} {} entries {:?}", it.id, it.entries, it.status));
    }
    state.orders.iter().for_each(|(_, it)| line(format!("{} {:?}", it.id, it.status)));
    state.payouts.iter().for_each(|(_, it)| line(format!("{} {:?} {}", it.id, it.status, it.amount)));
    state.holds.iter().for_each(|(_, it)| line(format!("{} {:?} {} of {}", it.id, it.status, it.confirmed, it.amount)));
    state.refunds.iter().for_each(|(_, it)| line(format!("{} {:?}", it.id, it.status)));
    text
}

/// Flips one bit in the payload of the last row but one that has events.
fn damaged(rows: &[u8]) -> Vec<u8> {
    let (mut rest, mut ends) = (rows, Vec::new());
    while let Some(row) = decode(&mut rest) {
        if row.count > 0 {
            ends.push(rows.len() - rest.len());
        }
    }
    let mut bytes = rows.to_vec();
    let at = ends[ends.len() - 2] - 1;
    bytes[at] ^= 0x10;
    bytes
}

#[test]
fn golden_journals_give_the_books_they_gave() {
    let (bless, mut kinds) = (std::env::var_os("LINTEL_BLESS").is_some(), BTreeSet::new());
    for path in journals() {
        let rows = std::fs::read(path.with_extension("rows")).unwrap();
        let (_directory, lock) = written(&rows).unwrap();
        let mut journal = Sqlite::open(&lock, 0).unwrap();
        let engine = node::load::replay(&mut journal, |_| ()).unwrap();
        let found = shown(engine.state());
        // One that lets go, as a start without a store does, meets no event of a row that it let go of.
        let mut letting_go = Engine::new(State::default(), Keys::default(), 0);
        for row in journal.read(1, usize::MAX).unwrap() {
            letting_go.replay(&row).unwrap();
        }
        assert_eq!(letting_go.state().differing(engine.state()), Vec::<&str>::new(), "{}", path.display());
        let expected = path.with_extension("state");
        if bless && !expected.exists() {
            std::fs::write(&expected, &found).unwrap();
            std::fs::write(path.with_extension("damaged"), damaged(&rows)).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&expected).unwrap(), "{}", path.display());
        let mut rest = rows.as_slice();
        while let Some(row) = decode(&mut rest) {
            for command in engine::record::decode(&row.payload).unwrap() {
                kinds.extend(command.events.iter().map(kind));
            }
        }
    }
    assert!(kinds.len() >= 60, "{} kinds of events: {kinds:?}", kinds.len());
}

/// An event's name, with that of the feature's own event in it.
fn kind(event: &domain::Event) -> String {
    let shown = format!("{event:?}");
    let words: Vec<&str> = shown.split(|letter: char| !letter.is_alphanumeric()).take(2).collect();
    words.join(" ")
}

#[test]
fn the_twin_of_each_is_refused_and_its_row_is_named() {
    let all = journals();
    assert!(!all.is_empty());
    for path in all {
        let (sound, twin) = (
            std::fs::read(path.with_extension("rows")).unwrap(),
            std::fs::read(path.with_extension("damaged")).unwrap(),
        );
        assert_eq!(sound.len(), twin.len());
        let (mut a, mut b, mut chain) = (sound.as_slice(), twin.as_slice(), Chain::GENESIS);
        loop {
            let (row, other) = (decode(&mut a).unwrap(), decode(&mut b).unwrap());
            let differs = row.payload != other.payload;
            match chain.check(other) {
                Ok(_) => assert!(!differs, "{}: row {} was altered and taken", path.display(), row.row),
                Err(fault) => {
                    assert_eq!((Ok(fault.row), differs), (u64::try_from(row.row), true));
                    break;
                }
            }
        }
        let error = written(&twin).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt(_)) && error.to_string().contains("row"), "{error}");
    }
}
