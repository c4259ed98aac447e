//! The root key among custodians: any m of n shares make it, fewer say nothing about it (Shamir 1979, over GF(256)).
//!
//! A share is a line of text: `ark-share-1-SET-THRESHOLD-INDEX-SHARE-CHECK`, in hexadecimal; the set names which
//! ceremony it is of, the check (SM3 of all before it) finds a slip of the pen.
//!
//! Invariants: root key and shares print nothing of themselves and are wiped; arithmetic takes the same time for all secrets; two shares of
//! different sets are never combined.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::{hash::sm3, provider::KeyError};

/// Length of the root key in bytes: an SM4 key.
pub const ROOT_LENGTH: usize = 16;
const MAGIC: &str = "ark-share-1-";

/// Why a share was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Not the form of a share.
    #[error("this is not a share: it begins `ark-share-1-` and has six parts between hyphens")]
    Form,
    /// A slip of the pen.
    #[error("the share is mistyped: its check does not fit; compare it with the paper, digit by digit")]
    Mistyped,
    /// Of another ceremony.
    #[error("the share is of another set ({found:08x}) than those before it ({expected:08x})")]
    OtherSet {
        /// The set of those before it.
        expected: u32,
        /// Its set.
        found: u32,
    },
    /// Given before.
    #[error("share {0} was given already; another custodian's is needed")]
    Duplicate(u8),
    /// Not enough yet.
    #[error("{found} of {threshold} shares are here; bring more")]
    TooFew {
        /// How many are here.
        found: u8,
        /// How many it takes.
        threshold: u8,
    },
}

impl ShareError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form => "share_form",
            Self::Mistyped => "share_mistyped",
            Self::OtherSet { .. } => "share_other_set",
            Self::Duplicate(_) => "share_duplicate",
            Self::TooFew { .. } => "shares_too_few",
        }
    }
}

/// The root key, outside of a provider: only during a ceremony.
pub struct RootKey(Zeroizing<[u8; ROOT_LENGTH]>);

impl RootKey {
    /// A random one.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; ROOT_LENGTH]);
        getrandom::fill(&mut *bytes).map_err(KeyError::Random)?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; ROOT_LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; ROOT_LENGTH] {
        &self.0
    }

    /// Deals it into `shares` shares of which any `threshold` make it. Each call is a set of its own.
    ///
    /// # Errors
    /// [`KeyError::Random`]; [`KeyError::Length`] if the threshold is below 2 or above the number of shares.
    pub fn deal(&self, threshold: u8, shares: u8) -> Result<Vec<Share>, KeyError> {
        if threshold < 2 || threshold > shares {
            return Err(KeyError::Length {
                what: "threshold",
                found: usize::from(threshold),
                needed: "it is 2 to the number of shares",
            });
        }
        let mut set = [0; 4];
        getrandom::fill(&mut set).map_err(KeyError::Random)?;
        // A polynomial for each byte of the root, which is its value at 0.
        let mut coefficients = Zeroizing::new(vec![0; ROOT_LENGTH * usize::from(threshold - 1)]);
        getrandom::fill(&mut coefficients).map_err(KeyError::Random)?;
        let share = |index: u8| {
            let mut value = [0; ROOT_LENGTH];
            for coefficient in coefficients.chunks_exact(ROOT_LENGTH).rev() {
                for (byte, coefficient) in value.iter_mut().zip(coefficient) {
                    *byte = multiply(*byte ^ coefficient, index);
                }
            }
            for (byte, root) in value.iter_mut().zip(self.0.iter()) {
                *byte ^= root;
            }
            Share { set: u32::from_be_bytes(set), threshold, index, value: Zeroizing::new(value) }
        };
        Ok((1..=shares).map(share).collect())
    }
}

/// Prints nothing of it.
impl fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RootKey(…)")
    }
}

/// One custodian's share. Shown only by [`Share::text`].
#[derive(Clone)]
pub struct Share {
    set: u32,
    threshold: u8,
    index: u8,
    value: Zeroizing<[u8; ROOT_LENGTH]>,
}

impl Share {
    /// The line for the custodian.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{MAGIC}{:08x}-{:02x}-{:02x}-", self.set, self.threshold, self.index));
        text.push_str(&Zeroizing::new(hex::encode(*self.value)));
        let check = hex::encode(&sm3(text.as_bytes())[..4]);
        text.push('-');
        text.push_str(&check);
        text
    }

    /// A share from its line.
    ///
    /// # Errors
    /// [`ShareError::Form`], [`ShareError::Mistyped`].
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let text = Zeroizing::new(text.trim().to_ascii_lowercase());
        let (body, check) = text.rsplit_once('-').ok_or(ShareError::Form)?;
        let rest = body.strip_prefix(MAGIC).ok_or(ShareError::Form)?;
        let [set, threshold, index, value] = rest.split('-').collect::<Vec<_>>()[..] else {
            return Err(ShareError::Form);
        };
        if check != hex::encode(&sm3(body.as_bytes())[..4]) {
            return Err(ShareError::Mistyped);
        }
        let mut bytes = Zeroizing::new([0; ROOT_LENGTH]);
        hex::decode_to_slice(value, &mut *bytes).map_err(|_| ShareError::Form)?;
        let set = u32::from_str_radix(set, 16).map_err(|_| ShareError::Form)?;
        let threshold = u8::from_str_radix(threshold, 16).map_err(|_| ShareError::Form)?;
        let index = u8::from_str_radix(index, 16).map_err(|_| ShareError::Form)?;
        if index == 0 || threshold < 2 {
            return Err(ShareError::Form);
        }
        Ok(Self { set, threshold, index, value: bytes })
    }

    /// Its number in the set, from 1.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }
}

