//! Indexes in PostgreSQL: one that does not find what its table holds is named, with the rights of the tables' owner alone.

use domain::restore::Core;
use domain::state::Changes;
use store::{Database, KeyRow, PostgresConfig, audit, checkpoint};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

use crate::cluster::cluster;
use crate::place::Place;
use crate::world::{World, at};

const INDEX: &str = "idempotency_keys_by_position";

/// Someone who may do everything.
struct Admin {
    client: Client,
    runtime: Runtime,
}

impl Admin {
    fn new(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { client, runtime }
    }

    fn execute(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    /// Does something that an index does not hear of.
    fn behind_the_back_of(&self, schema: &str, index: &str, sql: &str) {
        let ready =
            |is: bool| format!("UPDATE pg_index SET indisready = {is} WHERE indexrelid = '{schema}.{index}'::regclass");
        self.execute(&ready(false));
        self.execute(&format!("SET search_path = {schema}; {sql}"));
        self.execute(&ready(true));
    }
}

/// A database of its own whose owner may do nothing else, and someone who may do everything there.
struct Owned {
    admin: Admin,
    config: PostgresConfig,
}

impl Owned {
    fn new(test: &str) -> Option<Self> {
        let cluster = cluster(test)?;
        let (url, name) = (cluster.url(), format!("owned_{}", cluster.schema()));
        let first = Admin::new(&url);
        first.execute(&format!("CREATE ROLE {name} LOGIN"));
        first.execute(&format!("CREATE DATABASE {name} OWNER {name}"));
        let url = url.replace("dbname=postgres", &format!("dbname={name}"));
        let admin = Admin::new(&url);
        let config = PostgresConfig::new(url.replace("user=lintel", &format!("user={name}")), "books");
        Some(Self { admin, config })
    }

    /// Some keys, and rows of other tables.
    fn filled(&self) -> Database {
        let database = Database::postgres(&self.config).unwrap();
        let keys: Vec<KeyRow> = (0..300).map(key).collect();
        checkpoint::commit(&database, None, &at(1), &Core::default(), &Changes::default(), &[], &keys).unwrap();
        database
    }
}

fn key(number: u64) -> KeyRow {
    KeyRow {
        scope: "mch_1".into(),
        key: format!("key-{number}"),
        position: 1 + number / 2,
        fingerprint: vec![1; 16],
        reply: vec![0, 255],
        month: 202_603,
    }
}

const MORE: &str = "INSERT INTO idempotency_keys (scope, key, position, fingerprint, reply, month, checksum) \
                    VALUES ('m', 'more', 77, '', '', 202603, 1)";
const MOVED: &str = "UPDATE idempotency_keys SET position = 9000 WHERE position = 100";

fn named(found: &[String]) -> bool {
    found.len() == 1 && found[0].starts_with(&format!("index {INDEX} of idempotency_keys: "))
}

#[test]
fn what_is_whole_passes_in_every_table() {
    let Some(place) = Place::postgres("what_is_whole_passes_in_every_table") else { return };
    let database = place.open();
    World::full().store(&database);
    assert_eq!(database.check_file(), Ok(Vec::new()));
}

#[test]
fn an_index_that_misses_a_row_or_finds_another_is_named_to_an_owner_without_rights() {
    for (sql, gives) in [(MORE, "300 rows where the table has 301"), (MOVED, "298 rows where the table has 300")] {
        let Some(owned) = Owned::new("an_index_that_misses_a_row") else { return };
        let database = owned.filled();
        assert_eq!(database.check_file(), Ok(Vec::new()));
        owned.admin.behind_the_back_of("books", INDEX, sql);
        let found = database.check_file().unwrap();
        assert!(named(&found) && found[0].contains(gives), "{found:?}");
        let damages = audit::audit(&database, None, &mut |_| ()).unwrap();
        assert!(damages.iter().any(|damage| damage.table == "store" && damage.what.contains(INDEX)), "{damages:?}");
        owned.admin.execute(&format!("REINDEX INDEX books.{INDEX}"));
        assert_eq!(database.check_file(), Ok(Vec::new()), "{sql}");
    }
}

#[test]
fn an_index_that_is_not_valid_is_named() {
    let Some(owned) = Owned::new("an_index_that_is_not_valid_is_named") else { return };
    let database = owned.filled();
    owned
        .admin
        .execute(&format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'books.{INDEX}'::regclass"));
    let found = database.check_file().unwrap();
    assert!(named(&found) && found[0].contains("not valid"), "{found:?}");
}

#[test]
fn amcheck_looks_where_it_may_be_called() {
    let Some(owned) = Owned::new("amcheck_looks_where_it_may_be_called") else { return };
    let database = owned.filled();
    owned.admin.execute("SET search_path = public; CREATE EXTENSION amcheck");
    owned.admin.behind_the_back_of("books", INDEX, MORE);
    let found = database.check_file().unwrap();
    assert!(named(&found) && found[0].contains("the table has 301"), "without the right it compares: {found:?}");
    let owner = owned.config.url.split("user=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    owned.admin.execute(&format!(
        "SET search_path = public; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO {owner}"
    ));
    let found = database.check_file().unwrap();
    assert!(named(&found) && found[0].contains("lacks matching index tuple"), "{found:?}");
    owned.admin.execute(&format!("REINDEX INDEX books.{INDEX}"));
    assert_eq!(database.check_file(), Ok(Vec::new()));
}
