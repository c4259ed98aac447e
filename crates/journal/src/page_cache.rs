//! The system's page cache, which after a failed sync may hold what the disk does not: Linux marks the pages it could not
//! write as clean, so a later sync reports success and reads show bytes that a power cut takes away.

use std::fs::File;
use std::io;
use std::path::Path;

/// Has the system write what it still can of a file and forget the rest, so that the next read comes from the disk. A file
/// that is missing is left so; on systems other than Linux nothing is forgotten.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // What waits to be written cannot be forgotten.
    file.sync_data()?;
    drop_clean_pages(&file)
}

#[cfg(target_os = "linux")]
fn drop_clean_pages(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_clean_pages(_: &File) -> io::Result<()> {
    Ok(())
}
