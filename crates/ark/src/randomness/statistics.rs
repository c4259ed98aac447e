//! The tests themselves: from bits, each a byte of 0 or 1, to the probability that randomness is as far off as they are.
//!
//! Formulas of GM/T 0005-2012, 4.4, most of which are also those of NIST SP 800-22, whose examples are the tests below.

/// Ones and zeros are as many (单比特频数).
pub(super) fn monobit(bits: &[u8]) -> f64 {
    balance(ones(bits), bits.len())
}

/// And so they are in each block (块内频数).
pub(super) fn block_frequency(bits: &[u8], length: usize) -> f64 {
    let blocks = bits.chunks_exact(length);
    let count = blocks.len() as f64;
    let off: f64 = blocks.map(|block| (ones(block) as f64 / length as f64 - 0.5).powi(2)).sum();
    upper_gamma(count / 2.0, 2.0 * length as f64 * off)
}

/// Patterns side by side are equally frequent (扑克).
pub(super) fn poker(bits: &[u8], length: usize) -> f64 {
    let mut counts = vec![0_u64; 1 << length];
    for pattern in bits.chunks_exact(length) {
        counts[number(pattern)] += 1;
    }
    let patterns = (bits.len() / length) as f64;
    let value = squares(&counts) * counts.len() as f64 / patterns - patterns;
    upper_gamma((counts.len() - 1) as f64 / 2.0, value / 2.0)
}

/// Overlapping patterns are equally frequent (重叠子序列), by first and second difference.
pub(super) fn overlapping(bits: &[u8], length: usize) -> (f64, f64) {
    let spread = |length: usize| {
        if length == 0 {
            return 0.0;
        }
        let counts = overlapping_counts(bits, length);
        squares(&counts) * counts.len() as f64 / bits.len() as f64 - bits.len() as f64
    };
    let [this, less, least] = [spread(length), spread(length - 1), spread(length - 2)];
    let size = f64::from(1_u32 << length);
    (upper_gamma(size / 4.0, (this - less) / 2.0), upper_gamma(size / 8.0, (this - 2.0 * less + least) / 2.0))
}

/// There are as many runs as there should be (游程总数).
pub(super) fn runs(bits: &[u8]) -> f64 {
    let length = bits.len() as f64;
    let share = ones(bits) as f64 / length;
    let spread = share * (1.0 - share);
    let changes = bits.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let off = (changes as f64 + 1.0 - 2.0 * length * spread).abs();
    if spread == 0.0 { 0.0 } else { complementary_error(off / (2.0 * (2.0 * length).sqrt() * spread)) }
}

/// And they are as long as they should be (游程分布).
pub(super) fn run_lengths(bits: &[u8]) -> f64 {
    let expected = |length: usize| (bits.len() - length + 3) as f64 / 2_f64.powi(length as i32 + 2);
    let longest = (1..60.min(bits.len())).take_while(|length| expected(*length) >= 5.0).count();
    let mut counts = [vec![0_u64; longest], vec![0_u64; longest]];
    for run in bits.chunk_by(|one, next| one == next) {
        if let Some(count) = counts[usize::from(run[0])].get_mut(run.len() - 1) {
            *count += 1;
        }
    }
    let off = |counts: &Vec<u64>| -> f64 {
        counts
            .iter()
            .zip(1..)
            .map(|(count, length)| (*count as f64 - expected(length)).powi(2) / expected(length))
            .sum()
    };
    upper_gamma(longest as f64 - 1.0, counts.iter().map(off).sum::<f64>() / 2.0)
}

/// The longest run of ones in blocks of 10,000 bits (块内最大1游程).
pub(super) fn longest_run(bits: &[u8]) -> f64 {
    /// Probabilities of at most 10, of 11 to 15, of at least 16.
    const SHARES: [f64; 7] = [0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727];
    let blocks = bits.chunks_exact(10_000);
    let count = blocks.len() as f64;
    let mut classes = [0_u64; 7];
    for block in blocks {
        let runs = block.chunk_by(|one, next| one == next).filter(|run| run[0] == 1);
        let longest = runs.map(<[u8]>::len).max().unwrap_or(0);
        classes[longest.clamp(10, 16) - 10] += 1;
    }
    let off: f64 =
        classes.iter().zip(SHARES).map(|(seen, share)| (*seen as f64 - count * share).powi(2) / (count * share)).sum();
    upper_gamma(3.0, off / 2.0)
}

/// Ones and zeros are as many after `times` times taking the difference of neighbours (二元推导).
pub(super) fn binary_derivative(bits: &[u8], times: usize) -> f64 {
    let mut bits = bits.to_vec();
    for _ in 0..times {
        for place in 1..bits.len() {
            bits[place - 1] ^= bits[place];
        }
        bits.pop();
    }
    monobit(&bits)
}

/// A bit says nothing about the one `distance` further (自相关).
pub(super) fn autocorrelation(bits: &[u8], distance: usize) -> f64 {
    let differ = bits.iter().zip(&bits[distance..]).filter(|(one, other)| one != other).count();
    balance(differ, bits.len() - distance)
}

/// The sum of ones less zeros does not wander off (累加和).
pub(super) fn cumulative_sums(bits: &[u8]) -> f64 {
    let length = bits.len() as f64;
    let mut sum = 0_i64;
    let mut farthest = 0_i64;
    for bit in bits {
        sum += 2 * i64::from(*bit) - 1;
        farthest = farthest.max(sum.abs());
    }
    let (far, root) = (farthest as f64, length.sqrt());
    let band = |from: f64, to: f64, low: f64, high: f64| -> f64 {
        let (first, last) = (((from / far + low) / 4.0).trunc() as i64, ((to / far - 1.0) / 4.0).trunc() as i64);
        (first..=last)
            .map(|step| {
                let at = |offset: f64| normal((4.0 * step as f64 + offset) * far / root);
                at(high) - at(high - 2.0)
            })
            .sum()
    };
    1.0 - band(-length, length, 1.0, 1.0) + band(-length, length, -3.0, 3.0)
}

