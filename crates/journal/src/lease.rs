//! The lease: which node tries to lead a journal in PostgreSQL.
//!
//! ```text
//!            acquire: free, expired, or ours          renew in time
//!  waiting ─────────────────────────────────► held ───────────────┐
//!     ▲                                        │ ▲                │
//!     │  another holder or term · release      │ └────────────────┘
//!     └────────────────────────────────────────┘
//! ```
//!
//! It is one row, changed by compare-and-set on the database's clock, so the nodes' clocks need not
//! agree. It decides only who tries: what keeps two leaders apart is the journal's fence. The
//! holder counts its time from before it asked, on its own monotonic clock, so it stops believing
//! in its lease before the database gives it away.

use std::fmt;
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::JournalError;
use crate::postgres::{Connection, PostgresConfig, Role};

const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(hashtext('journal/{schema}'));
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.lease (
        one     boolean     PRIMARY KEY CHECK (one),
        holder  text        NOT NULL,
        term    bigint      NOT NULL,
        expires timestamptz NOT NULL
    );
    COMMIT;";

const ACQUIRE: &str = "
    INSERT INTO {schema}.lease AS held (one, holder, term, expires)
    VALUES (true, $1, 1, clock_timestamp() + $2 * interval '1 millisecond')
    ON CONFLICT (one) DO UPDATE
    SET holder = $1, term = held.term + 1, expires = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE held.expires <= clock_timestamp() OR held.holder = $1
    RETURNING term";

const RENEW: &str = "
    UPDATE {schema}.lease SET expires = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE holder = $1 AND term = $2 AND expires > clock_timestamp()
    RETURNING term";

const RELEASE: &str = "
    UPDATE {schema}.lease SET expires = clock_timestamp() WHERE holder = $1 AND term = $2 RETURNING term";

/// One node's claim to lead a journal.
pub struct Lease {
    config: PostgresConfig,
    holder: String,
    length: Duration,
    connection: Option<Connection>,
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    term: i64,
    until: Instant,
}

impl Lease {
    /// Prepares the lease of the journal in `config.schema`, making its table where it is missing.
    /// `holder` is this node's name, which no other node has: a node that starts again takes its
    /// own lease back at once.
    ///
    /// # Errors
    /// [`JournalError::BadSetting`], [`JournalError::Database`].
    pub fn new(config: PostgresConfig, holder: impl Into<String>, length: Duration) -> Result<Self, JournalError> {
        let connection = Connection::open(&config, Role::Lease)?;
        let sql = SCHEMA.replace("{schema}", &config.schema);
        let doing = format!("creating the lease in schema {}", config.schema);
        connection.wait(config.patience, &doing, connection.client.batch_execute(&sql))?;
        let holder = holder.into();
        Ok(Self { config, holder, length, connection: Some(connection), held: None })
    }

    /// Tries to become the holder. Returns until when the lease is held, or `None` while another
    /// node has it.
    ///
    /// # Errors
    /// [`JournalError::Database`]; the lease may then be held in the database, but is not used.
    pub fn acquire(&mut self) -> Result<Option<Instant>, JournalError> {
        self.held = None;
        let asked = Instant::now();
        let (holder, length) = (self.holder.clone(), self.length_ms());
        let term = self.change(ACQUIRE, &[&holder, &length])?;
        self.held = term.map(|term| Held { term, until: asked + self.length });
        Ok(self.held_until())
    }

    /// Prolongs a lease that is held. `None` means that it is lost: stop leading.
    ///
    /// # Errors
    /// [`JournalError::Database`]; the lease then holds as long as it did before, and may be
    /// renewed again.
    pub fn renew(&mut self) -> Result<Option<Instant>, JournalError> {
        let Some(held) = self.held else { return Ok(None) };
        let asked = Instant::now();
        let (holder, length) = (self.holder.clone(), self.length_ms());
        let term = self.change(RENEW, &[&holder, &held.term, &length])?;
        self.held = term.map(|term| Held { term, until: asked + self.length });
        Ok(self.held_until())
    }

    /// Gives the lease up, so that another node need not wait for its end.
    ///
    /// # Errors
    /// [`JournalError::Database`]; this node has stopped believing in it all the same.
    pub fn release(&mut self) -> Result<(), JournalError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let holder = self.holder.clone();
        self.change(RELEASE, &[&holder, &held.term]).map(|_| ())
    }

    /// Until when this node may act as leader; compare it with the clock just before acting.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.held.map(|held| held.until)
    }

    /// The database's clock, in milliseconds since 1970 UTC: a node whose own clock is far from it
    /// does not lead.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn database_time_ms(&mut self) -> Result<i64, JournalError> {
        self.change("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[])?
            .ok_or_else(|| JournalError::database("asking for the time", "no row came"))
    }

    /// Runs one statement that returns one number or nothing, over a new connection if the last one
    /// failed.
    fn change(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<i64>, JournalError> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.client.is_closed() => connection,
            Some(_) | None => Connection::open(&self.config, Role::Lease)?,
        };
        let sql = sql.replace("{schema}", &self.config.schema);
        let doing = format!("asking for the lease in schema {}", self.config.schema);
        let asking = connection.client.query_opt(&sql, parameters);
        let row: Option<Row> = connection.wait(self.config.answer_within, &doing, asking)?;
        self.connection = Some(connection);
        row.map(|row| row.try_get(0).map_err(|error| JournalError::database(doing, error))).transpose()
    }

    fn length_ms(&self) -> f64 {
        self.length.as_secs_f64() * 1000.0
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lease")
            .field("config", &self.config)
            .field("holder", &self.holder)
            .field("length", &self.length)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}
