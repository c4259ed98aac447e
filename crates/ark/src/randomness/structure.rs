//! The tests that look for structure: ranks of matrices, linear recurrences, repetitions, periods.
//!
//! Formulas of GM/T 0005-2012, 4.4; all are also those of NIST SP 800-22, whose examples are the tests below.

use rustfft::{FftPlanner, num_complex::Complex};

use super::statistics::{complementary_error, upper_gamma};

/// Rows of square matrices of bits depend on each other as seldom as they should (矩阵秩).
pub(super) fn matrix_rank(bits: &[u8]) -> f64 {
    const SIDE: usize = 32;
    /// Of full rank, one less, and the rest.
    const SHARES: [f64; 3] = [0.288_788, 0.577_576, 0.133_636];
    let mut classes = [0_u64; 3];
    for block in bits.chunks_exact(SIDE * SIDE) {
        let rows = block.chunks_exact(SIDE).map(|row| row.iter().fold(0, |word, bit| word << 1 | u32::from(*bit)));
        classes[(SIDE - rank(rows)).min(2)] += 1;
    }
    fit(&classes, &SHARES)
}

fn rank(rows: impl Iterator<Item = u32>) -> usize {
    let mut basis = [0_u32; 32];
    for mut row in rows {
        while row != 0 {
            let place = row.leading_zeros() as usize;
            if basis[place] == 0 {
                basis[place] = row;
                break;
            }
            row ^= basis[place];
        }
    }
    basis.iter().filter(|row| **row != 0).count()
}

/// No short recurrence makes the bits of a block (线性复杂度).
pub(super) fn linear_complexity(bits: &[u8], length: usize) -> f64 {
    const SHARES: [f64; 7] = [0.010_417, 0.031_25, 0.125, 0.5, 0.25, 0.0625, 0.020_833];
    let (size, sign) = (length as f64, if length.is_multiple_of(2) { 1.0 } else { -1.0 });
    let mean = size / 2.0 + (9.0 - sign) / 36.0 - (size / 3.0 + 2.0 / 9.0) / size.exp2();
    let mut classes = [0_u64; 7];
    for block in bits.chunks_exact(length) {
        let off = sign * (complexity(block) as f64 - mean) + 2.0 / 9.0;
        classes[(off + 2.5).ceil().clamp(0.0, 6.0) as usize] += 1;
    }
    fit(&classes, &SHARES)
}

/// The length of the shortest linear recurrence that makes at most 511 bits: Berlekamp and Massey's algorithm.
fn complexity(bits: &[u8]) -> usize {
    const WORDS: usize = 8;
    let shifted = |words: &[u64; WORDS], low: u64| {
        let mut carried = low;
        words.map(|word| {
            let moved = word << 1 | carried;
            carried = word >> 63;
            moved
        })
    };
    let one = {
        let mut words = [0; WORDS];
        words[0] = 1;
        words
    };
    let (mut made_by, mut before, mut seen, mut length) = (one, one, [0; WORDS], 0);
    for (place, bit) in bits.iter().enumerate() {
        seen = shifted(&seen, u64::from(*bit));
        before = shifted(&before, 0);
        let ones: u32 = made_by.iter().zip(&seen).map(|(one, other)| (one & other).count_ones()).sum();
        if ones.is_multiple_of(2) {
            continue;
        }
        let kept = made_by;
        made_by.iter_mut().zip(&before).for_each(|(word, other)| *word ^= other);
        if 2 * length <= place {
            length = place + 1 - length;
            before = kept;
        }
    }
    length
}

/// Patterns come again after as long as they should: what could be compressed is found (通用统计, Maurer's).
pub(super) fn universal(bits: &[u8]) -> f64 {
    const LENGTH: usize = 7;
    const LEARNED: usize = 1_280;
    /// Mean and variance for patterns of 7 bits.
    const MEAN: f64 = 6.196_250_7;
    const VARIANCE: f64 = 3.125;
    let (size, tested) = (LENGTH as f64, (bits.len() / LENGTH - LEARNED) as f64);
    let correction = 0.7 - 0.8 / size + (4.0 + 32.0 / size) * tested.powf(-3.0 / size) / 15.0;
    let spread = correction * (VARIANCE / tested).sqrt();
    complementary_error((distance(bits, LENGTH, LEARNED) - MEAN).abs() / (std::f64::consts::SQRT_2 * spread))
}

/// The mean of log₂ of how many patterns ago a pattern came last.
fn distance(bits: &[u8], length: usize, learned: usize) -> f64 {
    let mut last = vec![0_usize; 1 << length];
    let (mut sum, mut tested) = (0.0, 0.0);
    for (pattern, place) in bits.chunks_exact(length).zip(1..) {
        let number = pattern.iter().fold(0, |number, bit| number << 1 | usize::from(*bit));
        if place > learned {
            sum += ((place - last[number]) as f64).log2();
            tested += 1.0;
        }
        last[number] = place;
    }
    sum / tested
}

