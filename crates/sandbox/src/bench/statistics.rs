//! Percentiles of measured times.

use serde::Serialize;

/// The value below which `percent` of the sorted values lie.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}

/// What is said of many measured times, in milliseconds; all zero if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Percentiles {
    /// How many were measured.
    pub(crate) count: usize,
    /// Half are below it.
    pub(crate) p50: f64,
    /// 95 % are below it.
    pub(crate) p95: f64,
    /// 99 % are below it.
    pub(crate) p99: f64,
    /// The slowest.
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of these times in milliseconds, in any order.
    pub(crate) fn of(mut times_ms: Vec<f64>) -> Self {
        times_ms.sort_by(f64::total_cmp);
        let at = |percent| percentile(&times_ms, percent);
        Self { count: times_ms.len(), p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_times_are_those_times() {
        let times = (0..100).rev().map(f64::from).collect();
        let expected = Percentiles { count: 100, p50: 50.0, p95: 95.0, p99: 99.0, max: 99.0 };
        assert_eq!(Percentiles::of(times), expected);
    }

    #[test]
    fn one_slow_answer_of_a_hundred_and_one_is_the_maximum_and_no_percentile() {
        let mut times = vec![1.0; 101];
        times[3] = 500.0;
        let found = Percentiles::of(times);
        assert_eq!((found.p95, found.p99, found.max), (1.0, 1.0, 500.0));
    }

    #[test]
    fn of_nothing_everything_is_zero() {
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
