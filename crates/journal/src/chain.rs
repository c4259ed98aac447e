//! The chain that ties each row to the one before: writers seal rows with it, readers check rows
//! with it.
//!
//! ```text
//!            seal(batch)                 insert durable
//!  Chain ───────────────► NewRow ─────────────────────► Chain::advance
//!
//!            check(stored row)
//!  Chain ───────────────► Record  (and the chain has advanced)  │  Fault naming the row
//! ```

use crate::error::{Fault, JournalError};
use crate::record::{Batch, Hash, Header, Record, Tip};

/// The level of the first row, before anything asks for more.
const FIRST_LEVEL: u16 = 1;

/// The largest payload: well under the gigabyte at which both databases end.
const MAX_PAYLOAD: usize = 256 << 20;

/// The end of the journal so far: all that the next row depends on.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// The last row's number; 0 before the first.
    pub row: u64,
    /// The last row's hash.
    pub hash: Hash,
    /// Where the next event goes.
    pub tip: Tip,
    level: u16,
    time_ms: i64,
}

/// A row ready to be inserted; sent again, if it must be, byte for byte.
#[derive(Debug)]
pub struct NewRow<'a> {
    pub(crate) header: Header,
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
    pub(crate) checksum: u32,
    pub(crate) payload: &'a [u8],
}

impl NewRow<'_> {
    /// The row as a database holds it once it is inserted.
    ///
    /// # Panics
    /// For a number that no database holds, which [`Chain::seal`] lets through nowhere.
    #[must_use]
    pub fn stored(&self) -> StoredRow {
        let signed = |number: u64| i64::try_from(number).expect("no row or position reaches 2^63");
        let Header { row, first, count, epoch, level, time_ms } = self.header;
        StoredRow {
            row: signed(row),
            first: signed(first),
            count: count.into(),
            epoch: signed(epoch),
            level: level.into(),
            time_ms,
            previous: self.previous.0.to_vec(),
            hash: self.hash.0.to_vec(),
            checksum: self.checksum.into(),
            payload: self.payload.to_vec(),
        }
    }
}

/// A row as it lies in the database, unchecked: signed integers and byte strings of any length. Each field is the column of
/// its name; see [`Record`] for what it means.
#[derive(Clone, Debug)]
pub struct StoredRow {
    /// The row's number.
    pub row: i64,
    /// Position of the first event.
    pub first: i64,
    /// How many events.
    pub count: i64,
    /// The leader's epoch.
    pub epoch: i64,
    /// The level.
    pub level: i64,
    /// The envelope's time.
    pub time_ms: i64,
    /// The hash of the row before.
    pub previous: Vec<u8>,
    /// The row's hash.
    pub hash: Vec<u8>,
    /// The fast checksum.
    pub checksum: i64,
    /// The events.
    pub payload: Vec<u8>,
}

impl Chain {
    /// Before the first row.
    pub const GENESIS: Self = Self {
        row: 0,
        hash: Hash::ZERO,
        tip: Tip { next: 1, hash: Hash::ZERO, epoch: 0 },
        level: FIRST_LEVEL,
        time_ms: i64::MIN,
    };

    /// After `record`, whose own link to what came before is taken as it stands. `tip.hash` is that
    /// of the last row with events only if `record` has events.
    #[must_use]
    pub fn after(record: &Record) -> Self {
        Self {
            row: record.row,
            hash: record.hash,
            tip: Tip { next: record.next(), hash: record.hash, epoch: record.epoch },
            level: record.level,
            time_ms: record.time_ms,
        }
    }

    /// After a row as it was stored, which is checked by itself: its checksum, and that its hash is that of its content. As for
    /// [`Self::after`], what came before is taken as it stands.
    ///
    /// # Errors
    /// What of it is not what was written.
    pub fn of(stored: StoredRow) -> Result<Self, String> {
        let checksum = stored.checksum;
        let record = stored.decode()?;
        let header = record.header();
        let sound = checksum == i64::from(header.checksum(&record.previous, &record.hash, &record.payload))
            && record.hash == header.hash(&record.previous, &record.payload);
        if sound { Ok(Self::after(&record)) } else { Err(format!("row {} is damaged", record.row)) }
    }

