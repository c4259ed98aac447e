//! `lintel backup` and `lintel restore`: the journal, the vault and the keys in files of a directory or objects of a bucket, and a data directory made of them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use journal::copy;
use serde_json::json;

use super::client::target;
use super::remote::{Connection, Remote};
use super::{inside, journal as journal_cli, print, tell};
use crate::backup::manifest::{Manifest, Range};
use crate::backup::place::Place;
use crate::backup::restore::{self, Wanted};
use crate::backup::take;
use crate::config::Config;
use crate::shell::journal_place::JournalPlace;
use crate::shell::lease::Idle;

/// Rows read at a time from a journal that no platform holds.
const PAGE_BYTES: usize = 4 << 20;

pub(super) const HELP: &str = "\
Examples:
  lintel backup take /mnt/backup/lintel             all rows, or those since the last time; beside a running platform
  lintel backup check /mnt/backup/lintel            reads every file and checks every row
  lintel backup take s3://backups/lintel            the same to a bucket; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
                                                    AWS_REGION and AWS_ENDPOINT_URL say whose and where
  lintel --data-dir NEW restore /mnt/backup/lintel --root-key /safe/ark.key
  lintel --data-dir NEW restore /mnt/backup/lintel --to 1200400 --root-key /safe/ark.key
  lintel --data-dir NEW --config lintel.toml restore /mnt/backup/lintel --root-key /safe/ark.key
                                                    into the PostgreSQL schema of [journal], which must have no rows

The root key (ark.key, or its custodians' shares) is not in a backup: keep it elsewhere. docs/operations.md has the whole procedure.";

/// Copies of the journal and the vault.
#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Copy what a backup does not have yet.
    ///
    /// Works beside a running platform, which hands out its rows, and with none. A range of rows counts once manifest.json
    /// names it; broken off, it goes on from there.
    Take {
        /// A directory of its own, or s3://BUCKET/PREFIX.
        place: String,
        /// Leave vault and keys out: sealed fields of this backup then open only with those from elsewhere.
        #[arg(long)]
        without_vault: bool,
    },
    /// What a backup holds.
    List {
        /// The backup: its directory, or s3://BUCKET/PREFIX.
        place: String,
    },
    /// Read every file of a backup and check every row.
    Check {
        /// The backup: its directory, or s3://BUCKET/PREFIX.
        place: String,
    },
}

/// Make a data directory of a backup.
///
/// The directory (--data-dir) must not be there yet, or be empty; it appears once it is whole. Where the settings name PostgreSQL
/// for the journal, the rows go to its schema there, which must have none, and the directory gets the vault. `lintel rebuild` then
/// makes tables and files of history from the journal; without it the first start does, but for the ends of days that are closed.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Restore {
    /// The backup: its directory, or s3://BUCKET/PREFIX.
    backup: String,
    /// Leave out every batch that ends behind this journal position.
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// The file ark.key that opens the keys; it is copied into the new directory. Without one, custodians unseal what is restored.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// What the verb says.
pub(super) fn run(remote: &Remote<Backup>, config: &Config) -> Result<()> {
    let (connection, verb) = remote.parts();
    connection.refuse_idempotency_key()?;
    match verb {
        Backup::Take { place, without_vault } => take_backup(connection, config, &Place::named(place)?, !without_vault),
        Backup::List { place } => list(connection, &Place::named(place)?),
        Backup::Check { place } => check(connection, &Place::named(place)?),
    }
}

fn take_backup(connection: &Connection, config: &Config, place: &Place, with_vault: bool) -> Result<()> {
    let _held = place.hold()?;
    let rows = source(connection, config)?;
    let told = |range: &Range| tell(&format!("{}: rows to {}, {} MiB", range.file, range.last_row, range.bytes >> 20));
    let added = take::rows(place, rows, told)?;
    if with_vault {
        take::vault(&config.ark_home(), place)
            .context("copying the vault (--without-vault leaves it out, where the data directory is not here)")?;
    }
    let manifest = Manifest::of(place)?;
    let (last, position) = (manifest.ranges.last().map_or(0, |range| range.last_row), manifest.last_position());
    let object = json!({
        "ranges_added": added.ranges, "rows_added": added.rows, "bytes_added": added.bytes, "last_row": last,
        "last_position": position, "vault": manifest.vault.is_some(), "keys": manifest.keys.is_some(),
    });
    let take::Added { ranges, rows, bytes } = added;
    let mut text = format!(
        "{rows} rows ({bytes} bytes) in {ranges} new files; the backup ends with row {last}, position {position}\n"
    );
    if with_vault && manifest.vault.is_some() && manifest.keys.is_none() {
        text.push_str(&keys_elsewhere(&config.ark.remote.url));
    }
    print(&if connection.wants_json() { format!("{object}\n") } else { text });
    Ok(())
}

