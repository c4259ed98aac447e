//! Rows from one place into another, as they are: each has its MAC, and none is opened. A backup is a file like `keys.db`,
//! wherever the rows lie.

use std::path::Path;

use super::{Home, NONE, Place, PlaceError, Transaction, Value, sqlite::Sqlite};
use crate::keys::Error;

/// Tables with how many columns they have, and the number that orders a table too large to hold at once.
const TABLES: [(&str, usize, Option<&str>); 8] = [
    ("root", 2, None),
    ("system_key", 3, None),
    ("key", 10, None),
    ("version", 9, None),
    ("audit", 10, Some("number")),
    ("checkpoint", 3, None),
    ("access", 3, None),
    ("approval", 12, None),
];
const PAGE: u32 = 10_000;
/// Rows that one statement writes.
const AT_ONCE: usize = 100;

/// Writes the rows of one moment into the file, which is there and empty.
pub(in crate::keys) fn backup(place: &mut Place, target: &Path) -> Result<(), PlaceError> {
    if let Place::Sqlite(sqlite) = place {
        return sqlite.copy_into(target);
    }
    let from = place.read()?;
    let mut file = Place::Sqlite(Sqlite::alone(target)?);
    let to = file.create()?;
    rows(&from, &to)?;
    to.commit()
}

/// Makes the key service of a schema out of a backup.
pub(in crate::keys) fn into_schema(backup: &Path, home: &Home) -> Result<(), Error> {
    let mut file = Place::of_file(backup)?;
    if file.checked_format(backup)? == 0 {
        return Err(Error::File { path: backup.to_owned(), reason: "it is no backup of a key service" });
    }
    let mut place = Place::open(home)?;
    let name = home.name();
    if place.checked_format(&name)? != 0 {
        let reason = "it holds a key service; rename the schema (ALTER SCHEMA … RENAME TO …), or name another one";
        return Err(Error::File { path: name, reason });
    }
    let from = file.read()?;
    let to = place.create()?;
    rows(&from, &to)?;
    if to.first("SELECT id FROM root", &[])?.is_none() {
        return Err(Error::File { path: backup.to_owned(), reason: NONE });
    }
    Ok(to.commit()?)
}

fn rows(from: &Transaction<'_>, to: &Transaction<'_>) -> Result<(), PlaceError> {
    for (table, columns, order) in TABLES {
        let Some(order) = order else {
            write(to, table, columns, from.query(&format!("SELECT * FROM {table}"), &[])?)?;
            continue;
        };
        let sql = format!("SELECT * FROM {table} WHERE {order} > $1 ORDER BY {order} LIMIT $2");
        let mut after = i64::MIN;
        loop {
            let page = from.query(&sql, super::values![after, PAGE])?;
            let Some(last) = page.last() else { break };
            after = last.get(0).ok_or(PlaceError::Missing("the number of a record"))?;
            write(to, table, columns, page)?;
        }
    }
    Ok(())
}

fn write(to: &Transaction<'_>, table: &str, columns: usize, rows: Vec<super::Row>) -> Result<(), PlaceError> {
    for part in rows.chunks(AT_ONCE) {
        let row = |place: usize| {
            let names: Vec<_> = (1..=columns).map(|column| format!("${}", place * columns + column)).collect();
            format!("({})", names.join(", "))
        };
        let lines: Vec<_> = (0..part.len()).map(row).collect();
        let values: Vec<Value> = part.iter().flat_map(|row| row.0.iter().cloned()).collect();
        to.execute(&format!("INSERT INTO {table} VALUES {}", lines.join(", ")), &values)?;
    }
    Ok(())
}
