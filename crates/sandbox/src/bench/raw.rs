//! What the disk can do: the journal's bytes appended to a plain file, each append followed by fdatasync.
//!
//! It is measured in the same run and in the same directory as the load, so that a figure says how near the platform is to
//! what its disk allows, whatever the machine does that day.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::numbers::Numbers;

/// The most time spent on it; the rest is extrapolated.
const LIMIT: Duration = Duration::from_secs(10);

/// What the journal wrote: so many appends of so many bytes in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Appends {
    /// How many.
    pub(crate) count: u64,
    /// Their payloads' bytes.
    pub(crate) bytes: u64,
}

/// What the plain file took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Raw {
    /// Appends of the journal.
    pub(crate) appends: u64,
    /// Bytes of them all.
    pub(crate) bytes: u64,
    /// How many of the appends were repeated on the plain file.
    pub(crate) repeated: u64,
    /// What all of them take, in seconds.
    pub(crate) seconds: f64,
}

impl Appends {
    /// Reads the counters of the platform's metrics (Prometheus text).
    pub(crate) fn of_metrics(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse::<f64>().ok()).map_or(0, |value| value as u64)
        };
        Self { count: value("lintel_journal_append_seconds_count"), bytes: value("lintel_journal_bytes_total") }
    }

    /// What came since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { count: self.count - before.count.min(self.count), bytes: self.bytes - before.bytes.min(self.bytes) }
    }

    /// Repeats them on a plain file in `directory`, all of the mean size.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn repeat(self, directory: &Path) -> Result<Raw> {
        let path = directory.join("raw-append");
        let raw = self.repeat_in(&path).with_context(|| format!("appending to {}", path.display()));
        drop(std::fs::remove_file(&path));
        raw
    }

    fn repeat_in(self, path: &Path) -> Result<Raw> {
        let size = usize::try_from(self.bytes / self.count.max(1))?;
        let mut numbers = Numbers(1);
        let mut piece: Vec<u8> = Vec::with_capacity(size + 8);
        while piece.len() < size {
            piece.extend_from_slice(&numbers.draw().to_le_bytes());
        }
        piece.truncate(size);
        let mut file = std::fs::File::create(path)?;
        let (began, mut repeated) = (Instant::now(), 0);
        while repeated < self.count && began.elapsed() < LIMIT {
            file.write_all(&piece)?;
            file.sync_data()?;
            repeated += 1;
        }
        let seconds = began.elapsed().as_secs_f64() * self.count as f64 / repeated.max(1) as f64;
        Ok(Raw { appends: self.count, bytes: self.bytes, repeated, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE lintel_journal_bytes_total counter\nlintel_journal_bytes_total 4000\n\n\
                           lintel_journal_append_seconds_bucket{le=\"0.1\"} 9\nlintel_journal_append_seconds_sum 0.25\n\
                           lintel_journal_append_seconds_count 10\n";

    #[test]
    fn the_journals_appends_are_read_from_the_metrics() {
        assert_eq!(Appends::of_metrics(METRICS), Appends { count: 10, bytes: 4_000 });
        assert_eq!(Appends::of_metrics(""), Appends::default());
        let since = Appends { count: 10, bytes: 4_000 }.since(Appends { count: 3, bytes: 1_000 });
        assert_eq!(since, Appends { count: 7, bytes: 3_000 });
    }

    #[test]
    fn appends_are_repeated_on_a_file_that_goes_away() {
        let directory = std::env::temp_dir().join(format!("lintel-bench-raw-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let raw = Appends { count: 3, bytes: 3_000 }.repeat(&directory).unwrap();
        assert_eq!((raw.appends, raw.bytes, raw.repeated), (3, 3_000, 3));
        assert!(raw.seconds > 0.0);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
