//! The lock on a data directory: one process at a time holds it.
//!
//! It is the operating system's lock on the file `lock`, so it ends with the process that holds it,
//! however that process ends. The file names its holder for the one who is turned away.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::JournalError;

/// A data directory held by this process; clones share the one lock, and the last to be dropped
/// releases it.
#[derive(Clone, Debug)]
pub struct DirectoryLock {
    directory: PathBuf,
    _file: Arc<File>,
}

impl DirectoryLock {
    /// Takes the lock on `directory`, creating the directory and its file `lock` where they are
    /// missing.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if someone holds it already, in this process or another;
    /// [`JournalError::Io`].
    pub fn acquire(directory: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)
            .map_err(|error| JournalError::io(format!("creating the data directory {}", directory.display()), error))?;
        let path = directory.join("lock");
        let doing = || format!("locking {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| JournalError::io(doing(), error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked { directory, holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(JournalError::io(doing(), error)),
        }
        write_holder(&mut file).map_err(|error| JournalError::io(doing(), error))?;
        Ok(Self { directory, _file: Arc::new(file) })
    }

    /// The directory that is held.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {}", std::process::id())
}

/// Who the file says holds it; only a courtesy, so what cannot be read is simply unknown.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(64).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}
