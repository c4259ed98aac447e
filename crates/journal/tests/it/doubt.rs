//! Rows in doubt: whatever happens to a row on its way, it is in the journal exactly once when
//! `append` returns.

use std::thread;
use std::time::Duration;

use journal::{Journal, JournalError, Postgres, PostgresConfig};

use crate::cluster::{Cluster, cluster};
use crate::proxy::{Fate, Proxy};
use crate::server::{Admin, Schema, waiting_writers};
use crate::suite::{Place, batch};

/// A journal behind a network with a plan, and the same journal without.
fn behind_proxy(cluster: &Cluster) -> (Schema, Proxy, PostgresConfig) {
    let schema = Schema::new(cluster);
    let proxy = Proxy::before(&cluster.url());
    let config = PostgresConfig { url: proxy.url(), ..schema.config.clone() };
    (schema, proxy, config)
}

/// Appends one batch through `fates` and one more; returns the rows without events after the
/// leader's.
fn append_through(cluster: &Cluster, fates: &[Fate]) -> usize {
    let (schema, proxy, config) = behind_proxy(cluster);
    let mut journal = Postgres::open(&config, 0).unwrap();
    journal.append(&batch(&journal, 1, b"before")).unwrap();
    proxy.plan(fates);
    let tip = journal.append(&batch(&journal, 2, b"doubted")).unwrap();
    assert!(proxy.is_done());
    assert_eq!((tip.next, tip.epoch), (4, 1));
    let row = journal.read(2, 1).unwrap().remove(0);
    assert_eq!((row.hash, row.next()), (tip.hash, tip.next), "the tip is the row with the last event");
    journal.append(&batch(&journal, 1, b"after")).unwrap();
    assert_eq!(schema.texts(), ["before", "doubted", "after"]);
    let mut empty = 0;
    schema.reader().verify(|record| empty += usize::from(record.count == 0)).unwrap();
    empty - 1
}

#[test]
fn the_answer_lost() {
    let Some(cluster) = cluster("the_answer_lost") else { return };
    assert_eq!(append_through(cluster, &[Fate::LoseAnswer]), 1, "one row confirms");
}

#[test]
fn the_request_lost() {
    let Some(cluster) = cluster("the_request_lost") else { return };
    assert_eq!(append_through(cluster, &[Fate::LoseRequest]), 1, "one row confirms");
}

#[test]
fn the_answer_lost_twice_and_then_that_of_the_confirming_row() {
    let Some(cluster) = cluster("the_answer_lost_twice") else { return };
    // Sent, sent again in vain (the number is taken), confirmed; each answer lost. Then sent again,
    // confirmed again, found, and only the next row's clean answer ends it.
    let fates = [Fate::LoseAnswer, Fate::LoseAnswer, Fate::Pass, Fate::LoseAnswer];
    assert_eq!(append_through(cluster, &fates), 2, "a lost confirmation confirms nothing");
}

#[test]
fn the_confirming_row_lost_on_its_way() {
    let Some(cluster) = cluster("the_confirming_row_lost_on_its_way") else { return };
    let fates = [Fate::LoseRequest, Fate::Pass, Fate::LoseRequest];
    assert_eq!(append_through(cluster, &fates), 1, "sent again, it is cleanly acknowledged itself");
}

#[test]
fn the_answer_to_a_leaders_first_row_lost() {
    let Some(cluster) = cluster("the_answer_to_a_leaders_first_row_lost") else { return };
    for fate in [Fate::LoseAnswer, Fate::LoseRequest] {
        let (schema, proxy, config) = behind_proxy(cluster);
        proxy.plan(&[fate]);
        let mut journal = Postgres::open(&config, 0).unwrap();
        assert!(proxy.is_done());
        assert_eq!(journal.tip().epoch, 1);
        journal.append(&batch(&journal, 1, b"one")).unwrap();
        assert_eq!(schema.texts(), ["one"]);
    }
}

