//! The journal's table in PostgreSQL: the statements, and what their answers mean.

use std::cell::OnceCell;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, Statement};

use super::connection::{Connection, PostgresConfig, Role, describe};
use crate::chain::{NewRow, StoredRow};
use crate::error::JournalError;
use crate::record::Record;
use crate::rows::{COLUMNS, PAGE_ROWS, Rows};

/// How often at most the backends of earlier writers are asked to end before the attempt counts as
/// failed.
const END_ROUNDS: u32 = 20;

/// The lock keeps two first openers apart: `IF NOT EXISTS` alone is no help in a race.
const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(hashtext('journal/{schema}'));
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.journal (
        row      bigint PRIMARY KEY,
        first    bigint NOT NULL,
        count    bigint NOT NULL,
        epoch    bigint NOT NULL,
        level    bigint NOT NULL,
        time_ms  bigint NOT NULL,
        previous bytea  NOT NULL,
        hash     bytea  NOT NULL,
        checksum bigint NOT NULL,
        payload  bytea  NOT NULL
    );
    ALTER TABLE {schema}.journal ALTER COLUMN payload SET STORAGE EXTERNAL;
    CREATE UNIQUE INDEX IF NOT EXISTS journal_first ON {schema}.journal (first) WHERE count > 0;
    COMMIT;";

/// The table over one connection.
pub(crate) struct Table {
    connection: Connection,
    schema: String,
    answer_within: Duration,
    patience: Duration,
    /// Prepared for the first insert only: a reader, perhaps at a standby, may not write.
    insert: OnceCell<Statement>,
}

/// The answer to one insert.
#[derive(Debug)]
pub(crate) enum Inserted {
    /// A clean success: the row is in, and durable as far as the server knows.
    Clean,
    /// The row before is not what its writer saw, or its number or position is taken.
    Taken,
    /// Anything else: the row is in doubt.
    Unclear(String),
}

impl Table {
    /// Connects and makes the table where it is missing. Where it is there, nothing is locked: a
    /// dead writer's unfinished transaction must not be able to keep its successor out.
    pub(crate) fn create(config: &PostgresConfig) -> Result<Self, JournalError> {
        let connection = Connection::open(config, Role::Opening)?;
        let schema = &config.schema;
        let table = Self::over(connection, config);
        if !table.is_there()? {
            let sql = SCHEMA.replace("{schema}", schema);
            let doing = format!("creating the journal in schema {schema}");
            let creating = table.connection.client.batch_execute(&sql);
            table.connection.wait(config.patience, &doing, creating)?;
        }
        Ok(table)
    }

    /// Connects to a table that is there.
    pub(crate) fn open(config: &PostgresConfig, role: Role) -> Result<Self, JournalError> {
        let table = Self::over(Connection::open(config, role)?, config);
        if table.is_there()? {
            Ok(table)
        } else {
            let doing = format!("opening the journal in schema {}", config.schema);
            Err(JournalError::database(doing, "there is none: its table does not exist"))
        }
    }

    fn over(connection: Connection, config: &PostgresConfig) -> Self {
        Self {
            connection,
            schema: config.schema.clone(),
            answer_within: config.answer_within,
            patience: config.patience,
            insert: OnceCell::new(),
        }
    }

    fn is_there(&self) -> Result<bool, JournalError> {
        let sql = format!("SELECT to_regclass('{}.journal') IS NOT NULL", self.schema);
        let found = self.query(&sql, &[])?;
        found.first().map_or(Ok(false), |row| column(row, 0))
    }

    /// The fence: a row goes in only behind the row that its writer saw last.
    fn prepare_insert(&self) -> Result<&Statement, JournalError> {
        if let Some(statement) = self.insert.get() {
            return Ok(statement);
        }
        let table = format!("{}.journal", self.schema);
        let sql = format!(
            "INSERT INTO {table} ({COLUMNS})
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
             WHERE $1::bigint = 1 OR EXISTS (
                 SELECT 1 FROM {table} AS before WHERE before.row = $1 - 1 AND before.hash = $7)"
        );
        let mut types = vec![Type::INT8; 10];
        for bytes in [6, 7, 9] {
            types[bytes] = Type::BYTEA;
        }
        let preparing = self.connection.client.prepare_typed(&sql, &types);
        let statement = self.connection.wait(self.answer_within, "preparing to append", preparing)?;
        Ok(self.insert.get_or_init(|| statement))
    }

