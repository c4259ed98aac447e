//! Tests of a provider's randomness on request, after GM/T 0005-2012 (随机性检测规范).
//!
//! Twenty samples of a million bits each go through the standard's fifteen tests with its parameters; a test passes if at least 19
//! samples reach the level of significance 0.01, which is the standard's bound for twenty. Good randomness misses that
//! bound about once in sixty tests, so a test that missed it is done again with fresh samples, and fails if it misses
//! twice.
//!
//! Such tests find a source that is broken. They do not prove one good: a cipher under a known key passes too.

mod statistics;
mod structure;

use crate::provider::{KeyError, Provider};

/// Bits of a sample.
pub const SAMPLE_BITS: usize = 1_000_000;
/// Samples of a test.
pub const SAMPLES: usize = 20;

const SIGNIFICANCE: f64 = 0.01;

/// How one test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestResult {
    /// The test and its parameter.
    pub name: &'static str,
    /// How many samples there were.
    pub samples: usize,
    /// How many of them passed, the second time if there was one.
    pub passed: usize,
    /// Whether it was done again.
    pub repeated: bool,
}

impl TestResult {
    /// Whether enough samples passed: 19 of twenty, which is the standard's `s (1 − α − 3 √(α (1 − α) / s))` rounded up.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let samples = self.samples as f64;
        let spread = 3.0 * (SIGNIFICANCE * (1.0 - SIGNIFICANCE) / samples).sqrt();
        self.passed as f64 >= (samples * (1.0 - SIGNIFICANCE - spread)).ceil()
    }
}

type Test = fn(&[u8]) -> f64;

/// Name, and the probability of a result as far off as this one.
const TESTS: [(&str, Test); 23] = [
    ("monobit", statistics::monobit),
    ("block frequency, 100", |bits| statistics::block_frequency(bits, 100)),
    ("poker, 4", |bits| statistics::poker(bits, 4)),
    ("poker, 8", |bits| statistics::poker(bits, 8)),
    ("overlapping, 2, first", |bits| statistics::overlapping(bits, 2).0),
    ("overlapping, 2, second", |bits| statistics::overlapping(bits, 2).1),
    ("overlapping, 5, first", |bits| statistics::overlapping(bits, 5).0),
    ("overlapping, 5, second", |bits| statistics::overlapping(bits, 5).1),
    ("runs", statistics::runs),
    ("run lengths", statistics::run_lengths),
    ("longest run of ones", statistics::longest_run),
    ("binary derivative, 3", |bits| statistics::binary_derivative(bits, 3)),
    ("binary derivative, 7", |bits| statistics::binary_derivative(bits, 7)),
    ("autocorrelation, 1", |bits| statistics::autocorrelation(bits, 1)),
    ("autocorrelation, 8", |bits| statistics::autocorrelation(bits, 8)),
    ("autocorrelation, 16", |bits| statistics::autocorrelation(bits, 16)),
    ("cumulative sums", statistics::cumulative_sums),
    ("approximate entropy, 2", |bits| statistics::approximate_entropy(bits, 2)),
    ("approximate entropy, 5", |bits| statistics::approximate_entropy(bits, 5)),
    ("matrix rank, 32", structure::matrix_rank),
    ("linear complexity, 500", |bits| structure::linear_complexity(bits, 500)),
    ("universal, 7", structure::universal),
    ("Fourier transform", structure::fourier),
];

/// Tests what [`Provider::random`] gives. Takes seconds.
///
/// # Errors
/// [`KeyError::Random`] if it gives nothing.
pub fn check(provider: &dyn Provider) -> Result<Vec<TestResult>, KeyError> {
    check_source(SAMPLES, |bytes| provider.random(bytes))
}