/// The vault opens with keys that this backup cannot have.
fn keys_elsewhere(url: &str) -> String {
    let at = if url.is_empty() { "in another process".to_owned() } else { format!("at {url}") };
    format!(
        "The keys that open its vault are {at}: they are not in this backup. Take theirs beside it (`lintel ark backup` there).\n"
    )
}

/// Gives rows from a number on, as bytes.
type Source = Box<dyn FnMut(u64) -> Result<Vec<u8>>>;

/// Where rows come from: a platform that runs, PostgreSQL, or the file that nobody holds.
fn source(connection: &Connection, config: &Config) -> Result<Source> {
    if connection.is_named() || (config.journal.is_embedded() && inside::is_held(config)?) {
        let client = connection.client(config)?;
        return Ok(Box::new(move |from| {
            client.get_bytes(&target(&["v1", "journal", "rows"], &[("from_row", Some(&from.to_string()))]))
        }));
    }
    let mut reader = journal_cli::reader(config)?;
    Ok(Box::new(move |from| {
        let mut bytes = Vec::new();
        reader.rows(from, PAGE_BYTES)?.iter().for_each(|row| copy::encode(row, &mut bytes));
        Ok(bytes)
    }))
}

fn list(connection: &Connection, place: &Place) -> Result<()> {
    let manifest = Manifest::of(place)?;
    if connection.wants_json() {
        print(&format!("{}\n", serde_json::to_string(&manifest).context("writing the manifest")?));
        return Ok(());
    }
    let mut text = String::new();
    for range in &manifest.ranges {
        let Range { file, first_row, last_row, last_position, bytes, .. } = range;
        text.push_str(&format!("{file}  rows {first_row}–{last_row}, to position {last_position}, {bytes} bytes\n"));
    }
    text.push_str(&match &manifest.vault {
        Some(vault) => format!("{}  {} bytes\n", vault.file, vault.bytes),
        None => "no vault\n".to_owned(),
    });
    for copy in [&manifest.keys, &manifest.tombstones].into_iter().flatten() {
        text.push_str(&format!("{}  {} bytes\n", copy.file, copy.bytes));
    }
    print(&text);
    Ok(())
}

fn check(connection: &Connection, place: &Place) -> Result<()> {
    let manifest = Manifest::of(place)?;
    let (mut rows, mut events) = (0_u64, 0_u64);
    let chain = manifest.walk(place, |record| {
        rows += 1;
        events += u64::from(record.count);
        Ok(())
    })?;
    let object =
        json!({ "rows": rows, "events": events, "hash": chain.hash.to_string(), "vault": manifest.vault.is_some() });
    let text = format!("{rows} rows, {events} events, every one sound; the chain ends in {}\n", chain.hash);
    print(&if connection.wants_json() { format!("{object}\n") } else { text });
    Ok(())
}

impl Restore {
    /// Does it.
    ///
    /// # Errors
    /// A directory that has something, a backup that is damaged, a key of another vault.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let schema = &config.journal.schema;
        // A node that leads would meet another journal than the one it decided by.
        let Some(idle) = Idle::hold(&config.journal)? else {
            anyhow::bail!("a node leads the journal in schema {schema}: name an empty schema, or stop every node");
        };
        let told = |rows: u64| {
            if rows.is_multiple_of(10_000) {
                tell(&format!("{rows} rows"));
            }
        };
        let (backup, journal, data_dir) = (Place::named(&self.backup)?, JournalPlace::of(config)?, &config.data_dir);
        let (keys, root_key) = (&config.ark, self.root_key.as_deref());
        let wanted = Wanted { backup: &backup, data_dir, journal: &journal, keys, to: self.to, root_key };
        let restored = restore::restore(&wanted, told)?;
        drop(idle);
        let (rows, position) = (restored.rows, restored.tip.next.saturating_sub(1));
        let place = if journal.is_embedded() {
            data_dir.display().to_string()
        } else {
            format!("schema {schema}; the vault in {}", data_dir.display())
        };
        let text = format!(
            "{rows} rows, to position {position}, in {place}\n{}\n",
            match (restored.vault, restored.keys, &self.root_key) {
                (true, _, Some(_)) => "its vault opens; `lintel rebuild` makes tables and history, then `lintel serve`",
                (true, true, None) =>
                    "`lintel rebuild`, then `lintel serve`, which waits for its custodians; without custodians put the root key there \
                     first, as ark.key (mode 600)",
                (true, false, None) =>
                    "put the root key there as ark.key (mode 600), then `lintel rebuild`, then `lintel serve`",
                (false, _, _) =>
                    "the backup has no vault: put vault.db and keys.db there, then `lintel rebuild`, `lintel serve`",
            }
        );
        let object = json!({ "rows": rows, "last_position": position, "vault": restored.vault, "keys": restored.keys });
        print(&if self.json { format!("{object}\n") } else { text });
        Ok(())
    }
}
