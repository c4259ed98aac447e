//! The journal's disk: rows that are synced stay, the one being written may be lost, torn or kept, a full or failing disk
//! says so. The journal on it seals, checks and reads with the code of the real ones.
//!
//! ```text
//!  append ─ write ─ sync ─► durable, acknowledged
//!             │       ├ error ─► durable or lost, never acknowledged: recovery decides
//!             │       └ crash ─► durable, lost, or torn
//!             └ full ─► nothing is written
//!  open ─ a torn row at the end is dropped, as a write-ahead log drops it ─► the next epoch's row
//! ```
//! What a page cache shows after a failed sync and the disk does not hold is not simulated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use journal::chain::{Chain, NewRow, StoredRow};
use journal::rows::{self, Rows};
use journal::{Batch, Fault, Journal, JournalError, Record, Tip};

/// What becomes of the next row that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is synced.
    Synced,
    /// There is no space.
    Full,
    /// The sync fails or the machine stops, and the row is not there.
    Lost,
    /// The sync fails or the machine stops, and the row is there.
    Kept,
    /// The machine stops, and part of the row is there.
    Torn,
}

impl Fate {
    /// Its name in the trace.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Full => "disk full",
            Self::Lost => "failed, lost",
            Self::Kept => "failed, but kept",
            Self::Torn => "torn",
        }
    }
}

#[derive(Debug)]
struct Rowset {
    rows: Vec<StoredRow>,
    /// What lies behind the last whole row.
    torn: Option<StoredRow>,
    fate: Fate,
    /// Reads until the machine stops, if it does.
    reads_left: Option<u32>,
}

/// The disk, which outlives every life of the node.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<Mutex<Rowset>>);

impl Disk {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let rowset = Rowset { rows: Vec::new(), torn: None, fate: Fate::Synced, reads_left: None };
        Self(Arc::new(Mutex::new(rowset)))
    }

    fn lock(&self) -> MutexGuard<'_, Rowset> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what becomes of the next row, and of no other.
    pub(crate) fn next(&self, fate: Fate) {
        self.lock().fate = fate;
    }

    /// Lets the machine stop after so many reads; `None`: not at all.
    pub(crate) fn stop_after_reads(&self, reads: Option<u32>) {
        self.lock().reads_left = reads;
    }

    /// The durable rows after the first `known`.
    pub(crate) fn rows_after(&self, known: usize) -> Vec<StoredRow> {
        self.lock().rows.iter().skip(known).cloned().collect()
    }

    /// Turns one bit of a durable row's payload; false if there is no row with one.
    pub(crate) fn rot(&self, selector: u64) -> bool {
        let mut rowset = self.lock();
        let mut filled: Vec<&mut StoredRow> = rowset.rows.iter_mut().filter(|row| !row.payload.is_empty()).collect();
        let count = u64::try_from(filled.len()).expect("a list is shorter than 2^64").max(1);
        let at = usize::try_from(selector % count).expect("an index fits");
        let Some(row) = filled.get_mut(at) else { return false };
        let bits = u64::try_from(row.payload.len()).expect("a list is shorter than 2^64") * 8;
        let bit = (selector / count) % bits;
        row.payload[usize::try_from(bit / 8).expect("an index fits")] ^= 1 << (bit % 8);
        true
    }

    fn write(&self, row: &NewRow<'_>) -> Result<(), JournalError> {
        let mut rowset = self.lock();
        let doing = || format!("appending row {} to the simulated disk", row.stored().row);
        let failed = || JournalError::Io { doing: doing(), source: std::io::Error::other("simulated") };
        match std::mem::replace(&mut rowset.fate, Fate::Synced) {
            Fate::Synced => {
                rowset.rows.push(row.stored());
                Ok(())
            }
            Fate::Full => Err(JournalError::Full { doing: doing() }),
            Fate::Lost => Err(failed()),
            Fate::Kept => {
                rowset.rows.push(row.stored());
                Err(failed())
            }
            Fate::Torn => {
                rowset.torn = Some(tear(row.stored()));
                Err(failed())
            }
        }
    }

    /// Drops what was torn, if the chain says that it is: a row that does not hold was never acknowledged.
    fn drop_torn(&mut self) -> Result<(), JournalError> {
        let Some(torn) = self.lock().torn.take() else { return Ok(()) };
        let row = u64::try_from(torn.row).unwrap_or_default();
        match rows::tail(self)?.check(torn) {
            Err(_) => Ok(()),
            Ok(_) => Err(JournalError::Corrupt(Fault { row, position: None, what: "a torn row passed".into() })),
        }
    }
}