/// Prints its number only.
impl fmt::Debug for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Share({}, …)", self.index)
    }
}

/// How far the collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Shares here.
    pub found: u8,
    /// Shares needed.
    pub threshold: u8,
}

/// Shares as custodians bring them, in any order.
#[derive(Default)]
pub struct Shares(Vec<Share>);

impl Shares {
    /// Takes a share in.
    ///
    /// # Errors
    /// [`ShareError::OtherSet`], [`ShareError::Duplicate`]; those taken before stay.
    pub fn add(&mut self, share: Share) -> Result<Progress, ShareError> {
        if let Some(first) = self.0.first() {
            if first.set != share.set || first.threshold != share.threshold {
                return Err(ShareError::OtherSet { expected: first.set, found: share.set });
            }
            if self.0.iter().any(|known| known.index == share.index) {
                return Err(ShareError::Duplicate(share.index));
            }
        }
        let threshold = share.threshold;
        self.0.push(share);
        Ok(Progress { found: u8::try_from(self.0.len()).unwrap_or(u8::MAX), threshold })
    }

    /// How many are here; `None` before the first, which says how many it takes.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let threshold = self.0.first()?.threshold;
        Some(Progress { found: u8::try_from(self.0.len()).unwrap_or(u8::MAX), threshold })
    }

    /// The root key of the shares here.
    ///
    /// # Errors
    /// [`ShareError::TooFew`].
    pub fn combine(&self) -> Result<RootKey, ShareError> {
        let threshold = self.0.first().map_or(2, |share| share.threshold);
        let found = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        if found < threshold {
            return Err(ShareError::TooFew { found, threshold });
        }
        let used = &self.0[..usize::from(threshold)];
        let mut root = [0; ROOT_LENGTH];
        for share in used {
            // Lagrange's basis at 0; minus is plus here.
            let others = used.iter().filter(|other| other.index != share.index);
            let weight = others
                .fold(1, |weight, other| multiply(weight, multiply(other.index, invert(other.index ^ share.index))));
            for (byte, value) in root.iter_mut().zip(share.value.iter()) {
                *byte ^= multiply(*value, weight);
            }
        }
        let key = RootKey::from_bytes(root);
        root.zeroize();
        Ok(key)
    }
}

/// Prints how many there are.
impl fmt::Debug for Shares {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shares({})", self.0.len())
    }
}

/// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2), without a branch or table.
fn multiply(left: u8, right: u8) -> u8 {
    let (mut left, mut product) = (left, 0);
    for bit in 0..8 {
        product ^= left & (right >> bit & 1).wrapping_neg();
        left = (left << 1) ^ (0x1b & (left >> 7).wrapping_neg());
    }
    product
}

/// The inverse: the 254th power.
fn invert(value: u8) -> u8 {
    let mut result = 1;
    for _ in 0..254 {
        result = multiply(result, value);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{RootKey, Share, ShareError, Shares, invert, multiply};

    /// FIPS 197, 4.2; and every inverse.
    #[test]
    fn field() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for value in 1..=255 {
            assert_eq!(multiply(value, invert(value)), 1, "{value}");
        }
    }

    /// All subsets of all ceremonies up to 6 shares, in both orders: at the threshold the root, below it a refusal.
    #[test]
    fn every_subset() {
        let root = RootKey::generate().expect("random");
        for shares in 2..=6_u8 {
            for threshold in 2..=shares {
                let dealt = root.deal(threshold, shares).expect("dealt");
                for subset in 0..(1_u32 << shares) {
                    let mut chosen: Vec<_> =
                        dealt.iter().filter(|share| subset >> (share.index - 1) & 1 == 1).collect();
                    if subset % 2 == 0 {
                        chosen.reverse();
                    }
                    let mut collected = Shares::default();
                    for share in &chosen {
                        collected.add(Share::parse(&share.text()).expect("its own text")).expect("taken");
                    }
                    match collected.combine() {
                        Ok(found) => {
                            assert!(chosen.len() >= usize::from(threshold));
                            assert!(found.expose() == root.expose());
                        }
                        Err(error) => {
                            assert!(chosen.len() < usize::from(threshold));
                            assert_eq!(error.code(), "shares_too_few");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bad_shares_are_told_apart() {
        let root = RootKey::generate().expect("random");
        let (first, second) = (root.deal(2, 3).expect("dealt"), root.deal(2, 3).expect("dealt"));
        let mut collected = Shares::default();
        collected.add(first[0].clone()).expect("taken");
        assert_eq!(collected.add(first[0].clone()), Err(ShareError::Duplicate(1)));
        assert_eq!(collected.add(second[1].clone()).map_err(|error| error.code()), Err("share_other_set"));
        let text = first[1].text();
        for (place, letter) in text.char_indices().filter(|(_, letter)| letter.is_ascii_hexdigit()).skip(5) {
            let mut altered = text.to_string();
            altered.replace_range(place..=place, if letter == '0' { "1" } else { "0" });
            assert!(Share::parse(&altered).is_err(), "{place}");
        }
        for text in ["", "ark-share-1-", "ark-share-1-a-b-c-d-e", "密-钥"] {
            assert!(Share::parse(text).is_err(), "{text}");
        }
        assert!(root.deal(1, 3).is_err() && root.deal(4, 3).is_err());
    }
}
