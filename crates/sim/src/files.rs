//! The files beside the journal: the store and the lake in a directory that outlives the node. A crash may lose the last
//! commits of the store (its commits are not synced one by one) and spoil what was written of files that none of the
//! commits left names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use history::History;
use store::{Database, StoreError};

use crate::directory::Directory;

const STORE: &str = "store.db";
const LOG: &str = "store.db-wal";
const INDEX: &str = "store.db-shm";

/// The directory of a run.
#[derive(Debug)]
pub(crate) struct Files {
    directory: Directory,
    /// Whether a crash may lose commits here.
    pub(crate) may_be_lost: bool,
}

/// A store without rows, made once a process: its tables take longer than a run has.
static EMPTY_STORE: OnceLock<Vec<u8>> = OnceLock::new();

fn empty_store() -> &'static [u8] {
    EMPTY_STORE.get_or_init(|| {
        let directory = Directory::new().expect("a directory for temporary files");
        let path = directory.path().join(STORE);
        drop(Database::sqlite(&path).expect("a new store"));
        assert!(!directory.path().join(LOG).exists(), "a store that was closed is one file");
        fs::read(&path).expect("the new store")
    })
}

impl Files {
    /// An empty directory with an empty store.
    ///
    /// # Panics
    /// On a machine without room for temporary files.
    pub(crate) fn new() -> Self {
        let directory = Directory::new().expect("a directory for temporary files");
        fs::write(directory.path().join(STORE), empty_store()).expect("room for a store");
        fs::create_dir(directory.path().join("kept")).expect("room for a directory");
        Self { directory, may_be_lost: true }
    }

    fn live(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.directory.path().join("kept").join(name)
    }

    /// Opens store and history.
    pub(crate) fn open(&self) -> Result<(Arc<Database>, Arc<History>), StoreError> {
        let store = Arc::new(Database::sqlite(&self.live(STORE))?);
        Ok((store, Arc::new(History::new(self.directory.path()))))
    }

    /// Does something, with files of history writable or not: nothing can be made in a folder that is a file.
    pub(crate) fn with_lake<T>(&self, writable: bool, action: impl FnOnce() -> T) -> T {
        if writable {
            return action();
        }
        let (lake, aside) = (self.live("lake"), self.live("kept/lake"));
        let moved = lake.exists();
        if moved {
            fs::rename(&lake, &aside).expect("a folder of the run");
        }
        fs::write(&lake, []).expect("a directory of the run");
        let done = action();
        fs::remove_file(&lake).expect("a file of the run");
        if moved {
            fs::rename(&aside, &lake).expect("a folder of the run");
        }
        done
    }

    /// Keeps the store as it stands, while nothing is being written; if a crash may lose what comes behind.
    pub(crate) fn keep(&self) {
        if !self.may_be_lost {
            return;
        }
        for name in [STORE, LOG] {
            copy(&self.live(name), &self.kept(name));
        }
    }

    /// Puts the store back as it was kept: the commits since were not synced. Nobody has it open. Files that no row of it
    /// names are cut short, as unsynced files may be.
    pub(crate) fn lose_commits(&self) -> Result<bool, StoreError> {
        if !self.kept(STORE).exists() {
            return Ok(false);
        }
        for name in [STORE, LOG] {
            copy(&self.kept(name), &self.live(name));
        }
        drop(fs::remove_file(self.live(INDEX)));
        let store = Database::sqlite(&self.live(STORE))?;
        let named: Vec<String> = store::run::all(&store)?.into_iter().map(|row| row.path).collect();
        for path in parquet_files(self.directory.path()) {
            let name = path.to_string_lossy();
            if !named.iter().any(|named| name.ends_with(named.as_str())) {
                let half = fs::metadata(&path).map_or(0, |meta| meta.len() / 2);
                let file = fs::OpenOptions::new().write(true).open(&path).expect("a file of the run");
                file.set_len(half).expect("a file can be cut");
            }
        }
        Ok(true)
    }
}

/// Copies a file, or removes the copy where there is nothing to copy.
fn copy(from: &Path, to: &Path) {
    if from.exists() {
        fs::copy(from, to).expect("room for a copy");
    } else {
        drop(fs::remove_file(to));
    }
}

fn parquet_files(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    found
}