/// No period stands out (离散傅立叶).
pub(super) fn fourier(bits: &[u8]) -> f64 {
    let length = bits.len() as f64;
    let mut waves: Vec<_> = bits.iter().map(|bit| Complex::new(2.0 * f64::from(*bit) - 1.0, 0.0)).collect();
    FftPlanner::new().plan_fft_forward(waves.len()).process(&mut waves);
    // 95 of a hundred stay below this height.
    let height = (length * 20_f64.ln()).sqrt();
    let below = waves[..waves.len() / 2].iter().filter(|wave| wave.norm() < height).count() as f64;
    let off = (below - 0.95 * length / 2.0) / (length * 0.95 * 0.05 / 4.0).sqrt();
    complementary_error(off.abs() / std::f64::consts::SQRT_2)
}

/// How likely counts as far off from these shares are.
fn fit(classes: &[u64], shares: &[f64]) -> f64 {
    let count = classes.iter().sum::<u64>() as f64;
    let off = |(seen, share): (&u64, &f64)| (*seen as f64 - count * share).powi(2) / (count * share);
    upper_gamma((classes.len() - 1) as f64 / 2.0, classes.iter().zip(shares).map(off).sum::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::{complexity, distance, fourier, linear_complexity, matrix_rank, rank, universal};

    fn bits(text: &str) -> Vec<u8> {
        text.bytes().map(|digit| digit - b'0').collect()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    /// The first bits of e, which begins with 10.1: the sum of 1/k! in fixed point.
    fn digits_of_e(count: usize) -> Vec<u8> {
        let mut term = vec![0_u32; count / 32 + 3];
        let mut sum = term.clone();
        (term[0], sum[0]) = (1, 1);
        for divisor in 1_u64.. {
            let mut rest = 0;
            for word in &mut term {
                let part = rest << 32 | u64::from(*word);
                *word = (part / divisor) as u32;
                rest = part % divisor;
            }
            let mut carry = 0;
            for (word, added) in sum.iter_mut().zip(&term).rev() {
                let part = u64::from(*word) + u64::from(*added) + carry;
                *word = part as u32;
                carry = part >> 32;
            }
            if term.iter().all(|word| *word == 0) {
                break;
            }
        }
        let digits = sum.iter().flat_map(|word| (0..32).rev().map(move |place| (word >> place & 1) as u8));
        digits.skip(30).take(count).collect()
    }

    /// Sections 2.5.8, 2.6.4, 2.6.8, 2.9.4 and 2.10.4. The text of 2.6 counts one and two heights too few below the bound (0.029523,
    /// 0.168669); these values are those of the transform by its definition, and of the institute's own program.
    #[test]
    fn examples_of_sp_800_22() {
        near(matrix_rank(&digits_of_e(100_000)), 0.532_069);
        near(fourier(&bits("1001010011")), 0.468_160);
        let pi = bits(
            "11001001000011111101101010100010001000010110100011\
             00001000110100110001001100011001100010100010111000",
        );
        near(fourier(&pi), 0.646_355);
        near(distance(&bits("01011010011101010111"), 2, 4), 1.194_987_5);
        assert_eq!(complexity(&bits("1101011110001")), 4);
    }

    #[test]
    fn ranks_and_recurrences_are_found() {
        assert_eq!(rank([0b101, 0b011, 0b110].into_iter()), 2);
        assert_eq!(rank((0..32).map(|place| 1 << place)), 32);
        assert_eq!(rank([0; 32].into_iter()), 0);
        // A register of 17 bits: it repeats after more than its 500 bits, and is one recurrence all the same.
        let mut register = 1_u32;
        let register: Vec<u8> = std::iter::repeat_with(|| {
            register = register >> 1 | ((register ^ register >> 3) & 1) << 16;
            (register & 1) as u8
        })
        .take(500)
        .collect();
        assert_eq!(complexity(&register), 17);
        assert_eq!(complexity(&[0; 500]), 0);
        assert_eq!(complexity(&[[0; 499].as_slice(), &[1]].concat()), 500);
    }

    #[test]
    fn what_has_structure_is_far_off() {
        let periodic: Vec<u8> = (0..1_000_000).map(|place| u8::from(place % 10 < 5)).collect();
        for test in [matrix_rank, universal, fourier, |bits: &[u8]| linear_complexity(bits, 500)] {
            assert!(test(&periodic) < 1e-6);
        }
    }
}
