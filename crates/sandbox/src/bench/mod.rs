//! Load generators: each drives a real server process over loopback and prints what it measured.

pub mod ledger;

/// The value below which `percent` of the sorted values lie.
#[must_use]
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}