/// The row with its second half unwritten; of one without content the last byte of its hash.
fn tear(mut row: StoredRow) -> StoredRow {
    let half = row.payload.len() / 2;
    if half == 0 {
        row.hash[31] ^= 0xff;
    }
    row.payload.truncate(half);
    row
}

impl Rows for Disk {
    fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        let mut rowset = self.lock();
        if let Some(left) = rowset.reads_left {
            rowset.reads_left = Some(left.saturating_sub(1));
            if left == 0 {
                let source = std::io::Error::other("the machine stops");
                return Err(JournalError::Io { doing: format!("reading row {row} of the simulated disk"), source });
            }
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        for stored in rowset.rows.iter().skip(usize::try_from(row.saturating_sub(1)).expect("an index fits")) {
            bytes += if stored.count > 0 { stored.payload.len() } else { 0 };
            page.push(stored.clone());
            if bytes >= max_bytes.max(1) {
                break;
            }
        }
        Ok(page)
    }

    fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        let at = usize::try_from(row.saturating_sub(1)).expect("an index fits");
        Ok(self.lock().rows.get(at).map(|stored| StoredRow { payload: Vec::new(), ..stored.clone() }))
    }

    fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError> {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let rowset = self.lock();
        let found = rowset.rows.iter().rev().find(|row| row.count > 0 && row.first <= position);
        Ok(found.and_then(|row| u64::try_from(row.row).ok()))
    }

    fn last(&mut self) -> Result<Option<u64>, JournalError> {
        Ok(self.lock().rows.last().and_then(|row| u64::try_from(row.row).ok()))
    }
}

/// The journal on the disk, of one leader.
#[derive(Debug)]
pub(crate) struct SimJournal {
    disk: Disk,
    chain: Chain,
    stopped: bool,
}

impl SimJournal {
    /// Opens it as the real ones do: checks the last row and appends the row of the next epoch.
    pub(crate) fn open(mut disk: Disk, now_ms: i64) -> Result<Self, JournalError> {
        disk.drop_torn()?;
        let mut chain = rows::tail(&mut disk)?;
        let row = chain.seal_empty(chain.tip.epoch + 1, now_ms, &[]);
        disk.write(&row)?;
        chain.advance(&row);
        Ok(Self { disk, chain, stopped: false })
    }
}

impl Journal for SimJournal {
    fn tip(&self) -> Tip {
        self.chain.tip
    }

    fn append(&mut self, batch: &Batch) -> Result<Tip, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        let row = self.chain.seal(batch)?;
        self.stopped = true;
        self.disk.write(&row)?;
        self.stopped = false;
        self.chain.advance(&row);
        Ok(self.chain.tip)
    }

    fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::read(&mut self.disk, from, max_bytes)
    }

    fn rows(&mut self, from_row: u64, max_bytes: usize) -> Result<Vec<Record>, JournalError> {
        rows::all(&mut self.disk, from_row, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64) -> Batch {
        Batch { first, count: 2, level: 1, time_ms: 5, payload: vec![7; 20] }
    }

    /// What a leader finds after the row of another met its fate.
    fn after(fate: Fate) -> (bool, u64, usize) {
        let disk = Disk::new();
        let mut first = SimJournal::open(disk.clone(), 0).unwrap();
        first.append(&batch(1)).unwrap();
        disk.next(fate);
        let acknowledged = first.append(&batch(3)).is_ok();
        assert_eq!(first.append(&batch(5)).is_ok(), acknowledged, "a writer whose append failed writes nothing more");
        let mut second = SimJournal::open(disk, 0).unwrap();
        assert_eq!(second.tip().epoch, 2);
        let read = second.read(1, usize::MAX).unwrap().len();
        (acknowledged, second.tip().next, read)
    }

    #[test]
    fn what_was_not_synced_is_lost_torn_or_kept_and_never_acknowledged() {
        assert_eq!(after(Fate::Synced), (true, 7, 3));
        assert_eq!(after(Fate::Full), (false, 3, 1));
        assert_eq!(after(Fate::Lost), (false, 3, 1));
        assert_eq!(after(Fate::Torn), (false, 3, 1));
        assert_eq!(after(Fate::Kept), (false, 5, 2));
    }

    #[test]
    fn a_bit_that_turned_stops_the_reader_with_the_row() {
        for selector in [0, 13, 77, 300] {
            let disk = Disk::new();
            let mut journal = SimJournal::open(disk.clone(), 0).unwrap();
            journal.append(&batch(1)).unwrap();
            journal.append(&batch(3)).unwrap();
            assert!(disk.rot(selector));
            let error = journal.read(1, usize::MAX).unwrap_err();
            assert!(matches!(error, JournalError::Corrupt(_)), "{error}");
        }
    }
}
