//! The link to a card network: what goes before each ISO 8583 message on it.
//!
//! ```text
//!  4 ASCII digits │ 46 bytes of header                                                            │ message
//!  length of the  │ 2E 02 │ total 4 │ destination 11 │ source 11 │ reserved 3 │ batch 1 │ transaction 8 │ …
//!  rest           │                                                          user 1 │ reject code 5 │
//! ```
//!
//! The layout is that of public captures; no official text was read.

use std::fmt;

use thiserror::Error;

/// Bytes of the header.
pub const HEADER: usize = 46;
/// ASCII digits of length in front of it.
pub const LENGTH: usize = 4;
/// How a header begins: its own length and its version.
pub const BEGIN: [u8; 2] = [0x2E, 0x02];
/// The longest message behind a header: the total length has four digits.
pub const LONGEST: usize = 9_999 - HEADER;

/// What is wrong with a header, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Too short for one.
    #[error("{left} bytes are left, a host-link header takes {HEADER}")]
    Truncated {
        /// Bytes there are.
        left: usize,
    },
    /// Another length or version.
    #[error("byte 0: it begins with {:02X}{:02X}; a host-link header begins with 2E02", found[0], found[1])]
    Begin {
        /// The two bytes.
        found: [u8; 2],
    },
    /// A character that its place does not have.
    #[error("byte {offset}: {what} has {found:#04x} where a {right} belongs")]
    Character {
        /// Where.
        offset: usize,
        /// Which item.
        what: &'static str,
        /// The byte.
        found: u8,
        /// What would be right.
        right: &'static str,
    },
    /// More than four digits of length say.
    #[error("a message of {found} bytes; at most {LONGEST} fit behind a host-link header")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
}

/// A header, without the lengths, which follow from the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whose message it is, padded with blanks on the right.
    pub destination: [u8; 11],
    /// Who sends it, likewise.
    pub source: [u8; 11],
    /// Kept as it came.
    pub reserved: [u8; 3],
    /// The batch of a file transfer; 0 else.
    pub batch: u8,
    /// Eight characters for who sends; come back in the answer.
    pub transaction: [u8; 8],
    /// One byte for who sends.
    pub user: u8,
    /// `00000`, or why the network sent the message back.
    pub reject: [u8; 5],
}

impl Header {
    /// A header from one member to another, with nothing special.
    #[must_use]
    pub fn between(source: [u8; 11], destination: [u8; 11]) -> Self {
        let (transaction, reject) = (*b"00000000", *b"00000");
        Self { destination, source, reserved: [0; 3], batch: 0, transaction, user: 0, reject }
    }

    /// Reads one, and the total length that it says, of header and message.
    ///
    /// # Errors
    /// [`HeaderError`] with its offset from the header's first byte.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut items =
            Items { bytes: bytes.get(..HEADER).ok_or(HeaderError::Truncated { left: bytes.len() })?, at: 0 };
        let found: [u8; 2] = items.take();
        if found != BEGIN {
            return Err(HeaderError::Begin { found });
        }
        let total = items.characters::<4>("the total length", "digit", |byte| byte.is_ascii_digit())?;
        let printable = |byte: u8| matches!(byte, 0x20..=0x7E);
        let header = Self {
            destination: items.characters("the destination", "printable character", printable)?,
            source: items.characters("the source", "printable character", printable)?,
            reserved: items.take(),
            batch: items.take::<1>()[0],
            transaction: items.characters("the transaction information", "printable character", printable)?,
            user: items.take::<1>()[0],
            reject: items.characters("the reject code", "digit", |byte| byte.is_ascii_digit())?,
        };
        Ok((header, number(&total)))
    }

    /// Appends length, header and message.
    ///
    /// # Errors
    /// [`HeaderError::TooLong`].
    pub fn frame(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), HeaderError> {
        if message.len() > LONGEST {
            return Err(HeaderError::TooLong { found: message.len() });
        }
        let total = format!("{:04}", HEADER + message.len());
        out.extend_from_slice(total.as_bytes());
        out.extend_from_slice(&BEGIN);
        out.extend_from_slice(total.as_bytes());
        out.extend_from_slice(&self.destination);
        out.extend_from_slice(&self.source);
        out.extend_from_slice(&self.reserved);
        out.push(self.batch);
        out.extend_from_slice(&self.transaction);
        out.push(self.user);
        out.extend_from_slice(&self.reject);
        out.extend_from_slice(message);
        Ok(())
    }
}

/// From whom to whom, and whether it was sent back.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [source, destination, reject] =
            [&self.source[..], &self.destination, &self.reject].map(|text| String::from_utf8_lossy(text).into_owned());
        write!(f, "{} → {}, reject code {reject}", source.trim_end(), destination.trim_end())
    }
}

/// The number that ASCII digits write; four at most.
#[must_use]
pub fn number(digits: &[u8; 4]) -> usize {
    digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit & 0x0F))
}

/// A header that is being read; as long as it is, so every item is there.
struct Items<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Items<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let item = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N]);
        self.at += N;
        item
    }

    fn characters<const N: usize>(
        &mut self,
        what: &'static str,
        right: &'static str,
        is_right: impl Fn(u8) -> bool,
    ) -> Result<[u8; N], HeaderError> {
        let begin = self.at;
        let item = self.take::<N>();
        match item.iter().position(|byte| !is_right(*byte)) {
            Some(at) => Err(HeaderError::Character { offset: begin + at, what, found: item[at], right }),
            None => Ok(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand from the layout: 46 bytes of header and an echo's first four.
    const FRAME: &str = "30303530 2E02 30303530 3030303130303030202020 3438303231303030202020 000000 00 3030303030303030 \
                         00 3030303030 30383030";

    fn by_hand() -> Vec<u8> {
        hex::decode(FRAME.replace(' ', "")).unwrap()
    }

    #[test]
    fn a_frame_is_read_and_written_as_by_hand() {
        let bytes = by_hand();
        let (header, total) = Header::read(&bytes[LENGTH..]).unwrap();
        assert_eq!((total, total + LENGTH), (50, bytes.len()));
        assert_eq!((&header.destination, &header.source), (b"00010000   ", b"48021000   "));
        assert_eq!(format!("{header:?}"), "48021000 → 00010000, reject code 00000");
        let mut out = Vec::new();
        header.frame(b"0800", &mut out).unwrap();
        assert_eq!(out, bytes);
        assert_eq!(Header::between(*b"48021000   ", *b"00010000   "), header);
    }

    #[test]
    fn what_is_no_header_is_refused_with_its_place() {
        let header = &by_hand()[LENGTH..];
        assert_eq!(Header::read(&header[..45]), Err(HeaderError::Truncated { left: 45 }));
        for (at, told) in [
            (1, "byte 0: it begins with 2E00; a host-link header begins with 2E02"),
            (2, "byte 2: the total length has 0x00 where a digit belongs"),
            (7, "byte 7: the destination has 0x00 where a printable character belongs"),
            (45, "byte 45: the reject code has 0x00 where a digit belongs"),
        ] {
            let mut wrong = header.to_vec();
            wrong[at] = 0;
            assert_eq!(Header::read(&wrong).unwrap_err().to_string(), told);
        }
        let (header, _) = Header::read(header).unwrap();
        let too_long = header.frame(&vec![0; LONGEST + 1], &mut Vec::new());
        assert_eq!(too_long, Err(HeaderError::TooLong { found: LONGEST + 1 }));
    }
}
