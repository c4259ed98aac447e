//! What a row holds, and the bytes that its hash and its checksum are taken over.
//!
//! Header bytes, big-endian, 38 in all: row (8), first (8), count (4), epoch (8), level (2), time
//! (8). They are written here once and for ever: every hash of every journal depends on them.

use std::fmt;

use sm3::{Digest, Sm3};

/// A batch of events to append.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// Position of the first event, from 1.
    pub first: u64,
    /// How many events; at least 1.
    pub count: u32,
    /// The level that the events need of a reader.
    pub level: u16,
    /// The envelope's time, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The encoded events; never empty.
    pub payload: Vec<u8>,
}

/// A row as it was read and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The row's number, from 1 without a gap.
    pub row: u64,
    /// Position of the first event; of a row without events, the position that came next.
    pub first: u64,
    /// How many events; 0 for a leader's first row and for one that confirms another.
    pub count: u32,
    /// The epoch of the leader that wrote it.
    pub epoch: u64,
    /// The level that the events need of a reader.
    pub level: u16,
    /// The envelope's time, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The hash of the row before; 32 zero bytes for the first.
    pub previous: Hash,
    /// `SM3(previous ‖ header ‖ SM3(payload))`.
    pub hash: Hash,
    /// The encoded events; of a leader's first row, the writer's own mark.
    pub payload: Vec<u8>,
}

impl Record {
    /// The position after the last event.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    pub(crate) fn header(&self) -> Header {
        Header {
            row: self.row,
            first: self.first,
            count: self.count,
            epoch: self.epoch,
            level: self.level,
            time_ms: self.time_ms,
        }
    }
}

/// The end of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The position of the next event, from 1.
    pub next: u64,
    /// The hash of the last row that holds events, the row with position `next − 1`; [`Hash::ZERO`]
    /// before the first. So a checkpoint can be compared with what [`crate::Journal::read`]
    /// returns, whoever led since.
    pub hash: Hash,
    /// The epoch of the writer; for a reader, of the last row.
    pub epoch: u64,
}

/// An SM3 hash (GB/T 32905-2016), shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What lies before the first row.
    pub const ZERO: Self = Self([0; 32]);
}

/// The fixed fields of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) row: u64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) epoch: u64,
    pub(crate) level: u16,
    pub(crate) time_ms: i64,
}

impl Header {
    pub(crate) fn bytes(&self) -> [u8; 38] {
        let mut bytes = [0; 38];
        bytes[0..8].copy_from_slice(&self.row.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.first.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[28..30].copy_from_slice(&self.level.to_be_bytes());
        bytes[30..38].copy_from_slice(&self.time_ms.to_be_bytes());
        bytes
    }

    /// The chain hash of a row.
    pub(crate) fn hash(&self, previous: &Hash, payload: &[u8]) -> Hash {
        let mut chain = Sm3::new();
        chain.update(previous.0);
        chain.update(self.bytes());
        chain.update(Sm3::digest(payload));
        Hash(chain.finalize().into())
    }

    /// The fast checksum: CRC-32 (IEEE 802.3) over everything else in the row, so that a damaged
    /// row is told from an altered one.
    pub(crate) fn checksum(&self, previous: &Hash, hash: &Hash, payload: &[u8]) -> u32 {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.bytes());
        checksum.update(&previous.0);
        checksum.update(&hash.0);
        checksum.update(payload);
        checksum.finalize()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Debug for Batch {
    /// Shows the payload's length only: payloads hold customers' business.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Batch")
            .field("first", &self.first)
            .field("count", &self.count)
            .field("level", &self.level)
            .field("time_ms", &self.time_ms)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

impl fmt::Debug for Record {
    /// Shows the payload's length only: payloads hold customers' business.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Record")
            .field("header", &self.header())
            .field("previous", &self.previous)
            .field("hash", &self.hash)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { row: 2, first: 1, count: 3, epoch: 1, level: 1, time_ms: 1_700_000_000_000 };

    #[test]
    fn sm3_is_the_standards() {
        // GB/T 32905-2016, appendix A.1.
        let digest = Hash(Sm3::digest(b"abc").into());
        let expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        assert_eq!(digest.to_string(), expected);
    }

    #[test]
    fn header_bytes_never_change() {
        let hex: String = HEADER.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "0000000000000002000000000000000100000003000000000000000100010000018bcfe56800";
        assert_eq!(hex, expected);
    }

    #[test]
    fn hash_is_sm3_of_previous_header_and_payload_digest() {
        let mut bytes = vec![7; 32];
        bytes.extend_from_slice(&HEADER.bytes());
        bytes.extend_from_slice(&Sm3::digest(b"payload"));
        let expected = Hash(Sm3::digest(&bytes).into());
        assert_eq!(HEADER.hash(&Hash([7; 32]), b"payload"), expected);
    }

    #[test]
    fn debug_shows_no_payload() {
        let batch = Batch { first: 1, count: 1, level: 1, time_ms: 0, payload: b"secret".to_vec() };
        let shown = format!("{batch:?}");
        assert!(shown.contains("payload_bytes: 6") && !shown.contains("115"), "{shown}");
    }
}
