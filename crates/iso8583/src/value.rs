//! What a field holds, apart from how it lies in the message.

use std::fmt;

/// Digits of a field: packed in the message, or characters.
#[derive(Clone, Copy)]
pub struct Digits<'a> {
    bytes: &'a [u8],
    /// Half bytes before the first digit; always 0 for characters.
    skip: usize,
    count: usize,
    packed: bool,
}

impl<'a> Digits<'a> {
    /// Digits written as characters.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self::characters(text.as_bytes())
    }

    pub(crate) fn characters(bytes: &'a [u8]) -> Self {
        Self { bytes, skip: 0, count: bytes.len(), packed: false }
    }

    pub(crate) fn packed(bytes: &'a [u8], skip: usize, count: usize) -> Self {
        Self { bytes, skip, count, packed: true }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One digit as a character: `0` to `9`, above that `A` to `F` or, in ASCII track data, `=`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u8> {
        if index >= self.count {
            return None;
        }
        if !self.packed {
            return self.bytes.get(index).copied();
        }
        let place = index.checked_add(self.skip)?;
        let byte = *self.bytes.get(place / 2)?;
        let nibble = if place.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F };
        Some(if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) })
    }

    /// Those from `start` on, at most `count`; `None` if there are none.
    pub(crate) fn part(&self, start: usize, count: usize) -> Option<Self> {
        let count = self.count.checked_sub(start)?.min(count);
        let found = if self.packed {
            Self { skip: self.skip + start, count, ..*self }
        } else {
            Self { bytes: self.bytes.get(start..)?.get(..count)?, count, ..*self }
        };
        (count > 0).then_some(found)
    }

    /// The characters, if they lie there as such.
    pub(crate) fn as_characters(&self) -> Option<&'a [u8]> {
        (!self.packed).then_some(self.bytes)
    }

    /// The digits as characters, first to last.
    pub fn iter(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let digits = *self;
        (0..digits.count).filter_map(move |index| digits.get(index))
    }

    /// The number that they write, if it fits and all are `0` to `9`.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        self.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }
}

impl PartialEq<&str> for Digits<'_> {
    fn eq(&self, text: &&str) -> bool {
        self.iter().eq(text.bytes())
    }
}

/// Shows how many: whether they are sensitive is known to the field only.
impl fmt::Debug for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} digits>", self.count)
    }
}

/// What a field holds, borrowed.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Of formats `n` and `z`.
    Digits(Digits<'a>),
    /// Of formats `an` and `ans`: ASCII, or text in GBK.
    Text(&'a [u8]),
    /// Of format `b`.
    Bytes(&'a [u8]),
    /// Of format `b`, as hexadecimal characters.
    Hex(&'a [u8]),
}

/// Shows kind and length: whether it is sensitive is known to the field only.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits(digits) => digits.fmt(f),
            Self::Text(text) => write!(f, "<{} characters>", text.len()),
            Self::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Self::Hex(hex) => write!(f, "<{} bytes>", hex.len() / 2),
        }
    }
}
