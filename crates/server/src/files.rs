//! Files that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Writes a file under a name beside, syncs it, and gives it its own name.
///
/// # Errors
/// Those of the disk; what was there before then stands.
pub(crate) fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    publish_as(path, bytes, 0o666)
}

/// As [`publish`], readable by its owner alone.
///
/// # Errors
/// Those of the disk; what was there before then stands.
pub(crate) fn publish_private(path: &Path, bytes: &[u8]) -> Result<()> {
    publish_as(path, bytes, 0o600)
}

fn publish_as(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let part = beside(path, ".part");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        sync_directory_of(path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// The same name with something behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes a file's entry in its directory durable.
///
/// # Errors
/// Those of the disk.
pub(crate) fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
