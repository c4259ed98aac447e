//! One connection on a thread of its own: callers may be on any thread, one of an async runtime too.
//!
//! The first failure ends it: whoever asks then is told so, and makes another one.

use std::{
    error::Error,
    future::Future,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{
    Client, Config, NoTls,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::super::{Row, Value};

/// The code of a lock that was not had in time.
pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What is asked of the server.
pub(super) enum Work {
    /// Statements without parameters.
    Batch(String),
    /// A statement; answered by how many rows it changed.
    Execute(String, Vec<Value>),
    /// A query.
    Query(String, Vec<Value>),
}

type Answer = Result<(u64, Vec<Row>), String>;

/// The connection; dropping it closes the socket.
pub(super) struct Wire(Sender<(Work, SyncSender<Answer>)>);

impl Wire {
    /// Connects, or says why not.
    pub(super) fn connect(config: Config, within: Duration) -> Result<Self, String> {
        let (asks, asked) = channel();
        let (tells, told) = sync_channel(1);
        let spawned =
            thread::Builder::new().name("ark".to_owned()).spawn(move || serve(&config, within, &asked, &tells));
        spawned.map_err(|error| error.to_string())?;
        told.recv().map_err(|_| GONE.to_owned())??;
        Ok(Self(asks))
    }

    /// Has it done, and waits for the answer.
    pub(super) fn run(&self, work: Work) -> Answer {
        let (tells, told) = sync_channel(1);
        self.0.send((work, tells)).map_err(|_| GONE.to_owned())?;
        told.recv().map_err(|_| GONE.to_owned())?
    }
}

const GONE: &str = "the connection is closed";

fn serve(
    config: &Config,
    within: Duration,
    asked: &Receiver<(Work, SyncSender<Answer>)>,
    tells: &SyncSender<Result<(), String>>,
) {
    let connected =
        Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string()).and_then(|runtime| {
            let (client, connection) = wait(&runtime, within, config.connect(NoTls))?;
            // How it ended, the statement says that it ended under.
            runtime.spawn(async { drop(connection.await) });
            Ok((runtime, client))
        });
    let (told, connected) = match connected {
        Ok(connected) => (Ok(()), Some(connected)),
        Err(problem) => (Err(problem), None),
    };
    let Ok(()) = tells.send(told) else { return };
    let Some((runtime, client)) = connected else { return };
    for (work, tells) in asked {
        let answer = wait(&runtime, within, run(&client, &work));
        let failed = answer.is_err();
        // Who asked has gone: so has what was asked for.
        if tells.send(answer).is_err() || failed {
            return;
        }
    }
}

async fn run(client: &Client, work: &Work) -> Result<(u64, Vec<Row>), tokio_postgres::Error> {
    match work {
        Work::Batch(sql) => client.batch_execute(sql).await.map(|()| (0, Vec::new())),
        Work::Execute(sql, parameters) => {
            client.execute_typed(sql, &typed(parameters)).await.map(|count| (count, Vec::new()))
        }
        Work::Query(sql, parameters) => {
            let rows = client.query_typed(sql, &typed(parameters)).await?;
            let row = |row: &tokio_postgres::Row| (0..row.len()).map(|column| value(row, column)).collect();
            Ok((0, rows.iter().map(row).map(|row: Result<_, _>| row.map(Row)).collect::<Result<_, _>>()?))
        }
    }
}

fn wait<T>(
    runtime: &Runtime,
    within: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, String> {
    let answered = runtime.block_on(async { tokio::time::timeout(within, answer).await });
    answered.map_err(|_| format!("no answer within {within:?}"))?.map_err(|error| described(&error))
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
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn value(row: &tokio_postgres::Row, column: usize) -> Result<Value, tokio_postgres::Error> {
    match row.columns().get(column).map(|column| column.type_().clone()) {
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(column).map(Value::from),
        Some(Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(column).map(Value::from),
        _ => row.try_get::<_, Option<&str>>(column).map(Value::from),
    }
}

/// The server's own words without its details, which may quote a row; the library's are only "db error".
fn described(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} {}: {}", said.severity(), said.code().code(), said.message());
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
