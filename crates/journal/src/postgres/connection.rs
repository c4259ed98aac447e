//! One connection to PostgreSQL, driven from a thread that may block.
//!
//! A connection is used until something about it is unclear, and then dropped: closing the socket,
//! never asking the server to cancel, since a cancelled wait for a standby looks like success.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::error::{Fault, JournalError};
use crate::storage::RangePlace;

/// The longest schema name that still fits, with an epoch, into a backend's application name of 63
/// bytes.
const MAX_SCHEMA: usize = 32;

/// Where a journal lies in PostgreSQL, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// How to connect: `postgresql://…` or key=value pairs. The server must be version 15 or later;
    /// the user must own the schema, or be allowed to create it.
    pub url: String,
    /// The schema of this journal: lower-case letters, digits and `_`, at most 32, beginning with a
    /// letter. Several journals can share a database.
    pub schema: String,
    /// After this long without an answer a row is in doubt.
    pub answer_within: Duration,
    /// How long to try to settle a row in doubt before giving up.
    pub patience: Duration,
    /// Where old rows lie that left the table, the same place for every node; none if all rows are in the table.
    pub ranges: Option<RangePlace>,
}

impl PostgresConfig {
    /// A journal in `schema`, with an answer expected within 10 s and a patience of 60 s.
    #[must_use]
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: schema.into(),
            answer_within: Duration::from_secs(10),
            patience: Duration::from_secs(60),
            ranges: None,
        }
    }

    fn parse(&self) -> Result<Config, JournalError> {
        let letter = |byte: u8| byte.is_ascii_lowercase();
        let mut bytes = self.schema.bytes();
        let good = bytes.next().is_some_and(letter)
            && bytes.all(|byte| letter(byte) || byte.is_ascii_digit() || byte == b'_')
            && self.schema.len() <= MAX_SCHEMA;
        if !good {
            return Err(JournalError::BadSetting {
                name: "schema",
                value: self.schema.clone(),
                expected: "a lower-case letter, then at most 31 lower-case letters, digits and underscores",
            });
        }
        // The text may hold a password, and an error of the parser may quote it: say neither.
        self.url.parse().map_err(|_| JournalError::BadSetting {
            name: "url",
            value: "(not shown)".to_owned(),
            expected: "postgresql://user@host/database or host=… user=… dbname=…",
        })
    }
}

impl fmt::Debug for PostgresConfig {
    /// Does not show the URL, which may hold a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("answer_within", &self.answer_within)
            .field("patience", &self.patience)
            .field("ranges", &self.ranges)
            .finish_non_exhaustive()
    }
}

/// What a connection is for; its backend carries it as its application name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Finding out which epoch comes next.
    Opening,
    /// Writing in this epoch. Later writers end the backends of earlier ones by it.
    Writer(u64),
    Reader,
    Lease,
}

impl Role {
    pub(crate) fn name(self, schema: &str) -> String {
        match self {
            Self::Opening => format!("journal/{schema}/opening"),
            Self::Writer(epoch) => format!("journal/{schema}/{epoch}"),
            Self::Reader => format!("journal/{schema}/reader"),
            Self::Lease => format!("journal/{schema}/lease"),
        }
    }
}

/// A connection with its own small runtime; dropping it closes the socket at once.
pub(crate) struct Connection {
    pub(crate) client: Client,
    notices: Arc<Mutex<Vec<String>>>,
    runtime: Runtime,
}

/// Settings on which the journal's promises rest, whatever the server's or the user's defaults are.
/// Warnings must reach us: that a standby was not waited for is only ever a warning.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET client_min_messages = notice;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_session_timeout = 0;";

impl Connection {
    pub(crate) fn open(config: &PostgresConfig, role: Role) -> Result<Self, JournalError> {
        let mut settings = config.parse()?;
        settings.application_name(role.name(&config.schema));
        settings.connect_timeout(config.answer_within);
        let doing = format!("connecting to the journal in schema {}", config.schema);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| JournalError::io(doing.clone(), error))?;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let client = runtime.block_on(async {
            let connecting = tokio::time::timeout(config.answer_within, settings.connect(NoTls));
            let (client, connection) = connecting
                .await
                .map_err(|elapsed| JournalError::database(&doing, elapsed))?
                .map_err(|error| JournalError::database(&doing, error))?;
            tokio::spawn(drive(connection, Arc::clone(&notices)));
            Ok::<Client, JournalError>(client)
        })?;
        let connection = Self { client, notices, runtime };
        connection.wait(config.answer_within, &doing, connection.client.batch_execute(SETTINGS))?;
        Ok(connection)
    }

    /// Waits for an answer whose meaning is simple: it came, or it is an error.
    pub(crate) fn wait<T>(
        &self,
        within: Duration,
        doing: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, JournalError> {
        self.answer(within, answer)
            .map_err(|_| JournalError::database(doing, format!("no answer within {within:?}")))?
            .map_err(|error| failure(doing, error))
    }

    /// Waits for an answer; `Err` if none came in time.
    pub(crate) fn answer<T>(
        &self,
        within: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, tokio::time::error::Elapsed> {
        self.runtime.block_on(async { tokio::time::timeout(within, answer).await })
    }

    /// What the server said beside its answers since the last call.
    pub(crate) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Moves bytes between the socket and the client, keeping every notice.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, notices: Arc<Mutex<Vec<String>>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // An error ends the connection, and whoever waits for an answer is told so.
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message {
            let notice = format!("{}: {}", notice.severity(), notice.message());
            notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
        }
    }
}

/// What an error of PostgreSQL means here.
pub(crate) fn failure(doing: &str, error: tokio_postgres::Error) -> JournalError {
    let code = error.code();
    if code == Some(&SqlState::DISK_FULL) {
        return JournalError::Full { doing: doing.to_owned() };
    }
    if code == Some(&SqlState::DATA_CORRUPTED) || code == Some(&SqlState::INDEX_CORRUPTED) {
        let what = format!("at or after it, {doing}: {}", describe(&error));
        return JournalError::Corrupt(Fault { row: 1, position: None, what });
    }
    JournalError::database(doing, describe(&error))
}

/// The server's own words; the library's are only "db error".
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} {}: {}", said.severity(), said.code().code(), said.message()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
