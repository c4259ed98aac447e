//! The catalogue of runs: which files of the lake are committed. A file without a row here does not exist.

use domain::calendar::Date;
use domain::ids::AccountId;

use crate::checkpoint::{self, Checkpoint};
use crate::db::{Database, Row, Session, Value};
use crate::error::StoreError;

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

impl SegmentKind {
    /// The name in the catalogue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::EndOfDay => "end_of_day",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Entries, Self::EndOfDay].into_iter().find(|kind| kind.name() == name)
    }
}

const TABLE: &str = "runs";
const COLUMNS: &str =
    "path, kind, date, first_position, last_position, file_rows, bytes, checksum, min_account, max_account";

/// Commits files. A path is committed once: its file never changes afterwards.
pub(crate) fn insert(session: &dyn Session, segments: &[SegmentRow]) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO {TABLE} ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    for segment in segments {
        let SegmentRow {
            path,
            kind,
            date,
            first_position,
            last_position,
            rows,
            bytes,
            checksum,
            min_account,
            max_account,
        } = segment;
        let parameters: [Value; 10] = [
            path.as_str().into(),
            kind.name().into(),
            date.0.into(),
            (*first_position).into(),
            (*last_position).into(),
            (*rows).into(),
            (*bytes).into(),
            (*checksum).into(),
            (*min_account).into(),
            (*max_account).into(),
        ];
        session.execute(&sql, &parameters).map_err(|error| {
            StoreError::database(format!("committing the file {path} to the catalogue of runs"), error)
        })?;
    }
    Ok(())
}

/// The committed files of a kind (of any if `None`) whose date lies between `from` and `to`, both inclusive, and that
/// may hold entries of `account`; in the order of date, then position.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn segments(
    database: &Database,
    kind: Option<SegmentKind>,
    from: Option<Date>,
    to: Option<Date>,
    account: Option<AccountId>,
) -> Result<Vec<SegmentRow>, StoreError> {
    let account = account.map(|account| account.0);
    let terms = [
        kind.map(|kind| ("kind =", Value::from(kind.name()))),
        from.map(|date| ("date >=", date.0.into())),
        to.map(|date| ("date <=", date.0.into())),
        account.map(|account| ("min_account <=", account.into())),
        account.map(|account| ("max_account >=", account.into())),
    ];
    database.snapshot(|session| read(session, terms.into_iter().flatten()))
}

/// What the balances of `date` follow from, however many days there are: the last end of day before it that counts (that of
/// its day's last seal), and every file up to `date` with what that one does not hold: those of later days, and those of its
/// own or earlier days that go on behind its position, as with an adjustment.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn since_last_end(database: &Database, date: Date) -> Result<Vec<SegmentRow>, StoreError> {
    let last = format!(
        "SELECT {COLUMNS} FROM {TABLE} WHERE kind = $1 AND date < $2 ORDER BY date DESC, last_position DESC LIMIT 1"
    );
    let since = format!(
        "SELECT {COLUMNS} FROM {TABLE} WHERE date <= $1 AND (date > $2 OR last_position > $3) \
         ORDER BY date, first_position, path"
    );
    database.snapshot(|session| {
        let end = session.query(&last, &[SegmentKind::EndOfDay.name().into(), date.0.into()])?;
        let Some(end) = end.first().map(decode).transpose()? else {
            return read(session, [("date <=", date.0.into())]);
        };
        let rows = session.query(&since, &[date.0.into(), end.date.0.into(), end.last_position.into()])?;
        let mut rows = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        rows.push(end);
        Ok(rows)
    })
}

/// The committed files of entries of `date`, and the checkpoint that they are of: one image of both.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn at_checkpoint(database: &Database, date: Date) -> Result<(Option<Checkpoint>, Vec<SegmentRow>), StoreError> {
    let terms = [("kind =", SegmentKind::Entries.name().into()), ("date =", date.0.into())];
    database.snapshot(|session| Ok((checkpoint::read(session)?, read(session, terms)?)))
}

