//! What goes before each message of a terminal, behind the two bytes of length.
//!
//! ```text
//!  TPDU 5 BCD bytes        │ LRI, of some terminals    │ header 6 BCD bytes                          │ message
//!  id 60 │ to 2 │ from 2   │ "LRI" │ length 2 │ …      │ class │ version │ state·request │ sub-version 3 │
//! ```
//!
//! The answer goes back with the two addresses swapped and the header's processing request set. The layout is that of
//! public code and captures; no official text was read.

use std::fmt;

use thiserror::Error;

/// Bytes of the TPDU.
pub(crate) const TPDU: usize = 5;
/// Bytes of the header.
pub(crate) const HEADER: usize = 6;
/// What a TPDU begins with.
pub(crate) const TPDU_ID: u8 = 0x60;
/// What an LRI block begins with; two bytes of length follow.
const LRI: &[u8; 3] = b"LRI";

/// What is wrong before the message, and where; the offset counts from the TPDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum EnvelopeError {
    #[error("byte {offset}: {left} bytes are left, the {what} takes {needed}")]
    Truncated { offset: usize, what: &'static str, needed: usize, left: usize },
    #[error("byte 0: the TPDU begins with {found:02X}; it begins with 60")]
    Id { found: u8 },
    #[error("byte {offset}: {found:02X} is no BCD; the {what} has digits only")]
    Digits { offset: usize, what: &'static str, found: u8 },
}

impl EnvelopeError {
    /// The same, counted from further out.
    pub(crate) fn moved(self, by: usize) -> Self {
        match self {
            Self::Truncated { offset, what, needed, left } => {
                Self::Truncated { offset: offset + by, what, needed, left }
            }
            Self::Digits { offset, what, found } => Self::Digits { offset: offset + by, what, found },
            Self::Id { found } => Self::Id { found },
        }
    }
}

/// Where a message goes and comes from: protocol id, destination, source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tpdu(pub(crate) [u8; TPDU]);

impl Tpdu {
    /// That of the answer.
    pub(crate) fn answer(self) -> Self {
        let [id, to_high, to_low, from_high, from_low] = self.0;
        Self([id, from_high, from_low, to_high, to_low])
    }
}

impl fmt::Debug for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// What kind of terminal sends, and what it is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header(pub(crate) [u8; HEADER]);

impl Header {
    /// Application class, two digits: `60` magnetic stripe, `61` chip, `67` mobile terminal.
    pub(crate) fn class(self) -> u8 {
        self.0[0]
    }

    /// Version, two digits: `31`, `32`.
    pub(crate) fn version(self) -> u8 {
        self.0[1]
    }

    /// The terminal's state, one digit: 0 in use.
    pub(crate) fn state(self) -> u8 {
        self.0[2] >> 4
    }

    /// The processing request, one digit: 0 none, 3 sign in again.
    pub(crate) fn request(self) -> u8 {
        self.0[2] & 0x0F
    }

    /// The sub-version, six digits.
    pub(crate) fn sub_version(self) -> [u8; 3] {
        [self.0[3], self.0[4], self.0[5]]
    }

    /// That of the answer: the same with another processing request, one digit.
    pub(crate) fn answer(self, request: u8) -> Self {
        let [class, version, state, first, second, third] = self.0;
        Self([class, version, state & 0xF0 | request & 0x0F, first, second, third])
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// A frame's content, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'b> {
    pub(crate) tpdu: Tpdu,
    /// The whole block, if the terminal sent one.
    pub(crate) lri: Option<&'b [u8]>,
    pub(crate) header: Header,
    pub(crate) message: &'b [u8],
}

impl<'b> Envelope<'b> {
    /// Takes a frame apart, which lies there without its two bytes of length. Nothing of the message is looked at.
    ///
    /// # Errors
    /// [`EnvelopeError`]. No bytes make it panic.
    pub(crate) fn read(frame: &'b [u8]) -> Result<Self, EnvelopeError> {
        let tpdu = Tpdu(digits(frame, 0, "TPDU")?);
        if tpdu.0[0] != TPDU_ID {
            return Err(EnvelopeError::Id { found: tpdu.0[0] });
        }
        let rest = frame.get(TPDU..).unwrap_or_default();
        let lri = lri(rest)?;
        let begin = TPDU + lri.map_or(0, <[u8]>::len);
        let header = Header(digits(frame, begin, "header")?);
        Ok(Self { tpdu, lri, header, message: frame.get(begin + HEADER..).unwrap_or_default() })
    }

    /// Where the message begins in the frame.
    pub(crate) fn message_at(&self) -> usize {
        TPDU + self.lri.map_or(0, <[u8]>::len) + HEADER
    }
}

/// Appends a frame: length, TPDU, header, message.
///
/// # Errors
/// More bytes than two bytes of length say; says how many.
pub(crate) fn put_frame(out: &mut Vec<u8>, tpdu: Tpdu, header: Header, message: &[u8]) -> Result<(), usize> {
    let length = TPDU + HEADER + message.len();
    let prefix = u16::try_from(length).map_err(|_| length)?;
    out.extend_from_slice(&prefix.to_be_bytes());
    out.extend_from_slice(&tpdu.0);
    out.extend_from_slice(&header.0);
    out.extend_from_slice(message);
    Ok(())
}

/// Some packed digits.
fn digits<const N: usize>(frame: &[u8], offset: usize, what: &'static str) -> Result<[u8; N], EnvelopeError> {
    let rest = frame.get(offset..).unwrap_or_default();
    let truncated = EnvelopeError::Truncated { offset, what, needed: N, left: rest.len() };
    let found: [u8; N] = *rest.first_chunk().ok_or(truncated)?;
    match found.iter().position(|byte| byte >> 4 > 9 || byte & 0x0F > 9) {
        Some(at) => Err(EnvelopeError::Digits { offset: offset + at, what, found: found[at] }),
        None => Ok(found),
    }
}

/// The LRI block that the bytes behind a TPDU begin with, if they do.
fn lri(rest: &[u8]) -> Result<Option<&[u8]>, EnvelopeError> {
    let Some(length) = rest.strip_prefix(LRI) else { return Ok(None) };
    let truncated = |offset, needed, left| EnvelopeError::Truncated { offset, what: "LRI block", needed, left };
    let found: &[u8; 2] = length.first_chunk().ok_or(truncated(TPDU + LRI.len(), 2, length.len()))?;
    let whole = LRI.len() + 2 + usize::from(u16::from_be_bytes(*found));
    rest.get(..whole).map(Some).ok_or(truncated(TPDU, whole, rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn an_answer_goes_back_with_the_addresses_swapped_and_what_is_asked() {
        let frame = bytes("6005250000 603100311234 0800");
        let read = Envelope::read(&frame).unwrap();
        assert_eq!(format!("{:?}", read.tpdu.answer()), "6000000525");
        assert_eq!((read.header.class(), read.header.version(), read.header.state()), (0x60, 0x31, 0));
        assert_eq!((read.header.request(), read.header.sub_version()), (0, [0x31, 0x12, 0x34]));
        assert_eq!(format!("{:?}", read.header.answer(3)), "603103311234");
        assert_eq!(read.header.answer(3).answer(0), read.header);
        assert_eq!((read.message, read.message_at()), (&[8, 0][..], 11));
        let mut out = Vec::new();
        put_frame(&mut out, read.tpdu, read.header, read.message).unwrap();
        assert_eq!(out, [&[0, 13], &frame[..]].concat());
        assert_eq!(put_frame(&mut out, read.tpdu, read.header, &[0; 65_525]), Err(65_536));
    }

    #[test]
    fn a_block_between_tpdu_and_header_is_passed_over() {
        let frame = bytes("6000030000 4C5249 0004 01020304 613200000000 0800");
        let read = Envelope::read(&frame).unwrap();
        assert_eq!((read.lri.map(<[u8]>::len), read.message_at(), read.header.class()), (Some(9), 20, 0x61));
    }

    #[test]
    fn what_is_no_envelope_is_refused_with_its_place() {
        for (frame, told) in [
            ("600003", "byte 0: 3 bytes are left, the TPDU takes 5"),
            ("6100030000", "byte 0: the TPDU begins with 61; it begins with 60"),
            ("60000A0000", "byte 2: 0A is no BCD; the TPDU has digits only"),
            ("6000030000 6031", "byte 5: 2 bytes are left, the header takes 6"),
            ("6000030000 60310031123F", "byte 10: 3F is no BCD; the header has digits only"),
            ("6000030000 4C524900", "byte 8: 1 bytes are left, the LRI block takes 2"),
            ("6000030000 4C5249FFFF00", "byte 5: 6 bytes are left, the LRI block takes 65540"),
        ] {
            assert_eq!(Envelope::read(&bytes(frame)).unwrap_err().to_string(), told);
        }
    }
}
