//! Where the journal lies, and how batches of it are made.

use std::time::Duration;

use anyhow::{Result, bail};
use journal::Keep;
use serde::Deserialize;

use super::PlaceUrl;

/// The longest that batches may be apart: an answer waits for two of them.
const BATCH_EVERY_MAX_US: u64 = 1_000_000;

/// Where the journal lies, how much of it in the database, and where the rest; how far apart its batches are at least.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalConfig {
    pub(crate) url: PlaceUrl,
    pub(crate) schema: String,
    pub(crate) keep_mib: u64,
    pub(crate) ranges: String,
    pub(crate) batch_every_us: u64,
}

impl JournalConfig {
    /// True on the embedded default.
    pub(crate) fn is_embedded(&self) -> bool {
        self.url.is_embedded()
    }

    /// What of it stays in the database; `None` if all of it does.
    pub(crate) fn keep(&self) -> Option<Keep> {
        (self.keep_mib > 0).then(|| Keep::newest(self.keep_mib.saturating_mul(1 << 20)))
    }

    /// The least time from the beginning of a batch to that of the next.
    pub(crate) fn batch_every(&self) -> Duration {
        Duration::from_micros(self.batch_every_us)
    }

    /// Refuses batches so far apart that callers take them for a platform that stands still.
    ///
    /// # Errors
    /// The setting, by name, and what would be right.
    pub(super) fn check(&self) -> Result<()> {
        if self.batch_every_us > BATCH_EVERY_MAX_US {
            bail!("journal.batch_every_us is {}; it is at most {BATCH_EVERY_MAX_US}, a second", self.batch_every_us);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn batches_that_are_too_far_apart_are_refused_by_name() {
        let every = |line: &str| Config::load(None, &[line.to_owned()]).map(|config| config.journal.batch_every());
        assert_eq!(every("log=text").unwrap(), Duration::ZERO);
        assert_eq!(every("journal.batch_every_us=500").unwrap(), Duration::from_micros(500));
        let told = format!("{:#}", every("journal.batch_every_us=1000001").unwrap_err());
        assert!(told.contains("journal.batch_every_us is 1000001"), "{told}");
    }
}
