//! Restoring: a new data directory with the journal of a backup, whole or up to a position, its vault and its keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ark::Vault;
use journal::copy::{Copy, encode};
use journal::{DirectoryLock, Tip};

use super::manifest::Manifest;
use super::place::Place;
use crate::files::{beside, publish_private, sync_directory_of};

/// What was restored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restored {
    pub(crate) rows: u64,
    /// The journal's end.
    pub(crate) tip: Tip,
    /// Whether the vault came with it.
    pub(crate) vault: bool,
    /// Whether the keys of the key service came with it.
    pub(crate) keys: bool,
}

/// Writes the journal up to position `to` (whole batches, all if none) into a directory beside `data_dir`, which must not be
/// there or be empty, and renames it once it is whole.
///
/// # Errors
/// A directory that has something, a backup that is damaged, a root key that is not this vault's. Nothing is left then.
pub(crate) fn restore(
    backup: &Place,
    data_dir: &Path,
    to: Option<u64>,
    root_key: Option<&Path>,
    progress: impl FnMut(u64),
) -> Result<Restored> {
    let manifest = Manifest::of(backup)?;
    if let Some(to) = to {
        let last = manifest.last_position();
        ensure!((1..=last).contains(&to), "the backup holds positions 1 to {last}; {to} is none of them");
    }
    let empty = fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(empty, "{} holds something; name a directory that is not there yet, or an empty one", data_dir.display());
    let building = beside(data_dir, ".restoring");
    ensure!(!building.exists(), "{} is left of a restore that was broken off; remove it first", building.display());
    let built = build(&manifest, backup, &building, to, root_key, progress).and_then(|restored| {
        if data_dir.exists() {
            fs::remove_dir(data_dir).with_context(|| format!("replacing {}", data_dir.display()))?;
        }
        fs::rename(&building, data_dir)
            .and_then(|()| sync_directory_of(data_dir))
            .with_context(|| format!("renaming {} to {}", building.display(), data_dir.display()))?;
        Ok(restored)
    });
    if built.is_err() && building.exists() {
        // What keeps it from being removed matters less than why there is nothing to keep.
        drop(fs::remove_dir_all(&building));
    }
    built
}

fn build(
    manifest: &Manifest,
    backup: &Place,
    building: &Path,
    to: Option<u64>,
    root_key: Option<&Path>,
    mut progress: impl FnMut(u64),
) -> Result<Restored> {
    fs::create_dir_all(building).with_context(|| format!("making {}", building.display()))?;
    let lock = DirectoryLock::acquire(building)?;
    let mut copy = Copy::create(&lock)?;
    let (mut rows, mut bytes) = (0, Vec::new());
    manifest.walk(backup, |record| {
        if to.is_some_and(|to| record.next().saturating_sub(1) > to) {
            return Ok(());
        }
        bytes.clear();
        encode(&record, &mut bytes);
        let row = journal::copy::decode(&mut bytes.as_slice()).context("a row that was written reads")?;
        copy.push(row)?;
        rows += 1;
        progress(rows);
        Ok(())
    })?;
    let tip = copy.finish()?;
    if let Some(vault) = &manifest.vault {
        publish_private(&building.join(ark::vault::VAULT_NAME), &vault.read(backup)?)?;
    }
    let keys = [(&manifest.keys, ark::keys::KEYS_NAME), (&manifest.tombstones, ark::keys::TOMBSTONES_NAME)];
    for (copy, name) in keys.into_iter().filter_map(|(copy, name)| Some((copy.as_ref()?, name))) {
        publish_private(&building.join(name), &copy.read(backup)?)?;
    }
    if let Some(key) = root_key {
        if manifest.vault.is_none() {
            bail!("the backup has no vault for {} to open; leave --root-key out", key.display());
        }
        copy_key(key, &building.join(ark::vault::KEY_FILE_NAME))?;
        // Opening it proves that the key is that of the keys, and the keys are the vault's.
        Vault::open_with_key_file(building).with_context(|| format!("opening the vault with {}", key.display()))?;
    }
    Ok(Restored { rows, tip, vault: manifest.vault.is_some(), keys: manifest.keys.is_some() })
}

/// Copies the root key for its owner alone, durably.
fn copy_key(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        fs::copy(from, to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o600))?;
        fs::File::open(to)?.sync_all()?;
        sync_directory_of(to)
    };
    copy().with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
