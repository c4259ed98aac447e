//! `lintel rebuild`: store and history made anew from the journal, with the platform stopped.
//!
//! ```text
//!  rebuilding/ ◄─ replay     nothing of what stands is touched: broken off here, all is as it was
//!  rebuild-unfinished ─► what stands goes to replaced-N/ ─► the new lake, the new store ─► rebuild-unfinished goes
//!                        broken off here, `serve` and `verify` refuse the directory until this was run again
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use history::History;
use journal::Reader;
use node::rebuild::{self, Rebuilt};
use serde_json::json;
use store::{Database, Value};

use super::progress::Shown;
use super::still::Still;
use super::{journal as journal_cli, print};
use crate::config::{Config, JournalConfig, Place};
use crate::files::sync_directory_of;
use crate::serve::{self, REBUILD_MARK, STORE_NAME};

const HELP: &str = "\
Tables and files of history follow from the journal; when they are damaged or gone this makes them again, each end of a day \
among them. The journal is checked row by row on the way: if it is damaged, its row is named and nothing is changed.

The new ones are made beside those that stand and take their place at the end. The old ones are kept in `replaced-N` in the \
data directory (on PostgreSQL, in the schema SCHEMA_replaced_N) unless --remove-old is given. Files of entries are cut anew, \
so their names differ; balances, entries and statements do not.

The platform must be stopped, on PostgreSQL every node. Broken off at any point, it is run again.

Examples:
  lintel --data-dir data rebuild
  lintel --data-dir data rebuild --remove-old --json && lintel --data-dir data verify";

/// Where the new ones are made, below the data directory.
const NEW: &str = "rebuilding";
/// The files of history below it.
const LAKE: &str = "lake";

/// Make store and history anew from the journal.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Rebuild {
    /// Remove what stood there, instead of keeping it aside.
    #[arg(long)]
    remove_old: bool,
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    /// Does it.
    ///
    /// # Errors
    /// A damaged journal; a platform that runs; a disk that fails.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let still = Still::hold(config, "rebuild")?;
        if !config.store.is_embedded() && same_schema(&config.store, &config.journal) {
            bail!(
                "journal and store share the schema {}; rebuild works only where each has its own",
                config.store.schema
            );
        }
        let made = config.data_dir.join(NEW);
        let mut journal = journal_cli::open(config, &still.lock)?;
        begin(&made)?;
        let store = Arc::new(new_store(&made, &config.store)?);
        let rebuilt = replay(&mut journal, &store, &made).inspect_err(|_| drop(fs::remove_dir_all(&made)))?;
        let webhooks = carry_webhooks(config, &store)?;
        still.ensure()?;
        let kept = swap(config, &made, store, self.remove_old)?;
        self.tell(rebuilt, kept, webhooks);
        Ok(())
    }

    fn tell(&self, Rebuilt { position, days }: Rebuilt, kept: Option<String>, webhooks: Option<String>) {
        if self.json {
            print(&format!("{}\n", json!({ "position": position, "days": days, "kept": kept, "webhooks": webhooks })));
            return;
        }
        print(&format!("rebuilt up to position {position}, with the ends of {days} days\n"));
        if let Some(webhooks) = webhooks {
            print(&format!("{webhooks}\n"));
        }
        if let Some(kept) = kept {
            print(&format!("what stood there is kept in {kept}\n"));
        }
    }
}

fn replay(journal: &mut Reader, store: &Arc<Database>, into: &Path) -> Result<Rebuilt> {
    let mut shown = Shown::new();
    let rebuilt = rebuild::rebuild(journal, store.clone(), Arc::new(History::new(into)), &mut |at, of| {
        shown.position("rebuilding", at, of);
    });
    shown.end();
    Ok(rebuilt?)
}

/// What webhooks were told follows from no journal: it is carried over from the store that stands. Where that does not read, what is
/// of the last day is told again, for a receiver knows a delivery by its id, and what is older is not; this is then said.
fn carry_webhooks(config: &Config, new: &Database) -> Result<Option<String>> {
    let stands = !config.store.is_embedded() || config.data_dir.join(STORE_NAME).exists();
    let carried = if stands {
        let old = serve::open_store(&config.data_dir, &config.store);
        old.and_then(|old| Ok(store::webhook_delivery::carry(&old, new)?))
    } else {
        Err(anyhow::anyhow!("there is no store"))
    };
    let Err(error) = carried else { return Ok(None) };
    store::webhook_delivery::settle_rebuilt(new).context("telling what webhooks are told again")?;
    Ok(Some(format!(
        "what webhooks were told is not known any more ({error:#}): what is of the last day is told again"
    )))
}

fn same_schema(store: &Place, journal: &JournalConfig) -> bool {
    (&store.url, &store.schema) == (&journal.url, &journal.schema)
}

/// An empty place for the new ones; what a rebuild that was stopped left there goes.
fn begin(made: &Path) -> Result<()> {
    let doing = || format!("making an empty {}", made.display());
    if made.exists() {
        fs::remove_dir_all(made).with_context(doing)?;
    }
    fs::create_dir(made).with_context(doing)
}