/// Longer patterns are as free as shorter ones (近似熵).
pub(super) fn approximate_entropy(bits: &[u8], length: usize) -> f64 {
    let size = bits.len() as f64;
    let entropy = |length: usize| -> f64 {
        let counts = overlapping_counts(bits, length);
        counts
            .iter()
            .filter(|count| **count > 0)
            .map(|count| *count as f64 / size)
            .map(|share| share * share.ln())
            .sum()
    };
    let value = 2.0 * size * (std::f64::consts::LN_2 - (entropy(length) - entropy(length + 1)));
    upper_gamma(f64::from(1_u32 << (length - 1)), value / 2.0)
}

fn ones(bits: &[u8]) -> usize {
    bits.iter().map(|bit| usize::from(*bit)).sum()
}

/// How likely so many ones among `length` bits are.
fn balance(ones: usize, length: usize) -> f64 {
    let off = (2.0 * ones as f64 - length as f64).abs() / (length as f64).sqrt();
    complementary_error(off / std::f64::consts::SQRT_2)
}

fn number(pattern: &[u8]) -> usize {
    pattern.iter().fold(0, |number, bit| number << 1 | usize::from(*bit))
}

/// Patterns at every place, the last of them round the end.
fn overlapping_counts(bits: &[u8], length: usize) -> Vec<u64> {
    let mut counts = vec![0; 1 << length];
    let mut pattern = number(&bits[..length - 1]);
    for bit in bits[length - 1..].iter().chain(&bits[..length - 1]) {
        pattern = (pattern << 1 | usize::from(*bit)) & (counts.len() - 1);
        counts[pattern] += 1;
    }
    counts
}

fn squares(counts: &[u64]) -> f64 {
    counts.iter().map(|count| (*count as f64).powi(2)).sum()
}

/// Φ, the share of a normal distribution below `value`.
fn normal(value: f64) -> f64 {
    let beyond = complementary_error(value.abs() / std::f64::consts::SQRT_2) / 2.0;
    if value > 0.0 { 1.0 - beyond } else { beyond }
}

/// erfc, for values from 0.
pub(super) fn complementary_error(value: f64) -> f64 {
    upper_gamma(0.5, value * value)
}

/// The incomplete gamma function Q(a, x): by its series where x is small, else by its continued fraction.
pub(super) fn upper_gamma(a: f64, x: f64) -> f64 {
    const PRECISE: f64 = 1e-15;
    const STEPS: u32 = 100_000;
    if x <= 0.0 || !x.is_finite() {
        return if x <= 0.0 { 1.0 } else { 0.0 };
    }
    let scale = (a * x.ln() - x - log_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..STEPS {
            term *= x / (a + f64::from(step));
            sum += term;
            if term < sum * PRECISE {
                break;
            }
        }
        return (1.0 - scale * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in (1..STEPS).map(f64::from) {
        let factor = step * (a - step);
        b += 2.0;
        d = 1.0 / (factor * d + b);
        c = b + factor / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < PRECISE {
            break;
        }
    }
    (scale * fraction).clamp(0.0, 1.0)
}

/// ln Γ for values above 0: Stirling's series, after moving the value to where it is precise.
fn log_gamma(value: f64) -> f64 {
    let (mut at, mut moved) = (value, 0.0);
    while at < 10.0 {
        moved += at.ln();
        at += 1.0;
    }
    let square = at * at;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / at;
    (at - 0.5) * at.ln() - at + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - moved
}

#[cfg(test)]
mod tests {
    use super::{
        approximate_entropy, block_frequency, complementary_error, cumulative_sums, log_gamma, monobit, overlapping,
        runs, upper_gamma,
    };

    fn bits(text: &str) -> Vec<u8> {
        text.bytes().map(|digit| digit - b'0').collect()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    /// The first hundred binary digits of π, the example of SP 800-22, sections 2.1.8 to 2.13.8.
    #[test]
    fn examples_of_sp_800_22() {
        let pi = bits(
            "11001001000011111101101010100010001000010110100011\
             00001000110100110001001100011001100010100010111000",
        );
        near(monobit(&pi), 0.109_599);
        near(block_frequency(&pi, 10), 0.706_438);
        near(runs(&pi), 0.500_798);
        near(cumulative_sums(&pi), 0.219_194);
        near(approximate_entropy(&pi, 2), 0.235_301);
        // Section 2.11.4.
        let (first, second) = overlapping(&bits("0011011101"), 3);
        near(first, 0.808_792);
        near(second, 0.670_320);
    }

    /// Values of tables: erfc, factorials, and Q(a, x) of whole a, which is a sum of a few terms.
    #[test]
    fn functions_have_their_known_values() {
        near(complementary_error(0.0), 1.0);
        near(complementary_error(1.0), 0.157_299_207);
        near(complementary_error(2.0), 0.004_677_735);
        near(log_gamma(1.0), 0.0);
        near(log_gamma(11.0), 3_628_800_f64.ln());
        near(log_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        near(upper_gamma(3.0, 2.0), 5.0 * (-2_f64).exp());
        near(upper_gamma(3.0, 8.0), 41.0 * (-8_f64).exp());
        // Far out, the gamma distribution of a large a is a normal one: half of it lies about a.
        assert!((upper_gamma(5000.0, 5000.0) - 0.5).abs() < 0.01);
    }
}
