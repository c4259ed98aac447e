//! Filling an empty journal in PostgreSQL with the rows of another one: a restore. All of it is one transaction, so that the
//! schema holds the whole of what is restored or nothing; half a journal would be a sound one that forgot its end.

use super::connection::PostgresConfig;
use super::table::Table;
use crate::error::JournalError;
use crate::ranges::Ranges;
use crate::record::Record;
use crate::rows::Rows as _;

/// Payload bytes of one statement, and rows of one.
const STATEMENT: (usize, usize) = (4 << 20, 4_096);

/// A schema that is being filled.
pub(crate) struct Filling {
    table: Table,
    waiting: Vec<Record>,
    bytes: usize,
}

impl Filling {
    /// Makes the table where it is missing, and keeps every writer out until the end.
    ///
    /// # Errors
    /// [`JournalError::Database`], also if there are rows already.
    pub(crate) fn begin(config: &PostgresConfig) -> Result<Self, JournalError> {
        let mut table = Table::create(config)?;
        // What reads the rows that come may pause longer than a server lets a transaction rest.
        table.run(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE {schema}.journal IN EXCLUSIVE MODE",
        )?;
        let ranges = config.ranges.as_ref().map(Ranges::open).transpose()?;
        if let Some(last) = ranges.map(|ranges| ranges.last_row()).filter(|last| *last > 0) {
            let doing = format!("copying rows to schema {}", config.schema);
            let what = format!("the place of its ranges holds rows already, up to row {last}; name an empty one");
            return Err(JournalError::database(doing, what));
        }
        if let Some(last) = table.last()? {
            let doing = format!("copying rows to schema {}", config.schema);
            let what = format!("it holds a journal already, up to row {last}; name an empty schema");
            return Err(JournalError::database(doing, what));
        }
        Ok(Self { table, waiting: Vec::new(), bytes: 0 })
    }

    /// Puts a row behind the one before it.
    pub(crate) fn put(&mut self, record: Record) -> Result<(), JournalError> {
        self.bytes += record.payload.len();
        self.waiting.push(record);
        if self.bytes >= STATEMENT.0 || self.waiting.len() >= STATEMENT.1 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), JournalError> {
        self.table.put(&self.waiting)?;
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Makes them durable.
    pub(crate) fn finish(mut self) -> Result<(), JournalError> {
        self.send()?;
        self.table.take_notices();
        self.table.run("COMMIT")?;
        let notices = self.table.take_notices();
        if notices.is_empty() {
            return Ok(());
        }
        // The rows are there; that a standby was not waited for is only ever a warning.
        Err(JournalError::database("committing the copied rows", notices.join("; ")))
    }
}
