//! Looking at the indexes of the schema: whether each finds what its table holds, and nothing else.
//!
//! ```text
//!  amcheck is installed, and this user may call it ─► bt_index_check of each: its order, its pages, every row of the table in it
//!  else ─► three readings of each index's table, each summed up whatever its order:
//!            the rows, in the order of the table          ──┐ count, values         count, values and places
//!            the index's own values, in its order         ──┘ (index-only scan)           │
//!            the rows that it leads to, in its order      ────────────────────────────────┘ (index scan)
//! ```
//! The second way needs the rights of the tables' owner and no extension. It sees an entry that is missing, is there twice, leads to
//! another row or holds another value; what leads to the leaves of an index only `amcheck` sees.

use std::time::Duration;

use tokio_postgres::IsolationLevel;

use super::Postgres;
use crate::db::{Row, Session, Value};
use crate::error::StoreError;

/// A table may be large, and nobody else waits for the answer.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// The schema in which `amcheck` is, if this user may call it.
const AMCHECK: &str = "
    SELECT space.nspname::text FROM pg_proc AS function JOIN pg_namespace AS space ON space.oid = function.pronamespace
    WHERE function.proname = 'bt_index_check' AND function.pronargs = 2
      AND has_function_privilege(function.oid, 'EXECUTE') AND has_schema_privilege(space.oid, 'USAGE')";

/// Every index of the schema: its name, its table's, whether it is valid and a tree, its condition, its columns, its order.
const INDEXES: &str = "
    SELECT own.relname::text, of.relname::text, (entry.indisvalid AND kind.amname = 'btree')::int::bigint,
           coalesce(pg_get_expr(entry.indpred, entry.indrelid), 'true'),
           (SELECT string_agg(pg_get_indexdef(own.oid, at, false), ', ' ORDER BY at)
            FROM generate_series(1, entry.indnatts::int) AS at),
           (SELECT string_agg(pg_get_indexdef(own.oid, at, false)
                || CASE WHEN pg_index_column_has_property(own.oid, at, 'desc') THEN ' DESC' ELSE '' END, ', ' ORDER BY at)
            FROM generate_series(1, entry.indnkeyatts::int) AS at)
    FROM pg_index AS entry
    JOIN pg_class AS own ON own.oid = entry.indexrelid JOIN pg_am AS kind ON kind.oid = own.relam
    JOIN pg_class AS of ON of.oid = entry.indrelid JOIN pg_namespace AS space ON space.oid = of.relnamespace
    WHERE space.nspname = $1 AND of.relkind = 'r' ORDER BY 1";

/// Has the table be read from its beginning to its end.
const BY_TABLE: &str = "
    SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off;
    SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;";
/// Has it be read through an index that has the order that is asked for.
const BY_INDEX: &str = "
    SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on;
    SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off;";

/// An index.
struct Index {
    name: String,
    table: String,
    is_sound_tree: bool,
    condition: String,
    columns: String,
    order: String,
}

impl Postgres {
    /// What is wrong with the indexes, a line each.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the catalogue of indexes cannot be read.
    pub(crate) fn check_indexes(&self) -> Result<Vec<String>, StoreError> {
        let amcheck = self.query(AMCHECK, &[])?;
        let amcheck = amcheck.first().map(|row| row.text(0)).transpose()?;
        let mut found = Vec::new();
        for row in self.query(INDEXES, &[self.schema.as_str().into()])? {
            let index = Index::of(&row)?;
            let looked = self.within(IsolationLevel::RepeatableRead, true, PATIENCE, |session| match amcheck {
                Some(amcheck) => index.check(session, amcheck, &self.schema),
                None => index.compare(session),
            });
            let what = match looked {
                Ok(None) => continue,
                Ok(Some(what)) => what,
                // The server's words: that an entry is not where it should be, that a page is no page of an index.
                Err(error) => error.to_string(),
            };
            found.push(format!("index {} of {}: {what}", index.name, index.table));
        }
        Ok(found)
    }
}

impl Index {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        Ok(Self {
            name: text(0)?,
            table: text(1)?,
            is_sound_tree: row.int(2)? == 1,
            condition: text(3)?,
            columns: text(4)?,
            order: text(5)?,
        })
    }

    /// Has `amcheck` look.
    fn check(&self, session: &dyn Session, amcheck: &str, schema: &str) -> Result<Option<String>, StoreError> {
        if !self.is_sound_tree {
            return Ok(Some("it is not valid".to_owned()));
        }
        let sql = format!("SELECT \"{amcheck}\".bt_index_check(to_regclass($1), true)::text");
        session.query(&sql, &[Value::from(format!("\"{schema}\".\"{}\"", self.name))])?;
        Ok(None)
    }

    /// Compares the three readings.
    fn compare(&self, session: &dyn Session) -> Result<Option<String>, StoreError> {
        let Self { name, table, is_sound_tree, condition, columns, order } = self;
        if !is_sound_tree {
            return Ok(Some("it is not valid".to_owned()));
        }
        let sum = |of: &str| format!("coalesce(sum(hashtextextended(ROW({of})::text, 0)), 0)::text");
        let (values, places) = (sum(columns), sum(&format!("ctid, {columns}")));
        session.batch(BY_TABLE)?;
        let sql = format!("SELECT count(*), {values}, {places} FROM \"{table}\" WHERE {condition}");
        let rows = session.query(&sql, &[])?;
        session.batch(BY_INDEX)?;
        // Without OFFSET the order would be of no consequence, and left out.
        let ordered = |of: &str, sum: &str| {
            format!(
                "SELECT count(*), {sum} FROM \
                 (SELECT {of} FROM \"{table}\" WHERE {condition} ORDER BY {order} OFFSET 0) AS ordered"
            )
        };
        let readings = [(ordered(columns, &values), 1), (ordered(&format!("ctid, {columns}"), &places), 2)];
        for (sql, column) in readings {
            let plan = session.query(&format!("EXPLAIN (COSTS OFF) {sql}"), &[])?;
            let uses = format!(" using {name} on ");
            if !plan.iter().any(|line| line.text(0).is_ok_and(|line| line.contains(&uses))) {
                return Ok(Some("it could not be looked at: PostgreSQL reads the table by another one".to_owned()));
            }
            let through = session.query(&sql, &[])?;
            let (own, found) = (cells(&rows, &[0, column]), cells(&through, &[0, 1]));
            if own != found {
                let (own, found) = (count(&rows)?, count(&through)?);
                return Ok(Some(format!("it gives {found} rows where the table has {own}, or others than these")));
            }
        }
        Ok(None)
    }
}

fn cells<'a>(rows: &'a [Row], columns: &[usize]) -> Vec<Option<&'a Value>> {
    columns.iter().map(|column| rows.first().and_then(|row| row.0.get(*column))).collect()
}

fn count(rows: &[Row]) -> Result<i64, StoreError> {
    rows.first().map_or(Ok(0), |row| row.int(0))
}