#[test]
fn the_backend_killed_in_the_middle_of_an_append() {
    let Some(cluster) = cluster("the_backend_killed_in_the_middle_of_an_append") else { return };
    let schema = Schema::new(cluster);
    let name = &schema.config.schema;
    let mut journal = schema.journal();
    let admin = Admin::new(&cluster.url());
    admin.execute(&format!("BEGIN; LOCK TABLE {name}.journal IN SHARE MODE"));
    let appending = thread::spawn(move || journal.append(&batch(&journal, 1, b"one")));
    admin.until(&waiting_writers(name));
    let killed = admin
        .number(&format!("SELECT count(pg_terminate_backend(pid, 5000)) FROM ({}) AS found", waiting_writers(name)));
    assert_eq!(killed, 1);
    // It comes back, and waits for the same lock, before the lock goes.
    admin.until(&waiting_writers(name));
    admin.execute("COMMIT");
    assert_eq!(appending.join().unwrap().unwrap().next, 2);
    assert_eq!(schema.texts(), ["one"]);
}

#[test]
fn no_answer_in_time() {
    let Some(cluster) = cluster("no_answer_in_time") else { return };
    let mut schema = Schema::new(cluster);
    schema.config.answer_within = Duration::from_millis(500);
    let name = &schema.config.schema;
    let mut journal = schema.journal();
    let admin = Admin::new(&cluster.url());
    admin.execute(&format!("BEGIN; LOCK TABLE {name}.journal IN SHARE MODE"));
    let appending = thread::spawn(move || journal.append(&batch(&journal, 1, b"one")));
    admin.until(&waiting_writers(name));
    let first = admin.number(&format!("SELECT pid::bigint FROM ({}) AS found", waiting_writers(name)));
    // Another backend of the same writer waits, and the first is gone: it was ended, not cancelled.
    admin.until(&format!("{} AND pid <> {first}", waiting_writers(name)));
    let still = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {first}");
    assert_eq!(admin.number(&still), 0);
    admin.execute("COMMIT");
    assert_eq!(appending.join().unwrap().unwrap().next, 2);
    assert_eq!(schema.texts(), ["one"]);
}

/// The table says something beside its answer whenever a row that `condition` names has gone in.
fn warn_of(admin: &Admin, schema: &str, condition: &str) {
    admin.execute(&format!(
        "CREATE FUNCTION {schema}.warn() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE WARNING 'the standby was not waited for'; RETURN NULL; END $$;
         CREATE TRIGGER warn AFTER INSERT ON {schema}.journal
             FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {schema}.warn();"
    ));
}

#[test]
fn a_success_with_a_warning_is_not_one() {
    let Some(cluster) = cluster("a_success_with_a_warning_is_not_one") else { return };
    let schema = Schema::new(cluster);
    let mut journal = schema.journal();
    warn_of(&Admin::new(&cluster.url()), &schema.config.schema, "NEW.row = 2");
    journal.append(&batch(&journal, 1, b"one")).unwrap();
    assert_eq!(schema.texts(), ["one"]);
    let report = schema.reader().verify(|_| ()).unwrap();
    assert_eq!(report.rows, 3, "a leader's row, the batch, and the row that confirms it");
}

#[test]
fn warnings_without_end_stop_the_writer_and_opening_again_decides() {
    let Some(cluster) = cluster("warnings_without_end_stop_the_writer") else { return };
    let mut schema = Schema::new(cluster);
    schema.config.patience = Duration::from_millis(300);
    let admin = Admin::new(&cluster.url());
    let mut journal = schema.journal();
    warn_of(&admin, &schema.config.schema, "true");
    let error = journal.append(&batch(&journal, 1, b"one")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JournalError::InDoubt { row: 2, .. }), "{text}");
    assert!(text.contains("the standby was not waited for"), "{text}");
    let error = journal.append(&batch(&journal, 1, b"one")).unwrap_err();
    assert!(matches!(error, JournalError::Stopped), "{error}");

    admin.execute(&format!("DROP TRIGGER warn ON {}.journal", schema.config.schema));
    assert_eq!(schema.journal().tip().next, 2);
    assert_eq!(schema.texts(), ["one"]);
}
