//! The rows in a schema of a PostgreSQL database, for one process at a time.
//!
//! ```text
//!  connect ── advisory lock of the schema ──► epoch + 1 ──► each transaction: change + 1 where epoch and change are as remembered
//!     ▲                                                                  │ no answer, an error
//!     └──────────────── with the next call ◄─────────────────────────────┘
//! ```
//! The lock says that the process before is gone, before anything is read. The compare-and-set holds where the lock does not: behind a
//! pooler, or on a server that was promoted and knows less. It also tells what became of a commit whose answer was lost: found as
//! remembered, nothing happened; found otherwise, the place is behind, and memory is read anew from the rows.
//!
//! Invariants: a connection about which anything is unclear is closed, never used again; whoever holds the lock knows that the
//! session before it has ended, its transaction with it. Messages name no value and no password.

mod wire;

use std::{
    cell::{Cell, RefCell},
    fmt,
    time::{Duration, Instant},
};

use tokio_postgres::Config;

use self::wire::{Wire, Work};
use super::{PlaceError, Row, Value, values};
use crate::random::random_bytes;

/// The longest name that still fits beside the rest of an application's name of 63 bytes.
const MAX_SCHEMA: usize = 40;
/// How long the session before may take to end.
const LOCK_WAIT: &str = "2s";

/// Where the rows lie in PostgreSQL, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// How to connect: `postgresql://…` or key=value pairs. The server must be version 15 or later, the database in
    /// UTF8; the user must own the schema, or be allowed to create it.
    pub url: String,
    /// The schema of this key service: lower-case letters, digits and `_`, at most 40, beginning with a letter.
    pub schema: String,
    /// How long to wait for a connection, and for one statement's answer.
    pub answer_within: Duration,
    /// How long after a connection failed calls fail without trying another one.
    pub retry_after: Duration,
}

impl PostgresConfig {
    /// A key service in `schema`, whose answers are expected within 10 s, and which is tried again after one.
    #[must_use]
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        let (answer_within, retry_after) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { url: url.into(), schema: schema.into(), answer_within, retry_after }
    }

    fn parse(&self) -> Result<Config, PlaceError> {
        let mut bytes = self.schema.bytes();
        let good = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && self.schema.len() <= MAX_SCHEMA;
        if !good {
            return Err(PlaceError::Setting {
                name: "schema",
                value: self.schema.clone(),
                expected: "a lower-case letter, then at most 39 lower-case letters, digits and underscores",
            });
        }
        // The text may hold a password, and an error of the parser may quote it: say neither.
        let mut config: Config = self.url.parse().map_err(|_| PlaceError::Setting {
            name: "url",
            value: "(not shown)".to_owned(),
            expected: "postgresql://user@host/database or host=… user=… dbname=…",
        })?;
        config.connect_timeout(self.answer_within);
        Ok(config)
    }

    fn failed(&self, problem: impl Into<String>) -> PlaceError {
        PlaceError::Schema { schema: self.schema.clone(), problem: problem.into() }
    }
}

impl fmt::Debug for PostgresConfig {
    /// Does not show the URL, which may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostgresConfig").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The schema.
pub(crate) struct Postgres {
    config: PostgresConfig,
    /// Names the sessions of this process, so that it can end one that the server still believes in; `None` beside it.
    own: Option<String>,
    wire: RefCell<Option<Wire>>,
    /// When it was tried last in vain, and what was said then.
    failed: Option<(Instant, String)>,
    /// 0 before it is made.
    format: i64,
    epoch: i64,
    change: Cell<i64>,
    is_behind: bool,
}

impl Postgres {
    /// For the process that changes it.
    pub(super) fn open(config: &PostgresConfig) -> Result<Self, PlaceError> {
        let own = random_bytes::<8>().map_err(|error| config.failed(error.to_string()))?;
        Self::begun(config, Some(format!("ark/{}/{}", config.schema, hex::encode(own))))
    }

    /// For reading beside it.
    pub(super) fn beside(config: &PostgresConfig) -> Result<Self, PlaceError> {
        Self::begun(config, None)
    }

    fn begun(config: &PostgresConfig, own: Option<String>) -> Result<Self, PlaceError> {
        let mut postgres = Self {
            config: config.clone(),
            own,
            wire: RefCell::default(),
            failed: None,
            format: 0,
            epoch: 0,
            change: Cell::new(0),
            is_behind: false,
        };
        postgres.reach()?;
        // Nothing of it is in memory yet.
        postgres.is_behind = false;
        Ok(postgres)
    }

    pub(super) fn format(&self) -> i64 {
        self.format
    }

