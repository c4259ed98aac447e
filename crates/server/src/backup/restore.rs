//! Restoring: a new data directory with the journal of a backup, whole or up to a position, its vault and its keys; where the
//! settings name PostgreSQL for the journal or the keys, their rows go to a schema there that has none, and the directory gets the rest.
//!
//! ```text
//!  DIRECTORY.restoring ◄─ rows, vault, keys, root key ─ each checked ─► the keys are durable ─► the rows are ─► renamed to DIRECTORY
//!                                                        └ PostgreSQL: one transaction ┘ each, the journal's last but the name
//! ```
//! Keys are put back with their tombstones: with a root key at hand, what was destroyed is so before their rows reach the schema; else
//! the first unsealing does it, before anything is served.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ark::Vault;
use ark::keys::{KEYS_NAME, TOMBSTONES_NAME};
use journal::copy::{Copy, encode};
use journal::{DirectoryLock, Tip};

use super::manifest::Manifest;
use super::place::Place;
use crate::config::ArkConfig;
use crate::files::{beside, publish_private, sync_directory_of};
use crate::shell::journal_place::JournalPlace;

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

/// What is restored, and where to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) backup: &'a Place,
    /// It must not be there, or be empty.
    pub(crate) data_dir: &'a Path,
    /// Where the journal goes: into the directory, or a schema of PostgreSQL without rows.
    pub(crate) journal: &'a JournalPlace,
    /// Where keys go: into the directory, or a schema of PostgreSQL without keys.
    pub(crate) keys: &'a ArkConfig,
    /// Whole batches up to this position; all if none.
    pub(crate) to: Option<u64>,
    pub(crate) root_key: Option<&'a Path>,
}

/// Makes a directory beside the one that is wanted, and renames it once everything is whole.
///
/// # Errors
/// A directory that has something, a schema that has rows or keys, a backup that is damaged, a root key that is not this vault's.
/// Nothing is left then.
pub(crate) fn restore(wanted: &Wanted<'_>, progress: impl FnMut(u64)) -> Result<Restored> {
    let Wanted { backup, data_dir, to, .. } = *wanted;
    let manifest = Manifest::of(backup)?;
    if let Some(to) = to {
        let last = manifest.last_position();
        ensure!((1..=last).contains(&to), "the backup holds positions 1 to {last}; {to} is none of them");
    }
    let empty = fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(empty, "{} holds something; name a directory that is not there yet, or an empty one", data_dir.display());
    let building = beside(data_dir, ".restoring");
    ensure!(!building.exists(), "{}", left_over(&building, wanted));
    let home = wanted.keys.home(&building);
    if home.is_in_postgres() && manifest.vault.is_some() {
        // Found before hours of reading; looked at again under the schema's lock.
        ensure!(!home.is_made()?, "{} holds keys: {NOT_EMPTY}", home.name().display());
    }
    let built = build(&manifest, wanted, &building, progress).and_then(|restored| {
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

/// What to do with a schema that holds keys.
const NOT_EMPTY: &str = "rename it (ALTER SCHEMA … RENAME TO …), or name another one in ark.place.schema";

/// What to do with what a restore that was broken off left.
fn left_over(building: &Path, wanted: &Wanted<'_>) -> String {
    let left = format!("{} is left of a restore that was broken off; ", building.display());
    let home = wanted.keys.home(building);
    let first = if home.is_in_postgres() {
        format!(
            "remove it first, and if {} holds keys by now, rename that (ALTER SCHEMA … RENAME TO …)",
            home.name().display()
        )
    } else {
        "remove it first".to_owned()
    };
    let Some(config) = wanted.journal.postgres() else { return left + &first };
    let (schema, name) = (&config.schema, wanted.data_dir.display());
    format!("{left}if schema {schema} has rows, all of them are there: rename it to {name}. Else {first}")
}

fn build(manifest: &Manifest, wanted: &Wanted<'_>, building: &Path, mut progress: impl FnMut(u64)) -> Result<Restored> {
    let Wanted { backup, journal, to, root_key, .. } = *wanted;
    fs::create_dir_all(building).with_context(|| format!("making {}", building.display()))?;
    let lock = DirectoryLock::acquire(building)?;
    let mut copy = match journal.postgres() {
        None => Copy::create(&lock)?,
        Some(config) => Copy::to_postgres(config)?,
    };
    if let Some(vault) = &manifest.vault {
        publish_private(&building.join(ark::vault::VAULT_NAME), &vault.read(backup)?)?;
    }
    let keys = [(&manifest.keys, KEYS_NAME), (&manifest.tombstones, TOMBSTONES_NAME)];
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
    let into = into_schema(wanted, building)?;
    let tip = copy.finish().map_err(|error| match into {
        None => anyhow::Error::from(error),
        Some(schema) => anyhow::Error::from(error).context(format!("the keys are in {schema} by now: {NOT_EMPTY}")),
    })?;
    Ok(Restored { rows, tip, vault: manifest.vault.is_some(), keys: manifest.keys.is_some() })
}

/// Moves the keys on to their schema, if the settings name one; its name.
fn into_schema(wanted: &Wanted<'_>, building: &Path) -> Result<Option<String>> {
    // Aside, so that no keys file lies where a schema has the keys.
    let (home, file, aside) = (wanted.keys.home(building), building.join(KEYS_NAME), building.join("keys.restoring"));
    if !home.is_in_postgres() || !file.exists() {
        return Ok(None);
    }
    let name = home.name().display().to_string();
    fs::rename(&file, &aside).with_context(|| format!("renaming {}", file.display()))?;
    ark::keys::restore(&aside, &home).with_context(|| format!("restoring the keys into {name}"))?;
    // One that was opened leaves its log to whoever reads it.
    for rest in ["", "-wal", "-shm"] {
        let path = building.join(format!("keys.restoring{rest}"));
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(Some(name))
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
