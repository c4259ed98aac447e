//! Where sealed ranges lie: a folder, or storage that is reached over a network, of which a folder then holds copies.
//!
//! ```text
//!  folder alone        FOLDER/rows-…  is the range
//!  with storage        NAME in the storage is the range ─ read ─► FOLDER/rows-…  a copy: the last few, made again at will
//! ```

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Storage beside this machine's disks; a boundary to the outside. Names are flat. Calls block, and may take long.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Every name there.
    ///
    /// # Errors
    /// Those of the storage.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Everything under a name.
    ///
    /// # Errors
    /// Those of the storage; [`io::ErrorKind::NotFound`] where there is nothing.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Puts bytes under a name, durably, all of them or none.
    ///
    /// # Errors
    /// Those of the storage.
    fn write(&self, name: &str, bytes: Vec<u8>) -> io::Result<()>;
}

/// Where the sealed ranges of one journal lie, and of no other.
#[derive(Clone, Debug)]
pub struct RangePlace {
    pub(crate) folder: PathBuf,
    pub(crate) storage: Option<Arc<dyn Storage>>,
}

impl RangePlace {
    /// A folder. A journal in PostgreSQL needs one that every node has, at the same path or another.
    #[must_use]
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), storage: None }
    }

    /// As it is, with ranges in storage; the folder then is this machine's own, for ranges in the making and copies of those that
    /// were read last. What ranges it has already are read there.
    #[must_use]
    pub fn behind(self, storage: Arc<dyn Storage>) -> Self {
        Self { storage: Some(storage), ..self }
    }

    /// The folder `journal` of a data directory: where an embedded journal's ranges lie unless said otherwise.
    #[must_use]
    pub fn of_data_dir(data_dir: &Path) -> Self {
        Self::folder(data_dir.join("journal"))
    }
}
