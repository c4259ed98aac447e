//! Directories of this process that are gone when it is done with them: in memory where there is a place for that.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty directory, removed with all that came to lie in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes one.
    ///
    /// # Errors
    /// A machine without a place for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        Self::below(Path::new("/dev/shm")).or_else(|_| Self::below(&env::temp_dir()))
    }

    fn below(place: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = place.join(format!("lintel-sim-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Of a process that was killed and had this one's number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left: the run is over.
        drop(fs::remove_dir_all(&self.0));
    }
}