    pub(super) fn set_format(&mut self, format: i64) -> Result<(), PlaceError> {
        let within = self.begin()?;
        within.execute("UPDATE place SET format = $1 WHERE id = 1", values![format])?;
        within.commit()?;
        self.format = format;
        Ok(())
    }

    /// Connects unless it is connected.
    fn reach(&mut self) -> Result<(), PlaceError> {
        if self.wire.borrow().is_some() {
            return Ok(());
        }
        if let Some((at, problem)) = &self.failed
            && at.elapsed() < self.config.retry_after
        {
            return Err(self.config.failed(problem));
        }
        let reached = self.connect();
        match &reached {
            Ok(()) => self.failed = None,
            Err(error) => {
                *self.wire.borrow_mut() = None;
                let problem =
                    if let PlaceError::Schema { problem, .. } = error { problem.clone() } else { error.to_string() };
                self.failed = Some((Instant::now(), problem));
            }
        }
        reached
    }

    fn connect(&mut self) -> Result<(), PlaceError> {
        let mut config = self.config.parse()?;
        let schema = &self.config.schema;
        config.application_name(self.own.clone().unwrap_or_else(|| format!("ark/{schema}/beside")));
        let wire = Wire::connect(config, self.config.answer_within);
        *self.wire.borrow_mut() = Some(wire.map_err(|problem| self.config.failed(problem))?);
        self.run(Work::Batch(format!("SET search_path = {schema}; {SETTINGS}")))?;
        let encoding = self.ask("SELECT current_setting('server_encoding')", &[])?;
        let encoding = encoding.and_then(|row| row.get::<String>(0)).unwrap_or_default();
        if encoding != "UTF8" {
            let expected = "a database created with ENCODING 'UTF8'";
            return Err(PlaceError::Setting { name: "encoding", value: encoding, expected });
        }
        let is_ours = self.own.is_some();
        if let Some(own) = self.own.clone() {
            self.take(&own)?;
        }
        let table = format!("{schema}.place");
        let made = self.ask("SELECT 1::bigint WHERE to_regclass($1) IS NOT NULL", values![table.as_str()])?;
        if made.is_none() {
            // What was there once is gone, or not there yet.
            self.is_behind = self.format != 0;
            self.format = 0;
            return Ok(());
        }
        let sql = if is_ours {
            "UPDATE place SET epoch = epoch + 1 WHERE id = 1 RETURNING format, epoch, change"
        } else {
            "SELECT format, epoch, change FROM place WHERE id = 1"
        };
        let found = self.ask(sql, &[])?.ok_or(PlaceError::Missing("the row of table place"))?;
        let (Some(format), Some(epoch), Some(change)) = (found.get(0), found.get(1), found.get::<i64>(2)) else {
            return Err(PlaceError::Missing("the row of table place"));
        };
        self.is_behind |= is_ours && (epoch, change) != (self.epoch + 1, self.change.get());
        (self.format, self.epoch) = (format, epoch);
        self.change.set(change);
        Ok(())
    }

    /// Takes the lock of the schema, from a session of this process too that the server does not know to be lost.
    fn take(&self, own: &str) -> Result<(), PlaceError> {
        let schema = &self.config.schema;
        self.run(Work::Batch(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = '{own}' AND usename = current_user AND pid <> pg_backend_pid(); \
             SET lock_timeout = '{LOCK_WAIT}'"
        )))?;
        let lock = format!("SELECT pg_advisory_lock(hashtextextended('ark/{schema}', 0))");
        match self.run(Work::Batch(lock)) {
            Err(PlaceError::Schema { problem, .. }) if problem.contains(wire::LOCK_NOT_AVAILABLE) => {
                Err(PlaceError::Taken { schema: self.config.schema.clone() })
            }
            Err(error) => Err(error),
            Ok(_) => self.run(Work::Batch("SET lock_timeout = 0".to_owned())).map(drop),
        }
    }

    pub(super) fn is_behind(&mut self) -> Result<bool, PlaceError> {
        self.reach()?;
        Ok(self.is_behind)
    }

    pub(super) fn caught_up(&mut self) {
        self.is_behind = false;
    }

    pub(super) fn fell_behind(&mut self) {
        self.is_behind = true;
    }

