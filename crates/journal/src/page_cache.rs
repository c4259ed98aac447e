//! The system's page cache, which after a failed sync may hold what the disk does not: Linux marks the pages it could not
//! write as clean, so a later sync reports success and reads show bytes that a power cut takes away.

use std::fs::File;
use std::io;
use std::path::Path;

/// Has the system forget what it holds of a file, so that the next read comes from the disk. Nothing is done where the file
/// is missing, and on systems other than Linux.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    dropped(&file)
}

#[cfg(target_os = "linux")]
fn dropped(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn dropped(_: &File) -> io::Result<()> {
    Ok(())
}
