//! A journal in PostgreSQL for a test, someone who meddles with it, and what needs no more than
//! these.

use std::time::Duration;

use journal::{Journal, JournalError, Postgres, PostgresConfig, Reader};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

use crate::cluster::{Cluster, cluster};
use crate::corrupt::fault;
use crate::suite::{self, Place, batch, read_all, texts};

/// A schema of its own, empty at first.
pub(crate) struct Schema {
    pub(crate) config: PostgresConfig,
}

impl Schema {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let config = PostgresConfig {
            answer_within: Duration::from_secs(10),
            patience: Duration::from_secs(30),
            ..PostgresConfig::new(cluster.url(), cluster.schema())
        };
        Self { config }
    }

    pub(crate) fn journal(&self) -> Postgres {
        Postgres::open(&self.config, 500).expect("a sound journal")
    }

    /// The journal's content, walked and found sound.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut found = Vec::new();
        let visit = |record: &journal::Record| {
            if record.count > 0 {
                found.push(String::from_utf8(record.payload.clone()).expect("text"));
            }
        };
        let report = self.reader().verify(visit).expect("readable");
        assert_eq!(report.fault, None);
        found
    }
}

impl Place for Schema {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(self.journal())
    }

    fn reader(&self) -> Reader {
        Reader::postgres(&self.config).expect("a journal is there")
    }
}

/// A second connection that locks, ends, and alters.
pub(crate) struct Admin {
    client: Client,
    runtime: Runtime,
}

impl Admin {
    pub(crate) fn new(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { client, runtime }
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).unwrap().get(0)
    }

    /// Asks `sql` until it says yes; each round waits for the server, so nothing spins for long.
    pub(crate) fn until(&self, sql: &str) {
        let sql = format!("SELECT count(*) FROM ({sql}) AS found");
        while self.number(&sql) == 0 {
            // Within a transaction the server would go on showing what it showed first.
            self.execute("SELECT pg_stat_clear_snapshot()");
        }
    }
}

/// SQL for the backends that wait for a lock to write into `schema`.
pub(crate) fn waiting_writers(schema: &str) -> String {
    format!(
        "SELECT pid FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND application_name ~ '^journal/{schema}/[0-9]+$'"
    )
}

#[test]
fn postgres() {
    let Some(cluster) = cluster("postgres") else { return };
    suite::run(|| Box::new(Schema::new(cluster)));
}

#[test]
fn reading_beside_a_running_writer() {
    let Some(cluster) = cluster("reading_beside_a_running_writer") else { return };
    let schema = Schema::new(cluster);
    let mut journal = schema.journal();
    journal.append(&batch(&journal, 1, b"one")).unwrap();
    let mut reader = schema.reader();
    assert_eq!(texts(&reader.read(1, 1000).unwrap()), ["one"]);
    journal.append(&batch(&journal, 1, b"two")).unwrap();
    assert_eq!(texts(&reader.read(2, 1000).unwrap()), ["two"]);
    assert_eq!(reader.tip().unwrap(), journal.tip());
}

#[test]
fn reading_makes_no_journal() {
    let Some(cluster) = cluster("reading_makes_no_journal") else { return };
    let error = Reader::postgres(&Schema::new(cluster).config).unwrap_err();
    assert!(matches!(error, JournalError::Database { .. }), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[test]
fn a_writer_reads_again_after_its_connection_was_lost() {
    let Some(cluster) = cluster("a_writer_reads_again_after_its_connection_was_lost") else {
        return;
    };
    let schema = Schema::new(cluster);
    let mut journal = schema.journal();
    journal.append(&batch(&journal, 1, b"one")).unwrap();
    let name = format!("journal/{}/1", schema.config.schema);
    Admin::new(&cluster.url()).number(&format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = '{name}'"
    ));
    // The first reading may be the one to notice.
    let records = journal.read(1, 1000).or_else(|_| journal.read(1, 1000)).unwrap();
    assert_eq!(texts(&records), ["one"]);
}

#[test]
fn a_damaged_row_is_named() {
    let Some(cluster) = cluster("a_damaged_row_is_named") else { return };
    let schema = Schema::new(cluster);
    let mut journal = schema.journal();
    for text in ["alpha", "bravo", "charlie"] {
        journal.append(&batch(&journal, 2, text.as_bytes())).unwrap();
    }
    let name = &schema.config.schema;
    let admin = Admin::new(&cluster.url());
    let damage = |sql: &str| admin.execute(&sql.replace("journal", &format!("{name}.journal")));
    damage("UPDATE journal SET payload = 'brave' WHERE row = 3");
    let found = fault(journal.read(1, usize::MAX).unwrap_err());
    assert!(found.row == 3 && found.what.starts_with("damaged"), "{found}");
    damage("DELETE FROM journal WHERE row = 3");
    let report = schema.reader().verify(|_| ()).unwrap();
    assert_eq!((report.rows, report.fault.unwrap().row), (2, 3));
    assert_eq!(fault(Postgres::open(&schema.config, 0).unwrap_err()).row, 3);
}

#[test]
fn large_payloads_read_back() {
    let Some(cluster) = cluster("large_payloads_read_back") else { return };
    let schema = Schema::new(cluster);
    let mut journal = schema.journal();
    for letter in [b'a', b'b', b'c'] {
        journal.append(&batch(&journal, 8_189, &vec![letter; 800_000])).unwrap();
    }
    assert_eq!(journal.read(1, 1_000_000).unwrap().len(), 2);
    assert_eq!(read_all(&mut journal, usize::MAX).len(), 3);
}

#[test]
fn a_bad_setting_says_what_is_right_and_keeps_the_password() {
    for schema in ["", "9lives", "Loud", "semi;colon", "a_name_that_is_longer_than_it_may_be"] {
        let config = PostgresConfig::new("host=/nowhere user=u password=hush", schema);
        let error = Postgres::open(&config, 0).unwrap_err();
        assert!(matches!(error, JournalError::BadSetting { name: "schema", .. }), "{error}");
    }
    let config = PostgresConfig::new("postgresql://u:hush@[/", "good");
    let error = Postgres::open(&config, 0).unwrap_err();
    assert!(matches!(error, JournalError::BadSetting { name: "url", .. }), "{error}");
    assert!(!format!("{error} {error:?} {config:?}").contains("hush"));
}
