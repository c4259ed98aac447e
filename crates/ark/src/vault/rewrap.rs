//! Moves what the vault holds under the newest version of `platform/vault`, a page a call, so that an older version can go.
//!
//! ```text
//! MAC root ─► data keys, by number ─► secrets of one-time codes ─► cards ─► done; from the beginning until nothing is old
//! page: read (lock) ─► open and wrap (no lock, no transaction) ─► write where the old bytes still stand (one transaction)
//! ```
//! Every row opens at any time: the old bytes until the transaction's end, the new ones after it. A crash loses at most the
//! page, which is made again. A row that was erased or replaced meanwhile stays as it was left.

use rusqlite::{Connection, params};

use super::{CustomerId, Vault, file::begin, wrap};
use crate::{
    error::Error,
    keys::{BATCH_MAX, Context},
};

/// What is moved, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    MacRoot,
    DataKeys,
    Codes,
    Cards,
}

/// Where a re-wrap goes on; by default at the beginning. It may be forgotten: what was moved is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RewrapFrom {
    part: Part,
    after: i64,
}

/// How much a page still has to move, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftPage {
    /// Under an older version than the newest.
    pub left: u64,
    /// Where the next page begins; `None` at the end.
    pub next: Option<RewrapFrom>,
}

/// What a page came to, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewrapPage {
    /// Now under the newest version.
    pub moved: u64,
    /// Erased or replaced while they were wrapped; the next pass looks at them again.
    pub changed: u64,
    /// Do not open, or not by a version that may still open: left as they were. [`Vault::verify`] looks at each.
    pub refused: u64,
    /// Where the next page begins; `None` at the end of the pass.
    pub next: Option<RewrapFrom>,
}

/// A row: its number, whose or which it is, what is wrapped.
type Row = (i64, String, Vec<u8>);

impl Part {
    const fn read(self) -> &'static str {
        match self {
            Self::MacRoot => "SELECT id, '', wrapped FROM mac_root WHERE id > ?1 ORDER BY id LIMIT ?2",
            Self::DataKeys => {
                "SELECT id, CAST(customer AS TEXT), wrapped FROM data_key WHERE wrapped IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2"
            }
            Self::Codes => {
                "SELECT operator, CAST(serial AS TEXT), wrapped FROM totp WHERE operator > ?1 ORDER BY operator LIMIT ?2"
            }
            Self::Cards => "SELECT id, token, wrapped FROM card WHERE id > ?1 ORDER BY id LIMIT ?2",
        }
    }

    /// Bound to the old bytes: no two wrappings are alike, so they stand only where nothing happened.
    const fn write(self) -> &'static str {
        match self {
            Self::MacRoot => "UPDATE mac_root SET wrapped = ?3 WHERE id = ?1 AND wrapped = ?2",
            Self::DataKeys => "UPDATE data_key SET wrapped = ?3 WHERE id = ?1 AND wrapped = ?2",
            Self::Codes => "UPDATE totp SET wrapped = ?3 WHERE operator = ?1 AND wrapped = ?2",
            Self::Cards => "UPDATE card SET wrapped = ?3 WHERE id = ?1 AND wrapped = ?2",
        }
    }

    fn context(self, (number, of, _): &Row) -> Context {
        match self {
            Self::MacRoot => wrap::mac_root(),
            Self::DataKeys => wrap::data_key(CustomerId(of.parse().unwrap_or(0)), number.cast_unsigned()),
            Self::Codes => wrap::totp(number.cast_unsigned(), of.parse().unwrap_or(u32::MAX)),
            Self::Cards => wrap::card(of),
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::MacRoot => Some(Self::DataKeys),
            Self::DataKeys => Some(Self::Codes),
            Self::Codes => Some(Self::Cards),
            Self::Cards => None,
        }
    }
}

impl RewrapFrom {
    /// Where to go on behind these rows, of which a page has `limit` at most.
    fn behind(self, found: &[Row], limit: usize) -> Option<Self> {
        match found.last() {
            Some((last, ..)) if found.len() == limit => Some(Self { part: self.part, after: *last }),
            _ => self.part.next().map(|part| Self { part, after: 0 }),
        }
    }
}

impl Vault {
    /// The version of `platform/vault` that wraps now, to which rows move; 0 while none is active.
    ///
    /// # Errors
    /// [`Error::Keys`] if the key service is sealed or fails.
    pub fn newest_version(&self) -> Result<u32, Error> {
        self.wrapper.newest()
    }

