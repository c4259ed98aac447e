//! What a backup holds: its ranges in order, each with what its file must be.

use anyhow::{Context, Result, bail, ensure};
use journal::chain::Chain;
use journal::{Record, copy};
use serde::{Deserialize, Serialize};

use super::place::{Place, Version};

/// The manifest's name; a place without it is no backup.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Of a backup with keys files; a program that knows format 1 only would leave them behind.
const FORMAT: u32 = 2;

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

/// A copy of the vault, or of a file of the key service.
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
    /// The keys file of the key service that wraps what is in the vault; none of a backup from before there was one.
    #[serde(default)]
    pub(crate) keys: Option<VaultCopy>,
    /// The keys that were destroyed by then; none if none was.
    #[serde(default)]
    pub(crate) tombstones: Option<VaultCopy>,
    /// What it was where it was read, for whoever writes it again; none if there was none.
    #[serde(skip)]
    version: Option<Version>,
}

impl Manifest {
    /// Reads a backup's manifest; `None` where there is none.
    ///
    /// # Errors
    /// A file that does not read, or of a format that this program does not know.
    pub(crate) fn read(place: &Place) -> Result<Option<Self>> {
        let Some(found) = place.find(MANIFEST)? else { return Ok(None) };
        let name = place.of(MANIFEST);
        let manifest: Self = serde_json::from_slice(&found.bytes).with_context(|| format!("reading {name}"))?;
        ensure!(
            (1..=FORMAT).contains(&manifest.format),
            "{name} is of format {}; this program knows formats 1 to {FORMAT}",
            manifest.format
        );
        Ok(Some(Self { format: FORMAT, version: Some(found.version), ..manifest }))
    }

    /// The manifest of a backup that must be there.
    ///
    /// # Errors
    /// As [`Self::read`], and a place without one.
    pub(crate) fn of(place: &Place) -> Result<Self> {
        Self::read(place)?.with_context(|| format!("{place} is no backup: it has no {MANIFEST}"))
    }

    /// A backup of nothing yet.
    pub(crate) const fn empty() -> Self {
        Self { format: FORMAT, ranges: Vec::new(), vault: None, keys: None, tombstones: None, version: None }
    }

    /// Publishes it over the one that was read.
    ///
    /// # Errors
    /// Those of the place, and that someone else wrote one meanwhile; the one before then stands.
    pub(crate) fn write(&mut self, place: &Place) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing the manifest")?;
        self.version = Some(place.write_over(MANIFEST, format!("{text}\n").into(), self.version.as_ref())?);
        Ok(())
    }

    /// The position of the last event in it.
    pub(crate) fn last_position(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.last_position)
    }

    /// Checks every file against what the manifest says and every row against the rows before it, and hands each row on.
    ///
    /// # Errors
    /// The first file or row that is not what was written, by name; what `visit` says.
    pub(crate) fn walk(&self, place: &Place, mut visit: impl FnMut(Record) -> Result<()>) -> Result<Chain> {
        let mut chain = Chain::GENESIS;
        for range in &self.ranges {
            let (name, bytes) = range.read(place)?;
            let mut rest = bytes.as_slice();
            while let Some(row) = copy::decode(&mut rest) {
                let record = chain.check(row).map_err(|fault| anyhow::anyhow!("{name}: {fault}"))?;
                visit(record)?;
            }
            ensure!(rest.is_empty(), "{name} ends in the middle of a row");
            ensure!(
                chain.row == range.last_row && chain.hash.to_string() == range.hash,
                "{name} ends with row {} ({}); the manifest says row {} ({})",
                chain.row,
                chain.hash,
                range.last_row,
                range.hash
            );
        }
        for copy in [&self.vault, &self.keys, &self.tombstones].into_iter().flatten() {
            copy.read(place)?;
        }
        Ok(chain)
    }
}

impl Range {
    /// Its file, with what is in it.
    ///
    /// # Errors
    /// A file that is not what the manifest says.
    pub(crate) fn read(&self, place: &Place) -> Result<(String, Vec<u8>)> {
        read_checked(place, &self.file, self.bytes, &self.sm3)
    }
}

impl VaultCopy {
    /// What is in it.
    ///
    /// # Errors
    /// A file that is not what the manifest says.
    pub(crate) fn read(&self, place: &Place) -> Result<Vec<u8>> {
        read_checked(place, &self.file, self.bytes, &self.sm3).map(|(_, bytes)| bytes)
    }
}

fn read_checked(place: &Place, file: &str, size: u64, sm3: &str) -> Result<(String, Vec<u8>)> {
    let (name, bytes) = (place.of(file), place.read(file)?);
    if bytes.len() as u64 != size {
        bail!("{name} has {} bytes; the manifest says {size}", bytes.len());
    }
    let found = hex::encode(ark::sm3(&bytes));
    ensure!(found == sm3, "{name} is damaged: its SM3 is {found}, the manifest says {sm3}");
    Ok((name, bytes))
}
