//! A stable sort by account number: digit by digit, without comparing, as many digits as the numbers differ in.

/// Bits of the longest digit: the counters of one pass stay in the processor's nearest cache.
const DIGIT_BITS: u32 = 11;

/// Sorts by `key`; items of one key keep their order. `spare` is room for a copy, of any content.
pub(crate) fn sort_by_key<T: Copy>(items: &mut Vec<T>, spare: &mut Vec<T>, key: impl Fn(&T) -> u64) {
    let Some(first) = items.first().map(&key) else { return };
    let (low, high) = items.iter().map(&key).fold((first, first), |(low, high), key| (low.min(key), high.max(key)));
    let bits = u64::BITS - (high - low).leading_zeros();
    let Some(width) = (bits > 0).then(|| bits.div_ceil(bits.div_ceil(DIGIT_BITS))) else { return };
    spare.clear();
    spare.extend_from_slice(items);
    for shift in (0..bits).step_by(width as usize) {
        let digit = |item: &T| (((key(item) - low) >> shift) & ((1 << width) - 1)) as usize;
        scatter(items, spare, 1 << width, digit);
        std::mem::swap(items, spare);
    }
}

/// Writes the items in the order of their digit.
fn scatter<T: Copy>(from: &[T], to: &mut [T], digits: usize, digit: impl Fn(&T) -> usize) {
    let mut ends = vec![0_usize; digits];
    for item in from {
        ends[digit(item)] += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    for item in from {
        let slot = &mut ends[digit(item)];
        to[*slot] = *item;
        *slot += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::sort_by_key;

    proptest! {
        #[test]
        fn it_is_the_stable_sort_of_the_library(
            keys in prop_oneof![
                proptest::collection::vec(5_u64..9, 0..200),
                proptest::collection::vec(1_000_000_u64..1_020_000, 0..200),
                proptest::collection::vec(any::<u64>(), 0..200),
            ]
        ) {
            let mut items: Vec<(u64, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            sort_by_key(&mut items, &mut Vec::new(), |item| item.0);
            prop_assert_eq!(items, expected);
        }
    }
}
