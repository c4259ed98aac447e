//! Lists page by page, and single rows by id. Every answer is of one checkpoint and says which.

use std::fmt;
use std::str::FromStr;

use domain::calendar::Date;

use crate::db::{Database, Value};
use crate::error::StoreError;
use crate::table::{Key, Stored, decode};

/// Where the next page begins: opaque to callers, the last id in hexadecimal to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let shape = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = if shape { u64::from_str_radix(text, 16).ok() } else { None };
        number
            .map(|number| Self(number.cast_signed()))
            .ok_or_else(|| StoreError::BadCursor(text.chars().take(32).collect()))
    }
}

/// One page of a list, in the order of the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<X> {
    /// The rows.
    pub data: Vec<X>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<Cursor>,
    /// The journal position that the rows show; 0 before the first checkpoint.
    pub position: u64,
}

/// One condition on a column.
#[derive(Debug, Clone)]
pub struct Term {
    column: &'static str,
    operator: &'static str,
    value: Value,
}

impl Term {
    /// The column is `value`.
    pub fn equal(column: &'static str, value: impl Into<Value>) -> Self {
        Self { column, operator: "=", value: value.into() }
    }

    /// The column is `value` or more.
    pub fn from(column: &'static str, value: impl Into<Value>) -> Self {
        Self { column, operator: ">=", value: value.into() }
    }

    /// The column is `value` or less.
    pub fn to(column: &'static str, value: impl Into<Value>) -> Self {
        Self { column, operator: "<=", value: value.into() }
    }

    /// The time in the column lies on `date` in Shanghai or later.
    pub fn since(column: &'static str, date: Date) -> Self {
        Self::from(column, date.starts_at().0)
    }

    /// The time in the column lies on `date` in Shanghai or earlier.
    pub fn until(column: &'static str, date: Date) -> Self {
        Self { column, operator: "<", value: date.plus_days(1).starts_at().0.into() }
    }
}

/// What a list of one feature may be narrowed by; an empty filter takes all.
pub trait Filter: Default {
    /// What is listed.
    type Of: Stored;

    /// The conditions, all of which hold; an absent one is `None`.
    fn terms(&self) -> Vec<Option<Term>>;
}

/// The rows behind `cursor` (from the first one if `None`) that the filter takes, `limit` of them at most.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] naming a row that is not what was written.
pub fn list<F: Filter>(
    database: &Database,
    filter: &F,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Page<F::Of>, StoreError> {
    let limit = limit.max(1);
    let mut parameters: Vec<Value> = vec![cursor.map_or(i64::MIN, |cursor| cursor.0).into()];
    let mut conditions = String::from("id > $1");
    for term in filter.terms().into_iter().flatten() {
        parameters.push(term.value);
        conditions.push_str(&format!(" AND {} {} ${}", term.column, term.operator, parameters.len()));
    }
    // One row more than asked for says whether there is a next page.
    parameters.push((i64::from(limit) + 1).into());
    let page = format!(
        "SELECT id, checksum, blob FROM {} WHERE {conditions} ORDER BY id LIMIT ${}",
        <F::Of as Stored>::TABLE,
        parameters.len()
    );
    // One statement reads the position and the rows that are of it.
    let sql = format!(
        "SELECT checkpoint.position, page.id, page.checksum, page.blob \
         FROM checkpoint LEFT JOIN ({page}) AS page ON 1 = 1 ORDER BY page.id"
    );
    let rows = database.query(&sql, &parameters)?;
    let position = rows.first().map_or(Ok(0), |row| row.unsigned(0))?;
    let mut data = Vec::new();
    for row in rows.iter().filter(|row| !row.is_null(1)) {
        data.push(decode::<F::Of>(row, 1)?);
    }
    let more = data.len() > limit as usize;
    data.truncate(limit as usize);
    let last = data.last().filter(|_| more);
    let next_cursor = last.map(|last| Cursor(last.id().number()));
    Ok(Page { data, next_cursor, position })
}

/// The row of an id, as the last checkpoint left it.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] if the row is not what was written.
pub fn get<X: Stored>(database: &Database, id: X::Id) -> Result<Option<X>, StoreError> {
    let sql = format!("SELECT id, checksum, blob FROM {} WHERE id = $1", X::TABLE);
    database.query(&sql, &[id.number().into()])?.first().map(|row| decode(row, 0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_writes_and_nothing_else() {
        for id in [0, 1, 255, i64::MAX, -1] {
            assert_eq!(Cursor(id).to_string().parse(), Ok(Cursor(id)));
        }
        for text in ["", "1", "zz", "00000000000000FF", "+000000000000001", "0000000000000001 ", "00000000000000001"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
