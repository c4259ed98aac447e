//! `lintel verify`: checks everything that a data directory holds of the books, with the platform stopped.

use anyhow::{Result, bail};
use ark::ceremony::RootKey;
use ark::vault::{Checked, KEY_FILE_NAME, VAULT_NAME, is_made};
use clap::Args;
use history::History;
use journal::DirectoryLock;
use node::verify::{self, Damage, Part, Progress, Report};
use serde_json::{Value, json};

use super::progress::Shown;
use super::still::Still;
use super::{journal as journal_cli, key, print};
use crate::config::Config;
use crate::serve;

const HELP: &str = "\
It looks at every row of the journal (checksum, chain, order), every file of history (bytes, rows, order, balances), every row \
of the store (checksum) and its indexes, and replays the journal to compare: each row, each column that lists are filtered by, \
each idempotency key, each end of a day, and the entries of each account. Nothing is changed, but that a store of an older \
program is brought up to date. It takes as long as the journal takes to replay. Of the vault it looks at the file, that ids have \
no gap and none is missing that the journal knows, and that every key in it opens: with the root key in ark.key, or with the lines of \
its custodians (--shares); without either the vault is passed over, and the report says so.

On PostgreSQL indexes are checked by the extension amcheck where it is installed and this user may call it (GRANT EXECUTE ON \
FUNCTION bt_index_check(regclass, boolean)); else each is read and compared with its table, which sees everything but damage \
above an index's leaves.

The platform must be stopped: its tables and files change while it runs. Beside a running one, `lintel backup take` checks every \
row of the journal that is new; a restored copy can be verified on another machine.

Damage is named, one a line, and the exit code is then 1. Damage to tables and files is mended with `lintel rebuild`; damage \
to the journal or the vault only with a backup: `lintel restore`.

Examples:
  lintel --data-dir data verify
  lintel --data-dir data verify --shares < lines        the vault too, where custodians hold its root key
  lintel --config lintel.toml verify --json";

/// Check journal, store and history against their checksums and against a replay, and the vault by itself.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Verify {
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
    /// Read custodians' shares from standard input, a line each, to open the vault's keys.
    #[arg(long)]
    shares: bool,
}

impl Verify {
    /// Does it.
    ///
    /// # Errors
    /// What cannot be read, and damage.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let root = if self.shares { Some(key::collect()?) } else { None };
        let still = Still::hold(config, "verify")?;
        serve::refuse_half_rebuilt(&config.data_dir)?;
        let mut report = report(config, &still.lock)?;
        still.ensure()?;
        let vault = look_at_vault(config, report.last_customer, root.as_ref())?;
        let damages = vault.iter().flat_map(|vault| &vault.damages);
        report.damages.extend(damages.map(|what| Damage::new(Part::Vault, VAULT_NAME, what)));
        print(&if self.json { format!("{}\n", shown(&report, vault.as_ref())) } else { told(&report, vault.as_ref()) });
        match report.damages.len() as u64 + report.more {
            0 => Ok(()),
            1 => bail!("1 damage was found"),
            count => bail!("{count} damages were found"),
        }
    }
}

/// Verifies the directory that is held.
///
/// # Errors
/// What cannot be read.
fn report(config: &Config, lock: &DirectoryLock) -> Result<Report> {
    let mut journal = journal_cli::open(config, lock)?;
    let history = History::new(&config.data_dir);
    let file = config.data_dir.join(serve::STORE_NAME);
    let store = if config.store.is_embedded() && !file.exists() {
        // To open it would make it.
        Err(format!("{} is not there", file.display()))
    } else {
        match serve::open_store(&config.data_dir, &config.store) {
            Ok(store) => Ok(store),
            Err(error) if config.store.is_embedded() => Err(format!("{error:#}")),
            Err(error) => return Err(error),
        }
    };
    let mut shown = Shown::new();
    let report =
        verify::verify(&mut journal, store.as_ref().map_err(Clone::clone), &history, &mut |progress| match progress {
            Progress::File(path, of) => shown.detail(&format!("checking {of} files of history"), path),
            Progress::Journal(position, last) => shown.position("replaying the journal", position, last),
            Progress::Table(table) => shown.detail("comparing tables", table),
            Progress::Accounts => shown.stage("adding up every account's entries"),
        })?;
    shown.end();
    Ok(report)
}

