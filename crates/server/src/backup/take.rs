//! Taking a backup, or adding to one what came since.

use std::path::Path;

use anyhow::{Context, Result, ensure};
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

/// Copies the vault into the backup, and takes the copy before it away.
///
/// # Errors
/// Those of the files and the place; the copy before then stands.
pub(crate) fn vault(data_dir: &Path, place: &Place) -> Result<()> {
    let mut manifest = Manifest::of(place)?;
    let file = format!("vault-{:012}-{}.db", manifest.ranges.last().map_or(0, |range| range.last_row), wall_ms());
    let bytes = vault_as_it_stands(data_dir, place, &file)?;
    let copy =
        VaultCopy { file, bytes: bytes.len() as u64, sm3: hex::encode(ark::sm3(&bytes)), taken_at_ms: wall_ms() };
    place.write(&copy.file, bytes)?;
    let before = manifest.vault.replace(copy);
    manifest.write(place)?;
    before.map_or(Ok(()), |before| place.remove(&before.file))
}

/// The vault's bytes, copied while the platform may write it: to a file beside where it goes, or beside the vault.
fn vault_as_it_stands(data_dir: &Path, place: &Place, file: &str) -> Result<Vec<u8>> {
    let path = place.directory().unwrap_or(data_dir).join(file).with_extension("copying");
    ark::vault::copy(data_dir, &path)?;
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()));
    std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    bytes
}
