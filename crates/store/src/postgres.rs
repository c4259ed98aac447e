//! The store in a schema of a PostgreSQL database, through a pool of connections.
//!
//! The calls block: the pool lives on a small runtime of its own, whose one thread moves the bytes while the caller
//! waits. A connection whose statement failed or did not come back in time is closed, never used again.

mod indexes;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime as PoolRuntime,
};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, IsolationLevel, NoTls};

use crate::db::{Row, Session, Value};
use crate::error::StoreError;
use crate::sqlite::begin_of;

/// The longest name PostgreSQL does not cut off.
const MAX_SCHEMA: usize = 63;

/// Where the store lies in PostgreSQL, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// How to connect: `postgresql://…` or key=value pairs. The server must be version 15 or later, the database in
    /// UTF8; the user must own the schema, or be allowed to create it.
    pub url: String,
    /// The schema of this store: lower-case letters, digits and `_`, at most 63, beginning with a letter.
    pub schema: String,
    /// Connections at the same time; more callers wait.
    pub connections: usize,
    /// How long to wait for a connection, and for one statement's answer.
    pub answer_within: Duration,
}

impl PostgresConfig {
    /// A store in `schema`, with up to 8 connections and an answer expected within 60 s.
    #[must_use]
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        Self { url: url.into(), schema: schema.into(), connections: 8, answer_within: Duration::from_secs(60) }
    }

    fn parse(&self) -> Result<Config, StoreError> {
        let mut bytes = self.schema.bytes();
        let good = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && self.schema.len() <= MAX_SCHEMA;
        if !good {
            return Err(StoreError::BadSetting {
                name: "schema",
                value: self.schema.clone(),
                expected: "a lower-case letter, then at most 62 lower-case letters, digits and underscores",
            });
        }
        // The text may hold a password, and an error of the parser may quote it: say neither.
        let mut config: Config = self.url.parse().map_err(|_| StoreError::BadSetting {
            name: "url",
            value: "(not shown)".to_owned(),
            expected: "postgresql://user@host/database or host=… user=… dbname=…",
        })?;
        config.application_name(format!("store/{}", self.schema));
        config.connect_timeout(self.answer_within);
        Ok(config)
    }
}

impl fmt::Debug for PostgresConfig {
    /// Does not show the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("answer_within", &self.answer_within)
            .finish_non_exhaustive()
    }
}

/// The schema.
pub(crate) struct Postgres {
    schema: String,
    answer_within: Duration,
    pool: Pool,
    /// There until it is dropped, when its thread is left to end by itself: waiting for it may not be allowed there.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.pool.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Postgres {
    pub(crate) fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let doing = format!("opening the store in schema {}", config.schema);
        let failed = |error: &dyn Error| StoreError::database(&doing, error);
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.parse()?, NoTls, manager_config);
        let settings = format!(
            "SET search_path = {}; SET default_transaction_isolation = 'read committed'; \
             SET default_transaction_read_only = off; SET statement_timeout = 0; SET idle_session_timeout = 0",
            config.schema
        );
        let pool = Pool::builder(manager)
            .max_size(config.connections.max(1))
            .wait_timeout(Some(config.answer_within))
            .create_timeout(Some(config.answer_within))
            .runtime(PoolRuntime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                let settings = settings.clone();
                Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| failed(&error))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let (schema, answer_within) = (config.schema.clone(), config.answer_within);
        let postgres = Self { schema, answer_within, pool, runtime: Some(runtime) };
        postgres.prepare_schema()?;
        Ok(postgres)
    }

    fn prepare_schema(&self) -> Result<(), StoreError> {
        let schema = &self.schema;
        let encoding = self.query("SELECT current_setting('server_encoding')", &[])?;
        let encoding = encoding.first().map(|row| row.text(0)).transpose()?.unwrap_or_default();
        if encoding != "UTF8" {
            let (name, value) = ("encoding of the database", encoding.to_owned());
            return Err(StoreError::BadSetting { name, value, expected: "a database created with ENCODING 'UTF8'" });
        }
        let there = self.query("SELECT oid::bigint FROM pg_namespace WHERE nspname = $1", &[schema.as_str().into()])?;
        if !there.is_empty() {
            return Ok(());
        }
        self.transaction(|session| {
            session.lock_schema()?;
            session.batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
        })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until it is dropped")
    }

    fn connect(&self) -> Result<Object, StoreError> {
        self.runtime().block_on(self.pool.get()).map_err(|error| {
            let doing = format!("connecting to the store in schema {}", self.schema);
            StoreError::database(doing, with_sources(&error))
        })
    }

    fn session<'a>(&'a self, client: &'a Client) -> Connected<'a> {
        Connected { client, runtime: self.runtime(), answer_within: self.answer_within, schema: &self.schema }
    }

    pub(crate) fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let connection = self.connect()?;
        let answer = self.session(&connection).query(sql, parameters);
        keep_if_good(connection, answer)
    }

    pub(crate) fn transaction<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(IsolationLevel::ReadCommitted, false, self.answer_within, work)
    }

    pub(crate) fn snapshot<T>(
        &self,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(IsolationLevel::RepeatableRead, true, self.answer_within, work)
    }

    fn within<T>(
        &self,
        isolation: IsolationLevel,
        read_only: bool,
        answer_within: Duration,
        work: impl FnOnce(&dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connect()?;
        let done = (|| {
            let doing = format!("a transaction in schema {}", self.schema);
            let begin = connection.build_transaction().isolation_level(isolation).read_only(read_only).start();
            let transaction = self.answer(&doing, begin)?;
            let done = work(&Connected { answer_within, ..self.session(transaction.client()) })?;
            self.answer(&doing, transaction.commit())?;
            Ok(done)
        })();
        keep_if_good(connection, done)
    }

    fn answer<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        wait(self.runtime(), self.answer_within, doing, answer)
    }
}

