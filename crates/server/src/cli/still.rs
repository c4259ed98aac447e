//! A data directory on which no platform runs: what `verify` and `rebuild` need, since a running one moves its store and
//! files on all the while.

use anyhow::{Context, Result, bail};
use journal::DirectoryLock;

use crate::config::Config;
use crate::shell::lease::Idle;

/// Held against every platform, on this machine and on others.
#[derive(Debug)]
pub(super) struct Still {
    pub(super) lock: DirectoryLock,
    idle: Idle,
}

impl Still {
    /// Takes hold of the settings' data directory and journal for `command`.
    ///
    /// # Errors
    /// No such directory; a platform that runs on it, or leads its journal in PostgreSQL.
    pub(super) fn hold(config: &Config, command: &str) -> Result<Self> {
        let directory = &config.data_dir;
        if !directory.is_dir() {
            bail!("there is no directory {}; name the platform's with --data-dir", directory.display());
        }
        let stop =
            || format!("`lintel {command}` needs the platform stopped: its tables and files change while it runs");
        let lock = DirectoryLock::acquire(directory).with_context(stop)?;
        let Some(idle) = Idle::hold(&config.journal)? else {
            let schema = &config.journal.schema;
            bail!(
                "{}; a node leads the journal in schema {schema}: stop every node (one that was killed counts for 5 s)",
                stop()
            );
        };
        Ok(Self { lock, idle })
    }

    /// Sees that nobody began to lead meanwhile.
    ///
    /// # Errors
    /// The journal's lease was lost.
    pub(super) fn ensure(&self) -> Result<()> {
        if self.idle.is_held() {
            return Ok(());
        }
        bail!("PostgreSQL did not answer for 5 s, so a node may lead by now; run this again")
    }
}
