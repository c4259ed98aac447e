//! Files that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

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

/// Refuses where [`create`] makes nothing, before what is to lie there is asked for.
///
/// # Errors
/// That it is there, or that its directory is not.
pub(crate) fn check_new(path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} is there, and is not written over", path.display());
    let directory = directory_of(path);
    ensure!(directory.is_dir(), "{} is no directory", directory.display());
    Ok(())
}

/// Writes a file that is not there yet, and syncs it.
///
/// # Errors
/// That it is there: it stays what it is. Those of the disk: it is not there then.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    create_as(path, bytes, 0o666)
}

/// As [`create`], readable by its owner alone.
///
/// # Errors
/// As [`create`].
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> Result<()> {
    create_as(path, bytes, 0o600)
}

fn create_as(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there, and is not written over", path.display())
        }
        made => made.with_context(|| format!("making {}", path.display()))?,
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_directory_of(path));
    if written.is_err() {
        drop(std::fs::remove_file(path));
    }
    written.with_context(|| format!("writing {}", path.display()))
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
    File::open(directory_of(path))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_there_is_not_written_over_and_what_is_private_is_its_owners() {
        let directory = tempfile::TempDir::new().unwrap();
        let [open, private] = ["open", "private"].map(|name| directory.path().join(name));
        create(&open, b"first").unwrap();
        create_private(&private, b"first").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&private), 0o600);
        let again = [(&open, create(&open, b"second")), (&private, create_private(&private, b"second"))];
        for (path, written) in again {
            let said = written.unwrap_err().to_string();
            assert!(said.contains("not written over") && !said.contains("second"), "{said}");
            assert_eq!(std::fs::read(path).unwrap(), b"first");
        }
        // Nor through a link that leads nowhere yet.
        let (link, aim) = (directory.path().join("link"), directory.path().join("aim"));
        std::os::unix::fs::symlink(&aim, &link).unwrap();
        assert!(create_private(&link, b"second").is_err() && !aim.exists());
        let nowhere = directory.path().join("nowhere/file");
        assert!(create(&nowhere, b"").is_err());
        assert!(check_new(&open).unwrap_err().to_string().contains("not written over"));
        assert!(check_new(&nowhere).unwrap_err().to_string().ends_with("nowhere is no directory"));
        assert!(check_new(&aim).is_ok() && check_new(Path::new("there-is-no-such-file")).is_ok());
    }
}
