//! Settings of history: how many of its files become one.

use anyhow::{Result, bail};
use serde::Deserialize;

/// The most files that become one at once: all of them are open meanwhile, some pages of each in memory.
const MOST_MERGED: usize = 100;

/// How files of history are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryConfig {
    pub(crate) merge: usize,
}

impl HistoryConfig {
    /// How many segments become one; `None` if they stay as they are.
    ///
    /// # Errors
    /// A number that makes no merge.
    pub(crate) fn merges(&self) -> Result<Option<usize>> {
        match self.merge {
            0 => Ok(None),
            files @ 2..=MOST_MERGED => Ok(Some(files)),
            files => {
                bail!("history.merge is {files}: use 2 to {MOST_MERGED} files that become one, or 0 to merge none")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_number_of_files_that_makes_no_merge_is_refused_by_name() {
        let merges = |line: &str| Config::load(None, &[line.to_owned()]).and_then(|config| config.history.merges());
        assert_eq!(merges("log=text").unwrap(), Some(10));
        assert_eq!(merges("history.merge=0").unwrap(), None);
        for wrong in ["history.merge=1", "history.merge=101"] {
            assert!(format!("{:#}", merges(wrong).unwrap_err()).contains("history.merge is"));
        }
    }
}
