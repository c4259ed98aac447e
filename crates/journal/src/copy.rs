//! Rows as bytes, and a journal made of them again: what a backup keeps, and what a restore writes.
//!
//! A row is its header (38 bytes, see `record.rs`), previous hash (32), hash (32), checksum (4), length of the payload (4),
//! payload; numbers big-endian. So a row from a file is checked by exactly what checks one from a database: [`Chain::check`].

use std::fmt;

use crate::chain::{Chain, StoredRow};
use crate::error::JournalError;
use crate::lock::DirectoryLock;
use crate::postgres::{Filling, PostgresConfig};
use crate::record::{Record, Tip};
use crate::sqlite::{self, Access, SqliteRows};
use crate::storage::RangePlace;

/// Bytes in front of a payload.
pub(crate) const HEAD: usize = 38 + 32 + 32 + 4 + 4;

/// Payload bytes between two commits of a restore.
const COMMIT_BYTES: usize = 64 << 20;

/// Appends a row's bytes.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    let header = record.header();
    let checksum = header.checksum(&record.previous, &record.hash, &record.payload);
    let length = u32::try_from(record.payload.len()).unwrap_or(u32::MAX);
    out.reserve(HEAD + record.payload.len());
    out.extend_from_slice(&header.bytes());
    out.extend_from_slice(&record.previous.0);
    out.extend_from_slice(&record.hash.0);
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&record.payload);
}

/// How many bytes of payload follow the head of a row.
pub(crate) fn payload_length(head: &[u8]) -> usize {
    let bytes = head[HEAD - 4..HEAD].try_into().expect("four bytes");
    usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

/// The position and the number of the events of a row, by its head.
pub(crate) fn events(head: &[u8]) -> (u64, u32) {
    let first = head[8..16].try_into().expect("eight bytes");
    let count = head[16..20].try_into().expect("four bytes");
    (u64::from_be_bytes(first), u32::from_be_bytes(count))
}

/// Takes the next row off the front of `bytes`, unchecked; `None` where they end, or end in the middle of a row.
#[must_use]
pub fn decode(bytes: &mut &[u8]) -> Option<StoredRow> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (header, behind) = head.split_at(38);
    let number = |at: usize| i64::from_be_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let short = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let (payload, rest) = rest.split_at_checked(usize::try_from(short(&behind[68..72])).ok()?)?;
    *bytes = rest;
    Some(StoredRow {
        row: number(0),
        first: number(8),
        count: short(&header[16..20]).into(),
        epoch: number(20),
        level: u16::from_be_bytes([header[28], header[29]]).into(),
        time_ms: number(30),
        previous: behind[..32].to_vec(),
        hash: behind[32..64].to_vec(),
        checksum: short(&behind[64..68]).into(),
        payload: payload.to_vec(),
    })
}

/// A journal that is being written from rows there were before, where there is none yet.
pub struct Copy {
    target: Target,
    chain: Chain,
}

/// Where the rows go.
enum Target {
    Sqlite { rows: SqliteRows, uncommitted: usize },
    Postgres(Filling),
}

impl Copy {
    /// Begins in a data directory. What is written there is to be had under another name until it is whole.
    ///
    /// # Errors
    /// [`JournalError::Database`], also if there is a journal with rows already.
    pub fn create(lock: &DirectoryLock) -> Result<Self, JournalError> {
        let rows = sqlite::open_rows(lock, &RangePlace::of_data_dir(lock.directory()), Access::Write)?;
        rows.refuse_rows()?;
        rows.run("BEGIN")?;
        Ok(Self { target: Target::Sqlite { rows, uncommitted: 0 }, chain: Chain::GENESIS })
    }

    /// Begins in a schema of PostgreSQL, which is made where it is missing. Nobody else writes there until the end, and nobody
    /// sees a row before it.
    ///
    /// # Errors
    /// [`JournalError::BadSetting`]; [`JournalError::Database`], also if there is a journal with rows already.
    pub fn to_postgres(config: &PostgresConfig) -> Result<Self, JournalError> {
        Ok(Self { target: Target::Postgres(Filling::begin(config)?), chain: Chain::GENESIS })
    }

    /// Checks a row against those before it and writes it.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] naming the row, and those of the database.
    pub fn push(&mut self, stored: StoredRow) -> Result<(), JournalError> {
        let record = self.chain.check(stored)?;
        match &mut self.target {
            Target::Sqlite { rows, uncommitted } => {
                rows.put(&record)?;
                *uncommitted += record.payload.len();
                if *uncommitted >= COMMIT_BYTES {
                    rows.run("COMMIT; BEGIN")?;
                    *uncommitted = 0;
                }
                Ok(())
            }
            Target::Postgres(filling) => filling.put(record),
        }
    }

    /// Makes what was written durable; the journal's end.
    ///
    /// # Errors
    /// Those of the database. In PostgreSQL the rows may be there all the same, where its answer was lost.
    pub fn finish(self) -> Result<Tip, JournalError> {
        match self.target {
            Target::Sqlite { rows, uncommitted: _ } => {
                rows.run("COMMIT")?;
                rows.checkpoint("TRUNCATE")?;
            }
            Target::Postgres(filling) => filling.finish()?,
        }
        Ok(self.chain.tip)
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Copy").field("chain", &self.chain).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Batch;
    use crate::{Journal, Reader, Sqlite};

    /// A journal of two leaders and three batches, as bytes.
    fn bytes() -> (Vec<u8>, Tip) {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let batch = |first, byte| Batch { first, count: 2, level: 1, time_ms: 7, payload: vec![byte; 900] };
        let mut journal = Sqlite::open(&lock, 0).unwrap();
        journal.append(&batch(1, 1)).unwrap();
        journal.append(&batch(3, 2)).unwrap();
        drop(journal);
        let mut journal = Sqlite::open(&lock, 0).unwrap();
        journal.append(&batch(5, 3)).unwrap();
        let mut out = Vec::new();
        let mut from = 1;
        loop {
            let page = journal.rows(from, 1_000).unwrap();
            let Some(last) = page.last() else { return (out, journal.tip()) };
            from = last.row + 1;
            page.iter().for_each(|record| encode(record, &mut out));
        }
    }

    fn restore(mut bytes: &[u8]) -> Result<(tempfile::TempDir, Tip), JournalError> {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let mut copy = Copy::create(&lock)?;
        while let Some(row) = decode(&mut bytes) {
            copy.push(row)?;
        }
        let tip = copy.finish()?;
        Ok((directory, tip))
    }

    #[test]
    fn a_copy_is_the_journal_row_by_row() {
        let (bytes, tip) = bytes();
        let (directory, copied) = restore(&bytes).unwrap();
        assert_eq!(copied, tip);
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let mut again = Vec::new();
        let report = Reader::sqlite(&lock).unwrap().verify(|record| encode(record, &mut again)).unwrap();
        assert_eq!((report.rows, report.fault), (5, None));
        assert_eq!(again, bytes);
        let error = Copy::create(&lock).unwrap_err();
        assert!(error.to_string().contains("holds a journal"), "{error}");
    }

    #[test]
    fn no_flipped_bit_is_copied() {
        let (bytes, _) = bytes();
        for at in (0..bytes.len()).step_by(37) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            // A length that was changed ends the rows early or shifts them; anything else is named.
            if let Ok((_, tip)) = restore(&damaged) {
                assert!(tip.next < 7, "byte {at}");
            }
        }
    }
}