/// Gives the connection back after a clean answer and closes it after any other.
fn keep_if_good<T>(connection: Object, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    if answer.is_err() {
        drop(Object::take(connection));
    }
    answer
}

fn wait<T>(
    runtime: &Runtime,
    within: Duration,
    doing: &str,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    runtime
        .block_on(async { tokio::time::timeout(within, answer).await })
        .map_err(|_| StoreError::database(doing, format!("no answer within {within:?}")))?
        .map_err(|error| StoreError::database(doing, describe(&error)))
}

/// One connection in use.
struct Connected<'a> {
    client: &'a Client,
    runtime: &'a Runtime,
    answer_within: Duration,
    schema: &'a str,
}

impl Connected<'_> {
    fn wait<T>(
        &self,
        sql: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        wait(self.runtime, self.answer_within, &begin_of(sql), answer)
    }
}

impl Session for Connected<'_> {
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        self.wait(sql, self.client.execute_typed(sql, &typed(parameters)))
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = self.wait(sql, self.client.query_typed(sql, &typed(parameters)))?;
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect::<Result<_, _>>().map(Row)).collect()
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.wait(sql, self.client.batch_execute(sql))
    }

    /// Each statement is a way there and back; more rows than these gain little.
    fn rows_at_once(&self) -> usize {
        128
    }

    fn lock_schema(&self) -> Result<(), StoreError> {
        self.batch(&format!("SELECT pg_advisory_xact_lock(hashtext('store/{}'))", self.schema))
    }
}

/// The parameters with their types, so that a statement needs one round trip.
fn typed(parameters: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    let kind = |parameter: &Value| match parameter {
        // The server takes the type from where the parameter stands.
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    };
    parameters.iter().map(|parameter| (parameter as &(dyn ToSql + Sync), kind(parameter))).collect()
}

impl ToSql for Value {
    fn to_sql(&self, type_: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(type_, out),
            Self::Text(text) => text.to_sql(type_, out),
            Self::Bytes(bytes) => bytes.to_sql(type_, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn value(row: &tokio_postgres::Row, column: usize) -> Result<Value, StoreError> {
    let kind = row.columns().get(column).map(|column| column.type_().clone()).unwrap_or(Type::UNKNOWN);
    let read = if kind == Type::INT8 {
        row.try_get::<_, Option<i64>>(column).map(Value::from)
    } else if kind == Type::BYTEA {
        row.try_get::<_, Option<Vec<u8>>>(column).map(Value::from)
    } else {
        row.try_get::<_, Option<String>>(column).map(|text| text.map_or(Value::Null, Value::Text))
    };
    read.map_err(|error| StoreError::database("reading a row", describe(&error)))
}

/// The server's own words without its details, which may quote a row; the library's are only "db error".
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} {}: {}", said.severity(), said.code().code(), said.message()),
        None => with_sources(error),
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