    /// A batch as the next row.
    ///
    /// # Errors
    /// [`JournalError::OutOfOrder`], [`JournalError::BadBatch`].
    pub fn seal<'a>(&self, batch: &'a Batch) -> Result<NewRow<'a>, JournalError> {
        if batch.first != self.tip.next {
            return Err(JournalError::OutOfOrder { first: batch.first, next: self.tip.next });
        }
        let bad = |what: String| JournalError::BadBatch { what };
        if batch.count == 0 || batch.payload.is_empty() {
            return Err(bad(format!(
                "{} events in {} bytes; expected at least one of each",
                batch.count,
                batch.payload.len()
            )));
        }
        if batch.payload.len() > MAX_PAYLOAD {
            return Err(bad(format!("{} bytes of payload; at most {MAX_PAYLOAD} fit", batch.payload.len())));
        }
        // Both databases hold signed 64-bit integers.
        let last = batch.first.checked_add(u64::from(batch.count));
        if last.is_none_or(|last| i64::try_from(last).is_err()) {
            return Err(bad(format!("its last position lies past {}", i64::MAX)));
        }
        let header = Header {
            row: self.row + 1,
            first: batch.first,
            count: batch.count,
            epoch: self.tip.epoch,
            level: batch.level,
            time_ms: batch.time_ms,
        };
        Ok(self.seal_row(header, &batch.payload))
    }

    /// A row without events: a leader's first, in its new `epoch`, or one that confirms the row
    /// before it.
    #[must_use]
    pub fn seal_empty<'a>(&self, epoch: u64, now_ms: i64, payload: &'a [u8]) -> NewRow<'a> {
        let header = Header {
            row: self.row + 1,
            first: self.tip.next,
            count: 0,
            epoch,
            level: self.level,
            time_ms: now_ms.max(self.time_ms),
        };
        self.seal_row(header, payload)
    }

    fn seal_row<'a>(&self, header: Header, payload: &'a [u8]) -> NewRow<'a> {
        let previous = self.hash;
        let hash = header.hash(&previous, payload);
        let checksum = header.checksum(&previous, &hash, payload);
        NewRow { header, previous, hash, checksum, payload }
    }

    /// Goes past a row that was inserted.
    pub fn advance(&mut self, row: &NewRow<'_>) {
        self.pass(&row.header, row.hash);
    }

    fn pass(&mut self, header: &Header, hash: Hash) {
        self.row = header.row;
        self.hash = hash;
        self.tip.epoch = header.epoch;
        self.level = header.level;
        self.time_ms = header.time_ms;
        if header.count > 0 {
            self.tip.next = header.first.saturating_add(u64::from(header.count));
            self.tip.hash = hash;
        }
    }

    /// Checks that `stored` is the next row, whole and unaltered, and goes past it.
    ///
    /// # Errors
    /// [`Fault`] naming the row and what of it is not what was written.
    pub fn check(&mut self, stored: StoredRow) -> Result<Record, Fault> {
        let row = self.row + 1;
        let position = self.tip.next;
        let fault = |what: String| Fault { row, position: Some(position), what };
        if u64::try_from(stored.row) != Ok(row) {
            return Err(fault(format!("it is missing; the next one there is row {}", stored.row)));
        }
        let checksum = stored.checksum;
        let record = stored.decode().map_err(fault)?;
        let header = record.header();
        let computed = header.checksum(&record.previous, &record.hash, &record.payload);
        if checksum != i64::from(computed) {
            return Err(fault(format!("damaged: its checksum says {checksum:08x}, its bytes give {computed:08x}")));
        }
        if record.previous != self.hash {
            return Err(fault(format!(
                "it follows a row with hash {}, but the row before it has {}",
                record.previous, self.hash
            )));
        }
        let computed = header.hash(&record.previous, &record.payload);
        if record.hash != computed {
            return Err(fault(format!("altered: its hash says {}, its content gives {computed}", record.hash)));
        }
        if record.first != position {
            return Err(fault(format!("it begins at position {}", record.first)));
        }
        if record.epoch < self.tip.epoch {
            return Err(fault(format!(
                "its epoch is {}, behind epoch {} of the row before it",
                record.epoch, self.tip.epoch
            )));
        }
        self.pass(&header, record.hash);
        Ok(record)
    }
}

impl StoredRow {
    /// The row in its own types, or which column holds something that was never written.
    pub(crate) fn decode(self) -> Result<Record, String> {
        Ok(Record {
            row: whole("row", self.row)?,
            first: whole("first", self.first)?,
            count: whole("count", self.count)?,
            epoch: whole("epoch", self.epoch)?,
            level: whole("level", self.level)?,
            time_ms: self.time_ms,
            previous: hash("previous", &self.previous)?,
            hash: hash("hash", &self.hash)?,
            payload: self.payload,
        })
    }
}

fn whole<N: TryFrom<i64>>(column: &str, value: i64) -> Result<N, String> {
    let bits = 8 * size_of::<N>();
    N::try_from(value).map_err(|_| format!("its {column} is {value}; expected an unsigned number of {bits} bits"))
}

fn hash(column: &str, bytes: &[u8]) -> Result<Hash, String> {
    let bytes: [u8; 32] =
        bytes.try_into().map_err(|_| format!("its {column} has {} bytes; expected 32", bytes.len()))?;
    Ok(Hash(bytes))
}