    /// Runs statements that give nothing back; `{schema}` in them is this journal's.
    pub(super) fn run(&self, sql: &str) -> Result<(), JournalError> {
        let sql = sql.replace("{schema}", &self.schema);
        let running = self.connection.client.batch_execute(&sql);
        self.connection.wait(self.patience, &format!("{sql} in schema {}", self.schema), running)
    }

    /// The first row that is in the table.
    pub(super) fn first(&self) -> Result<Option<u64>, JournalError> {
        self.row_number(&format!("SELECT row FROM {}.journal ORDER BY row LIMIT 1", self.schema), &[])
    }

    /// Some rows behind row `after`, a page at most: how many, the last of them, bytes of their payloads. Payloads stay unread.
    pub(super) fn measure(&self, after: u64) -> Result<(u64, u64, u64), JournalError> {
        let sql = format!(
            "SELECT count(*), coalesce(max(row), 0), coalesce(sum(octet_length(payload)), 0)::bigint FROM
                 (SELECT row, payload FROM {}.journal WHERE row > $1 ORDER BY row LIMIT {PAGE_ROWS}) AS page",
            self.schema
        );
        let found = self.query(&sql, &[&signed(after)])?;
        let Some(row) = found.first() else { return Ok((0, 0, 0)) };
        Ok((unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?))
    }

    /// The first rows up to row `last`, a page at most, and the bytes of their payloads, which stay unread.
    pub(super) fn sizes(&self, last: u64) -> Result<Vec<(u64, u64)>, JournalError> {
        let sql = format!(
            "SELECT row, octet_length(payload)::bigint FROM {}.journal WHERE row <= $1 ORDER BY row LIMIT {PAGE_ROWS}",
            self.schema
        );
        self.query(&sql, &[&signed(last)])?.iter().map(|row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).collect()
    }

    /// Deletes the rows up to row `to`, but never the last.
    pub(super) fn delete_to(&self, to: u64) -> Result<(), JournalError> {
        let table = format!("{}.journal", self.schema);
        let sql = format!("DELETE FROM {table} WHERE row <= $1 AND row < (SELECT max(row) FROM {table})");
        let doing = format!("deleting rows to {to} of schema {}, which lie in files", self.schema);
        let to = signed(to);
        let parameters: [&(dyn ToSql + Sync); 1] = [&to];
        let deleting = self.connection.client.execute(&sql, &parameters);
        self.connection.wait(self.patience, &doing, deleting).map(drop)
    }

    /// What the server said beside its answers since the last call.
    pub(super) fn take_notices(&self) -> Vec<String> {
        self.connection.take_notices()
    }

    /// Puts rows of another journal in, as they are, in one statement.
    pub(super) fn put(&self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        let numbers = |of: fn(&Record) -> i64| records.iter().map(of).collect::<Vec<i64>>();
        let rows = numbers(|record| signed(record.row));
        let firsts = numbers(|record| signed(record.first));
        let counts = numbers(|record| record.count.into());
        let epochs = numbers(|record| signed(record.epoch));
        let levels = numbers(|record| record.level.into());
        let times = numbers(|record| record.time_ms);
        let previous: Vec<&[u8]> = records.iter().map(|record| record.previous.0.as_slice()).collect();
        let hashes: Vec<&[u8]> = records.iter().map(|record| record.hash.0.as_slice()).collect();
        let checksums =
            numbers(|record| record.header().checksum(&record.previous, &record.hash, &record.payload).into());
        let payloads: Vec<Payload<'_>> = records.iter().map(|record| Payload(&record.payload)).collect();
        let kinds = "bigint bigint bigint bigint bigint bigint bytea bytea bigint bytea";
        let arrays: Vec<String> = (1..).zip(kinds.split(' ')).map(|(at, kind)| format!("${at}::{kind}[]")).collect();
        let sql =
            format!("INSERT INTO {}.journal ({COLUMNS}) SELECT * FROM unnest({})", self.schema, arrays.join(", "));
        let (numbers, bytes) = (Type::INT8_ARRAY, Type::BYTEA_ARRAY);
        let parameters: [(&(dyn ToSql + Sync), Type); 10] = [
            (&rows, numbers.clone()),
            (&firsts, numbers.clone()),
            (&counts, numbers.clone()),
            (&epochs, numbers.clone()),
            (&levels, numbers.clone()),
            (&times, numbers.clone()),
            (&previous, bytes.clone()),
            (&hashes, bytes.clone()),
            (&checksums, numbers),
            (&payloads, bytes),
        ];
        let doing = format!("copying rows to schema {}", self.schema);
        let inserting = self.connection.client.execute_typed(&sql, &parameters);
        self.connection.wait(self.patience, &doing, inserting).map(drop)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.connection.client.is_closed()
    }