    pub(super) fn create(&mut self, tables: &str, format: i64) -> Result<InSchema<'_>, PlaceError> {
        self.reach()?;
        let schema = self.config.schema.clone();
        (self.epoch, self.format) = (1, format);
        self.change.set(0);
        self.run(Work::Batch("BEGIN".to_owned()))?;
        let within = InSchema { postgres: self, writes: false, is_done: Cell::new(false) };
        // Asked first: who may use a schema may not always make one.
        let there = "SELECT 1::bigint FROM pg_namespace WHERE nspname = $1";
        if within.query(there, values![schema.as_str()])?.is_empty() {
            within.postgres.run(Work::Batch(format!("CREATE SCHEMA {schema}")))?;
        }
        within.postgres.run(Work::Batch(format!("{PLACE}{tables}")))?;
        within.execute("INSERT INTO place VALUES (1, $1, 1, 0)", values![format])?;
        Ok(within)
    }

    pub(super) fn begin(&mut self) -> Result<InSchema<'_>, PlaceError> {
        self.begin_with("BEGIN")?;
        let within = InSchema { postgres: self, writes: true, is_done: Cell::new(false) };
        let (epoch, change) = (within.postgres.epoch, within.postgres.change.get());
        let fence = "UPDATE place SET change = change + 1 WHERE id = 1 AND epoch = $1 AND change = $2";
        if within.execute(fence, values![epoch, change])? == 1 {
            return Ok(within);
        }
        let schema = within.postgres.config.schema.clone();
        // The next call finds out what there is.
        within.postgres.lose();
        Err(PlaceError::Behind { schema })
    }

    pub(super) fn read(&mut self) -> Result<InSchema<'_>, PlaceError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        Ok(InSchema { postgres: self, writes: false, is_done: Cell::new(false) })
    }

    /// A connection that was lost since the last call shows it here, where nothing depends on it yet.
    fn begin_with(&mut self, sql: &str) -> Result<(), PlaceError> {
        let was_connected = self.wire.borrow().is_some();
        let begun = self.begin_once(sql);
        if begun.is_err() && was_connected && !self.is_behind { self.begin_once(sql) } else { begun }
    }

    fn begin_once(&mut self, sql: &str) -> Result<(), PlaceError> {
        self.reach()?;
        if self.is_behind {
            return Err(PlaceError::Behind { schema: self.config.schema.clone() });
        }
        self.run(Work::Batch(sql.to_owned())).map(drop)
    }

    /// Makes the place of rows as they were free. The server's log keeps them for as long as it is kept.
    pub(super) fn purge(&mut self) -> Result<(), PlaceError> {
        self.reach()?;
        self.run(Work::Batch("VACUUM version".to_owned())).map(drop)
    }

    fn ask(&self, sql: &str, parameters: &[Value]) -> Result<Option<Row>, PlaceError> {
        Ok(self.run(Work::Query(sql.to_owned(), parameters.to_vec()))?.1.into_iter().next())
    }

    fn run(&self, work: Work) -> Result<(u64, Vec<Row>), PlaceError> {
        let done = match &*self.wire.borrow() {
            Some(wire) => wire.run(work),
            None => Err("the connection was lost".to_owned()),
        };
        done.map_err(|problem| {
            self.lose();
            self.config.failed(problem)
        })
    }

    fn lose(&self) {
        *self.wire.borrow_mut() = None;
    }
}

/// A transaction.
pub(crate) struct InSchema<'a> {
    postgres: &'a Postgres,
    writes: bool,
    is_done: Cell<bool>,
}

impl InSchema<'_> {
    pub(super) fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, PlaceError> {
        Ok(self.postgres.run(Work::Execute(sql.to_owned(), parameters.to_vec()))?.0)
    }

    pub(super) fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, PlaceError> {
        Ok(self.postgres.run(Work::Query(sql.to_owned(), parameters.to_vec()))?.1)
    }

    pub(super) fn commit(self) -> Result<(), PlaceError> {
        // Whatever comes of it: a failed one leaves no connection to roll back on.
        self.is_done.set(true);
        self.postgres.run(Work::Batch("COMMIT".to_owned()))?;
        if self.writes {
            self.postgres.change.set(self.postgres.change.get() + 1);
        }
        Ok(())
    }
}

impl Drop for InSchema<'_> {
    fn drop(&mut self) {
        if !self.is_done.get() {
            // One that fails has closed the connection, which is as good.
            drop(self.postgres.run(Work::Batch("ROLLBACK".to_owned())));
        }
    }
}

/// Settings on which the promises rest, whatever the server's or the user's defaults are. A server that loses sight of this process
/// frees its lock within half a minute.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0;
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;";

const PLACE: &str = "
CREATE TABLE place (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    format BIGINT NOT NULL,
    epoch  BIGINT NOT NULL,                          -- of the session that may write
    change BIGINT NOT NULL                           -- transactions since it was made
);";
