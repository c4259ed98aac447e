//! Where a benchmark's server keeps its data: a directory of its own, and PostgreSQL where the plan says so.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::preset::Storage;
use crate::process::disk_bytes;

#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;

/// The directory and the settings that go with it. A temporary directory goes with this value.
#[derive(Debug)]
pub(crate) struct Place {
    /// The server's data directory.
    pub(crate) directory: PathBuf,
    /// Further settings of the server, `KEY=VALUE`.
    pub(crate) settings: Vec<String>,
    /// Where a throw-away cluster keeps its tables.
    cluster: Option<PathBuf>,
    is_temporary: bool,
}

/// Bytes on disk by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub(crate) struct Disk {
    /// `journal.db`.
    pub(crate) journal: u64,
    /// `store.db`.
    pub(crate) store: u64,
    /// History's files.
    pub(crate) segments: u64,
    /// The tables and write-ahead log of a throw-away PostgreSQL, beyond what it began with.
    pub(crate) postgres: u64,
    /// Keys, vault and the rest.
    pub(crate) other: u64,
}

impl Disk {
    /// All of it.
    pub(crate) fn total(&self) -> u64 {
        self.journal + self.store + self.segments + self.postgres + self.other
    }
}

impl Place {
    /// A place for new books: `named` or a temporary directory, and PostgreSQL at `url` or a cluster of its own.
    ///
    /// # Errors
    /// If the directory holds books already, or there is no PostgreSQL where one is wanted.
    pub(crate) fn prepare(named: Option<&Path>, storage: Storage, url: Option<&str>) -> Result<Self> {
        let temporary = std::env::temp_dir().join(format!("lintel-bench-{}", std::process::id()));
        let directory = named.map_or(temporary, Path::to_path_buf);
        ensure!(
            !directory.join("vault.db").exists() && !directory.join("journal.db").exists(),
            "{} holds books already; a benchmark begins with new ones: name an empty directory",
            directory.display()
        );
        std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
        let is_temporary = named.is_none();
        let mut place = Self { directory, settings: Vec::new(), cluster: None, is_temporary };
        match (storage, url) {
            (Storage::Embedded, _) => {}
            (Storage::Postgres, Some(url)) => place.keep_in(url, &format!("lintel_bench_{}", std::process::id())),
            (Storage::Postgres, None) => {
                let cluster = cluster::cluster("lintel bench --preset postgres");
                let cluster =
                    cluster.context("there is no PostgreSQL; install it, or name a server by --postgres URL")?;
                let (url, schema) = (cluster.url(), cluster.schema());
                let home = url.split_whitespace().find_map(|part| part.strip_prefix("host=")).map(PathBuf::from);
                place.cluster = home.map(|home| home.join("data"));
                place.keep_in(&url, &schema);
            }
        }
        Ok(place)
    }

    fn keep_in(&mut self, url: &str, schema: &str) {
        self.settings = vec![
            format!("journal.url={url}"),
            format!("journal.schema={schema}_journal"),
            format!("store.url={url}"),
            format!("store.schema={schema}_store"),
        ];
    }

    /// What lies on disk now; that of a PostgreSQL named by its address is not seen.
    pub(crate) fn disk(&self) -> Disk {
        let mut disk = Disk { postgres: self.cluster.as_deref().map_or(0, disk_bytes), ..Disk::default() };
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let size = disk_bytes(&entry.path());
            let slot = match name.as_str() {
                name if name.starts_with("journal.db") => &mut disk.journal,
                name if name.starts_with("store.db") => &mut disk.store,
                _ if entry.path().is_dir() => &mut disk.segments,
                _ => &mut disk.other,
            };
            *slot += size;
        }
        disk
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_temporary {
            // What cannot be removed is in the temporary directory of the system.
            drop(std::fs::remove_dir_all(&self.directory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_by_what_they_are_for_and_a_place_with_books_is_refused() {
        let directory = std::env::temp_dir().join(format!("lintel-bench-place-{}", std::process::id()));
        let place = Place::prepare(Some(&directory), Storage::Embedded, None).unwrap();
        std::fs::create_dir_all(directory.join("history/2026-03-05")).unwrap();
        let files =
            [("journal.db", 5), ("journal.db-wal", 7), ("store.db", 11), ("history/2026-03-05/1", 13), ("key", 3)];
        for (name, size) in files {
            std::fs::write(directory.join(name), vec![0; size]).unwrap();
        }
        let disk = place.disk();
        assert_eq!(disk, Disk { journal: 12, store: 11, segments: 13, postgres: 0, other: 3 });
        assert_eq!(disk.total(), 39);
        let refused = Place::prepare(Some(&directory), Storage::Embedded, None).unwrap_err();
        assert!(refused.to_string().contains("holds books already"), "{refused}");
        drop(place);
        assert!(directory.exists(), "a directory that was named stays");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_named_postgres_gets_schemas_of_its_own() {
        let directory = std::env::temp_dir().join(format!("lintel-bench-url-{}", std::process::id()));
        let place = Place::prepare(Some(&directory), Storage::Postgres, Some("host=db user=me")).unwrap();
        let own = format!("lintel_bench_{}", std::process::id());
        let expected = [
            "journal.url=host=db user=me".to_owned(),
            format!("journal.schema={own}_journal"),
            "store.url=host=db user=me".to_owned(),
            format!("store.schema={own}_store"),
        ];
        assert_eq!(place.settings, expected);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
