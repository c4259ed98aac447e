//! What a backup holds: its ranges in order, each with what its file must be.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use journal::chain::Chain;
use journal::{Record, copy};
use serde::{Deserialize, Serialize};

use crate::files::publish;

/// The manifest's name; a directory without it is no backup.
pub(crate) const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;

/// Rows of the journal in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// Its file.
    pub(crate) file: String,
    pub(crate) first_row: u64,
    pub(crate) last_row: u64,
    /// The position of the last event up to its end; 0 before any.
    pub(crate) last_position: u64,
    /// The hash of its last row, which the next range continues.
    pub(crate) hash: String,
    pub(crate) bytes: u64,
    /// Of the file.
    pub(crate) sm3: String,
    /// Milliseconds since 1970.
    pub(crate) taken_at_ms: i64,
}

/// A copy of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VaultCopy {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) sm3: String,
    pub(crate) taken_at_ms: i64,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    pub(crate) ranges: Vec<Range>,
    /// The newest copy; none of a backup that was taken without.
    pub(crate) vault: Option<VaultCopy>,
}

impl Manifest {
    /// Reads a backup's manifest; `None` where there is none.
    ///
    /// # Errors
    /// A file that does not read, or of a format that this program does not know.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let manifest: Self = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "{} is of format {}; this program knows format {FORMAT}",
            path.display(),
            manifest.format
        );
        Ok(Some(manifest))
    }

    /// The manifest of a backup that must be there.
    ///
    /// # Errors
    /// As [`Self::read`], and a directory without one.
    pub(crate) fn of(directory: &Path) -> Result<Self> {
        Self::read(directory)?.with_context(|| format!("{} is no backup: it has no {MANIFEST}", directory.display()))
    }

    /// A backup of nothing yet.
    pub(crate) const fn empty() -> Self {
        Self { format: FORMAT, ranges: Vec::new(), vault: None }
    }

    /// Publishes it.
    ///
    /// # Errors
    /// Those of the disk; the one before then stands.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing the manifest")?;
        publish(&directory.join(MANIFEST), format!("{text}\n").as_bytes())
    }

    /// The position of the last event in it.
    pub(crate) fn last_position(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.last_position)
    }

    /// Checks every file against what the manifest says and every row against the rows before it, and hands each row on.
    ///
    /// # Errors
    /// The first file or row that is not what was written, by name; what `visit` says.
    pub(crate) fn walk(&self, directory: &Path, mut visit: impl FnMut(Record) -> Result<()>) -> Result<Chain> {
        let mut chain = Chain::GENESIS;
        for range in &self.ranges {
            let (path, bytes) = range.read(directory)?;
            let mut rest = bytes.as_slice();
            while let Some(row) = copy::decode(&mut rest) {
                let record = chain.check(row).map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
                visit(record)?;
            }
            ensure!(rest.is_empty(), "{} ends in the middle of a row", path.display());
            ensure!(
                chain.row == range.last_row && chain.hash.to_string() == range.hash,
                "{} ends with row {} ({}); the manifest says row {} ({})",
                path.display(),
                chain.row,
                chain.hash,
                range.last_row,
                range.hash
            );
        }
        if let Some(vault) = &self.vault {
            read_checked(directory, &vault.file, vault.bytes, &vault.sm3)?;
        }
        Ok(chain)
    }
}

impl Range {
    /// Its file, with what is in it.
    ///
    /// # Errors
    /// A file that is not what the manifest says.
    pub(crate) fn read(&self, directory: &Path) -> Result<(PathBuf, Vec<u8>)> {
        read_checked(directory, &self.file, self.bytes, &self.sm3)
    }
}

fn read_checked(directory: &Path, file: &str, size: u64, sm3: &str) -> Result<(PathBuf, Vec<u8>)> {
    let path = directory.join(file);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    if bytes.len() as u64 != size {
        bail!("{} has {} bytes; the manifest says {size}", path.display(), bytes.len());
    }
    let found = hex::encode(ark::sm3(&bytes));
    ensure!(found == sm3, "{} is damaged: its SM3 is {found}, the manifest says {sm3}", path.display());
    Ok((path, bytes))
}
