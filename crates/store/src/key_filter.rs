//! Filters of keys, kept so that a start need not read the keys: an opaque text of bytes for each span of positions.
//!
//! They say nothing that the table of keys does not say. One that is damaged or missing is built again; so nothing here is
//! part of a checkpoint, and a filter may be written at any time after the checkpoint that holds its keys.

use crate::db::{Database, Row, Session, Value};
use crate::error::StoreError;

/// A filter and which keys it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRow {
    /// It knows the keys bound behind this position …
    pub after: u64,
    /// … up to this one.
    pub through: u64,
    /// How many they are.
    pub keys: u64,
    /// The filter, as its maker wrote it.
    pub filter: Vec<u8>,
}

impl FilterRow {
    fn checksum(&self) -> u32 {
        let Self { after, through, keys, filter } = self;
        let mut checksum = crc32fast::Hasher::new();
        [after, through, keys].into_iter().for_each(|number| checksum.update(&number.to_be_bytes()));
        checksum.update(filter);
        checksum.finalize()
    }
}

/// Writes a filter in the place of those whose span it overlaps.
///
/// # Errors
/// [`StoreError::Database`].
pub fn replace(database: &Database, row: &FilterRow) -> Result<(), StoreError> {
    let overlapped = "DELETE FROM key_filters WHERE after_position < $1 AND through_position > $2";
    let insert = "INSERT INTO key_filters (through_position, after_position, keys, checksum, filter) \
                  VALUES ($1, $2, $3, $4, $5)";
    database.transaction(|session: &dyn Session| {
        session.execute(overlapped, &[row.through.into(), row.after.into()])?;
        let values: [Value; 5] = [
            row.through.into(),
            row.after.into(),
            row.keys.into(),
            row.checksum().into(),
            row.filter.as_slice().into(),
        ];
        session.execute(insert, &values).map(|_| ())
    })
}

/// The filters that can be relied on: they are what was written, and each begins where the one before it ends, the first
/// at position 0. What comes behind a damaged or missing one is left out; the end of the damaged one's span is given beside.
///
/// # Errors
/// [`StoreError::Database`].
pub fn sound(database: &Database) -> Result<(Vec<FilterRow>, Option<u64>), StoreError> {
    let mut filters = Vec::new();
    let mut reached = 0;
    for (through, filter) in all(database)? {
        match filter {
            Some(filter) if filter.after == reached => {
                reached = through;
                filters.push(filter);
            }
            Some(_) => break,
            None => return Ok((filters, Some(through))),
        }
    }
    Ok((filters, None))
}

/// Every filter, by the end of its span; `None` for one that is not what was written.
///
/// # Errors
/// [`StoreError::Database`].
pub fn all(database: &Database) -> Result<Vec<(u64, Option<FilterRow>)>, StoreError> {
    let sql = "SELECT after_position, through_position, keys, filter, checksum FROM key_filters \
               ORDER BY through_position";
    database.query(sql, &[])?.iter().map(|row| Ok((row.unsigned(1)?, decode(row)?))).collect()
}

fn decode(row: &Row) -> Result<Option<FilterRow>, StoreError> {
    let filter = FilterRow {
        after: row.unsigned(0)?,
        through: row.unsigned(1)?,
        keys: row.unsigned(2)?,
        filter: row.bytes(3)?.to_vec(),
    };
    Ok((row.int(4)? == i64::from(filter.checksum())).then_some(filter))
}
