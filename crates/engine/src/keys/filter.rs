//! Filters: what of the keys that left memory stays there.
//!
//! A filter says of a key that it is surely new, or that it may have been used; about one new key in 65,536 may have been
//! used by its word (a binary fuse filter with fingerprints of 16 bits: Graf and Lemire, "Binary Fuse Filters: Fast and
//! Smaller Than Xor Filters", 2022). A key that was used is never called new, as long as the filter is the one that was
//! built from it; so a filter that was kept says of itself how it was made, and its keeper tries it on keys it must know.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use xorf::{BinaryFuse16, Descriptor, Filter as _};

/// The form of [`KeyFilter::to_bytes`], and the way in which keys are hashed.
const FORM: u32 = 1;
/// Bytes before the fingerprints: form, seed, length of a segment, length of all segments but the last two.
const HEAD: usize = 4 + 8 + 4 + 4;

/// Journal positions behind `after`, up to `through` and with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The position before the first.
    pub after: u64,
    /// The last position.
    pub through: u64,
}

/// What stands in memory for the keys of a span.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    span: Span,
    keys: u64,
    fuse: BinaryFuse16,
}

/// Why there is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No arrangement of the keys was found, which is all but impossible.
    #[error("no filter could be built of the {keys} keys at {span:?}: {reason}; they stay in memory")]
    Construction {
        /// Of which positions.
        span: Span,
        /// How many keys.
        keys: u64,
        /// The library's words.
        reason: &'static str,
    },
    /// Bytes that are not a filter.
    #[error("the filter of {span:?} cannot be read: {reason}; it is built again from the keys")]
    Form {
        /// Of which positions.
        span: Span,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A key's hash, the same in every process and version: filters are kept. A caller who makes keys with equal hashes gains
/// nothing but a look-up.
#[must_use]
pub fn hash(scope: &str, key: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(&(scope.len() as u64).to_le_bytes());
    hasher.write(scope.as_bytes());
    hasher.write(key.as_bytes());
    hasher.finish()
}

impl KeyFilter {
    /// Builds the filter of all keys of a span, given by their hashes.
    ///
    /// # Errors
    /// [`FilterError::Construction`].
    pub fn build(span: Span, mut hashes: Vec<u64>) -> Result<Self, FilterError> {
        let keys = hashes.len() as u64;
        hashes.sort_unstable();
        hashes.dedup();
        let fuse = BinaryFuse16::try_from(&hashes);
        let fuse = fuse.map_err(|reason| FilterError::Construction { span, keys, reason })?;
        Ok(Self { span, keys, fuse })
    }

    /// False if no key of this span has this hash.
    #[must_use]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.fuse.contains(&hash)
    }

    /// Of which positions it knows the keys.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// How many keys it was built from.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.fuse.fingerprints)
    }

    /// As bytes to be kept; span and count of keys are kept beside them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Descriptor { seed, segment_length, segment_length_mask: _, segment_count_length } = self.fuse.descriptor;
        let mut bytes = Vec::with_capacity(HEAD + size_of_val(&*self.fuse.fingerprints));
        bytes.extend_from_slice(&FORM.to_le_bytes());
        bytes.extend_from_slice(&seed.to_le_bytes());
        bytes.extend_from_slice(&segment_length.to_le_bytes());
        bytes.extend_from_slice(&segment_count_length.to_le_bytes());
        bytes.extend(self.fuse.fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
        bytes
    }

    /// The filter that [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// [`FilterError::Form`] for bytes of another form or length; what they say of the keys is not proved by this.
    pub fn from_bytes(span: Span, keys: u64, bytes: &[u8]) -> Result<Self, FilterError> {
        let wrong = |reason| FilterError::Form { span, reason };
        let (head, fingerprints) = bytes.split_at_checked(HEAD).ok_or(wrong("it has no head"))?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
        if word(0) != FORM {
            return Err(wrong("it is of another form"));
        }
        let seed = u64::from(word(4)) | u64::from(word(8)) << 32;
        let (segment_length, segment_count_length) = (word(12), word(16));
        let length = u64::from(segment_count_length) + 2 * u64::from(segment_length);
        if !segment_length.is_power_of_two() || length * 2 != fingerprints.len() as u64 {
            return Err(wrong("its lengths do not fit together"));
        }
        let descriptor =
            Descriptor { seed, segment_length, segment_length_mask: segment_length - 1, segment_count_length };
        let fingerprints = fingerprints.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        Ok(Self { span, keys, fuse: BinaryFuse16 { descriptor, fingerprints } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { after: 3, through: 99_999 };

    fn hashes(scope: &str, count: u32) -> Vec<u64> {
        (0..count).map(|number| hash(scope, &format!("out_trade_no:{number}"))).collect()
    }

    #[test]
    fn no_used_key_is_called_new_and_few_new_ones_used() {
        let used = hashes("mch_1", 100_000);
        let filter = KeyFilter::build(SPAN, used.clone()).unwrap();
        assert!(used.iter().all(|hash| filter.may_contain(*hash)));
        let wrong = hashes("mch_2", 1_000_000).iter().filter(|hash| filter.may_contain(**hash)).count();
        // 15.3 are expected; of 60 the chance is below 10^-15.
        assert!(wrong < 60, "{wrong} of a million");
        assert!(filter.bytes() < 250_000, "{} bytes", filter.bytes());
    }

    #[test]
    fn any_number_of_keys_makes_a_filter_and_equal_hashes_are_one() {
        for count in (0..300).chain([1_000, 4_095, 4_096, 4_097]) {
            let mut used = hashes("mch_1", count);
            used.extend(used.clone());
            let filter = KeyFilter::build(SPAN, used.clone()).unwrap();
            assert_eq!(filter.keys(), u64::from(count) * 2);
            assert!(used.iter().all(|hash| filter.may_contain(*hash)), "{count} keys");
        }
    }

    #[test]
    fn a_kept_filter_comes_back_and_other_bytes_do_not() {
        let used = hashes("mch_1", 1_000);
        let filter = KeyFilter::build(SPAN, used.clone()).unwrap();
        let bytes = filter.to_bytes();
        let back = KeyFilter::from_bytes(SPAN, 1_000, &bytes).unwrap();
        assert_eq!((back.to_bytes(), back.span(), back.keys()), (bytes.clone(), SPAN, 1_000));
        assert!(used.iter().all(|hash| back.may_contain(*hash)));
        let mut of_another_form = bytes.clone();
        of_another_form[0] += 1;
        let mut of_another_length = bytes.clone();
        of_another_length[13] ^= 1;
        for wrong in [&bytes[..HEAD - 1], &bytes[..bytes.len() - 2], &of_another_form, &of_another_length] {
            assert!(matches!(KeyFilter::from_bytes(SPAN, 1_000, wrong), Err(FilterError::Form { .. })));
        }
    }

    #[test]
    fn the_hash_of_a_key_is_for_ever() {
        // A version that hashes in another way would call every old key new: it has to give filters another form.
        assert_eq!(hash("mch_1", "out_trade_no:A-1"), 16_568_726_036_870_874_153);
        assert_ne!(hash("mch_1", "1out"), hash("mch_11", "out"));
    }
}