    /// Names this connection's backend as that of `role`.
    pub(crate) fn rename(&self, role: Role) -> Result<(), JournalError> {
        let sql = format!("SET application_name = '{}'", role.name(&self.schema));
        let renaming = self.connection.client.batch_execute(&sql);
        self.connection.wait(self.answer_within, "naming a journal connection", renaming)
    }

    /// Sixteen bytes that no other writer has.
    pub(crate) fn writer_mark(&self) -> Result<Vec<u8>, JournalError> {
        let sql = "SELECT uuid_send(gen_random_uuid())";
        let asking = self.connection.client.query_one(sql, &[]);
        let row = self.connection.wait(self.answer_within, "asking for a writer's mark", asking)?;
        column(&row, 0)
    }

    /// Ends the backends of writers of this journal up to epoch `epoch`, except this connection's,
    /// and waits until they are gone: what they had begun is then either in the table or never will
    /// be.
    pub(crate) fn end_writers(&self, epoch: u64) -> Result<(), JournalError> {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND CASE WHEN application_name ~ '^journal/{}/[0-9]{{1,18}}$'
                   THEN split_part(application_name, '/', 3)::bigint <= $1 ELSE false END",
            self.schema
        );
        let doing = format!("ending the writers of journal {} up to epoch {epoch}", self.schema);
        let epoch = signed(epoch);
        for _ in 0..END_ROUNDS {
            let parameters: [&(dyn ToSql + Sync); 1] = [&epoch];
            let asking = self.connection.client.query_one(&sql, &parameters);
            let row = self.connection.wait(self.patience, &doing, asking)?;
            if column::<i64>(&row, 0)? == 0 {
                return Ok(());
            }
        }
        Err(JournalError::database(doing, format!("some are still there after {END_ROUNDS} rounds")))
    }

    /// Sends one row and says what became of it.
    pub(crate) fn insert(&self, row: &NewRow<'_>) -> Inserted {
        let header = &row.header;
        let (number, first, epoch) = (signed(header.row), signed(header.first), signed(header.epoch));
        let (count, level) = (i64::from(header.count), i64::from(header.level));
        let (previous, hash) = (row.previous.0.as_slice(), row.hash.0.as_slice());
        let checksum = i64::from(row.checksum);
        let payload = Payload(row.payload);
        let parameters: [&(dyn ToSql + Sync); 10] =
            [&number, &first, &count, &epoch, &level, &header.time_ms, &previous, &hash, &checksum, &payload];
        let insert = match self.prepare_insert() {
            Ok(insert) => insert,
            Err(error) => return Inserted::Unclear(error.to_string()),
        };
        self.connection.take_notices();
        // The library returns only once the server is ready again, which is after the commit: the
        // statement's own "INSERT 0 1" comes before it and means little.
        let sending = self.connection.client.execute(insert, &parameters);
        let answer = self.connection.answer(self.answer_within, sending);
        let notices = self.connection.take_notices();
        if !notices.is_empty() {
            return Inserted::Unclear(notices.join("; "));
        }
        match answer {
            Ok(Ok(1)) => Inserted::Clean,
            Ok(Ok(_)) => Inserted::Taken,
            Ok(Err(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Inserted::Taken,
            Ok(Err(error)) => Inserted::Unclear(describe(&error)),
            Err(_) => Inserted::Unclear(format!("no answer within {:?}", self.answer_within)),
        }
    }

    /// Whether the row in the table under this row's number is this row.
    pub(crate) fn holds(&mut self, row: &NewRow<'_>) -> Result<bool, JournalError> {
        let found = self.head(row.header.row)?;
        Ok(found.is_some_and(|found| found.epoch == signed(row.header.epoch) && found.hash == row.hash.0))
    }

    fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, JournalError> {
        let doing = format!("reading the journal in schema {}", self.schema);
        self.connection.wait(self.patience, &doing, self.connection.client.query(sql, parameters))
    }

    fn row_number(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<u64>, JournalError> {
        let found = self.query(sql, parameters)?;
        let Some(row) = found.first() else { return Ok(None) };
        let number: i64 = column(row, 0)?;
        u64::try_from(number).map(Some).map_err(|_| {
            let what = format!("a row is numbered {number}; rows are numbered from 1");
            JournalError::Corrupt(crate::Fault { row: 1, position: Some(1), what })
        })
    }
}

impl Rows for Table {
    fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        let table = format!("{}.journal", self.schema);
        // The size of a payload is known without reading it, so that the server cuts the page.
        let sql = format!(
            "SELECT {COLUMNS} FROM (
                 SELECT *, sum(bytes) OVER (ORDER BY row) - bytes AS bytes_before FROM (
                     SELECT *, CASE WHEN count > 0 THEN octet_length(payload) ELSE 0 END AS bytes
                     FROM {table} WHERE row >= $1 ORDER BY row LIMIT {PAGE_ROWS}
                 ) AS measured
             ) AS page
             WHERE bytes_before < $2 ORDER BY page.row"
        );
        let max_bytes = i64::try_from(max_bytes.max(1)).unwrap_or(i64::MAX);
        self.query(&sql, &[&signed(row), &max_bytes])?.iter().map(stored).collect()
    }

    fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        let columns = COLUMNS.replace("payload", "''::bytea");
        let sql = format!("SELECT {columns} FROM {}.journal WHERE row = $1", self.schema);
        self.query(&sql, &[&signed(row)])?.first().map(stored).transpose()
    }

    fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError> {
        let sql = format!(
            "SELECT row FROM {}.journal WHERE first <= $1 AND count > 0 ORDER BY first DESC LIMIT 1",
            self.schema
        );
        self.row_number(&sql, &[&signed(position)])
    }

    fn last(&mut self) -> Result<Option<u64>, JournalError> {
        let sql = format!("SELECT row FROM {}.journal ORDER BY row DESC LIMIT 1", self.schema);
        self.row_number(&sql, &[])
    }
}

