//! BER-TLV as EMV uses it in field 55 (EMV Book 3, annex B): tags of up to three bytes, lengths of up to three.
//!
//! A [`Reader`] walks one level and borrows. [`check`] walks all levels under bounds, so that neither nesting nor number
//! of elements of hostile data costs more than they say. Unknown tags are elements like all others. Content is sensitive:
//! `Debug` and errors show tags and lengths only.

use std::fmt;

use thiserror::Error;

/// Levels that [`check`] goes down.
pub const MOST_LEVELS: usize = 4;
/// Elements, on all levels together, that [`check`] accepts.
pub const MOST_ELEMENTS: usize = 256;

/// What is wrong with the data, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlvError {
    /// A tag goes on after three bytes.
    #[error("byte {offset}: a tag of more than three bytes; the longest is three")]
    Tag {
        /// Where it begins.
        offset: usize,
    },
    /// The data ends within a tag, a length or a value.
    #[error("byte {offset}: {left} bytes are left, {needed} are needed")]
    Truncated {
        /// Where what is missing begins.
        offset: usize,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// A length of indefinite form or of more than two bytes after the first.
    #[error("byte {offset}: length byte {found:#04x}; a length is below 0x80, or 0x81 or 0x82 and that many bytes")]
    Length {
        /// Where.
        offset: usize,
        /// The byte.
        found: u8,
    },
    /// Templates in templates.
    #[error("byte {offset}: nested deeper than {MOST_LEVELS} levels")]
    Deep {
        /// Where the innermost begins.
        offset: usize,
    },
    /// More elements than any card sends.
    #[error("byte {offset}: more than {MOST_ELEMENTS} elements")]
    Many {
        /// Where the first too many begins.
        offset: usize,
    },
    /// A tag to write that is no tag.
    #[error("tag {tag:#X}: not one that BER can write in three bytes")]
    Unwritable {
        /// The tag.
        tag: u32,
    },
    /// A value to write that is too long.
    #[error("a value of {found} bytes; at most 65535 can be written")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
}

/// One element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its bytes as one number: `0x9F26`, `0xDF8129`.
    pub tag: u32,
    /// Whether elements lie in it.
    pub constructed: bool,
    /// What it holds.
    pub value: &'a [u8],
    /// Where its value begins, from the beginning of what was read.
    pub offset: usize,
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X} <{} bytes>", self.tag, self.value.len())
    }
}

/// The elements of one level, in order; ends after the first error.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Result<u8, TlvError> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or(TlvError::Truncated { offset: self.at, needed: 1, left: 0 })?;
        self.at += 1;
        Ok(byte)
    }

    fn element(&mut self) -> Result<Element<'a>, TlvError> {
        let begin = self.at;
        let first = self.byte()?;
        let mut tag = u32::from(first);
        if first & 0x1F == 0x1F {
            loop {
                let next = self.byte()?;
                tag = tag << 8 | u32::from(next);
                if next & 0x80 == 0 {
                    break;
                }
                if self.at - begin == 3 {
                    return Err(TlvError::Tag { offset: begin });
                }
            }
        }
        let offset = self.at;
        let length = match self.byte()? {
            short @ ..=0x7F => usize::from(short),
            0x81 => usize::from(self.byte()?),
            0x82 => usize::from(self.byte()?) << 8 | usize::from(self.byte()?),
            found => return Err(TlvError::Length { offset, found }),
        };
        let offset = self.at;
        let left = self.bytes.len() - offset;
        let value = self.bytes.get(offset..).and_then(|rest| rest.get(..length));
        let value = value.ok_or(TlvError::Truncated { offset, needed: length, left })?;
        self.at += length;
        Ok(Element { tag, constructed: first & 0x20 != 0, value, offset })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Element<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Zero bytes between elements are padding.
        while self.bytes.get(self.at) == Some(&0) {
            self.at += 1;
        }
        if self.at >= self.bytes.len() {
            return None;
        }
        let element = self.element();
        if element.is_err() {
            self.at = self.bytes.len();
        }
        Some(element)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes, read to {}>", self.bytes.len(), self.at)
    }
}

/// Walks all levels and counts the elements.
///
/// # Errors
/// [`TlvError`]: the first thing that is wrong, or a bound.
pub fn check(bytes: &[u8]) -> Result<usize, TlvError> {
    let mut elements = 0;
    walk(bytes, 0, 1, &mut elements)?;
    Ok(elements)
}

fn walk(bytes: &[u8], base: usize, level: usize, elements: &mut usize) -> Result<(), TlvError> {
    if level > MOST_LEVELS {
        return Err(TlvError::Deep { offset: base });
    }
    for element in Reader::new(bytes) {
        let element = element.map_err(|error| error.moved(base))?;
        *elements += 1;
        if *elements > MOST_ELEMENTS {
            return Err(TlvError::Many { offset: base + element.offset });
        }
        if element.constructed {
            walk(element.value, base + element.offset, level + 1, elements)?;
        }
    }
    Ok(())
}

impl TlvError {
    /// The same, counted from further out.
    #[must_use]
    pub fn moved(self, base: usize) -> Self {
        match self {
            Self::Tag { offset } => Self::Tag { offset: offset + base },
            Self::Truncated { offset, needed, left } => Self::Truncated { offset: offset + base, needed, left },
            Self::Length { offset, found } => Self::Length { offset: offset + base, found },
            Self::Deep { offset } => Self::Deep { offset: offset + base },
            Self::Many { offset } => Self::Many { offset: offset + base },
            Self::Unwritable { .. } | Self::TooLong { .. } => self,
        }
    }
}

/// Appends an element, its length in the shortest form.
///
/// # Errors
/// [`TlvError::Unwritable`] or [`TlvError::TooLong`].
pub fn put(out: &mut Vec<u8>, tag: u32, value: &[u8]) -> Result<(), TlvError> {
    let bytes = tag.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    let goes_on = |(index, byte): (usize, &u8)| if index == 0 { byte & 0x1F == 0x1F } else { byte & 0x80 != 0 };
    let last = bytes.len().saturating_sub(1);
    let well = bytes.iter().enumerate().all(|(index, byte)| goes_on((index, byte)) == (index < last));
    if bytes.is_empty() || bytes.len() > 3 || !well {
        return Err(TlvError::Unwritable { tag });
    }
    let length = u16::try_from(value.len()).map_err(|_| TlvError::TooLong { found: value.len() })?;
    let [high, low] = length.to_be_bytes();
    out.extend_from_slice(bytes);
    match (high, low) {
        (0, ..=0x7F) => out.push(low),
        (0, _) => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}
