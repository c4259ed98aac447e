//! Watches a run from a thread of its own: progress, and a point for each slice of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::load::Shared;
use super::progress::{Progress, thousands};
use crate::process::{disk_bytes, resident_bytes};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// Where a run stood at the end of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Point {
    /// Transfers answered since the run began.
    pub(crate) transfers: u64,
    /// Seconds since the run began.
    pub(crate) seconds: f64,
    /// Transfers a second within the slice.
    pub(crate) per_second: f64,
    /// Resident memory of the server.
    pub(crate) resident_bytes: u64,
    /// Bytes in its data directory.
    pub(crate) disk_bytes: u64,
}

/// What is watched.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// The run.
    pub(crate) shared: Arc<Shared>,
    /// The server's process.
    pub(crate) process: u32,
    /// Its data directory.
    pub(crate) directory: PathBuf,
    /// Transfers of the whole run.
    pub(crate) transfers: u64,
    /// In how many parts it is measured.
    pub(crate) slices: u64,
    /// Where progress is said.
    pub(crate) progress: Arc<Progress>,
}

impl Monitor {
    /// Watches until the run ends; gives its points.
    pub(crate) fn watch(&self) -> Vec<Point> {
        let began = Instant::now();
        let mut points = Vec::new();
        let mut said = (0, Duration::ZERO);
        loop {
            let ended = self.shared.has_ended();
            let (done, elapsed) = (self.shared.done.load(Ordering::Relaxed), began.elapsed());
            let before = points.last().map_or(0, |point: &Point| point.transfers);
            if slice(done, self.transfers, self.slices) > slice(before, self.transfers, self.slices)
                || (ended && done > before)
            {
                let point = self.point(points.last(), done, elapsed);
                points.push(point);
            }
            if ended {
                return points;
            }
            self.progress.now_and_then(|| {
                let rate = rate(done - said.0, elapsed.saturating_sub(said.1));
                said = (done, elapsed);
                let resident = resident_bytes(self.process).unwrap_or_default() >> 20;
                let (done, all, rate) = (thousands(done), thousands(self.transfers), thousands(rate as u64));
                format!("{done} of {all} transfers, {rate}/s, {resident} MiB resident")
            });
            std::thread::sleep(LOOK);
        }
    }

    fn point(&self, before: Option<&Point>, transfers: u64, elapsed: Duration) -> Point {
        let since = before.map_or((0, 0.0), |point| (point.transfers, point.seconds));
        let seconds = elapsed.as_secs_f64();
        Point {
            transfers,
            seconds,
            per_second: (transfers - since.0) as f64 / (seconds - since.1).max(f64::EPSILON),
            resident_bytes: resident_bytes(self.process).unwrap_or_default(),
            disk_bytes: disk_bytes(&self.directory),
        }
    }
}

/// The number of whole slices that are done.
fn slice(done: u64, of: u64, slices: u64) -> u128 {
    u128::from(done) * u128::from(slices) / u128::from(of.max(1))
}

/// So many a second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_ends_with_its_last_transfer() {
        let slices = [0, 24, 25, 49, 50, 99, 100].map(|done| slice(done, 100, 4));
        assert_eq!(slices, [0, 0, 1, 1, 2, 3, 4]);
    }

    #[test]
    fn a_run_that_ended_has_a_last_point_with_all_that_was_done() {
        let shared = Arc::new(Shared::default());
        shared.done.store(70, Ordering::Relaxed);
        shared.end();
        let (directory, progress) = (PathBuf::from("/nowhere"), Arc::new(Progress::new(true)));
        let process = std::process::id();
        let monitor = Monitor { shared, process, directory, transfers: 100, slices: 2, progress };
        let points = monitor.watch();
        assert_eq!(points.len(), 1);
        assert_eq!((points[0].transfers, points[0].disk_bytes), (70, 0));
    }
}