/// Looks at the vault, of which the journal knows the customers up to `registered`; `None` if nothing here opens its keys.
///
/// # Errors
/// Keys that are elsewhere and do not answer.
fn look_at_vault(config: &Config, registered: u64, root: Option<&RootKey>) -> Result<Option<Checked>> {
    let (directory, home) = (&config.data_dir, config.ark_home());
    let damaged = |what: String| Ok(Some(Checked { damages: vec![what], ..Checked::default() }));
    let is_remote = !config.ark.remote.url.is_empty();
    // To open either would make it.
    let missing = match is_made(directory) {
        Ok(true) => (!is_remote && !home.is_made()?).then(|| home.name()),
        Ok(false) if directory.join(VAULT_NAME).exists() => {
            return damaged(format!("{VAULT_NAME} has no tables, so it is no vault; put it back from its copy"));
        }
        Ok(false) => Some(VAULT_NAME.into()),
        Err(error) => return damaged(error.to_string()),
    };
    if let Some(missing) = missing {
        let name = missing.strip_prefix(directory).unwrap_or(&missing).display();
        return damaged(format!("{name} is not there; put it back from its copy"));
    }
    let keys = match key::held(config, root, "lintel verify") {
        Err(error) if root.is_some() => return damaged(format!("{error:#}")),
        keys => keys?,
    };
    if keys.is_none() && !directory.join(KEY_FILE_NAME).exists() {
        return Ok(None);
    }
    let mut checked = match key::vault(&home, keys).and_then(|vault| vault.verify()) {
        Ok(checked) => checked,
        Err(error) => return damaged(error.to_string()),
    };
    let last = checked.last.map_or(0, |customer| customer.0);
    if last < registered {
        checked.damages.push(format!(
            "its last customer is {last}, the journal's {registered}: it is older than the journal, or of other books"
        ));
    }
    Ok(Some(checked))
}

fn shown(report: &Report, vault: Option<&Checked>) -> Value {
    let Report { journal, checkpoint, compared, files, accounts, keys, last_customer: _, state, damages, more } =
        report;
    let damage = |damage: &verify::Damage| {
        let verify::Damage { part, name, id, position, what } = damage;
        json!({ "part": part.name(), "name": name, "id": id, "position": position, "what": what })
    };
    json!({
        "rows": journal.rows, "events": journal.events, "position": journal.tip.next.saturating_sub(1),
        "hash": journal.tip.hash.to_string(), "checkpoint": checkpoint.map(|checkpoint| checkpoint.position),
        "compared": compared, "files": files, "accounts": accounts, "keys": keys, "state": state.map(hex::encode),
        "damages": damages.iter().map(damage).collect::<Vec<_>>(), "more_damages": more,
        "vault": vault.map(|vault| json!({ "last_customer": vault.last.map(|customer| customer.0), "opened": vault.opened })),
    })
}

fn told(report: &Report, vault: Option<&Checked>) -> String {
    let Report { journal, checkpoint, compared, files, accounts, keys, last_customer: _, state, damages, more } =
        report;
    let (rows, events, position) = (journal.rows, journal.events, journal.tip.next.saturating_sub(1));
    let mut text =
        format!("journal    {rows} rows, {events} events, to position {position}, hash {}\n", journal.tip.hash);
    text.push_str(&match checkpoint.map(|checkpoint| checkpoint.position) {
        Some(at) if *compared => format!("store      at position {at}: compared with a replay, {keys} keys too\n"),
        Some(at) => format!("store      at position {at}: looked at by itself only\n"),
        None => "store      holds no checkpoint\n".to_owned(),
    });
    text.push_str(&format!("history    {files} files, {accounts} accounts compared with a replay\n"));
    text.push_str(&state.map_or_else(String::new, |state| format!("state      {}\n", hex::encode(state))));
    text.push_str(&vault.map_or_else(
        || "vault      passed over: custodians hold the root key of its keys; --shares reads their lines\n".to_owned(),
        |vault| {
            let last = vault.last.map_or(0, |customer| customer.0);
            format!("vault      {last} customers, {} keys and secrets opened\n", vault.opened)
        },
    ));
    damages.iter().for_each(|damage| text.push_str(&format!("DAMAGED    {damage}\n")));
    if *more > 0 {
        text.push_str(&format!("DAMAGED    {more} more\n"));
    }
    let has = |part: Part| damages.iter().any(|damage| damage.part == part);
    if damages.is_empty() {
        text.push_str("all is as it was written\n");
    } else if has(Part::Journal) {
        text.push_str("the journal itself is damaged: restore it from a backup (`lintel restore --help`)\n");
    } else if has(Part::Table) || has(Part::File) || has(Part::Account) {
        text.push_str("the journal is whole: `lintel rebuild` makes store and history anew from it\n");
    }
    if has(Part::Vault) {
        text.push_str("nothing makes the vault anew: put the newest copy that a backup has in its place\n");
    }
    text
}