/// A payload as a parameter. The library shows parameters in its debug log; a payload shows only
/// its length.
struct Payload<'a>(&'a [u8]);

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "payload of {} bytes", self.0.len())
    }
}

impl ToSql for Payload<'_> {
    fn to_sql(&self, type_: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(type_, out)
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::BYTEA
    }

    to_sql_checked!();
}

fn stored(row: &Row) -> Result<StoredRow, JournalError> {
    Ok(StoredRow {
        row: column(row, 0)?,
        first: column(row, 1)?,
        count: column(row, 2)?,
        epoch: column(row, 3)?,
        level: column(row, 4)?,
        time_ms: column(row, 5)?,
        previous: column(row, 6)?,
        hash: column(row, 7)?,
        checksum: column(row, 8)?,
        payload: column(row, 9)?,
    })
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, JournalError> {
    row.try_get(index).map_err(|error| JournalError::database("decoding a journal row", error))
}

/// A number that a row or a size is.
fn unsigned(row: &Row, index: usize) -> Result<u64, JournalError> {
    let number: i64 = column(row, index)?;
    u64::try_from(number).map_err(|_| {
        let what = format!("a number of it is {number}; rows are numbered from 1");
        JournalError::Corrupt(crate::Fault { row: 1, position: Some(1), what })
    })
}

/// A number as the database keeps it; no row or position reaches 2⁶³ (see `Chain::seal`).
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
