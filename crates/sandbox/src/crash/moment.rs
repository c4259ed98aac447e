//! When the power goes: at a drawn time after the load began, while a checkpoint is being written, and while the platform
//! recovers.

use std::path::Path;
use std::time::{Duration, Instant};

use super::draw::one_of;
use crate::bench::numbers::Numbers;

/// The latest moment after the load began.
const LATEST_MS: u64 = 1_800;
/// How long a checkpoint is waited for.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(5);

/// The moments of one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moments {
    /// How long after the load began.
    pub(super) after: Duration,
    /// Then wait until a checkpoint's next file appears.
    pub(super) at_checkpoint: bool,
    /// So many starts are killed, each at this thousandth of the time that a start takes.
    pub(super) of_starts: Vec<u64>,
}

impl Moments {
    /// The moments that are drawn next.
    pub(super) fn draw(numbers: &mut Numbers) -> Self {
        let after = Duration::from_millis(20 + numbers.below(LATEST_MS));
        let at_checkpoint = numbers.below(3) == 0;
        let starts = one_of(&[0, 0, 1, 2], numbers).copied().unwrap_or_default();
        let of_starts = (0..starts).map(|_| numbers.below(1_100)).collect();
        Self { after, at_checkpoint, of_starts }
    }

    /// What a report calls them.
    pub(super) fn name(&self) -> String {
        let load = if self.at_checkpoint { "checkpoint" } else { "load" };
        match self.of_starts.len() {
            0 => load.to_owned(),
            starts => format!("{load}, {starts} starts"),
        }
    }

    /// Waits for the moment under load; blocks.
    pub(super) fn wait(&self, data_dir: &Path) {
        std::thread::sleep(self.after);
        if !self.at_checkpoint {
            return;
        }
        let entries = data_dir.join("lake/entries");
        let (before, until) = (files(&entries), Instant::now() + CHECKPOINT_PATIENCE);
        while files(&entries) == before && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

/// How many files lie below a folder, those under construction included.
fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let counts = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        Ok(_) => 1,
        Err(_) => 0,
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_moments_and_all_kinds_of_them() {
        let draw = |seed: u64| -> Vec<Moments> {
            let mut numbers = Numbers(seed);
            (0..40).map(|_| Moments::draw(&mut numbers)).collect()
        };
        let drawn = draw(1);
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
        assert!(
            drawn.iter().any(|moments| moments.at_checkpoint) && drawn.iter().any(|moments| !moments.at_checkpoint)
        );
        let starts: std::collections::BTreeSet<usize> = drawn.iter().map(|moments| moments.of_starts.len()).collect();
        assert_eq!(starts.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