/// How many files are committed, and the dates of which at least `least` files of entries are.
///
/// # Errors
/// [`StoreError::Database`].
pub fn crowded(database: &Database, least: u64) -> Result<(u64, Vec<Date>), StoreError> {
    let dates = format!("SELECT date FROM {TABLE} WHERE kind = $1 GROUP BY date HAVING COUNT(*) >= $2 ORDER BY date");
    database.snapshot(|session| {
        let count = session.query(&format!("SELECT COUNT(*) FROM {TABLE}"), &[])?;
        let count = count.first().map_or(Ok(0), |row| row.unsigned(0))?;
        let found = session.query(&dates, &[SegmentKind::Entries.name().into(), least.into()])?;
        let date = |row: &Row| {
            let date = i32::try_from(row.int(0)?);
            date.map(Date).map_err(|_| StoreError::corrupt(TABLE, "date", "a date is out of range"))
        };
        Ok((count, found.iter().map(date).collect::<Result<_, _>>()?))
    })
}

/// Puts `put` in the place of the files `taken`, which were merged into it: all of it or nothing, and durable when it returns,
/// so that their files may be removed. Done before, it is done again to no effect: a call whose answer was lost is repeated.
///
/// # Errors
/// [`StoreError::FilesChanged`] if the catalogue does not name all of `taken` as they are; [`StoreError::Database`], after which
/// it may be done or not.
pub fn replace(database: &Database, taken: &[SegmentRow], put: &SegmentRow) -> Result<(), StoreError> {
    database.durable_transaction(|session| {
        let named = |row: &SegmentRow| -> Result<bool, StoreError> {
            let sql = format!("SELECT {COLUMNS} FROM {TABLE} WHERE path = $1");
            let found = session.query(&sql, &[row.path.as_str().into()])?;
            Ok(found.first().map(decode).transpose()?.as_ref() == Some(row))
        };
        if named(put)? {
            return Ok(());
        }
        for row in taken {
            if !named(row)? {
                return Err(StoreError::FilesChanged { path: row.path.clone() });
            }
            let sql = format!("DELETE FROM {TABLE} WHERE path = $1");
            if session.execute(&sql, &[row.path.as_str().into()])? != 1 {
                return Err(StoreError::FilesChanged { path: row.path.clone() });
            }
        }
        insert(session, std::slice::from_ref(put))
    })
}

/// Every committed file, in the order of date, then position.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn all(database: &Database) -> Result<Vec<SegmentRow>, StoreError> {
    database.snapshot(read_all)
}

pub(crate) fn read_all(session: &dyn Session) -> Result<Vec<SegmentRow>, StoreError> {
    read(session, [])
}

fn read(
    session: &dyn Session,
    terms: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<Vec<SegmentRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM {TABLE}");
    let mut parameters = Vec::new();
    for (condition, value) in terms {
        let word = if parameters.is_empty() { "WHERE" } else { "AND" };
        parameters.push(value);
        sql.push_str(&format!(" {word} {condition} ${}", parameters.len()));
    }
    sql.push_str(" ORDER BY date, first_position, path");
    session.query(&sql, &parameters)?.iter().map(decode).collect()
}

fn decode(row: &Row) -> Result<SegmentRow, StoreError> {
    let path = row.text(0)?;
    let corrupt = |reason: &str| StoreError::corrupt(TABLE, path, reason);
    let date = i32::try_from(row.int(2)?).map_err(|_| corrupt("its date is out of range"))?;
    Ok(SegmentRow {
        path: path.to_owned(),
        kind: SegmentKind::parse(row.text(1)?).ok_or_else(|| corrupt("its kind is unknown"))?,
        date: Date(date),
        first_position: row.unsigned(3)?,
        last_position: row.unsigned(4)?,
        rows: row.unsigned(5)?,
        bytes: row.unsigned(6)?,
        checksum: u32::try_from(row.int(7)?).map_err(|_| corrupt("its checksum is out of range"))?,
        min_account: row.unsigned(8)?,
        max_account: row.unsigned(9)?,
    })
}
