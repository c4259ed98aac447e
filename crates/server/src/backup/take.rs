//! Taking a backup, or adding to one what came since.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ark::keys::Home;
use journal::chain::{Chain, StoredRow};
use journal::copy;

use super::manifest::{Manifest, Range, VaultCopy};
use super::place::Place;
use crate::shell::clock::wall_ms;

/// A range is ended once it has so many bytes.
const RANGE_BYTES: usize = 64 << 20;
/// A page with fewer bytes and fewer rows was ended by nothing but the journal's end. A take ends there too: under load more
/// rows always come.
const FULL: (usize, u64) = (4 << 20, 1_000);

/// What a take added.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Added {
    pub(crate) ranges: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Adds the rows behind those of the backup. `rows` gives some of them from a number on, as bytes, none at the journal's end;
/// `progress` hears of each range.
///
/// # Errors
/// Rows that do not continue the backup's: it is of another journal, or one of them is damaged. Ranges that were ended before
/// stand.
pub(crate) fn rows(
    place: &Place,
    mut rows: impl FnMut(u64) -> Result<Vec<u8>>,
    mut progress: impl FnMut(&Range),
) -> Result<Added> {
    let mut manifest = Manifest::read(place)?.unwrap_or_else(Manifest::empty);
    let (mut chain, mut added) = (end(place, &manifest)?, Added::default());
    loop {
        let (first_row, mut bytes, mut ended) = (chain.row + 1, Vec::new(), false);
        while bytes.len() < RANGE_BYTES && !ended {
            let (page, before) = (rows(chain.row + 1)?, chain.row);
            pass(&mut chain, &page)?;
            ended = page.len() < FULL.0 && chain.row - before < FULL.1;
            bytes.extend_from_slice(&page);
        }
        if bytes.is_empty() {
            return Ok(added);
        }
        let range = Range {
            file: format!("rows-{first_row:012}-{:012}", chain.row),
            first_row,
            last_row: chain.row,
            last_position: chain.tip.next.saturating_sub(1),
            hash: chain.hash.to_string(),
            bytes: bytes.len() as u64,
            sm3: hex::encode(ark::sm3(&bytes)),
            taken_at_ms: wall_ms(),
        };
        place.write(&range.file, bytes)?;
        added.ranges += 1;
        added.rows += range.last_row + 1 - range.first_row;
        added.bytes += range.bytes;
        progress(&range);
        manifest.ranges.push(range);
        manifest.write(place)?;
        if ended {
            return Ok(added);
        }
    }
}

/// Where the backup's rows end. Only its last file is read.
fn end(place: &Place, manifest: &Manifest) -> Result<Chain> {
    let Some(range) = manifest.ranges.last() else { return Ok(Chain::GENESIS) };
    let (name, bytes) = range.read(place)?;
    let (mut rest, mut last) = (bytes.as_slice(), None);
    while let Some(row) = copy::decode(&mut rest) {
        last = Some(row);
    }
    let last: StoredRow = last.with_context(|| format!("{name} holds no row"))?;
    let chain = Chain::of(last).map_err(|what| anyhow::anyhow!("{name}: {what}"))?;
    ensure!(chain.hash.to_string() == range.hash, "{name} does not end as the manifest says");
    Ok(chain)
}

fn pass(chain: &mut Chain, mut page: &[u8]) -> Result<()> {
    while let Some(row) = copy::decode(&mut page) {
        chain.check(row).map_err(|fault| {
            anyhow::anyhow!("{fault}; a backup goes on only with the journal that it was taken of: name an empty place")
        })?;
    }
    ensure!(page.is_empty(), "the platform sent half a row");
    Ok(())
}

/// Copies the vault of a directory and its keys, from their file or their schema, into the backup, and takes the copies before away.
///
/// # Errors
/// Those of the files, the database and the place; the copies before then stand.
pub(crate) fn vault(home: &Home, place: &Place) -> Result<()> {
    let data_dir = home.directory();
    let mut manifest = Manifest::of(place)?;
    let aside = Aside { directory: place.directory().unwrap_or(data_dir).to_owned(), stamp: wall_ms() };
    let (vault, keys, tombstones) = (aside.path("vault"), aside.path("keys"), aside.path("tombstones"));
    // The vault first: every version that wraps something in it is then in the copy of the keys.
    ark::vault::copy(data_dir, &vault)?;
    let has_keys = home.is_made()?;
    let has_tombstones = has_keys && ark::keys::copy(home, &keys, &tombstones)?;
    let last_row = manifest.ranges.last().map_or(0, |range| range.last_row);
    let put = |kind: &str, path: &Path| -> Result<VaultCopy> {
        let (file, taken_at_ms) = (format!("{kind}-{last_row:012}-{}.db", wall_ms()), wall_ms());
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let copy = VaultCopy { file, bytes: bytes.len() as u64, sm3: hex::encode(ark::sm3(&bytes)), taken_at_ms };
        place.write(&copy.file, bytes)?;
        Ok(copy)
    };
    let before = [
        manifest.vault.replace(put("vault", &vault)?),
        std::mem::replace(&mut manifest.keys, has_keys.then(|| put("keys", &keys)).transpose()?),
        std::mem::replace(
            &mut manifest.tombstones,
            has_tombstones.then(|| put("tombstones", &tombstones)).transpose()?,
        ),
    ];
    manifest.write(place)?;
    before.iter().flatten().try_for_each(|before| place.remove(&before.file))
}

/// Files being copied while the platform may write them, beside where they go or where they come from; they go away with this.
struct Aside {
    directory: PathBuf,
    /// What a take that was broken off left is not in the way of the next one.
    stamp: i64,
}

impl Aside {
    fn path(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("{kind}-{}.copying", self.stamp))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for kind in ["vault", "keys", "tombstones"] {
            // What is not there was not made.
            drop(std::fs::remove_file(self.path(kind)));
        }
    }
}
