//! Taking a backup, or adding to one what came since.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use journal::chain::{Chain, StoredRow};
use journal::copy;

use super::manifest::{Manifest, Range, VaultCopy};
use crate::files::publish;
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
    directory: &Path,
    mut rows: impl FnMut(u64) -> Result<Vec<u8>>,
    mut progress: impl FnMut(&Range),
) -> Result<Added> {
    let mut manifest = Manifest::read(directory)?.unwrap_or_else(Manifest::empty);
    let (mut chain, mut added) = (end(directory, &manifest)?, Added::default());
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
        publish(&directory.join(&range.file), &bytes)?;
        added.ranges += 1;
        added.rows += range.last_row + 1 - range.first_row;
        added.bytes += range.bytes;
        progress(&range);
        manifest.ranges.push(range);
        manifest.write(directory)?;
        if ended {
            return Ok(added);
        }
    }
}

/// Where the backup's rows end. Only its last file is read.
fn end(directory: &Path, manifest: &Manifest) -> Result<Chain> {
    let Some(range) = manifest.ranges.last() else { return Ok(Chain::GENESIS) };
    let (path, bytes) = range.read(directory)?;
    let (mut rest, mut last) = (bytes.as_slice(), None);
    while let Some(row) = copy::decode(&mut rest) {
        last = Some(row);
    }
    let last: StoredRow = last.with_context(|| format!("{} holds no row", path.display()))?;
    let chain = Chain::of(last).map_err(|what| anyhow::anyhow!("{}: {what}", path.display()))?;
    ensure!(chain.hash.to_string() == range.hash, "{} does not end as the manifest says", path.display());
    Ok(chain)
}

fn pass(chain: &mut Chain, mut page: &[u8]) -> Result<()> {
    while let Some(row) = copy::decode(&mut page) {
        chain.check(row).map_err(|fault| {
            anyhow::anyhow!(
                "{fault}; a backup goes on only with the journal that it was taken of: name an empty directory"
            )
        })?;
    }
    ensure!(page.is_empty(), "the platform sent half a row");
    Ok(())
}

/// Copies the vault into the backup, and takes the copy before it away.
///
/// # Errors
/// Those of the files; the copy before then stands.
pub(crate) fn vault(data_dir: &Path, directory: &Path) -> Result<()> {
    let mut manifest = Manifest::of(directory)?;
    let file = format!("vault-{:012}.db", manifest.ranges.last().map_or(0, |range| range.last_row));
    let path = directory.join(&file);
    let before = manifest.vault.take();
    if path.exists() {
        std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    ark::vault::copy(data_dir, &path)?;
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let sm3 = hex::encode(ark::sm3(&bytes));
    manifest.vault = Some(VaultCopy { file, bytes: bytes.len() as u64, sm3, taken_at_ms: wall_ms() });
    manifest.write(directory)?;
    match before.filter(|before| Some(&before.file) != manifest.vault.as_ref().map(|vault| &vault.file)) {
        Some(before) => {
            let path = directory.join(before.file);
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
        }
        None => Ok(()),
    }
}