    /// Counts what lies under a version before `newest` among up to `rows` rows (1 to [`BATCH_MAX`]). It opens none of them.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn rewrap_left(&self, newest: u32, from: RewrapFrom, rows: usize) -> Result<LeftPage, Error> {
        let limit = rows.clamp(1, BATCH_MAX);
        let found = page(&self.lock(), from.part, from.after, limit).map_err(self.failed("read wrapped keys"))?;
        let left = found.iter().filter(|(.., wrapped)| wrap::is_older(wrapped, newest)).count() as u64;
        Ok(LeftPage { left, next: from.behind(&found, limit) })
    }

    /// How many rows lie under this version; while it may not open, they do not.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn rows_under(&self, version: u32) -> Result<u64, Error> {
        let (mut rows, mut from) = (0, Some(RewrapFrom::default()));
        while let Some(place) = from {
            let found =
                page(&self.lock(), place.part, place.after, BATCH_MAX).map_err(self.failed("read wrapped keys"))?;
            rows += found.iter().filter(|(.., wrapped)| wrap::version_of(wrapped) == Some(version)).count() as u64;
            from = place.behind(&found, BATCH_MAX);
        }
        Ok(rows)
    }

    /// Looks at up to `rows` rows (1 to [`BATCH_MAX`]) and moves those under an older version of `platform/vault` to the newest.
    /// Other calls go on meanwhile. What is wrapped after the rotation is under the new version, so nothing older comes in behind a pass
    /// that began later. Make passes until [`Vault::rewrap_left`] finds nothing but what was refused.
    ///
    /// # Errors
    /// [`Error::Keys`] if the key service is sealed or fails, [`Error::Database`]; the page is made again then.
    pub fn rewrap_page(&self, from: RewrapFrom, rows: usize) -> Result<RewrapPage, Error> {
        let (part, limit) = (from.part, rows.clamp(1, BATCH_MAX));
        let newest = self.wrapper.newest()?;
        let found = page(&self.lock(), part, from.after, limit).map_err(self.failed("read wrapped keys"))?;
        let next = from.behind(&found, limit);
        let old: Vec<_> = found.into_iter().filter(|row| wrap::is_older(&row.2, newest)).collect();
        let contexts: Vec<_> = old.iter().map(|row| part.context(row)).collect();
        let wrapped: Vec<_> = contexts.iter().zip(&old).map(|(context, row)| (context, row.2.as_slice())).collect();
        let (mut opened, mut rows) = (Vec::with_capacity(old.len()), Vec::with_capacity(old.len()));
        for ((row, context), bytes) in old.iter().zip(&contexts).zip(self.wrapper.unwrap_many(&wrapped)?) {
            if let Some(bytes) = bytes {
                rows.push((row.0, row.2.as_slice()));
                opened.push((context.clone(), bytes));
            }
        }
        let new = self.wrapper.wrap_many(&opened)?;
        let moved = self.replace(part, &rows, &new)?;
        let (tried, refused) = (rows.len() as u64, (old.len() - rows.len()) as u64);
        Ok(RewrapPage { moved, changed: tried - moved, refused, next })
    }

    /// Writes the new bytes where the old ones stand, in one transaction; gives the number of rows.
    fn replace(&self, part: Part, rows: &[(i64, &[u8])], new: &[Vec<u8>]) -> Result<u64, Error> {
        if rows.is_empty() {
            return Ok(0);
        }
        let mut connection = self.lock();
        let mut write = || {
            let transaction = begin(&mut connection)?;
            let mut moved = 0;
            for ((number, old), new) in rows.iter().zip(new) {
                moved += transaction.prepare_cached(part.write())?.execute(params![number, old, new])? as u64;
            }
            transaction.commit()?;
            Ok(moved)
        };
        write().map_err(self.failed("re-wrap keys"))
    }
}

fn page(connection: &Connection, part: Part, after: i64, limit: usize) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(part.read())?;
    let rows = statement.query_map(params![after, limit as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{CertificateType, Identity};

    #[test]
    fn a_row_erased_after_it_was_read_stays_erased() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let vault = Vault::open_with_key_file(directory.path()).expect("a new vault");
        for number in ["990101190001010001", "990101190001010002"] {
            let identity = Identity::new(CertificateType::ResidentIdentity, &number.into()).expect("a number");
            vault.get_or_create(&identity).expect("created");
        }
        let found = page(&vault.lock(), Part::DataKeys, 0, 10).expect("read");
        vault.erase(CustomerId(1)).expect("erased");
        let rows: Vec<_> = found.iter().map(|(number, _, wrapped)| (*number, wrapped.as_slice())).collect();
        let moved = vault.replace(Part::DataKeys, &rows, &[b"new 1".to_vec(), b"new 2".to_vec()]).expect("written");
        assert_eq!(moved, 1);
        let left = page(&vault.lock(), Part::DataKeys, 0, 10).expect("read");
        assert_eq!(left, [(2, "2".to_owned(), b"new 2".to_vec())]);
    }
}
