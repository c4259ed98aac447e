//! The audit of the tables: every row that is not what was written, and, given the state that the journal leads to, every
//! row that the journal does not account for. Where [`crate::recovery`] stops at the first damage, this names them all.
//!
//! ```text
//!  file ─ pages (SQLite), and every index beside its table ─► what lists are found by is what the tables hold
//!  row ─ checksum, id ─► aggregate ─ its own columns ─► equal to the state's, if there is one
//!           └ damaged: named, and the walk goes on with the next row
//! ```

use domain::State;

use crate::checkpoint;
use crate::db::{Database, Session, Value};
use crate::error::StoreError;
use crate::recovery::DifferenceKind;
use crate::table::{self, Key, Stored};
use crate::tables;

/// The name of all tables together: the file they are in.
const FILE: &str = "store";

/// A row that is not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its table.
    pub table: &'static str,
    /// Its id as the table has it; `None` where the table itself does not read.
    pub id: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Damage {
    fn of_row(table: &'static str, id: i64, what: impl ToString) -> Self {
        Self { table, id: Some(id.to_string()), what: what.to_string() }
    }
}

/// Looks at every row of every table, and compares with `state`, if it is given: what the journal leads to at exactly the
/// store's checkpoint. `began` is told of each table before it is read.
///
/// # Errors
/// [`StoreError::Database`] if the database cannot be asked at all; what does not read inside it is among the damages.
pub fn audit(
    database: &Database,
    state: Option<&State>,
    began: &mut dyn FnMut(&'static str),
) -> Result<Vec<Damage>, StoreError> {
    began(FILE);
    let said = database.check_file().unwrap_or_else(|error| vec![error.to_string()]);
    let of_file = said.into_iter().map(|what| Damage { table: FILE, id: None, what }).collect();
    database.snapshot(|session| {
        let mut audit = Audit { session, began, found: of_file };
        audit.core(state);
        tables::audit(&mut audit, state);
        Ok(audit.found)
    })
}

/// Gives each row of a state as its table would hold it: the table, the id's number, the bytes; in the order of the tables
/// and ids. An account's balance and entry count are no part of its row.
pub fn rows(state: &State, each: &mut dyn FnMut(&'static str, i64, &[u8])) {
    tables::each(state, each);
}

/// An audit under way.
pub(crate) struct Audit<'a> {
    session: &'a dyn Session,
    began: &'a mut dyn FnMut(&'static str),
    found: Vec<Damage>,
}

impl Audit<'_> {
    fn core(&mut self, state: Option<&State>) {
        let what = match checkpoint::read_core(self.session) {
            Ok(Some(core)) if state.is_some_and(|state| core.clone().completed(&state.core()) != state.core()) => {
                "its core is another than the journal gives it".to_owned()
            }
            Ok(_) => return,
            Err(StoreError::Corrupt { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        self.found.push(Damage::of_row("checkpoint", 1, what));
    }

    /// One table; `expected` are its rows in the order of their ids.
    pub(crate) fn table<'s, X: Stored + 's>(&mut self, expected: Option<impl Iterator<Item = &'s X>>) {
        (self.began)(X::TABLE);
        let compares = expected.is_some();
        let mut expected = expected.into_iter().flatten().peekable();
        let found = &mut self.found;
        let read = table::read_each(self.session, X::COLUMNS, |key, row: Result<X, StoreError>, columns| {
            while let Some(row) = expected.next_if(|row| row.id().number() < key) {
                found.push(Damage::of_row(X::TABLE, row.id().number(), DifferenceKind::Missing));
            }
            let own = expected.next_if(|row| row.id().number() == key);
            let row = match row {
                Ok(row) => row,
                Err(StoreError::Corrupt { reason, .. }) => return found.push(Damage::of_row(X::TABLE, key, reason)),
                Err(error) => return found.push(Damage::of_row(X::TABLE, key, error)),
            };
            match own {
                Some(own) if *own.image() != row => {
                    found.push(Damage::of_row(X::TABLE, key, DifferenceKind::Changed));
                }
                None if compares => found.push(Damage::of_row(X::TABLE, key, DifferenceKind::Unknown)),
                Some(_) | None => found.extend(columns_of(key, &row, columns)),
            }
        });
        if let Err(error) = read {
            found.push(Damage { table: X::TABLE, id: None, what: error.to_string() });
            return;
        }
        found.extend(expected.map(|row| Damage::of_row(X::TABLE, row.id().number(), DifferenceKind::Missing)));
    }
}

/// The columns that do not fit their row.
fn columns_of<X: Stored>(key: i64, row: &X, columns: &[Value]) -> Vec<Damage> {
    let own = row.columns();
    let differ = X::COLUMNS.iter().zip(columns).zip(&own).filter(|((_, found), own)| found != own);
    differ.map(|((column, _), _)| Damage::of_row(X::TABLE, key, DifferenceKind::Column(column))).collect()
}
