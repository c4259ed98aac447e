//! What is wrong with a message, a value or an access: field, offset, what was found, what would be right.
//!
//! Content is never part of an error: only lengths, positions, and single bytes of prefix, bitmap and padding, or of
//! a field that is not sensitive.

use std::fmt;

use thiserror::Error;

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The whole message.
    Message,
    /// The message type.
    Mti,
    /// One of the bitmaps.
    Bitmap,
    /// A field by its number.
    Field(u8),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => f.write_str("message"),
            Self::Mti => f.write_str("message type"),
            Self::Bitmap => f.write_str("bitmap"),
            Self::Field(number) => write!(f, "field {number}"),
        }
    }
}

/// What is wrong there; each says what was found and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Problem {
    /// The message ends too early.
    #[error("{left} bytes are left, {needed} are needed")]
    Truncated {
        /// Bytes that the profile asks for.
        needed: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// Bytes follow the last field of the bitmap.
    #[error("{surplus} bytes follow the last field; the message ends with the last field of its bitmap")]
    Surplus {
        /// How many.
        surplus: usize,
    },
    /// Longer than any frame.
    #[error("{found} bytes; at most 65535 fit a frame")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The length prefix is no number.
    #[error("the length prefix has {found:#04x} where a digit belongs")]
    PrefixDigit {
        /// The byte.
        found: u8,
    },
    /// The length is more than the profile allows.
    #[error("length {found}; the profile allows at most {most}")]
    TooLong {
        /// The length.
        found: usize,
        /// The profile's size.
        most: usize,
    },
    /// A value has not the fixed length.
    #[error("length {found}; the profile fixes {size}")]
    NotFixed {
        /// The length.
        found: usize,
        /// The profile's size.
        size: usize,
    },
    /// A character or half byte that the format does not have.
    #[error("position {position}{} is outside format {format}", shown(.found))]
    Character {
        /// Counted from 0, in digits or characters.
        position: usize,
        /// It, unless the field is sensitive.
        found: Option<u8>,
        /// The profile's format, in its letters.
        format: &'static str,
    },
    /// The half byte beside an odd number of digits is another one.
    #[error("padded with {found:#X}; the profile pads with {expected:#X}")]
    Padding {
        /// The half byte found.
        found: u8,
        /// The profile's.
        expected: u8,
    },
    /// An odd number of half bytes where whole bytes are counted.
    #[error("{found} digits; an even number is needed where bytes are counted")]
    Odd {
        /// Digits found.
        found: usize,
    },
    /// Bit 1 announces a second bitmap that the profile does not have.
    #[error("bit 1 is set; the profile has 64 bits and no second bitmap")]
    SecondBitmap,
    /// The profile does not describe this field, so its length is unknown.
    #[error("the profile does not describe it; add it under [fields], or clear its bit")]
    Undescribed,
    /// The message has no such field.
    #[error("it is not in the message; ask for a field that is")]
    Absent,
    /// Asked for as something else.
    #[error("its format is {format}; ask for it as {format}, not as {asked}")]
    Kind {
        /// The profile's format, in its letters.
        format: &'static str,
        /// What it was asked for as.
        asked: &'static str,
    },
    /// A number that does not fit.
    #[error("the number does not fit; it must be from 0 to the largest of 64 bits with a sign, and fit the field")]
    Number,
    /// Text that is not UTF-8.
    #[error("it is not UTF-8 text; take its bytes and decode them")]
    Text,
}

fn shown(found: &Option<u8>) -> String {
    found.map_or(String::new(), |found| format!(" ({found:#04x})"))
}

/// One problem at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{place}{}: {problem}", at(.offset))]
pub struct Error {
    /// Where.
    pub place: Place,
    /// The byte of the message, counted from the message type; none when a message is being built.
    pub offset: Option<usize>,
    /// What.
    pub problem: Problem,
}

fn at(offset: &Option<usize>) -> String {
    offset.map_or(String::new(), |offset| format!(" at byte {offset}"))
}

impl Error {
    pub(crate) fn at(place: Place, offset: usize, problem: Problem) -> Self {
        Self { place, offset: Some(offset), problem }
    }

    /// The same, for who counts from further out, as from the beginning of a frame.
    #[must_use]
    pub fn moved(self, by: usize) -> Self {
        Self { offset: self.offset.map(|offset| offset + by), ..self }
    }

    pub(crate) fn building(place: Place, problem: Problem) -> Self {
        Self { place, offset: None, problem }
    }
}
