//! Where a backup lies: a directory, or a prefix of a bucket of S3-compatible storage.
//!
//! ```text
//!  publish(name, bytes)    directory: NAME.part ─ sync ─► NAME      bucket: one object, in parts if it is large
//!  manifest                directory: under a lock while one is taken    bucket: only over the one that was read (If-Match)
//! ```
//! A name holds its old bytes or its new ones, whatever is broken off when.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use journal::DirectoryLock;

use super::bucket::Bucket;
use crate::files::publish_private;

/// What a place of a bucket begins with.
const SCHEME: &str = "s3://";

/// Where a backup lies.
#[derive(Debug)]
pub(crate) enum Place {
    /// A directory of its own.
    Directory(PathBuf),
    /// A prefix of a bucket.
    Bucket(Bucket),
}

/// A file's bytes, and by what the storage tells it from what it becomes.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// What a file was when it was read. A directory has none: it is under a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) Option<String>);

impl Place {
    /// The place that a text names: `s3://BUCKET/PREFIX`, else a directory.
    ///
    /// # Errors
    /// A bucket without name, or settings in the environment (`AWS_…`) that do not fit.
    pub(crate) fn named(text: &str) -> Result<Self> {
        match text.strip_prefix(SCHEME) {
            Some(rest) => Ok(Self::Bucket(Bucket::open(rest).with_context(|| text.to_owned())?)),
            None => Ok(Self::Directory(PathBuf::from(text))),
        }
    }

    /// Makes a directory, and keeps others from taking a backup to it meanwhile. A bucket needs neither: see
    /// [`Self::write_over`].
    ///
    /// # Errors
    /// That someone else does; those of the disk.
    pub(crate) fn hold(&self) -> Result<Option<DirectoryLock>> {
        match self {
            Self::Directory(directory) => DirectoryLock::acquire(directory).map(Some).context("taking a backup"),
            Self::Bucket(_) => Ok(None),
        }
    }

    /// Where a file of it lies, for people.
    pub(crate) fn of(&self, file: &str) -> String {
        match self {
            Self::Directory(directory) => directory.join(file).display().to_string(),
            Self::Bucket(bucket) => format!("{bucket}/{file}"),
        }
    }

    /// Reads a file; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the disk or the storage.
    pub(crate) fn find(&self, file: &str) -> Result<Option<Found>> {
        let found = match self {
            Self::Directory(directory) => match fs::read(directory.join(file)) {
                Ok(bytes) => Ok(Some(Found { bytes, version: Version::default() })),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Bucket(bucket) => bucket.find(file),
        };
        found.with_context(|| format!("reading {}", self.of(file)))
    }

    /// Reads a file that must be there.
    ///
    /// # Errors
    /// As [`Self::find`], and that it is not there.
    pub(crate) fn read(&self, file: &str) -> Result<Vec<u8>> {
        let found = self.find(file)?;
        Ok(found.with_context(|| format!("{} is not there", self.of(file)))?.bytes)
    }

    /// Writes a file, durably, for its owner alone.
    ///
    /// # Errors
    /// Those of the disk or the storage; what was there before then stands.
    pub(crate) fn write(&self, file: &str, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::Directory(directory) => publish_private(&directory.join(file), &bytes),
            Self::Bucket(bucket) => bucket.write(file, bytes).with_context(|| format!("writing {}", self.of(file))),
        }
    }

    /// As [`Self::write`], but only over the version that was read, `None` if the file was not there; gives the new version.
    ///
    /// # Errors
    /// As [`Self::write`], and that someone else wrote it meanwhile.
    pub(crate) fn write_over(&self, file: &str, bytes: Vec<u8>, before: Option<&Version>) -> Result<Version> {
        match self {
            Self::Directory(directory) => publish_private(&directory.join(file), &bytes).map(|()| Version::default()),
            Self::Bucket(bucket) => {
                bucket.write_over(file, bytes, before).with_context(|| format!("writing {}", self.of(file)))
            }
        }
    }

    /// Removes a file; one that is not there is removed.
    ///
    /// # Errors
    /// Those of the disk or the storage.
    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        let removed = match self {
            Self::Directory(directory) => match fs::remove_file(directory.join(file)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
                Ok(()) | Err(_) => Ok(()),
            },
            Self::Bucket(bucket) => bucket.remove(file),
        };
        removed.with_context(|| format!("removing {}", self.of(file)))
    }

    /// The directory, if it is one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::Bucket(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(formatter),
            Self::Bucket(bucket) => bucket.fmt(formatter),
        }
    }
}