fn check_source(
    samples: usize,
    mut source: impl FnMut(&mut [u8]) -> Result<(), KeyError>,
) -> Result<Vec<TestResult>, KeyError> {
    let mut results = TESTS.map(|(name, _)| TestResult { name, samples, passed: 0, repeated: false });
    for repeated in [false, true] {
        if repeated && results.iter().all(TestResult::is_good) {
            break;
        }
        let missed = results.map(|result| !result.is_good());
        for (result, _) in results.iter_mut().zip(missed).filter(|(_, missed)| *missed) {
            *result = TestResult { passed: 0, repeated, ..*result };
        }
        for _ in 0..samples {
            let bits = sample(&mut source)?;
            for ((result, (_, test)), missed) in results.iter_mut().zip(TESTS).zip(missed) {
                if missed && test(&bits) >= SIGNIFICANCE {
                    result.passed += 1;
                }
            }
        }
    }
    Ok(results.to_vec())
}

/// One sample, a byte for each bit.
fn sample(source: &mut impl FnMut(&mut [u8]) -> Result<(), KeyError>) -> Result<Vec<u8>, KeyError> {
    let mut bytes = vec![0; SAMPLE_BITS / 8];
    source(&mut bytes)?;
    Ok(bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect())
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES, TestResult, check_source};
    use crate::{
        provider::{Cipher, KeyError, KeyKind, Provider as _},
        soft::Soft,
    };

    /// A stream that is as good as random and the same in every run: SM4 in counter mode.
    fn stream() -> impl FnMut(&mut [u8]) -> Result<(), KeyError> {
        let soft = Soft::new().expect("self-tests pass");
        let key = soft.import(KeyKind::Sm4, &[0x35; 16]).expect("a key");
        let mut number = 0_u64;
        move |bytes| {
            number += 1;
            let counter = [number.to_be_bytes(), [0; 8]].concat();
            bytes.copy_from_slice(&soft.encrypt(key, Cipher::Ctr { counter: &counter }, &vec![0; bytes.len()])?);
            Ok(())
        }
    }

    fn failed(source: impl FnMut(&mut [u8]) -> Result<(), KeyError>) -> Vec<&'static str> {
        let results = check_source(2, source).expect("the source gives bytes");
        results.iter().filter(|result| !result.is_good()).map(|result| result.name).collect()
    }

    #[test]
    fn a_good_source_passes() {
        let results = check_source(SAMPLES, stream()).expect("the source gives bytes");
        assert!(results.iter().all(TestResult::is_good), "{results:?}");
    }

    #[test]
    fn broken_sources_are_found_by_the_test_that_is_for_them() {
        let constant = failed(|bytes| {
            bytes.fill(0);
            Ok(())
        });
        assert!(constant.contains(&"monobit") && constant.contains(&"poker, 4"), "{constant:?}");
        let alternating = failed(|bytes| {
            bytes.fill(0x55);
            Ok(())
        });
        assert!(!alternating.contains(&"monobit") && alternating.contains(&"runs"), "{alternating:?}");
        // One bit in thirty-two is always set.
        let mut good = stream();
        let stuck = failed(|bytes| {
            good(bytes)?;
            bytes.iter_mut().step_by(4).for_each(|byte| *byte |= 1);
            Ok(())
        });
        assert!(stuck.contains(&"monobit") && stuck.contains(&"cumulative sums"), "{stuck:?}");
        // Every byte is one of sixteen.
        let mut good = stream();
        let narrow = failed(|bytes| {
            good(bytes)?;
            bytes.iter_mut().for_each(|byte| *byte = (*byte & 0x0f) | (!*byte & 0x0f) << 4);
            Ok(())
        });
        assert!(narrow.contains(&"poker, 8") && !narrow.contains(&"monobit"), "{narrow:?}");
    }

    #[test]
    fn the_bound_is_the_standards() {
        let good = |samples, passed| TestResult { name: "", samples, passed, repeated: false }.is_good();
        assert!(good(20, 19) && !good(20, 18));
        assert!(good(1000, 981) && !good(1000, 980));
    }

    #[test]
    fn a_source_that_gives_nothing_is_an_error() {
        let error =
            check_source(SAMPLES, |_| Err(KeyError::Random(getrandom::Error::UNSUPPORTED))).expect_err("no bytes");
        assert_eq!(error.code(), "random_unavailable");
    }
}
