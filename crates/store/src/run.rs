//! The catalogue of runs: which files of the lake are committed. A file without a row here does not exist.

use domain::calendar::Date;

/// One committed segment of account entries of one accounting date, or one end-of-day file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its path below the data directory, with `/`.
    pub path: String,
    /// What it holds.
    pub kind: SegmentKind,
    /// The accounting date of all of it.
    pub date: Date,
    /// The first position whose entries may lie in it (0 for an end-of-day file).
    pub first_position: u64,
    /// The last position whose entries may lie in it; the sealed position for an end-of-day file.
    pub last_position: u64,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// CRC-32 of the whole file.
    pub checksum: u32,
    /// The lowest account id in it.
    pub min_account: u64,
    /// The highest account id in it.
    pub max_account: u64,
}

/// What a file of the lake holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Account entries, sorted by (account, entry number).
    Entries,
    /// Every account's balances at the end of a day, sorted by account.
    EndOfDay,
}
