//! A prefix of a bucket: the requests of `object_store`, one at a time, from a thread that waits for each.

use std::fmt;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::{Builder, Runtime};

use super::place::{Found, Version};

/// An object of more bytes is sent in parts of this size.
const PART_BYTES: usize = 16 << 20;

/// A prefix of a bucket.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
    prefix: Path,
    runtime: Runtime,
}

impl Bucket {
    /// The prefix of `BUCKET/PREFIX`, with the address and the keys that the environment names (`AWS_…`).
    ///
    /// # Errors
    /// No bucket, a prefix that is none, settings that do not fit.
    pub(crate) fn open(text: &str) -> Result<Self> {
        let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
        ensure!(!name.is_empty(), "name the bucket: s3://BUCKET/PREFIX");
        let prefix = Path::parse(prefix.trim_end_matches('/')).context("the prefix in the bucket")?;
        let store = AmazonS3Builder::from_env().with_bucket_name(name).build().context("AWS_… in the environment")?;
        let runtime = Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        Ok(Self { store: Arc::new(store), name: name.to_owned(), prefix, runtime })
    }

    /// The names of the objects there.
    ///
    /// # Errors
    /// Those of the storage.
    fn list(&self) -> Result<Vec<String>> {
        let found = self.runtime.block_on(self.store.list_with_delimiter(Some(&self.prefix)))?;
        Ok(found.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect())
    }

    fn path(&self, file: &str) -> Path {
        self.prefix.clone().join(file)
    }

    /// Reads an object; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) fn find(&self, file: &str) -> Result<Option<Found>> {
        self.runtime.block_on(async {
            match self.store.get(&self.path(file)).await {
                Ok(object) => {
                    let version = Version(object.meta.e_tag.clone());
                    Ok(Some(Found { bytes: object.bytes().await?.into(), version }))
                }
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Writes an object, in parts if it is large.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) fn write(&self, file: &str, bytes: Vec<u8>) -> Result<()> {
        self.runtime.block_on(async {
            let mut writer = BufWriter::with_capacity(self.store.clone(), self.path(file), PART_BYTES);
            writer.put(bytes.into()).await?;
            writer.shutdown().await?;
            Ok(())
        })
    }

    /// Writes an object over what was read and nothing else.
    ///
    /// # Errors
    /// Those of the storage; that another one is there.
    pub(crate) fn write_over(&self, file: &str, bytes: Vec<u8>, before: Option<&Version>) -> Result<Version> {
        let mode = match before {
            None => PutMode::Create,
            Some(Version(Some(tag))) => PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None }),
            Some(Version(None)) => {
                bail!("the storage names no version (ETag) of its objects, so two could write at once")
            }
        };
        self.runtime.block_on(async {
            match self.store.put_opts(&self.path(file), PutPayload::from(bytes), mode.into()).await {
                Ok(written) => Ok(Version(written.e_tag)),
                Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => {
                    bail!("another one takes this backup at the same time; start again when it is through")
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Removes an object; one that is not there is removed.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        self.runtime.block_on(async {
            match self.store.delete(&self.path(file)).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// A place for old rows of a journal.
impl journal::Storage for Bucket {
    fn names(&self) -> io::Result<Vec<String>> {
        self.list().map_err(other)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let found = self.find(name).map_err(other)?;
        found.map(|found| found.bytes).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, bytes: Vec<u8>) -> io::Result<()> {
        Self::write(self, name, bytes).map_err(other)
    }
}

fn other(error: anyhow::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}", self.name)?;
        if self.prefix.as_ref().is_empty() { Ok(()) } else { write!(formatter, "/{}", self.prefix) }
    }
}

/// Prints where it lies and no key.
impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