fn new_place(place: &Place) -> Place {
    Place { url: place.url.clone(), schema: format!("{}_{NEW}", place.schema) }
}

fn new_store(made: &Path, place: &Place) -> Result<Database> {
    if place.is_embedded() {
        return serve::open_store(made, place);
    }
    let place = new_place(place);
    // What a rebuild that was stopped left there goes.
    let left = serve::open_store(made, &place)?;
    left.transaction(|session| session.batch(&format!("DROP SCHEMA \"{}\" CASCADE", place.schema)))?;
    drop(left);
    serve::open_store(made, &place)
}

/// Puts the new ones in the place of those that stand, and says where those are kept.
fn swap(config: &Config, made: &Path, store: Arc<Database>, remove_old: bool) -> Result<Option<String>> {
    let directory = &config.data_dir;
    if config.store.is_embedded() {
        empty_log(made, &config.store, store)?;
        mark(directory)?;
        let kept = make_kept(directory)?;
        swap_lake(directory, made, &kept)?;
        swap_store(directory, made, &kept)?;
        end_swap(directory, made, kept, remove_old)
    } else {
        mark(directory)?;
        let kept = make_kept(directory)?;
        swap_lake(directory, made, &kept)?;
        swap_schema(&config.store, &store, &kept, remove_old)?;
        end_swap(directory, made, kept, remove_old)
    }
}

/// From here on the directory is neither the old nor the new one.
fn mark(directory: &Path) -> Result<()> {
    let path = directory.join(REBUILD_MARK);
    let write = || -> std::io::Result<()> {
        fs::write(&path, "`lintel rebuild` was putting tables and files in place; run it again\n")?;
        fs::File::open(&path)?.sync_all()?;
        sync_directory_of(&path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn make_kept(directory: &Path) -> Result<PathBuf> {
    let kept = free_name(directory)?;
    fs::create_dir(&kept).with_context(|| format!("making {}", kept.display()))?;
    Ok(kept)
}

fn end_swap(directory: &Path, made: &Path, kept: PathBuf, remove_old: bool) -> Result<Option<String>> {
    let path = directory.join(REBUILD_MARK);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    sync(directory)?;
    fs::remove_dir_all(made).with_context(|| format!("removing {}", made.display()))?;
    if remove_old {
        fs::remove_dir_all(&kept).with_context(|| format!("removing {}", kept.display()))?;
        return Ok(None);
    }
    Ok(Some(kept.display().to_string()))
}

/// Closes the new store and has its write-ahead log written into its file: the file alone is moved. Whoever closes it last does
/// that, unless it could only read; so it is opened once more by one that writes.
fn empty_log(made: &Path, place: &Place, store: Arc<Database>) -> Result<()> {
    drop(Arc::into_inner(store).context("the new store is still open")?);
    drop(serve::open_store(made, place)?);
    let log = made.join(format!("{STORE_NAME}-wal"));
    if log.exists() {
        bail!("{} was not written into its file; nothing was changed, run this again", log.display());
    }
    Ok(())
}

fn free_name(directory: &Path) -> Result<PathBuf> {
    let names = (1..u32::MAX).map(|number| directory.join(format!("replaced-{number}")));
    names.into_iter().find(|path| !path.exists()).context("no name replaced-N is free")
}

/// The old store goes with its logs, which go also where it itself is gone: SQLite would take them for the new one's.
fn swap_store(directory: &Path, made: &Path, kept: &Path) -> Result<()> {
    for name in ["", "-wal", "-shm"].map(|end| format!("{STORE_NAME}{end}")) {
        if directory.join(&name).exists() {
            rename(&directory.join(&name), &kept.join(&name))?;
        }
    }
    sync(kept)?;
    rename(&made.join(STORE_NAME), &directory.join(STORE_NAME))?;
    sync(directory)
}

fn swap_lake(directory: &Path, made: &Path, kept: &Path) -> Result<()> {
    let (old, new) = (directory.join(LAKE), made.join(LAKE));
    if old.exists() {
        rename(&old, &kept.join(LAKE))?;
    }
    if new.exists() {
        rename(&new, &old)?;
    }
    sync(kept).and_then(|()| sync(directory))
}

fn swap_schema(place: &Place, store: &Database, kept: &Path, remove_old: bool) -> Result<()> {
    let (old, new) = (&place.schema, new_place(place).schema);
    let number = kept.file_name().and_then(|name| name.to_str()).unwrap_or("replaced").replace('-', "_");
    let exists = "SELECT CAST(1 AS BIGINT) FROM information_schema.schemata WHERE schema_name = $1";
    store.transaction(|session| {
        if !session.query(exists, &[Value::from(old.as_str())])?.is_empty() {
            session.batch(&if remove_old {
                format!("DROP SCHEMA \"{old}\" CASCADE")
            } else {
                format!("ALTER SCHEMA \"{old}\" RENAME TO \"{old}_{number}\"")
            })?;
        }
        session.batch(&format!("ALTER SCHEMA \"{new}\" RENAME TO \"{old}\""))
    })?;
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))
}

fn sync(directory: &Path) -> Result<()> {
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.with_context(|| format!("syncing {}", directory.display()))
}
